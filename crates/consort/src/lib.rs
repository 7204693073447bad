//! One engine for every orchestrator of an AI product.
//!
//! ```
//! use consort::prelude::*;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), StepError> {
//! let consort = Consort::builder().build().await?;
//! let text = "The bridge opened in 1932. It carries 160,000 vehicles a day, according to the city. \
//!             Repairs will cost 40 million dollars, the mayor said on Tuesday. The council will vote \
//!             on the plan in May, and the work is expected to take three years.";
//! let blob = consort.facade().context(TenantId::default()).put(text.as_bytes(), "text/plain")?;
//! let request = json!({"source": {"stored": {"blob": blob, "name": "bridge.txt"}}});
//! let outcome =
//!     consort.facade().orchestrate("fallback_autonomous", Context::default(), request).await?;
//! assert!(outcome.value().is_some(), "{outcome:?}");
//! consort.close().await?;
//! # Ok(())
//! # }
//! ```

mod app;
pub mod learning;
pub mod prelude;

pub use app::{Builder, Consort, Shown, global, shown};
pub use consort_application as application;
pub use consort_bandit as bandit;
pub use consort_capabilities as capabilities;
pub use consort_content as content;
pub use consort_core as core;
pub use consort_domain as domain;
pub use consort_durable as durable;
pub use consort_infrastructure as infrastructure;
pub use consort_resilience as resilience;

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide.md")]
struct Guide;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/resilience/orchestrator.md")]
struct ResilienceGuide;
