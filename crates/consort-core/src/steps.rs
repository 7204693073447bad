//! Steps as data: what a durable orchestrator has asked for, and the slots that wait for answers.

use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context as TaskContext, Poll, Waker},
    time::Duration,
};

use serde_json::Value;

use crate::{
    Blob, Budget, Category, EventName, Hash, Name, StepError, StepResult, Timestamp,
    record::{Fingerprint, LocalKind, LocalRecord},
};

/// A step that was issued but not yet carried out. Plain data: no closure, no handle.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// Where in the run; claimed when the step was constructed.
    pub position: u32,
    /// Of the request; compared at replay.
    pub fingerprint: Fingerprint,
    /// What to do.
    pub op: Op,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Calls a capability or an orchestrator; the registry of the place of execution resolves it.
    Call {
        /// Who.
        callee: Name,
        /// The request.
        request: Value,
        /// For the whole step, pauses between attempts included.
        timeout: Option<Duration>,
        /// Carved from the run's budget for a child.
        budget: Option<Budget>,
        /// The most attempts that the caller wants, where it says so.
        attempts: Option<u32>,
        /// True when the request was not made from the callee's own type.
        unchecked: bool,
    },
    /// A durable timer.
    Sleep(Duration),
    /// An external event.
    Wait {
        /// Its name.
        event: EventName,
        /// How long to wait.
        timeout: Option<Duration>,
    },
}

impl Op {
    /// The request as it is recorded.
    pub(crate) fn into_request(self) -> Value {
        match self {
            Self::Call { request, .. } => request,
            Self::Sleep(_) | Self::Wait { .. } => Value::Null,
        }
    }

    /// The callee as it is recorded.
    pub fn callee(&self) -> &str {
        match self {
            Self::Call { callee, .. } => callee.as_str(),
            Self::Sleep(_) => "sleep",
            Self::Wait { event, .. } => event.as_str(),
        }
    }
}

/// What the orchestrator did since the last turn.
#[derive(Debug, Default)]
pub struct Issued {
    /// New steps, in order of position.
    pub commands: Vec<Command>,
    /// Steps whose future was dropped: nobody wants their answer any more.
    pub abandoned: Vec<u32>,
    /// Local steps, already answered.
    pub locals: Vec<LocalRecord>,
    /// Content that records will refer to.
    pub blobs: Vec<(Hash, Arc<[u8]>)>,
    /// A rule that was broken; the run cannot go on.
    pub fault: Option<StepError>,
}

#[derive(Debug, Default)]
struct Inner {
    next: u32,
    issued: Issued,
    slots: HashMap<u32, Slot>,
    /// What the journal has and nobody has asked for yet.
    past: BTreeMap<u32, Past>,
}

/// What a journal has at a position.
#[derive(Clone, Debug)]
pub(crate) enum Past {
    /// A finished step.
    Step { callee: String, fingerprint: Fingerprint },
    /// A local step.
    Local(LocalRecord),
    /// A timer, set for a step that has not finished.
    Timer { set: Timestamp, due: Timestamp },
    /// A call that had begun.
    Call,
}

impl Past {
    /// True when this can have come of `op`.
    fn fits(&self, op: &Op, of: Fingerprint) -> bool {
        match (self, op) {
            (Self::Step { callee, fingerprint }, op) => callee == op.callee() && *fingerprint == of,
            (Self::Timer { set, due }, Op::Sleep(pause))
            | (Self::Timer { set, due }, Op::Wait { timeout: Some(pause), .. }) => {
                set.after(*pause) == *due
            }
            (Self::Call, Op::Call { .. }) => true,
            (Self::Local(_) | Self::Timer { .. } | Self::Call, _) => false,
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Step { callee, .. } => callee,
            Self::Local(local) => local_name(local.kind),
            Self::Timer { .. } => "a timer",
            Self::Call => "a call",
        }
    }
}

#[derive(Debug, Default)]
struct Slot {
    waker: Option<Waker>,
    answer: Option<StepResult<Value>>,
}

/// The orchestrator's side of a machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Steps(Arc<Mutex<Inner>>);

impl Steps {
    pub(crate) fn replaying(past: BTreeMap<u32, Past>) -> Self {
        Self(Arc::new(Mutex::new(Inner { past, ..Inner::default() })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while holding the lock; a poisoned one is as good as new.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims a position and issues the step.
    pub(crate) fn issue(&self, op: Op) -> StepFuture {
        let fingerprint = match &op {
            Op::Call { request, .. } => Fingerprint::of(request),
            Op::Sleep(duration) => Fingerprint::of(&duration.as_millis().to_string().into()),
            Op::Wait { .. } => Fingerprint::of(&Value::Null),
        };
        let mut inner = self.lock();
        let position = inner.next;
        inner.next += 1;
        let past = inner.past.remove(&position);
        if let Some(past) = past.as_ref().filter(|past| !past.fits(&op, fingerprint)) {
            let fault = mismatch(position, op.callee(), past.name());
            inner.issued.fault.get_or_insert(fault);
        }
        // What has an answer on record is not carried out again.
        if !matches!(past, Some(Past::Step { .. })) {
            inner.issued.commands.push(Command { position, fingerprint, op });
        }
        inner.slots.insert(position, Slot::default());
        StepFuture { steps: self.clone(), position, taken: false }
    }

    /// Changes a step that the driver has not taken out yet.
    pub(crate) fn amend(&self, position: u32, change: impl FnOnce(&mut Op)) {
        let mut inner = self.lock();
        if let Some(c) = inner.issued.commands.iter_mut().rfind(|c| c.position == position) {
            change(&mut c.op);
        }
    }

    /// Answers a local step at once: with what is recorded, or with what `fresh` computes.
    pub(crate) fn local(
        &self,
        kind: LocalKind,
        question: &Value,
        fresh: impl FnOnce(u32) -> Result<Value, StepError>,
    ) -> Result<(u32, Value, bool), StepError> {
        let fingerprint = Fingerprint::of(question);
        let mut inner = self.lock();
        let position = inner.next;
        inner.next += 1;
        match inner.past.remove(&position) {
            None => {}
            Some(Past::Local(past)) if (past.kind, past.fingerprint) == (kind, fingerprint) => {
                return Ok((position, past.value, false));
            }
            Some(past) => {
                let fault = mismatch(position, local_name(kind), past.name());
                inner.issued.fault.get_or_insert(fault.clone());
                return Err(fault);
            }
        }
        let value = fresh(position)?;
        inner.issued.locals.push(LocalRecord { position, kind, fingerprint, value: value.clone() });
        Ok((position, value, true))
    }

    /// Keeps content until the next commit.
    pub(crate) fn put(&self, bytes: Arc<[u8]>, media_type: &str) -> Blob {
        let blob = Blob::of(&bytes, media_type);
        self.lock().issued.blobs.push((blob.hash, bytes));
        blob
    }

    pub(crate) fn take(&self) -> Issued {
        let mut inner = self.lock();
        let issued = std::mem::take(&mut inner.issued);
        for position in &issued.abandoned {
            inner.slots.remove(position);
        }
        issued
    }

    /// True when somebody has asked for the step's answer and waits for it.
    pub(crate) fn awaited(&self, position: u32) -> bool {
        self.lock()
            .slots
            .get(&position)
            .is_some_and(|slot| slot.waker.is_some() && slot.answer.is_none())
    }

    /// Hands over an answer; the caller polls the orchestrator next.
    pub(crate) fn answer(&self, position: u32, result: StepResult<Value>) {
        let waker = {
            let mut inner = self.lock();
            let Some(slot) = inner.slots.get_mut(&position) else { return };
            slot.answer = Some(result);
            slot.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The error about what the journal has and the orchestrator never asked for.
    pub(crate) fn unasked(&self) -> Option<StepError> {
        let inner = self.lock();
        let (position, past) = inner.past.first_key_value()?;
        Some(mismatch(*position, "nothing", past.name()))
    }

    /// Positions claimed so far.
    pub(crate) fn claimed(&self) -> u32 {
        self.lock().next
    }
}

fn local_name(kind: LocalKind) -> &'static str {
    match kind {
        LocalKind::Now => "now",
        LocalKind::Random => "random",
        LocalKind::Decision => "decide",
        LocalKind::Signal => "signal",
    }
}

/// The code asked for `asked` where the journal has `recorded`.
fn mismatch(position: u32, asked: &str, recorded: &str) -> StepError {
    let message = format!(
        "step {position} is `{asked}` in the code but `{recorded}` in the journal, or asks for something else"
    );
    StepError::new(Category::JournalMismatch, message).during("replay")
}

/// Waits for the answer of one step. The first poll is always pending.
#[derive(Debug)]
pub(crate) struct StepFuture {
    steps: Steps,
    position: u32,
    taken: bool,
}

impl StepFuture {
    pub(crate) fn amend(&self, change: impl FnOnce(&mut Op)) {
        self.steps.amend(self.position, change);
    }
}

impl Future for StepFuture {
    type Output = StepResult<Value>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let position = self.position;
        let answer = {
            let mut inner = self.steps.lock();
            let slot = inner.slots.entry(position).or_default();
            match slot.answer.take() {
                Some(answer) => {
                    inner.slots.remove(&position);
                    answer
                }
                None => {
                    slot.waker = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        };
        self.taken = true;
        Poll::Ready(answer)
    }
}

impl Drop for StepFuture {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        let mut inner = self.steps.lock();
        inner.slots.remove(&self.position);
        let issued = inner.issued.commands.len();
        inner.issued.commands.retain(|command| command.position != self.position);
        // Withdrawn before anybody saw it: the position stays claimed, nothing happens.
        if inner.issued.commands.len() == issued {
            inner.issued.abandoned.push(self.position);
        }
    }
}
