//! Deciding and learning allocate nothing once the buffers have grown.

use consort_bandit::{
    Agent, ArmSet, Example, Model, Odds, Policy, Rule,
    linear::{Config, Hot, Ridge},
    rng::Draw,
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
