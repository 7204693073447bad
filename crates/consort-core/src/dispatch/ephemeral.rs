//! Ephemeral runs: asked, run and cleaned up in the caller's own task.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, atomic::AtomicU32},
    task::Poll,
};

use futures_util::poll;
use tokio::time::Instant;

use super::{announce, check, contain, deadline_from, share, until};
use crate::{
    Category, Context, Outcome, RequestId, Status, StepError, StepResult, TraceId,
    admission::{Ledger, Moment},
    call::Options,
    cleanup::Cleanup,
    context::Inner,
    events::Event,
    orchestrator::{Admission, Opaque},
    registry::{Entry, OpenRun},
    run::{Host, Mode, Run},
};

/// Runs an ephemeral orchestrator in the caller's task.
pub(super) async fn run(
    host: &Arc<Host>,
    cx: &Context,
    entry: &Arc<Entry>,
    request: Opaque,
    options: Options,
) -> StepResult<Opaque> {
    let named = |error: StepError| error.within(&entry.descriptor.name);
    if cx.0.idempotency_key.is_some() && cx.run_id().is_none() {
        let message = "an idempotency key needs a durable orchestrator, this one keeps no record";
        return Err(named(StepError::new(Category::InvalidRequest, message)));
    }
    let open = check(host, cx, entry)?;
    // Looked up once: clocks are a good part of what a short call costs.
    let now = host.moment();
    let share = share(host, cx, options, now).await.map_err(named)?;
    let child = child_context(host, cx, entry, &share.ledger, options, now);
    let began = now.at;
    let (open, stage) = (Some(open), Stage::Asked);
    let mut visit = Visit { host, entry, caller: cx, cx: &child, open, began, stage };
    let result = visit.work(request).await;
    visit.end(result).await
}

fn child_context(
    host: &Arc<Host>,
    cx: &Context,
    entry: &Arc<Entry>,
    ledger: &Arc<Ledger>,
    options: Options,
    now: Moment,
) -> Context {
    let caller = cx.0.run.as_ref();
    let id = host.run_id_at(now.utc);
    let inside = caller.is_some_and(|run| run.id.is_some());
    let run = Run {
        host: host.clone(),
        callee: Some(entry.descriptor.name.clone()),
        parent: caller.and_then(|run| run.callee.clone()),
        depth: caller.map_or(0, |run| if inside { run.depth + 1 } else { 0 }),
        origin: caller.and_then(|run| run.origin).or(Some(entry.descriptor.layer)),
        ledger: ledger.clone(),
        mode: Mode::Ephemeral,
        losses: Mutex::default(),
        sequence: AtomicU32::new(0),
        spent: Mutex::default(),
        fired: Mutex::default(),
        recorded: caller.is_some_and(|run| run.recorded),
        id: Some(id.clone()),
    };
    Context(Arc::new(Inner {
        tenant: cx.0.tenant.clone(),
        request: Some(cx.0.request.clone().unwrap_or_else(|| RequestId::of_root(&id))),
        trace: Some(cx.0.trace.unwrap_or_else(|| TraceId::from_random(host.random.wide()))),
        metadata: cx.0.metadata.clone(),
        timeout: None,
        deadline: deadline_from(now, cx, options),
        budget: None,
        idempotency_key: None,
        cancel: cx.0.cancel.child(),
        run: Some(Arc::new(run)),
    }))
}

/// How far a run has come, which decides what it is owed when its caller goes away.
#[derive(Clone, Copy)]
enum Stage {
    /// Nothing ran yet, so nothing is owed.
    Asked,
    Running,
    /// It has ended like this, and `cleanup` is on its way.
    Ended(Status, Option<Category>),
}

/// One run in the task of its caller.
struct Visit<'a> {
    host: &'a Arc<Host>,
    entry: &'a Arc<Entry>,
    caller: &'a Context,
    cx: &'a Context,
    open: Option<OpenRun>,
    began: Instant,
    stage: Stage,
}

impl Visit<'_> {
    /// Asks and runs; gives up at the deadline or when cancelled.
    async fn work(&mut self, request: Opaque) -> StepResult<Opaque> {
        let asked = contain(self.entry.twin.admit(self.cx, &request));
        match self.limited(asked).await {
            Ok(Admission::Accept) => {}
            Ok(Admission::Decline(reason)) => return Ok(Outcome::skipped(reason)),
            Err(error) => return Err(error.during("can_orchestrate")),
        }
        self.stage = Stage::Running;
        announce(self.host, self.entry, self.cx);
        self.limited(contain(self.entry.twin.clone().run(self.cx.clone(), request))).await
    }

    /// Waits for `work`, but not past the deadline, a cancellation or an eviction.
    async fn limited<T>(
        &self,
        work: impl Future<Output = Result<T, StepError>>,
    ) -> Result<T, StepError> {
        let ended = |category, message: &str| StepError::new(category, message);
        let late = || ended(Category::Timeout, "the deadline has passed");
        let given = |result: Result<T, StepError>| {
            result.map_err(|error| {
                // A step may notice the same deadline first; for its run it is a time-out.
                let cut_short = error.category() == Category::DeadlineExceeded;
                if cut_short && self.is_late() { late().caused_by(error) } else { error }
            })
        };
        let mut work = pin!(work);
        // What is done at once needs neither timer nor listener.
        if let Poll::Ready(result) = poll!(work.as_mut()) {
            return given(result);
        }
        tokio::select! {
            biased;
            result = work => given(result),
            () = until(self.cx.deadline()) => Err(late()),
            () = self.cx.0.cancel.cancelled() => Err(ended(Category::Cancelled, "was cancelled")),
            () = self.entry.evict.cancelled() => Err(if self.host.closing.is_cancelled() {
                ended(Category::ShuttingDown, "the facade stops")
            } else {
                ended(Category::Cancelled, "was unregistered")
            }),
        }
    }

    fn is_late(&self) -> bool {
        self.cx.deadline().is_some_and(|deadline| deadline.left().is_zero())
    }

    /// Completes the result, cleans up where something ran, and reports.
    async fn end(mut self, result: StepResult<Opaque>) -> StepResult<Opaque> {
        let run = self.cx.0.run.as_ref();
        let losses = run.map_or_else(Vec::new, |run| run.take_losses());
        let result = result.map(|outcome| outcome.losing(losses)).map_err(|error| {
            let error = error.within(&self.entry.descriptor.name).during("orchestrate");
            error.identified(|| self.cx.run_id().map(ToString::to_string).unwrap_or_default())
        });
        if matches!(self.stage, Stage::Running) {
            let category = result.as_ref().err().map(StepError::category);
            self.stage = Stage::Ended(Status::of(&result), category);
            let open = self.open.take();
            let mut cleanup = Cleanup::new(self.host, self.entry, self.cx, open);
            cleanup.before(self.cx.deadline()).await;
        }
        result
    }

    fn report(&self, status: Status, category: Option<Category>) {
        let Some(run) = &self.cx.0.run else { return };
        let spend = run.spent_directly();
        if let Some(above) = &self.caller.0.run {
            above.spend(spend);
            above.fire(&run.fired());
        }
        let Some(id) = &run.id else { return };
        self.host.events.emit(|| Event::RunEnded {
            run: id.clone(),
            orchestrator: self.entry.descriptor.name.clone(),
            status,
            category,
            took: self.began.elapsed(),
            spend,
        });
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        match self.stage {
            Stage::Asked => self.cx.0.cancel.cancel(),
            Stage::Running => {
                self.cx.0.cancel.cancel();
                // Dropped at once, so that the facade does it.
                drop(Cleanup::new(self.host, self.entry, self.cx, self.open.take()));
                self.report(Status::Failed, Some(Category::Cancelled));
            }
            Stage::Ended(status, category) => self.report(status, category),
        }
    }
}
