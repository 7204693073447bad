//! What is left when the last life of a round has gone: the store and the witness's notes.

use std::{collections::BTreeMap, path::Path};

use consort_core::{
    RunId, StepError,
    journal::{Journal, RunFilter},
    record::History,
};
use consort_durable::{SqliteJournal, sqlite};

use crate::{
    witness::{self, Note},
    worker,
};

/// Everything that is judged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    /// Every run in the store.
    pub(crate) histories: BTreeMap<RunId, History>,
    /// What the witness saw, in order.
    pub(crate) notes: Vec<Note>,
    /// What the store's own check found.
    pub(crate) damage: Vec<String>,
}

impl Evidence {
    /// Reads what a round left in `directory`.
    pub(crate) async fn read(directory: &Path) -> Result<Self, StepError> {
        let store = worker::store(directory);
        // Before an owner opens it and tidies up.
        let checked = sqlite::check(&store)?;
        let damage = checked.damage.iter().map(ToString::to_string).collect();
        let journal = SqliteJournal::open(&store, sqlite::Options::default())?;
        let all = RunFilter { limit: usize::MAX, ..RunFilter::default() };
        let mut histories = BTreeMap::new();
        for run in journal.runs(all).await? {
            if let Some(history) = journal.history(&run.id).await? {
                histories.insert(run.id.clone(), history);
            }
        }
        journal.close().await?;
        Ok(Self { histories, notes: witness::read(directory), damage })
    }

    /// The name of a step, which is also its idempotency key.
    pub(crate) fn key(run: &RunId, position: impl std::fmt::Display) -> String {
        format!("{run}/{position}")
    }
}
