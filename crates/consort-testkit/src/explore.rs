//! Stops a process at every commit, resumes it, and reports what went wrong.
//!
//! A durable run survives the death of its process only if its orchestrator keeps a few rules: it
//! computes only from its request and the results of its steps, it touches the world only through
//! capabilities, its capabilities are what they declare to be, and its `cleanup` may run twice.
//! Nothing in the type system says so, and an ordinary test does not notice. A [`Scenario`] does:
//! it first runs your orchestrator undisturbed and counts its commits. Then, once before and once
//! after every commit, it starts again from nothing, stops the process-equivalent right there,
//! starts another one on the journal that survived, lets it finish, and compares. Time is virtual,
//! so pauses of days cost nothing.
//!
//! ```
//! use consort_core::{
//!     Capability, CapabilityDescriptor, Context, Descriptor, Durability, Effect, Kind, Layer, Name,
//!     Orchestrator, Request, StepContext, StepResult, Version,
//! };
//! use consort_testkit::explore::{self, Scenario, World};
//! # use schemars::JsonSchema;
//! # use serde::{Deserialize, Serialize};
//! # fn name(text: &str) -> Name { Name::new(text).unwrap() }
//!
//! #[derive(Clone, Serialize, Deserialize, JsonSchema)]
//! struct Charge { order: u32 }
//! impl Request for Charge { const CALLEE: &'static str = "charge"; type Response = (); }
//!
//! /// Stands for the payment service, which does not look at idempotency keys.
//! struct Service(World);
//! impl Capability for Service {
//!     type Request = Charge;
//!     fn descriptor(&self) -> CapabilityDescriptor {
//!         CapabilityDescriptor {
//!             effect: Effect::Idempotent, // That is wrong.
//!             # name: name("charge"), version: Version::new(1, 0, 0), recompute: false,
//!             # purpose: "takes money".into(),
//!             // ...
//!         }
//!     }
//!     async fn invoke(&self, _: &StepContext, request: Charge) -> StepResult<()> {
//!         self.0.effect(format!("charged order {}", request.order));
//!         Ok(().into())
//!     }
//! }
//!
//! # #[derive(Clone, Serialize, Deserialize, JsonSchema)]
//! # struct Buy { order: u32 }
//! # impl Request for Buy { const CALLEE: &'static str = "buy"; type Response = (); }
//! struct Shop;
//! impl Orchestrator for Shop {
//!     type Request = Buy;
//!     # fn descriptor(&self) -> Descriptor {
//!     #     Descriptor {
//!     #         name: name("buy"), version: Version::new(1, 0, 0), layer: Layer::Domain,
//!     #         kind: Kind::Sequential, durability: Durability::Durable, purpose: "sells".into(),
//!     #     }
//!     # }
//!     async fn orchestrate(&self, cx: &Context, request: Buy) -> StepResult<()> {
//!         cx.call(Charge { order: request.order }).value().await?;
//!         Ok(().into())
//!     }
//! }
//!
//! let report = Scenario::new()
//!     .orchestrator(|_| Shop)
//!     .capability(|world| Service(world.clone()))
//!     .request(Buy { order: 7 })
//!     .explore();
//! assert!(report.found(explore::Kind::RepeatedEffect), "{report}");
//! ```
//!
//! An exploration of a correct scenario ends with [`Report::assert_clean`]. Each [`Kind`] of
//! finding has a hint what to look for.
//!
//! # What it can see
//!
//! A witness is wrapped around every capability: it knows each call by its idempotency key, and
//! whether the step's result was on disk already. Effects that bypass capabilities it only sees if
//! they are told to the [`World`]. What capabilities answer must depend on nothing but the request,
//! the world and the attempt, or an exploration will see differences where there are none; where
//! results differ for good reason, say so with [`Scenario::same`]. Where a step of class `once`
//! ends uncertain because of the stop, results are not compared. The wall clock of the machine
//! hardly moves during an exploration: code that looks at it in whole seconds is not found out.

use std::{fmt, sync::Arc, time::Duration};

use consort_core::{
    Capability, EventName, Facade, FacadeBuilder, Orchestrator, Request, StepError, StepResult,
    journal::{Journal, RunFilter},
    record::{History, Record},
};
use consort_durable::MemoryJournal;
use futures_util::{FutureExt, future::BoxFuture};
use serde_json::Value;

mod chance;
mod cut;
mod judge;
mod process;
mod report;
mod watch;
mod world;

use judge::Seen;
use process::{Clients, Ending, Event, Life};
pub use report::{Finding, Kind, Point, Report, Side};
use watch::{Watched, Witnessed};
use world::Outside;
pub use world::World;

type Registration =
    Box<dyn Fn(Facade, World) -> BoxFuture<'static, Result<(), StepError>> + Send + Sync>;
type Configure = Box<dyn Fn(FacadeBuilder) -> FacadeBuilder + Send + Sync>;
type Same = Box<dyn Fn(&StepResult<Value>, &StepResult<Value>) -> bool + Send + Sync>;

/// What to run, and how it is disturbed.
pub struct Scenario {
    registrations: Vec<Registration>,
    upgrade: Vec<Registration>,
    upgrading: bool,
    requests: Vec<(String, Value)>,
    events: Vec<Event>,
    configure: Configure,
    same: Same,
    limit: Duration,
    points: usize,
    seed: u64,
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scenario")
            .field("requests", &self.requests)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

impl Default for Scenario {
    fn default() -> Self {
        Self::new()
    }
}

impl Scenario {
    /// Nothing is registered, nothing is asked.
    pub fn new() -> Self {
        Self {
            registrations: Vec::new(),
            upgrade: Vec::new(),
            upgrading: false,
            requests: Vec::new(),
            events: Vec::new(),
            configure: Box::new(|builder| builder),
            same: Box::new(judge::same),
            limit: Duration::from_secs(30 * 24 * 3600),
            points: 2_000,
            seed: 1,
        }
    }

    /// Registers an orchestrator; `make` is asked anew in every process.
    #[must_use]
    pub fn orchestrator<O: Orchestrator>(
        self,
        make: impl Fn(&World) -> O + Send + Sync + 'static,
    ) -> Self {
        self.registration(Box::new(move |facade, world| {
            let watched = Watched { inner: make(&world), world };
            async move { facade.register(watched).await }.boxed()
        }))
    }

    /// Registers a capability; `make` is asked anew in every process.
    #[must_use]
    pub fn capability<C: Capability>(
        self,
        make: impl Fn(&World) -> C + Send + Sync + 'static,
    ) -> Self {
        self.registration(Box::new(move |facade, world| {
            let witnessed = Witnessed { inner: make(&world), world };
            std::future::ready(facade.register_capability(witnessed)).boxed()
        }))
    }

    fn registration(mut self, registration: Registration) -> Self {
        let list = if self.upgrading { &mut self.upgrade } else { &mut self.registrations };
        list.push(registration);
        self
    }

    /// What is registered from here on is what the resumed process has, in place of everything
    /// registered before: a new build was rolled out while runs were open.
    #[must_use]
    pub fn after_restart(mut self) -> Self {
        self.upgrading = true;
        self
    }

    /// Asks for a durable run. Several requests are made at the same time.
    #[must_use]
    pub fn request<R: Request>(self, request: R) -> Self {
        // What cannot be written as JSON is refused by the engine, and that is a finding.
        let value = serde_json::to_value(&request).unwrap_or_default();
        self.request_json(R::CALLEE, value)
    }

    /// Asks for a durable run of `name`.
    #[must_use]
    pub fn request_json(mut self, name: &str, request: Value) -> Self {
        self.requests.push((name.to_owned(), request));
        self
    }

    /// Sends an event to the run of the latest request, `after` so much virtual time since the
    /// start of the first process. It is sent again by the next process unless it was acknowledged.
    ///
    /// # Panics
    ///
    /// When there is no request yet, or `name` is no event name.
    #[must_use]
    pub fn event(mut self, after: Duration, name: &str, data: Value) -> Self {
        let request = self.requests.len().checked_sub(1).expect("an event belongs to a request");
        let name = EventName::new(name).expect("the name of an event");
        self.events.push(Event { request, name, data, after });
        self
    }

    /// Changes the facade of every process: its limits, decider, guards.
    #[must_use]
    pub fn configure(
        mut self,
        configure: impl Fn(FacadeBuilder) -> FacadeBuilder + Send + Sync + 'static,
    ) -> Self {
        self.configure = Box::new(configure);
        self
    }

    /// Says when a result is as good as the undisturbed one, which comes first. By default they
    /// must be equal, or failures with the same category and message.
    #[must_use]
    pub fn same(
        mut self,
        same: impl Fn(&StepResult<Value>, &StepResult<Value>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.same = Box::new(same);
        self
    }

    /// Virtual time within which each process must answer. Default: 30 days.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Stops at this many points at most, spread evenly over the run. Default: 2,000.
    #[must_use]
    pub fn at_most(mut self, points: usize) -> Self {
        self.points = points;
        self
    }

    /// Where the numbers of [`Context::random`](consort_core::Context::random) and the default
    /// decider come from. Default: 1.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Tries every point and reports. Blocks; may be called from anywhere, a runtime included.
    ///
    /// # Panics
    ///
    /// When the code under test panics outside of what the engine contains.
    pub fn explore(&self) -> Report {
        std::thread::scope(|scope| {
            // A runtime cannot be started within another, so this has a thread of its own.
            match scope.spawn(|| self.explore_here()).join() {
                Ok(report) => report,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    fn explore_here(&self) -> Report {
        let mut report =
            Report { commits: 0, points: 0, results: Vec::new(), findings: Vec::new() };
        let calm = match self.undisturbed() {
            Ok(calm) => calm,
            Err(error) => {
                report.add(None, Kind::NotStarted, "the process".into(), error.to_string());
                return report;
            }
        };
        report.commits = calm.observed.commits.len();
        report.results = calm.endings.iter().map(answer).collect();
        // Measured by itself, and by a second undisturbed run.
        for (kind, subject, detail) in judge::judge(self, &calm, &calm) {
            report.add(None, kind, subject, detail);
        }
        if let Ok(again) = self.undisturbed() {
            for (kind, subject, detail) in judge::judge(self, &calm, &again) {
                report.add(None, kind, subject, detail);
            }
        }
        for (side, commit) in self.all_points(report.commits) {
            let Some((point, seen)) = self.disturbed(side, commit) else { continue };
            report.points += 1;
            match seen {
                Ok(seen) => {
                    for (kind, subject, detail) in judge::judge(self, &calm, &seen) {
                        report.add(Some(&point), kind, subject, detail);
                    }
                }
                Err(error) => {
                    let (kind, subject) = (Kind::NotStarted, "the resumed process".into());
                    report.add(Some(&point), kind, subject, error.to_string());
                }
            }
        }
        report
    }

    /// All sides of all commits, or as many of them as are wanted.
    fn all_points(&self, commits: usize) -> impl Iterator<Item = (Side, usize)> + use<> {
        let all = commits * 2;
        let wanted = all.min(self.points);
        (0..wanted).map(move |index| {
            let place = index * all / wanted;
            (if place.is_multiple_of(2) { Side::Before } else { Side::After }, place / 2 + 1)
        })
    }

    fn undisturbed(&self) -> Result<Seen, StepError> {
        let (store, outside) = (MemoryJournal::new(), Arc::<Outside>::default());
        match process::live(self, store.clone(), &outside, 1, None, &Clients::new(self)) {
            Life::Finished(endings) => Ok(collect(&store, &outside, endings)),
            Life::Broken(error) => Err(error),
            Life::Stopped => Ok(Seen::default()),
        }
    }

    /// Stops a first process at one point and lets a second one finish. `None` when the first one
    /// never came to that point.
    fn disturbed(&self, side: Side, commit: usize) -> Option<(Point, Result<Seen, StepError>)> {
        let (store, outside) = (MemoryJournal::new(), Arc::<Outside>::default());
        let clients = Clients::new(self);
        let at = Some((side, commit));
        let Life::Stopped = process::live(self, store.clone(), &outside, 1, at, &clients) else {
            return None;
        };
        let wrote = outside.lock().commits.last().cloned().unwrap_or_default();
        let point = Point { side, commit, wrote };
        let store = store.restarted();
        let seen = match process::live(self, store.clone(), &outside, 2, None, &clients) {
            Life::Finished(endings) => Ok(collect(&store, &outside, endings)),
            Life::Broken(error) => Err(error),
            Life::Stopped => Ok(Seen::default()),
        };
        Some((point, seen))
    }
}

fn answer(ending: &Ending) -> Option<StepResult<Value>> {
    match ending {
        Ending::Answered(result) => Some(result.clone()),
        Ending::Refused(error) => Some(Err(error.clone())),
        Ending::Hung => None,
    }
}

/// Reads the journal that is left. The one in memory answers at once.
fn collect(store: &MemoryJournal, outside: &Outside, endings: Vec<Ending>) -> Seen {
    let store = store.restarted();
    let all = RunFilter { limit: usize::MAX, ..RunFilter::default() };
    let runs = store.runs(all).now_or_never().and_then(Result::ok).unwrap_or_default();
    let histories = runs
        .iter()
        .filter_map(|run| store.history(&run.id).now_or_never().and_then(Result::ok).flatten());
    let uncertain = histories.map(|history| uncertain_steps(&history)).sum();
    Seen { endings, runs, observed: outside.lock().clone(), uncertain }
}

fn uncertain_steps(history: &History) -> usize {
    use consort_core::Outcome;
    let uncertain = |record: &&Record| match record {
        Record::Step(step) => matches!(step.result, Ok(Outcome::Uncertain { .. })),
        _ => false,
    };
    history.records.iter().filter(uncertain).count()
}
