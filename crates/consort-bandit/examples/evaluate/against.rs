//! Our row beside the given baselines, paired by shuffle.

use std::collections::HashMap;
use std::error::Error;
use std::io::Write;
use std::ops::Range;

use crate::data::Set;
use crate::mean_sd;

/// Baselines hold the values of shuffles 10 to 19.
const FIRST: u64 = 10;

#[derive(serde::Deserialize)]
struct Baselines {
    vw_final: HashMap<String, Vec<f64>>,
    ref_final: HashMap<String, Vec<f64>>,
    lib: HashMap<String, Vec<f64>>,
}

/// Prints the best baseline of each kind and the paired 95 % interval of our loss minus its.
pub(crate) fn compare(
    out: &mut impl Write,
    path: &str,
    set: &Set,
    tier: &str,
    shuffles: &Range<u64>,
    ours: &[f64],
) -> Result<(), Box<dyn Error>> {
    let unreadable = |why: &dyn Error| format!("`--against {path}`: {why}");
    let text = std::fs::read_to_string(path).map_err(|why| unreadable(&why))?;
    let all: HashMap<String, Baselines> =
        serde_json::from_str(&text).map_err(|why| unreadable(&why))?;
    let Some(baselines) = all.get(&set.name) else {
        writeln!(out, "# {}: no baselines", set.name)?;
        return Ok(());
    };
    let kinds = [
        ("vw", &baselines.vw_final),
        ("reference", &baselines.ref_final),
        ("library", &baselines.lib),
    ];
    for (kind, rows) in kinds {
        let by_mean = |a: &(&String, &Vec<f64>), b: &(&String, &Vec<f64>)| {
            mean_sd(a.1).0.total_cmp(&mean_sd(b.1).0)
        };
        let Some((name, theirs)) = rows.iter().min_by(by_mean) else { continue };
        let pairs = shuffles.clone().zip(ours).filter_map(|(shuffle, ours)| {
            let index = usize::try_from(shuffle.checked_sub(FIRST)?).ok()?;
            Some(ours - theirs.get(index)?)
        });
        let gaps: Vec<f64> = pairs.collect();
        let (gap, sd) = mean_sd(&gaps);
        // Two-sided 95 % quantile of Student's t, close enough from 5 pairs on.
        let df = gaps.len() as f64 - 1.0;
        let t = 1.96 + 2.4 / df + 3.0 / (df * df);
        let reach = t * sd / (gaps.len() as f64).sqrt();
        let bar = mean_sd(theirs).0;
        let verdict = if gap + reach < 0.0 {
            "win"
        } else if gap + reach <= 0.02 * bar {
            "pass"
        } else {
            "behind"
        };
        writeln!(
            out,
            "# {} {tier} against best {kind} `{name}` {bar:.4}: {gap:+.4} [{:+.4}, {:+.4}] ratio {:.3} {verdict}",
            set.name,
            gap - reach,
            gap + reach,
            1.0 + gap / bar
        )?;
    }
    Ok(())
}
