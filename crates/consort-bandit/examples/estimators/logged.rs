//! What a log of the Open Bandit Dataset says of two policies that never served there.

use std::collections::HashMap;
use std::error::Error;
use std::io::Write;
use std::path::Path;

use consort_bandit::ope::{Diagnostics, Estimator, Gate, Log, Row};

/// Items that the shop shows.
const ITEMS: usize = 80;

struct Shown {
    item: usize,
    click: f64,
    propensity: f64,
}

fn read(path: &str) -> Result<Vec<Shown>, Box<dyn Error>> {
    let text = std::fs::read_to_string(path)?;
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().ok_or("no header")?.split(',').collect();
    let column = |name: &str| {
        header.iter().position(|column| *column == name).ok_or(format!("no column `{name}`"))
    };
    let (item, click, pscore) = (column("item")?, column("click")?, column("pscore")?);
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let (item, click) = (cells[item].parse()?, cells[click].parse()?);
            Ok(Shown { item, click, propensity: cells[pscore].parse()? })
        })
        .collect()
}

pub(crate) fn report(out: &mut impl Write, path: &str) -> Result<(), Box<dyn Error>> {
    let rows = read(path)?;
    let name = Path::new(path).file_stem().map_or(path.into(), |stem| stem.to_string_lossy());
    let clicked = rows.iter().map(|row| row.click).sum::<f64>() / rows.len() as f64;
    writeln!(out, "# {name}: {} rows, {clicked:.5} clicked", rows.len())?;
    let mut clicks: HashMap<usize, f64> = HashMap::new();
    rows.iter().for_each(|row| *clicks.entry(row.item).or_default() += row.click);
    let most = clicks.iter().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(a.0)));
    let most = *most.ok_or("an empty log")?.0;
    let always: Vec<f64> = (0..ITEMS).map(|item| f64::from(u8::from(item == most))).collect();
    let targets = [
        ("uniform".to_owned(), vec![1.0 / ITEMS as f64; ITEMS]),
        (format!("always item {most}"), always),
    ];
    for (name, target) in targets {
        let mut log = Log::new(ITEMS)?;
        for row in &rows {
            log.push(&Row::new(row.item, row.click, row.propensity, &target))?;
        }
        let Diagnostics { ess, max_weight, mean_weight, .. } = log.diagnostics();
        let told = match log.evaluate(Estimator::Snips, &Gate::default()) {
            Ok(snips) => {
                let ips = log.estimate(Estimator::Ips)?;
                format!(
                    "ips {:.5}, snips {:.5} ± {:.5}",
                    ips.value, snips.value, snips.standard_error
                )
            }
            Err(why) => format!("refused: {why}"),
        };
        writeln!(
            out,
            "# {name}: worth {ess:.0} rows, largest weight {max_weight:.1}, mean weight {mean_weight:.3}: {told}"
        )?;
    }
    Ok(())
}
