//! What the disk can do: SQLite and nothing before it, with the same bytes per step.

use std::{path::Path, sync::mpsc, thread};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

/// Bytes of one row: what one step record of the benchmark takes in the store.
const ROW: usize = 256;

type Ask = oneshot::Sender<()>;

/// What one transaction writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writes {
    /// Its rows, and nothing else: the least that can be.
    Rows,
    /// Its rows, the line of a run and the account of a tenant: the three places of a store that
    /// tells of a step, without the delay with which ours brings the latter two up to date.
    RowsAndSums,
}

/// A writer thread that makes one transaction of everything that waits.
#[derive(Debug)]
pub(crate) struct Bare(mpsc::Sender<Ask>);

impl Bare {
    /// Opens a file at `path` with a flush for every transaction.
    pub(crate) fn open(path: &Path, writes: Writes) -> rusqlite::Result<Self> {
        let mut connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.execute_batch(
            "create table entry (id integer primary key, body blob not null);
                 create table line (id integer primary key, steps integer not null);
                 create table account (id integer primary key, calls integer not null);
                 insert into line values (1, 0); insert into account values (1, 0);",
        )?;
        let (ask, asked) = mpsc::channel::<Ask>();
        thread::spawn(move || {
            while let Ok(first) = asked.recv() {
                let group: Vec<Ask> =
                    std::iter::once(first).chain(asked.try_iter().take(511)).collect();
                if write(&mut connection, group.len(), writes).is_err() {
                    // Whoever waits hears it from the dropped channel.
                    return;
                }
                for answer in group {
                    let _ = answer.send(());
                }
            }
        });
        Ok(Self(ask))
    }

    /// Commits one row; true once it is on disk.
    pub(crate) async fn commit(&self) -> bool {
        let (answer, answered) = oneshot::channel();
        self.0.send(answer).is_ok() && answered.await.is_ok()
    }
}

fn write(connection: &mut Connection, rows: usize, writes: Writes) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut insert = transaction.prepare_cached("insert into entry (body) values (?)")?;
        for _ in 0..rows {
            insert.execute([&[7_u8; ROW][..]])?;
        }
        if writes == Writes::RowsAndSums {
            let rows = rows as i64;
            transaction.prepare_cached("update line set steps = steps + ?")?.execute([rows])?;
            transaction.prepare_cached("update account set calls = calls + ?")?.execute([rows])?;
        }
    }
    transaction.commit()
}
