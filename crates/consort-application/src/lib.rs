//! The application layer: what coordinates components and learns from outcomes.
//!
//! [`Learning`] is what all of it shares: it answers [`Context::decide`](consort_core::Context::decide),
//! takes signals, keeps both in the learner's log, and learns from that log, each reward exactly
//! once. Two orchestrators give access to it: [`unified_feedback`] (outcomes in, health and
//! figures out) and [`advanced_bandits`] (choices out, policies in and out).

pub mod advanced_bandits;
pub mod learning;
pub mod unified_feedback;

use consort_core::{Facade, StepError};
pub use learning::{Config, Learning};

/// Registers the orchestrators of this layer.
///
/// # Errors
///
/// `conflict` when one of the names is taken.
pub async fn install(facade: &Facade, learning: &Learning) -> Result<(), StepError> {
    let hub = unified_feedback::UnifiedFeedback::new(learning.clone(), facade.downgrade());
    facade.register(hub).await?;
    facade.register(advanced_bandits::AdvancedBandits::new(learning.clone())).await
}
