//! Deciding and learning allocate nothing once the buffers have grown, and what is known takes no
//! more space however much was learned.

use consort_bandit::{
    Agent, ArmSet, BetaThompson, Example, Hybrid, HybridConfig, Model, Odds, Persist, Policy, Rule,
    codec, epsilon_greedy,
    linear::{Config, Hot, Ridge},
    rng::{Draw, uniform},
    ucb1,
};

use crate::statistics::RULES;

fn allocates_nothing(model: impl Model, rule: Rule) {
    let mut policy = Agent::new(model, rule).unwrap();
    let mut odds = Odds::new();
    let x = [0.1; 32];
    let mut round = |counter| {
        let draw = Draw { seed: 3, counter };
        let chosen = policy.decide(&x, &ArmSet::all(16), draw, &mut odds).unwrap();
        policy.update(&Example::new(&x, chosen.arm, 1.0, chosen.propensity)).unwrap();
    };
    // Enough rounds for the first refactorisation, whose matrix is then kept.
    (0..2_000).for_each(&mut round);
    let counted = allocation_counter::measure(|| (2_000..2_500).for_each(&mut round));
    assert_eq!(counted.count_total, 0, "{rule:?}");
}

#[test]
fn decisions_and_updates_allocate_nothing() {
    for rule in RULES {
        allocates_nothing(Ridge::new(Config::new(16, 32)).unwrap(), rule);
        allocates_nothing(Hot::new(Config::new(16, 32)).unwrap(), rule);
    }
}

fn takes_no_more_space(mut policy: impl Policy + Persist) {
    let mut odds = Odds::new();
    let mut size_after = |from, to| {
        for counter in from..to {
            let x = [uniform(4, 0, counter), uniform(4, 1, counter)];
            let draw = Draw { seed: 4, counter };
            let chosen = policy.decide(&x, &ArmSet::all(4), draw, &mut odds).unwrap();
            let example = Example::new(&x, chosen.arm, uniform(4, 2, counter), chosen.propensity);
            policy.update(&example).unwrap();
        }
        codec::to_bytes(&policy).len()
    };
    assert_eq!(size_after(0, 10), size_after(10, 3_000));
}

#[test]
fn what_a_policy_knows_takes_no_more_space_after_three_thousand_rounds() {
    takes_no_more_space(epsilon_greedy(Config::new(4, 2), 0.1).unwrap());
    let arms = (0..4).map(|arm| vec![f64::from(arm)]).collect();
    let config = HybridConfig { arms, dim: 2, shared_lambda: 1.0, own_lambda: 10.0 };
    takes_no_more_space(Agent::new(Hybrid::new(config).unwrap(), Rule::Greedy).unwrap());
    takes_no_more_space(ucb1(4, 2).unwrap());
    takes_no_more_space(BetaThompson::new(4, 2).unwrap());
}
