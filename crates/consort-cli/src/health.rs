//! `consort health` and `consort breakers`: what the owner of the store saw last.

use std::time::Duration;

use consort::{
    core::{
        StepError, Timestamp,
        journal::{Journal, RunFilter},
        record::RunState,
    },
    infrastructure::{
        health::{CalleeHealth, Health, Isolation, Report},
        isolation,
    },
};
use serde::Serialize;

use crate::{
    args,
    console::Console,
    fail::Failure,
    interrupt::Interrupts,
    reading::{self, blocking},
    settings::Settings,
    text::{moment, table, took},
};

/// Between two looks at what the owner shows.
const LOOK: Duration = Duration::from_millis(500);

/// What is known.
#[derive(Debug, Serialize)]
struct Known {
    store: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<u32>,
    /// True when the store has an owner now.
    live: bool,
    #[serde(skip)]
    report: Option<Report>,
    isolations: Vec<Isolation>,
}

/// The answer of `health` under `--json`.
#[derive(Debug, Serialize)]
struct Healths<'a> {
    #[serde(flatten)]
    known: &'a Known,
    overall: Health,
    callees: &'a [CalleeHealth],
}

/// The answer of `breakers` under `--json`.
#[derive(Debug, PartialEq, Serialize)]
struct BreakerLine<'a> {
    callee: &'a str,
    health: Health,
    #[serde(flatten)]
    breaker: &'a consort::infrastructure::health::BreakerView,
}

#[derive(Debug, Serialize)]
struct BreakerLines<'a> {
    #[serde(flatten)]
    known: &'a Known,
    breakers: Vec<BreakerLine<'a>>,
}

pub(crate) async fn health(
    settings: &Settings,
    console: &Console,
    typed: args::Health,
) -> Result<u8, Failure> {
    let known = look(settings, typed.callee.as_deref()).await?;
    let callees = known.callees();
    if console.json {
        let overall = known.report.as_ref().map_or(Health::NoData, |report| report.overall);
        console.print_json(&Healths { known: &known, overall, callees })?;
        return Ok(0);
    }
    known.tell(console);
    if !callees.is_empty() {
        let head = ["CALLEE", "HEALTH", "CALLS", "OK", "TIME", "BREAKER", "WHY"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(callees.iter().map(row));
        console.print(&table(&rows, &[2, 3, 4]))?;
    }
    Ok(0)
}

fn row(callee: &CalleeHealth) -> Vec<String> {
    let share = |rate: f64| format!("{:.0} %", rate * 100.0);
    let time = |latency: f64| took(Duration::from_secs_f64((latency / 1e3).max(0.0)));
    let local = if callee.local { " (local)" } else { "" };
    vec![
        format!("{}{local}", callee.callee),
        callee.health.name().replace('_', " "),
        callee.calls.to_string(),
        callee.success_rate.map(share).unwrap_or_default(),
        callee.latency_ms.map(time).unwrap_or_default(),
        callee.breaker.as_ref().map(|one| one.state.replace('_', "-")).unwrap_or_default(),
        callee.why.clone(),
    ]
}

pub(crate) async fn breakers(
    settings: &Settings,
    console: &Console,
    typed: args::Breakers,
) -> Result<u8, Failure> {
    if !typed.watch {
        let known = look(settings, typed.callee.as_deref()).await?;
        known.tell(console);
        console.print(&known.breakers(console.json))?;
        return Ok(0);
    }
    let mut interrupts = Interrupts::listen()?;
    console.note("watching; to end: Ctrl-C");
    let mut told = String::new();
    loop {
        let known = look(settings, typed.callee.as_deref()).await?;
        let text = known.breakers(console.json);
        if text != told {
            known.tell(console);
            console.print(&text)?;
            told = text;
        }
        tokio::select! {
            biased;
            code = interrupts.next() => return Err(Failure::Interrupted(code)),
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

impl Known {
    fn callees(&self) -> &[CalleeHealth] {
        self.report.as_ref().map_or(&[], |report| &report.callees)
    }

    /// Tells, beside the data, where it comes from and what is missing.
    fn tell(&self, console: &Console) {
        if console.json {
            return;
        }
        if let Some(why) = &self.no_data {
            console.note(&format!("no data: {why}"));
        }
        if let (Some(at), Some(process)) = (self.as_of, self.process) {
            let now = if self.live { "" } else { "; no process owns the store now" };
            console.note(&format!("as process {process} saw it at {}{now}", moment(at)));
        }
        for Isolation { callee, reason, since, .. } in &self.isolations {
            let since = moment(*since);
            console.note(&format!("`{callee}` is isolated since {since}: {reason}"));
        }
    }

    fn breakers(&self, json: bool) -> String {
        let lines: Vec<BreakerLine<'_>> = self
            .callees()
            .iter()
            .filter_map(|one| {
                let breaker = one.breaker.as_ref()?;
                Some(BreakerLine { callee: &one.callee, health: one.health, breaker })
            })
            .collect();
        if json {
            return crate::console::pretty(&BreakerLines { known: self, breakers: lines }) + "\n";
        }
        if lines.is_empty() {
            return String::new();
        }
        let head = ["CALLEE", "BREAKER", "FAILURES", "RESTS", "HEALTH"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(lines.iter().map(|line| {
            let left = line.breaker.rest_left_ms.map(Duration::from_millis);
            vec![
                line.callee.to_owned(),
                line.breaker.state.replace('_', "-"),
                line.breaker.failures_in_row.to_string(),
                left.map(took).unwrap_or_default(),
                line.health.name().replace('_', " "),
            ]
        }));
        table(&rows, &[2, 3])
    }
}

/// Reads what there is: the isolations from the store, the rest from what its owner showed.
async fn look(settings: &Settings, callee: Option<&str>) -> Result<Known, StepError> {
    let place = settings.store()?.path.clone();
    let mut known = Known {
        store: place.display().to_string(),
        no_data: None,
        as_of: None,
        process: None,
        live: false,
        report: None,
        isolations: Vec::new(),
    };
    let Some(journal) = reading::open(settings).await? else {
        known.no_data = Some("there is no store yet".to_owned());
        return Ok(known);
    };
    known.isolations = isolations(&*journal).await?;
    let (shown, live) =
        blocking(move || (consort::shown(&place), consort::durable::sqlite::has_owner(&place)))
            .await?;
    known.live = live;
    match shown? {
        Some(shown) => {
            (known.as_of, known.process) = (Some(shown.report.at), Some(shown.process));
            known.report = Some(shown.report);
        }
        None => known.no_data = Some("no owner of this store has shown its health yet".to_owned()),
    }
    if let Some(callee) = callee {
        known.isolations.retain(|one| one.covers(callee));
        if let Some(report) = &mut known.report {
            report.only(callee);
        }
    }
    if known.report.as_ref().is_some_and(|report| report.callees.is_empty()) {
        known.no_data = Some(match callee {
            Some(callee) => format!("`{callee}` was not called by that process"),
            None => "that process has called nobody".to_owned(),
        });
    }
    Ok(known)
}

/// What is held off by hand, as the store has it.
pub(crate) async fn isolations(journal: &dyn Journal) -> Result<Vec<Isolation>, StepError> {
    let mut found = Vec::new();
    for state in [RunState::Open, RunState::Waiting] {
        let orchestrator = Some(isolation::name());
        let filter = RunFilter {
            orchestrator,
            state: Some(state),
            limit: usize::MAX,
            ..RunFilter::default()
        };
        for run in journal.runs(filter).await? {
            let history = journal.history(&run.id).await?;
            found.extend(history.and_then(|history| isolation::of(history.started)));
        }
    }
    Ok(found)
}
