//! A classification set turned into a log whose truth is known.

use std::error::Error;
use std::io::Write;

use consort_bandit::linear::Config;
use consort_bandit::offline::{Config as Learn, Learned, Method, learn};
use consort_bandit::ope::{Estimator, Family, Log, Observation, Row, cross_fit};
use consort_bandit::rng::{shuffle, uniform};
use consort_bandit::{ArmSet, Refused};

const SEEDS: u64 = 50;
/// Share of uniform choices of the judged policy, and of the one that logs.
const TARGET: f64 = 0.1;
const LOGGING: f64 = 0.5;

struct Set {
    rows: Vec<(Vec<f64>, usize)>,
    arms: usize,
}

fn read(path: &str) -> Result<Set, Box<dyn Error>> {
    let text = std::fs::read_to_string(path)?;
    let mut rows = Vec::new();
    for line in text.lines().skip(1) {
        let mut x: Vec<f64> = line.split(',').map(str::parse).collect::<Result<_, _>>()?;
        let class = x.pop().ok_or("an empty line")?;
        rows.push((x, class as usize));
    }
    let arms = rows.iter().map(|row| row.1 + 1).max().ok_or("no rows")?;
    Ok(Set { rows, arms })
}

fn around(best: usize, arms: usize, share: f64) -> Vec<f64> {
    (0..arms).map(|arm| share / arms as f64 + if arm == best { 1.0 - share } else { 0.0 }).collect()
}

/// A classifier taught by the labels of some rows.
fn taught(set: &Set, rows: &[usize], lambda: f64) -> Result<Learned, Box<dyn Error>> {
    let labelled = rows.iter().flat_map(|&row| {
        let (x, class) = &set.rows[row];
        (0..set.arms).map(move |arm| {
            let reward = f64::from(u8::from(arm == *class));
            Observation { x, arm, reward, propensity: 1.0 }
        })
    });
    let labelled: Vec<Observation<'_>> = labelled.collect();
    let config = Learn::new(set.arms, set.rows[0].0.len(), Method::Direct);
    Ok(learn(&labelled, &Learn { lambda, ..config })?)
}

/// The log of one seed, and what the judged policy is really worth on its rows.
fn one(set: &Set, seed: u64) -> Result<(Log, f64), Box<dyn Error>> {
    let order = shuffle(set.rows.len(), seed);
    let (teaching, logged) = order.split_at(set.rows.len() * 3 / 10);
    let (target, logger) = (taught(set, teaching, 0.01)?, taught(set, teaching, 1.0)?);
    let all = ArmSet::all(set.arms);
    let choose = |policy: &Learned, row: usize, share| -> Result<Vec<f64>, Refused> {
        Ok(around(policy.choose(&set.rows[row].0, &all)?, set.arms, share))
    };
    let (mut rows, mut truth) = (Vec::new(), 0.0);
    for &row in logged {
        let (pi, p) = (choose(&target, row, TARGET)?, choose(&logger, row, LOGGING)?);
        let mut u = uniform(seed, 2, row as u64);
        let drawn = p.iter().position(|p| {
            u -= p;
            u < 0.0
        });
        let (arm, class) = (drawn.unwrap_or(0), set.rows[row].1);
        truth += pi[class] / logged.len() as f64;
        rows.push((row, arm, f64::from(u8::from(arm == class)), pi, p));
    }
    let observed: Vec<Observation<'_>> = rows
        .iter()
        .map(|(row, arm, reward, _, p)| Observation {
            x: &set.rows[*row].0,
            arm: *arm,
            reward: *reward,
            propensity: p[*arm],
        })
        .collect();
    let predicted = cross_fit(&observed, 3, Config::new(set.arms, set.rows[0].0.len()))?;
    let mut log = Log::new(set.arms)?;
    for ((_, arm, reward, pi, p), predicted) in rows.iter().zip(predicted.chunks(set.arms)) {
        let (arm, reward, propensity) = (*arm, *reward, p[*arm]);
        log.push(&Row { arm, reward, propensity, target: pi, predicted, logging: p })?;
    }
    Ok((log, truth))
}

pub(crate) fn report(out: &mut impl Write, path: &str) -> Result<(), Box<dyn Error>> {
    let set = read(path)?;
    let named = [
        ("dm", Estimator::Dm),
        ("ips", Estimator::Ips),
        ("snips", Estimator::Snips),
        ("dr", Estimator::Dr),
        ("sndr", Estimator::SnDr),
        ("switch_dr, cut 5", Estimator::SwitchDr(5.0)),
        ("switch_dr, cut 10", Estimator::SwitchDr(10.0)),
        ("dr_os, 50", Estimator::DrOs(50.0)),
    ];
    let tuned = [("switch_dr, SLOPE", Family::SwitchDr), ("dr_os, SLOPE", Family::DrOs)];
    let mut errors = vec![0.0; named.len() + tuned.len()];
    for seed in 0..SEEDS {
        let (log, truth) = one(&set, seed)?;
        let mut values = Vec::with_capacity(errors.len());
        for (_, estimator) in named {
            values.push(log.estimate(estimator)?.value);
        }
        for (_, family) in tuned {
            values.push(log.tune(family, &family.candidates())?.estimate.value);
        }
        for (error, value) in errors.iter_mut().zip(values) {
            *error += (value / truth - 1.0).powi(2) / SEEDS as f64;
        }
    }
    writeln!(out, "estimator,relative root mean square error over {SEEDS} seeds")?;
    let names = named.iter().map(|named| named.0).chain(tuned.iter().map(|tuned| tuned.0));
    for (name, error) in names.zip(errors) {
        writeln!(out, "{name},{:.4}", error.sqrt())?;
    }
    Ok(())
}
