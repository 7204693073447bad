//! Inputs that must be refused, and odd ones that must be survived.

use consort_bandit::{
    Agent, ArmSet, Example, Odds, Policy, Refused, Rule, codec,
    linear::{Config, Ridge},
    linucb,
    rng::Draw,
};

use crate::statistics::RULES;

fn policy() -> Agent<Ridge> {
    linucb(Config::new(3, 2), 0.5).unwrap()
}

#[track_caller]
fn refused(x: &[f64], available: ArmSet, expected: &Refused) {
    let found = policy().odds(x, &available, &mut Odds::new()).unwrap_err();
    // NaN is not equal to itself, so the texts are compared.
    assert_eq!(found.to_string(), expected.to_string());
}

#[test]
fn unusable_contexts_are_refused_by_name() {
    let all = ArmSet::all(3);
    refused(&[0.0, f64::NAN], all, &Refused::NotFinite { index: 1 });
    refused(&[f64::NEG_INFINITY, 0.0], all, &Refused::NotFinite { index: 0 });
    refused(&[0.0, 1.1e6], all, &Refused::TooLarge { index: 1, value: 1.1e6 });
    refused(&[0.0], all, &Refused::Dimension { expected: 2, got: 1 });
    refused(&[0.0, 0.0], ArmSet::EMPTY, &Refused::NoArm);
    refused(&[0.0, 0.0], ArmSet::EMPTY.with(3), &Refused::NoArm);
}

#[test]
fn unusable_outcomes_are_refused_and_change_nothing() {
    let mut policy = policy();
    let before = codec::to_bytes(&policy);
    let good = Example::new(&[0.5, 0.5], 0, 1.0, 0.5);
    for bad in [
        Example { x: &[0.5, f64::INFINITY], ..good },
        Example { x: &[0.5], ..good },
        Example { arm: 3, ..good },
        Example { reward: 1.01, ..good },
        Example { reward: -0.1, ..good },
        Example { reward: f64::NAN, ..good },
        Example { propensity: 0.0, ..good },
        Example { propensity: 1.5, ..good },
        Example { propensity: f64::NAN, ..good },
        Example { weight: 0.0, ..good },
        Example { weight: f64::INFINITY, ..good },
    ] {
        assert!(policy.update(&bad).is_err(), "{bad:?}");
        assert!(policy.update_batch(&[good, bad]).is_err(), "{bad:?}");
    }
    assert_eq!(codec::to_bytes(&policy), before);
    policy.update_batch(&[good, good]).unwrap();
    assert_eq!(policy.seen(), 2);
}

#[test]
fn one_arm_is_chosen_with_certainty_and_an_unavailable_one_never() {
    for rule in RULES {
        let mut one = Agent::new(Ridge::new(Config::new(1, 1)).unwrap(), rule).unwrap();
        let mut odds = Odds::new();
        let draw = Draw { seed: 1, counter: 0 };
        let chosen = one.decide(&[0.3], &ArmSet::all(1), draw, &mut odds).unwrap();
        assert_eq!((chosen.arm, chosen.propensity), (0, 1.0));
        one.update(&Example::new(&[0.3], 0, 1.0, 1.0)).unwrap();

        let mut two = Agent::new(Ridge::new(Config::new(3, 1)).unwrap(), rule).unwrap();
        for counter in 0..200 {
            let draw = Draw { seed: 1, counter };
            let chosen = two.decide(&[1.0], &ArmSet::all(3).without(1), draw, &mut odds).unwrap();
            assert_ne!(chosen.arm, 1);
            two.update(&Example::new(&[1.0], chosen.arm, 0.5, chosen.propensity)).unwrap();
        }
    }
}

#[test]
fn extreme_contexts_and_constant_rewards_are_survived() {
    for rule in RULES {
        let mut policy = Agent::new(Ridge::new(Config::new(2, 3)).unwrap(), rule).unwrap();
        let mut odds = Odds::new();
        for counter in 0..2_000_u64 {
            let x = match counter % 4 {
                0 => [1e6, -1e6, 1e6],
                1 => [0.0; 3],
                2 => [1e-300, 1e-12, 1.0],
                _ => [1.0, 1.0, 1.0],
            };
            let draw = Draw { seed: 2, counter };
            let chosen = policy.decide(&x, &ArmSet::all(2), draw, &mut odds).unwrap();
            assert!(odds.probabilities().iter().all(|p| (0.0..=1.0).contains(p)), "{rule:?}");
            policy.update(&Example::new(&x, chosen.arm, 1.0, chosen.propensity)).unwrap();
        }
        assert!(odds.means().iter().all(|m| m.is_finite()), "{rule:?}");
        policy.odds(&[1.0; 3], &ArmSet::all(2), &mut odds).unwrap();
        assert!(
            (odds.means()[odds.pick(0.5).arm] - 1.0).abs() < 0.1,
            "{rule:?} {:?}",
            odds.means()
        );
    }
}

#[test]
fn settings_outside_their_range_are_named() {
    for (config, key) in [
        (Config::new(0, 1), "arms"),
        (Config::new(257, 1), "arms"),
        (Config::new(1, 0), "dim"),
        (Config::new(1, 5000), "dim"),
        (Config { lambda: 0.0, ..Config::new(1, 1) }, "lambda"),
        (Config { keep: 1.01, ..Config::new(1, 1) }, "keep"),
        (Config { keep: f64::NAN, ..Config::new(1, 1) }, "keep"),
        (Config { intercept: false, centred: true, ..Config::new(1, 1) }, "centred"),
        (Config { keep: 0.9, sparse: true, ..Config::new(1, 1) }, "sparse"),
    ] {
        assert_eq!(Ridge::new(config).unwrap_err().key, key);
    }
    assert_eq!(linucb(Config::new(1, 1), -1.0).unwrap_err().key, "alpha");
}

#[test]
fn switching_the_rule_keeps_what_was_learned() {
    let mut policy = policy();
    for _ in 0..50 {
        policy.update(&Example::new(&[1.0, 0.0], 2, 1.0, 1.0)).unwrap();
    }
    let policy = policy.switch(Rule::Greedy).unwrap();
    let mut odds = Odds::new();
    policy.odds(&[1.0, 0.0], &ArmSet::all(3), &mut odds).unwrap();
    assert_eq!(odds.probabilities(), [0.0, 0.0, 1.0]);
}
