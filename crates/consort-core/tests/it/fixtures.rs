//! Tiny scripted orchestrators and capabilities, and the world that tests run them in.

use std::{
    fmt,
    future::{Future, ready},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use consort_core::{
    Admission, Call, Capability, CapabilityDescriptor, Category, Clock, Context, Descriptor,
    Durability, Effect, Facade, FacadeBuilder, Kind, Layer, Limits, Name, Orchestrator, Outcome,
    Request, RunId, Seeded, Spend, StepContext, StepError, StepResult, TaskScope, TenantId,
    Timestamp, Version,
    events::{Event, EventStream, Heard},
    journal::Journal,
    record::History,
};
use consort_durable::MemoryJournal;
use futures_util::{FutureExt, future::BoxFuture};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

/// A request of any shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Any(pub(crate) Value);

impl Request for Any {
    const CALLEE: &'static str = "any";
    type Response = Value;
}

/// Calls `callee` with whatever it takes.
pub(crate) fn ask(cx: &Context, callee: &str, request: impl Into<Value>) -> Call<Value> {
    cx.call_named(callee, Any(request.into()))
}

pub(crate) fn done(value: impl Into<Value>) -> StepResult<Value> {
    Ok(Outcome::succeeded(value.into()))
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn version(text: &str) -> Version {
    text.parse().unwrap()
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The category of a failure.
#[track_caller]
pub(crate) fn category<T: fmt::Debug>(result: &Result<T, StepError>) -> Category {
    result.as_ref().unwrap_err().category()
}

/// The response of a success.
#[track_caller]
pub(crate) fn value(result: StepResult<Value>) -> Value {
    match result {
        Ok(Outcome::Succeeded { value }) => value,
        other => panic!("not a success: {other:?}"),
    }
}

// ===== orchestrators =====

type Work = dyn Fn(Context, Value) -> BoxFuture<'static, StepResult<Value>> + Send + Sync;
type Asked =
    dyn Fn(Context, Value) -> BoxFuture<'static, Result<Admission, StepError>> + Send + Sync;
type CleanUp = dyn Fn(Context) -> BoxFuture<'static, Result<(), StepError>> + Send + Sync;
type Start = dyn Fn(&TaskScope) -> Result<(), StepError> + Send + Sync;
type Stop = dyn Fn() + Send + Sync;

/// An orchestrator made of closures.
pub(crate) struct Scripted {
    descriptor: Descriptor,
    work: Box<Work>,
    asked: Option<Box<Asked>>,
    clean_up: Option<Box<CleanUp>>,
    start: Option<Box<Start>>,
    stop: Option<Box<Stop>>,
}

impl Scripted {
    fn new<F, Fut>(text: &str, durability: Durability, work: F) -> Self
    where
        F: Fn(Context, Value) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = StepResult<Value>> + Send + 'static,
    {
        let descriptor = Descriptor {
            name: name(text),
            version: version("1.0.0"),
            layer: Layer::Domain,
            kind: Kind::Sequential,
            durability,
            purpose: "a test".into(),
        };
        let work = Box::new(move |cx, request| work(cx, request).boxed());
        Self { descriptor, work, asked: None, clean_up: None, start: None, stop: None }
    }

    pub(crate) fn durable<F, Fut>(name: &str, work: F) -> Self
    where
        F: Fn(Context, Value) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = StepResult<Value>> + Send + 'static,
    {
        Self::new(name, Durability::Durable, work)
    }

    pub(crate) fn ephemeral<F, Fut>(name: &str, work: F) -> Self
    where
        F: Fn(Context, Value) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = StepResult<Value>> + Send + 'static,
    {
        Self::new(name, Durability::Ephemeral, work)
    }

    /// Of either durability: most rows of the table hold for both.
    pub(crate) fn either<F, Fut>(durability: Durability, name: &str, work: F) -> Self
    where
        F: Fn(Context, Value) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = StepResult<Value>> + Send + 'static,
    {
        Self::new(name, durability, work)
    }

    pub(crate) fn version(mut self, text: &str) -> Self {
        self.descriptor.version = version(text);
        self
    }

    pub(crate) fn layer(mut self, layer: Layer) -> Self {
        self.descriptor.layer = layer;
        self
    }

    pub(crate) fn asked<F>(mut self, asked: F) -> Self
    where
        F: Fn(Context, Value) -> BoxFuture<'static, Result<Admission, StepError>>
            + Send
            + Sync
            + 'static,
    {
        self.asked = Some(Box::new(asked));
        self
    }

    pub(crate) fn clean_up<F, Fut>(mut self, clean_up: F) -> Self
    where
        F: Fn(Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), StepError>> + Send + 'static,
    {
        self.clean_up = Some(Box::new(move |cx| clean_up(cx).boxed()));
        self
    }

    /// Notes every `cleanup` as `cleanup NAME`.
    pub(crate) fn cleans(self, witness: &Witness) -> Self {
        let (witness, line) = (witness.clone(), format!("cleanup {}", self.descriptor.name));
        self.clean_up(move |_| {
            witness.note(&line);
            ready(Ok(()))
        })
    }

    pub(crate) fn start(
        mut self,
        start: impl Fn(&TaskScope) -> Result<(), StepError> + Send + Sync + 'static,
    ) -> Self {
        self.start = Some(Box::new(start));
        self
    }

    /// Notes `start NAME` and `stop NAME`.
    pub(crate) fn lives(mut self, witness: &Witness) -> Self {
        let (began, line) = (witness.clone(), format!("start {}", self.descriptor.name));
        let (ended, last) = (witness.clone(), format!("stop {}", self.descriptor.name));
        self.stop = Some(Box::new(move || ended.note(&last)));
        self.start(move |_| {
            began.note(&line);
            Ok(())
        })
    }
}

impl Orchestrator for Scripted {
    type Request = Any;

    fn descriptor(&self) -> Descriptor {
        self.descriptor.clone()
    }

    fn orchestrate(
        &self,
        cx: &Context,
        request: Any,
    ) -> impl Future<Output = StepResult<Value>> + Send {
        (self.work)(cx.clone(), request.0)
    }

    fn can_orchestrate(
        &self,
        cx: &Context,
        request: &Any,
    ) -> impl Future<Output = Result<Admission, StepError>> + Send {
        match &self.asked {
            Some(asked) => asked(cx.clone(), request.0.clone()),
            None => ready(Ok(Admission::Accept)).boxed(),
        }
    }

    fn cleanup(&self, cx: &Context) -> impl Future<Output = Result<(), StepError>> + Send {
        match &self.clean_up {
            Some(clean_up) => clean_up(cx.clone()),
            None => ready(Ok(())).boxed(),
        }
    }

    async fn start(&self, tasks: &TaskScope) -> Result<(), StepError> {
        self.start.as_ref().map_or(Ok(()), |start| start(tasks))
    }

    async fn stop(&self) {
        if let Some(stop) = &self.stop {
            stop();
        }
    }
}

// ===== capabilities =====

type Invoke = dyn Fn(StepContext, Value) -> BoxFuture<'static, StepResult<Value>> + Send + Sync;
type Bound = dyn Fn(&Value) -> Spend + Send + Sync;

/// A capability made of closures.
pub(crate) struct Leaf {
    descriptor: CapabilityDescriptor,
    invoke: Box<Invoke>,
    bound: Box<Bound>,
}

impl Leaf {
    pub(crate) fn new<F, Fut>(text: &str, effect: Effect, invoke: F) -> Self
    where
        F: Fn(StepContext, Value) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = StepResult<Value>> + Send + 'static,
    {
        let descriptor = CapabilityDescriptor {
            name: name(text),
            version: version("1.0.0"),
            effect,
            recompute: false,
            purpose: "a test".into(),
        };
        let invoke = Box::new(move |cx, request| invoke(cx, request).boxed());
        Self { descriptor, invoke, bound: Box::new(|_| Spend::CALL) }
    }

    /// Answers with its request, and notes `NAME REQUEST`.
    pub(crate) fn echo(text: &str, witness: &Witness) -> Self {
        let (witness, own) = (witness.clone(), text.to_owned());
        Self::new(text, Effect::Read, move |_, request| {
            witness.note(&format!("{own} {request}"));
            ready(done(request))
        })
    }

    /// Never answers, and notes `begun` and `dropped`.
    pub(crate) fn stuck(text: &str, witness: &Witness) -> Self {
        let witness = witness.clone();
        Self::new(text, Effect::Read, move |_, _| {
            let dropped = OnDrop(witness.clone(), "dropped");
            witness.note("begun");
            async move {
                let _dropped = dropped;
                std::future::pending().await
            }
        })
    }
}

impl Leaf {
    pub(crate) fn bound(mut self, bound: impl Fn(&Value) -> Spend + Send + Sync + 'static) -> Self {
        self.bound = Box::new(bound);
        self
    }

    pub(crate) fn recompute(mut self) -> Self {
        self.descriptor.recompute = true;
        self
    }
}

impl Capability for Leaf {
    type Request = Any;

    fn descriptor(&self) -> CapabilityDescriptor {
        self.descriptor.clone()
    }

    fn bound(&self, request: &Any) -> Spend {
        (self.bound)(&request.0)
    }

    fn invoke(
        &self,
        cx: &StepContext,
        request: Any,
    ) -> impl Future<Output = StepResult<Value>> + Send {
        (self.invoke)(cx.clone(), request.0)
    }
}

// ===== observation =====

/// What happened, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Witness(Arc<Mutex<Vec<String>>>);

impl Witness {
    pub(crate) fn note(&self, what: &str) {
        self.0.lock().unwrap().push(what.to_owned());
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// What happened since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    pub(crate) fn count(&self, what: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|noted| *noted == what).count()
    }
}

/// Notes a line when dropped.
pub(crate) struct OnDrop(pub(crate) Witness, pub(crate) &'static str);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.note(self.1);
    }
}

/// Everything that a stream has heard by now.
pub(crate) fn heard(events: &mut EventStream) -> Vec<Event> {
    std::iter::from_fn(|| events.try_next())
        .map(|heard| match heard {
            Heard::Event(event) => Event::clone(&event),
            Heard::Lost(lost) => panic!("{lost} events lost"),
        })
        .collect()
}

// ===== the world =====

/// Wall time that follows the runtime's own clock, so that pausing one pauses both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VirtualClock(Instant);

impl Clock for VirtualClock {
    fn utc(&self) -> Timestamp {
        Timestamp(1_800_000_000_000).after(Instant::now().saturating_duration_since(self.0))
    }
}

/// A journal and the settings of the processes that use it one after the other.
pub(crate) struct World {
    pub(crate) journal: MemoryJournal,
    pub(crate) clock: VirtualClock,
    pub(crate) limits: Limits,
    processes: AtomicU64,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            journal: MemoryJournal::new(),
            clock: VirtualClock(Instant::now()),
            limits: Limits::default(),
            processes: AtomicU64::new(0),
        }
    }

    pub(crate) fn limited(limits: Limits) -> Self {
        Self { limits, ..Self::new() }
    }

    /// A builder on the world's clock; every process draws other random numbers.
    pub(crate) fn builder(&self) -> FacadeBuilder {
        let seed = self.processes.fetch_add(1, Ordering::Relaxed);
        let (limits, clock) = (self.limits.clone(), self.clock);
        Facade::builder().limits(limits).clock(clock).random(Seeded::new(seed))
    }

    /// A facade that was not started.
    pub(crate) fn facade(&self) -> Facade {
        self.on(Arc::new(self.journal.clone()))
    }

    pub(crate) fn on(&self, journal: Arc<dyn Journal>) -> Facade {
        self.builder().build(journal).unwrap()
    }

    /// What the next process finds after this one was killed.
    pub(crate) fn kill(&mut self) {
        self.journal = self.journal.restarted();
    }

    pub(crate) async fn history(&self, run: &RunId) -> History {
        self.journal.history(run).await.unwrap().unwrap()
    }
}

/// A context of the tenant `acme`.
pub(crate) fn acme() -> Context {
    Context::new(TenantId::new("acme").unwrap())
}

/// Lets everything happen that needs no time to pass.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

pub(crate) const BOTH: [Durability; 2] = [Durability::Ephemeral, Durability::Durable];
