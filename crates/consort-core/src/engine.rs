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
    Category, Context, EventName, Name, RunId, Spend, StepError, StepResult, Version,
    events::Event,
    journal::{Batch, JournalErrorKind, OpenRun},
    record::{History, Record},
    run::Host,
};

/// What a driver can be told.
#[derive(Debug)]
pub(crate) enum Mail {
    Event {
        event: EventName,
        data: Value,
    },
    Child {
        position: u32,
        result: StepResult<Value>,
        spend: Spend,
        /// True when the log has an entry about it.
        recorded: bool,
    },
    Cancel {
        reason: String,
    },
}

/// The state that drivers share.
#[derive(Debug)]
pub(crate) struct Engine {
    active: Mutex<HashMap<RunId, mpsc::Sender<Mail>>>,
    waiters: Mutex<HashMap<RunId, Vec<oneshot::Sender<StepResult<Value>>>>>,
    blocked: Mutex<HashMap<RunId, (Name, Version)>>,
    /// Runs that have answered and still clean up: their end is not on record yet.
    ending: Mutex<HashMap<RunId, (StepResult<Value>, Spend)>>,
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
            ending: Mutex::default(),
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

    fn ending(&self) -> MutexGuard<'_, HashMap<RunId, (StepResult<Value>, Spend)>> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Forgets waiters of a run that have left.
    fn tidy(&self, run: &RunId) {
        let mut waiters = self.waiters();
        if let Some(all) = waiters.get_mut(run) {
            all.retain(|waiter| !waiter.is_closed());
            if all.is_empty() {
                waiters.remove(run);
            }
        }
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
        .hint("`consort show` tells how; fork it to repeat a part of it")
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

/// Asks for the end of a run without waiting for it.
pub(crate) fn cancel_later(host: &Arc<Host>, run: RunId, reason: &'static str) {
    let shared = host.clone();
    host.tasks.spawn_once(async move {
        let Err(error) = cancel(&shared, &run, reason, Batch::default()).await else { return };
        // It has ended by itself, or never began.
        let expected = [Category::NotFound, Category::Conflict];
        if !expected.contains(&error.category()) {
            let why = error.to_string();
            shared.events.emit(|| Event::StoreFailed { doing: "cancel".into(), why });
        }
    });
}

/// Waits for the run that a caller has just started, and ends it when the caller is cancelled. A
/// caller that only goes away leaves it alone.
pub(crate) async fn follow(
    host: &Arc<Host>,
    cx: &Context,
    mut handle: Handle,
) -> StepResult<Value> {
    if let Some(own) = handle.own_run().cloned() {
        tokio::select! {
            biased;
            result = &mut handle => return result,
            () = cx.0.cancel.cancelled() => cancel_later(host, own, "its caller was cancelled"),
        }
    }
    handle.await
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
    let past = history(host, run).await;
    let stuck = host.engine.blocked().get(run).map(|(name, version)| blocked(run, name, version));
    match (past, stuck) {
        (Ok(History { ended: Some(ended), .. }), _) => host.engine.answer(run, &ended.result),
        (Ok(_), None) => {}
        (Err(error), _) | (Ok(_), Some(error)) => {
            drop(told);
            host.engine.tidy(run);
            return Err(error);
        }
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

/// Lists the unfinished runs of a version that was just unregistered. They are not in memory.
pub(crate) async fn block_all(
    host: &Arc<Host>,
    name: &Name,
    version: &Version,
) -> Result<(), StepError> {
    for run in host.journal.open_runs().await? {
        let same = run.orchestrator == *name && run.version == *version;
        if same && host.registry.load().version(name, version).is_none() {
            block(host, &run.id, name, version);
            host.engine.answer(&run.id, &Err(blocked(&run.id, name, version)));
        }
    }
    Ok(())
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

/// Makes all drivers let go of their runs without ending them.
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
