//! The facade: registers, discovers and runs orchestrators, and owns their lifecycle.

mod builder;
mod inbox;
mod runs;

use std::{
    any::TypeId,
    sync::{Arc, PoisonError, Weak, atomic::Ordering},
    time::Duration,
};

pub use builder::FacadeBuilder;
pub use runs::RunReport;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    Capability, CapabilityDescriptor, Category, Context, Descriptor, Durability, Layer, Name,
    Orchestrator, Request, StepError, StepResult, TaskScope, TenantId, Version,
    call::Options,
    dispatch,
    engine::{self, RunHandle},
    events::EventStream,
    guard::GuardInfo,
    registry::{Entry, Leaf, Open, Registry, Schemas},
    run::{Host, Run},
};

/// One handle to a running engine; cheap to clone.
#[derive(Clone, Debug)]
pub struct Facade(Arc<Host>);

/// A facade for those who live inside it and must not keep it alive.
#[derive(Clone, Debug)]
pub struct WeakFacade(Weak<Host>);

impl WeakFacade {
    /// The facade, unless it is gone.
    pub fn upgrade(&self) -> Option<Facade> {
        self.0.upgrade().map(Facade)
    }
}

/// Everything that is known about a callee.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Description {
    /// An orchestrator.
    Orchestrator {
        /// Who it is.
        #[serde(flatten)]
        descriptor: Descriptor,
        /// JSON Schema of its request.
        request: Value,
        /// JSON Schema of its response.
        response: Value,
        /// Guards around its runs, outermost first.
        guards: Vec<GuardInfo>,
    },
    /// A capability.
    Capability {
        /// Who it is.
        #[serde(flatten)]
        descriptor: CapabilityDescriptor,
        /// JSON Schema of its request.
        request: Value,
        /// JSON Schema of its response.
        response: Value,
        /// Guards around calls to it, outermost first.
        guards: Vec<GuardInfo>,
    },
}

/// What was left when a facade closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Closed {
    /// Durable runs that were cut loose; they go on at the next start.
    pub suspended: usize,
    /// Background tasks that had to be aborted.
    pub aborted: usize,
}

impl Facade {
    /// Settings and ports for a new facade.
    pub fn builder() -> FacadeBuilder {
        FacadeBuilder::default()
    }

    /// A handle that does not keep the facade alive.
    pub fn downgrade(&self) -> WeakFacade {
        WeakFacade(Arc::downgrade(&self.0))
    }

    pub(crate) fn host(&self) -> &Arc<Host> {
        &self.0
    }

    // ===== registration =====

    /// Adds an orchestrator. Several versions of a name may live side by side; new runs take the
    /// highest. On a started facade it is started first, and unfinished runs that waited for this
    /// version go on.
    ///
    /// # Errors
    ///
    /// `conflict` when that name and version, or a capability of that name, is registered;
    /// `configuration` when the request type has no usable schema; what `start` returns.
    pub async fn register<O: Orchestrator>(&self, orchestrator: O) -> Result<(), StepError> {
        let entry = self.entry(orchestrator)?;
        if self.0.started.load(Ordering::SeqCst) {
            self.start_entry(&entry).await?;
        }
        if let Err(error) = self.change(|registry| registry.insert(entry.clone())) {
            self.stop_entry(&entry).await;
            return Err(error);
        }
        // `start` of the facade may have come between the two.
        let Descriptor { name, version, .. } = &entry.descriptor;
        engine::unblock(&self.0, name, version);
        Ok(())
    }

    fn entry<O: Orchestrator>(&self, orchestrator: O) -> Result<Arc<Entry>, StepError> {
        let descriptor = orchestrator.descriptor();
        let known = self.0.registry.load();
        if known.version(&descriptor.name, &descriptor.version).is_some() {
            // Found again under the lock; asked here so that nothing is started in vain.
            return Err(conflict(&descriptor));
        }
        let mut context = Context::default();
        Arc::make_mut(&mut context.0).run =
            Some(Run::outside(&self.0, Some(descriptor.layer), Some(&descriptor.name)));
        let tasks = TaskScope::new(descriptor.name.as_str(), self.0.events.clone(), Some(context));
        Ok(Arc::new(Entry {
            descriptor,
            twin: Arc::new(orchestrator),
            request_type: TypeId::of::<O::Request>(),
            schemas: Schemas::new::<O::Request>()?,
            tasks,
            evict: CancellationToken::new(),
            open: Open::default(),
            order: self.0.orders.fetch_add(1, Ordering::SeqCst),
        }))
    }

    /// Adds a capability.
    ///
    /// # Errors
    ///
    /// `conflict` when the name is taken; `configuration` when the request type has no usable
    /// schema, or for `recompute` on anything but a `pure` capability.
    pub fn register_capability<C: Capability>(&self, capability: C) -> Result<(), StepError> {
        let descriptor = capability.descriptor();
        if descriptor.recompute && descriptor.effect != crate::Effect::Pure {
            let message = format!("`{}` is `recompute` but not `pure`", descriptor.name);
            return Err(StepError::new(Category::Configuration, message));
        }
        let schemas = Schemas::new::<C::Request>()?;
        let request_type = TypeId::of::<C::Request>();
        let leaf = Arc::new(Leaf { descriptor, twin: Arc::new(capability), request_type, schemas });
        self.change(|registry| registry.insert_leaf(leaf))
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&mut Registry) -> Result<T, StepError>,
    ) -> Result<T, StepError> {
        let _one_at_a_time = self.0.registering.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Registry::clone(&self.0.registry.load());
        let result = change(&mut next)?;
        self.0.registry.store(Arc::new(next));
        Ok(result)
    }

    async fn start_entry(&self, entry: &Arc<Entry>) -> Result<(), StepError> {
        dispatch::contain(entry.twin.start(&entry.tasks))
            .await
            .map_err(|error| error.within(&entry.descriptor.name).during("start"))
    }

    async fn stop_entry(&self, entry: &Entry) -> usize {
        let aborted = entry.tasks.end(self.0.limits.grace).await;
        let stop = dispatch::contain(async {
            entry.twin.stop().await;
            Ok(())
        });
        if tokio::time::timeout(self.0.limits.grace, stop).await.is_err() {
            tracing::warn!(target: "consort", orchestrator = %entry.descriptor.name, "`stop` took longer than the grace period");
        }
        aborted
    }

    /// Removes one version of an orchestrator: takes no new runs, waits for open ones up to the
    /// grace period, cancels the rest, then stops it. Runs that wait outside memory are listed as
    /// blocked until the version comes back.
    ///
    /// # Errors
    ///
    /// `not_found` when it is not registered; those of the store, after it was removed.
    pub async fn unregister(&self, name: &Name, version: &Version) -> Result<(), StepError> {
        let entry = self.change(|registry| registry.remove(name, version))?;
        entry.open.close();
        let grace = self.0.limits.grace;
        if tokio::time::timeout(grace, entry.open.drained()).await.is_err() {
            entry.evict.cancel();
            // Every run sees the cancellation and has `cleanup` left, which is bounded as well.
            let last = self.0.limits.cleanup + grace;
            if tokio::time::timeout(last, entry.open.drained()).await.is_err() {
                tracing::warn!(target: "consort", orchestrator = %name, "runs are still open after eviction");
            }
        }
        self.stop_entry(&entry).await;
        if entry.descriptor.durability == Durability::Durable {
            engine::block_all(&self.0, name, version).await?;
        }
        Ok(())
    }

    /// Removes a capability. Steps in progress end as they would.
    ///
    /// # Errors
    ///
    /// `not_found` when it is not registered.
    pub fn unregister_capability(&self, name: &Name) -> Result<(), StepError> {
        self.change(|registry| {
            registry.remove_leaf(name).map(drop).ok_or_else(|| registry.not_found(name, true))
        })
    }

    // ===== discovery: snapshots that change nothing =====

    /// The highest registered version of an orchestrator.
    pub fn get(&self, name: &Name) -> Option<Descriptor> {
        self.0.registry.load().newest(name).map(|entry| entry.descriptor.clone())
    }

    /// All orchestrators: by layer from the top, then by name and version.
    pub fn list(&self) -> Vec<Descriptor> {
        descriptors(self.0.registry.load().entries())
    }

    /// The orchestrators of one layer.
    pub fn by_layer(&self, layer: Layer) -> Vec<Descriptor> {
        descriptors(self.0.registry.load().by_layer(layer))
    }

    /// All capabilities, by name.
    pub fn capabilities(&self) -> Vec<CapabilityDescriptor> {
        self.0.registry.load().leaves().iter().map(|leaf| leaf.descriptor.clone()).collect()
    }

    /// Identity, schemas and guards of an orchestrator or capability.
    ///
    /// # Errors
    ///
    /// `not_found` with the nearest names.
    pub fn describe(&self, name: &Name) -> Result<Description, StepError> {
        use crate::registry::Callee;
        Ok(match self.0.registry.load().resolve(name)? {
            Callee::Orchestrator(entry) => Description::Orchestrator {
                descriptor: entry.descriptor.clone(),
                request: entry.schemas.request.clone(),
                response: entry.schemas.response.clone(),
                guards: self.run_guards(),
            },
            Callee::Capability(leaf) => Description::Capability {
                descriptor: leaf.descriptor.clone(),
                request: leaf.schemas.request.clone(),
                response: leaf.schemas.response.clone(),
                guards: self.0.step_guards.describe(name, leaf.descriptor.effect),
            },
        })
    }

    /// The guards around every run, outermost first.
    pub fn run_guards(&self) -> Vec<GuardInfo> {
        let limits = &self.0.limits;
        let own = self.0.run_guards.iter().map(|g| GuardInfo::new(g.name(), "configured"));
        let fixed = [
            GuardInfo::new("direction", "calls go down or sideways"),
            GuardInfo::new("depth", format!("{} calls deep", limits.depth)),
        ];
        let rest = [
            GuardInfo::new("dedupe", "by idempotency key, durable runs only"),
            GuardInfo::new(
                "admit",
                format!("{} root runs at once, tenant limits, budget", limits.concurrency),
            ),
            GuardInfo::new("deadline", "the caller's, inherited by everything below"),
        ];
        fixed.into_iter().chain(own).chain(rest).collect()
    }

    /// Events from now on.
    pub fn events(&self) -> EventStream {
        self.0.events.subscribe()
    }

    // ===== calls =====

    /// A context for calls by `tenant` from outside any run.
    pub fn context(&self, tenant: TenantId) -> Context {
        self.attach(Context::new(tenant))
    }

    /// Calls an orchestrator or capability by name with JSON, checked against its schema, and
    /// waits for its outcome.
    ///
    /// # Errors
    ///
    /// `not_found` with the nearest names; `invalid_request` naming each offending field;
    /// `upward_call`, `depth_exceeded` and the refusals of admission before anything runs;
    /// `timeout` and `cancelled`; the callee's own failure with its cause.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels an ephemeral run and detaches from a durable one.
    pub async fn orchestrate(&self, name: &str, cx: Context, request: Value) -> StepResult<Value> {
        let name = parse_name(name)?;
        dispatch::json(self.host_of(&cx).clone(), cx, name, request, Options::default()).await
    }

    /// Calls whoever answers a typed request. No JSON between a Rust caller and an ephemeral
    /// orchestrator.
    ///
    /// # Errors
    ///
    /// Those of [`orchestrate`](Self::orchestrate).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels an ephemeral run and detaches from a durable one.
    pub async fn call<R: Request>(&self, cx: Context, request: R) -> StepResult<R::Response> {
        let host = self.host_of(&cx);
        let found = host.registry.load().find(R::CALLEE);
        let callee = match found {
            Some(callee) => callee,
            None => host.registry.load().resolve(&parse_name(R::CALLEE)?)?,
        };
        dispatch::typed(host, &cx, callee, request, Options::default()).await
    }

    /// Starts a durable run and returns without waiting for its end.
    ///
    /// # Errors
    ///
    /// Those of [`orchestrate`](Self::orchestrate) that come before the run; `invalid_request` for
    /// an ephemeral orchestrator, which cannot be detached.
    pub async fn start_run(
        &self,
        name: &str,
        cx: Context,
        request: Value,
    ) -> Result<RunHandle, StepError> {
        let name = parse_name(name)?;
        let (cx, host) = (self.attach(cx), &self.0);
        let entry = self.durable(&name)?;
        entry.schemas.check(&request).map_err(|error| error.within(&name))?;
        let handle = engine::start_root(host, &cx, &entry, request, Options::default()).await?;
        Ok(RunHandle::new(handle))
    }

    fn durable(&self, name: &Name) -> Result<Arc<Entry>, StepError> {
        let registry = self.0.registry.load();
        let entry = registry.newest(name).ok_or_else(|| registry.not_found(name, false))?;
        if entry.descriptor.durability == Durability::Ephemeral {
            let message = format!("`{name}` is ephemeral: its runs cannot be detached");
            return Err(StepError::new(Category::InvalidRequest, message));
        }
        Ok(entry.clone())
    }

    fn attach(&self, cx: Context) -> Context {
        if cx.0.run.is_some() {
            return cx;
        }
        let mut inner = Arc::unwrap_or_clone(cx.0);
        inner.run = Some(Run::outside(&self.0, None, None));
        Context(Arc::new(inner))
    }

    /// Who carries out a call from `cx`: the engine of its run, which may be another one.
    fn host_of<'a>(&'a self, cx: &'a Context) -> &'a Arc<Host> {
        cx.0.run.as_ref().map_or(&self.0, |run| &run.host)
    }

    // ===== lifecycle =====

    /// Starts the registered orchestrators in order of registration, then resumes unfinished runs
    /// and listens to other processes. Returns how many runs were resumed.
    ///
    /// # Errors
    ///
    /// What `start` of an orchestrator returns, or the store; what had been started is stopped.
    pub async fn start(&self, resume: bool) -> Result<usize, StepError> {
        if self.0.started.swap(true, Ordering::SeqCst) {
            return Err(StepError::new(Category::Conflict, "the facade was started before"));
        }
        let mut entries = self.0.registry.load().entries();
        entries.sort_by_key(|entry| entry.order);
        for (index, entry) in entries.iter().enumerate() {
            if let Err(error) = self.start_entry(entry).await {
                for started in entries[..index].iter().rev() {
                    self.stop_entry(started).await;
                }
                return Err(error);
            }
        }
        self.0.tasks.spawn_once(engine::keep_time(self.0.clone()));
        let resumed = if resume { engine::resume_all(&self.0).await? } else { 0 };
        self.0.tasks.spawn_once(inbox::listen(self.clone()));
        Ok(resumed)
    }

    /// Stops: admits nothing new, lets open runs end under `grace`, suspends the durable ones that
    /// are left and ends the ephemeral ones, stops the orchestrators in reverse order of their
    /// start, and closes the store.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn close(&self, grace: Duration) -> Result<Closed, StepError> {
        self.0.closing.cancel();
        let mut entries = self.0.registry.load().entries();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.order));
        let drained = || async {
            for entry in &entries {
                entry.open.drained().await;
            }
        };
        // Runs that only wait for something outside will not end by waiting for them.
        let mut suspended = 0;
        if tokio::time::timeout(grace, drained()).await.is_err() {
            suspended = self.0.engine.in_memory();
        }
        engine::suspend(&self.0);
        let ephemeral = |entry: &&Arc<Entry>| entry.descriptor.durability == Durability::Ephemeral;
        entries.iter().filter(ephemeral).for_each(|entry| entry.evict.cancel());
        // Nobody may be at work any more when its orchestrator is stopped; `cleanup` is bounded.
        let last = self.0.limits.cleanup + self.0.limits.grace;
        if tokio::time::timeout(last, drained()).await.is_err() {
            tracing::warn!(target: "consort", "runs are still open after suspension");
        }
        let mut aborted = 0;
        for entry in &entries {
            aborted += self.stop_entry(entry).await;
        }
        aborted += self.0.tasks.end(self.0.limits.grace).await;
        self.0.journal.close().await?;
        Ok(Closed { suspended, aborted })
    }
}

fn descriptors(entries: Vec<Arc<Entry>>) -> Vec<Descriptor> {
    entries.iter().map(|entry| entry.descriptor.clone()).collect()
}

fn conflict(descriptor: &Descriptor) -> StepError {
    let message = format!("`{} {}` is registered already", descriptor.name, descriptor.version);
    StepError::new(Category::Conflict, message)
        .hint("use another name or version, or unregister the other one first")
}

fn parse_name(name: &str) -> Result<Name, StepError> {
    Name::new(name).map_err(|error| StepError::new(Category::NotFound, error.to_string()))
}
