//! The infrastructure layer: guards around every step, and the orchestrator that shows and steers
//! them.
//!
//! ```
//! use std::sync::Arc;
//!
//! use consort_core::{Context, Facade, Name, StepError};
//! use consort_durable::MemoryJournal;
//! use consort_infrastructure::{Config, Infrastructure};
//! use serde_json::json;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), StepError> {
//! let infrastructure = Infrastructure::new(Config::default())?;
//! let ports = infrastructure.guard(Facade::builder());
//! let facade = ports.build(Arc::new(MemoryJournal::new()))?;
//! infrastructure.install(&facade).await?;
//! facade.start(true).await?;
//!
//! let ask = json!({"operation": "health"});
//! let answer = facade.orchestrate("resilience", Context::default(), ask).await?;
//! assert_eq!(answer.value().expect("a report")["report"]["overall"], "no_data");
//! # facade.close(std::time::Duration::ZERO).await?;
//! # Ok(())
//! # }
//! ```

mod board;
pub mod guards;
pub mod health;
mod human;
pub mod isolation;
pub mod resilience;
#[cfg(test)]
mod testing;

use std::sync::Arc;

pub use board::{Board, NoBoard};
use consort_core::{Facade, FacadeBuilder, StepError};
pub use guards::{Callee, Config, Guards, Preset};
use isolation::Isolator;
use resilience::Resilience;

/// Everything of this layer, before it is part of a facade.
#[derive(Clone, Debug)]
pub struct Infrastructure {
    guards: Guards,
    board: Arc<dyn Board>,
}

impl Infrastructure {
    /// With these settings, and nobody who keeps the state for other processes.
    ///
    /// # Errors
    ///
    /// `configuration` naming the setting that makes no sense, with its range.
    pub fn new(config: Config) -> Result<Self, StepError> {
        Ok(Self { guards: Guards::new(config)?, board: Arc::new(NoBoard) })
    }

    /// Shows the state on `board` for other processes.
    #[must_use]
    pub fn board(mut self, board: impl Board) -> Self {
        self.board = Arc::new(board);
        self
    }

    /// The guards, for changes at run time.
    pub fn guards(&self) -> &Guards {
        &self.guards
    }

    /// Puts the guards around every step and run of the facade that `ports` makes.
    #[must_use]
    pub fn guard(&self, ports: FacadeBuilder) -> FacadeBuilder {
        ports.step_guards(self.guards.clone()).run_guard(self.guards.clone())
    }

    /// Registers the orchestrators of this layer.
    ///
    /// # Errors
    ///
    /// `conflict` when one of the names is taken.
    pub async fn install(&self, facade: &Facade) -> Result<(), StepError> {
        facade.register(Isolator::new(self.guards.clone())).await?;
        let (guards, board) = (self.guards.clone(), self.board.clone());
        facade.register(Resilience::new(guards, board, facade.downgrade())).await
    }
}
