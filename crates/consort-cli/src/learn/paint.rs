//! Figures of learning as text: tables, and a small plot of the arms.

use std::fmt::Write;

use consort::{
    application::{
        advanced_bandits::view::{Arm, Summary},
        learning::{Standing, Totals},
        unified_feedback::Health,
    },
    core::learning::Source,
};
use serde::Serialize;

use crate::text::table;

/// The name of a value in its JSON.
pub(super) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// A number that may not be known.
pub(super) fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "no data".into(), |value| format!("{value:.3}"))
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Enabled => "enabled",
        Standing::Disabled { .. } => "disabled",
        Standing::Probation { .. } => "probation",
    }
}

/// Columns of the plot.
const PLOT: usize = 31;

/// The arms of a domain, each with its mean and interval on a line from 0 to 1.
pub(super) fn arms(domain: &Summary, columns: usize) -> String {
    let mut text = String::new();
    let (rule, mean) = (domain.spec.rule_name(), number(domain.mean));
    let Summary { domain: name, version, decisions, rewards, open, .. } = domain;
    let _ = writeln!(text, "{name}  {rule}, version {version}");
    let _ = writeln!(
        text,
        "{decisions} decisions, {rewards} rewards, {open} still open, mean reward {mean}\n"
    );
    let plotted = columns >= 90;
    let mut head = ["ARM", "CHOSEN", "PULLS", "MEAN", "95 % INTERVAL", "SHARE", "HEALTH"]
        .map(str::to_owned)
        .to_vec();
    if plotted {
        head.push(axis());
    }
    let mut rows = vec![head];
    for arm in &domain.arms {
        let mut row = vec![
            arm.name.clone(),
            arm.chosen.to_string(),
            arm.pulls.to_string(),
            number(arm.mean),
            arm.interval
                .map_or_else(|| "no data".into(), |(low, high)| format!("{low:.3} to {high:.3}")),
            arm.share.map_or_else(|| "no data".into(), |share| format!("{:.0} %", share * 100.0)),
            match arm.standing {
                Standing::Enabled => number(arm.health),
                other => standing(other).to_owned(),
            },
        ];
        if plotted {
            row.push(plot(arm));
        }
        rows.push(row);
    }
    text += &table(&rows, &[1, 2, 3, 5]);
    if !plotted {
        let widest = domain.arms.iter().map(|arm| arm.name.chars().count()).max().unwrap_or(0);
        let _ = writeln!(text, "\n{:widest$}  {}", "", axis());
        for arm in &domain.arms {
            let _ = writeln!(text, "{:widest$}  {}", arm.name, plot(arm));
        }
    }
    text
}

fn axis() -> String {
    format!("0{:^width$}1", "0.5", width = PLOT - 2)
}

/// `·····├──●────┤·····`: the interval and the mean between 0 and 1.
fn plot(arm: &Arm) -> String {
    let (Some(mean), Some((low, high))) = (arm.mean, arm.interval) else {
        return "no data".into();
    };
    let column = |value: f64| (value * (PLOT - 1) as f64).round() as usize;
    let (mean, low, high) = (column(mean), column(low), column(high));
    (0..PLOT)
        .map(|at| match at {
            _ if at == mean => '●',
            _ if at == low && low < high => '├',
            _ if at == high && low < high => '┤',
            _ if low < at && at < high => '─',
            _ => '·',
        })
        .collect()
}

/// Counters and health.
pub(super) fn stats(totals: &Totals, sources: &[(Source, u64)], components: &[Health]) -> String {
    let mut text = String::new();
    let counted = [
        ("signals on record", totals.signals),
        ("  learned at once", totals.learned),
        ("  early (learned later or waiting)", totals.early),
        ("  observed by health only", totals.observed),
        ("  duplicates", totals.duplicate),
        ("  too late", totals.closed),
        ("  excused: say nothing about the arm", totals.excused),
        ("  unconsumed: nobody learns from them", totals.unconsumed),
        ("  refused", totals.refused),
        ("decisions on record", totals.decisions),
        ("policy changes", totals.changes),
    ];
    let rows: Vec<Vec<String>> =
        counted.iter().map(|(what, count)| vec![(*what).to_owned(), count.to_string()]).collect();
    text += &table(&rows, &[1]);
    let used: Vec<Vec<String>> = sources
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(source, count)| vec![source.name().to_owned(), count.to_string()])
        .collect();
    if !used.is_empty() {
        text += "\nBY SOURCE\n";
        text += &table(&used, &[1]);
    }
    if !components.is_empty() {
        text.push('\n');
        let head = ["COMPONENT", "KIND", "HEALTH", "AVERAGE", "SAMPLES", "STANDING"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(components.iter().map(|one| {
            let standing = one.refused.clone().unwrap_or_else(|| standing(one.standing).into());
            let kind = word(&one.component);
            let (health, average) = (number(one.health), number(one.average));
            vec![one.id.clone(), kind, health, average, one.samples.to_string(), standing]
        }));
        text += &table(&rows, &[2, 3, 4]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(mean: Option<f64>, interval: Option<(f64, f64)>) -> Arm {
        Arm {
            name: "a".into(),
            chosen: 9,
            pulls: 9,
            mean,
            interval,
            share: None,
            health: None,
            standing: Standing::Enabled,
        }
    }

    #[test]
    fn the_plot_shows_where_the_mean_may_lie() {
        let line = plot(&arm(Some(0.5), Some((0.2, 0.9))));
        assert_eq!(line, "······├────────●───────────┤···");
        assert_eq!(line.chars().count(), axis().chars().count());
        assert_eq!(plot(&arm(Some(1.0), Some((1.0, 1.0)))).chars().last(), Some('●'));
    }

    #[test]
    fn what_was_never_measured_is_not_drawn() {
        assert_eq!(plot(&arm(None, None)), "no data");
        assert_eq!(number(None), "no data");
    }
}
