//! Guards for calls that can fail, usable alone or as a pipeline.
//!
//! Each mechanism is a small state machine that is told what happened and when (`admit`, `report`,
//! `decide` with an explicit `now`), plus a thin async shell (`run`) over a [`Clock`]. None of
//! them knows what a failure is: the caller's `classify` function turns a result into a
//! [`Verdict`].
//!
//! ```
//! use consort_resilience::pipeline::{Call, Pipeline, Preset};
//! use consort_resilience::Verdict;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pipeline = Pipeline::new("search", Preset::Search.config().validate()?);
//! let outcome = pipeline
//!     .run(Call::repeatable(), Verdict::of_result, async |attempt| {
//!         if attempt.number == 1 { Err("connection reset") } else { Ok("3 hits") }
//!     })
//!     .await;
//! assert_eq!(outcome.result, Ok("3 hits"));
//! assert_eq!(outcome.report.attempts, 2);
//! # Ok(()) }
//! ```

pub mod adaptive;
pub mod breaker;
pub mod bulkhead;
pub mod chaos;
mod clock;
pub mod coalesce;
mod config;
pub mod endpoints;
mod error;
pub mod fallback;
pub mod hedge;
#[cfg(all(test, consort_loom))]
mod models;
pub mod pipeline;
pub mod rate;
pub mod registry;
pub mod retry;
mod rng;
pub mod shed;
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
