//! One process-equivalent: a runtime of its own, a facade on the surviving journal, and the clients
//! who ask, send events and wait.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use consort_core::{
    BasicGuards, Category, Clock, Context, EventName, Facade, IdempotencyKey, StepError,
    StepResult, TenantId, Timestamp,
};
use consort_durable::MemoryJournal;
use futures_util::future::join_all;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Scenario, Side,
    chance::{Draws, Virtual},
    cut::Cut,
    world::{Outside, World},
};

/// When the first process starts: 2026-01-01 00:00 UTC.
pub(super) const BEGIN: Timestamp = Timestamp(1_767_225_600_000);

/// How one request ended for its client.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ending {
    Answered(StepResult<Value>),
    /// Nothing was started, for this reason.
    Refused(StepError),
    Hung,
}

/// How a process ended.
pub(super) enum Life {
    /// Everybody was answered, and it was closed.
    Finished(Vec<Ending>),
    /// It was stopped at the chosen point.
    Stopped,
    /// It could not start.
    Broken(StepError),
}

/// What the clients know; they outlive the process as well.
#[derive(Debug)]
pub(super) struct Clients {
    /// Which events were acknowledged.
    told: Mutex<Vec<bool>>,
    /// Wall time when a process ends.
    now: Mutex<Timestamp>,
}

impl Clients {
    pub(super) fn new(scenario: &Scenario) -> Self {
        Self { told: Mutex::new(vec![false; scenario.events.len()]), now: Mutex::new(BEGIN) }
    }
}

/// Lives one process until everybody is answered, or until it is stopped.
pub(super) fn live(
    scenario: &Scenario,
    store: MemoryJournal,
    outside: &Arc<Outside>,
    number: u32,
    at: Option<(Side, usize)>,
    clients: &Clients,
) -> Life {
    let world = World::new(outside.clone(), number);
    let stopped = CancellationToken::new();
    let journal = Cut::new(store, world.clone(), at, stopped.clone());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing from the system");
    let begun = *clients.now.lock().unwrap_or_else(PoisonError::into_inner);
    let life = runtime.block_on(async {
        let clock = Arc::new(Virtual::from(begun));
        let draws = Draws::after(scenario.seed, outside.lock().drawn, number);
        let life = tokio::select! {
            biased;
            () = stopped.cancelled() => Life::Stopped,
            ended = run(scenario, journal, &world, Ports { clock: clock.clone(), draws }, clients) => {
                ended.map_or_else(Life::Broken, Life::Finished)
            }
        };
        *clients.now.lock().unwrap_or_else(PoisonError::into_inner) = clock.utc();
        life
    });
    // From here on the dead process must not be heard of, whatever its destructors do.
    world.life.stopped.store(true, Ordering::SeqCst);
    life
}

struct Ports {
    clock: Arc<Virtual>,
    draws: Draws,
}

#[derive(Debug)]
struct Shared(Arc<Virtual>);

impl Clock for Shared {
    fn utc(&self) -> Timestamp {
        self.0.utc()
    }
}

async fn run(
    scenario: &Scenario,
    journal: Arc<Cut>,
    world: &World,
    ports: Ports,
    clients: &Clients,
) -> Result<Vec<Ending>, StepError> {
    let guards = BasicGuards {
        random: Arc::new(Draws::after(!scenario.seed, 0, world.process())),
        ..BasicGuards::default()
    };
    let builder = Facade::builder()
        .clock(Shared(ports.clock.clone()))
        .random(ports.draws)
        .step_guards(guards);
    let facade = (scenario.configure)(builder).build(journal)?;
    let registrations = if world.process() == 1 || scenario.upgrade.is_empty() {
        &scenario.registrations
    } else {
        &scenario.upgrade
    };
    for register in registrations {
        register(facade.clone(), world.clone()).await?;
    }
    facade.start(true).await?;
    let end = Instant::now() + scenario.limit;
    let ask = |index| client(scenario, &facade, &ports.clock, clients, index, end);
    let endings = join_all((0..scenario.requests.len()).map(ask)).await;
    facade.close(scenario.limit).await?;
    Ok(endings)
}

/// Asks, sends the events that belong to the request, and waits for the answer.
async fn client(
    scenario: &Scenario,
    facade: &Facade,
    clock: &Virtual,
    clients: &Clients,
    index: usize,
    end: Instant,
) -> Ending {
    let (name, request) = &scenario.requests[index];
    let key = IdempotencyKey::new(format!("explore-{index}")).expect("visible ASCII");
    let cx = Context::new(TenantId::default()).idempotency_key(key);
    // In a resumed process this finds the run that was started before.
    let mut handle = match facade.start_run(name, cx, request.clone()).await {
        Ok(handle) => handle,
        Err(error) => return Ending::Refused(error),
    };
    let run = handle.id().cloned();
    let tell = async {
        for (number, event) in scenario.events.iter().enumerate() {
            let told = || clients.told.lock().unwrap_or_else(PoisonError::into_inner);
            let (Some(run), false) = (&run, event.request != index || told()[number]) else {
                continue;
            };
            let due = BEGIN.after(event.after).since(clock.utc());
            tokio::time::sleep(due).await;
            match facade.signal(run, event.name.clone(), event.data.clone()).await {
                Ok(()) => told()[number] = true,
                // The run has ended without it.
                Err(error) if error.category() == Category::Conflict => told()[number] = true,
                Err(_) => {}
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        answer = &mut handle => Ending::Answered(answer),
        () = tell => Ending::Hung,
        () = tokio::time::sleep_until(end) => Ending::Hung,
    }
}

/// An event that a client sends.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) request: usize,
    pub(super) name: EventName,
    pub(super) data: Value,
    pub(super) after: Duration,
}
