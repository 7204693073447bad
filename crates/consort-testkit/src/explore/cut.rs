//! A journal that stops its process at a chosen commit: from there on nothing is answered.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use consort_core::{
    Hash, IdempotencyKey, Name, RunId, Spend, TenantId, Timestamp,
    journal::{Batch, Journal, JournalError, Message, MessageId, OpenRun, Retained, RunFilter},
    record::{History, LocalKind, Record, RunSummary},
};
use consort_durable::MemoryJournal;
use futures_util::{FutureExt, future::BoxFuture};
use tokio_util::sync::CancellationToken;

use super::{Side, world::World};

/// See the module.
pub(super) struct Cut {
    store: MemoryJournal,
    world: World,
    at: Option<(Side, usize)>,
    commits: AtomicUsize,
    stopped: CancellationToken,
}

impl Cut {
    /// Stops the process of `world` at `at`, and cancels `stopped` then.
    pub(super) fn new(
        store: MemoryJournal,
        world: World,
        at: Option<(Side, usize)>,
        stopped: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self { store, world, at, commits: AtomicUsize::new(0), stopped })
    }

    fn stop(&self) {
        self.world.life.stopped.store(true, Ordering::SeqCst);
        self.stopped.cancel();
    }

    fn alive<T: Send + 'static>(
        &self,
        ask: impl FnOnce() -> BoxFuture<'static, T>,
    ) -> BoxFuture<'static, T> {
        if self.stopped.is_cancelled() { std::future::pending().boxed() } else { ask() }
    }
}

impl fmt::Debug for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cut").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Journal for Cut {
    fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<(), JournalError>> {
        if self.stopped.is_cancelled() {
            return std::future::pending().boxed();
        }
        let number = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
        self.world.see(|seen| seen.commits.push(describe(&batch)));
        if self.at == Some((Side::Before, number)) {
            self.stop();
            return std::future::pending().boxed();
        }
        let (finished, drawn) = outcome(&batch);
        // The journal in memory answers at once.
        let answer = self.store.commit(batch).now_or_never().unwrap_or(Ok(()));
        if answer.is_ok() {
            self.world.see(|seen| {
                seen.finished.extend(finished);
                seen.drawn += drawn;
            });
        }
        if self.at == Some((Side::After, number)) {
            self.stop();
            return std::future::pending().boxed();
        }
        std::future::ready(answer).boxed()
    }

    fn history(&self, run: &RunId) -> BoxFuture<'static, Result<Option<History>, JournalError>> {
        self.alive(|| self.store.history(run))
    }

    fn open_runs(&self) -> BoxFuture<'static, Result<Vec<OpenRun>, JournalError>> {
        self.alive(|| self.store.open_runs())
    }

    fn runs(&self, filter: RunFilter) -> BoxFuture<'static, Result<Vec<RunSummary>, JournalError>> {
        self.alive(|| self.store.runs(filter))
    }

    fn find(
        &self,
        tenant: &TenantId,
        orchestrator: &Name,
        key: &IdempotencyKey,
    ) -> BoxFuture<'static, Result<Option<RunId>, JournalError>> {
        self.alive(|| self.store.find(tenant, orchestrator, key))
    }

    fn blob(&self, hash: Hash) -> BoxFuture<'static, Result<Option<Arc<[u8]>>, JournalError>> {
        self.alive(|| self.store.blob(hash))
    }

    fn spent(
        &self,
        tenant: &TenantId,
        since: Timestamp,
    ) -> BoxFuture<'static, Result<Spend, JournalError>> {
        self.alive(|| self.store.spent(tenant, since))
    }

    fn inbox(&self) -> BoxFuture<'static, Result<Vec<(MessageId, Message)>, JournalError>> {
        self.alive(|| self.store.inbox())
    }

    fn rang(&self) -> BoxFuture<'static, ()> {
        self.alive(|| self.store.rang())
    }

    fn retain(&self, before: Timestamp) -> BoxFuture<'static, Result<Retained, JournalError>> {
        self.alive(|| self.store.retain(before))
    }

    fn close(&self) -> BoxFuture<'static, Result<(), JournalError>> {
        self.alive(|| self.store.close())
    }
}

/// Steps that a change finishes, and random numbers that it keeps.
fn outcome(batch: &Batch) -> (Vec<String>, u64) {
    let (mut finished, mut drawn) = (Vec::new(), 0);
    for (run, record) in &batch.entries {
        match record {
            Record::Step(step) => finished.push(format!("{run}/{}", step.position)),
            Record::Local(local) => {
                drawn += u64::from(matches!(local.kind, LocalKind::Random | LocalKind::Decision));
            }
            _ => {}
        }
    }
    (finished, drawn)
}

/// A change in a few words.
fn describe(batch: &Batch) -> String {
    let mut words: Vec<String> = Vec::new();
    for (run, record) in &batch.entries {
        let depth = run.as_str().matches('/').count();
        let below = if depth == 0 { "" } else { " of a child" };
        words.push(match record {
            Record::Started(started) => format!("start of `{}`{below}", started.orchestrator),
            Record::Step(step) => format!("step {} `{}`{below}", step.position, step.callee),
            Record::Local(local) => format!("local step {}{below}", local.position),
            Record::Intent { position, .. } => format!("intent of step {position}{below}"),
            Record::Timer { position, .. } => format!("timer of step {position}{below}"),
            Record::Event { event, .. } => format!("event `{event}`{below}"),
            Record::Nudge { position } => format!("news for step {position}{below}"),
            Record::Parked { .. } => format!("parking{below}"),
            Record::Cancel { .. } => format!("cancellation{below}"),
            Record::Ended(_) => format!("end{below}"),
        });
    }
    if words.is_empty() {
        words.push(format!("{} blobs", batch.blobs.len()));
    }
    words.join(", ")
}
