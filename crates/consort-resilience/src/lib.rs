//! Guards for calls that can fail, usable alone or as a pipeline.
//!
//! Each mechanism is a small state machine that is told what happened and when (`admit`, `report`,
//! `decide` with an explicit `now`), plus a thin async shell (`run`) over a [`Clock`]. None of
//! them knows what a failure is: the caller's `classify` function turns a result into a
//! [`Verdict`].

pub mod breaker;
pub mod bulkhead;
mod clock;
mod config;
mod error;
pub mod rate;
pub mod retry;
mod rng;
mod shield;
mod sync;
#[cfg(test)]
mod testing;
pub mod timeout;
mod verdict;

pub use clock::{Clock, Sleep, TokioClock};
pub use config::InvalidConfig;
pub use error::Failure;
pub use rng::Rng;
pub use verdict::{Again, Charge, Verdict};
