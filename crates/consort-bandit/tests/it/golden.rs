//! Traces and losses that other implementations published.

use std::collections::HashMap;

use consort_bandit::{
    Agent, ArmSet, Example, Exploration, Odds, Policy, Rule, Ties, codec,
    linear::{self, Ridge},
    ope::{Estimator, Grouping, Log, Row, mips},
    rng::{Draw, uniform},
};

use crate::data::{Labelled, numbers};

#[test]
fn linucb_on_digits_reproduces_the_golden_trace() {
    let golden = numbers("golden_linucb_digits.csv");
    let digits = Labelled::read("digits.csv");
    let exploration =
        Exploration { ties: Ties::Lowest, ..Exploration::from(Rule::LinUcb { alpha: 0.5 }) };
    let model = Ridge::new(linear::Config::new(10, 64)).unwrap();
    let mut policy = Agent::new(model, exploration).unwrap();
    let mut odds = Odds::new();
    for (t, ((x, class), row)) in digits.shuffled(0).zip(&golden).enumerate() {
        let draw = Draw { seed: 0, counter: t as u64 };
        let chosen = policy.decide(x, &ArmSet::all(10), draw, &mut odds).unwrap();
        assert_eq!((t, chosen.arm), (row[0] as usize, row[1] as usize));
        let bound = odds.means()[chosen.arm] + 0.5 * odds.widths()[chosen.arm];
        assert!((bound - row[2]).abs() < 5e-12 * row[2].abs().max(1.0), "{t}: {bound} {}", row[2]);
        let reward = if chosen.arm == class { 1.0 } else { 0.0 };
        policy.update(&Example::new(x, chosen.arm, reward, chosen.propensity)).unwrap();
    }
    assert_eq!(policy.seen(), 400);
}

/// Progressive-validation loss of one pass.
fn loss(policy: &mut impl Policy, data: &Labelled, shuffle: u64) -> f64 {
    let (mut odds, mut wrong) = (Odds::new(), 0);
    for (t, (x, class)) in data.shuffled(shuffle).enumerate() {
        let draw = Draw { seed: shuffle, counter: t as u64 };
        let all = ArmSet::all(policy.arms());
        let chosen = policy.decide(x, &all, draw, &mut odds).unwrap();
        let reward = if chosen.arm == class { 1.0 } else { 0.0 };
        wrong += usize::from(chosen.arm != class);
        policy.update(&Example::new(x, chosen.arm, reward, chosen.propensity)).unwrap();
    }
    wrong as f64 / data.rows.len() as f64
}

/// Losses on wine of the first shuffles that published baselines were run on; the bound is the
/// published mean plus four standard errors.
#[test]
fn the_four_policies_lose_no_more_than_published_on_wine() {
    let wine = Labelled::read("wine.csv");
    for (rule, bound) in [
        (Rule::LinUcb { alpha: 0.1 }, 0.0685 + 4.0 * 0.0137 / 3.2),
        (Rule::Thompson { scale: 0.05 }, 0.0697 + 4.0 * 0.0103 / 3.2),
        (Rule::SquareCb { gamma: 100.0, exponent: 0.5 }, 0.0876 + 4.0 * 0.0197 / 3.2),
        (Rule::Greedy, 0.0820 + 4.0 * 0.0334 / 3.2),
        (Rule::RegCb { c0: 0.003 }, 0.0708 + 4.0 * 0.0143 / 3.2),
    ] {
        let mean = (10..20)
            .map(|shuffle| {
                let model = Ridge::new(linear::Config::new(3, 13)).unwrap();
                loss(&mut Agent::new(model, rule).unwrap(), &wine, shuffle)
            })
            .sum::<f64>()
            / 10.0;
        assert!(mean <= bound, "{rule:?}: {mean}");
    }
}

#[test]
fn estimates_agree_with_the_open_bandit_pipeline() {
    let mut log = Log::new(5).unwrap();
    for cells in numbers("golden_ope_input.csv") {
        log.push(&Row {
            reward: cells[0],
            arm: cells[1] as usize,
            propensity: cells[2],
            target: &cells[3..8],
            predicted: &cells[8..13],
            logging: &[],
        })
        .unwrap();
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden_ope_expected.json");
    let expected: HashMap<String, f64> =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(expected.len(), 15);
    for (name, exact) in expected {
        let (kind, parameter) = name.trim_end_matches(')').split_once('(').unwrap_or((&name, "0"));
        let parameter: f64 = parameter.parse().unwrap();
        let estimator = match kind {
            "IPS" => Estimator::Ips,
            "SNIPS" => Estimator::Snips,
            "DM" => Estimator::Dm,
            "DR" => Estimator::Dr,
            "SNDR" => Estimator::SnDr,
            "SwitchDR" => Estimator::SwitchDr(parameter),
            "DRos" => Estimator::DrOs(parameter),
            "CIPS" => Estimator::Clipped(parameter),
            "SGIPS" => Estimator::SubGaussian(parameter),
            other => unreachable!("{other}"),
        };
        let found = log.estimate(estimator).unwrap().value;
        assert!((found / exact - 1.0).abs() <= 1e-12, "{name}: {found} {exact}");
    }
}

/// Estimates that `quality/open_bandit.py` wrote down.
#[derive(serde::Deserialize)]
struct Told {
    estimates: Vec<(Estimator, f64)>,
    mips: f64,
}

/// Arms of the generated log, its groups of arms, and the seed of its numbers.
const ITEMS: usize = 80;
const GROUPS: usize = 7;
const SEED: u64 = 77;

/// Odds of all arms from the stream of that number.
fn odds(stream: u64) -> Vec<f64> {
    let weight = |item| uniform(SEED, stream, item).powi(2) + 0.01;
    let total: f64 = (0..ITEMS as u64).map(weight).sum();
    (0..ITEMS as u64).map(|item| weight(item) / total).collect()
}

/// A log like a shop's: many arms, three places, small odds, few rewards.
fn generated() -> (Log, Vec<usize>) {
    let (mut log, mut observed) = (Log::new(ITEMS).unwrap(), Vec::new());
    let logging = [0, 1, 2].map(odds);
    let target = [3, 4, 5].map(odds);
    let predicted = [6, 7, 8].map(|stream| {
        Vec::from_iter((0..ITEMS as u64).map(|item| 0.01 * uniform(SEED, stream, item)))
    });
    for row in 0..2000 {
        let place = (uniform(SEED, 9, row) * 3.0) as usize;
        let mut left = uniform(SEED, 10, row);
        let drawn = logging[place].iter().position(|share| {
            left -= share;
            left < 0.0
        });
        let arm = drawn.unwrap_or(ITEMS - 1);
        log.push(&Row {
            arm,
            reward: if uniform(SEED, 11, row) < 0.02 { 1.0 } else { 0.0 },
            propensity: logging[place][arm],
            target: &target[place],
            predicted: &predicted[place],
            logging: &logging[place],
        })
        .unwrap();
        observed.push(arm % GROUPS);
    }
    (log, observed)
}

#[test]
fn estimates_of_a_log_like_a_shops_agree_with_the_open_bandit_pipeline() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden_ope_generated.json");
    let told: Told = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let (log, observed) = generated();
    assert_eq!(told.estimates.len(), 26);
    for (estimator, exact) in told.estimates {
        let found = log.estimate(estimator).unwrap().value;
        assert!((found / exact - 1.0).abs() <= 1e-12, "{estimator:?}: {found} {exact}");
    }
    let groups: Vec<usize> = (0..ITEMS).map(|item| item % GROUPS).collect();
    let found = mips(&log, &Grouping::new(&groups).unwrap(), &observed).unwrap().value;
    assert!((found / told.mips - 1.0).abs() <= 1e-12, "{found} {}", told.mips);
}

#[test]
fn states_of_version_one_are_still_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/linucb_v1.bin");
    let policy: Agent<Ridge> = codec::from_bytes(&std::fs::read(path).unwrap()).unwrap();
    let mut odds = Odds::new();
    policy.odds(&[0.3, -0.2, 1.0], &ArmSet::all(2), &mut odds).unwrap();
    // What the build that wrote the file predicted.
    assert_eq!(odds.means(), [0.5715810396864961, 0.4634519279382445]);
    assert_eq!(odds.widths(), [0.35053913567318423, 0.2924585994494152]);
    let again: Agent<Ridge> = codec::from_bytes(&codec::to_bytes(&policy)).unwrap();
    assert_eq!(codec::to_bytes(&again), codec::to_bytes(&policy));
}
