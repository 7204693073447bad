//! A facade with this layer in it and capabilities that play a script.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use consort_core::{
    Capability, CapabilityDescriptor, Category, Clock, Context, Descriptor, Durability, Effect,
    Facade, Kind, Layer, Name, Orchestrator, Outcome, Request, Sent, Signals, StepContext,
    StepError, StepResult, Timestamp, Version, guard::Reach,
};
use consort_durable::MemoryJournal;
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{Board, Config, Infrastructure, health::Report};

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Any(Value);

impl Request for Any {
    const CALLEE: &'static str = "any";
    type Response = Value;
}

/// What a callee does when it is called.
#[derive(Clone, Debug)]
pub(crate) enum Play {
    Answer,
    Fail(Category),
    /// Asks to be left alone for so long.
    Busy(Duration),
    Hang,
    Take(Duration),
}

type Script = Arc<dyn Fn(u32, &Value) -> Play + Send + Sync>;

/// A capability that plays a script: `script` gets the number of the call, from 1, and the
/// request. `{"host": …}` makes the host the endpoint, `{"local": true}` stays here.
#[derive(Clone)]
pub(crate) struct Scripted {
    name: &'static str,
    effect: Effect,
    script: Script,
    calls: Arc<AtomicU32>,
}

impl Scripted {
    pub(crate) fn new(
        name: &'static str,
        effect: Effect,
        script: impl Fn(u32, &Value) -> Play + Send + Sync + 'static,
    ) -> Self {
        Self { name, effect, script: Arc::new(script), calls: Arc::default() }
    }

    /// How often it was reached.
    pub(crate) fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Capability for Scripted {
    type Request = Any;

    fn descriptor(&self) -> CapabilityDescriptor {
        CapabilityDescriptor {
            name: Name::new(self.name).unwrap(),
            version: Version::new(1, 0, 0),
            effect: self.effect,
            recompute: false,
            purpose: "Plays a script".into(),
        }
    }

    fn reach(&self, request: &Any) -> Reach {
        match (&request.0["host"], &request.0["local"]) {
            (Value::String(host), _) => Reach::Endpoint(host.clone()),
            (_, Value::Bool(true)) => Reach::Here,
            _ => Reach::Callee,
        }
    }

    async fn invoke(&self, _: &StepContext, request: Any) -> StepResult<Value> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        match (self.script)(number, &request.0) {
            Play::Answer => {}
            Play::Fail(category) => return Err(StepError::new(category, "as the script says")),
            Play::Busy(pause) => {
                let busy = StepError::new(Category::RateLimited, "slow down");
                return Err(busy.retry_after(pause));
            }
            Play::Hang => std::future::pending().await,
            Play::Take(time) => tokio::time::sleep(time).await,
        }
        Ok(Outcome::succeeded(json!({ "by": self.name })))
    }
}

type Run = dyn Fn(Context, Value) -> BoxFuture<'static, StepResult<Value>> + Send + Sync;

/// A durable orchestrator made of a closure.
#[derive(Clone)]
pub(crate) struct Flow(pub(crate) Arc<Run>);

impl Orchestrator for Flow {
    type Request = Any;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: Name::new("flow").unwrap(),
            version: Version::new(1, 0, 0),
            layer: Layer::Domain,
            kind: Kind::Sequential,
            durability: Durability::Durable,
            purpose: "A test".into(),
        }
    }

    async fn orchestrate(&self, cx: &Context, request: Any) -> StepResult<Value> {
        (self.0)(cx.clone(), request.0).await
    }
}

/// Wall time that moves with the runtime's paused clock.
#[derive(Clone, Copy, Debug)]
struct Virtual(Instant);

impl Clock for Virtual {
    fn utc(&self) -> Timestamp {
        Timestamp(1_800_000_000_000).after(self.0.elapsed())
    }
}

/// Keeps every signal and every report.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ear {
    signals: Arc<Mutex<Vec<Sent>>>,
    shown: Arc<Mutex<Vec<Report>>>,
}

impl Ear {
    /// Of signals called `name`: what they were about, and what `to` they carried.
    pub(crate) fn heard(&self, name: &str) -> Vec<(String, String)> {
        let signals = self.signals.lock().unwrap();
        let named = signals.iter().filter(|sent| sent.signal.name == name);
        let of = |sent: &Sent| {
            let to = sent.signal.data["to"].as_str().unwrap_or_default();
            (sent.signal.subject.clone(), to.to_owned())
        };
        named.map(of).collect()
    }

    pub(crate) fn shown(&self) -> Vec<Report> {
        self.shown.lock().unwrap().clone()
    }
}

impl Signals for Ear {
    fn take(&self, sent: &Sent) -> bool {
        self.signals.lock().unwrap().push(sent.clone());
        true
    }
}

impl Board for Ear {
    fn show(&self, report: Report) -> BoxFuture<'static, ()> {
        self.shown.lock().unwrap().push(report);
        Box::pin(std::future::ready(()))
    }
}

/// A process.
pub(crate) struct Bench {
    pub(crate) facade: Facade,
    pub(crate) layer: Infrastructure,
    pub(crate) ear: Ear,
    pub(crate) journal: MemoryJournal,
    pub(crate) parts: Vec<Scripted>,
    flow: Option<Flow>,
    clock: Virtual,
}

impl Bench {
    pub(crate) async fn new(config: Config, parts: &[&Scripted]) -> Self {
        Self::with(config, parts, None).await
    }

    pub(crate) async fn with(config: Config, parts: &[&Scripted], flow: Option<Flow>) -> Self {
        let clock = Virtual(Instant::now());
        let journal = MemoryJournal::with_clock(Arc::new(clock));
        let parts = parts.iter().map(|part| (*part).clone()).collect();
        Self::on(journal, config, parts, flow, clock).await
    }

    async fn on(
        journal: MemoryJournal,
        config: Config,
        parts: Vec<Scripted>,
        flow: Option<Flow>,
        clock: Virtual,
    ) -> Self {
        let ear = Ear::default();
        let layer = Infrastructure::new(config).unwrap().board(ear.clone());
        let ports = Facade::builder().clock(clock).signals(ear.clone());
        let facade = layer.guard(ports).build(Arc::new(journal.clone())).unwrap();
        layer.install(&facade).await.unwrap();
        for part in &parts {
            facade.register_capability(part.clone()).unwrap();
        }
        if let Some(flow) = &flow {
            facade.register(flow.clone()).await.unwrap();
        }
        facade.start(true).await.unwrap();
        Self { facade, layer, ear, journal, parts, flow, clock }
    }

    /// The next process after a kill of this one.
    pub(crate) async fn restarted(&self) -> Self {
        let (journal, parts) = (self.journal.restarted(), self.parts.clone());
        Self::on(journal, Config::default(), parts, self.flow.clone(), self.clock).await
    }

    /// Calls a capability directly.
    pub(crate) async fn call(&self, callee: &str, request: Value) -> StepResult<Value> {
        self.facade.orchestrate(callee, Context::default(), request).await
    }

    /// Calls `resilience`.
    pub(crate) async fn ask(&self, operate: Value) -> StepResult<Value> {
        self.call("resilience", operate).await
    }

    /// The category of a direct call's failure, or `ok`.
    pub(crate) async fn ending(&self, callee: &str, request: Value) -> &'static str {
        match self.call(callee, request).await {
            Ok(outcome) => consort_core::Status::of(&Ok(outcome)).name(),
            Err(error) => error.category().name(),
        }
    }

    pub(crate) fn report(&self) -> Report {
        self.layer.guards().report(Timestamp(0))
    }

    /// State of the breaker, and health, of one callee outside.
    #[track_caller]
    pub(crate) fn state(&self, callee: &str) -> (String, &'static str) {
        let report = self.report();
        let found = report.callees.iter().find(|one| one.callee == callee && !one.local);
        let found = found.unwrap_or_else(|| panic!("no {callee} in {report:#?}"));
        let breaker = found.breaker.as_ref().map_or("none", |breaker| &breaker.state);
        (breaker.to_owned(), found.health.name())
    }
}

/// Lets time pass and everything that is due happen.
pub(crate) async fn pass(duration: Duration) {
    tokio::time::sleep(duration).await;
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
