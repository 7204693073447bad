//! Ephemeral runs: asked, run and cleaned up in the caller's own task.

use std::{future::Future, pin::pin, sync::Arc, task::Poll};

use futures_util::poll;
use tokio::time::Instant;

use super::{Share, announce, check, contain, deadline_from, share, until};
use crate::{
    Category, Context, Outcome, Status, StepError, StepResult,
    call::Options,
    cleanup::Cleanup,
    context::Inner,
    events::Event,
    orchestrator::{Admission, Opaque},
    registry::{Entry, OpenRun},
    run::{Host, Mode, Run},
};

/// Runs an ephemeral orchestrator in the caller's task. The response is left in `exchange`.
pub(super) async fn run(
    host: &Arc<Host>,
    cx: &Context,
    entry: &Arc<Entry>,
    exchange: &mut Opaque,
    options: Options,
) -> StepResult<()> {
    let named = |error: StepError| error.within(&entry.descriptor.name);
    if cx.0.idempotency_key.is_some() && !cx.is_inside() {
        let message = "an idempotency key needs a durable orchestrator, this one keeps no record";
        return Err(named(StepError::new(Category::InvalidRequest, message)));
    }
    let open = check(host, cx, entry)?;
    let share = share(host, cx, options).await.map_err(named)?;
    let child = child_context(host, cx, entry, &share, options);
    let (open, stage) = (Some(open), Stage::Asked);
    let mut visit = Visit { host, entry, caller: cx, cx: &child, open, stage };
    let result = visit.work(exchange).await;
    visit.end(result).await
}

fn child_context(
    host: &Arc<Host>,
    cx: &Context,
    entry: &Arc<Entry>,
    share: &Share,
    options: Options,
) -> Context {
    let caller = cx.0.run.as_ref();
    let began = share.now.map_or_else(Instant::now, |now| now.at);
    let run = Run {
        callee: Some(entry.descriptor.name.clone()),
        above: caller.cloned(),
        depth: caller.filter(|run| run.is_inside()).map_or(0, |run| run.depth + 1),
        origin: caller.and_then(|run| run.origin).or(Some(entry.descriptor.layer)),
        recorded: caller.is_some_and(|run| run.recorded),
        ..Run::begun(host, share.ledger.clone(), Mode::Ephemeral, began)
    };
    Context(Arc::new(Inner {
        tenant: cx.0.tenant.clone(),
        // What is `None` here is made by the run when somebody asks.
        request: cx.0.request.clone(),
        trace: cx.0.trace,
        metadata: cx.0.metadata.clone(),
        timeout: None,
        deadline: deadline_from(share.now, host, cx, options),
        budget: None,
        idempotency_key: None,
        cancel: cx.0.cancel.child(),
        run: Some(Arc::new(run)),
    }))
}

fn late() -> StepError {
    StepError::new(Category::Timeout, "the deadline has passed")
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
    stage: Stage,
}

impl Visit<'_> {
    /// Asks and runs; gives up at the deadline or when cancelled.
    async fn work(&mut self, exchange: &mut Opaque) -> StepResult<()> {
        match self.limited(contain(self.ask(exchange))).await {
            Ok(Admission::Accept) => {}
            Ok(Admission::Decline(reason)) => return Ok(Outcome::skipped(reason)),
            Err(error) => return Err(error.during("can_orchestrate")),
        }
        self.stage = Stage::Running;
        announce(self.host, self.entry, self.cx);
        self.limited(contain(self.entry.twin.run(self.cx, exchange))).await
    }

    async fn ask(&self, exchange: &Opaque) -> Result<Admission, StepError> {
        let twin = &self.entry.twin;
        match twin.admit_at_once(self.cx, exchange) {
            Some(answer) => answer,
            None => twin.admit(self.cx, exchange).await,
        }
    }

    /// Waits for `work`, but not past the deadline, a cancellation or an eviction.
    async fn limited<T>(
        &self,
        work: impl Future<Output = Result<T, StepError>> + Send,
    ) -> Result<T, StepError> {
        let mut work = pin!(work);
        // What is done at once needs neither timer nor listener, nor room for them.
        let result = match poll!(work.as_mut()) {
            Poll::Ready(result) => result,
            Poll::Pending => Box::pin(self.first(work)).await?,
        };
        result.map_err(|error| {
            // A step may notice the same deadline first; for its run it is a time-out.
            let cut_short = error.category() == Category::DeadlineExceeded;
            if cut_short && self.is_late() { late().caused_by(error) } else { error }
        })
    }

    /// What `work` gives, or why it was not waited for.
    async fn first<T>(&self, work: impl Future<Output = T> + Send) -> Result<T, StepError> {
        let ended = |category, message: &str| StepError::new(category, message);
        tokio::select! {
            biased;
            result = work => Ok(result),
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
    async fn end(mut self, result: StepResult<()>) -> StepResult<()> {
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
            if let Some(mut cleanup) = Cleanup::begin(self.host, self.entry, self.cx, open) {
                Box::pin(cleanup.before(self.cx.deadline())).await;
            }
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
        self.host.events.tell(|| {
            Some(Event::RunEnded {
                run: run.id()?.clone(),
                orchestrator: self.entry.descriptor.name.clone(),
                status,
                category,
                took: run.began.elapsed(),
                spend,
            })
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
                drop(Cleanup::begin(self.host, self.entry, self.cx, self.open.take()));
                self.report(Status::Failed, Some(Category::Cancelled));
            }
            Stage::Ended(status, category) => self.report(status, category),
        }
    }
}
