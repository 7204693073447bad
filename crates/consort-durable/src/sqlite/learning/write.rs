//! The one thread that writes a learning log: takes what waits, makes one transaction of it.

use std::{path::PathBuf, sync::Arc};

use consort_core::{
    journal::JournalError,
    learning::{Record, Snapshot},
};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use tokio::sync::oneshot;

use super::super::{
    fault::{Result, unavailable},
    lock::Lock,
    queue::Queue,
    row::int,
};

/// Jobs in one transaction at most, and their records.
const GROUP: (usize, usize) = (1024, 65_536);

pub(super) type Answer<T> = oneshot::Sender<std::result::Result<T, JournalError>>;

#[derive(Debug)]
pub(super) enum Job {
    Append(Arc<[Record]>, Answer<u64>),
    Save(Snapshot, Answer<()>),
    Trim(u64, Answer<u64>),
    Close(Answer<()>),
}

/// What a job came to, told once the transaction is on disk.
enum Done {
    Number(Answer<u64>, u64),
    Nothing(Answer<()>),
}

impl Done {
    fn tell(self, result: std::result::Result<(), JournalError>) {
        // Nobody may be waiting any more.
        match self {
            Self::Number(answer, number) => drop(answer.send(result.map(|()| number))),
            Self::Nothing(answer) => drop(answer.send(result)),
        }
    }
}

/// Everything that the thread owns.
pub(super) struct Writer {
    pub(super) path: Arc<PathBuf>,
    pub(super) connection: Connection,
    pub(super) last: u64,
    pub(super) queue: Arc<Queue<Job>>,
    pub(super) lock: Lock,
}

impl Writer {
    /// Works until the queue is closed and empty, then lets go of the file.
    pub(super) fn run(mut self) {
        let mut closing = Vec::new();
        while let Some(jobs) = self.queue.take(GROUP.0, GROUP.1) {
            let mut group = Vec::with_capacity(jobs.len());
            for job in jobs {
                match job {
                    Job::Close(answer) => {
                        self.queue.close();
                        closing.push(answer);
                    }
                    job => group.push(job),
                }
            }
            self.commit(group);
        }
        let Self { path, connection, lock, .. } = self;
        let closed = connection
            .close()
            .map_err(|(_, error)| super::super::fault::Fault::from(error).at(&path));
        drop(lock);
        for answer in closing {
            let _ = answer.send(closed.clone());
        }
    }

    fn commit(&mut self, group: Vec<Job>) {
        if group.is_empty() {
            return;
        }
        let mut done = Vec::with_capacity(group.len());
        let before = self.last;
        let result = write(&mut self.connection, &mut self.last, group, &mut done);
        let result = result.map_err(|fault| {
            self.last = before;
            if !self.connection.is_autocommit() {
                let _ = self.connection.execute_batch("rollback");
            }
            fault.at(&self.path)
        });
        done.into_iter().for_each(|done| done.tell(result.clone()));
    }
}

/// One transaction; `done` holds an entry for every job, whatever happens.
fn write(
    connection: &mut Connection,
    last: &mut u64,
    group: Vec<Job>,
    done: &mut Vec<Done>,
) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    let mut outcome: Result<()> = Ok(());
    for job in group {
        let mut attempt = |work: &mut dyn FnMut(&Transaction<'_>) -> Result<()>| {
            if let (Ok(transaction), true) = (&transaction, outcome.is_ok()) {
                outcome = work(transaction);
            }
        };
        match job {
            Job::Append(records, answer) => {
                attempt(&mut |transaction| append(transaction, last, &records));
                done.push(Done::Number(answer, *last));
            }
            Job::Save(snapshot, answer) => {
                attempt(&mut |transaction| save(transaction, &snapshot));
                done.push(Done::Nothing(answer));
            }
            Job::Trim(position, answer) => {
                let mut removed = 0;
                attempt(&mut |transaction| {
                    let sql = "delete from log where position <= \
                               min(?, coalesce((select position from snapshot), 0))";
                    removed = transaction.execute(sql, [int(position)])? as u64;
                    Ok(())
                });
                done.push(Done::Number(answer, removed));
            }
            Job::Close(answer) => done.push(Done::Nothing(answer)),
        }
    }
    outcome?;
    transaction?.commit()?;
    Ok(())
}

fn append(transaction: &Transaction<'_>, last: &mut u64, records: &[Record]) -> Result<()> {
    let sql = "insert into log(position, body, checksum) values (?, ?, ?)";
    let mut statement = transaction.prepare_cached(sql)?;
    let mut body = Vec::new();
    for record in records {
        body.clear();
        serde_json::to_writer(&mut body, record)
            .map_err(|error| unavailable("the record is not JSON").because(error))?;
        let text = std::str::from_utf8(&body)
            .map_err(|error| unavailable("the record is not text").because(error))?;
        let checksum = i64::from(crc32fast::hash(&body));
        statement.execute(params![int(*last + 1), text, checksum])?;
        *last += 1;
    }
    Ok(())
}

fn save(transaction: &Transaction<'_>, snapshot: &Snapshot) -> Result<()> {
    let sql =
        "insert or replace into snapshot(only, position, state, checksum) values (1, ?, ?, ?)";
    let checksum = i64::from(crc32fast::hash(&snapshot.state));
    transaction.execute(sql, params![int(snapshot.position), &*snapshot.state, checksum])?;
    Ok(())
}
