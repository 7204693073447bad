//! Durable runs: started, woken, parked, cancelled, resumed and forked. One driver task per run
//! that is in memory; a run that only waits is a row in the journal.

mod driver;
mod start;
mod timers;
mod tree;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;
pub use start::RunHandle;
pub(crate) use start::{Handle, fork, start_root, start_root_as};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    Category, EventName, Name, RunId, Spend, StepError, StepResult, Version,
    events::Event,
    journal::{Batch, JournalErrorKind, OpenRun},
    record::{History, Record},
    run::Host,
};

/// What a driver can be told.
#[derive(Debug)]
pub(crate) enum Mail {
    Event { event: EventName, data: Value },
    Child { position: u32, result: StepResult<Value>, spend: Spend },
    Cancel { reason: String },
}

/// The state that drivers share.
#[derive(Debug)]
pub(crate) struct Engine {
    active: Mutex<HashMap<RunId, mpsc::Sender<Mail>>>,
    waiters: Mutex<HashMap<RunId, Vec<oneshot::Sender<StepResult<Value>>>>>,
    blocked: Mutex<HashMap<RunId, (Name, Version)>>,
    trees: tree::Trees,
    timers: timers::Timers,
    /// Cancelled when drivers must let go of their runs without ending them.
    suspend: CancellationToken,
    mailbox: usize,
}

impl Engine {
    pub(crate) fn new(mailbox: usize) -> Self {
        Self {
            active: Mutex::default(),
            waiters: Mutex::default(),
            blocked: Mutex::default(),
            trees: tree::Trees::default(),
            timers: timers::Timers::default(),
            suspend: CancellationToken::new(),
            mailbox,
        }
    }

    fn active(&self) -> MutexGuard<'_, HashMap<RunId, mpsc::Sender<Mail>>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiters(&self) -> MutexGuard<'_, HashMap<RunId, Vec<oneshot::Sender<StepResult<Value>>>>> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn blocked(&self) -> MutexGuard<'_, HashMap<RunId, (Name, Version)>> {
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs in memory.
    pub(crate) fn in_memory(&self) -> usize {
        self.active().len()
    }

    /// Unfinished runs whose version is not registered.
    pub(crate) fn blocked_runs(&self) -> Vec<(RunId, Name, Version)> {
        let mut all: Vec<_> =
            self.blocked().iter().map(|(id, (n, v))| (id.clone(), n.clone(), v.clone())).collect();
        all.sort();
        all
    }

    /// Tells whoever waits for the run.
    fn answer(&self, run: &RunId, result: &StepResult<Value>) {
        for waiter in self.waiters().remove(run).unwrap_or_default() {
            // A waiter that left does not mind.
            let _ = waiter.send(result.clone());
        }
    }

    fn wait(&self, run: &RunId) -> oneshot::Receiver<StepResult<Value>> {
        let (tell, told) = oneshot::channel();
        let mut waiters = self.waiters();
        let all = waiters.entry(run.clone()).or_default();
        all.retain(|waiter| !waiter.is_closed());
        all.push(tell);
        told
    }

    /// Puts a message into the mailbox of a run in memory. `Ok(false)` when it is not in memory.
    fn mail(&self, run: &RunId, mail: Mail) -> Result<bool, StepError> {
        let active = self.active();
        let Some(mailbox) = active.get(run) else { return Ok(false) };
        match mailbox.try_send(mail) {
            Ok(()) => Ok(true),
            Err(mpsc::error::TrySendError::Closed(_)) => Ok(false),
            Err(mpsc::error::TrySendError::Full(_)) => {
                let message = format!("run `{run}` has {} messages it has not read", self.mailbox);
                Err(StepError::new(Category::Overloaded, message))
            }
        }
    }
}

/// Cuts a run loose from memory; it goes on at the next start.
pub(crate) fn suspended(run: &RunId) -> StepError {
    StepError::new(Category::ShuttingDown, format!("run `{run}` is suspended"))
        .hint("it goes on at the next start of whoever owns the store")
}

fn ended_already(run: &RunId) -> StepError {
    StepError::new(Category::Conflict, format!("run `{run}` has ended"))
}

pub(crate) fn no_such_run(run: &RunId) -> StepError {
    StepError::new(Category::NotFound, format!("there is no run `{run}`"))
}

/// Everything recorded about a run.
pub(crate) async fn history(host: &Host, run: &RunId) -> Result<History, StepError> {
    host.journal.history(run).await?.ok_or_else(|| no_such_run(run))
}

/// Appends to a run that has not ended, telling the two reasons why that can fail apart.
async fn append(
    host: &Host,
    run: &RunId,
    mut batch: Batch,
    record: Record,
) -> Result<(), StepError> {
    batch.entries.push((run.clone(), record));
    match host.journal.commit(batch).await {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == JournalErrorKind::NoSuchRun => {
            history(host, run).await?;
            Err(ended_already(run))
        }
        Err(error) => Err(error.into()),
    }
}

/// Delivers an external event. The first event of a name counts.
pub(crate) async fn event(
    host: &Arc<Host>,
    run: &RunId,
    event: EventName,
    data: Value,
    batch: Batch,
) -> Result<(), StepError> {
    crate::payload::check_size(&data)?;
    let at = host.clock.utc();
    let record = Record::Event { event: event.clone(), data: data.clone(), at };
    append(host, run, batch, record).await?;
    if !host.engine.mail(run, Mail::Event { event, data })? {
        wake(host, run);
    }
    Ok(())
}

/// Asks a run and everything below it to end.
pub(crate) async fn cancel(
    host: &Arc<Host>,
    run: &RunId,
    reason: &str,
    batch: Batch,
) -> Result<(), StepError> {
    let record = Record::Cancel { reason: reason.to_owned(), at: host.clock.utc() };
    append(host, run, batch, record).await?;
    if !host.engine.mail(run, Mail::Cancel { reason: reason.to_owned() })? {
        wake(host, run);
    }
    Ok(())
}

/// Takes a run up again that is not in memory. Does nothing if it is, has ended, or is blocked.
pub(crate) fn wake(host: &Arc<Host>, run: &RunId) {
    let Some(mailbox) = claim(host, run) else { return };
    let (shared, id) = (host.clone(), run.clone());
    let spawned = host.tasks.spawn_once(async move {
        driver::resume(shared, id, mailbox).await;
    });
    if !spawned {
        host.engine.active().remove(run);
    }
}

/// Makes the caller the only driver of a run. `None` when there is one already.
fn claim(host: &Host, run: &RunId) -> Option<mpsc::Receiver<Mail>> {
    let mut active = host.engine.active();
    if active.contains_key(run) {
        return None;
    }
    let (mailbox, read) = mpsc::channel(host.engine.mailbox);
    active.insert(run.clone(), mailbox);
    Some(read)
}

/// Waits for the end of a run, which may have come already.
pub(crate) async fn attach(host: &Arc<Host>, run: &RunId) -> Result<Handle, StepError> {
    // Registered before looking, so that an end in between is not missed.
    let told = host.engine.wait(run);
    let past = history(host, run).await?;
    if let Some(ended) = past.ended {
        host.engine.answer(run, &ended.result);
    } else if let Some((name, version)) = host.engine.blocked().get(run) {
        let error = blocked(run, name, version);
        drop(told);
        return Err(error);
    }
    Ok(Handle::new(run.clone(), told))
}

fn blocked(run: &RunId, name: &Name, version: &Version) -> StepError {
    StepError::new(Category::RunBlocked, format!("run `{run}` needs `{name} {version}`"))
}

/// Takes up all unfinished runs: at start, and when a version is registered that some wait for.
pub(crate) async fn resume_all(host: &Arc<Host>) -> Result<usize, StepError> {
    let open = host.journal.open_runs().await?;
    let parents: std::collections::HashSet<&RunId> = open.iter().map(|run| &run.id).collect();
    let mut resumed = 0;
    for run in &open {
        let orphan = run.id.parent().is_some_and(|parent| !parents.contains(&parent));
        if orphan {
            // Its parent ended without having the time to say so.
            cancel(host, &run.id, "its parent has ended", Batch::default()).await?;
            continue;
        }
        resumed += usize::from(resume_open(host, run));
    }
    Ok(resumed)
}

fn resume_open(host: &Arc<Host>, run: &OpenRun) -> bool {
    let known = host.registry.load().version(&run.orchestrator, &run.version).is_some();
    if !known {
        block(host, &run.id, &run.orchestrator, &run.version);
        return false;
    }
    if run.parked {
        if let Some(due) = run.due {
            host.engine.timers.set_utc(&run.id, due, &*host.clock);
        }
        return false;
    }
    wake(host, &run.id);
    true
}

fn block(host: &Host, run: &RunId, name: &Name, version: &Version) {
    host.engine.blocked().insert(run.clone(), (name.clone(), version.clone()));
    host.events.emit(|| Event::RunBlocked {
        run: run.clone(),
        orchestrator: name.clone(),
        version: version.clone(),
    });
}

/// Takes up the runs that waited for this version.
pub(crate) fn unblock(host: &Arc<Host>, name: &Name, version: &Version) {
    let ready: Vec<RunId> = {
        let mut blocked = host.engine.blocked();
        let ready: Vec<_> = blocked
            .iter()
            .filter(|(_, (n, v))| n == name && v == version)
            .map(|(id, _)| id.clone())
            .collect();
        ready.iter().for_each(|id| {
            blocked.remove(id);
        });
        ready
    };
    for run in ready {
        wake(host, &run);
    }
}

/// Lets go of all runs in memory without ending them, and waits until it is done.
pub(crate) fn suspend(host: &Host) {
    host.engine.suspend.cancel();
    host.engine.timers.stop();
}

/// The background task that wakes parked runs when they are due.
pub(crate) async fn keep_time(host: Arc<Host>) {
    let stop = host.engine.suspend.clone();
    loop {
        let due = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            due = host.engine.timers.next(&*host.clock) => due,
        };
        for run in due {
            wake(&host, &run);
        }
    }
}
