//! The contract of Consort: what an orchestrator is, how it is called, and what every call returns.

mod admission;
mod blob;
mod call;
mod cancel;
mod category;
mod cleanup;
mod component;
mod context;
mod descriptor;
mod dispatch;
mod engine;
mod error;
pub mod events;
mod execute;
mod facade;
pub mod guard;
mod ids;
pub mod journal;
pub mod learning;
mod limits;
pub mod machine;
mod orchestrator;
mod outcome;
pub mod payload;
pub mod port;

mod random;
pub mod record;
mod registry;
mod run;
mod spend;
mod step_guards;
pub mod steps;
mod tasks;
pub mod time;

pub use blob::{Blob, Hash};
pub use call::{Call, Race, ValueOf, race};
pub use category::{Category, Facts, Severity};
pub use component::{
    Choice, Component, Decider, Decision, NoSignals, Question, Sent, Signal, Signals, Situation,
    Skipped, Uniform,
};
pub use context::{Context, StepContext};
pub use descriptor::{CapabilityDescriptor, Descriptor, Durability, Effect, Kind, Layer};
pub use engine::RunHandle;
pub use error::{StepError, Violation};
pub use facade::{Closed, Description, Facade, FacadeBuilder, RunReport, WeakFacade};
pub use ids::{EventName, IdempotencyKey, InvalidId, Name, RequestId, RunId, TenantId, TraceId};
pub use limits::{Limits, Rate, TenantLimits};
pub use orchestrator::{Admission, Capability, Orchestrator, Request, Response};
pub use outcome::{Loss, Outcome, Status, StepResult};
pub use random::{Random, Seeded, SystemRandom};
pub use semver::Version;
pub use spend::{Budget, Currency, Spend};
pub use step_guards::BasicGuards;
pub use tasks::TaskScope;
pub use time::{Clock, Deadline, SystemClock, Timestamp};
