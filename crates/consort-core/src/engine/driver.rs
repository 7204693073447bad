//! One durable run in memory: takes out what the orchestrator issues, has it carried out, records
//! each result, and hands over one answer per turn in the order of the record.

mod end;
mod news;
mod perform;
mod replay;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use futures_util::{
    StreamExt,
    future::BoxFuture,
    stream::{FuturesOrdered, FuturesUnordered},
};
use news::news_in;
use perform::{Finished, Passive, Performed};
use serde_json::Value;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{Mail, start::Fresh, tree::Tree};
use crate::{
    Category, Context, Deadline, EventName, Hash, Name, RunId, Spend, StepError, StepResult,
    Timestamp,
    admission::Ledger,
    cancel::Cancel,
    context::Inner,
    dispatch::until,
    events::Event,
    journal::{Batch, JournalError, JournalErrorKind},
    machine::{Machine, Turn, foreign},
    record::{LocalRecord, Record, RunStarted, StepRecord},
    registry::{Entry, OpenRun},
    run::{Host, Mode, News, Run},
    steps::{Command, Steps},
};

/// Why a driver stops without the run having ended.
enum Halt {
    /// The process stops; the run goes on at the next start.
    Suspended,
    /// The run only waits and was parked.
    Parked,
    /// The store failed; the run goes on when somebody resumes it.
    Store(StepError),
}

impl From<JournalError> for Halt {
    fn from(error: JournalError) -> Self {
        Self::Store(error.into())
    }
}

type Committed = (u32, StepResult<Value>, Vec<News>, Result<(), JournalError>);

/// What the orchestrator left to be written with the next commit.
type Unwritten = (Vec<LocalRecord>, Vec<(Hash, Arc<[u8]>)>);

/// See the module.
struct Driver {
    host: Arc<Host>,
    started: RunStarted,
    entry: Arc<Entry>,
    cx: Context,
    machine: Machine,
    tree: Arc<Tree>,
    ledger: Arc<Ledger>,
    mailbox: mpsc::Receiver<Mail>,
    open: OpenRun,

    /// True when an earlier driver may have started what the journal does not show as finished.
    resumed: bool,
    /// Answers in the order of the record, not yet handed over.
    arrived: VecDeque<(u32, StepResult<Value>)>,
    /// Issued, not yet begun.
    pending: BTreeMap<u32, Command>,
    /// Being carried out.
    running: HashMap<u32, Doing>,
    performing: FuturesUnordered<BoxFuture<'static, Performed>>,
    /// Waits for time, an event or a child.
    passive: BTreeMap<u32, Passive>,
    /// Results on their way to disk, in the order in which they were handed to the journal.
    committing: FuturesOrdered<BoxFuture<'static, Committed>>,
    /// Ends of children that arrived before the step noticed that its child runs.
    early: HashMap<u32, (StepResult<Value>, Spend)>,
    abandoned: BTreeSet<u32>,
    /// Abandoned children that have not ended: what they cost is still to be recorded.
    left: BTreeMap<u32, Passive>,
    /// Answers of steps that are computed again instead of recorded; handed over first.
    recomputed: BTreeMap<u32, StepResult<Value>>,
    unwritten: Unwritten,
    events: HashMap<EventName, Value>,
    timers: HashMap<u32, (Timestamp, Timestamp)>,
    intents: BTreeSet<u32>,
    cancelled: Option<String>,

    /// Entries in the run's log that this driver knows of.
    seen: u64,
    spent: Spend,
    /// Cost of work that the end of the run has called off: no step records it.
    unrecorded: Spend,
    /// Cost of steps that were dropped half-way.
    tab: Arc<Mutex<Spend>>,
    overrun: Spend,
    began: Instant,
}

/// What is being carried out, and so how it is called off.
enum Doing {
    /// A child is about to run, or to be found running.
    Child,
    /// A capability or an ephemeral orchestrator, which listens to this token.
    Call(Cancel),
}

/// Records a new run and starts its driver; `batch` has the record. Returns once it is on disk.
/// Everything happens even if the caller goes away in between.
pub(super) async fn spawn(
    host: &Arc<Host>,
    fresh: Fresh,
    mailbox: mpsc::Receiver<Mail>,
    batch: Batch,
) -> Result<(), JournalError> {
    let (shared, id) = (host.clone(), fresh.started.id.clone());
    let (tell, told) = oneshot::channel();
    // Queued before the task runs, so that whoever cancels the run from here on finds it.
    let committed = host.journal.commit(batch);
    host.tasks.spawn_once(async move {
        let committed = committed.await;
        let recorded = committed.is_ok();
        if !recorded {
            shared.engine.active().remove(&fresh.started.id);
            shared.engine.waiters().remove(&fresh.started.id);
            fresh.tree.close(&fresh.started.id);
        }
        // Whoever asked may be gone.
        let _ = tell.send(committed);
        if recorded {
            Driver::new(shared, fresh, mailbox).drive().await;
        }
    });
    told.await.unwrap_or_else(|_| {
        // The facade has stopped in between; if the run was recorded it goes on at the next start.
        host.engine.active().remove(&id);
        host.engine.waiters().remove(&id);
        Err(JournalError::new(JournalErrorKind::Unavailable, "the facade has stopped"))
    })
}

/// Takes up a run from its history.
pub(super) async fn resume(host: Arc<Host>, id: RunId, mailbox: mpsc::Receiver<Mail>) {
    match Driver::load(&host, &id, mailbox).await {
        Ok(Some(driver)) => driver.drive().await,
        Ok(None) => {
            host.engine.active().remove(&id);
        }
        Err(error) => {
            host.engine.active().remove(&id);
            let why = format!("{error}: {}", error.causes().join(": "));
            host.events.emit(|| Event::StoreFailed { doing: "resume".into(), why });
            host.engine.answer(&id, &Err(error));
        }
    }
}

/// The context of a durable run; without steps it is the one for `can_orchestrate`.
pub(super) fn context(
    host: &Arc<Host>,
    started: &RunStarted,
    entry: &Entry,
    ledger: &Arc<Ledger>,
    steps: Option<Steps>,
    parent: Option<Name>,
) -> Context {
    let run = Run {
        id: started.id.clone().into(),
        callee: Some(entry.descriptor.name.clone()),
        parent,
        depth: started.depth,
        origin: Some(started.origin),
        ..Run::new(host, ledger.clone(), steps.map_or(Mode::Ephemeral, Mode::Durable))
    };
    Context(Arc::new(Inner {
        tenant: started.tenant.clone(),
        request: Some(started.request_id.clone()),
        trace: Some(started.trace),
        metadata: (!started.metadata.is_empty()).then(|| Arc::new(started.metadata.clone())),
        timeout: None,
        deadline: started.deadline.map(|utc| Deadline::at_utc(utc, &*host.clock)),
        budget: None,
        idempotency_key: None,
        cancel: Cancel::default(),
        run: Some(Arc::new(run)),
    }))
}

impl Driver {
    fn new(host: Arc<Host>, fresh: Fresh, mailbox: mpsc::Receiver<Mail>) -> Self {
        let Fresh { started, entry, tree, ledger, open, parent } = fresh;
        let steps = Steps::default();
        let cx = context(&host, &started, &entry, &ledger, Some(steps.clone()), parent);
        let future = entry.twin.clone().run_json(cx.clone(), started.request.clone());
        Self {
            machine: Machine::new(future, steps),
            host,
            started,
            entry,
            cx,
            tree,
            ledger,
            mailbox,
            open,
            resumed: false,
            arrived: VecDeque::new(),
            pending: BTreeMap::new(),
            running: HashMap::new(),
            performing: FuturesUnordered::new(),
            passive: BTreeMap::new(),
            committing: FuturesOrdered::new(),
            early: HashMap::new(),
            abandoned: BTreeSet::new(),
            left: BTreeMap::new(),
            recomputed: BTreeMap::new(),
            unwritten: Unwritten::default(),
            events: HashMap::new(),
            timers: HashMap::new(),
            intents: BTreeSet::new(),
            cancelled: None,
            seen: 1,
            spent: Spend::ZERO,
            unrecorded: Spend::ZERO,
            tab: Arc::default(),
            overrun: Spend::ZERO,
            began: Instant::now(),
        }
    }

    fn id(&self) -> &RunId {
        &self.started.id
    }

    async fn drive(mut self) {
        if !self.resumed {
            crate::dispatch::announce(&self.host, &self.entry, &self.cx);
        }
        match self.run().await {
            Ok(result) => self.end(result).await,
            Err(halt) => self.halt(halt),
        }
    }

    /// Goes on until the run has a result.
    async fn run(&mut self) -> Result<StepResult<Value>, Halt> {
        if let Some(result) = self.over() {
            return Ok(result);
        }
        let mut turn = self.machine.turn();
        loop {
            if let Some(fault) = self.take_issued() {
                return Ok(Err(fault));
            }
            if let Some(over) = self.recompute().await? {
                return Ok(over);
            }
            match turn {
                Turn::Ended(result) => return Ok(self.check_end(result)),
                Turn::Waiting => {}
            }
            turn = match self.next_answer().await? {
                Next::Answer(position, result) => self.machine.deliver(position, result),
                Next::Over(result) => return Ok(result),
            };
        }
    }

    /// The next answer to hand over, in recorded order and only to whoever waits for it.
    async fn next_answer(&mut self) -> Result<Next, Halt> {
        loop {
            let recomputed = self.recomputed.keys().copied().find(|p| self.machine.awaited(*p));
            if let Some((position, result)) =
                recomputed.and_then(|p| self.recomputed.remove_entry(&p))
            {
                return Ok(Next::Answer(position, result));
            }
            if let Some(at) = self.arrived.iter().position(|(p, _)| self.machine.awaited(*p))
                && let Some((position, result)) = self.arrived.remove(at)
            {
                return Ok(Next::Answer(position, result));
            }
            // Once the recorded answers are used up, everything recorded must have been asked for.
            if let Some(fault) = self.machine.steps().unasked() {
                return Ok(Next::Over(Err(fault)));
            }
            self.begin_pending().await?;
            if self.idle() {
                let nothing = foreign("it waits although no step is outstanding");
                return Ok(Next::Over(Err(nothing)));
            }
            if let Some(over) = self.something().await? {
                return Ok(Next::Over(over));
            }
        }
    }

    /// True when nothing is left that could ever produce an answer.
    fn idle(&self) -> bool {
        self.running.is_empty() && self.passive.is_empty() && self.committing.is_empty()
    }

    /// Waits until anything happens and takes note of it. Returns a result when the run is over.
    async fn something(&mut self) -> Result<Option<StepResult<Value>>, Halt> {
        let due = self.passive.values().filter_map(|p| p.due).min_by_key(|due| due.at);
        // Abandoned work may still cost something, and so it is not left behind either.
        let busy = !self.running.is_empty() || !self.performing.is_empty();
        let parkable = !busy && self.committing.is_empty();
        let park_at = Instant::now() + self.host.limits.park_after;
        let foreign = self.machine.foreign_wake();
        tokio::select! {
            biased;
            () = self.host.engine.suspend.cancelled() => return Err(Halt::Suspended),
            () = until(self.cx.deadline()) => return Ok(Some(Err(late()))),
            () = self.entry.evict.cancelled() => return Ok(Some(Err(evicted()))),
            error = foreign => return Ok(Some(Err(error))),
            mail = self.mailbox.recv() => if let Some(mail) = mail {
                self.read(mail);
            },
            Some((position, result, news, committed)) = self.committing.next() => {
                committed?;
                news.iter().for_each(|news| self.host.announce(news));
                if !self.abandoned.contains(&position) {
                    self.arrived.push_back((position, result));
                }
            }
            Some(performed) = self.performing.next() => self.note(performed),
            () = until(due) => self.ring(),
            () = tokio::time::sleep_until(park_at), if parkable => {
                self.park(Deadline::earlier(due, self.cx.deadline())).await?;
            }
        }
        Ok(self.over())
    }

    /// The result of a run that somebody else has decided to end, or whose time is up.
    fn over(&self) -> Option<StepResult<Value>> {
        if let Some(reason) = &self.cancelled {
            let error = StepError::new(Category::Cancelled, "was cancelled").cause(reason.clone());
            return Some(Err(error));
        }
        self.cx.deadline().filter(|deadline| deadline.left().is_zero()).map(|_| Err(late()))
    }

    fn read(&mut self, mail: Mail) {
        self.seen += u64::from(!matches!(mail, Mail::Child { recorded: false, .. }));
        match mail {
            Mail::Event { event, data } => {
                self.events.entry(event).or_insert(data);
                self.ring();
            }
            Mail::Child { position, result, spend, recorded: _ } => {
                let passive = self.passive.remove(&position);
                if let Some(passive) = passive.or_else(|| self.left.remove(&position)) {
                    self.record(Finished { spend, ..passive.finished(result) });
                } else if self.running.contains_key(&position) {
                    self.early.insert(position, (result, spend));
                }
            }
            Mail::Cancel { reason } => self.cancelled = Some(reason),
        }
    }

    /// Writes a finished step down; its answer is handed over once that is on disk.
    fn record(&mut self, finished: Finished) {
        let Finished { command, kind, began, result, attempts, spend, guards } = finished;
        self.spent += spend;
        let position = command.position;
        let step = StepRecord {
            position,
            kind,
            callee: command.op.callee().to_owned(),
            fingerprint: command.fingerprint,
            request: command.op.into_request(),
            result: result.clone(),
            attempts,
            began,
            ended: self.host.clock.utc(),
            spend,
            guards,
        };
        let mut batch = self.flush();
        batch.entries.push((self.id().clone(), Record::Step(Box::new(step))));
        self.seen += batch.entries.len() as u64;
        let news = news_in(&self.host, &batch.entries, &self.started);
        let commit = self.host.journal.commit(batch);
        self.committing.push_back(Box::pin(async move { (position, result, news, commit.await) }));
    }

    /// What the orchestrator left to be written since the last commit.
    fn flush(&mut self) -> Batch {
        let issued = std::mem::take(&mut self.unwritten);
        let entries =
            issued.0.into_iter().map(|local| (self.id().clone(), Record::Local(local))).collect();
        let mut batch = Batch { entries, blobs: issued.1, ..Batch::default() };
        let unrecorded = std::mem::take(&mut self.unrecorded);
        if !unrecorded.is_zero() {
            batch.spent.push((self.started.tenant.clone(), self.host.clock.utc(), unrecorded));
        }
        batch
    }

    /// Commits and waits for it.
    async fn commit(&mut self, batch: Batch) -> Result<(), Halt> {
        if batch.is_empty() {
            return Ok(());
        }
        self.seen += batch.entries.len() as u64;
        let news = news_in(&self.host, &batch.entries, &self.started);
        self.host.journal.commit(batch).await?;
        news.iter().for_each(|news| self.host.announce(news));
        Ok(())
    }

    /// Takes the run out of memory until something happens.
    async fn park(&mut self, due: Option<Deadline>) -> Result<(), Halt> {
        let mut batch = self.flush();
        let seen = self.seen + batch.entries.len() as u64;
        let due = due.map(|due| due.utc);
        let awaits = self.awaited_events();
        batch.entries.push((self.id().clone(), Record::Parked { due, seen, awaits }));
        self.commit(batch).await?;
        // Under the lock that senders of mail take: what comes later finds no mailbox and wakes
        // the run from its history.
        let mut active = self.host.engine.active();
        match self.mailbox.try_recv() {
            Ok(mail) => {
                drop(active);
                self.read(mail);
                Ok(())
            }
            Err(_) => {
                active.remove(&self.started.id);
                drop(active);
                if let Some(due) = due {
                    self.host.engine.timers.set_utc(&self.started.id, due, &*self.host.clock);
                }
                Err(Halt::Parked)
            }
        }
    }
}

fn late() -> StepError {
    StepError::new(Category::Timeout, "the deadline has passed")
}

fn evicted() -> StepError {
    StepError::new(Category::Cancelled, "was unregistered")
}

enum Next {
    Answer(u32, StepResult<Value>),
    Over(StepResult<Value>),
}
