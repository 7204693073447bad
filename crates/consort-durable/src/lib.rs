//! Where durable runs are kept: adapters of the journal port of `consort-core`.
//!
//! - [`SqliteJournal`] keeps everything in one file, and acknowledges what is on disk.
//! - [`MemoryJournal`] forgets everything with the process: for tests and throw-away servers.
//! - [`SqliteLearningLog`] and [`MemoryLearningLog`] do the same for the learner's log.
//!
//! All follow the rules in the documentation of [`consort_core::journal::Journal`], and the
//! conformance suite of the test kit is run against each.

mod learning;
mod ledger;
mod memory;
mod place;
mod scan;
pub mod sqlite;

pub use learning::MemoryLearningLog;
pub use memory::MemoryJournal;
pub use sqlite::{SqliteJournal, learning::SqliteLearningLog};
