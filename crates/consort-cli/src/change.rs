//! `consort cancel` and `consort signal`: through the owner of the store, or as its owner.

use std::time::Duration;

use consort::{
    Consort,
    core::{
        Category, EventName, RunId, StepError,
        journal::{Message, RunFilter},
        record::RunState,
    },
};
use serde::Serialize;
use serde_json::Value;

use crate::{
    args,
    console::Console,
    engine::{Engine, Store},
    fail::Failure,
    reading::{self, Posted},
    run_ref,
    settings::Settings,
};

/// How long the runs below a cancelled one may take to end as well.
const BELOW: Duration = Duration::from_secs(2);

/// The answer of `cancel` and `signal` under `--json`.
#[derive(Debug, Serialize)]
struct Changed<'a> {
    run: &'a RunId,
    done: Done,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Done {
    /// The run has ended.
    Cancelled,
    /// It is on record; what follows from it comes when the run goes on.
    Recorded,
    /// The owner of the store has it.
    Taken,
    /// It waits for the owner of the store, or for the next one.
    Queued,
}

impl Done {
    fn words(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Recorded => "recorded; it takes effect when the run goes on: consort resume",
            Self::Taken => "taken by the owner of the store",
            Self::Queued => "queued for the owner of the store",
        }
    }
}

fn tell(console: &Console, run: &RunId, done: Done) -> Result<u8, Failure> {
    if console.json {
        console.print_json(&Changed { run, done })?;
    } else {
        console.note(&format!("run {}: {}", run_ref::short(run), done.words()));
    }
    Ok(0)
}

pub(crate) async fn cancel(
    settings: &Settings,
    console: &Console,
    typed: args::Cancel,
) -> Result<u8, Failure> {
    let run = reading::find(settings, &typed.run).await?;
    let done = match Engine::open(settings, console, false).await? {
        Store::Others(_) => {
            ask(settings, &run, Message::Cancel { run: run.clone(), reason: typed.reason }).await?
        }
        Store::Ours(mut engine) => {
            let consort = engine.consort();
            let ending = end(&consort, &run, &typed.reason);
            let done = engine.during(ending, |_| {}).await?;
            engine.close().await?;
            done?
        }
    };
    tell(console, &run, done)
}

/// Cancels a run of ours and waits until it, and what is below it, has ended.
async fn end(consort: &Consort, run: &RunId, reason: &str) -> Result<Done, StepError> {
    let facade = consort.facade();
    let mut changes = facade.events();
    facade.cancel(run, reason).await?;
    match facade.attach_to(run).await {
        Err(error) if error.category() == Category::RunBlocked => return Ok(Done::Recorded),
        handle => {
            // Its result is that it was cancelled, which we know, unless it ended by itself.
            let _ = handle?.await;
        }
    }
    let below = async {
        while unfinished_below(consort, run).await? {
            changes.next().await;
        }
        Ok::<_, StepError>(())
    };
    // What takes longer is cancelled at the next start.
    tokio::time::timeout(BELOW, below).await.unwrap_or(Ok(()))?;
    Ok(Done::Cancelled)
}

async fn unfinished_below(consort: &Consort, run: &RunId) -> Result<bool, StepError> {
    let filter = RunFilter { tree: Some(run.tree()), limit: usize::MAX, ..RunFilter::default() };
    let prefix = format!("{run}/");
    let tree = consort.facade().runs(filter).await?;
    Ok(tree.iter().any(|one| one.state != RunState::Ended && one.id.as_str().starts_with(&prefix)))
}

pub(crate) async fn signal(
    settings: &Settings,
    console: &Console,
    typed: args::Signal,
) -> Result<u8, Failure> {
    let event = EventName::new(&typed.event).map_err(|error| Failure::Usage(error.to_string()))?;
    let data: Value = serde_json::from_str(&typed.data)
        .map_err(|error| Failure::Usage(format!("`--data` is not JSON: {error}")))?;
    let run = reading::find(settings, &typed.run).await?;
    let done = match Engine::open(settings, console, false).await? {
        Store::Others(_) => {
            ask(settings, &run, Message::Event { run: run.clone(), event, data }).await?
        }
        Store::Ours(mut engine) => {
            let consort = engine.consort();
            let sending = consort.facade().signal(&run, event, data);
            let sent = engine.during(sending, |_| {}).await?;
            engine.close().await?;
            sent.map(|()| Done::Recorded)?
        }
    };
    tell(console, &run, done)
}

/// Asks the owner, after making sure that it can do anything about it.
async fn ask(settings: &Settings, run: &RunId, message: Message) -> Result<Done, StepError> {
    let journal = reading::needed(settings).await?;
    let past = journal.history(run).await?;
    if past.is_some_and(|past| past.ended.is_some()) {
        return Err(StepError::new(Category::Conflict, format!("run `{run}` has ended")));
    }
    Ok(match reading::post(settings.store()?, &*journal, message).await? {
        Posted::Taken => Done::Taken,
        Posted::Queued => Done::Queued,
    })
}
