//! The learner's log port: what was decided and what came of it, kept apart from runs because
//! rewards outlive them. Adapters are in `consort-durable`.
//!
//! What a learner knows is a function of this log: the same records in the same order give the
//! same state, bit for bit. Three words, three places: a signal is *queued* in memory, *accepted*
//! once its record is on disk, and *learned* once it was applied.

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Category, Component, Decision, RunId, TenantId, Timestamp, journal::JournalError};

/// Where a signal comes from.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The evaluation of a whole run tree.
    Trajectory,
    /// What a retrieval brought.
    RagRetrieval,
    /// How a tool did.
    ToolExecution,
    /// How an agent did.
    AgentTask,
    /// A rule of governance.
    Governance,
    /// What something cost.
    CostBudget,
    /// A person said so.
    UserExplicit,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Trajectory,
        Self::RagRetrieval,
        Self::ToolExecution,
        Self::AgentTask,
        Self::Governance,
        Self::CostBudget,
        Self::UserExplicit,
    ];

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trajectory => "trajectory",
            Self::RagRetrieval => "rag_retrieval",
            Self::ToolExecution => "tool_execution",
            Self::AgentTask => "agent_task",
            Self::Governance => "governance",
            Self::CostBudget => "cost_budget",
            Self::UserExplicit => "user_explicit",
        }
    }
}

/// What a signal is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// One decision, by its id.
    Decision(String),
    /// A run: credit flows to the decisions made in it and below it.
    Run(RunId),
    /// A component by kind and name, whoever chose it.
    Component {
        /// What kind of thing.
        component: Component,
        /// Its name, as it stands among candidates.
        id: String,
    },
}

/// A decision, as the learner needs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Made {
    /// Whose work it is.
    pub tenant: TenantId,
    /// The run that asked; none outside of runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// When it became known.
    pub at: Timestamp,
    /// The choice, with the probabilities of all candidates.
    pub decision: Decision,
}

/// A signal as it was accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feedback {
    /// A repeat carries the same id.
    pub id: String,
    /// Whose work it is.
    pub tenant: TenantId,
    /// From where.
    pub source: Source,
    /// About what.
    pub subject: Subject,
    /// In [0, 1], larger is better.
    pub reward: f64,
    /// How much it counts, in (0, 1].
    pub confidence: f64,
    /// Why it failed, if it did: failures that say nothing about the arm are not charged to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// When it came.
    pub at: Timestamp,
    /// Anything else; kept, not learned from.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub metadata: Value,
}

/// A record of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// A decision was made.
    Made(Box<Made>),
    /// A signal came.
    Feedback(Box<Feedback>),
    /// The policy of a domain changed; its form is the learner's own.
    Policy {
        /// When.
        at: Timestamp,
        /// What changed.
        change: Value,
    },
}

impl Record {
    /// When it was recorded.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Made(made) => made.at,
            Self::Feedback(feedback) => feedback.at,
            Self::Policy { at, .. } => *at,
        }
    }
}

/// What was learned from the log up to a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Position of the last record in it.
    pub position: u64,
    /// The state, in the learner's own form.
    pub state: Arc<[u8]>,
}

/// First and last position of a log; `first` is above `last` when it holds no record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Extent {
    /// Position of the oldest record that is still there.
    pub first: u64,
    /// Position of the newest record there ever was; 0 before the first.
    pub last: u64,
}

/// A log of decisions and rewards. One process owns it.
///
/// The rules, each checked by the conformance suite of the test kit: positions start at 1 and
/// grow by 1; an append is all or nothing, and on disk before it resolves; appends of one caller
/// keep their order; a snapshot replaces the one before in one step, together with its position;
/// what was trimmed never comes back, and its positions are never used again.
pub trait LearningLog: Send + Sync + fmt::Debug + 'static {
    /// Appends records; resolves with the position of the last one once all are on disk. The
    /// future need not be polled for that. Refuses with `Busy` while too much waits for the disk.
    fn append(&self, records: Arc<[Record]>) -> BoxFuture<'static, Result<u64, JournalError>>;

    /// At most `limit` records after `position`, in order.
    fn read(
        &self,
        position: u64,
        limit: usize,
    ) -> BoxFuture<'static, Result<Vec<(u64, Record)>, JournalError>>;

    /// Which records there are.
    fn extent(&self) -> BoxFuture<'static, Result<Extent, JournalError>>;

    /// Keeps a snapshot instead of the one before.
    fn save(&self, snapshot: Snapshot) -> BoxFuture<'static, Result<(), JournalError>>;

    /// The last snapshot.
    fn snapshot(&self) -> BoxFuture<'static, Result<Option<Snapshot>, JournalError>>;

    /// Removes records up to `position`, but none that the snapshot does not hold; returns how
    /// many.
    fn trim(&self, position: u64) -> BoxFuture<'static, Result<u64, JournalError>>;

    /// Writes out what waits and lets go of the file; what comes later is `Unavailable`.
    fn close(&self) -> BoxFuture<'static, Result<(), JournalError>>;
}
