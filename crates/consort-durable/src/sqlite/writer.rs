//! The one thread that writes: takes what is queued, makes one transaction of it, answers.

use std::{path::PathBuf, sync::Arc};

use consort_core::{
    Timestamp,
    journal::{JournalError, Retained},
};
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use super::{
    book::Book,
    encode::Encoded,
    fault::{Fault, Result, unavailable},
    lock::Lock,
    pool::Pool,
    queue::Queue,
    retain::Retention,
};

/// Changes in one transaction at most, and their weight in bytes. Large enough that the disk's
/// delay is shared by all who wait, small enough that the first of them does not wait long.
const GROUP: (usize, usize) = (512, 16 << 20);

/// Where an answer goes.
pub(crate) type Answer<T> = oneshot::Sender<std::result::Result<T, JournalError>>;

/// What the writer is asked to do.
#[derive(Debug)]
pub(crate) enum Job {
    Commit(Box<Encoded>, Answer<()>),
    Retain(Timestamp, Answer<Retained>),
    /// The next slice of a retention that is under way.
    Continue(Box<Retention>, Answer<Retained>),
    Close(Answer<()>),
}

impl Job {
    fn fail(self, error: &JournalError) {
        // Nobody may be waiting any more.
        match self {
            Self::Commit(_, answer) | Self::Close(answer) => drop(answer.send(Err(error.clone()))),
            Self::Retain(_, answer) | Self::Continue(_, answer) => {
                drop(answer.send(Err(error.clone())));
            }
        }
    }
}

/// Everything that the thread owns.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) path: Arc<PathBuf>,
    pub(crate) connection: Connection,
    pub(crate) book: Book,
    pub(crate) queue: Arc<Queue<Job>>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) lock: Lock,
    /// A transaction failed since the log was last begun anew. What it left in the log must not
    /// be taken for a lost one later.
    pub(crate) failed: bool,
}

/// Fails what is queued when the thread ends, however that happens.
struct Ended {
    path: Arc<PathBuf>,
    queue: Arc<Queue<Job>>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.queue.close();
        let error = unavailable(format!("store `{}` is closed", self.path.display()));
        self.queue.drain().into_iter().for_each(|job| job.fail(&error));
    }
}

impl Writer {
    /// Works until the queue is closed and empty, then lets go of the store.
    pub(crate) fn run(mut self) {
        let _ended = Ended { path: self.path.clone(), queue: self.queue.clone() };
        let mut closing = Vec::new();
        self.settle();
        while let Some(jobs) = self.queue.take(GROUP.0, GROUP.1) {
            let mut group = Vec::new();
            for job in jobs {
                match job {
                    Job::Commit(change, answer) => group.push((change, answer)),
                    Job::Close(answer) => {
                        self.queue.close();
                        closing.push(answer);
                    }
                    Job::Retain(before, answer) => {
                        self.commit(std::mem::take(&mut group));
                        self.continue_retention(Box::new(Retention::new(before)), answer);
                    }
                    Job::Continue(retention, answer) => {
                        self.commit(std::mem::take(&mut group));
                        self.continue_retention(retention, answer);
                    }
                }
            }
            self.commit(group);
        }
        self.settle();
        let Self { path, connection, pool, lock, .. } = self;
        pool.close();
        // The last connection to close copies the write-ahead log back; if it cannot, the next
        // owner will.
        let closed = connection.close().map_err(|(_, error)| Fault::from(error).at(&path));
        drop(lock);
        for answer in closing {
            let _ = answer.send(closed.clone());
        }
    }

    /// Leaves lines and accounts up to date behind. If that fails nothing is lost: they follow
    /// from the records, and the next owner catches up.
    fn settle(&mut self) {
        if !self.book.lags() {
            return;
        }
        let Self { connection, book, .. } = self;
        let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let settled = begun.map_err(Fault::from).and_then(|transaction| {
            book.settle(&transaction)?;
            Ok(transaction.commit()?)
        });
        if settled.is_err() {
            self.failed = true;
            self.book.forget();
        }
    }

    /// Makes one transaction of a group and answers each change.
    fn commit(&mut self, group: Vec<(Box<Encoded>, Answer<()>)>) {
        if group.is_empty() {
            return;
        }
        match self.write(&group) {
            Ok(answers) => {
                for ((_, answer), result) in group.into_iter().zip(answers) {
                    let _ = answer.send(result);
                }
            }
            Err(fault) => {
                let error = self.give_up(fault);
                for (_, answer) in group {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
    }

    /// Writes a group; a refused change is answered and leaves no trace among the others.
    fn write(
        &mut self,
        group: &[(Box<Encoded>, Answer<()>)],
    ) -> Result<Vec<std::result::Result<(), JournalError>>> {
        let Self { connection, book, failed, .. } = self;
        if *failed {
            // Row: was it prevented, by somebody who reads? Then the next time; it is no hurry.
            let sql = "pragma wal_checkpoint(restart)";
            *failed = connection.query_row(sql, [], |row| row.get(0)).unwrap_or(true);
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        book.load(&transaction)?;
        let mut answers = Vec::with_capacity(group.len());
        for (change, _) in group {
            match book.plan(&transaction, change) {
                Ok(plan) => {
                    book.write(&transaction, change, plan)?;
                    answers.push(Ok(()));
                }
                Err(Fault::Known(refusal)) => answers.push(Err(refusal)),
                Err(fault) => return Err(fault),
            }
        }
        book.finish(&transaction)?;
        transaction.commit()?;
        Ok(answers)
    }

    /// After a transaction failed: starts afresh from what the file says.
    ///
    /// Changes that were queued behind it fail too. They were made by callers who could not know
    /// of the failure, and a log must not get a later entry without an earlier one.
    fn give_up(&mut self, fault: Fault) -> JournalError {
        self.failed = true;
        let error = fault.at(&self.path);
        for job in self.queue.drain() {
            match job {
                Job::Close(answer) => self.queue.push_back(Job::Close(answer)),
                job => job.fail(&error),
            }
        }
        // A failed commit may leave the transaction open; a failed rollback leaves it to the next.
        if !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("rollback");
        }
        self.book.forget();
        error
    }

    /// One slice of a retention; the next one queues behind the commits that came meanwhile.
    fn continue_retention(&mut self, mut retention: Box<Retention>, answer: Answer<Retained>) {
        match retention.slice(&mut self.connection, &mut self.book) {
            Ok(false) => self.queue.push_back(Job::Continue(retention, answer)),
            Ok(true) => drop(answer.send(Ok(retention.removed()))),
            Err(fault) => {
                let error = self.give_up(fault);
                let _ = answer.send(Err(error));
            }
        }
    }
}
