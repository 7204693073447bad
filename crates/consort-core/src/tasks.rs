//! Task ownership: every background task belongs to a scope, and ends with it.

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    Context, TenantId,
    events::{Event, Events},
    machine::panicked,
};

/// A task that panics this often within [`WINDOW`] is not started again.
const RESTARTS: usize = 5;
const WINDOW: Duration = Duration::from_secs(600);
/// Pause before the first restart; doubles with each further one.
const PAUSE: Duration = Duration::from_secs(1);

/// Owner of background tasks. Cloning gives another handle to the same scope.
#[derive(Clone, Debug)]
pub struct TaskScope(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    owner: String,
    stop: CancellationToken,
    tasks: Mutex<Option<JoinSet<()>>>,
    unhealthy: AtomicU32,
    events: Events,
    context: Option<Context>,
}

impl TaskScope {
    pub(crate) fn new(owner: impl Into<String>, events: Events, context: Option<Context>) -> Self {
        Self(Arc::new(Inner {
            owner: owner.into(),
            stop: CancellationToken::new(),
            tasks: Mutex::new(Some(JoinSet::new())),
            unhealthy: AtomicU32::new(0),
            events,
            context,
        }))
    }

    /// Starts a background task. It gets a token that is cancelled when it shall end; whatever is
    /// left after the grace period is aborted.
    ///
    /// A task that returns is done. One that panics is started again with growing pauses, at most
    /// 5 times in 10 minutes; then it stays down, is reported, and the scope is unhealthy.
    /// Returns `false` when the scope has ended and the task was not started.
    pub fn spawn<F, Fut>(&self, name: &'static str, task: F) -> bool
    where
        F: Fn(CancellationToken) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let inner = self.0.clone();
        self.spawn_once(async move { inner.supervise(name, task).await })
    }

    /// Starts a task that reports its own failures.
    pub(crate) fn spawn_once(&self, task: impl Future<Output = ()> + Send + 'static) -> bool {
        let mut tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(tasks) = tasks.as_mut() else { return false };
        // Finished tasks are collected here, so that the set does not grow.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
        true
    }

    /// Cancelled when the scope ends.
    pub fn stopping(&self) -> &CancellationToken {
        &self.0.stop
    }

    /// True when a task of this scope is down for good.
    pub fn is_unhealthy(&self) -> bool {
        self.0.unhealthy.load(Ordering::Relaxed) > 0
    }

    /// A context for calls by the background tasks of an orchestrator, with its layer's rights.
    /// `None` in a scope that belongs to no orchestrator.
    pub fn context(&self, tenant: TenantId) -> Option<Context> {
        let mut inner = (*self.0.context.as_ref()?.0).clone();
        inner.tenant = tenant;
        inner.cancel = self.0.stop.child_token().into();
        Some(Context(Arc::new(inner)))
    }

    /// Tells all tasks to end, waits for them up to `grace` and aborts the rest; returns how many
    /// had to be aborted. Nothing can be spawned afterwards.
    pub(crate) async fn end(&self, grace: Duration) -> usize {
        self.0.stop.cancel();
        let taken = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut tasks) = taken else { return 0 };
        let drained =
            tokio::time::timeout(grace, async { while tasks.join_next().await.is_some() {} });
        if drained.await.is_ok() {
            return 0;
        }
        let left = tasks.len();
        tracing::warn!(target: "consort", owner = self.0.owner, left, "tasks outlived the grace period; aborting them");
        tasks.shutdown().await;
        left
    }
}

impl Inner {
    async fn supervise<F, Fut>(&self, name: &'static str, task: F)
    where
        F: Fn(CancellationToken) -> Fut,
        Fut: Future<Output = ()>,
    {
        let mut failures: Vec<Instant> = Vec::new();
        loop {
            let attempt = AssertUnwindSafe(async { task(self.stop.child_token()).await });
            let Err(panic) = attempt.catch_unwind().await else { return };
            let now = Instant::now();
            failures.retain(|at| now.duration_since(*at) < WINDOW);
            failures.push(now);
            let disabled = failures.len() > RESTARTS;
            if disabled {
                self.unhealthy.fetch_add(1, Ordering::Relaxed);
            }
            let why = panicked(&*panic).causes().join(": ");
            let task = format!("{}/{name}", self.owner);
            self.events.emit(|| Event::TaskFailed { task, why, disabled });
            let pause = PAUSE * 2u32.saturating_pow(failures.len() as u32 - 1);
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(pause), if !disabled => {}
                else => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> TaskScope {
        TaskScope::new("test", Events::new(64), None)
    }

    #[tokio::test(start_paused = true)]
    async fn no_task_outlives_its_scope() {
        let (scope, alive) = (scope(), Arc::new(AtomicU32::new(0)));
        struct Guard(Arc<AtomicU32>);
        impl Drop for Guard {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        for deaf in [true, false] {
            let alive = alive.clone();
            scope.spawn("worker", move |stop| {
                alive.fetch_add(1, Ordering::SeqCst);
                let guard = Guard(alive.clone());
                async move {
                    let _guard = guard;
                    if deaf {
                        std::future::pending::<()>().await;
                    }
                    stop.cancelled().await;
                }
            });
        }
        tokio::task::yield_now().await;
        assert_eq!(scope.end(Duration::from_secs(1)).await, 1);
        assert_eq!(alive.load(Ordering::SeqCst), 0);
        assert!(!scope.spawn("late", |_| async {}));
    }

    #[tokio::test(start_paused = true)]
    async fn a_panicking_task_is_restarted_five_times_and_then_reported() {
        let (scope, starts) = (scope(), Arc::new(AtomicU32::new(0)));
        let mut events = scope.0.events.subscribe();
        let count = starts.clone();
        scope.spawn("broken", move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            async { panic!("again") }
        });
        loop {
            let Some(crate::events::Heard::Event(event)) = events.next().await else { panic!() };
            if let Event::TaskFailed { disabled: true, why, .. } = &*event {
                assert_eq!(why, "again");
                break;
            }
        }
        assert_eq!(starts.load(Ordering::SeqCst), 6);
        assert!(scope.is_unhealthy());
    }
}
