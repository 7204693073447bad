//! Traces and losses that other implementations published.

use consort_bandit::{
    Agent, ArmSet, Example, Exploration, Odds, Policy, Rule, Ties,
    linear::{self, Ridge},
    rng::Draw,
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
