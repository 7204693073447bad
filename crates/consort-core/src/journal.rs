//! The journal port: what the engine asks of a store. Adapters are in `consort-durable`.

use std::{collections::BTreeMap, error::Error as StdError, fmt, sync::Arc, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Budget, Category, EventName, Hash, IdempotencyKey, Name, RequestId, RunId, Spend, StepError,
    TenantId, Timestamp,
    record::{History, Record, RunEnded, RunState, RunSummary},
};

/// One atomic change: all of it is on disk, or none of it.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Entries to append to the logs of their runs, in this order.
    pub entries: Vec<(RunId, Record)>,
    /// Content to keep; the same content is stored once.
    pub blobs: Vec<(Hash, Arc<[u8]>)>,
    /// Inbox messages that this change takes care of; they are never offered again.
    pub applied: Vec<MessageId>,
    /// Spend of ephemeral runs. That of steps is taken from their records.
    pub spent: Vec<(TenantId, Timestamp, Spend)>,
}

impl Batch {
    /// A change with one entry.
    pub fn entry(run: RunId, record: Record) -> Self {
        Self { entries: vec![(run, record)], ..Self::default() }
    }

    /// True when there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
            && self.blobs.is_empty()
            && self.applied.is_empty()
            && self.spent.is_empty()
    }
}

/// What went wrong in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalErrorKind {
    /// It cannot be used now: I/O error, read-only file, closed.
    Unavailable,
    /// The disk is full. Nothing acknowledged was lost.
    Full,
    /// A record fails its checksum or makes no sense; the message names it.
    Corrupt,
    /// Another process owns it.
    Locked,
    /// It was written by a newer format.
    TooNew,
    /// A run with that id, or with that idempotency key, exists already.
    Exists,
    /// An entry for a run that does not exist or has ended.
    NoSuchRun,
    /// Too much waits for the disk already.
    Busy,
}

/// An error of a store.
#[derive(Debug, Clone)]
pub struct JournalError {
    kind: JournalErrorKind,
    message: String,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl JournalError {
    /// An error of kind `kind`; `message` names the file, run or record.
    pub fn new(kind: JournalErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Keeps the cause.
    #[must_use]
    pub fn because(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// What kind of error.
    pub fn kind(&self) -> JournalErrorKind {
        self.kind
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for JournalError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<JournalError> for StepError {
    fn from(error: JournalError) -> Self {
        let category = match error.kind {
            JournalErrorKind::Unavailable => Category::StoreUnavailable,
            JournalErrorKind::Full => Category::StorageFull,
            JournalErrorKind::Corrupt => Category::StoreCorrupt,
            JournalErrorKind::Locked => Category::StoreLocked,
            JournalErrorKind::TooNew => Category::StoreTooNew,
            JournalErrorKind::Exists => Category::Conflict,
            JournalErrorKind::NoSuchRun => Category::NotFound,
            JournalErrorKind::Busy => Category::Overloaded,
        };
        let mut step = Self::new(category, error.message.clone());
        if let Some(source) = error.source() {
            step = step.because(source);
        }
        step
    }
}

/// Which runs to list. All conditions must hold.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Of this tenant.
    pub tenant: Option<TenantId>,
    /// Of this orchestrator.
    pub orchestrator: Option<Name>,
    /// In this state.
    pub state: Option<RunState>,
    /// In the tree of this root: the root and everything below it.
    pub tree: Option<RunId>,
    /// Only roots.
    pub roots: bool,
    /// Only runs whose id sorts before this one: the last of the previous page.
    pub before: Option<RunId>,
    /// At most this many; 0 means 100.
    pub limit: usize,
}

/// An unfinished run, as the engine needs it at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRun {
    /// The run.
    pub id: RunId,
    /// Who runs.
    pub orchestrator: Name,
    /// On which version.
    pub version: Version,
    /// Whose work it is.
    pub tenant: TenantId,
    /// True when it may stay out of memory until `due` or until something arrives.
    pub parked: bool,
    /// When a parked run must be looked at.
    pub due: Option<Timestamp>,
}

/// A message's place in the inbox; grows.
pub type MessageId = u64;

/// A request from another process to the one that owns the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum Message {
    /// Start a durable run under this id.
    Start(Box<StartRequest>),
    /// Cancel a run and everything below it.
    Cancel {
        /// The run.
        run: RunId,
        /// Why.
        reason: String,
    },
    /// Deliver an external event.
    Event {
        /// The run that waits or will wait.
        run: RunId,
        /// The event's name.
        event: EventName,
        /// What it carries.
        data: Value,
    },
    /// Look at a run again, for instance because its version is registered now.
    Resume {
        /// The run.
        run: RunId,
    },
    /// For an orchestrator of the owner: isolate a callee, submit feedback, …
    Custom {
        /// The orchestrator.
        orchestrator: Name,
        /// Its request.
        request: Value,
    },
}

/// What is needed to start a run in another process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartRequest {
    /// The new run's id, chosen by the sender so that it can follow the run.
    pub id: RunId,
    /// Who shall run; the highest registered version.
    pub orchestrator: Name,
    /// The request.
    pub request: Value,
    /// Whose work it is.
    pub tenant: TenantId,
    /// The caller's name for it.
    pub request_id: RequestId,
    /// When it must have answered.
    #[serde(default)]
    pub deadline: Option<Timestamp>,
    /// Its budget.
    #[serde(default)]
    pub budget: Option<Budget>,
    /// For deduplication.
    #[serde(default)]
    pub idempotency_key: Option<IdempotencyKey>,
    /// The caller's own key-value pairs.
    #[serde(default)]
    pub metadata: BTreeMap<String, Value>,
}

/// What retention removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retained {
    /// Run trees removed.
    pub runs: u64,
    /// Bytes given back to the file system.
    pub freed: u64,
}

/// A store for durable runs. One process owns it.
///
/// The rules that the engine relies on; the conformance suite of the test kit checks each:
/// a commit is atomic and durable before it resolves; commits of one caller are applied in the
/// order in which [`commit`](Self::commit) was called; entries are read back in that order;
/// [`Record::Parked`] parks a run only if the run's log (with `Started`, without the entry
/// itself) has exactly `seen` entries, and every later entry unparks it; a second `Started` of an
/// id or of a tenant's idempotency key for the same orchestrator is refused with `Exists` and
/// changes nothing.
pub trait Journal: Send + Sync + fmt::Debug + 'static {
    /// Makes one atomic change. The returned future need not be polled for the change to happen;
    /// it resolves once the change is durable. Waits while the writer's queue is full.
    fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<(), JournalError>>;

    /// Everything recorded about a run.
    fn history(&self, run: &RunId) -> BoxFuture<'static, Result<Option<History>, JournalError>>;

    /// How a run ended, as its history says; a store may answer without reading the rest of it.
    fn ended(&self, run: &RunId) -> BoxFuture<'static, Result<Option<RunEnded>, JournalError>> {
        let history = self.history(run);
        async move { Ok(history.await?.and_then(|history| history.ended)) }.boxed()
    }

    /// All unfinished runs.
    fn open_runs(&self) -> BoxFuture<'static, Result<Vec<OpenRun>, JournalError>>;

    /// Runs, newest first by id; within a tree parents come before their children.
    fn runs(&self, filter: RunFilter) -> BoxFuture<'static, Result<Vec<RunSummary>, JournalError>>;

    /// The run that a tenant started with this idempotency key.
    fn find(
        &self,
        tenant: &TenantId,
        orchestrator: &Name,
        key: &IdempotencyKey,
    ) -> BoxFuture<'static, Result<Option<RunId>, JournalError>>;

    /// Stored content.
    fn blob(&self, hash: Hash) -> BoxFuture<'static, Result<Option<Arc<[u8]>>, JournalError>>;

    /// What a tenant spent since `since`, which is rounded down to a full hour.
    fn spent(
        &self,
        tenant: &TenantId,
        since: Timestamp,
    ) -> BoxFuture<'static, Result<Spend, JournalError>>;

    /// Messages that no commit has taken care of yet, oldest first.
    fn inbox(&self) -> BoxFuture<'static, Result<Vec<(MessageId, Message)>, JournalError>>;

    /// Resolves when the inbox may have grown since the last call; without polling while idle.
    fn rang(&self) -> BoxFuture<'static, ()>;

    /// Removes trees whose root ended before `before`, and content nobody refers to any more.
    fn retain(&self, before: Timestamp) -> BoxFuture<'static, Result<Retained, JournalError>>;

    /// Writes out what is queued and lets go of the store; later commits are `Unavailable`.
    fn close(&self) -> BoxFuture<'static, Result<(), JournalError>>;

    /// How long an owner may take to notice a message; for documentation and tests.
    fn inbox_delay(&self) -> Duration {
        Duration::from_secs(1)
    }
}
