//! Choices follow the stated probabilities, and a permutation of arms permutes them.

use consort_bandit::{
    Agent, ArmSet, Example, Exploration, Odds, Policy, Rule,
    linear::{Config, Ridge},
    rng::{Draw, normal, uniform},
};

const ARMS: usize = 5;
const DIM: usize = 4;

pub(crate) const RULES: [Rule; 7] = [
    Rule::Greedy,
    Rule::EpsilonGreedy { epsilon: 0.2, decay: false },
    Rule::LinUcb { alpha: 0.5 },
    Rule::Thompson { scale: 0.3 },
    Rule::SquareCb { gamma: 3.0, exponent: 0.5 },
    Rule::RegCb { c0: 0.01 },
    Rule::RegCbElimination { c0: 0.03 },
];

pub(crate) fn context(t: u64) -> [f64; DIM] {
    std::array::from_fn(|i| normal(3, 0, t * DIM as u64 + i as u64))
}

/// A policy that has learned `rounds` outcomes under the arm names `name(arm)`.
pub(crate) fn trained(
    rule: Rule,
    floor: f64,
    rounds: u64,
    name: impl Fn(usize) -> usize,
) -> Agent<Ridge> {
    let exploration = Exploration { floor, ..Exploration::from(rule) };
    let model = Ridge::new(Config::new(ARMS, DIM)).unwrap();
    let mut policy = Agent::new(model, exploration).unwrap();
    for t in 0..rounds {
        let x = context(t);
        let arm = (uniform(3, 1, t) * ARMS as f64) as usize;
        let reward = if x[arm % DIM] + normal(3, 2, t) > 0.3 * arm as f64 { 1.0 } else { 0.0 };
        policy.update(&Example::new(&x, name(arm), reward, 0.2)).unwrap();
    }
    policy
}

/// Upper tail of the chi-square distribution with `df` degrees of freedom (Wilson-Hilferty).
fn chi_square_p(statistic: f64, df: f64) -> f64 {
    let z = ((statistic / df).cbrt() - (1.0 - 2.0 / (9.0 * df))) / (2.0 / (9.0 * df)).sqrt();
    0.5 * libm::erfc(z / std::f64::consts::SQRT_2)
}

#[test]
fn chosen_arms_have_the_stated_frequencies() {
    const DRAWS: u64 = 100_000;
    for rule in RULES {
        let policy = trained(rule, 0.05, 60, |arm| arm);
        let (x, available) = (context(9_999), ArmSet::all(ARMS).without(3));
        let mut odds = Odds::new();
        policy.odds(&x, &available, &mut odds).unwrap();
        let mut counts = [0_u64; ARMS];
        for counter in 0..DRAWS {
            let chosen = odds.pick(Draw { seed: 11, counter }.uniform());
            assert_eq!(chosen.propensity, odds.probabilities()[chosen.arm]);
            counts[chosen.arm] += 1;
        }
        let mut statistic = 0.0;
        for (count, p) in counts.iter().zip(odds.probabilities()) {
            let expected = p * DRAWS as f64;
            if expected > 0.0 {
                statistic += (*count as f64 - expected).powi(2) / expected;
            } else {
                assert_eq!(*count, 0);
            }
        }
        assert!(chi_square_p(statistic, 3.0) > 1e-4, "{rule:?} {statistic} {counts:?}");
    }
}

#[test]
fn probabilities_sum_to_one_and_keep_the_floor() {
    for rule in RULES {
        for rounds in [0, 1, 7, 300] {
            let policy = trained(rule, 0.02, rounds, |arm| arm);
            let mut odds = Odds::new();
            for t in 0..50 {
                let available = ArmSet::from_mask(1 + t % 31);
                policy.odds(&context(t), &available, &mut odds).unwrap();
                let sum: f64 = odds.probabilities().iter().sum();
                assert!((sum - 1.0).abs() <= 1e-12, "{rule:?} {sum}");
                for (arm, &p) in odds.probabilities().iter().enumerate() {
                    let least = 0.02 / available.len() as f64 * (1.0 - 1e-12);
                    assert!(if available.contains(arm) { p >= least } else { p == 0.0 });
                }
            }
        }
    }
}

#[test]
fn renaming_the_arms_renames_the_result() {
    let rename = |arm: usize| (3 * arm + 2) % ARMS;
    for rule in RULES {
        let (plain, renamed) = (trained(rule, 0.0, 80, |arm| arm), trained(rule, 0.0, 80, rename));
        let (mut a, mut b) = (Odds::new(), Odds::new());
        for t in 0..40 {
            plain.odds(&context(t), &ArmSet::all(ARMS), &mut a).unwrap();
            renamed.odds(&context(t), &ArmSet::all(ARMS), &mut b).unwrap();
            for arm in 0..ARMS {
                let gap = a.probabilities()[arm] - b.probabilities()[rename(arm)];
                assert!(gap.abs() <= 1e-12, "{rule:?} {arm} {gap}");
            }
        }
    }
}

#[test]
fn the_same_record_gives_the_same_choice() {
    let policy = trained(Rule::Thompson { scale: 0.3 }, 0.01, 60, |arm| arm);
    let (mut first, mut again) = (Odds::new(), Odds::new());
    for counter in 0..200 {
        let draw = Draw { seed: 5, counter };
        let x = context(counter);
        let a = policy.decide(&x, &ArmSet::all(ARMS), draw, &mut first).unwrap();
        let b = policy.decide(&x, &ArmSet::all(ARMS), draw, &mut again).unwrap();
        assert_eq!(a, b);
    }
}
