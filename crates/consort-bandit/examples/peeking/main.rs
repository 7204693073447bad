//! What looking after every observation costs: miss rates of intervals, sample counts of races,
//! false promotions of experiments, at full size.
//!
//! ```console
//! cargo run --release -p consort-bandit --example peeking [-- SHARE]
//! ```
//! `SHARE` in (0, 1], default 1, scales the number of simulated runs: 10,000 for intervals of one
//! mean, 1,000 for off-policy intervals and experiments, 300 for races.

mod experiments;
mod intervals;
mod races;

use std::error::Error;
use std::io::{Write, stdout};

use consort_bandit::rng::uniform;

fn main() -> Result<(), Box<dyn Error>> {
    let share: f64 = std::env::args().nth(1).map_or(Ok(1.0), |text| text.parse())?;
    if !(share > 0.0 && share <= 1.0) {
        return Err("SHARE must be above 0 and at most 1".into());
    }
    let runs = |full: f64| (full * share).ceil() as u64;
    let mut out = stdout().lock();
    intervals::of_means(&mut out, runs(10_000.0))?;
    intervals::off_policy(&mut out, runs(1000.0))?;
    races::report(&mut out, runs(300.0))?;
    experiments::report(&mut out, runs(1000.0))?;
    Ok(out.flush()?)
}

fn coin(seed: u64, stream: u64, t: u64, p: f64) -> f64 {
    if uniform(seed, stream, t) < p { 1.0 } else { 0.0 }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
