//! Settings and ports of a facade, each with its default.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64},
};

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::Facade;
use crate::{
    BasicGuards, Category, Clock, Decider, Limits, NoSignals, Random, Signals, StepError,
    SystemClock, SystemRandom, TaskScope, Uniform,
    admission::Admission,
    engine::Engine,
    events::Events,
    guard::{RunGuard, StepGuards},
    journal::Journal,
    run::Host,
};

/// Collects what a [`Facade`] needs. Building it starts nothing.
#[derive(Debug)]
pub struct FacadeBuilder {
    limits: Limits,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    decider: Option<Arc<dyn Decider>>,
    signals: Option<Arc<dyn Signals>>,
    run_guards: Vec<Arc<dyn RunGuard>>,
    step_guards: Arc<dyn StepGuards>,
}

impl Default for FacadeBuilder {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            decider: None,
            signals: None,
            run_guards: Vec::new(),
            step_guards: Arc::new(BasicGuards::default()),
        }
    }
}

impl FacadeBuilder {
    /// Limits of the engine. Default: [`Limits::default`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Wall time. Default: the machine's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Randomness. Default: seeded by the operating system.
    #[must_use]
    pub fn random(mut self, random: impl Random) -> Self {
        self.random = Arc::new(random);
        self
    }

    /// Who decides among components. Default: [`Uniform`].
    #[must_use]
    pub fn decider(mut self, decider: impl Decider) -> Self {
        self.decider = Some(Arc::new(decider));
        self
    }

    /// Who takes signals. Default: nobody, and each is reported as unconsumed.
    #[must_use]
    pub fn signals(mut self, signals: impl Signals) -> Self {
        self.signals = Some(Arc::new(signals));
        self
    }

    /// Who decides, unless somebody else was named.
    #[must_use]
    pub fn decider_by_default(mut self, decider: impl Decider) -> Self {
        self.decider.get_or_insert_with(|| Arc::new(decider));
        self
    }

    /// Who takes signals, unless somebody else was named.
    #[must_use]
    pub fn signals_by_default(mut self, signals: impl Signals) -> Self {
        self.signals.get_or_insert_with(|| Arc::new(signals));
        self
    }

    /// Where wall time comes from.
    pub fn clock_port(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    /// Adds a check before every run, after those added before.
    #[must_use]
    pub fn run_guard(mut self, guard: impl RunGuard) -> Self {
        self.run_guards.push(Arc::new(guard));
        self
    }

    /// The guards around every step. Default: [`BasicGuards`].
    #[must_use]
    pub fn step_guards(mut self, guards: impl StepGuards) -> Self {
        self.step_guards = Arc::new(guards);
        self
    }

    /// A facade on this store.
    ///
    /// # Errors
    ///
    /// `configuration` naming the limit that makes no sense.
    pub fn build(self, journal: Arc<dyn Journal>) -> Result<Facade, StepError> {
        if let Some(fault) = self.limits.fault() {
            return Err(StepError::new(Category::Configuration, fault));
        }
        let events = Events::new(self.limits.events);
        Ok(Facade(Arc::new(Host {
            clock: self.clock,
            random: self.random,
            journal,
            decider: self.decider.unwrap_or_else(|| Arc::new(Uniform)),
            signals: self.signals.unwrap_or_else(|| Arc::new(NoSignals)),
            run_guards: self.run_guards,
            step_guards: self.step_guards,
            registry: ArcSwap::default(),
            registering: Mutex::new(()),
            started: AtomicBool::new(false),
            orders: AtomicU64::new(0),
            tasks: TaskScope::new("facade", events.clone(), None),
            events,
            admission: Admission::new(self.limits.clone()),
            engine: Engine::new(self.limits.steps as usize),
            closing: CancellationToken::new(),
            blocking: Arc::new(Semaphore::new(self.limits.blocking)),
            limits: self.limits,
        })))
    }
}
