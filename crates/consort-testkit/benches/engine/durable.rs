//! Durable steps that do nothing, one after the other and many at once, against bare SQLite.

use std::{path::Path, sync::Arc, time::Duration};

use consort_core::{Context, Facade, Limits, StepError, TenantId, journal::Journal};
use consort_durable::{MemoryJournal, SqliteJournal, sqlite};
use futures_util::future::join_all;
use tokio::runtime::Runtime;

use crate::{
    bare::{Bare, Writes},
    sample::{Series, facade},
    table::{Table, median, thousands, timed},
};

const ROUNDS: usize = 7;
const IN_FLIGHT: u64 = 64;
/// Steps of one run when runs are alone, and when they are many.
const ALONE: u64 = 2_000;
const EACH: u64 = 600;

/// Measures everything in turns and adds the rows.
pub(crate) fn measure(table: &mut Table) {
    // In the target directory: the system's own temporary directory may be in memory.
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let bare =
        [("bare.db", Writes::Rows), ("sums.db", Writes::RowsAndSums)].map(|(name, writes)| {
            Arc::new(Bare::open(&home.path().join(name), writes).expect("SQLite"))
        });
    let open = |name: &str, sync| -> Arc<dyn Journal> {
        Arc::new(sqlite_journal(&home.path().join(name), sync).expect("a journal"))
    };
    let journals = [
        open("full.db", sqlite::Sync::Full),
        open("normal.db", sqlite::Sync::Normal),
        Arc::new(MemoryJournal::new()),
    ];
    let facades = journals
        .map(|journal| runtime.block_on(facade(journal, Limits::default())).expect("a facade"));
    let mut alone: [Vec<f64>; 5] = Default::default();
    let mut many: [Vec<f64>; 5] = Default::default();
    for _ in 0..ROUNDS {
        for (index, bare) in bare.iter().enumerate() {
            alone[index].push(bare_rate(&runtime, bare, 1, ALONE));
            many[index].push(bare_rate(&runtime, bare, IN_FLIGHT, EACH));
        }
        for (index, facade) in facades.iter().enumerate() {
            alone[index + 2].push(rate(&runtime, facade, 1, ALONE));
            many[index + 2].push(rate(&runtime, facade, IN_FLIGHT, EACH));
        }
    }
    add(table, "1 at a time", alone.map(median));
    add(table, "64 in flight", many.map(median));
    for facade in facades {
        let closed = runtime.block_on(facade.close(Duration::from_secs(1)));
        closed.expect("nothing is left open");
    }
}

fn sqlite_journal(path: &Path, sync: sqlite::Sync) -> Result<SqliteJournal, StepError> {
    Ok(SqliteJournal::open(path, sqlite::Options { sync, ..sqlite::Options::default() })?)
}

fn add(table: &mut Table, how: &str, [bare, sums, full, normal, memory]: [f64; 5]) {
    let per = |rate: f64| format!("{}/s, {:.1} us each", thousands(rate), 1e6 / rate);
    let to = |rate: f64| format!("{:.2} x the time of bare SQLite", bare / rate);
    table.row(&format!("bare SQLite group commit of one row, {how}"), per(bare), "-".into());
    table.row(&format!("the same with two sums updated, {how}"), per(sums), to(sums));
    let both = format!("{}, {:.2} x with the sums", to(full), sums / full);
    table.row(&format!("durable step, SQLite, {how}"), per(full), both);
    table.row(&format!("durable step, SQLite without flush, {how}"), per(normal), to(normal));
    table.row(&format!("durable step, in memory, {how}"), per(memory), to(memory));
}

/// Commits per second of bare SQLite.
fn bare_rate(runtime: &Runtime, bare: &Arc<Bare>, callers: u64, each: u64) -> f64 {
    let took = runtime.block_on(timed(async {
        let caller = |_| {
            let bare = bare.clone();
            runtime.spawn(async move {
                for _ in 0..each {
                    assert!(bare.commit().await, "SQLite gave up");
                }
            })
        };
        for ended in join_all((0..callers).map(caller)).await {
            ended.expect("SQLite works");
        }
    }));
    (callers * each) as f64 / took.as_secs_f64()
}

/// Steps per second of so many runs at once.
fn rate(runtime: &Runtime, facade: &Facade, runs: u64, steps: u64) -> f64 {
    let took = runtime.block_on(timed(async {
        let run = |_| {
            let facade = facade.clone();
            runtime.spawn(async move {
                let cx = Context::new(TenantId::default());
                facade.call(cx, Series { steps }).await
            })
        };
        for ended in join_all((0..runs).map(run)).await {
            ended.expect("a run").expect("a result");
        }
    }));
    (runs * steps) as f64 / took.as_secs_f64()
}
