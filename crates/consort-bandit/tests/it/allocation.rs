//! Deciding and learning allocate nothing once the buffers have grown, and what is known takes no
//! more space however much was learned.

use consort_bandit::{
    Agent, ArmSet, BetaThompson, Example, Hybrid, HybridConfig, Model, Odds, Persist, Policy, Rule,
    auto, automatic, codec, epsilon_greedy,
    linear::{Config, Hot, Ridge},
    rng::{Draw, normal, uniform},
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

#[test]
fn the_default_decides_without_allocation_also_while_it_remembers_an_arm_that_fell() {
    let mut policy = automatic(auto::Config::new(3, 2)).unwrap();
    let (mut odds, all) = (Odds::new(), ArmSet::all(3));
    let context = |t| [normal(1, 0, t), normal(1, 1, t)];
    for t in 0..1_200 {
        let x = context(t);
        let chosen = policy.decide(&x, &all, Draw { seed: 2, counter: t }, &mut odds).unwrap();
        let levels = [if t < 1_000 { 0.85 } else { 0.25 }, 0.6, 0.4];
        let mean = levels[chosen.arm] + 0.05 * x[0];
        let reward = if uniform(3, chosen.arm as u64, t) < mean { 1.0 } else { 0.0 };
        policy.update(&Example::new(&x, chosen.arm, reward, chosen.propensity)).unwrap();
    }
    assert_eq!(policy.model().fallen().count(), 1);
    let counted = allocation_counter::measure(|| {
        for counter in 0..50 {
            let draw = Draw { seed: 6, counter };
            policy.decide(&context(counter), &all, draw, &mut odds).unwrap();
        }
    });
    assert_eq!(counted.count_total, 0);
}
