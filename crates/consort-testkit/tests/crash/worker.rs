//! One life: opens the store, takes up what is unfinished, and keeps clients busy until it dies.

use std::{path::Path, process::ExitCode, sync::Arc, time::Duration};

use consort_core::{
    BasicGuards, Category, Clock, EventName, Facade, IdempotencyKey, Limits, StepError, StepResult,
    SystemClock, TenantId,
    events::{Event, EventStream, Heard},
    journal::Journal,
    record::Record,
};
use consort_durable::{SqliteJournal, sqlite};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::{
    args::{Life, Task},
    capabilities,
    evidence::Evidence,
    noted::Noted,
    witness::{self, Memory, Note, Witness},
    workflows,
};

/// Clients that wait at the same time.
const CLIENTS: usize = 40;

/// Where the store is.
pub(crate) fn store(directory: &Path) -> std::path::PathBuf {
    directory.join("runs.db")
}

/// Lives until it is killed, or in a draining life until everything has ended.
pub(crate) fn live(life: &Life) -> ExitCode {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let lived = match runtime {
        Ok(runtime) => runtime
            .block_on(work(life))
            .map_err(|error| format!("{error}: {}", error.causes().join(": "))),
        Err(error) => Err(error.to_string()),
    };
    match lived {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("a life ended early: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn work(life: &Life) -> Result<(), StepError> {
    let io =
        |error: std::io::Error| StepError::new(Category::Internal, "the witness").because(&error);
    let witness = Arc::new(Witness::open(&life.directory).map_err(io)?);
    let memory = Memory::of(&witness::read(&life.directory));
    let inner = SqliteJournal::open(store(&life.directory), sqlite::Options::default())?;
    witness.note(&found(&inner).await?);
    let lie = life.task == Task::Lie;
    let journal = Noted { inner, witness: witness.clone(), lie };
    let limits =
        Limits { park_after: Duration::from_millis(15), events: 1 << 16, ..Limits::default() };
    let guards = BasicGuards { base: Duration::from_millis(2), ..BasicGuards::default() };
    let facade = Facade::builder().limits(limits).step_guards(guards).build(Arc::new(journal))?;
    capabilities::register(&facade, &witness)?;
    workflows::register(&facade).await?;
    let listener = listen(facade.events(), witness.clone(), life.asked_at);
    witness.note(&[Note::Ready]);
    let clients = async {
        facade.start(true).await?;
        serve(&facade, &witness, memory, life.task == Task::Drain).await
    };
    tokio::select! {
        () = listener => {}
        served = clients => served?,
    }
    facade.close(Duration::from_secs(10)).await.map(drop)
}

/// Every finished step of an unfinished run that is on disk: none of them may run again, whether or
/// not the process that wrote it lived to hear so.
async fn found(journal: &SqliteJournal) -> Result<Vec<Note>, StepError> {
    let mut notes = Vec::new();
    for open in journal.open_runs().await? {
        let Some(history) = journal.history(&open.id).await? else { continue };
        let step = |record: &Record| match record {
            Record::Step(step) => Some(Note::Found { key: Evidence::key(&open.id, step.position) }),
            _ => None,
        };
        notes.extend(history.records.iter().filter_map(step));
    }
    Ok(notes)
}

/// Notes when the first unfinished run is taken up, and everything that must not happen.
async fn listen(mut events: EventStream, witness: Arc<Witness>, asked_at: u64) {
    let mut resumed = false;
    while let Some(heard) = events.next().await {
        let Heard::Event(event) = heard else { continue };
        match &*event {
            Event::RunResumed { .. } if !resumed => {
                resumed = true;
                let after = SystemClock.utc().0.saturating_sub(asked_at);
                witness.note(&[Note::Resumed { after }]);
            }
            Event::StoreFailed { .. }
            | Event::CleanupFailed { .. }
            | Event::TaskFailed { .. }
            | Event::RunBlocked { .. }
            | Event::MessageRefused { .. } => {
                witness.note(&[Note::Fault { text: format!("{event:?}") }]);
            }
            _ => {}
        }
    }
}

/// Keeps clients busy. Those whose request was not answered in an earlier life ask again.
async fn serve(
    facade: &Facade,
    witness: &Arc<Witness>,
    memory: Memory,
    drain: bool,
) -> Result<(), StepError> {
    let last = memory.asked.last().map_or(0, |last| last + 1);
    let (places, memory) = (Arc::new(Semaphore::new(CLIENTS)), Arc::new(memory));
    for index in (0..).take_while(|index| !drain || *index < last) {
        if memory.ended.contains(&index) {
            continue;
        }
        let Ok(place) = places.clone().acquire_owned().await else { break };
        let (facade, witness, memory) = (facade.clone(), witness.clone(), memory.clone());
        let client = async move {
            if let Err(error) = client(&facade, &witness, &memory, index).await {
                let text = format!("client {index}: {error}: {}", error.causes().join(": "));
                witness.note(&[Note::Fault { text }]);
            }
            drop(place);
        };
        #[expect(clippy::disallowed_methods, reason = "clients are outside the engine")]
        tokio::spawn(client);
    }
    // When all places are free again, nobody waits any more.
    let _ = places.acquire_many(CLIENTS as u32).await;
    Ok(())
}

/// Asks under a key, sends the event that the run waits for, and waits for the result.
async fn client(
    facade: &Facade,
    witness: &Witness,
    memory: &Memory,
    index: u64,
) -> Result<(), StepError> {
    let key = IdempotencyKey::new(format!("client-{index}"))
        .map_err(|error| StepError::new(Category::Internal, error.to_string()))?;
    let cx = facade.context(TenantId::default()).idempotency_key(key);
    if !memory.asked.contains(&index) {
        witness.note(&[Note::Asked { index }]);
    }
    let handle = facade.start_run("mixed", cx, json!({ "index": index })).await?;
    let Some(run) = handle.id().cloned() else { return Ok(()) };
    witness.note(&[Note::Started { index, run: run.to_string() }]);
    if let (Some(data), false) = (workflows::event(index), memory.told.contains(&index)) {
        tokio::time::sleep(Duration::from_millis(20 + data % 50)).await;
        let name = EventName::new("go")
            .map_err(|error| StepError::new(Category::Internal, error.to_string()))?;
        match facade.signal(&run, name, data.into()).await {
            // It was accepted in an earlier life that died before it could say so.
            Err(error) if error.category() == Category::Conflict => {}
            accepted => accepted?,
        }
        witness.note(&[Note::Told { index }]);
    }
    let result = text(&handle.await);
    witness.note(&[Note::Ended { index, result }]);
    Ok(())
}

/// A result as one line.
pub(crate) fn text(result: &StepResult<Value>) -> String {
    match result {
        Ok(outcome) => serde_json::to_string(outcome).unwrap_or_default(),
        Err(error) => format!("{}: {error}", error.category()),
    }
}
