//! What tests of orchestrators and adapters need. Development only.
//!
//! - [`clock`]: a clock that stands still until it is told otherwise.
//! - [`journal`]: the conformance suite of the journal port.

pub mod clock;
pub mod journal;
