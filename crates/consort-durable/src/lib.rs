//! Where durable runs are kept: adapters of the journal port of `consort-core`.
//!
//! - [`SqliteJournal`] keeps everything in one file, and acknowledges what is on disk.
//! - [`MemoryJournal`] forgets everything with the process: for tests and throw-away servers.
//!
//! All follow the rules in the documentation of [`consort_core::journal::Journal`], and the
//! conformance suite of the test kit is run against each.

mod ledger;
mod memory;
mod place;
mod scan;
pub mod sqlite;

pub use memory::MemoryJournal;
pub use sqlite::SqliteJournal;
