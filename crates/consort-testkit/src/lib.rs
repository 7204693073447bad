//! What tests of orchestrators and adapters need. Development only.
//!
//! - [`clock`]: a clock that stands still until it is told otherwise.
//! - [`explore`]: stops a process at every commit of a run, resumes it, and reports what went wrong.
//! - [`journal`]: the conformance suite of the journal port.
//! - [`learning`]: the conformance suite of the learning log port.

pub mod clock;
pub mod explore;
pub mod journal;
pub mod learning;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/crash-testing.md")]
struct CrashTesting;
