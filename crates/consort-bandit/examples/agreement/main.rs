//! Whether our estimates are those of the Open Bandit Pipeline, on real logs and on logs whose
//! truth is known, and how far each estimator is off where it is.
//!
//! `quality/open_bandit.py` makes the logs and says how to install the pipeline.
//!
//! ```console
//! obp/bin/python crates/consort-bandit/quality/open_bandit.py OUT
//! cargo run --release -p consort-bandit --example agreement -- OUT
//! ```
//! Fails when an estimate differs by more than 1e-12 of its value.

mod accuracy;

use std::error::Error;
use std::io::{Write, stdout};
use std::path::Path;

use consort_bandit::ope::{Estimator, Family, Gate, Grouping, Log, Row, mips};
use serde::Deserialize;

/// A log as `open_bandit.py` describes it.
#[derive(Deserialize)]
struct Told {
    name: String,
    arms: usize,
    /// Whether the probabilities of all arms are on record.
    logging: bool,
    /// Group of each arm, for MIPS.
    groups: Vec<usize>,
    truth: f64,
    estimates: Vec<(Estimator, f64)>,
    mips: Option<f64>,
}

impl Told {
    fn count(&self) -> usize {
        self.estimates.len() + usize::from(self.mips.is_some())
    }
}

/// A log as it was written.
struct Logged {
    arms: usize,
    cells: Vec<f64>,
}

impl Logged {
    fn read(folder: &Path, told: &Told) -> Result<Self, Box<dyn Error>> {
        let cells = doubles(&folder.join(format!("{}.f64", told.name)))?;
        if cells.is_empty() || !cells.len().is_multiple_of(3 + 3 * told.arms) {
            return Err(format!("{}: not rows of {} arms", told.name, told.arms).into());
        }
        Ok(Self { arms: told.arms, cells })
    }

    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.cells.chunks_exact(3 + 3 * self.arms).map(|row| {
            let (head, odds) = row.split_at(3);
            let (target, rest) = odds.split_at(self.arms);
            let (predicted, logging) = rest.split_at(self.arms);
            let (arm, reward, propensity) = (head[0] as usize, head[1], head[2]);
            Row { arm, reward, propensity, target, predicted, logging }
        })
    }

    fn log(&self, logging: bool) -> Result<Log, Box<dyn Error>> {
        let mut log = Log::new(self.arms)?;
        for row in self.rows() {
            log.push(&if logging { row } else { Row { logging: &[], ..row } })?;
        }
        Ok(log)
    }
}

fn doubles(path: &Path) -> Result<Vec<f64>, Box<dyn Error>> {
    let bytes = std::fs::read(path).map_err(|why| format!("{}: {why}", path.display()))?;
    Ok(bytes.as_chunks::<8>().0.iter().map(|cell| f64::from_le_bytes(*cell)).collect())
}

/// Largest difference of a log's estimates, relative to the pipeline's.
fn difference(told: &Told, logged: &Logged) -> Result<f64, Box<dyn Error>> {
    let log = logged.log(told.logging)?;
    let mut largest: f64 = 0.0;
    let mut compare = |found: f64, expected: f64| {
        let off = (found / expected - 1.0).abs();
        largest = largest.max(off);
        let wrong = || format!("{}: {found}, not {expected}", told.name);
        if off <= 1e-12 { Ok(()) } else { Err(wrong()) }
    };
    for &(estimator, expected) in &told.estimates {
        let found = log.estimate(estimator)?.value;
        compare(found, expected).map_err(|why| format!("{estimator:?}, {why}"))?;
    }
    if let Some(expected) = told.mips {
        let observed: Vec<usize> = logged.rows().map(|row| told.groups[row.arm]).collect();
        let found = mips(&log, &Grouping::new(&told.groups)?, &observed)?.value;
        compare(found, expected).map_err(|why| format!("mips, {why}"))?;
    }
    Ok(largest)
}

/// Whether each real log can answer at all, and what it answers by default.
fn verdicts(out: &mut impl Write, folder: &Path, all: &[Told]) -> Result<(), Box<dyn Error>> {
    writeln!(out, "log,rows it is worth,verdict,truth")?;
    for told in all.iter().filter(|told| told.name.starts_with("obd")) {
        let log = Logged::read(folder, told)?.log(told.logging)?;
        let verdict = match Gate::default().check(&log.diagnostics()) {
            Ok(()) => {
                let found = log.tune(Family::SwitchDr, &Family::SwitchDr.candidates())?.estimate;
                format!("{:.4} ± {:.4}", found.value, found.standard_error)
            }
            Err(why) => format!("refused: {why}"),
        };
        writeln!(out, "{},{:.1},{verdict},{:.4}", told.name, log.diagnostics().ess, told.truth)?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: agreement FOLDER-OF-open_bandit.py")?;
    let folder = Path::new(&folder);
    let all: Vec<Told> = serde_json::from_slice(&std::fs::read(folder.join("expected.json"))?)?;
    let mut out = stdout().lock();
    for kind in ["obd", "digits"] {
        let (mut logs, mut estimates, mut largest) = (0, 0, 0.0_f64);
        for told in all.iter().filter(|told| told.name.starts_with(kind)) {
            largest = largest.max(difference(told, &Logged::read(folder, told)?)?);
            (logs, estimates) = (logs + 1, estimates + told.count());
        }
        writeln!(
            out,
            "{kind}: {logs} logs, {estimates} estimates, largest relative difference {largest:.1e}"
        )?;
    }
    verdicts(&mut out, folder, &all)?;
    accuracy::report(&mut out, folder, &all)?;
    Ok(out.flush()?)
}
