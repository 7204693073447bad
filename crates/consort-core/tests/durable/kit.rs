//! Orchestrators and capabilities made of closures, and a world that outlives its facades.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use consort_core::{
    Capability, CapabilityDescriptor, Clock, Context, Descriptor, Durability, Effect, Facade, Kind,
    Layer, Limits, Name, Orchestrator, Outcome, Request, StepContext, StepError, StepResult,
    Timestamp, Version,
};
use consort_durable::MemoryJournal;
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

/// A request of any shape; callees are addressed by name.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Any(pub(crate) Value);

impl Request for Any {
    const CALLEE: &'static str = "any";
    type Response = Value;
}

type Run = dyn Fn(Context, Value) -> BoxFuture<'static, StepResult<Value>> + Send + Sync;

/// A durable orchestrator made of a closure.
#[derive(Clone)]
pub(crate) struct Flow {
    name: &'static str,
    version: u64,
    run: Arc<Run>,
    cleanups: Arc<AtomicU32>,
}

impl Flow {
    pub(crate) fn new<F, Fut>(name: &'static str, run: F) -> Self
    where
        F: Fn(Context, Value) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = StepResult<Value>> + Send + 'static,
    {
        let run =
            Arc::new(move |cx, request| -> BoxFuture<'static, _> { Box::pin(run(cx, request)) });
        Self { name, version: 1, run, cleanups: Arc::default() }
    }

    pub(crate) fn version(mut self, version: u64) -> Self {
        self.version = version;
        self
    }

    pub(crate) fn cleanups(&self) -> u32 {
        self.cleanups.load(Ordering::SeqCst)
    }
}

impl Orchestrator for Flow {
    type Request = Any;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: Name::new(self.name).unwrap(),
            version: Version::new(self.version, 0, 0),
            layer: Layer::Domain,
            kind: Kind::Sequential,
            durability: Durability::Durable,
            purpose: "A test".into(),
        }
    }

    async fn orchestrate(&self, cx: &Context, request: Any) -> StepResult<Value> {
        (self.run)(cx.clone(), request.0).await
    }

    async fn cleanup(&self, _: &Context) -> Result<(), StepError> {
        self.cleanups.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// Counts effects by idempotency key, outside of everything that restarts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Witness(Arc<Mutex<BTreeMap<String, u32>>>);

impl Witness {
    pub(crate) fn effects(&self) -> BTreeMap<String, u32> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn total(&self) -> u32 {
        self.effects().values().sum()
    }

    fn see(&self, key: &str) {
        *self.0.lock().unwrap().entry(key.to_owned()).or_default() += 1;
    }
}

/// A capability that is witnessed and echoes its request, after `pause`.
#[derive(Clone)]
pub(crate) struct Echo {
    pub(crate) name: &'static str,
    pub(crate) effect: Effect,
    pub(crate) pause: Duration,
    pub(crate) witness: Witness,
}

impl Capability for Echo {
    type Request = Any;

    fn descriptor(&self) -> CapabilityDescriptor {
        CapabilityDescriptor {
            name: Name::new(self.name).unwrap(),
            version: Version::new(1, 0, 0),
            effect: self.effect,
            recompute: false,
            purpose: "Echoes".into(),
        }
    }

    async fn invoke(&self, cx: &StepContext, request: Any) -> StepResult<Value> {
        self.witness.see(cx.idempotency_key());
        tokio::time::sleep(self.pause).await;
        Ok(Outcome::succeeded(request.0))
    }
}

/// Wall time that moves with the runtime's paused clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Virtual(Instant);

impl Clock for Virtual {
    fn utc(&self) -> Timestamp {
        Timestamp(1_800_000_000_000).after(self.0.elapsed())
    }
}

/// What outlives a process: the journal, the witness, and the code.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) journal: MemoryJournal,
    pub(crate) witness: Witness,
    pub(crate) flows: Vec<Flow>,
    clock: Virtual,
}

impl World {
    pub(crate) fn new(flows: impl Into<Vec<Flow>>) -> Self {
        let clock = Virtual(Instant::now());
        let journal = MemoryJournal::with_clock(Arc::new(clock));
        Self { journal, witness: Witness::default(), flows: flows.into(), clock }
    }

    /// A process: a facade with the capabilities `echo` (quick), `slow` (10 s) and `once` (10 s, not
    /// repeatable), started.
    pub(crate) async fn start(&self) -> Facade {
        let facade = Facade::builder()
            .clock(self.clock)
            .limits(Limits { park_after: Duration::from_millis(100), ..Limits::default() })
            .build(Arc::new(self.journal.clone()))
            .unwrap();
        let slow = Duration::from_secs(10);
        for (name, effect, pause) in [
            ("echo", Effect::Idempotent, Duration::ZERO),
            ("slow", Effect::Idempotent, slow),
            ("once", Effect::Once, slow),
        ] {
            let echo = Echo { name, effect, pause, witness: self.witness.clone() };
            facade.register_capability(echo).unwrap();
        }
        for flow in &self.flows {
            facade.register(flow.clone()).await.unwrap();
        }
        facade.start(true).await.unwrap();
        facade
    }

    /// The next process after a kill: the old one cannot write any more.
    pub(crate) async fn restart(&mut self) -> Facade {
        self.journal = self.journal.restarted();
        self.start().await
    }
}

/// Lets time pass and everything that is due happen.
pub(crate) async fn pass(duration: Duration) {
    tokio::time::sleep(duration).await;
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);
