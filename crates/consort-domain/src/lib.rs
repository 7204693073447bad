//! The domain layer: orchestrators that do what the business wants done.

pub mod fallback_autonomous;

use std::sync::Arc;

use consort_core::{Facade, StepError, journal::Journal};

/// Registers the orchestrators of this layer, and the work that they call. Earlier runs are looked
/// up in `journal`.
///
/// # Errors
///
/// `conflict` when one of the names is taken.
pub async fn install(facade: &Facade, journal: Arc<dyn Journal>) -> Result<(), StepError> {
    fallback_autonomous::stages::install(facade, journal)?;
    facade.register(fallback_autonomous::FallbackAutonomous).await
}
