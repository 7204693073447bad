//! A directory for a store, and everything that can be read from one.

use std::{
    fs,
    path::{Path, PathBuf},
};

use consort_core::{
    RunId, Spend, TenantId, Timestamp,
    journal::{
        Batch, Journal, JournalError, JournalErrorKind, Message, MessageId, OpenRun, RunFilter,
    },
    record::{History, Record, RunSummary},
};
use consort_durable::{SqliteJournal, sqlite::Options};
use tempfile::TempDir;

/// A directory that goes with the test.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().expect("a temporary directory"))
    }

    /// One where flushing costs nothing, if there is such a place; for tests that open stores by
    /// the hundred and look at what SQLite makes of the bytes, not of the disk.
    pub(crate) fn quick() -> Self {
        TempDir::new_in("/dev/shm").map_or_else(|_| Self::new(), Self)
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Where the store is.
    pub(crate) fn store(&self) -> PathBuf {
        self.at("runs.db")
    }

    /// Opens the store as its owner.
    pub(crate) fn own(&self) -> SqliteJournal {
        own(&self.store())
    }

    /// A new directory with the store as a killed owner would leave it now.
    pub(crate) fn killed(&self) -> Self {
        let copy = Self::quick();
        for name in ["runs.db", "runs.db-wal"] {
            if self.at(name).exists() {
                fs::copy(self.at(name), copy.at(name)).expect("a copy");
            }
        }
        copy
    }

    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("a directory");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> =
            names.map(|name| name.into_string().expect("plain names")).collect();
        names.sort();
        names
    }
}

pub(crate) fn own(path: &Path) -> SqliteJournal {
    SqliteJournal::open(path, Options::default()).expect("the store opens")
}

/// Commits entries that must be accepted.
pub(crate) async fn accept(
    journal: &impl Journal,
    entries: impl IntoIterator<Item = (RunId, Record)>,
) {
    let entries = entries.into_iter().collect();
    let change = Batch { entries, ..Batch::default() };
    journal.commit(change).await.expect("the change is accepted");
}

/// Everything that can be read from a journal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dump {
    pub(crate) runs: Vec<(RunSummary, History)>,
    pub(crate) open: Vec<OpenRun>,
    pub(crate) inbox: Vec<(MessageId, Message)>,
    pub(crate) spent: Spend,
}

/// Reads everything; the first thing that cannot be read ends it.
pub(crate) async fn dump(journal: &impl Journal) -> Result<Dump, JournalError> {
    let filter = RunFilter { limit: usize::MAX >> 1, ..RunFilter::default() };
    let mut runs = Vec::new();
    for summary in journal.runs(filter).await? {
        let missing = || {
            let text = format!("run {} is listed and has no history", summary.id);
            JournalError::new(JournalErrorKind::Corrupt, text)
        };
        let history = journal.history(&summary.id).await?.ok_or_else(missing)?;
        runs.push((summary, history));
    }
    Ok(Dump {
        runs,
        open: journal.open_runs().await?,
        inbox: journal.inbox().await?,
        spent: journal.spent(&TenantId::default(), Timestamp(0)).await?,
    })
}

/// True when `CONSORT_THOROUGH` asks for the sizes that take many minutes.
pub(crate) fn thorough() -> bool {
    std::env::var_os("CONSORT_THOROUGH").is_some()
}
