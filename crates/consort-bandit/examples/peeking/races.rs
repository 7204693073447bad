//! How many pulls a race takes, and how often it names the wrong arm.

use std::error::Error;
use std::io::Write;

use consort_bandit::inference::{Race, Range, Verdict};
use consort_bandit::rng::uniform;

use crate::{coin, mean};

const DELTA: f64 = 0.05;
const MOST_ROUNDS: u64 = 100_000;

/// Bernoulli arms, the first is best; beside them the published mean pulls per arm of a
/// generalised likelihood ratio stop with plug-in variances (TensorZero, 2026-04).
const INSTANCES: [(&[f64], f64); 5] = [
    (&[0.50, 0.48], 11_512.0),
    (&[0.50, 0.45], 1837.0),
    (&[0.90, 0.88, 0.88], 6227.0),
    (&[0.020, 0.015], 13_081.0),
    (&[0.95, 0.90, 0.90, 0.90, 0.90], 827.0),
];

pub(crate) fn report(out: &mut impl Write, runs: u64) -> Result<(), Box<dyn Error>> {
    writeln!(out, "race,runs,wrong,open at {MOST_ROUNDS},pulls per arm,beside plug-in variances")?;
    for (means, plug_in) in INSTANCES {
        let draw = |run, arm: usize, t| coin(run, arm as u64, t, means[arm]);
        let name = means.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
        let found = all(runs, means.len(), Range::UNIT, draw)?;
        found.print(out, &name, Some(plug_in))?;
    }
    // Arm 1 is better by 0.02 nearly always and truly worse, by a rare large loss.
    for (loss, often) in [(-5.0, 0.01), (-20.0, 0.002)] {
        let draw = move |run, arm: usize, t| {
            let base = coin(run, arm as u64, t, 0.5);
            match arm {
                1 if uniform(run, 9, t) < often => loss,
                1 => 0.98 * base + 0.02,
                _ => base,
            }
        };
        let name = format!("trap: {loss} once in {:.0}", 1.0 / often);
        let declared = all(runs, 2, Range { low: loss, high: 1.0 }, draw)?;
        declared.print(out, &format!("{name} (declared)"), None)?;
        let undeclared = all(runs, 2, Range::UNIT, draw)?;
        undeclared.print(out, &format!("{name} (not declared)"), None)?;
    }
    Ok(())
}

#[derive(Default)]
struct Found {
    wrong: u64,
    open: u64,
    pulls: Vec<f64>,
}

fn all(
    runs: u64,
    arms: usize,
    range: Range,
    draw: impl Fn(u64, usize, u64) -> f64,
) -> Result<Found, Box<dyn Error>> {
    let mut found = Found::default();
    for run in 0..runs {
        let mut race = Race::new(arms, DELTA, range)?;
        let mut verdict = Verdict::Open;
        for t in 0..MOST_ROUNDS {
            for arm in 0..arms {
                race.push(arm, draw(run, arm, t))?;
            }
            verdict = race.verdict();
            if verdict != Verdict::Open {
                break;
            }
        }
        found.wrong += u64::from(matches!(verdict, Verdict::Best(arm) if arm != 0));
        found.open += u64::from(verdict == Verdict::Open);
        found.pulls.push(race.rounds() as f64);
    }
    Ok(found)
}

impl Found {
    fn print(&self, out: &mut impl Write, name: &str, plug_in: Option<f64>) -> std::io::Result<()> {
        let pulls = mean(&self.pulls);
        let beside = plug_in.map_or("no data".into(), |other| format!("{:.2}", pulls / other));
        let Self { wrong, open, .. } = self;
        writeln!(out, "{name},{},{wrong},{open},{pulls:.0},{beside}", self.pulls.len())
    }
}
