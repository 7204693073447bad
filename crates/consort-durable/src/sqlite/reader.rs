//! A store for those who do not own it: everything can be read, nothing changed.

use std::{fmt, path::Path, sync::Arc};

use consort_core::{
    Hash, IdempotencyKey, Name, RunId, Spend, TenantId, Timestamp,
    journal::{Batch, Journal, JournalError, Message, MessageId, OpenRun, Retained, RunFilter},
    record::{History, RunEnded, RunSummary},
};
use futures_util::{
    FutureExt,
    future::{BoxFuture, pending, ready},
};

use super::{fault::unavailable, file::Guest, list, pool::Pool, read};

/// A store opened for reading: beside its living owner, or without one, or on a medium that
/// nobody may write to.
///
/// As a [`Journal`] it refuses to change anything, and its bell never rings.
pub struct SqliteReader {
    pool: Pool,
    name: String,
}

impl SqliteReader {
    /// Opens the store at `path`. Blocks for some milliseconds.
    ///
    /// # Errors
    ///
    /// `Unavailable` when there is none or it cannot be read here, `TooNew` when a newer build
    /// wrote it, `Corrupt` when it is no store or its log is damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, JournalError> {
        let path = path.as_ref();
        let connect = |path: &Path| Guest::connect(path, false);
        let pool = Pool::start(Arc::new(path.to_owned()), 1, connect);
        let pool = pool.map_err(|fault| fault.at(path))?;
        Ok(Self { pool, name: path.display().to_string() })
    }

    fn refuse<T: Send + 'static>(&self) -> BoxFuture<'static, Result<T, JournalError>> {
        ready(Err(unavailable(format!("store `{}` is open for reading only", self.name)))).boxed()
    }
}

impl fmt::Debug for SqliteReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteReader").field("path", &self.name).finish_non_exhaustive()
    }
}

impl Journal for SqliteReader {
    fn commit(&self, _: Batch) -> BoxFuture<'static, Result<(), JournalError>> {
        self.refuse()
    }

    fn history(&self, run: &RunId) -> BoxFuture<'static, Result<Option<History>, JournalError>> {
        let run = run.clone();
        self.pool.read(move |connection| read::history(connection, &run))
    }

    fn ended(&self, run: &RunId) -> BoxFuture<'static, Result<Option<RunEnded>, JournalError>> {
        let run = run.clone();
        self.pool.read(move |connection| read::ended(connection, &run))
    }

    fn open_runs(&self) -> BoxFuture<'static, Result<Vec<OpenRun>, JournalError>> {
        self.pool.read(read::open_runs)
    }

    fn runs(&self, filter: RunFilter) -> BoxFuture<'static, Result<Vec<RunSummary>, JournalError>> {
        self.pool.read(move |connection| list::runs(connection, &filter))
    }

    fn find(
        &self,
        tenant: &TenantId,
        orchestrator: &Name,
        key: &IdempotencyKey,
    ) -> BoxFuture<'static, Result<Option<RunId>, JournalError>> {
        let (tenant, orchestrator, key) = (tenant.clone(), orchestrator.clone(), key.clone());
        self.pool.read(move |connection| read::find(connection, &tenant, &orchestrator, &key))
    }

    fn blob(&self, hash: Hash) -> BoxFuture<'static, Result<Option<Arc<[u8]>>, JournalError>> {
        self.pool.read(move |connection| read::blob(connection, hash))
    }

    fn spent(
        &self,
        tenant: &TenantId,
        since: Timestamp,
    ) -> BoxFuture<'static, Result<Spend, JournalError>> {
        let tenant = tenant.clone();
        self.pool.read(move |connection| read::spent(connection, &tenant, since))
    }

    fn inbox(&self) -> BoxFuture<'static, Result<Vec<(MessageId, Message)>, JournalError>> {
        self.pool.read(read::inbox)
    }

    fn rang(&self) -> BoxFuture<'static, ()> {
        pending().boxed()
    }

    fn retain(&self, _: Timestamp) -> BoxFuture<'static, Result<Retained, JournalError>> {
        self.refuse()
    }

    fn close(&self) -> BoxFuture<'static, Result<(), JournalError>> {
        self.pool.close();
        ready(Ok(())).boxed()
    }
}
