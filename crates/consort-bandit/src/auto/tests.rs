//! Claims about the default on small streams.

use super::*;
use crate::codec::{from_bytes, to_bytes};
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
