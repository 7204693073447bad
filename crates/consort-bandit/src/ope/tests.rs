//! Claims about estimators on logs small enough to check by hand.

use super::*;
use crate::linear::Config;
use crate::rng::uniform;

const Q: [f64; 2] = [0.2, 0.6];
const P: [f64; 2] = [0.75, 0.25];
const PI: [f64; 2] = [0.5, 0.5];

fn row(arm: usize, reward: f64) -> Row<'static> {
    Row { arm, reward, propensity: P[arm], target: &PI, predicted: &Q, logging: &P }
}

fn two_rows() -> Log {
    let mut log = Log::new(2).unwrap();
    log.push(&row(0, 1.0)).unwrap(); // w = 2/3
    log.push(&row(1, 0.0)).unwrap(); // w = 2
    log
}

#[track_caller]
fn check(estimator: Estimator, expected: f64) {
    let found = two_rows().estimate(estimator).unwrap().value;
    assert!((found - expected).abs() < 1e-15, "{estimator:?}: {found} {expected}");
}

#[test]
fn estimators_follow_their_definitions() {
    let (w0, w1): (f64, f64) = (0.5 / 0.75, 2.0);
    check(Estimator::Dm, 0.4);
    check(Estimator::Ips, w0 / 2.0);
    check(Estimator::Clipped(0.5), 0.25);
    check(Estimator::Snips, w0 / (w0 + w1));
    check(Estimator::SubGaussian(0.5), w0 / (0.5 + 0.5 * w0) / 2.0);
    check(Estimator::Dr, 0.4 + (w0 * 0.8 - w1 * 0.6) / 2.0);
    check(Estimator::SnDr, 0.4 + (w0 * 0.8 - w1 * 0.6) / (w0 + w1));
    check(Estimator::SwitchDr(1.0), 0.4 + w0 * 0.8 / 2.0);
    check(Estimator::DrOs(1.0), 0.4 + (w0 / (w0 * w0 + 1.0) * 0.8 - 0.4 * 0.6) / 2.0);
    // M = 1: the model covers π(a) − p(a) where positive, here 0.25 of arm 1.
    check(Estimator::Cab(1.0), (2.0 * 0.25 * 0.6 + w0) / 2.0);
}

#[test]
fn limits_of_a_family_are_its_neighbours() {
    let value = |estimator| two_rows().estimate(estimator).unwrap().value;
    assert_eq!(value(Estimator::SwitchDr(1e9)), value(Estimator::Dr));
    assert!((value(Estimator::DrOs(1e12)) - value(Estimator::Dr)).abs() < 1e-11);
    assert_eq!(value(Estimator::DrOs(0.0)), value(Estimator::Dm));
    assert_eq!(value(Estimator::Clipped(1e9)), value(Estimator::Ips));
}

#[test]
fn standard_errors_shrink_with_the_root_of_n() {
    for estimator in [Estimator::Ips, Estimator::Snips, Estimator::Dr, Estimator::SnDr] {
        let errors = [500, 2000].map(|n| {
            let mut log = Log::new(2).unwrap();
            for i in 0..n {
                let arm = usize::from(uniform(1, 0, i) >= P[0]);
                log.push(&row(arm, uniform(1, 1, i).round())).unwrap();
            }
            log.estimate(estimator).unwrap().standard_error
        });
        assert!((errors[0] / errors[1] - 2.0).abs() < 0.2, "{estimator:?} {errors:?}");
    }
}

#[test]
fn a_log_without_support_is_refused_with_its_reason() {
    let gate = Gate::default();
    let empty = Log::new(2).unwrap();
    assert_eq!(empty.evaluate(Estimator::Ips, &gate), Err(NoSupport::Empty));

    // The target hardly ever agrees with the log: two rows carry all the weight.
    let mut log = Log::new(2).unwrap();
    for i in 0..10_000 {
        let (target, propensity) = if i < 2 { ([0.0, 1.0], 1e-4) } else { ([1.0, 0.0], 0.9) };
        log.push(&Row::new(1, 1.0, propensity, &target)).unwrap();
    }
    assert!((log.diagnostics().ess - 2.0).abs() < 1e-9);
    assert!(matches!(log.evaluate(Estimator::Snips, &gate), Err(NoSupport::FewEffective { .. })));

    // Wrongly recorded propensities.
    let mut log = Log::new(2).unwrap();
    for i in 0..2000 {
        log.push(&Row::new(i % 2, 1.0, if i % 4 < 2 { 0.4 } else { 0.35 }, &PI)).unwrap();
    }
    assert!(matches!(log.evaluate(Estimator::Ips, &gate), Err(NoSupport::Weights { .. })));

    // The target plays an arm that could not be logged.
    let mut log = Log::new(2).unwrap();
    for _ in 0..2000 {
        let row = Row { logging: &[1.0, 0.0], ..Row::new(0, 1.0, 1.0, &[0.98, 0.02]) };
        log.push(&row).unwrap();
    }
    let gate = Gate { max_sigmas: f64::INFINITY, ..gate };
    let refused = log.evaluate(Estimator::Ips, &gate);
    assert!(matches!(refused, Err(NoSupport::Unsupported { mass }) if (mass - 0.02).abs() < 1e-9));

    let mut log = Log::new(2).unwrap();
    log.push(&Row::new(0, 1.0, 0.5, &PI)).unwrap();
    assert_eq!(log.estimate(Estimator::Dr), Err(NoSupport::NoModel));
    assert_eq!(log.tune(Family::Clipped, &[]), Err(NoSupport::NoCandidate));
}

#[test]
fn rows_that_make_no_sense_are_refused() {
    let mut log = two_rows();
    let good = row(0, 1.0);
    for bad in [
        Row { arm: 2, ..good },
        Row { reward: f64::NAN, ..good },
        Row { propensity: 0.0, ..good },
        Row { target: &[0.5, 0.6], ..good },
        Row { target: &[1.0], ..good },
        Row { target: &[-0.5, 1.5], ..good },
        Row { predicted: &[], ..good },
        Row { predicted: &[0.0, f64::NAN], ..good },
        Row { logging: &[], ..good },
        Row { logging: &[0.5, 0.1], ..good },
    ] {
        assert!(log.push(&bad).is_err(), "{bad:?}");
    }
    assert_eq!(log.len(), 2);
    assert!(Log::new(0).is_err() && Log::new(257).is_err());
}

#[test]
fn groups_that_carry_the_effect_cut_the_variance() {
    // 40 arms in two groups; the reward depends on the group alone.
    let of: Vec<usize> = (0..40).map(|arm| arm % 2).collect();
    let logging = [1.0 / 40.0; 40];
    let target: Vec<f64> = (0..40).map(|arm| if arm == 1 { 1.0 } else { 0.0 }).collect();
    let (mut log, mut observed) = (Log::new(40).unwrap(), Vec::new());
    for i in 0..4000 {
        let arm = (uniform(2, 0, i) * 40.0) as usize;
        let reward = if uniform(2, 1, i) < 0.3 + 0.4 * of[arm] as f64 { 1.0 } else { 0.0 };
        let row = Row { logging: &logging, ..Row::new(arm, reward, 1.0 / 40.0, &target) };
        log.push(&row).unwrap();
        observed.push(of[arm]);
    }
    let plain = log.estimate(Estimator::Ips).unwrap();
    let grouped = mips(&log, &Grouping::new(&of).unwrap(), &observed).unwrap();
    assert!((grouped.value - 0.7).abs() < 4.0 * grouped.standard_error);
    assert!(grouped.standard_error < 0.3 * plain.standard_error);
    assert!(grouped.diagnostics.ess > 1000.0 && plain.diagnostics.ess < 200.0);

    let given = of.iter().flat_map(|&g| if g == 0 { [1.0, 0.0] } else { [0.0, 1.0] }).collect();
    let random = Grouping::random(2, given).unwrap();
    assert_eq!(mips(&log, &random, &observed).unwrap(), grouped);
    assert!(Grouping::random(2, vec![0.5, 0.6]).is_err());
    assert!(mips(&log, &random, &observed[1..]).is_err());
}

#[test]
fn tuning_cuts_heavy_weights_and_keeps_light_ones() {
    // A good model, and one arm that is logged once in a thousand rows.
    let run = |rare: f64| {
        let p = [1.0 - rare, rare];
        let mut log = Log::new(2).unwrap();
        for i in 0..3000 {
            let arm = usize::from(uniform(3, 0, i) >= p[0]);
            let reward = if uniform(3, 1, i) < Q[arm] { 1.0 } else { 0.0 };
            let row = Row { arm, reward, propensity: p[arm], logging: &p, ..row(0, 0.0) };
            log.push(&row).unwrap();
        }
        log.tune(Family::SwitchDr, &Family::SwitchDr.candidates()).unwrap()
    };
    let heavy = run(0.001);
    assert!(matches!(heavy.estimator, Estimator::SwitchDr(cut) if cut < 500.0), "{heavy:?}");
    assert!((heavy.estimate.value - 0.4).abs() < 0.03);
    let light = run(0.4);
    assert!((light.estimate.value - 0.4).abs() < 0.03);
}

/// A log whose truth is known: ten classes, two classifiers that are mostly right, one that logs
/// with half of its choices at random and one to be judged; and a fair model of the rewards.
fn classified(seed: u64) -> (Log, f64) {
    let u = |stream, i| uniform(500 + seed, stream, i);
    let around = |best: usize, share: f64| -> Vec<f64> {
        let odds = |arm| share / 10.0 + if arm == best { 1.0 - share } else { 0.0 };
        (0..10).map(odds).collect()
    };
    let (mut log, mut truth) = (Log::new(10).unwrap(), 0.0);
    for i in 0..1000 {
        let class = (u(0, i) * 10.0) as usize;
        let guess = |right: f64, stream| {
            let any = (u(stream + 1, i) * 10.0) as usize;
            if u(stream, i) < right { class } else { any }
        };
        let (logging, target) = (around(guess(0.9, 1), 0.5), around(guess(0.95, 3), 0.1));
        let mut left = u(5, i);
        let drawn = logging.iter().position(|p| {
            left -= p;
            left < 0.0
        });
        let arm = drawn.unwrap_or(9);
        let q = |a: u64| if a == class as u64 { 0.8 } else { 0.1 } + 0.1 * (u(6 + a, i) - 0.5);
        let predicted: Vec<f64> = (0..10).map(q).collect();
        let (reward, propensity) = (f64::from(u8::from(arm == class)), logging[arm]);
        let (target, logging, predicted) = (&target[..], &logging[..], &predicted[..]);
        log.push(&Row { arm, reward, propensity, target, predicted, logging }).unwrap();
        truth += target[class] / 1000.0;
    }
    (log, truth)
}

#[test]
fn the_default_is_closer_to_a_known_truth_than_weights_or_model_alone() {
    let mut errors = [0.0; 4];
    for seed in 0..30 {
        let (log, truth) = classified(seed);
        let plain = [Estimator::Dm, Estimator::Ips, Estimator::Snips];
        let mut values = plain.map(|estimator| log.estimate(estimator).unwrap().value).to_vec();
        let default = log.tune(Family::SwitchDr, &Family::SwitchDr.candidates()).unwrap();
        values.push(default.estimate.value);
        for (error, value) in errors.iter_mut().zip(values) {
            *error += (value / truth - 1.0).powi(2) / 30.0;
        }
    }
    let [plain @ .., default] = errors.map(f64::sqrt);
    assert!(default < 0.02, "{default} {plain:?}");
    assert!(plain.iter().all(|error| default < *error), "{default} {plain:?}");
}

#[test]
fn cross_fitting_never_predicts_a_row_it_saw() {
    // Rewards are noise: a model that saw its own rows would correlate with them.
    let contexts: Vec<[f64; 30]> =
        (0..60).map(|i| std::array::from_fn(|j| uniform(4, j as u64, i))).collect();
    let rows: Vec<Observation<'_>> = contexts
        .iter()
        .enumerate()
        .map(|(i, x)| Observation {
            x,
            arm: 0,
            reward: uniform(5, 0, i as u64).round(),
            propensity: 1.0,
        })
        .collect();
    let config = Config { lambda: 0.01, ..Config::new(1, 30) };
    let predicted = cross_fit(&rows, 3, config).unwrap();
    let mean = rows.iter().map(|row| row.reward).sum::<f64>() / 60.0;
    let pairs = rows.iter().zip(&predicted);
    let together: f64 = pairs.map(|(row, q)| (row.reward - mean) * (q - mean)).sum::<f64>() / 60.0;
    assert!(together < 0.06, "{together}");
    assert!(cross_fit(&rows, 1, config).is_err());
    assert!(cross_fit(&rows, 2, Config::new(1, 7)).is_err());
}
