//! The learner's log in memory: for tests and throw-away servers.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use consort_core::{
    journal::{JournalError, JournalErrorKind},
    learning::{Extent, LearningLog, Record, Snapshot},
};
use futures_util::{
    FutureExt,
    future::{BoxFuture, ready},
};

/// A log that forgets everything with the process.
#[derive(Clone, Debug, Default)]
pub struct MemoryLearningLog(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// Records after `trimmed`.
    records: VecDeque<Record>,
    trimmed: u64,
    snapshot: Option<Snapshot>,
    closed: bool,
}

impl MemoryLearningLog {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same log as the next process would open it.
    #[must_use]
    pub fn restarted(&self) -> Self {
        let inner = self.lock();
        Self(Arc::new(Mutex::new(Inner {
            records: inner.records.clone(),
            trimmed: inner.trimmed,
            snapshot: inner.snapshot.clone(),
            closed: false,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No code that may panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Inner) -> T,
    ) -> BoxFuture<'static, Result<T, JournalError>> {
        let mut inner = self.lock();
        let closed = || JournalError::new(JournalErrorKind::Unavailable, "the log is closed");
        let result = if inner.closed { Err(closed()) } else { Ok(work(&mut inner)) };
        ready(result).boxed()
    }
}

impl Inner {
    fn last(&self) -> u64 {
        self.trimmed + self.records.len() as u64
    }
}

impl LearningLog for MemoryLearningLog {
    fn append(&self, records: Arc<[Record]>) -> BoxFuture<'static, Result<u64, JournalError>> {
        self.with(|inner| {
            inner.records.extend(records.iter().cloned());
            inner.last()
        })
    }

    fn read(
        &self,
        position: u64,
        limit: usize,
    ) -> BoxFuture<'static, Result<Vec<(u64, Record)>, JournalError>> {
        self.with(|inner| {
            let skip =
                usize::try_from(position.saturating_sub(inner.trimmed)).unwrap_or(usize::MAX);
            let numbered = (inner.trimmed + 1..).zip(inner.records.iter().cloned());
            numbered.skip(skip).take(limit).collect()
        })
    }

    fn extent(&self) -> BoxFuture<'static, Result<Extent, JournalError>> {
        self.with(|inner| Extent { first: inner.trimmed + 1, last: inner.last() })
    }

    fn save(&self, snapshot: Snapshot) -> BoxFuture<'static, Result<(), JournalError>> {
        self.with(|inner| inner.snapshot = Some(snapshot))
    }

    fn snapshot(&self) -> BoxFuture<'static, Result<Option<Snapshot>, JournalError>> {
        self.with(|inner| inner.snapshot.clone())
    }

    fn trim(&self, position: u64) -> BoxFuture<'static, Result<u64, JournalError>> {
        self.with(|inner| {
            let kept = inner.snapshot.as_ref().map_or(0, |snapshot| snapshot.position);
            let until = position.min(kept).min(inner.last());
            let removed = until.saturating_sub(inner.trimmed);
            inner.records.drain(..usize::try_from(removed).unwrap_or(0));
            inner.trimmed += removed;
            removed
        })
    }

    fn close(&self) -> BoxFuture<'static, Result<(), JournalError>> {
        let mut inner = self.lock();
        inner.closed = true;
        ready(Ok(())).boxed()
    }
}
