//! Leaves that touch the world. The only crate with network clients or child processes.

mod acquire;

pub use acquire::{Acquirer, Config};
use consort_core::{Facade, StepError};

/// Registers the capabilities.
///
/// # Errors
///
/// `conflict` when one of the names is taken.
pub fn install(facade: &Facade, config: Config) -> Result<(), StepError> {
    facade.register_capability(Acquirer::new(config))
}
