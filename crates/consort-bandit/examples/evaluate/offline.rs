//! Learning from one uniform log: one half of a set is logged by a die, the other half judges.

use std::error::Error;
use std::io::Write;
use std::ops::Range;

use consort_bandit::offline::{Config, Method, select};
use consort_bandit::ope::{Gate, Observation};
use consort_bandit::rng::{shuffle, uniform};
use consort_bandit::{ArmSet, Map};

use crate::data::Set;
use crate::play::outcome;

/// Most derived features of a candidate: more take minutes.
const MOST_FEATURES: usize = 400;

/// Half of a small set is a short log; what is chosen here serves nobody.
const GATE: Gate = Gate { min_ess: 20.0, max_sigmas: 4.0, max_unsupported: 0.01 };

/// Every method in every map that is small enough.
fn candidates(set: &Set) -> Vec<Config> {
    let maps = [
        Map::Identity,
        Map::Quadratic,
        Map::Thresholds,
        Map::Fourier { features: 192, bandwidth: 0.5 },
    ];
    let small = maps.into_iter().filter(|map| map.len(set.dim) <= MOST_FEATURES);
    let methods = [Method::Direct, Method::DoublyRobust, Method::OffsetTree];
    let of = |map| methods.map(|method| Config { map, ..Config::new(set.arms, set.dim, method) });
    small.flat_map(of).collect()
}

/// Prints the loss on the judging half, and which candidates were selected.
pub(crate) fn report(
    out: &mut impl Write,
    set: &Set,
    shuffles: Range<u64>,
) -> Result<(), Box<dyn Error>> {
    let candidates = candidates(set);
    let (mut losses, mut chosen) = (Vec::new(), Vec::new());
    for number in shuffles {
        let order = shuffle(set.len(), number);
        let (logged, judging) = order.split_at(set.len() / 2);
        let rows: Vec<Observation<'_>> = logged
            .iter()
            .map(|&row| {
                let arm = (uniform(number, 50, row as u64) * set.arms as f64) as usize;
                let propensity = 1.0 / set.arms as f64;
                let reward = outcome(set, row, arm, number).0;
                Observation { x: set.x(row), arm, reward, propensity }
            })
            .collect();
        let found = match select(&rows, &candidates, &GATE) {
            Ok(found) => found,
            Err(why) => return Ok(writeln!(out, "# {}: nothing learned: {why}", set.name)?),
        };
        let all = ArmSet::all(set.arms);
        let mut sum = 0.0;
        for &row in judging {
            sum += outcome(set, row, found.policy.choose(set.x(row), &all)?, number).1;
        }
        losses.push(sum / judging.len() as f64);
        let Config { method, map, .. } = candidates[found.chosen];
        chosen.push(format!("{method:?} {map:?}"));
    }
    let (mean, sd) = crate::mean_sd(&losses);
    chosen.sort();
    chosen.dedup();
    writeln!(
        out,
        "# {} learned from a uniform log: loss {mean:.4}±{sd:.4} on the other half; selected: {}",
        set.name,
        chosen.join(", ")
    )?;
    Ok(())
}
