//! The journal against the disk and against bare SQLite, side by side in one run.
//!
//! `cargo bench -p consort-durable` prints, for this machine's disk: how long a flush takes, what
//! SQLite does when nothing stands before it, what the journal does, and the ratios. Every figure
//! is the median of five rounds that take turns, so that a busy moment hits all of them.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::{
    fs::File,
    io::Write,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use consort_core::{
    RunId,
    journal::{Batch, Journal},
    record::Record,
};
use consort_durable::{
    SqliteJournal,
    sqlite::{Options, Sync},
};
use consort_testkit::journal::sample::{NOW, ended, root, started, step};
use futures_util::{FutureExt, future::BoxFuture};
use rusqlite::Connection;
use tokio::{runtime::Runtime, sync::oneshot, task::JoinSet};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(1000);
const IN_FLIGHT: usize = 64;

/// Something measured: a name, and a function that works for a while and returns operations/s.
type Case<'a> = (&'static str, Box<dyn FnMut() -> f64 + 'a>);

fn main() {
    // In the target directory: the system's own temporary directory may be in memory.
    let home = tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let at = |name: &str| home.path().join(name);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let body = serde_json::to_string(&step(1)).expect("JSON");
    println!("one step record is {} bytes of JSON; medians of {ROUNDS} rounds\n", body.len());

    let mut file = File::create(at("flush")).expect("a file");
    let (serial, grouped) = (bare(&at("serial.db")), bare(&at("grouped.db")));
    let queued = Arc::new(Mutex::new(bare(&at("queued.db"))));
    let journal = |name: &str, sync| {
        let options = Options { sync, ..Options::default() };
        Arc::new(SqliteJournal::open(at(name), options).expect("a journal"))
    };
    let full = journal("full.db", Sync::Full);
    let normal = journal("normal.db", Sync::Normal);
    let mut cases: Vec<Case<'_>> = vec![
        ("disk: append 4 KiB and flush", Box::new(|| flushes(&mut file))),
        ("bare SQLite, 1 row a transaction", Box::new(|| rows(&serial, &body, 1))),
        ("bare SQLite, 64 rows a transaction", Box::new(|| rows(&grouped, &body, IN_FLIGHT))),
        ("bare SQLite behind a queue, 64 callers", Box::new(|| callers(&runtime, &queued, &body))),
        ("journal, 1 run at a time", Box::new(|| runs(&runtime, &full, 1, u32::MAX))),
        ("journal, 64 runs at a time", Box::new(|| runs(&runtime, &full, IN_FLIGHT, u32::MAX))),
        (
            "journal, 64 at a time, runs of 3 steps",
            Box::new(|| runs(&runtime, &full, IN_FLIGHT, 3)),
        ),
        ("same with Sync::Normal", Box::new(|| runs(&runtime, &normal, IN_FLIGHT, u32::MAX))),
    ];
    report(measure(&mut cases));
}

fn measure(cases: &mut [Case<'_>]) -> Vec<(&'static str, f64)> {
    let mut rates = vec![Vec::new(); cases.len()];
    for _ in 0..ROUNDS {
        for ((_, case), rates) in cases.iter_mut().zip(&mut rates) {
            rates.push(case());
        }
    }
    let median = |rates: &mut Vec<f64>| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    cases.iter().zip(&mut rates).map(|((name, _), rates)| (*name, median(rates))).collect()
}

fn report(rates: Vec<(&'static str, f64)>) {
    for (name, rate) in &rates {
        println!("{name:50} {rate:>9.0} /s   {:>8.1} us each", 1e6 / rate);
    }
    let of = |index: usize| rates[index].1;
    println!("\nserial: journal takes {:.2} times the disk's flush", of(0) / of(4));
    println!("serial: journal takes {:.2} times bare SQLite's commit", of(1) / of(4));
    println!("64 in flight: journal does {:.2} of bare SQLite with 64 rows", of(5) / of(2));
    println!("64 in flight: journal does {:.2} of bare SQLite behind a queue", of(5) / of(3));
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> Instant {
    Instant::now()
}

/// Repeats `work`, which returns how much it did, for one round; returns the rate.
fn rate(mut work: impl FnMut() -> usize) -> f64 {
    let (start, mut done) = (now(), 0);
    while start.elapsed() < ROUND {
        done += work();
    }
    done as f64 / start.elapsed().as_secs_f64()
}

fn flushes(file: &mut File) -> f64 {
    rate(|| {
        file.write_all(&[7; 4096]).and_then(|()| file.sync_data()).expect("a disk");
        1
    })
}

fn bare(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("a database");
    connection.pragma_update(None, "journal_mode", "wal").expect("WAL");
    connection.pragma_update(None, "synchronous", "full").expect("FULL");
    let table = "create table record(key integer primary key, run int, seq int, body text)";
    connection.execute_batch(table).expect("a table");
    connection
}

fn insert(connection: &Connection, bodies: &[&str]) {
    let transaction = connection.unchecked_transaction().expect("a transaction");
    for body in bodies {
        let sql = "insert into record(run, seq, body) values (1, 2, ?)";
        let mut statement = transaction.prepare_cached(sql).expect("SQL");
        statement.execute([body]).expect("a row");
    }
    transaction.commit().expect("a commit");
}

fn rows(connection: &Connection, body: &str, count: usize) -> f64 {
    let bodies = vec![body; count];
    rate(|| {
        insert(connection, &bodies);
        count
    })
}

/// A writer thread, a channel and an answer for each row: the least that an engine needs.
fn callers(runtime: &Runtime, connection: &Arc<Mutex<Connection>>, body: &str) -> f64 {
    let (send, receive) = mpsc::channel::<(String, oneshot::Sender<()>)>();
    let connection = connection.clone();
    let writer = thread::spawn(move || {
        let connection = connection.lock().expect("no panic");
        while let Ok(first) = receive.recv() {
            let mut group = vec![first];
            group.extend(receive.try_iter().take(IN_FLIGHT * 2));
            insert(&connection, &group.iter().map(|(body, _)| body.as_str()).collect::<Vec<_>>());
            for (_, answer) in group {
                answer.send(()).expect("the caller waits");
            }
        }
    });
    let rate = concurrently(runtime, IN_FLIGHT, |_| {
        let (send, body) = (send.clone(), body.to_owned());
        move |start: Instant| {
            async move {
                let mut done = 0;
                while start.elapsed() < ROUND {
                    let (answer, answered) = oneshot::channel();
                    send.send((body.clone(), answer)).expect("the writer lives");
                    answered.await.expect("the writer answers");
                    done += 1;
                }
                done
            }
            .boxed()
        }
    });
    drop(send);
    writer.join().expect("the writer ends");
    rate
}

/// Steps per second of `tasks` tasks that each drive one run after the other.
fn runs(runtime: &Runtime, journal: &Arc<SqliteJournal>, tasks: usize, length: u32) -> f64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    concurrently(runtime, tasks, |_| {
        let journal = journal.clone();
        move |start: Instant| {
            async move {
                let mut done = 0;
                while start.elapsed() < ROUND {
                    let run = root(NEXT.fetch_add(1, Ordering::Relaxed));
                    record(&journal, &run, started(&run)).await;
                    for position in 0..length {
                        record(&journal, &run, step(position)).await;
                        done += 1;
                        if start.elapsed() >= ROUND {
                            break;
                        }
                    }
                    record(&journal, &run, ended(NOW)).await;
                }
                done
            }
            .boxed()
        }
    })
}

async fn record(journal: &SqliteJournal, run: &RunId, record: Record) {
    journal.commit(Batch::entry(run.clone(), record)).await.expect("the change is accepted");
}

/// Runs as many tasks as asked for; each says how much it did until the round was over.
fn concurrently<W>(runtime: &Runtime, tasks: usize, task: impl Fn(usize) -> W) -> f64
where
    W: FnOnce(Instant) -> BoxFuture<'static, usize>,
{
    let start = now();
    let done: usize = runtime.block_on(async {
        let mut set = JoinSet::new();
        for work in (0..tasks).map(task) {
            set.spawn(work(start));
        }
        set.join_all().await.into_iter().sum()
    });
    done as f64 / start.elapsed().as_secs_f64()
}
