//! Threads that read, so that nobody who asks has to wait on a disk in an async task.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use consort_core::journal::JournalError;
use futures_util::{FutureExt, future::BoxFuture};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{
    fault::{Result, unavailable},
    queue::Queue,
};

struct Job(Box<dyn FnOnce(&Connection) + Send>);

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Job")
    }
}

/// A few threads with a read-only connection each.
#[derive(Debug)]
pub(crate) struct Pool {
    path: Arc<PathBuf>,
    queue: Arc<Queue<Job>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Pool {
    /// Starts `threads` readers of the store at `path`, with a connection each.
    pub(crate) fn start(
        path: Arc<PathBuf>,
        threads: usize,
        connect: impl Fn(&Path) -> Result<Connection>,
    ) -> Result<Self> {
        let queue = Arc::new(Queue::new(usize::MAX));
        let pool = Self { path, queue, threads: Mutex::default() };
        for _ in 0..threads.max(1) {
            let connection = connect(&pool.path)?;
            let queue = pool.queue.clone();
            let work = move || {
                while let Some(jobs) = queue.take(1, usize::MAX) {
                    jobs.into_iter().for_each(|job: Job| job.0(&connection));
                }
            };
            let thread = thread::Builder::new().name("consort-journal-reader".into());
            let thread = thread.spawn(work).map_err(|error| {
                unavailable("cannot start a thread that reads the journal").because(error)
            })?;
            pool.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        Ok(pool)
    }

    /// Reads on one of the threads, in the order in which it is called.
    pub(crate) fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> BoxFuture<'static, std::result::Result<T, JournalError>> {
        let (answer, answered) = oneshot::channel();
        let path = self.path.clone();
        let job = Job(Box::new(move |connection: &Connection| {
            if answer.is_closed() {
                return;
            }
            let _ = answer.send(read(connection).map_err(|fault| fault.at(&path)));
        }));
        let closed = unavailable(format!("store `{}` is closed", self.path.display()));
        if self.queue.push(job, 0).is_err() {
            return std::future::ready(Err(closed)).boxed();
        }
        async move { answered.await.unwrap_or(Err(closed)) }.boxed()
    }

    /// Lets the threads finish what was asked for, and waits for them.
    pub(crate) fn close(&self) {
        self.queue.close();
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A reader that panicked has dropped its answer, which its caller has seen.
            let _ = thread.join();
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close();
    }
}
