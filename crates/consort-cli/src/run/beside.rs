//! Runs in a store that another process owns: asked for through its inbox, followed by reading.

use consort::{
    capabilities::Config,
    core::{
        Category, Clock, Name, Random, RequestId, RunId, StepError, StepResult, SystemClock,
        SystemRandom, TenantId,
        events::{Event, Heard},
        journal::{Journal, Message, StartRequest},
    },
};
use serde_json::Value;

use super::{Order, is_durable};
use crate::{
    answer,
    console::Console,
    engine::{Engine, Store},
    fail::Failure,
    interrupt::Interrupts,
    reading::{self, LOOK, Posted},
    settings::Settings,
};

/// Looks between two tries to take over from an owner that may be gone.
const TRY_EVERY: u32 = 10;

pub(super) async fn run(
    settings: &Settings,
    console: &Console,
    order: Order,
    owned: StepError,
) -> Result<u8, Failure> {
    let known = Engine::in_memory(settings, console, Config::default()).await?;
    let durable = is_durable(&known.consort(), &order.name);
    known.close().await?;
    if !durable {
        let hint =
            format!("only durable orchestrators run beside an owner, `{}` is none", order.name);
        return Err(owned.hint(hint).into());
    }
    let journal = reading::needed(settings).await?;
    let start = request(&order)?;
    let run = start.id.clone();
    let name = start.orchestrator.clone();
    let posted =
        reading::post(settings.store()?, &*journal, Message::Start(Box::new(start))).await?;
    if posted == Posted::Queued {
        console.note("the owner of the store has not taken it yet");
    }
    if order.detach && posted == Posted::Queued {
        return answer::detached(console, &run, "queued for the owner of the store");
    }
    let wanted = Wanted { run, name, key: order.key };
    if order.detach {
        let run = wanted.find(&*journal).await?.ok_or_else(refused)?;
        return answer::detached(console, &run, "the owner of the store works on it");
    }
    follow(settings, console, &*journal, wanted).await
}

fn request(order: &Order) -> Result<StartRequest, StepError> {
    let now = SystemClock.utc();
    let internal =
        |error: consort::core::InvalidId| StepError::new(Category::Internal, error.to_string());
    let id = RunId::root(now.0, SystemRandom.wide());
    Ok(StartRequest {
        orchestrator: Name::new(&order.name).map_err(internal)?,
        request: order.request.clone(),
        tenant: TenantId::default(),
        request_id: RequestId::new(id.as_str()).map_err(internal)?,
        deadline: order.timeout.map(|limit| now.after(limit)),
        budget: None,
        idempotency_key: order.key.clone(),
        metadata: Default::default(),
        id,
    })
}

/// The owner does not say why; its own standard error does.
fn refused() -> StepError {
    StepError::new(Category::DependencyFailed, "the owner of the store refused the request")
        .hint("its own output says why; `consort describe` shows what it takes")
}

/// A run that was asked for.
struct Wanted {
    run: RunId,
    name: Name,
    key: Option<consort::core::IdempotencyKey>,
}

impl Wanted {
    /// Under its own id, or the earlier one that had its key.
    async fn find(&self, journal: &dyn Journal) -> Result<Option<RunId>, StepError> {
        if let Some(key) = &self.key {
            let earlier = journal.find(&TenantId::default(), &self.name, key).await?;
            if earlier.is_some() {
                return Ok(earlier);
            }
        }
        Ok(journal.history(&self.run).await?.map(|_| self.run.clone()))
    }
}

/// Waits for the end of a run that another process works on, and takes over should it go away.
async fn follow(
    settings: &Settings,
    console: &Console,
    journal: &dyn Journal,
    wanted: Wanted,
) -> Result<u8, Failure> {
    let mut interrupts = Interrupts::listen()?;
    loop {
        for _ in 0..TRY_EVERY {
            let found = wanted.find(journal).await?;
            if let Some(run) = &found {
                let past = journal.history(run).await.map_err(StepError::from)?;
                if let Some(ended) = past.and_then(|past| past.ended) {
                    return answer::tell(console, Some(run), ended.result);
                }
            } else if journal.inbox().await.map_err(StepError::from)?.is_empty() {
                return Err(refused().into());
            }
            tokio::select! {
                code = interrupts.next() => {
                    let run = found.unwrap_or(wanted.run);
                    console.note(&format!("interrupted; run {run} goes on without us"));
                    return Err(Failure::Interrupted(code));
                }
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        if let Store::Ours(engine) = Engine::open(settings, console, true).await? {
            console.note("the owner of the store is gone; going on here");
            return take_over(engine, console, wanted).await;
        }
    }
}

async fn take_over(
    mut engine: Engine<'_>,
    console: &Console,
    wanted: Wanted,
) -> Result<u8, Failure> {
    let consort = engine.consort();
    let run = wanted.run.clone();
    let work = async {
        let mut events = consort.facade().events();
        let run = loop {
            let earlier = match &wanted.key {
                Some(key) => consort.find_run(&TenantId::default(), &wanted.name, key).await?,
                None => None,
            };
            let found = match earlier {
                Some(earlier) => Some(earlier),
                None => consort.facade().history(&run).await.ok().map(|_| run.clone()),
            };
            if let Some(found) = found {
                break found;
            }
            // Our request is still in the inbox, which the new owner reads now.
            let heard = events.next().await;
            if matches!(heard, Some(Heard::Event(event)) if is_refusal(&event)) {
                return Err(refused());
            }
        };
        let result: StepResult<Value> = consort.facade().attach_to(&run).await?.await;
        Ok::<_, StepError>((run, result))
    };
    let (run, result) = engine.during(work, |_| {}).await??;
    engine.close().await?;
    answer::tell(console, Some(&run), result)
}

fn is_refusal(event: &Event) -> bool {
    matches!(event, Event::MessageRefused { .. })
}

/// Asks the owner to look at a run again.
pub(super) async fn resume(
    settings: &Settings,
    console: &Console,
    run: RunId,
) -> Result<u8, Failure> {
    let journal = reading::needed(settings).await?;
    let past = journal.history(&run).await.map_err(StepError::from)?;
    if let Some(ended) = past.and_then(|past| past.ended) {
        console.note("the run has ended before");
        return answer::tell(console, Some(&run), ended.result);
    }
    let message = Message::Resume { run: run.clone() };
    match reading::post(settings.store()?, &*journal, message).await? {
        Posted::Taken => answer::detached(console, &run, "the owner of the store works on it"),
        Posted::Queued => answer::detached(console, &run, "queued for the owner of the store"),
    }
}
