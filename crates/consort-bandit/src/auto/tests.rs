//! Claims about the default on small streams.

mod hostile;

use super::*;
use crate::codec::{framed, from_bytes, to_bytes};
use crate::model::Persist;
use crate::rng::{Draw, normal, uniform};
use crate::{Odds, Policy};

const ARMS: usize = 3;

fn context(t: u64) -> [f64; 2] {
    [normal(1, 0, t), normal(1, 1, t)]
}

/// Plays `rounds` rounds of `mean(t, x, arm)` from round `from` on; returns the mean reward.
fn play(
    policy: &mut Agent<Auto>,
    from: u64,
    rounds: u64,
    mean: impl Fn(u64, &[f64], usize) -> f64,
) -> f64 {
    let (mut odds, mut sum) = (Odds::new(), 0.0);
    for t in from..from + rounds {
        let x = context(t);
        let draw = Draw { seed: 2, counter: t };
        let chosen = policy.decide(&x, &ArmSet::all(ARMS), draw, &mut odds).unwrap();
        let m = mean(t, &x, chosen.arm);
        sum += m;
        let reward = if uniform(3, chosen.arm as u64, t) < m { 1.0 } else { 0.0 };
        policy.update(&Example::new(&x, chosen.arm, reward, chosen.propensity)).unwrap();
    }
    sum / rounds as f64
}

fn linear(_: u64, x: &[f64], arm: usize) -> f64 {
    let slope = [[0.2, 0.0], [-0.2, 0.1], [0.0, -0.2]][arm];
    (0.5 + slope[0] * x[0] + slope[1] * x[1]).clamp(0.0, 1.0)
}

fn fresh() -> Agent<Auto> {
    automatic(Config::new(ARMS, 2)).unwrap()
}

fn heaviest(policy: &Agent<Auto>) -> String {
    policy.model().weights().swap_remove(0).0
}

#[test]
fn the_right_kind_of_predictor_takes_over() {
    let pairs = |_: u64, x: &[f64], arm: usize| match arm {
        0 => {
            if x[0] * x[1] > 0.0 {
                0.9
            } else {
                0.1
            }
        }
        1 => {
            if x[0] * x[1] > 0.0 {
                0.1
            } else {
                0.9
            }
        }
        _ => 0.4,
    };
    let mut policy = fresh();
    play(&mut policy, 0, 500, pairs);
    assert!(play(&mut policy, 500, 500, pairs) > 0.8, "{:?}", policy.model().weights());

    let mut policy = fresh();
    play(&mut policy, 0, 1500, |_, _, arm| [0.3, 0.6, 0.5][arm]);
    let constant = policy.model().weights().into_iter().find(|(name, _)| name == "constant");
    assert!(constant.unwrap().1 > 0.3, "{:?}", policy.model().weights());
}

#[test]
fn a_change_is_noticed_and_learned_afresh() {
    let mut policy = fresh();
    play(&mut policy, 0, 1500, linear);
    assert_eq!(policy.model().changes(), [], "{}", heaviest(&policy));
    let swapped = |t: u64, x: &[f64], arm: usize| linear(t, x, (arm + 1) % ARMS);
    play(&mut policy, 1500, 600, swapped);
    let changes = policy.model().changes();
    assert!(!changes.is_empty() && changes[0].at < 1800, "{changes:?}");
    assert!(play(&mut policy, 2100, 600, swapped) > 0.58);
}

#[test]
fn stationary_streams_raise_no_alarm() {
    let mut policy = fresh();
    play(&mut policy, 0, 4000, linear);
    assert_eq!(policy.model().changes(), []);
}

#[test]
fn units_of_the_features_do_not_matter() {
    let run = |unit: f64| {
        let mut policy = fresh();
        let (mut odds, mut sum) = (Odds::new(), 0.0);
        for t in 0..800 {
            let x = context(t);
            let seen = [unit * x[0], x[1] / unit];
            let draw = Draw { seed: 2, counter: t };
            let chosen = policy.decide(&seen, &ArmSet::all(ARMS), draw, &mut odds).unwrap();
            let m = linear(t, &x, chosen.arm);
            sum += m;
            let reward = if uniform(3, chosen.arm as u64, t) < m { 1.0 } else { 0.0 };
            policy.update(&Example::new(&seen, chosen.arm, reward, chosen.propensity)).unwrap();
        }
        sum / 800.0
    };
    let (plain, odd) = (run(1.0), run(1e4));
    assert!((plain - odd).abs() < 0.03, "{plain} {odd}");
}

#[test]
fn a_stored_default_goes_on_bit_for_bit() {
    let mut policy = fresh();
    play(&mut policy, 0, 300, linear);
    let mut copy: Agent<Auto> = from_bytes(&to_bytes(&policy)).unwrap();
    play(&mut policy, 300, 300, linear);
    play(&mut copy, 300, 300, linear);
    assert!(to_bytes(&policy) == to_bytes(&copy));
}

/// Arm 0 is best, falls at round 1,000 and recovers at 2,500.
fn outage(t: u64, x: &[f64], arm: usize) -> f64 {
    let fallen = arm == 0 && (1000..2500).contains(&t);
    let level = [0.85, 0.6, 0.4][arm] + 0.05 * x[0];
    if fallen { level - 0.6 } else { level }.clamp(0.0, 1.0)
}

#[test]
fn an_arm_that_recovers_is_used_again() {
    let mut policy = fresh();
    play(&mut policy, 0, 1000, outage);
    assert_eq!(policy.model().fallen().count(), 0);
    play(&mut policy, 1000, 200, outage);
    // All that is known about it then is stored too.
    let mut copy: Agent<Auto> = from_bytes(&to_bytes(&policy)).unwrap();
    let fallen: Vec<_> = policy.model().fallen().collect();
    assert!(matches!(fallen[..], [(0, back)] if back < 0.5), "{fallen:?}");
    // Trying it again costs little: 0.6 is what the next best gives.
    let during = play(&mut policy, 1200, 1300, outage);
    assert!(during > 0.57, "{during}");
    play(&mut policy, 2500, 500, outage);
    assert_eq!(policy.model().fallen().count(), 0);
    let after = play(&mut policy, 3000, 500, outage);
    assert!(after > 0.82, "{after}");
    play(&mut copy, 1200, 2300, outage);
    assert!(to_bytes(&policy) == to_bytes(&copy));
}

#[test]
fn arms_that_resemble_each_other_learn_from_each_other() {
    // Every arm loses with the first feature; levels differ.
    let alike =
        |_: u64, x: &[f64], arm: usize| ([0.5, 0.55, 0.45][arm] - 0.3 * x[0]).clamp(0.0, 1.0);
    let mut policy = fresh();
    play(&mut policy, 0, 150, alike);
    let weight = |name: &str| {
        let weights = policy.model().weights();
        weights.iter().find(|(found, _)| found == name).map_or(0.0, |(_, weight)| *weight)
    };
    assert!(weight("linear, shared") > weight("linear"), "{:?}", policy.model().weights());
}

#[test]
fn a_drifting_world_is_followed() {
    // The direction that matters turns once in 4,000 rounds.
    let turning = |t: u64, x: &[f64], arm: usize| {
        let angle = t as f64 / 4000.0 * std::f64::consts::TAU + [0.0, 2.1, 4.2][arm];
        (0.5 + 0.25 * (angle.cos() * x[0] + angle.sin() * x[1])).clamp(0.0, 1.0)
    };
    let mut policy = fresh();
    play(&mut policy, 0, 3000, turning);
    assert_eq!(heaviest(&policy), "linear, fading");
}

#[test]
fn a_state_of_version_1_goes_on_and_its_new_predictors_have_to_prove_themselves() {
    let mut policy = fresh();
    play(&mut policy, 0, 300, linear);
    let bytes = framed(Auto::KIND, 1, |out| policy.model().write_as(1, out));
    let mut read: Auto = from_bytes(&bytes).unwrap();
    let weight = |model: &Auto, name: &str| {
        model.weights().into_iter().find(|(found, _)| found == name).map(|(_, weight)| weight)
    };
    assert!(weight(&read, "linear, shared").unwrap() < 1e-4);
    assert_eq!(read.seen(), 300);
    for t in 300..900 {
        let x = context(t);
        read.learn(&Example::new(&x, (t % 3) as usize, linear(t, &x, (t % 3) as usize), 1.0));
    }
    assert!(weight(&read, "linear, shared").unwrap() > 1e-4);
}

#[test]
fn effects_point_the_way_the_reward_goes() {
    let mut policy = fresh();
    play(&mut policy, 0, 1000, linear);
    let explained = policy.explain(&[2.0, 0.0], &ArmSet::all(ARMS)).unwrap();
    let first = &explained.arms[0];
    assert_eq!((first.arm, first.parts[0].slot), (0, 0));
    assert!(first.parts[0].effect > 0.1);
    let sum: f64 = first.parts.iter().map(|part| part.effect).sum();
    assert!((sum + first.rest - first.mean).abs() < 1e-12);
}

#[test]
fn the_numbers_of_a_portfolio_are_known_before_it_is_built() {
    for dim in [1, 12, 16, 64] {
        let each = Config::new(2, dim).numbers() / 2;
        assert!((55_000..110_000).contains(&each), "{dim}: {each}");
    }
    // Wide contexts have neither curves nor pairs, but matrices of their own.
    assert!(Config::new(256, 512).numbers() > 100_000_000);
}
