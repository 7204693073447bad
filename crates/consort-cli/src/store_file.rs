//! `consort store`: the file itself, checked and copied.

use consort::durable::sqlite::{self, Checked};
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
    let (store, to) = (from.display().to_string(), typed.to);
    let target = to.clone();
    let copying = blocking(move || sqlite::backup(from, target)).await?;
    let bytes = copying.map_err(consort::core::StepError::from)?;
    let copied = Copied { store, backup: to.display().to_string(), bytes };
    if console.json {
        console.print_json(&copied)?;
    } else {
        console.note(&format!("{}: {} bytes", copied.backup, copied.bytes));
    }
    Ok(0)
}
