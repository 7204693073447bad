//! The journal under test, with a note of every step that it says is on disk.

use std::sync::Arc;

use consort_core::{
    Hash, IdempotencyKey, Name, RunId, Spend, TenantId, Timestamp,
    journal::{Batch, Journal, JournalError, Message, MessageId, OpenRun, Retained, RunFilter},
    record::{History, Record, RunSummary},
};
use futures_util::{FutureExt, future::BoxFuture};

use crate::{
    evidence::Evidence,
    witness::{Note, Witness},
};

/// See the module.
#[derive(Debug)]
pub(crate) struct Noted<J> {
    pub(crate) inner: J,
    pub(crate) witness: Arc<Witness>,
    /// Says that steps are on disk before they are.
    pub(crate) lie: bool,
}

impl<J: Journal> Journal for Noted<J> {
    fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<(), JournalError>> {
        let step = |(run, record): &(RunId, Record)| match record {
            Record::Step(step) => Some(Note::Done { key: Evidence::key(run, step.position) }),
            _ => None,
        };
        let done: Vec<Note> = batch.entries.iter().filter_map(step).collect();
        let (commit, witness) = (self.inner.commit(batch), self.witness.clone());
        let lie = self.lie && !done.is_empty();
        async move {
            if lie {
                // It still happens, only later.
                drop(commit);
            } else {
                commit.await?;
            }
            if !done.is_empty() {
                witness.note(&done);
            }
            Ok(())
        }
        .boxed()
    }

    fn history(&self, run: &RunId) -> BoxFuture<'static, Result<Option<History>, JournalError>> {
        self.inner.history(run)
    }

    fn open_runs(&self) -> BoxFuture<'static, Result<Vec<OpenRun>, JournalError>> {
        self.inner.open_runs()
    }

    fn runs(&self, filter: RunFilter) -> BoxFuture<'static, Result<Vec<RunSummary>, JournalError>> {
        self.inner.runs(filter)
    }

    fn find(
        &self,
        tenant: &TenantId,
        orchestrator: &Name,
        key: &IdempotencyKey,
    ) -> BoxFuture<'static, Result<Option<RunId>, JournalError>> {
        self.inner.find(tenant, orchestrator, key)
    }

    fn blob(&self, hash: Hash) -> BoxFuture<'static, Result<Option<Arc<[u8]>>, JournalError>> {
        self.inner.blob(hash)
    }

    fn spent(
        &self,
        tenant: &TenantId,
        since: Timestamp,
    ) -> BoxFuture<'static, Result<Spend, JournalError>> {
        self.inner.spent(tenant, since)
    }

    fn inbox(&self) -> BoxFuture<'static, Result<Vec<(MessageId, Message)>, JournalError>> {
        self.inner.inbox()
    }

    fn rang(&self) -> BoxFuture<'static, ()> {
        self.inner.rang()
    }

    fn retain(&self, before: Timestamp) -> BoxFuture<'static, Result<Retained, JournalError>> {
        self.inner.retain(before)
    }

    fn close(&self) -> BoxFuture<'static, Result<(), JournalError>> {
        self.inner.close()
    }
}
