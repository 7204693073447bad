//! Claims about ridge regression: exactness, health, forgetting, merging, storing.

use super::*;
use crate::codec::{from_bytes, to_bytes};
use crate::rng::{normal, uniform};

const DIM: usize = 11;

fn context(t: u64) -> [f64; DIM] {
    std::array::from_fn(|i| normal(1, 0, t * DIM as u64 + i as u64))
}

fn learn(model: &mut Ridge, t: u64) {
    let arm = (uniform(1, 1, t) * model.arms() as f64) as usize;
    let weight = 1.0 - 0.5 * uniform(1, 2, t);
    let reward = uniform(1, 3, t);
    model.learn(&Example { x: &context(t), arm, reward, propensity: 0.5, weight });
}

fn ridge(keep: f64) -> Ridge {
    Ridge::new(Config { keep, ..Config::new(3, DIM) }).unwrap()
}

/// Largest entry of (A + Λ)·inverse − I.
fn defect(model: &Ridge, arm: usize) -> f64 {
    let n = model.config().used();
    let mut worst: f64 = 0.0;
    for i in 0..n {
        for j in 0..n {
            let sum: f64 = (0..n).map(|k| model.gram(arm, i, k) * model.inverse(arm, k, j)).sum();
            worst = worst.max((sum - f64::from(u8::from(i == j))).abs());
        }
    }
    worst
}

#[track_caller]
fn assert_close(a: &Ridge, b: &Ridge, tolerance: f64) {
    for arm in 0..a.arms() {
        for (x, y) in a.theta(arm).iter().zip(b.theta(arm)) {
            assert!((x - y).abs() <= tolerance * x.abs().max(1.0), "{x} {y}");
        }
    }
}

#[test]
fn coefficients_solve_the_normal_equations() {
    let mut model = ridge(1.0);
    (0..2000).for_each(|t| learn(&mut model, t));
    for arm in 0..3 {
        assert!(defect(&model, arm) < 1e-12);
        for i in 0..=DIM {
            let sum: f64 = (0..=DIM).map(|j| model.gram(arm, i, j) * model.theta(arm)[j]).sum();
            assert!((sum - model.moment(arm, i)).abs() < 1e-10);
        }
    }
}

#[test]
fn an_empty_model_predicts_nothing_with_the_width_of_its_prior() {
    let model = Ridge::new(Config { lambda: 4.0, intercept: false, ..Config::new(1, 2) }).unwrap();
    let (mut mean, mut width) = ([9.0], [9.0]);
    let scores = Scores { mean: &mut mean, width: &mut width };
    model.predict(&[3.0, 4.0], &ArmSet::all(1), scores, &mut [0.0; 64]);
    assert_eq!((mean, width), ([0.0], [2.5]));
}

#[test]
fn order_does_not_matter_without_forgetting() {
    let (mut forward, mut backward) = (ridge(1.0), ridge(1.0));
    (0..1000).for_each(|t| learn(&mut forward, t));
    (0..1000).rev().for_each(|t| learn(&mut backward, t));
    assert_close(&forward, &backward, 1e-9);
    for i in 0..=DIM {
        for j in 0..=DIM {
            let (a, b) = (forward.gram(1, i, j), backward.gram(1, i, j));
            assert!((a - b).abs() <= 1e-12 * a.abs().max(1.0));
        }
    }
}

#[test]
fn two_halves_merged_equal_the_whole() {
    let (mut whole, mut left, mut right) = (ridge(1.0), ridge(1.0), ridge(1.0));
    for t in 0..3000 {
        learn(&mut whole, t);
        learn(if t % 3 == 0 { &mut left } else { &mut right }, t);
    }
    left.merge(&right).unwrap();
    assert_close(&whole, &left, 1e-9);
    assert_eq!(whole.seen(), left.seen());
    assert_eq!(whole.pulls(2), left.pulls(2));
    let gap = whole.residual_variance(0).unwrap() - left.residual_variance(0).unwrap();
    assert!(gap.abs() < 1e-12);
}

#[test]
fn models_that_differ_or_forget_are_not_added() {
    let mut model = ridge(1.0);
    assert_eq!(model.merge(&ridge(0.9)), Err(CannotMerge::Different));
    assert_eq!(ridge(0.9).merge(&ridge(0.9)), Err(CannotMerge::Forgets));
}

#[test]
fn forgetting_follows_a_change_and_stays_positive() {
    let (mut forgets, mut remembers) = (ridge(0.98), ridge(1.0));
    for t in 0..6000 {
        let x = context(t);
        let reward = if (x[0] > 0.0) == (t < 3000) { 1.0 } else { 0.0 };
        for model in [&mut forgets, &mut remembers] {
            model.learn(&Example::new(&x, 0, reward, 1.0));
        }
    }
    assert!(forgets.theta(0)[0] < -0.2, "{:?}", forgets.theta(0));
    assert!(remembers.theta(0)[0].abs() < 0.1);
    assert!(defect(&forgets, 0) < 1e-9);
    assert!(forgets.health(0).repaired == 0 && forgets.residual_variance(0).unwrap() < 0.2);
}

#[test]
fn forgetting_without_news_in_a_direction_does_not_blow_up() {
    // Only the first feature ever moves: without restored regularisation the others wind up.
    let mut model = ridge(0.9);
    for t in 0..20_000 {
        let mut x = [0.0; DIM];
        x[0] = normal(2, 0, t);
        model.learn(&Example::new(&x, 0, 0.5, 1.0));
    }
    assert!(model.inverse(0, 5, 5) < 20.0 && defect(&model, 0) < 1e-9);
}

#[test]
fn redundant_features_of_very_different_size_do_no_harm() {
    let mut model = Ridge::new(Config::new(1, 4)).unwrap();
    for t in 0..5000 {
        let z = normal(8, 0, t);
        let x = [z, z, 1e5 * z, 1e-3 * normal(8, 1, t)];
        model.learn(&Example::new(&x, 0, if z > 0.0 { 1.0 } else { 0.0 }, 1.0));
    }
    let health = model.health(0);
    assert!(health.condition > 1e10 && health.refactored > 50, "{health:?}");
    assert!(model.theta(0).iter().all(|v| v.is_finite()));
    let (mut mean, mut width) = ([0.0], [0.0]);
    let scores = Scores { mean: &mut mean, width: &mut width };
    model.predict(&[1.0, 1.0, 1e5, 0.0], &ArmSet::all(1), scores, &mut [0.0; 64]);
    assert!((mean[0] - 0.9).abs() < 0.1 && width[0] < 0.1, "{mean:?} {width:?}");
}

#[test]
fn a_stored_model_goes_on_bit_for_bit() {
    for keep in [1.0, 0.97] {
        let mut model = ridge(keep);
        (0..500).for_each(|t| learn(&mut model, t));
        let mut copy: Ridge = from_bytes(&to_bytes(&model)).unwrap();
        for t in 500..5000 {
            learn(&mut model, t);
            learn(&mut copy, t);
        }
        assert_eq!(to_bytes(&model), to_bytes(&copy));
    }
}

#[test]
fn altered_bytes_are_refused() {
    let mut model = ridge(1.0);
    (0..20).for_each(|t| learn(&mut model, t));
    let bytes = to_bytes(&model);
    for position in (0..bytes.len()).step_by(7) {
        let mut altered = bytes.clone();
        altered[position] ^= 1;
        assert!(from_bytes::<Ridge>(&altered).is_err(), "{position}");
        assert!(from_bytes::<Ridge>(&bytes[..position]).is_err(), "{position}");
    }
    assert!(matches!(
        from_bytes::<crate::Agent<Ridge>>(&bytes),
        Err(Corrupt::Kind { expected: 0x0101, found: 1 })
    ));
}

#[test]
fn centred_predictions_shrink_toward_the_mean_reward() {
    let config = Config { centred: true, ..Config::new(2, 1) };
    let mut model = Ridge::new(config).unwrap();
    for _ in 0..99 {
        model.learn(&Example::new(&[0.0], 0, 0.8, 1.0));
    }
    let predict = |model: &Ridge| {
        let (mut mean, mut width) = ([0.0; 2], [0.0; 2]);
        let scores = Scores { mean: &mut mean, width: &mut width };
        model.predict(&[0.0], &ArmSet::all(2), scores, &mut [0.0; 64]);
        mean
    };
    let [known, unknown] = predict(&model);
    let centre = (0.5 + 99.0 * 0.8) / 100.0;
    assert!((unknown - centre).abs() < 1e-12 && (known - 0.8).abs() < 1e-3);
    // The same as an imagined first reward of that size.
    assert!((known - (99.0 * 0.8 + centre) / 100.0).abs() < 1e-12);
    model.forget(0);
    assert_eq!(predict(&model), [0.5, 0.5]);
}

#[test]
fn irrelevant_features_are_shrunk_away() {
    let error = |sparse| {
        let mut model = Ridge::new(Config { sparse, ..Config::new(1, 40) }).unwrap();
        for t in 0..400 {
            let x: [f64; 40] = std::array::from_fn(|i| normal(6, 0, t * 40 + i as u64));
            let reward = if 0.8 * x[3] + normal(6, 1, t) > 0.0 { 1.0 } else { 0.0 };
            model.learn(&Example::new(&x, 0, reward, 1.0));
        }
        let theta = model.theta(0);
        assert!(theta[3] > 0.2);
        (0..40).filter(|i| *i != 3).map(|i| theta[i] * theta[i]).sum::<f64>()
    };
    assert!(error(true) < 0.4 * error(false), "{} {}", error(true), error(false));
}

#[test]
fn sparse_models_are_stored_too_and_never_added() {
    let config = Config { sparse: true, centred: true, ..Config::new(3, DIM) };
    let mut model = Ridge::new(config).unwrap();
    (0..300).for_each(|t| learn(&mut model, t));
    let mut copy: Ridge = from_bytes(&to_bytes(&model)).unwrap();
    (300..900).for_each(|t| learn(&mut model, t));
    (300..900).for_each(|t| learn(&mut copy, t));
    assert_eq!(to_bytes(&model), to_bytes(&copy));
    assert_eq!(model.merge(&copy), Err(CannotMerge::Forgets));
}

#[test]
fn forgetting_needs_no_more_refactorisations_than_remembering() {
    // Three features are padded to eight: the padding must not fade away.
    let config = Config { keep: 0.99, ..Config::new(1, 2) };
    let mut model = Ridge::new(config).unwrap();
    for t in 0..5_000 {
        let x = [uniform(1, 0, t), uniform(1, 1, t)];
        model.learn(&Example::new(&x, 0, 0.5, 1.0));
    }
    let health = model.health(0);
    assert!(health.refactored <= 5 && health.repaired == 0, "{health:?}");
}
