//! Claims about the exploration rules on hand-made beliefs.

use super::*;

#[track_caller]
fn odds(rule: Rule, mean: &[f64], width: &[f64], seen: u64) -> Vec<f64> {
    let available = ArmSet::all(mean.len());
    let mut out = vec![9.0; mean.len()];
    let belief = Belief { available: &available, mean, width };
    rule.probabilities(Scalar, belief, seen, Ties::Uniform, &mut out);
    assert!((out.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{rule:?} {out:?}");
    assert!(out.iter().all(|&p| (0.0..=1.0).contains(&p)), "{rule:?} {out:?}");
    out
}

const RULES: [Rule; 9] = [
    Rule::Greedy,
    Rule::EpsilonGreedy { epsilon: 0.1, decay: false },
    Rule::EpsilonGreedy { epsilon: 1.0, decay: true },
    Rule::LinUcb { alpha: 0.5 },
    Rule::Thompson { scale: 0.2 },
    Rule::SquareCb { gamma: 10.0, exponent: 0.5 },
    Rule::RegCb { c0: 0.01 },
    Rule::RegCbElimination { c0: 0.01 },
    Rule::Ucb1,
];

#[test]
fn every_rule_writes_a_distribution_that_follows_a_permutation() {
    let mean = [0.3, 0.7, 0.69, 0.1, 0.7];
    let width = [0.9, 0.1, 0.3, 0.0, 0.1];
    let order = [4, 2, 0, 1, 3];
    for rule in RULES {
        let straight = odds(rule, &mean, &width, 50);
        let permuted = odds(rule, &order.map(|i| mean[i]), &order.map(|i| width[i]), 50);
        for (found, i) in permuted.iter().zip(order) {
            assert!((found - straight[i]).abs() < 1e-12, "{rule:?}");
        }
    }
}

#[test]
fn a_single_arm_is_certain() {
    for rule in RULES {
        assert_eq!(odds(rule, &[0.2], &[0.7], 3), [1.0], "{rule:?}");
    }
}

#[test]
fn equal_arms_share_equally() {
    for rule in RULES {
        for p in odds(rule, &[0.4; 4], &[0.2; 4], 10) {
            assert!((p - 0.25).abs() < 1e-12, "{rule:?}");
        }
    }
}

#[test]
fn inverse_gap_weights_are_the_published_ones() {
    // K = 3, gamma_t = 10 * sqrt(4) = 20, gaps 0.1 and 0.5.
    let found = odds(Rule::SquareCb { gamma: 10.0, exponent: 0.5 }, &[0.6, 0.5, 0.1], &[0.0; 3], 3);
    let (a, b) = (1.0 / (3.0 + 2.0), 1.0 / (3.0 + 10.0));
    assert!((found[1] - a).abs() < 1e-15 && (found[2] - b).abs() < 1e-15);
    assert!((found[0] - (1.0 - a - b)).abs() < 1e-15);
}

#[test]
fn optimism_prefers_the_uncertain_and_elimination_keeps_the_possible() {
    let (mean, width) = ([0.5, 0.45, 0.1], [0.0, 0.2, 0.1]);
    assert_eq!(odds(Rule::LinUcb { alpha: 0.5 }, &mean, &width, 9), [0.0, 1.0, 0.0]);
    assert_eq!(odds(Rule::LinUcb { alpha: 0.1 }, &mean, &width, 9), [1.0, 0.0, 0.0]);
    assert_eq!(odds(Rule::RegCbElimination { c0: 0.03 }, &mean, &width, 9), [0.5, 0.5, 0.0]);
}

#[test]
fn unknown_arms_come_first_under_optimism_and_thompson() {
    for rule in [Rule::Ucb1, Rule::LinUcb { alpha: 0.1 }, Rule::Thompson { scale: 0.1 }] {
        let found = odds(rule, &[0.9, 0.0, 0.0], &[0.1, f64::INFINITY, f64::INFINITY], 5);
        assert_eq!(found, [0.0, 0.5, 0.5], "{rule:?}");
    }
    assert_eq!(odds(Rule::Greedy, &[0.9, 0.0], &[0.1, f64::INFINITY], 5), [1.0, 0.0]);
}

#[test]
fn thompson_without_doubt_is_greedy() {
    assert_eq!(odds(Rule::Thompson { scale: 0.2 }, &[0.1, 0.2], &[0.0; 2], 5), [0.0, 1.0]);
}

#[test]
fn epsilon_decays_with_the_cube_root() {
    let found = odds(Rule::EpsilonGreedy { epsilon: 1.0, decay: true }, &[1.0, 0.0], &[0.0; 2], 7);
    assert!((found[1] - 0.25).abs() < 1e-12);
}

#[test]
fn the_lowest_index_wins_ties_when_asked() {
    let available = ArmSet::all(3);
    let mut out = [0.0; 3];
    let belief = Belief { available: &available, mean: &[0.2, 0.5, 0.5], width: &[0.0; 3] };
    Rule::LinUcb { alpha: 1.0 }.probabilities(Scalar, belief, 0, Ties::Lowest, &mut out);
    assert_eq!(out, [0.0, 1.0, 0.0]);
}

#[test]
fn settings_outside_their_range_are_named() {
    for (rule, key) in [
        (Rule::EpsilonGreedy { epsilon: 1.1, decay: false }, "epsilon"),
        (Rule::LinUcb { alpha: f64::NAN }, "alpha"),
        (Rule::Thompson { scale: 0.0 }, "scale"),
        (Rule::SquareCb { gamma: -1.0, exponent: 0.5 }, "gamma"),
        (Rule::SquareCb { gamma: 1.0, exponent: 2.0 }, "exponent"),
        (Rule::RegCb { c0: 0.0 }, "c0"),
    ] {
        assert_eq!(rule.validate().map_err(|e| e.key), Err(key));
    }
    for rule in RULES {
        assert_eq!(rule.validate(), Ok(rule));
    }
}

#[test]
fn every_setting_of_a_rule_is_read_by_it() {
    let (mean, width) = ([0.6, 0.5, 0.1], [0.05, 0.4, 0.3]);
    for (one, other) in [
        (
            Rule::EpsilonGreedy { epsilon: 0.1, decay: false },
            Rule::EpsilonGreedy { epsilon: 0.2, decay: false },
        ),
        (
            Rule::EpsilonGreedy { epsilon: 0.5, decay: false },
            Rule::EpsilonGreedy { epsilon: 0.5, decay: true },
        ),
        (Rule::LinUcb { alpha: 0.1 }, Rule::LinUcb { alpha: 1.0 }),
        (Rule::Thompson { scale: 0.1 }, Rule::Thompson { scale: 0.5 }),
        (
            Rule::SquareCb { gamma: 10.0, exponent: 0.5 },
            Rule::SquareCb { gamma: 20.0, exponent: 0.5 },
        ),
        (
            Rule::SquareCb { gamma: 10.0, exponent: 0.5 },
            Rule::SquareCb { gamma: 10.0, exponent: 0.25 },
        ),
        (Rule::RegCb { c0: 0.0001 }, Rule::RegCb { c0: 0.1 }),
        (Rule::RegCbElimination { c0: 0.0001 }, Rule::RegCbElimination { c0: 0.1 }),
    ] {
        assert_ne!(odds(one, &mean, &width, 99), odds(other, &mean, &width, 99), "{one:?}");
    }
}

#[test]
fn rules_are_plain_data() {
    let text = r#"{"rule":"square_cb","gamma":10.0,"exponent":0.5}"#;
    let rule: Rule = serde_json::from_str(text).unwrap();
    assert_eq!(rule, Rule::SquareCb { gamma: 10.0, exponent: 0.5 });
    assert_eq!(serde_json::to_string(&rule).unwrap(), text);
    assert!(serde_json::from_str::<Rule>(r#"{"rule":"lin_ucb","alpha":1,"beta":2}"#).is_err());
}
