//! Where durable runs are kept: adapters of the journal port of `consort-core`.
//!
//! - [`MemoryJournal`] forgets everything with the process: for tests and throw-away servers.
//!
//! All follow the rules in the documentation of [`consort_core::journal::Journal`], and the
//! conformance suite of the test kit is run against each.

mod ledger;
mod memory;
mod place;
mod scan;

pub use memory::MemoryJournal;
