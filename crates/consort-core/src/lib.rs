//! The contract of Consort: what an orchestrator is, how it is called, and what every call returns.

mod blob;
mod category;
mod descriptor;
mod error;
pub mod guard;
mod ids;
pub mod journal;
mod outcome;
pub mod payload;
mod random;
pub mod record;
mod spend;
pub mod time;

pub use blob::{Blob, Hash};
pub use category::{Category, Facts, Severity};
pub use descriptor::{CapabilityDescriptor, Descriptor, Durability, Effect, Kind, Layer};
pub use error::{StepError, Violation};
pub use ids::{EventName, IdempotencyKey, InvalidId, Name, RequestId, RunId, TenantId, TraceId};
pub use outcome::{Loss, Outcome, Status, StepResult};
pub use random::{Random, Seeded, SystemRandom};
pub use semver::Version;
pub use spend::{Budget, Currency, Spend};
pub use time::{Clock, Deadline, SystemClock, Timestamp};
