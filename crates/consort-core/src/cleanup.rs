//! The `cleanup` that a run is owed once it has ended: bounded in time, reported when it fails, and
//! brought to its end even when nobody waits for it any more.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use futures_util::{future::BoxFuture, poll};
use tokio::time::Instant;

use crate::{
    Context, Deadline, StepError,
    cancel::Cancel,
    dispatch::{contain, until},
    events::Event,
    machine::panicked,
    registry::{Entry, OpenRun},
    run::Host,
};

type Work = BoxFuture<'static, Result<(), StepError>>;

/// One `cleanup`. Dropped before its end, the facade's own tasks do the rest.
pub(crate) struct Cleanup<'a> {
    host: &'a Arc<Host>,
    entry: &'a Arc<Entry>,
    cx: Context,
    /// `None` once it has ended.
    work: Option<Work>,
    limit: Instant,
    /// Makes `unregister` wait for it.
    open: Option<OpenRun>,
}

impl<'a> Cleanup<'a> {
    /// `None` when there was nothing to wait for, as there is by default.
    pub(crate) fn begin(
        host: &'a Arc<Host>,
        entry: &'a Arc<Entry>,
        cx: &Context,
        open: Option<OpenRun>,
    ) -> Option<Self> {
        let at_once = AssertUnwindSafe(|| entry.twin.cleanup_at_once(cx));
        match catch_unwind(at_once).unwrap_or_else(|panic| Some(Err(panicked(&*panic)))) {
            Some(ended) => {
                end(host, entry, cx, Some(ended));
                None
            }
            None => Some(Self::new(host, entry, cx, open)),
        }
    }

    fn new(
        host: &'a Arc<Host>,
        entry: &'a Arc<Entry>,
        cx: &Context,
        open: Option<OpenRun>,
    ) -> Self {
        let now = Instant::now();
        let late = cx.deadline().is_some_and(|deadline| deadline.at <= now);
        if late {
            // Whoever still works for the run must know that it is over.
            cx.0.cancel.cancel();
        }
        let cx = if cx.0.cancel.is_cancelled() { afresh(cx) } else { cx.clone() };
        let work = entry.twin.clone().cleanup(cx.clone());
        let limit = now + host.limits.cleanup;
        Self { host, entry, cx, work: Some(work), limit, open }
    }

    /// Works until it is done, but not past `deadline`.
    pub(crate) async fn before(&mut self, deadline: Option<Deadline>) {
        let Some(work) = &mut self.work else { return };
        tokio::select! {
            biased;
            () = finish(self.host, self.entry, &self.cx, work, self.limit) => self.work = None,
            () = until(deadline) => {}
        }
    }
}

impl Drop for Cleanup<'_> {
    fn drop(&mut self) {
        let Some(mut work) = self.work.take() else { return };
        let (host, entry, cx) = (self.host.clone(), self.entry.clone(), self.cx.clone());
        let (open, limit) = (self.open.take(), self.limit);
        // Refused only when the facade has stopped; then the process is about to end.
        self.host.tasks.spawn_once(async move {
            finish(&host, &entry, &cx, &mut work, limit).await;
            drop(open);
        });
    }
}

/// The context of a run whose own time is over: what `cleanup` calls has the limit of `cleanup`.
fn afresh(cx: &Context) -> Context {
    let mut inner = (*cx.0).clone();
    inner.deadline = None;
    inner.cancel = Cancel::default();
    Context(Arc::new(inner))
}

async fn finish(host: &Host, entry: &Entry, cx: &Context, work: &mut Work, limit: Instant) {
    let mut work = pin!(contain(work));
    let ended = match poll!(work.as_mut()) {
        Poll::Ready(ended) => Some(ended),
        Poll::Pending => tokio::time::timeout_at(limit, work).await.ok(),
    };
    end(host, entry, cx, ended);
}

/// The outcome of the run stands, whatever happened here.
fn end(host: &Host, entry: &Entry, cx: &Context, ended: Option<Result<(), StepError>>) {
    let why = match ended {
        Some(Ok(())) => None,
        Some(Err(error)) if error.causes().is_empty() => Some(error.to_string()),
        Some(Err(error)) => Some(format!("{error}: {}", error.causes().join(": "))),
        None => Some(format!("took longer than {:?}", host.limits.cleanup)),
    };
    cx.0.cancel.cancel();
    let failed = why.and_then(|why| Some((why, cx.run_id().cloned()?)));
    if let Some((why, run)) = failed {
        let orchestrator = entry.descriptor.name.clone();
        host.events.emit(|| Event::CleanupFailed { run, orchestrator, why });
    }
}
