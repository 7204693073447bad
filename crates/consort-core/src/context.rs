//! Who asks and why, and how much may be used: the value that every call carries.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    Blob, Budget, Category, Component, Deadline, Decision, EventName, IdempotencyKey, Layer, Loss,
    Name, Question, Request, RequestId, RunId, Signal, Spend, StepError, TenantId, Timestamp,
    TraceId,
    call::{Call, Options},
    cancel::Cancel,
    guard::Fired,
    run::{Mode, Run},
    steps::Op,
};

/// The context of a call: cheap to clone, never changed in place.
#[derive(Clone)]
pub struct Context(pub(crate) Arc<Inner>);

#[derive(Clone)]
pub(crate) struct Inner {
    pub(crate) tenant: TenantId,
    pub(crate) request: Option<RequestId>,
    pub(crate) trace: Option<TraceId>,
    /// `None` stands for an empty map.
    pub(crate) metadata: Option<Arc<BTreeMap<String, Value>>>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) budget: Option<Budget>,
    pub(crate) idempotency_key: Option<IdempotencyKey>,
    pub(crate) cancel: Cancel,
    pub(crate) run: Option<Arc<Run>>,
}

impl Context {
    /// A context for work of `tenant` that starts outside any run. No deadline, no budget.
    pub fn new(tenant: TenantId) -> Self {
        Self(Arc::new(Inner {
            tenant,
            request: None,
            trace: None,
            metadata: None,
            timeout: None,
            deadline: None,
            budget: None,
            idempotency_key: None,
            cancel: Cancel::default(),
            run: None,
        }))
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Names the request; the facade makes up a name otherwise.
    #[must_use]
    pub fn request(self, id: RequestId) -> Self {
        self.with(|inner| inner.request = Some(id))
    }

    /// Joins a trace; the facade starts one otherwise.
    #[must_use]
    pub fn trace(self, id: TraceId) -> Self {
        self.with(|inner| inner.trace = Some(id))
    }

    /// Bounds the whole call, counted from the moment it is made. The earlier of this and any
    /// inherited deadline counts.
    #[must_use]
    pub fn timeout(self, limit: Duration) -> Self {
        self.with(|inner| inner.timeout = Some(limit))
    }

    /// Bounds what the call and everything below it may spend.
    #[must_use]
    pub fn budget(self, budget: Budget) -> Self {
        self.with(|inner| inner.budget = Some(budget))
    }

    /// Makes a durable run start at most once per tenant, orchestrator and key.
    #[must_use]
    pub fn idempotency_key(self, key: IdempotencyKey) -> Self {
        self.with(|inner| inner.idempotency_key = Some(key))
    }

    /// Adds a key-value pair. Children see it; what they add, this context does not see.
    #[must_use]
    pub fn metadata(self, key: impl Into<String>, value: Value) -> Self {
        self.with(|inner| {
            Arc::make_mut(inner.metadata.get_or_insert_default()).insert(key.into(), value);
        })
    }

    /// Ends the call when `token` is cancelled.
    #[must_use]
    pub fn cancel_with(self, token: &CancellationToken) -> Self {
        self.with(|inner| inner.cancel = token.child_token().into())
    }

    /// Whose work it is.
    pub fn tenant(&self) -> &TenantId {
        &self.0.tenant
    }

    /// The caller's name for the request.
    pub fn request_id(&self) -> Option<&RequestId> {
        let made = || self.0.run.as_ref().and_then(|run| run.request());
        self.0.request.as_ref().or_else(made)
    }

    /// The trace that the work belongs to.
    pub fn trace_id(&self) -> Option<TraceId> {
        self.0.trace.or_else(|| self.0.run.as_ref().and_then(|run| run.trace()))
    }

    /// Key-value pairs of the caller and everyone above.
    pub fn all_metadata(&self) -> &BTreeMap<String, Value> {
        static NONE: BTreeMap<String, Value> = BTreeMap::new();
        self.0.metadata.as_deref().unwrap_or(&NONE)
    }

    /// When the run must have answered.
    pub fn deadline(&self) -> Option<Deadline> {
        self.0.deadline
    }

    /// Cancelled when the run shall end early. Only ephemeral orchestrators may await it.
    pub fn cancellation(&self) -> &CancellationToken {
        self.0.cancel.token()
    }

    /// The run, once there is one.
    pub fn run_id(&self) -> Option<&RunId> {
        self.0.run.as_ref().and_then(|run| run.id())
    }

    /// Who called this run; `None` for a root.
    pub fn parent(&self) -> Option<&Name> {
        self.0.run.as_ref().and_then(|run| run.parent())
    }

    /// Calls above this run in the tree; 0 for a root.
    pub fn depth(&self) -> u16 {
        self.0.run.as_ref().map_or(0, |run| run.depth)
    }

    /// The layer whose rights the run has: the original caller's.
    pub fn origin(&self) -> Option<Layer> {
        self.0.run.as_ref().and_then(|run| run.origin)
    }

    /// What is left of the nearest budget, per limited currency.
    pub fn budget_left(&self) -> Budget {
        self.0.run.as_ref().map_or(Budget::UNLIMITED, |run| run.ledger.left())
    }

    /// What the run and everything below it has spent so far.
    pub fn spent(&self) -> Spend {
        self.0.run.as_ref().map_or(Spend::ZERO, |run| run.ledger.spent())
    }

    /// What the guards did at the steps of this ephemeral run and of those below it so far, the
    /// first hundred. Empty in a durable run, whose steps record it.
    pub fn fired(&self) -> Vec<Fired> {
        self.0.run.as_ref().map_or_else(Vec::new, |run| run.fired())
    }

    // ===== what a run asks for =====

    /// Calls whoever answers `request`: a capability, or an orchestrator as a child run.
    pub fn call<R: Request>(&self, request: R) -> Call<R::Response> {
        self.call_named(R::CALLEE, request)
    }

    /// Calls `callee` with a request shape that it shares with others.
    pub fn call_named<R: Request>(&self, callee: &str, request: R) -> Call<R::Response> {
        Call::typed(self, callee, request)
    }

    /// Calls `callee` with JSON, checked against its schema.
    pub fn call_json(&self, callee: &str, request: Value) -> Call<Value> {
        match Name::new(callee) {
            Ok(callee) => Call::json(self, callee, request, Options::default()),
            Err(error) => Call::refused(self, invalid(&error)),
        }
    }

    /// Pauses. In a durable run the pause survives a restart and costs no memory.
    pub fn sleep(&self, pause: Duration) -> BoxFuture<'static, Result<(), StepError>> {
        if let Some((_, steps)) = self.durable() {
            let step = steps.issue(Op::Sleep(pause));
            return Box::pin(async move { step.await.map(drop) });
        }
        Box::pin(async move {
            tokio::time::sleep(pause).await;
            Ok(())
        })
    }

    /// Waits for an external event of that name, sent to this run by its id. The first event of a
    /// name counts, and may arrive before this is called. Durable runs only.
    ///
    /// The future ends with `timeout` after `limit`, with `invalid_request` when the event's data
    /// is not a `T`.
    pub fn wait_for<T: DeserializeOwned + Send + 'static>(
        &self,
        event: &str,
        limit: Option<Duration>,
    ) -> BoxFuture<'static, Result<T, StepError>> {
        let Some((_, steps)) = self.durable() else {
            let error =
                StepError::new(Category::NotConfigured, "only a durable run can wait for an event");
            return Box::pin(std::future::ready(Err(error)));
        };
        let event = match EventName::new(event) {
            Ok(event) => event,
            Err(error) => return Box::pin(std::future::ready(Err(invalid(&error)))),
        };
        let step = steps.issue(Op::Wait { event, timeout: limit });
        Box::pin(async move {
            let (data, _) = step.await?.into_value()?;
            crate::orchestrator::decode(data)
        })
    }

    /// Wall time, recorded in a durable run.
    ///
    /// # Errors
    ///
    /// `journal_mismatch` when the journal has something else at this place.
    pub fn now(&self) -> Result<Timestamp, StepError> {
        self.attached()?.now()
    }

    /// 64 random bits, recorded in a durable run.
    ///
    /// # Errors
    ///
    /// `journal_mismatch` when the journal has something else at this place.
    pub fn random(&self) -> Result<u64, StepError> {
        self.attached()?.random()
    }

    /// Chooses among `candidates` by the policy in charge of `domain`. The choice and the
    /// probabilities of all candidates are recorded; replay gives the same choice.
    ///
    /// # Errors
    ///
    /// `invalid_request` without candidates, with two alike, with a feature that is not finite, or
    /// with names out of bounds (see [`Question`](crate::Question)); `journal_mismatch` when the journal has something else at this place.
    pub fn decide(
        &self,
        component: Component,
        domain: &str,
        candidates: &[&str],
        features: &[(&str, f64)],
    ) -> Result<Decision, StepError> {
        let question = Question {
            component,
            domain: domain.to_owned(),
            candidates: candidates.iter().map(ToString::to_string).collect(),
            features: features.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
        };
        question.check()?;
        self.attached()?.decide(&self.0.tenant, self.request_id(), question)
    }

    /// Sends news upwards. In a durable run it is recorded; it is delivered at least once.
    ///
    /// # Errors
    ///
    /// `invalid_request` for a value outside [0, 1]; `journal_mismatch` as above.
    pub fn signal(&self, signal: Signal) -> Result<(), StepError> {
        if signal.value.is_some_and(|value| !(0.0..=1.0).contains(&value)) {
            return Err(StepError::new(Category::InvalidRequest, "the signal cannot be sent")
                .violation("/value", "must be from 0 to 1"));
        }
        self.attached()?.signal(&self.0.tenant, signal)
    }

    /// Stores content once, by its hash, and returns the reference to pass around. In a durable
    /// run it is written together with the next record.
    ///
    /// # Errors
    ///
    /// `configuration` on a context that belongs to no run.
    pub fn put(&self, bytes: impl Into<Arc<[u8]>>, media_type: &str) -> Result<Blob, StepError> {
        Ok(self.attached()?.put(bytes.into(), media_type))
    }

    /// Tells listeners how far the run has come. Not recorded.
    pub fn progress(&self, done: u32, total: u32, doing: impl Into<String>) {
        if let Some(run) = &self.0.run {
            run.progress(done, total, doing.into());
        }
    }

    /// Adds something that is missing from the run's result: a success becomes degraded.
    pub fn lose(&self, loss: Loss) {
        if let Some(run) = &self.0.run {
            run.lose([loss]);
        }
    }

    /// True for the context of a run, and not of a caller that is none.
    pub(crate) fn is_inside(&self) -> bool {
        self.0.run.as_ref().is_some_and(|run| run.is_inside())
    }

    pub(crate) fn attached(&self) -> Result<&Arc<Run>, StepError> {
        self.0.run.as_ref().ok_or_else(detached)
    }

    pub(crate) fn durable(&self) -> Option<(&Arc<Run>, &crate::steps::Steps)> {
        let run = self.0.run.as_ref()?;
        match &run.mode {
            Mode::Durable(steps) => Some((run, steps)),
            Mode::Ephemeral | Mode::Outside => None,
        }
    }
}

pub(crate) fn detached() -> StepError {
    StepError::new(Category::Configuration, "the context belongs to no run")
        .hint("use the context that `orchestrate` gets, or `facade.context(tenant)`")
}

pub(crate) fn invalid(error: &crate::InvalidId) -> StepError {
    StepError::new(Category::InvalidRequest, error.to_string())
}

impl Default for Context {
    /// For the tenant `default`.
    fn default() -> Self {
        Self::new(TenantId::default())
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("tenant", &self.0.tenant)
            .field("run", &self.run_id())
            .field("depth", &self.depth())
            .field("deadline", &self.0.deadline.map(|deadline| deadline.utc))
            .finish_non_exhaustive()
    }
}

/// What a capability gets: who asks, until when, and under which key.
#[derive(Clone, Debug)]
pub struct StepContext {
    pub(crate) tenant: TenantId,
    pub(crate) run: RunId,
    pub(crate) key: String,
    pub(crate) attempt: u32,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) cancel: Cancel,
    pub(crate) host: Arc<crate::run::Host>,
    pub(crate) spend: Arc<std::sync::Mutex<Spend>>,
}

impl StepContext {
    /// Whose work it is.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The run that asks.
    pub fn run_id(&self) -> &RunId {
        &self.run
    }

    /// The same for every attempt at this step, in this process and the next: `run/position`.
    pub fn idempotency_key(&self) -> &str {
        &self.key
    }

    /// This attempt, counted from 1 in each process.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// When the attempt must have answered.
    pub fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// Cancelled when the answer is no longer wanted.
    pub fn cancellation(&self) -> &CancellationToken {
        self.cancel.token()
    }

    /// Records what the attempt really cost, besides the call itself. Adds up.
    pub fn spend(&self, amount: Spend) {
        *self.spend.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += amount;
    }

    /// Reads stored content.
    ///
    /// # Errors
    ///
    /// `not_found` when the store does not have it, `store_corrupt` when it is damaged.
    pub async fn read(&self, blob: &Blob) -> Result<Arc<[u8]>, StepError> {
        self.host.read(blob.hash).await
    }

    /// Stores content and waits until it is on disk.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn put(
        &self,
        bytes: impl Into<Arc<[u8]>>,
        media_type: &str,
    ) -> Result<Blob, StepError> {
        let bytes = bytes.into();
        let blob = Blob::of(&bytes, media_type);
        self.host.store(blob.hash, bytes).await?;
        Ok(blob)
    }

    /// Does work that holds a processor, away from the threads that answer others. Waits while
    /// [`Limits::blocking`](crate::Limits::blocking) other pieces are at it. When nobody wants the
    /// answer any more, work that has begun still runs to its end.
    ///
    /// # Errors
    ///
    /// `internal` when `work` panics.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StepError> {
        let permit = self.host.blocking.clone().acquire_owned().await;
        let work = move || {
            let _permit = permit;
            work()
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(value) => Ok(value),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => Err(crate::machine::panicked(&*panic)),
                Err(error) => {
                    Err(StepError::new(Category::ShuttingDown, "the process stops").because(&error))
                }
            },
        }
    }
}
