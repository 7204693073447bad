//! What an author of orchestrators and capabilities needs.

pub use consort_core::{
    Admission, Blob, Budget, Capability, CapabilityDescriptor, Category, Component, Context,
    Descriptor, Durability, Effect, Facade, Kind, Layer, Loss, Name, Orchestrator, Outcome,
    Request, RunId, Signal, Spend, StepContext, StepError, StepResult, TaskScope, TenantId,
    Version, race,
};
pub use schemars::JsonSchema;
pub use serde::{Deserialize, Serialize};
pub use serde_json::{Value, json};

pub use crate::{Consort, global};
