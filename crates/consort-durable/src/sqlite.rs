//! The journal on disk: one SQLite file, one process that owns it, one thread that writes.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use consort_core::{
    Clock, Hash, IdempotencyKey, Name, RunId, Spend, SystemClock, TenantId, Timestamp,
    journal::{Batch, Journal, JournalError, Message, MessageId, OpenRun, Retained, RunFilter},
    record::{History, RunEnded, RunSummary},
};
use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::oneshot;

use bell::Bell;
use book::Book;
use fault::{Fault, unavailable};
use lock::Lock;
use pool::Pool;
use queue::Queue;
use writer::{Job, Writer};

mod backup;
mod bell;
mod book;
mod check;
mod encode;
mod fault;
mod file;
mod inbox;
pub mod learning;
mod list;
mod lock;
mod pool;
mod queue;
mod read;
mod reader;
mod recent;
mod retain;
mod row;
mod schema;
mod wal;
mod writer;

pub use backup::backup;
pub use check::{Checked, Damage, check};
pub use inbox::post;
pub use lock::has_owner;
pub use reader::SqliteReader;

/// When a change counts as kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sync {
    /// When the disk says so (`synchronous=FULL`): it survives a power failure.
    #[default]
    Full,
    /// When the operating system has it (`synchronous=NORMAL`): it survives the death of this
    /// process, but a power failure may take the last changes back. What is left is still a state
    /// that once was, without gaps.
    Normal,
}

impl Sync {
    const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Normal => "normal",
        }
    }
}

/// How a store is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// When a change counts as kept. Default: [`Sync::Full`].
    pub sync: Sync,
    /// Bytes of changes that may wait for the writer. Above that, `commit` holds the thread that
    /// calls it until the writer has caught up. Default: 64 MiB.
    pub queue_bytes: usize,
    /// The store may not grow larger than this many bytes; what does not fit is refused as
    /// [`Full`](consort_core::journal::JournalErrorKind::Full). Default: no limit but the disk's.
    pub max_bytes: Option<u64>,
    /// Threads that read, 1 or more. Default: 2.
    pub readers: usize,
    /// Only asked when content is put, for retention. Default: the machine's clock.
    pub clock: Arc<dyn Clock>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sync: Sync::Full,
            queue_bytes: 64 << 20,
            max_bytes: None,
            readers: 2,
            clock: Arc::new(SystemClock),
        }
    }
}

/// A journal in one SQLite file, for the process that owns it.
///
/// A change is acknowledged after its transaction is on disk (see [`Sync`]). One thread writes;
/// it makes one transaction of everything that waits, so that many callers share one flush. When
/// a transaction fails, for instance because the disk is full, everything queued behind it fails
/// too, and what comes later is tried afresh.
///
/// Dropping it waits until everything queued is written.
pub struct SqliteJournal {
    path: Arc<PathBuf>,
    queue: Arc<Queue<Job>>,
    pool: Arc<Pool>,
    bell: Bell,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl SqliteJournal {
    /// Opens the store at `path`, or makes one. Blocks for some milliseconds.
    ///
    /// # Errors
    ///
    /// `Locked` when another process owns it, `TooNew` when a newer build wrote it, `Corrupt` when
    /// it is no store or damaged, `Full` and `Unavailable` when the place cannot be written to.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, JournalError> {
        let path = path.as_ref();
        Self::start(path, &options).map_err(|fault| fault.at(path))
    }

    fn start(path: &Path, options: &Options) -> fault::Result<Self> {
        file::examine(path)?;
        if file::is_read_only(path) {
            let text =
                format!("store `{}` may only be read; it has no write permission", path.display());
            return Err(unavailable(text).into());
        }
        let lock = Lock::take(path)?;
        let connection = file::connect_to_write(path, options)?;
        let mut book = Book::new(options.clock.clone());
        book.load(&connection)?;
        let path = Arc::new(path.to_owned());
        let pool = Arc::new(Pool::start(path.clone(), options.readers, file::connect_to_read)?);
        let bell = Bell::hang(&path)?;
        let queue = Arc::new(Queue::new(options.queue_bytes.max(1)));
        let writer = Writer {
            path: path.clone(),
            connection,
            book,
            queue: queue.clone(),
            pool: pool.clone(),
            lock,
            failed: false,
        };
        let writer = thread::Builder::new()
            .name("consort-journal".into())
            .spawn(move || writer.run())
            .map_err(|error| {
                Fault::from(unavailable("cannot start the journal's thread").because(error))
            })?;
        Ok(Self { path, queue, pool, bell, writer: Mutex::new(Some(writer)) })
    }

    /// Queues a job, and hands out its answer.
    fn ask<T: Send + 'static>(
        &self,
        weight: usize,
        job: impl FnOnce(writer::Answer<T>) -> Job,
    ) -> BoxFuture<'static, Result<T, JournalError>> {
        let (answer, answered) = oneshot::channel();
        let closed = unavailable(format!("store `{}` is closed", self.path.display()));
        if self.queue.push(job(answer), weight).is_err() {
            return std::future::ready(Err(closed)).boxed();
        }
        async move { answered.await.unwrap_or(Err(closed)) }.boxed()
    }
}

impl fmt::Debug for SqliteJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteJournal").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Drop for SqliteJournal {
    fn drop(&mut self) {
        self.queue.close();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A writer that panicked has failed everything that was queued.
        let _ = writer.map(JoinHandle::join);
    }
}

impl Journal for SqliteJournal {
    fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<(), JournalError>> {
        match encode::encode(batch) {
            Ok(change) => {
                let weight = change.weight();
                self.ask(weight, |answer| Job::Commit(Box::new(change), answer))
            }
            Err(error) => std::future::ready(Err(error)).boxed(),
        }
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
        self.bell.rang()
    }

    fn retain(&self, before: Timestamp) -> BoxFuture<'static, Result<Retained, JournalError>> {
        self.ask(0, |answer| Job::Retain(before, answer))
    }

    fn close(&self) -> BoxFuture<'static, Result<(), JournalError>> {
        let answer = self.ask(0, Job::Close);
        self.queue.close();
        answer
    }

    fn inbox_delay(&self) -> Duration {
        bell::DELAY
    }
}
