//! Leaves that touch the world. The only crate with network clients or child processes.
//!
//! Every connection comes from [`egress::Gate`].

mod acquire;
mod child;
mod config;
pub mod egress;
pub mod fetch;
mod file;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod media;
pub mod pdf;
#[cfg(test)]
mod testing;

pub use config::Config;
use consort_core::{Facade, StepError};

/// Registers the capabilities.
///
/// # Errors
///
/// `configuration` naming the setting that cannot be used; `conflict` when one of the names is
/// taken.
pub fn install(facade: &Facade, config: Config) -> Result<(), StepError> {
    let gate = egress::Gate::new(config.egress)?;
    let media = media::Media::new(gate.clone(), config.media, config.max_bytes);
    let fetcher = fetch::Fetcher::new(gate, config.fetch);
    facade.register_capability(acquire::Acquirer::new(fetcher, media, config.max_bytes))?;
    facade.register_capability(pdf::Reader::new(config.pdf))
}
