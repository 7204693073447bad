//! `consort isolate`, `release`, `reset` and `configure`: through the owner of the store, or as its owner.

use std::time::Duration;

use consort::{
    capabilities,
    core::{
        Category, Context, Name, Outcome, Request, StepError, StepResult, events::Event,
        journal::Message,
    },
    durable::sqlite::has_owner,
    infrastructure::{
        Callee, Guards,
        resilience::{
            request::{Configure, Isolate, One, Operate},
            steerable,
        },
    },
};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Notify;

use crate::{
    args,
    console::Console,
    engine::{Engine, Store, is_known},
    fail::{Failure, exit_code},
    health,
    reading::{self, Posted, blocking},
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

/// Only the owner of the store can be changed: what this process would change ends with it.
pub(crate) async fn configure(
    settings: &Settings,
    console: &Console,
    typed: args::Configure,
) -> Result<u8, Failure> {
    let guards = typed.guards();
    let args::Configure { callee, preset, .. } = typed;
    if preset.is_none() && guards.is_null() {
        let error = StepError::new(Category::InvalidRequest, "nothing to configure is named");
        return Err(error.hint("name a --preset, or what differs with --set").into());
    }
    // What can never be is refused here, where there is somebody to tell.
    steerable(&callee)?;
    let checked = Callee { preset, guards: guards.clone() };
    Guards::new(settings.resilience.clone())?.configure(&callee, &checked)?;
    let path = settings.store()?.path.clone();
    if !blocking(move || has_owner(&path)).await? {
        let why = "no process owns the store; what shall hold from its start on belongs in the \
                   file of --config";
        return tell(console, callee, Done::Nothing, Some(why.to_owned()));
    }
    let ask = Operate::Configure(Configure { callee: callee.clone(), preset, guards });
    let here = Engine::in_memory(settings, console, capabilities::Config::default()).await?;
    if !is_known(here.consort().facade(), &callee) {
        console.note(&format!("warning: `{callee}` is not known here; the owner may know it"));
    }
    here.leave().await?;
    let done = through_owner(settings, &callee, written(&ask)?, Done::Taken).await?;
    tell(console, callee, done, None)
}

fn written(ask: &Operate) -> Result<Value, StepError> {
    serde_json::to_value(ask).map_err(|error| {
        StepError::new(Category::Internal, "a request cannot be written").because(&error)
    })
}

async fn steer(
    settings: &Settings,
    console: &Console,
    callee: String,
    ask: Operate,
    done: Done,
) -> Result<u8, Failure> {
    let request = written(&ask)?;
    let (done, reason) = match Engine::open(settings, console, false).await? {
        Store::Others(_) => {
            let done = through_owner(settings, &callee, request, done).await?;
            (done, (done == Done::Nothing).then(|| format!("`{callee}` is not isolated")))
        }
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
    tell(console, callee, done, reason)
}

fn tell(
    console: &Console,
    callee: String,
    done: Done,
    reason: Option<String>,
) -> Result<u8, Failure> {
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
