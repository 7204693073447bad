//! What a journal holds: the single source of truth about every durable run.

use std::{collections::BTreeMap, fmt};

use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Budget, Category, EventName, IdempotencyKey, Layer, Name, RequestId, RunId, Spend, Status,
    StepResult, TenantId, Timestamp, TraceId, guard::Fired,
};

/// 128 bits that identify what a step asked for; compared at replay.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(u128);

impl Fingerprint {
    /// Of a request: the first half of the BLAKE3 hash of its canonical JSON.
    pub fn of(request: &Value) -> Self {
        let mut hasher = blake3::Hasher::new();
        // Writing into a hasher cannot fail, and a `Value` always serialises.
        let _ = serde_json::to_writer(&mut hasher, request);
        let mut half = [0; 16];
        half.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(u128::from_be_bytes(half))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map(Self).map_err(serde::de::Error::custom)
    }
}

/// The first record of a run: everything needed to start it again from nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// The run.
    pub id: RunId,
    /// Who runs.
    pub orchestrator: Name,
    /// The version that it stays on.
    pub version: Version,
    /// Whose work it is.
    pub tenant: TenantId,
    /// The request, as JSON.
    pub request: Value,
    /// The caller's name for the whole tree.
    pub request_id: RequestId,
    /// The trace that it belongs to.
    pub trace: TraceId,
    /// The layer whose rights the run has; its own for a root.
    pub origin: Layer,
    /// Calls above it; 0 for a root.
    pub depth: u16,
    /// When it must have answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// Its own budget; a run without one draws on its parent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// The caller's own key-value pairs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Value>,
    /// The ephemeral run that asked for this root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caused_by: Option<RunId>,
    /// For deduplication within tenant and orchestrator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<IdempotencyKey>,
    /// The run and step position that this one was forked from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<(RunId, u32)>,
    /// When it was admitted.
    pub at: Timestamp,
}

/// What a step is, besides its callee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// A capability, or an ephemeral orchestrator.
    Call,
    /// A durable orchestrator with a journal of its own.
    Child,
    /// A durable timer.
    Sleep,
    /// An external event.
    Wait,
}

/// A finished step. Once this is recorded the step never runs again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Where in the run, counted from 0 over all steps and local steps.
    pub position: u32,
    /// What it is.
    pub kind: StepKind,
    /// Who was called, or the event's name; `sleep` for a timer.
    pub callee: String,
    /// Of the request.
    pub fingerprint: Fingerprint,
    /// The request.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub request: Value,
    /// The final result; failures are data.
    pub result: StepResult<Value>,
    /// Attempts made by the step executor.
    #[serde(default)]
    pub attempts: u32,
    /// When the first attempt began.
    pub began: Timestamp,
    /// When the final result was there.
    pub ended: Timestamp,
    /// What it cost.
    #[serde(default, skip_serializing_if = "Spend::is_zero")]
    pub spend: Spend,
    /// Guards that fired.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<Fired>,
}

/// What a local step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LocalKind {
    /// The wall clock was read.
    Now,
    /// A random number was drawn.
    Random,
    /// A choice among components.
    Decision,
    /// A signal was sent upwards.
    Signal,
}

/// A local step: answered at once, recorded before the next outside step is issued.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LocalRecord {
    /// Where in the run.
    pub position: u32,
    /// What it is.
    pub kind: LocalKind,
    /// Of the question.
    pub fingerprint: Fingerprint,
    /// The answer.
    pub value: Value,
}

/// One entry of a run's log, in the order of commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// The run was admitted. Always the first entry.
    Started(Box<RunStarted>),
    /// A step ended.
    Step(Box<StepRecord>),
    /// A local step was answered.
    Local(LocalRecord),
    /// A step that must not be repeated is about to run.
    Intent {
        /// Where in the run.
        position: u32,
        /// When.
        at: Timestamp,
    },
    /// A timer was set.
    Timer {
        /// Where in the run.
        position: u32,
        /// When it was set.
        set: Timestamp,
        /// When it is due.
        due: Timestamp,
    },
    /// An external event arrived. The first one of a name counts.
    Event {
        /// Its name.
        event: EventName,
        /// What it carries.
        data: Value,
        /// When.
        at: Timestamp,
    },
    /// Something happened outside that the run has to look at, such as the end of a child.
    Nudge {
        /// The step that it concerns.
        position: u32,
    },
    /// The run only waits and was taken out of memory.
    Parked {
        /// When to look at it again, if nothing happens before.
        due: Option<Timestamp>,
        /// Entries in the log that the run had seen. When there are more by now, something
        /// arrived meanwhile: the journal keeps this entry but does not treat the run as parked.
        seen: u64,
        /// The external events that it waits for.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        awaits: Vec<EventName>,
    },
    /// Somebody asked for the run's end.
    Cancel {
        /// Why.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// The run is over. Always the last entry.
    Ended(Box<RunEnded>),
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunEnded {
    /// The result.
    pub result: StepResult<Value>,
    /// What it and everything below it cost.
    #[serde(default, skip_serializing_if = "Spend::is_zero")]
    pub spend: Spend,
    /// What it cost beyond declared bounds.
    #[serde(default, skip_serializing_if = "Spend::is_zero")]
    pub overrun: Spend,
    /// Guards that fired around the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<Fired>,
    /// When.
    pub at: Timestamp,
}

impl Record {
    /// The step position that the entry concerns.
    pub fn position(&self) -> Option<u32> {
        match self {
            Self::Step(step) => Some(step.position),
            Self::Local(local) => Some(local.position),
            Self::Intent { position, .. }
            | Self::Timer { position, .. }
            | Self::Nudge { position } => Some(*position),
            Self::Started(_)
            | Self::Event { .. }
            | Self::Parked { .. }
            | Self::Cancel { .. }
            | Self::Ended(_) => None,
        }
    }
}

/// Everything recorded about one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The first record.
    pub started: RunStarted,
    /// What followed, in order of commit, without [`Record::Started`] and [`Record::Ended`].
    pub records: Vec<Record>,
    /// The last record, once there is one.
    pub ended: Option<RunEnded>,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Not ended, and not parked.
    Open,
    /// Not ended; waits for time or an event without using memory.
    Waiting,
    /// Over.
    Ended,
}

/// One line about a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The run.
    pub id: RunId,
    /// Who runs.
    pub orchestrator: Name,
    /// On which version.
    pub version: Version,
    /// Whose work it is.
    pub tenant: TenantId,
    /// Where it stands.
    pub state: RunState,
    /// How it ended, once it has.
    pub status: Option<Status>,
    /// Why it failed, if it did.
    pub category: Option<Category>,
    /// When it was admitted.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// When a waiting run is looked at again.
    pub due: Option<Timestamp>,
    /// Finished steps.
    pub steps: u64,
    /// What it cost.
    pub spend: Spend,
}
