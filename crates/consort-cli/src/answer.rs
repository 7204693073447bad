//! How the result of a run is told: its value on standard output, the rest on standard error.

use consort::core::{RunId, StepResult};
use serde::Serialize;
use serde_json::Value;

use crate::{
    console::Console,
    fail::{Failure, exit_code},
    run_ref,
    view::Answer,
};

/// The answer of `run`, `resume RUN` and `fork` under `--json`.
#[derive(Debug, Serialize)]
struct Told<'a> {
    run: Option<&'a RunId>,
    #[serde(flatten)]
    answer: &'a Answer,
}

/// A run that goes on without us, under `--json`.
#[derive(Debug, Serialize)]
struct Detached<'a> {
    run: &'a RunId,
    status: &'static str,
}

/// Tells a result; the exit code that goes with it.
pub(crate) fn tell(
    console: &Console,
    run: Option<&RunId>,
    result: StepResult<Value>,
) -> Result<u8, Failure> {
    let answer = Answer::new(result);
    let code = exit_code(answer.status, answer.category());
    for loss in &answer.losses {
        console.note(&format!("degraded: {}: {}", loss.what, loss.why));
    }
    if let Some(doubt) = &answer.doubt {
        console.note(&format!("uncertain: {doubt}"));
    }
    if let Some(reason) = &answer.reason {
        console.note(&format!("skipped: {reason}"));
    }
    if let Some(error) = &answer.error {
        console.error(error, None);
        if let Some(run) = run {
            console.note(&format!("to see more: consort show {}", run_ref::short(run)));
        }
    }
    if console.json {
        console.print_json(&Told { run, answer: &answer })?;
    } else if let Some(value) = &answer.value {
        console.print_json(value)?;
    }
    Ok(code)
}

/// Tells the id of a run that nobody waits for.
pub(crate) fn detached(console: &Console, run: &RunId, why: &str) -> Result<u8, Failure> {
    console.note(&format!("{why}; to wait for it: consort resume {}", run_ref::short(run)));
    if console.json {
        console.print_json(&Detached { run, status: "detached" })?;
    } else {
        console.print(&format!("{run}\n"))?;
    }
    Ok(0)
}
