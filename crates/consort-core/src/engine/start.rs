//! How durable runs begin: as a root on a caller's request, or as the child of another run.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use serde_json::Value;
use tokio::sync::oneshot;

use super::{Mail, attach, claim, driver, suspended, tree::Tree};
use crate::{
    Category, Context, Outcome, RequestId, RunId, Spend, StepError, StepResult, TraceId,
    admission::Ledger,
    call::Options,
    dispatch::{asked_budget, check, contain, deadline, until},
    journal::{Batch, JournalErrorKind},
    orchestrator::Admission,
    payload,
    record::{History, Record, RunStarted, StepRecord},
    registry::{Entry, OpenRun},
    run::Host,
};

/// A durable run seen from outside. Awaiting it gives the result; dropping it lets the run go on.
#[derive(Debug)]
pub struct RunHandle(Handle);

#[derive(Debug)]
pub(crate) struct Handle {
    id: Option<RunId>,
    /// True for the call that started the run, false for one that found it.
    own: bool,
    state: HandleState,
}

#[derive(Debug)]
enum HandleState {
    Told(oneshot::Receiver<StepResult<Value>>),
    Known(Option<StepResult<Value>>),
}

impl Handle {
    pub(crate) fn new(id: RunId, told: oneshot::Receiver<StepResult<Value>>) -> Self {
        Self { id: Some(id), own: false, state: HandleState::Told(told) }
    }

    fn own(self) -> Self {
        Self { own: true, ..self }
    }

    pub(crate) fn own_run(&self) -> Option<&RunId> {
        self.id.as_ref().filter(|_| self.own)
    }

    /// For a request that was declined: there is no run.
    fn known(result: StepResult<Value>) -> Self {
        Self { id: None, own: false, state: HandleState::Known(Some(result)) }
    }

    pub(crate) fn id(&self) -> Option<&RunId> {
        self.id.as_ref()
    }
}

impl Future for Handle {
    type Output = StepResult<Value>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        match &mut this.state {
            HandleState::Known(result) => Poll::Ready(result.take().unwrap_or_else(|| {
                Err(StepError::new(Category::Internal, "a handle was polled after its end"))
            })),
            HandleState::Told(told) => {
                let told = std::task::ready!(Pin::new(told).poll(cx));
                let gone = || this.id.as_ref().map_or_else(no_run, |id| Err(suspended(id)));
                Poll::Ready(told.unwrap_or_else(|_| gone()))
            }
        }
    }
}

fn no_run() -> StepResult<Value> {
    Err(StepError::new(Category::Internal, "a handle without a run"))
}

impl RunHandle {
    pub(crate) fn new(handle: Handle) -> Self {
        Self(handle)
    }

    /// The run; `None` when the orchestrator declined and nothing was started.
    pub fn id(&self) -> Option<&RunId> {
        self.0.id()
    }
}

impl Future for RunHandle {
    type Output = StepResult<Value>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

/// Starts a root run on the facade's own tasks. With an idempotency key that was used before it
/// returns the earlier run.
pub(crate) async fn start_root(
    host: &Arc<Host>,
    cx: &Context,
    entry: &Arc<Entry>,
    request: Value,
    options: Options,
) -> Result<Handle, StepError> {
    let id = host.new_run_id();
    start_root_as(host, cx, entry, request, options, id, Batch::default()).await
}

/// The same under an id that the caller has chosen, together with other changes.
pub(crate) async fn start_root_as(
    host: &Arc<Host>,
    cx: &Context,
    entry: &Arc<Entry>,
    request: Value,
    options: Options,
    id: RunId,
    mut batch: Batch,
) -> Result<Handle, StepError> {
    let name = &entry.descriptor.name;
    let named = |error: StepError| error.within(name).during("start");
    payload::check_size(&request).map_err(named)?;
    let open = check(host, cx, entry)?;
    let key = cx.0.idempotency_key.clone().filter(|_| cx.run_id().is_none());
    if let Some(key) = &key
        && let Some(earlier) = host.journal.find(cx.tenant(), name, key).await?
    {
        return attach(host, &earlier).await;
    }
    let budget = asked_budget(cx, options);
    let ticket = host.admit(cx.tenant(), budget, host.moment()).await.map_err(named)?;
    let caller = cx.0.run.as_ref();
    let started = RunStarted {
        orchestrator: name.clone(),
        version: entry.descriptor.version.clone(),
        tenant: cx.tenant().clone(),
        request,
        request_id: cx
            .request_id()
            .cloned()
            .map_or_else(|| RequestId::new(id.as_str()), Ok)
            .map_err(internal)?,
        trace: cx.trace_id().unwrap_or_else(|| TraceId::from_random(host.random.wide())),
        origin: caller.and_then(|run| run.origin).unwrap_or(entry.descriptor.layer),
        depth: caller.map_or(0, |run| if run.is_inside() { run.depth + 1 } else { 0 }),
        deadline: deadline(host, cx, options).map(|deadline| deadline.utc),
        budget,
        metadata: cx.all_metadata().clone(),
        caused_by: cx.run_id().cloned(),
        idempotency_key: key.clone(),
        forked_from: None,
        at: host.clock.utc(),
        id: id.clone(),
    };
    let tree = host.engine.trees.plant(&id, ticket);
    let ledger = tree.ledger();
    let fresh = Fresh {
        started,
        entry: entry.clone(),
        tree,
        ledger,
        open,
        parent: caller.and_then(|r| r.callee.clone()),
    };
    if let Some(reason) = declined(host, &fresh).await? {
        return Ok(Handle::known(Ok(Outcome::skipped(reason))));
    }
    let told = host.engine.wait(&id);
    let mailbox = claim(host, &id).ok_or_else(|| exists(&id))?;
    batch.entries.push((id.clone(), Record::Started(Box::new(fresh.started.clone()))));
    let Err(error) = driver::spawn(host, fresh, mailbox, batch).await else {
        return Ok(Handle::new(id, told).own());
    };
    let earlier = match (&key, error.kind()) {
        (Some(key), JournalErrorKind::Exists) => host.journal.find(cx.tenant(), name, key).await?,
        _ => None,
    };
    match earlier {
        Some(earlier) => attach(host, &earlier).await,
        None => Err(named(error.into())),
    }
}

fn internal(error: crate::InvalidId) -> StepError {
    StepError::new(Category::Internal, error.to_string())
}

fn exists(id: &RunId) -> StepError {
    StepError::new(Category::Conflict, format!("run `{id}` exists already"))
}

/// A run that was just recorded, or is about to be.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) started: RunStarted,
    pub(super) entry: Arc<Entry>,
    pub(super) tree: Arc<Tree>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) open: OpenRun,
    pub(super) parent: Option<crate::Name>,
}

/// Asks the orchestrator whether it takes the request on; the reason if it does not.
async fn declined(host: &Arc<Host>, fresh: &Fresh) -> Result<Option<String>, StepError> {
    let cx = driver::context(
        host,
        &fresh.started,
        &fresh.entry,
        &fresh.ledger,
        None,
        fresh.parent.clone(),
    );
    let twin = &fresh.entry.twin;
    let request = twin.decode(fresh.started.request.clone())?;
    let asked = tokio::select! {
        biased;
        asked = contain(twin.admit(&cx, &*request)) => asked,
        () = until(cx.deadline()) => Err(StepError::new(Category::Timeout, "the deadline has passed")),
    };
    match asked.map_err(|e| e.within(&fresh.entry.descriptor.name).during("can_orchestrate"))? {
        Admission::Accept => Ok(None),
        Admission::Decline(reason) => Ok(Some(reason)),
    }
}

/// What became of the wish to start a child.
#[derive(Debug)]
pub(super) enum Child {
    /// It runs; its end arrives as mail.
    Running,
    /// It has ended already, in this or an earlier process.
    Ended(StepResult<Value>, Spend),
}

/// What a parent knows when it starts a child.
#[derive(Debug)]
pub(super) struct Birth {
    pub(super) parent: RunStarted,
    pub(super) parent_name: crate::Name,
    pub(super) cx: Context,
    pub(super) tree: Arc<Tree>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) position: u32,
    pub(super) entry: Arc<Entry>,
    pub(super) request: Value,
    pub(super) options: Options,
    /// True when an earlier process may have started it.
    pub(super) perhaps_born: bool,
}

/// Starts the child of a durable run, or finds the one that was started before.
pub(super) async fn start_child(host: &Arc<Host>, birth: Birth) -> Result<Child, StepError> {
    let id = birth.parent.id.child(birth.position);
    if birth.perhaps_born
        && let Some(found) = find_child(host, &id, &birth.tree, &birth.ledger).await?
    {
        return Ok(found);
    }
    let open = check(host, &birth.cx, &birth.entry)?;
    let ledger = birth.tree.child(&id, birth.options.budget, &birth.ledger)?;
    let mut unborn = Unborn { tree: birth.tree.clone(), id: Some(id.clone()) };
    let started = RunStarted {
        id: id.clone(),
        orchestrator: birth.entry.descriptor.name.clone(),
        version: birth.entry.descriptor.version.clone(),
        request: birth.request,
        depth: birth.parent.depth + 1,
        deadline: deadline(host, &birth.cx, birth.options).map(|deadline| deadline.utc),
        budget: birth.options.budget,
        caused_by: None,
        idempotency_key: None,
        forked_from: None,
        at: host.clock.utc(),
        ..birth.parent
    };
    let fresh = Fresh {
        started,
        entry: birth.entry,
        tree: birth.tree,
        ledger,
        open,
        parent: Some(birth.parent_name),
    };
    if let Some(reason) = declined(host, &fresh).await? {
        return Ok(Child::Ended(Ok(Outcome::skipped(reason)), Spend::ZERO));
    }
    unborn.id = None;
    let Some(mailbox) = claim(host, &id) else { return Ok(Child::Running) };
    let record = Record::Started(Box::new(fresh.started.clone()));
    let tree = fresh.tree.clone();
    let batch = Batch::entry(id.clone(), record);
    let Err(error) = driver::spawn(host, fresh, mailbox, batch).await else {
        return Ok(Child::Running);
    };
    if error.kind() == JournalErrorKind::Exists
        && let Some(found) = find_child(host, &id, &tree, &birth.ledger).await?
    {
        return Ok(found);
    }
    Err(error.into())
}

/// A child that was not accepted yet. Dropped as such, also because nobody waits for the answer any
/// more, it leaves nothing set aside.
struct Unborn {
    tree: Arc<Tree>,
    id: Option<RunId>,
}

impl Drop for Unborn {
    fn drop(&mut self) {
        if let Some(id) = &self.id {
            self.tree.close(id);
        }
    }
}

/// A child that an earlier process started.
async fn find_child(
    host: &Arc<Host>,
    id: &RunId,
    tree: &Tree,
    ledger: &Arc<Ledger>,
) -> Result<Option<Child>, StepError> {
    let Some(past) = host.journal.history(id).await? else { return Ok(None) };
    let ended = past.ended.map(|ended| (ended.result, ended.spend));
    let ended = ended.or_else(|| host.engine.ending().get(id).cloned());
    Ok(Some(match ended {
        Some((result, spend)) => {
            if tree.see(id) {
                ledger.recall(spend);
            }
            Child::Ended(result, spend)
        }
        None => {
            super::wake(host, id);
            Child::Running
        }
    }))
}

/// Tells a parent that its child has ended: by mail, or by taking it up again. `recorded` says
/// whether the parent's log tells it as well.
pub(super) fn tell_parent(
    host: &Arc<Host>,
    child: &RunId,
    result: &StepResult<Value>,
    spend: Spend,
    recorded: bool,
) {
    let (Some(parent), Some(position)) = (child.parent(), child.position()) else { return };
    let mail = Mail::Child { position, result: result.clone(), spend, recorded };
    if !matches!(host.engine.mail(&parent, mail), Ok(true)) {
        super::wake(host, &parent);
    }
}

/// Starts a new root with the records of another run up to `at`.
pub(crate) async fn fork(
    host: &Arc<Host>,
    entry: &Arc<Entry>,
    past: History,
    at: usize,
    from: u32,
) -> Result<Handle, StepError> {
    let source = past.started.id.clone();
    let id = host.new_run_id();
    let now = host.clock.utc();
    let ticket = host.admit(&past.started.tenant, past.started.budget, host.moment()).await?;
    let lasted = past.started.deadline.map(|deadline| deadline.since(past.started.at));
    let started = RunStarted {
        id: id.clone(),
        version: entry.descriptor.version.clone(),
        deadline: lasted.map(|duration| now.after(duration)),
        depth: 0,
        origin: entry.descriptor.layer,
        caused_by: None,
        idempotency_key: None,
        forked_from: Some((source, from)),
        at: now,
        ..past.started
    };
    host.engine.trees.plant(&id, ticket);
    let kept = past.records.into_iter().take(at).filter_map(|record| match record {
        // The other run has paid for it.
        Record::Step(step) => {
            Some(Record::Step(Box::new(StepRecord { spend: Spend::ZERO, ..*step })))
        }
        Record::Local(_) | Record::Event { .. } => Some(record),
        _ => None,
    });
    let mut batch = Batch::entry(id.clone(), Record::Started(Box::new(started)));
    batch.entries.extend(kept.map(|record| (id.clone(), record)));
    host.journal.commit(batch).await?;
    let told = host.engine.wait(&id);
    super::wake(host, &id);
    Ok(Handle::new(id, told))
}
