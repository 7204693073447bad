//! The learner's log on disk: a file of its own beside the store.
//!
//! Its own file, because a burst of rewards must not hold up the steps of runs, because it has
//! another life (it outlives runs, and may be thrown away without losing one), and because the
//! format of either can change without the other's.

mod file;
mod write;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use consort_core::{
    journal::{JournalError, JournalErrorKind},
    learning::{Extent, LearningLog, Record, Snapshot},
};
use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::oneshot;

use super::{
    Sync,
    fault::{Fault, unavailable},
    lock::Lock,
    pool::Pool,
    queue::Queue,
};
use write::{Answer, Job, Writer};

/// How the log is kept.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// When a record counts as kept. Default: [`Sync::Full`].
    pub sync: Sync,
    /// Records that may wait for the disk; more are refused as `Busy`. Default: 262,144.
    pub queue: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { sync: Sync::Full, queue: 262_144 }
    }
}

/// The log in one SQLite file, for the process that owns it, or for reading beside it.
///
/// One thread writes; it makes one transaction of everything that waits, so that many records
/// share one flush. Dropping it waits until everything queued is written.
pub struct SqliteLearningLog {
    path: Arc<PathBuf>,
    pool: Pool,
    owner: Option<Owner>,
}

struct Owner {
    queue: Arc<Queue<Job>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl SqliteLearningLog {
    /// The log's file beside the store at `store`.
    pub fn beside(store: impl AsRef<Path>) -> PathBuf {
        super::lock::beside(store.as_ref(), ".learning")
    }

    /// Opens the log at `path`, or makes one. Blocks for some milliseconds.
    ///
    /// # Errors
    ///
    /// `Locked` when another process owns it, `TooNew` when a newer build wrote it, `Corrupt` when
    /// it is none or damaged, `Full` and `Unavailable` when the place cannot be written to.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, JournalError> {
        let path = path.as_ref();
        Self::start(path, options).map_err(|fault| fault.at(path))
    }

    fn start(path: &Path, options: Options) -> super::fault::Result<Self> {
        super::file::examine(path)?;
        let lock = Lock::take(path)?;
        let connection = file::connect_to_write(path, options.sync)?;
        let last = file::last(&connection)?;
        let shared = Arc::new(path.to_owned());
        let pool = Pool::start(shared.clone(), 1, file::connect_to_read)?;
        let queue = Arc::new(Queue::new(options.queue.max(1)));
        let writer = Writer { path: shared.clone(), connection, last, queue: queue.clone(), lock };
        let thread = thread::Builder::new().name("consort-learning".into());
        let writer = thread.spawn(move || writer.run()).map_err(|error| {
            Fault::from(unavailable("cannot start the learning log's thread").because(error))
        })?;
        let owner = Owner { queue, writer: Mutex::new(Some(writer)) };
        Ok(Self { path: shared, pool, owner: Some(owner) })
    }

    /// Opens the log at `path` for reading only, beside its owner or without one.
    ///
    /// # Errors
    ///
    /// `Unavailable` when there is none, `TooNew` and `Corrupt` as for the owner.
    pub fn open_to_read(path: impl AsRef<Path>) -> Result<Self, JournalError> {
        let path = path.as_ref();
        Self::find(path)?;
        let shared = Arc::new(path.to_owned());
        let pool = Pool::start(shared.clone(), 1, file::connect_to_read);
        Ok(Self { path: shared, pool: pool.map_err(|fault| fault.at(path))?, owner: None })
    }

    /// Copies the log at `path` to the new file `to`, as it is at one moment, also beside an owner
    /// that goes on writing; returns its size in bytes. Blocks. The copy appears under its name
    /// once it is whole and on disk.
    ///
    /// # Errors
    ///
    /// `Unavailable` when there is no log, or when `to` exists or cannot be written, `Full` when
    /// there is no room; and as for [`open_to_read`](Self::open_to_read).
    pub fn backup(path: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<u64, JournalError> {
        let path = path.as_ref();
        let connect = || {
            Self::find(path)?;
            file::connect_to_read(path).map_err(|fault| fault.at(path))
        };
        super::backup::whole(connect, to.as_ref())
    }

    /// Makes sure that a file is there to be read.
    fn find(path: &Path) -> Result<(), JournalError> {
        super::file::examine(path)?;
        if !path.is_file() {
            return Err(unavailable(format!("there is no learning log `{}`", path.display())));
        }
        Ok(())
    }

    fn ask<T: Send + 'static>(
        &self,
        weight: usize,
        job: impl FnOnce(Answer<T>) -> Job,
    ) -> BoxFuture<'static, Result<T, JournalError>> {
        let name = self.path.display();
        let Some(owner) = &self.owner else {
            let text = format!("learning log `{name}` is open for reading only");
            return std::future::ready(Err(unavailable(text))).boxed();
        };
        let (answer, answered) = oneshot::channel();
        let closed = unavailable(format!("learning log `{name}` is closed"));
        match owner.queue.offer(job(answer), weight) {
            Ok(true) => {}
            Ok(false) => {
                let text = format!("too many records wait for learning log `{name}`");
                let busy = JournalError::new(JournalErrorKind::Busy, text);
                return std::future::ready(Err(busy)).boxed();
            }
            Err(()) => return std::future::ready(Err(closed)).boxed(),
        }
        async move { answered.await.unwrap_or(Err(closed)) }.boxed()
    }
}

impl fmt::Debug for SqliteLearningLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteLearningLog").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Drop for SqliteLearningLog {
    fn drop(&mut self) {
        let Some(owner) = &self.owner else { return };
        owner.queue.close();
        let writer = owner.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A writer that panicked has failed everything that was queued.
        let _ = writer.map(JoinHandle::join);
    }
}

impl LearningLog for SqliteLearningLog {
    fn append(&self, records: Arc<[Record]>) -> BoxFuture<'static, Result<u64, JournalError>> {
        let weight = records.len();
        self.ask(weight, |answer| Job::Append(records, answer))
    }

    fn read(
        &self,
        position: u64,
        limit: usize,
    ) -> BoxFuture<'static, Result<Vec<(u64, Record)>, JournalError>> {
        self.pool.read(move |connection| file::read(connection, position, limit))
    }

    fn extent(&self) -> BoxFuture<'static, Result<Extent, JournalError>> {
        self.pool.read(|connection| {
            let last = file::last(connection)?;
            Ok(Extent { first: file::first(connection)?.unwrap_or(last + 1), last })
        })
    }

    fn save(&self, snapshot: Snapshot) -> BoxFuture<'static, Result<(), JournalError>> {
        self.ask(1, |answer| Job::Save(snapshot, answer))
    }

    fn snapshot(&self) -> BoxFuture<'static, Result<Option<Snapshot>, JournalError>> {
        self.pool.read(file::snapshot)
    }

    fn trim(&self, position: u64) -> BoxFuture<'static, Result<u64, JournalError>> {
        self.ask(1, |answer| Job::Trim(position, answer))
    }

    fn close(&self) -> BoxFuture<'static, Result<(), JournalError>> {
        self.pool.close();
        let Some(owner) = &self.owner else { return std::future::ready(Ok(())).boxed() };
        let answer = self.ask(0, Job::Close);
        owner.queue.close();
        answer
    }
}
