//! What an open run costs while it waits for an event: in memory, and as a row.

use std::{process::Command, sync::Arc, time::Duration};

use consort_core::{Context, Limits, StepError, TenantId, journal::Journal};
use consort_durable::{MemoryJournal, SqliteJournal, sqlite};
use serde_json::json;

use crate::{
    sample::facade,
    table::{Table, thousands},
};

const RUNS: usize = 10_000;

/// Measures each case in a process of its own and adds the rows.
pub(crate) fn measure(table: &mut Table) {
    for (case, what) in [
        ("unparked-sqlite", "run that waits for an event, in memory, SQLite"),
        ("parked-sqlite", "the same, parked, SQLite"),
        ("parked-memory", "the same, parked, journal in memory"),
    ] {
        #[expect(clippy::disallowed_methods, reason = "a copy of this process")]
        let child = std::env::current_exe()
            .and_then(|own| Command::new(own).args(["memory", case, &RUNS.to_string()]).output());
        let bytes = child
            .ok()
            .and_then(|output| String::from_utf8_lossy(&output.stdout).trim().parse::<f64>().ok());
        let measured = bytes.map_or("no data".into(), |bytes| format!("{} B", thousands(bytes)));
        table.row(what, measured, format!("resident, each of {}", thousands(RUNS as f64)));
    }
}

/// One case: prints bytes per run.
pub(crate) fn child(case: &str, runs: usize) {
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let journal: Arc<dyn Journal> = if case.ends_with("sqlite") {
        let path = home.path().join("memory.db");
        Arc::new(SqliteJournal::open(path, sqlite::Options::default()).expect("a journal"))
    } else {
        Arc::new(MemoryJournal::new())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let parked = case.starts_with("parked");
    let bytes = runtime
        .expect("a runtime")
        .block_on(grow(journal, parked, runs))
        .expect("every run is started");
    println!("{bytes:.0}");
}

async fn grow(journal: Arc<dyn Journal>, parked: bool, runs: usize) -> Result<f64, StepError> {
    let park_after = Duration::from_secs(if parked { 0 } else { 100_000 });
    let limits = Limits { park_after, concurrency: 1_000_000, ..Limits::default() };
    let facade = facade(journal, limits).await?;
    let start = async |count: usize| -> Result<(), StepError> {
        for number in 0..count {
            let cx = Context::new(TenantId::default());
            drop(facade.start_run("waiting", cx, json!({ "number": number })).await?);
        }
        while parked && facade.in_memory() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    };
    // The first ones bring in code, caches and buffers.
    start(runs / 10).await?;
    let before = resident();
    start(runs).await?;
    tokio::time::sleep(Duration::from_millis(200)).await;
    Ok((resident() - before) / runs as f64)
}

/// Resident bytes of this process, from `/proc/self/status`; not a number elsewhere than on Linux.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes =
        line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    kibibytes.map_or(f64::NAN, |kibibytes| kibibytes * 1024.0)
}
