//! False promotions of identical versions, and how soon a worse canary is withdrawn.

use std::error::Error;
use std::io::Write;

use consort_bandit::inference::{Allocation, Experiment, Phase, Reason, Settings};

use crate::{coin, mean};

pub(crate) fn report(out: &mut impl Write, runs: u64) -> Result<(), Box<dyn Error>> {
    writeln!(
        out,
        "experiment,share,runs,promoted,withdrawn as worse,rewards of the canary: mean,95 %,most"
    )?;
    let settings = Settings { shadow: 0, ..Settings::default() };
    for share in [0.1, 0.5] {
        let settings = Settings { share, ..settings };
        line(out, "identical versions", settings, runs, (0.5, 0.5), 20_000)?;
        line(out, "ten points worse", settings, runs, (0.6, 0.5), 200_000)?;
        line(out, "ten points better", settings, runs, (0.5, 0.6), 200_000)?;
    }
    Ok(())
}

fn line(
    out: &mut impl Write,
    name: &str,
    settings: Settings,
    runs: u64,
    (control, canary): (f64, f64),
    units: u64,
) -> Result<(), Box<dyn Error>> {
    let (mut promoted, mut withdrawn, mut rewards) = (0, 0, Vec::new());
    for run in 0..runs {
        let mut experiment = Experiment::new(1, run, settings)?;
        let mut phase = Phase::Canary;
        for unit in 0..units {
            let served = experiment.allocate(&unit.to_string());
            let p = if served == Allocation::Control { control } else { canary };
            experiment.reward(served, coin(run, 30, unit, p))?;
            let standing = experiment.standing(0).ok_or("the candidate is gone")?;
            phase = standing.phase;
            if phase != Phase::Canary {
                rewards.push(standing.rewards as f64);
                break;
            }
        }
        promoted += u64::from(phase == Phase::Promoted);
        withdrawn += u64::from(phase == Phase::Withdrawn(Reason::Worse));
    }
    rewards.sort_by(f64::total_cmp);
    let at = |share: f64| rewards.get((share * rewards.len() as f64) as usize);
    let shown = |value: Option<&f64>| value.map_or("no data".into(), |v| format!("{v:.0}"));
    let average =
        if rewards.is_empty() { "no data".into() } else { format!("{:.0}", mean(&rewards)) };
    writeln!(
        out,
        "{name},{},{runs},{promoted},{withdrawn},{average},{},{}",
        settings.share,
        shown(at(0.95)),
        shown(rewards.last())
    )?;
    Ok(())
}
