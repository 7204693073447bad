//! How far estimators are off on logs whose truth is known.

use std::error::Error;
use std::io::Write;
use std::path::Path;

use consort_bandit::linear::Config;
use consort_bandit::ope::{Estimator, Family, Log, Observation, Row, cross_fit};

use super::{Logged, Told, doubles};

/// The log with the rewards that our own model predicts.
fn refitted(folder: &Path, told: &Told, logged: &Logged) -> Result<Log, Box<dyn Error>> {
    let x = doubles(&folder.join(format!("{}.x.f64", told.name)))?;
    let dim = x.len() / logged.rows().count();
    let observed = logged.rows().zip(x.chunks_exact(dim)).map(|(row, x)| {
        let Row { arm, reward, propensity, .. } = row;
        Observation { x, arm, reward, propensity }
    });
    let observed: Vec<Observation<'_>> = observed.collect();
    let predicted = cross_fit(&observed, 3, Config::new(told.arms, dim))?;
    let mut log = Log::new(told.arms)?;
    for (row, predicted) in logged.rows().zip(predicted.chunks_exact(told.arms)) {
        log.push(&Row { predicted, ..row })?;
    }
    Ok(log)
}

/// Name and value of every estimator in the table.
fn values(log: &Log) -> Result<Vec<(String, f64)>, Box<dyn Error>> {
    let fixed = [
        ("ips", Estimator::Ips),
        ("snips", Estimator::Snips),
        ("dm", Estimator::Dm),
        ("dr", Estimator::Dr),
        ("sn_dr", Estimator::SnDr),
        ("switch_dr, cut 10", Estimator::SwitchDr(10.0)),
        ("dr_os, 50", Estimator::DrOs(50.0)),
    ];
    let mut found = Vec::new();
    for (name, estimator) in fixed {
        found.push((name.to_owned(), log.estimate(estimator)?.value));
    }
    for (name, family) in [("switch_dr, SLOPE", Family::SwitchDr), ("dr_os, SLOPE", Family::DrOs)] {
        let tuned = log.tune(family, &family.candidates())?;
        found.push((name.to_owned(), tuned.estimate.value));
    }
    Ok(found)
}

pub(crate) fn report(
    out: &mut impl Write,
    folder: &Path,
    all: &[Told],
) -> Result<(), Box<dyn Error>> {
    let known: Vec<&Told> = all.iter().filter(|told| told.name.starts_with("digits")).collect();
    let mut table: Vec<(String, [f64; 2])> = Vec::new();
    for told in &known {
        let logged = Logged::read(folder, told)?;
        let both = [values(&logged.log(true)?)?, values(&refitted(folder, told, &logged)?)?];
        for (model, values) in both.into_iter().enumerate() {
            for (at, (name, value)) in values.into_iter().enumerate() {
                if at == table.len() {
                    table.push((name, [0.0; 2]));
                }
                table[at].1[model] += (value / told.truth - 1.0).powi(2) / known.len() as f64;
            }
        }
    }
    writeln!(out, "relative root mean square error,their reward model,ours")?;
    for (name, [theirs, ours]) in table {
        writeln!(out, "{name},{:.4},{:.4}", theirs.sqrt(), ours.sqrt())?;
    }
    Ok(())
}
