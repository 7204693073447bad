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

/// The pages under `docs/resilience`, each on an item of its own so that a failure names its page.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../docs/resilience/adaptive.md")]
    struct Adaptive;
    #[doc = include_str!("../../../docs/resilience/breaker.md")]
    struct Breaker;
    #[doc = include_str!("../../../docs/resilience/bulkhead.md")]
    struct Bulkhead;
    #[doc = include_str!("../../../docs/resilience/chaos.md")]
    struct Chaos;
    #[doc = include_str!("../../../docs/resilience/coalesce.md")]
    struct Coalesce;
    #[doc = include_str!("../../../docs/resilience/endpoints.md")]
    struct Endpoints;
    #[doc = include_str!("../../../docs/resilience/fallback.md")]
    struct Fallback;
    #[doc = include_str!("../../../docs/resilience/hedge.md")]
    struct Hedge;
    #[doc = include_str!("../../../docs/resilience/pipeline.md")]
    struct Pipeline;
    #[doc = include_str!("../../../docs/resilience/rate.md")]
    struct Rate;
    #[doc = include_str!("../../../docs/resilience/registry.md")]
    struct Registry;
    #[doc = include_str!("../../../docs/resilience/retry.md")]
    struct Retry;
    #[doc = include_str!("../../../docs/resilience/shed.md")]
    struct Shed;
    #[doc = include_str!("../../../docs/resilience/timeout.md")]
    struct Timeout;
}
