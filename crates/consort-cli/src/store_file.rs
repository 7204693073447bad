//! `consort store`: the file itself, checked and copied.

use std::path::Path;

use consort::{
    core::{StepError, journal::JournalError},
    durable::{
        SqliteLearningLog,
        sqlite::{self, Checked},
    },
};
use serde::Serialize;

use crate::{
    args, console::Console, engine::count, fail::Failure, reading::blocking, settings::Settings,
};

/// The exit code of a damaged store: that of `store_corrupt`.
const DAMAGED: u8 = consort::core::Category::StoreCorrupt.facts().exit;

/// The answer of `check` under `--json`.
#[derive(Debug, Serialize)]
struct Found {
    store: String,
    sound: bool,
    #[serde(flatten)]
    checked: Checked,
}

/// The answer of `backup` under `--json`.
#[derive(Debug, Serialize)]
struct Copied {
    store: String,
    backup: String,
    bytes: u64,
    /// The copy of the learning log; none when nothing was ever learned.
    learning: Option<CopiedLog>,
}

#[derive(Debug, Serialize)]
struct CopiedLog {
    backup: String,
    bytes: u64,
}

pub(crate) async fn check(settings: &Settings, console: &Console) -> Result<u8, Failure> {
    let path = settings.store()?.path.clone();
    let store = path.display().to_string();
    let checked =
        blocking(move || sqlite::check(path)).await?.map_err(consort::core::StepError::from)?;
    let found = Found { store, sound: checked.damage.is_empty(), checked };
    if console.json {
        console.print_json(&found)?;
    } else {
        console.print(&words(&found))?;
    }
    Ok(if found.sound { 0 } else { DAMAGED })
}

fn words(found: &Found) -> String {
    let Checked { runs, records, payloads, messages, damage } = &found.checked;
    let damage: String = damage.iter().map(|damage| format!("damaged: {damage}\n")).collect();
    let verdict = match found.checked.damage.len() {
        0 => "sound".to_owned(),
        faults => count(faults, "fault"),
    };
    format!(
        "{damage}{}: {verdict}; {runs} runs, {records} records, {payloads} pieces of content, \
         {messages} messages\n",
        found.store
    )
}

pub(crate) async fn backup(
    settings: &Settings,
    console: &Console,
    typed: args::Backup,
) -> Result<u8, Failure> {
    let from = settings.store()?.path.clone();
    let to = typed.to;
    let copied = blocking(move || copy(&from, &to)).await?.map_err(StepError::from)?;
    if console.json {
        console.print_json(&copied)?;
    } else {
        console.note(&format!("{}: {} bytes", copied.backup, copied.bytes));
        if let Some(log) = &copied.learning {
            console.note(&format!("{}: {} bytes, what was learned", log.backup, log.bytes));
        }
    }
    Ok(0)
}

/// Copies the learning log before the store, so that it knows of no decision that the copied runs
/// have yet to make: one of them, taken up from the copy, could choose otherwise under the same id.
/// What is learned between the two copies may be missing from the copy; nothing in it is wrong.
fn copy(store: &Path, to: &Path) -> Result<Copied, JournalError> {
    let (log, log_to) = (SqliteLearningLog::beside(store), SqliteLearningLog::beside(to));
    let learning = if store.is_file() && !to.exists() && log.exists() {
        let bytes = SqliteLearningLog::backup(log, &log_to)?;
        Some(CopiedLog { backup: log_to.display().to_string(), bytes })
    } else {
        None
    };
    let copied = sqlite::backup(store, to);
    if copied.is_err() && learning.is_some() {
        // What matters is the error; a log without its store is only in the way.
        let _ = std::fs::remove_file(&log_to);
    }
    let (store, backup) = (store.display().to_string(), to.display().to_string());
    copied.map(|bytes| Copied { store, backup, bytes, learning })
}
