//! `consort runs` and `consort show`: what the store says, whoever owns it.

use std::time::Duration;

use consort::core::{Category, Name, RunReport, journal::RunFilter, record::RunState};
use serde::Serialize;

use crate::{
    args,
    console::Console,
    draw::{draw, plain},
    fail::Failure,
    reading, run_ref,
    settings::{Settings, Talk},
    text::{moment, table, took},
    view::{Line, View},
};

/// The answer of `runs` under `--json`, and of `resume` without a run.
#[derive(Debug, Serialize)]
pub(crate) struct Lines {
    pub(crate) runs: Vec<Line>,
}

pub(crate) async fn runs(
    settings: &Settings,
    console: &Console,
    typed: args::Runs,
) -> Result<u8, Failure> {
    let orchestrator = typed.orchestrator.map(Name::new).transpose();
    let filter = RunFilter {
        orchestrator: orchestrator.map_err(|error| Failure::Usage(error.to_string()))?,
        state: typed.state.map(|state| match state {
            args::State::Open => RunState::Open,
            args::State::Waiting => RunState::Waiting,
            args::State::Ended => RunState::Ended,
        }),
        roots: !typed.all,
        limit: usize::try_from(typed.limit).unwrap_or(usize::MAX),
        ..RunFilter::default()
    };
    let found = match reading::open(settings).await? {
        Some(journal) => journal.runs(filter).await.map_err(consort::core::StepError::from)?,
        None => Vec::new(),
    };
    print(console, &Lines { runs: found.iter().map(Line::new).collect() })?;
    Ok(0)
}

/// Prints runs, one line each.
pub(crate) fn print(console: &Console, lines: &Lines) -> Result<(), Failure> {
    if console.json {
        return console.print_json(lines);
    }
    if lines.runs.is_empty() {
        console.note("no runs");
        return Ok(());
    }
    let head = ["RUN", "ORCHESTRATOR", "STATE", "STARTED (UTC)", "TOOK", "STEPS"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(lines.runs.iter().map(row));
    console.print(&table(&rows, &[4, 5]))
}

fn row(line: &Line) -> Vec<String> {
    vec![
        run_ref::short(&line.run).to_owned(),
        line.orchestrator.to_string(),
        line.standing(),
        moment(line.started),
        line.took_ms.map(Duration::from_millis).map(took).unwrap_or_default(),
        line.steps.to_string(),
    ]
}

pub(crate) async fn show(settings: &Settings, console: &Console, run: &str) -> Result<u8, Failure> {
    let journal = reading::needed(settings).await?;
    let id = run_ref::find(&*journal, run).await?;
    let report =
        RunReport::read(&*journal, &id, &[]).await.map_err(|error| match error.category() {
            Category::NotFound => error.hint("`consort runs --all` lists child runs too"),
            _ => error,
        })?;
    let view = View::new(report);
    if console.json {
        console.print_json(&view)?;
    } else {
        let drawn = draw(&view, console.columns(), console.tells(Talk::Verbose));
        console.print(&if console.ascii { plain(&drawn) } else { drawn })?;
    }
    Ok(0)
}
