//! `consort isolate`, `release` and `reset`: through the owner of the store, or as its owner.

use std::time::Duration;

use consort::{
    core::{
        Category, Context, Name, Outcome, Request, StepError, StepResult, events::Event,
        journal::Message,
    },
    infrastructure::resilience::request::{Isolate, One, Operate},
};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Notify;

use crate::{
    args,
    console::Console,
    engine::{Engine, Store},
    fail::{Failure, exit_code},
    health,
    reading::{self, Posted},
    settings::Settings,
};

/// How long a run that only waits may take to leave memory; it does after a second.
const PARKED: Duration = Duration::from_secs(3);

/// The answer under `--json`.
#[derive(Debug, Serialize)]
struct Steered {
    callee: String,
    done: Done,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Done {
    /// Calls are refused, by the next processes too.
    Isolated,
    /// Calls get through.
    Released,
    /// Its breakers are closed and what was seen is forgotten.
    Reset,
    /// There was nothing to do.
    Nothing,
    /// The owner of the store has it.
    Taken,
    /// It waits for the owner of the store, or for the next one.
    Queued,
}

impl Done {
    fn words(self) -> &'static str {
        match self {
            Self::Isolated => "isolated; to end that: consort release",
            Self::Released => "released; the first calls are probes",
            Self::Reset => "reset",
            Self::Nothing => "nothing to do",
            Self::Taken => "taken by the owner of the store",
            Self::Queued => "queued for the owner of the store",
        }
    }
}

pub(crate) async fn isolate(
    settings: &Settings,
    console: &Console,
    typed: args::Isolate,
) -> Result<u8, Failure> {
    let args::Isolate { callee, reason } = typed;
    let ask = Operate::Isolate(Isolate { callee: callee.clone(), reason });
    steer(settings, console, callee, ask, Done::Isolated).await
}

pub(crate) async fn release(
    settings: &Settings,
    console: &Console,
    typed: args::Steer,
) -> Result<u8, Failure> {
    let callee = typed.callee;
    let ask = Operate::Release(One { callee: callee.clone() });
    steer(settings, console, callee, ask, Done::Released).await
}

pub(crate) async fn reset(
    settings: &Settings,
    console: &Console,
    typed: args::Steer,
) -> Result<u8, Failure> {
    let callee = typed.callee;
    let ask = Operate::Reset(One { callee: callee.clone() });
    steer(settings, console, callee, ask, Done::Reset).await
}

async fn steer(
    settings: &Settings,
    console: &Console,
    callee: String,
    ask: Operate,
    done: Done,
) -> Result<u8, Failure> {
    let request = serde_json::to_value(&ask).map_err(|error| {
        StepError::new(Category::Internal, "a request cannot be written").because(&error)
    })?;
    let (done, reason) = match Engine::open(settings, console, false).await? {
        Store::Others(_) => (through_owner(settings, &callee, request, done).await?, None),
        Store::Ours(mut engine) => {
            let consort = engine.consort();
            let asking = consort.facade().orchestrate(Operate::CALLEE, Context::default(), request);
            let result: StepResult<Value> = engine.during(asking, |_| {}).await?;
            if done == Done::Isolated && result.is_ok() {
                settle(&mut engine).await?;
            }
            // What is held off from now on is a run that nobody need wait for.
            engine.leave().await?;
            match result? {
                Outcome::Skipped { reason } => (Done::Nothing, Some(reason)),
                _ => (done, None),
            }
        }
    };
    if console.json {
        console.print_json(&Steered { callee, done, reason })?;
    } else {
        let words = reason.as_deref().unwrap_or(done.words());
        console.note(&format!("{callee}: {words}"));
    }
    Ok(if done == Done::Nothing { exit_code(consort::core::Status::Skipped, None) } else { 0 })
}

/// Lets the run that is the record of an isolation leave memory, so that the next process does not
/// take it for unfinished work.
async fn settle(engine: &mut Engine<'_>) -> Result<(), Failure> {
    let parked = Notify::new();
    let hear = |event: &Event| {
        if matches!(event, Event::RunParked { .. }) {
            parked.notify_one();
        }
    };
    // What is not parked by then is recorded all the same.
    let _ = engine.during(tokio::time::timeout(PARKED, parked.notified()), hear).await?;
    Ok(())
}

/// Asks the owner, and looks in the store whether it has done it.
async fn through_owner(
    settings: &Settings,
    callee: &str,
    request: Value,
    done: Done,
) -> Result<Done, StepError> {
    let journal = reading::needed(settings).await?;
    let held = async || -> Result<bool, StepError> {
        Ok(health::isolations(&*journal).await?.iter().any(|one| one.callee == callee))
    };
    if done == Done::Released && !held().await? {
        return Ok(Done::Nothing);
    }
    let name = Name::new(Operate::CALLEE)
        .map_err(|error| StepError::new(Category::Internal, error.to_string()))?;
    let message = Message::Custom { orchestrator: name, request };
    match reading::post(settings.store()?, &*journal, message).await? {
        Posted::Queued => Ok(Done::Queued),
        // The owner has dealt with it before the message leaves the inbox.
        Posted::Taken => match done {
            Done::Isolated if !held().await? => {
                let message = format!("the owner of the store refused to isolate `{callee}`");
                Err(StepError::new(Category::NotFound, message)
                    .hint("check the name; `consort list` and `consort health` show what exists"))
            }
            Done::Isolated | Done::Released => Ok(done),
            Done::Reset | Done::Nothing | Done::Taken | Done::Queued => Ok(Done::Taken),
        },
    }
}
