//! What the engine's events sound like on standard error.

use consort::core::{Category, Status, events::Event};

use crate::{console::Console, settings::Talk, text::took};

/// Tells an event if the user wants to know that much.
pub(crate) fn tell(console: &Console, event: &Event) {
    let (talk, text) = words(event);
    if console.tells(talk) {
        console.note(&text);
    }
}

/// An event in words, and how talkative one must be to tell it.
fn words(event: &Event) -> (Talk, String) {
    use Event as E;
    use Talk::{Everything, Normal, Verbose};
    match event {
        E::RunStarted { run, orchestrator, version, .. } => {
            (Verbose, format!("run {run}: `{orchestrator} {version}` started"))
        }
        E::RunResumed { run } => (Verbose, format!("run {run}: taken up again")),
        E::RunParked { run } => (Verbose, format!("run {run}: waits")),
        E::RunEnded { run, status, category, took: time, .. } => {
            (Verbose, format!("run {run}: {} after {}", how(*status, *category), took(*time)))
        }
        E::Progress { run, done, total, doing } => {
            (Verbose, format!("run {run}: {done}/{total} {doing}"))
        }
        E::StepEnded { run, position, callee, status, category, attempts, took: time, .. } => {
            let place = position.map(|position| format!("{position} ")).unwrap_or_default();
            let tries =
                if *attempts > 1 { format!(", {attempts} attempts") } else { String::new() };
            let (how, time) = (how(*status, *category), took(*time));
            (Everything, format!("run {run}: step {place}`{callee}` {how} after {time}{tries}"))
        }
        E::GuardFired { callee, fired, .. } => {
            (Verbose, format!("guard {} at `{callee}`: {}", fired.guard, fired.did))
        }
        E::Unconsumed { signal, name } => {
            (Everything, format!("signal {signal}: nobody listens for `{name}`"))
        }
        E::Overrun { run, callee, by } => {
            (Normal, format!("warning: run {run}: `{callee}` cost {by} more than declared"))
        }
        E::CleanupFailed { run, why, .. } => {
            (Normal, format!("warning: run {run}: the clean-up failed: {why}"))
        }
        E::TaskFailed { task, why, disabled } => {
            let then = if *disabled { "; it stays off" } else { "" };
            (Normal, format!("warning: background task `{task}` failed: {why}{then}"))
        }
        E::RunBlocked { run, orchestrator, version } => {
            let what = format!("`{orchestrator} {version}` is not registered");
            (Normal, format!("warning: run {run} cannot go on: {what}"))
        }
        E::MessageRefused { message, why } => {
            (Normal, format!("warning: request {message} of another process refused: {why}"))
        }
        E::StoreFailed { doing, why } => {
            (Normal, format!("warning: the store failed at {doing}: {why}"))
        }
    }
}

fn how(status: Status, category: Option<Category>) -> String {
    match category {
        Some(category) => format!("{} ({category})", status.name()),
        None => status.name().to_owned(),
    }
}
