//! Odd worlds and damaged states that the default must survive.

use super::*;
use crate::codec::Writer;
use crate::error::Corrupt;
use crate::rng::mix;

/// Plays `rounds` rounds of contexts `x(t)`, rewards `reward(t, arm)` and a weight; every decision
/// is checked.
#[track_caller]
fn survives(
    (arms, dim): (usize, usize),
    rounds: u64,
    x: impl Fn(u64, usize) -> f64,
    reward: impl Fn(u64, usize) -> f64,
    weight: f64,
) -> Agent<Auto> {
    let mut policy = automatic(Config::new(arms, dim)).unwrap();
    let mut odds = Odds::new();
    for t in 0..rounds {
        let x: Vec<f64> = (0..dim).map(|i| x(t, i)).collect();
        let draw = Draw { seed: 2, counter: t };
        let chosen = policy.decide(&x, &ArmSet::all(arms), draw, &mut odds).unwrap();
        let known = odds.means().iter().chain(odds.widths());
        assert!(known.clone().all(|v| v.is_finite()), "{t}: {:?}", known.collect::<Vec<_>>());
        assert!((odds.probabilities().iter().sum::<f64>() - 1.0).abs() < 1e-9, "{t}");
        let (arm, reward) = (chosen.arm, reward(t, chosen.arm));
        let example = Example { weight, ..Example::new(&x, arm, reward, chosen.propensity) };
        policy.update(&example).unwrap();
    }
    let copy: Agent<Auto> = from_bytes(&to_bytes(&policy)).unwrap();
    assert!(to_bytes(&copy) == to_bytes(&policy));
    policy
}

fn coin(t: u64, arm: usize) -> f64 {
    if uniform(3, arm as u64, t) < 0.6 { 1.0 } else { 0.0 }
}

fn random(t: u64, i: usize) -> f64 {
    normal(1, i as u64, t)
}

#[test]
fn features_of_any_size_are_survived() {
    for size in [0.0, 5e-324, 1e-200, 1e-150, 1e6] {
        survives((2, 2), 100, |t, i| (size * random(t, i)).clamp(-1e6, 1e6), coin, 1.0);
        // Small at first, large later.
        survives((2, 2), 100, |t, _| if t < 80 { size } else { 1e6 }, coin, 1.0);
    }
}

#[test]
fn features_that_say_nothing_are_survived() {
    survives((2, 3), 150, |_, _| 0.1, coin, 1.0);
    survives((2, 3), 150, |t, _| random(t, 0), coin, 1.0);
    survives((1, 1), 150, random, coin, 1.0);
}

#[test]
fn rewards_that_say_nothing_are_survived() {
    for reward in [0.0, 1.0] {
        survives((2, 1), 1100, random, |_, _| reward, 1.0);
    }
}

#[test]
fn weights_near_nothing_are_survived() {
    for weight in [5e-324, 1e-310, 1e-100, 1e-9] {
        survives((2, 2), 100, random, coin, weight);
    }
}

#[test]
fn shapes_at_the_borders_are_survived() {
    for (shape, rounds) in
        [((70, 1), 4), ((2, 12), 30), ((2, 13), 20), ((2, 64), 20), ((2, 65), 66)]
    {
        survives(shape, rounds, random, coin, 1.0);
    }
}

/// A state whose checksum is right, cut, or with one bit of it flipped.
#[test]
fn damaged_states_are_refused_or_go_on_without_a_panic() {
    let mut policy = automatic(Config::new(2, 1)).unwrap();
    for t in 0..80 {
        let x = [random(t, 0)];
        policy.update(&Example::new(&x, (t % 2) as usize, coin(t, 0), 0.5)).unwrap();
    }
    let mut model = policy.into_model();
    model.remember(1);
    let bytes = to_bytes(&model);
    let body = &bytes[16..bytes.len() - 8];
    let read = |body: &[u8]| {
        let write = |out: &mut Writer| body.iter().for_each(|byte| out.u8(*byte));
        from_bytes::<Auto>(&framed(Auto::KIND, Auto::VERSION, write))
    };
    for cut in (0..body.len()).step_by(1 + body.len() / 100).chain([body.len() - 1]) {
        assert!(read(&body[..cut]).is_err(), "{cut}");
    }
    let (bits, mut refused) = (8 * body.len() as u64, 0);
    for case in 0..90 {
        // One in three at the start or the end, where there are counts and not only floats.
        let at = match (case % 3, mix(case) % 4000) {
            (0, near) => near % 128,
            (1, near) => bits - 1 - near,
            _ => mix(case) % bits,
        };
        let mut body = body.to_vec();
        body[(at / 8) as usize] ^= 1 << (at % 8);
        let Ok(model) = read(&body) else {
            refused += 1;
            continue;
        };
        let mut policy = Agent::new(model, Rule::LinUcb { alpha: 0.75 }).unwrap();
        let mut odds = Odds::new();
        for t in 0..5 {
            let draw = Draw { seed: case, counter: t };
            let x = [random(t, 0)];
            policy.decide(&x, &ArmSet::all(2), draw, &mut odds).unwrap();
            policy.update(&Example::new(&x, (t % 2) as usize, coin(t, 0), 0.5)).unwrap();
        }
    }
    assert!(refused > 20, "{refused}");
}

#[test]
fn a_state_that_claims_a_large_shape_is_refused_before_there_is_space_for_it() {
    let claim = |arms: usize, dim: usize| {
        framed(Auto::KIND, Auto::VERSION, |out| {
            out.usize(arms);
            out.usize(dim);
            out.f64s(&[0.0; 100]);
        })
    };
    for (arms, dim) in [(256, 4096), (256, 64), (256, 12), (1, 4096)] {
        assert_eq!(from_bytes::<Auto>(&claim(arms, dim)).unwrap_err(), Corrupt::Length);
    }
    for (arms, dim) in [(0, 1), (1, 0), (257, 1), (1, 4097)] {
        assert_eq!(from_bytes::<Auto>(&claim(arms, dim)).unwrap_err(), Corrupt::Value);
    }
}

#[test]
fn a_predictor_that_joins_late_does_not_lead() {
    let mut policy = fresh();
    play(&mut policy, 0, 300, linear);
    let bytes = framed(Auto::KIND, 1, |out| policy.model().write_as(1, out));
    let read: Auto = from_bytes(&bytes).unwrap();
    let mut names = policy.model().families.iter().flat_map(Family::names);
    let leader = names.nth(read.leader()).unwrap();
    assert!(!leader.contains("shared") && !leader.contains("fading"), "{leader}");
}
