//! The composition root: the one place that knows every part, in the order in which it happens.

mod board;

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use board::FileBoard;
pub use board::{Shown, shown};
use consort_application::{self as application, Config, Learning};
use consort_capabilities as capabilities;
use consort_core::{
    Capability, Category, Closed, Facade, FacadeBuilder, IdempotencyKey, Limits, Name,
    Orchestrator, RunId, StepError, TenantId, journal::Journal,
};
use consort_durable::{MemoryJournal, SqliteJournal, sqlite};
use consort_infrastructure::{self as infrastructure, Infrastructure};
use futures_util::future::BoxFuture;

type Ports = Box<dyn FnOnce(FacadeBuilder) -> FacadeBuilder + Send>;
type Registration = Box<dyn FnOnce(Facade) -> BoxFuture<'static, Result<(), StepError>> + Send>;

/// A running engine with everything installed.
#[derive(Clone, Debug)]
pub struct Consort {
    facade: Facade,
    journal: Arc<dyn Journal>,
    learning: Learning,
    resumed: usize,
    grace: Duration,
}

/// Settings of a [`Consort`]. Building it opens the store, installs and starts everything.
#[derive(Default)]
pub struct Builder {
    store: Option<PathBuf>,
    limits: Limits,
    capabilities: capabilities::Config,
    infrastructure: infrastructure::Config,
    learning: Option<Config>,
    ports: Vec<Ports>,
    own: Vec<Registration>,
    stay: bool,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Builder {
    /// Keeps durable runs in this file, which is created if missing. Default: in memory, gone with
    /// the process.
    #[must_use]
    pub fn store(mut self, path: impl Into<PathBuf>) -> Self {
        self.store = Some(path.into());
        self
    }

    /// Limits of the engine.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Limits of what touches the world.
    #[must_use]
    pub fn capabilities(mut self, config: capabilities::Config) -> Self {
        self.capabilities = config;
        self
    }

    /// Guards of callees, and how their health is judged.
    #[must_use]
    pub fn infrastructure(mut self, config: infrastructure::Config) -> Self {
        self.infrastructure = config;
        self
    }

    /// Clock, randomness, guards, policies and signals other than the defaults.
    #[must_use]
    pub fn ports(
        mut self,
        change: impl FnOnce(FacadeBuilder) -> FacadeBuilder + Send + 'static,
    ) -> Self {
        self.ports.push(Box::new(change));
        self
    }

    /// How decisions are made and learned from. Default: [`crate::learning::config`].
    #[must_use]
    pub fn learning(mut self, config: Config) -> Self {
        self.learning = Some(config);
        self
    }

    /// Adds an orchestrator before unfinished runs are taken up.
    #[must_use]
    pub fn orchestrator(mut self, orchestrator: impl Orchestrator) -> Self {
        self.own
            .push(Box::new(|facade| Box::pin(async move { facade.register(orchestrator).await })));
        self
    }

    /// Adds a capability before unfinished runs are taken up.
    #[must_use]
    pub fn capability(mut self, capability: impl Capability) -> Self {
        self.own.push(Box::new(|facade| {
            Box::pin(async move { facade.register_capability(capability) })
        }));
        self
    }

    /// Leaves unfinished runs alone.
    #[must_use]
    pub fn no_resume(mut self) -> Self {
        self.stay = true;
        self
    }

    /// The whole program, in the order in which it happens.
    ///
    /// # Errors
    ///
    /// `configuration` naming the limit or setting; `conflict` naming what is registered twice; those of the
    /// store: `store_locked`, `store_too_new`, `store_corrupt`, `store_unavailable`.
    pub async fn build(self) -> Result<Consort, StepError> {
        let grace = self.limits.grace;
        let infrastructure = Infrastructure::new(self.infrastructure)?;
        let infrastructure = match &self.store {
            Some(store) => infrastructure.board(FileBoard::new(store)),
            None => infrastructure,
        };
        let journal = open(self.store.clone()).await?; // The only effect before anything is registered.
        let ports = infrastructure.guard(Facade::builder());
        let ports = self.ports.into_iter().fold(ports, |ports, change| change(ports));
        let config = self.learning.unwrap_or_else(crate::learning::config);
        let learning = crate::learning::learning(self.store, config, ports.clock_port())?;
        let ports = ports.decider_by_default(learning.clone()).signals_by_default(learning.clone());
        let facade = ports.limits(self.limits).build(journal.clone())?;
        application::install(&facade, &learning).await?; // First, so that it stops last.
        infrastructure.install(&facade).await?;
        capabilities::install(&facade, self.capabilities)?;
        consort_domain::install(&facade, journal.clone()).await?;
        for register in self.own {
            register(facade.clone()).await?;
        }
        let resumed = facade.start(!self.stay).await?; // From here on things run.
        crate::learning::tell_again(&*journal, &learning).await?;
        Ok(Consort { facade, journal, learning, resumed, grace })
    }
}

async fn open(store: Option<PathBuf>) -> Result<Arc<dyn Journal>, StepError> {
    let Some(path) = store else { return Ok(Arc::new(MemoryJournal::new())) };
    let opening = move || SqliteJournal::open(path, sqlite::Options::default());
    match tokio::task::spawn_blocking(opening).await {
        Ok(journal) => Ok(Arc::new(journal?)),
        Err(error) => {
            Err(StepError::new(Category::Internal, "the store could not be opened").because(&error))
        }
    }
}

impl Consort {
    /// Settings for a new engine.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Registers, discovers and runs orchestrators.
    pub fn facade(&self) -> &Facade {
        &self.facade
    }

    /// What decides, and learns from outcomes.
    pub fn learning(&self) -> &Learning {
        &self.learning
    }

    /// Unfinished runs that were taken up at start.
    pub fn resumed(&self) -> usize {
        self.resumed
    }

    /// The run that a tenant started with this idempotency key, ended or not.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn find_run(
        &self,
        tenant: &TenantId,
        orchestrator: &Name,
        key: &IdempotencyKey,
    ) -> Result<Option<RunId>, StepError> {
        Ok(self.journal.find(tenant, orchestrator, key).await?)
    }

    /// Lets open runs end under the grace period, suspends the rest, and stops.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn close(&self) -> Result<Closed, StepError> {
        self.facade.close(self.grace).await
    }

    /// Suspends open runs at once, and stops. They go on at the next start of this store.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn suspend(&self) -> Result<Closed, StepError> {
        self.facade.close(Duration::ZERO).await
    }

    /// Makes this engine the process-wide one.
    ///
    /// # Errors
    ///
    /// `conflict` when there is one already.
    pub fn make_global(&self) -> Result<(), StepError> {
        GLOBAL.set(self.clone()).map_err(|_| {
            StepError::new(Category::Conflict, "there is a process-wide engine already")
        })
    }
}

static GLOBAL: OnceLock<Consort> = OnceLock::new();

/// The process-wide engine, for those who want one; nothing inside depends on it. `None` until
/// [`Consort::make_global`] was called.
pub fn global() -> Option<&'static Consort> {
    GLOBAL.get()
}
