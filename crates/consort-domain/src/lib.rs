//! The domain layer: orchestrators that do what the business wants done.

pub mod fallback_autonomous;

use consort_core::{Facade, StepError};

/// Registers the orchestrators of this layer, and the pure work that they call.
///
/// # Errors
///
/// `conflict` when one of the names is taken.
pub async fn install(facade: &Facade) -> Result<(), StepError> {
    fallback_autonomous::stages::install(facade)?;
    facade.register(fallback_autonomous::FallbackAutonomous).await
}
