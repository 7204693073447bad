//! The health of callees: what was seen of each lately, and what follows from it.
//!
//! Pure: the time comes in with each event. No data is "no data" and never "healthy".

mod config;
mod judge;
#[cfg(test)]
mod tests;
mod window;

pub use config::{Config, Limits};
use consort_core::{RunId, Timestamp};
pub use judge::{Judged, judge, overall};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use window::{Seen, Window};

/// How a callee is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Too few calls lately to say anything.
    NoData,
    /// Answers well and in time.
    Healthy,
    /// Fails at times, is slow, or is on probation.
    Degraded,
    /// Fails mostly, or is not called any more because of its failures.
    Unhealthy,
    /// Held off by hand.
    Isolated,
}

impl Health {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoData => "no_data",
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Isolated => "isolated",
        }
    }
}

/// All callees at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The moment.
    pub at: Timestamp,
    /// The worst of all of which there is data.
    pub overall: Health,
    /// Each callee, by name.
    pub callees: Vec<CalleeHealth>,
    /// What is held off by hand.
    pub isolations: Vec<Isolation>,
}

impl Report {
    /// Leaves out everything that is not `name` or one of its endpoints.
    pub fn only(&mut self, name: &str) {
        self.callees.retain(|callee| within(name, &callee.callee));
        self.isolations.retain(|one| one.covers(name) || within(name, &one.callee));
        self.overall = overall(self.callees.iter().map(|callee| callee.health));
    }
}

/// True when `name` is `callee` or one of its endpoints.
pub(crate) fn within(callee: &str, name: &str) -> bool {
    let rest = name.strip_prefix(callee);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// One callee, or one endpoint of a callee, at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CalleeHealth {
    /// Its name, `callee` or `callee/endpoint`.
    pub callee: String,
    /// True for work that reaches nothing outside this process.
    pub local: bool,
    /// How it is.
    pub health: Health,
    /// Why we think so.
    pub why: String,
    /// Calls of the window that say something about it.
    pub calls: u32,
    /// Those of them that failed.
    pub failures: u32,
    /// Share of calls that succeeded, recent ones weighing more; absent without data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_rate: Option<f64>,
    /// Mean time of a call, recent ones weighing more; absent without data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// Its breaker; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<BreakerView>,
    /// Its bulkhead; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bulkhead: Option<BulkheadView>,
    /// Whole retries left in its budget; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries_left: Option<u32>,
    /// Tokens left in its rate limit; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u32>,
}

/// A breaker at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BreakerView {
    /// `closed`, `open`, `half_open` or `isolated`.
    pub state: String,
    /// Failures since the last success.
    pub failures_in_row: u32,
    /// Time until it lets a probe through; only while open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest_left_ms: Option<u64>,
    /// Changes of state so far.
    pub moves: u64,
}

/// A bulkhead at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BulkheadView {
    /// Calls that may be under way at once.
    pub limit: u32,
    /// Calls under way.
    pub taken: u32,
    /// Calls that wait.
    pub waiting: u32,
}

/// A callee that is held off by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Isolation {
    /// Its name, `callee` for all its endpoints or `callee/endpoint`.
    pub callee: String,
    /// Why.
    pub reason: String,
    /// The durable run that is the record of it.
    pub run: RunId,
    /// Since when.
    pub since: Timestamp,
}

impl Isolation {
    /// True when calls to `name`, `callee` or `callee/endpoint`, are held off by this.
    pub fn covers(&self, name: &str) -> bool {
        within(&self.callee, name)
    }
}
