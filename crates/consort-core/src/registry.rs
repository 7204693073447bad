//! Who can be called: a snapshot that readers take without a lock.

mod schemas;

use std::{
    any::TypeId,
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    CapabilityDescriptor, Category, Descriptor, Layer, Name, StepError, TaskScope, Version,
    orchestrator::{DynCapability, DynOrchestrator},
};

pub(crate) use schemas::Schemas;

/// A registered orchestrator.
pub(crate) struct Entry {
    pub(crate) descriptor: Descriptor,
    pub(crate) twin: Arc<dyn DynOrchestrator>,
    pub(crate) request_type: TypeId,
    pub(crate) schemas: Schemas,
    pub(crate) tasks: TaskScope,
    /// Cancelled when open runs must end because of an `unregister`.
    pub(crate) evict: CancellationToken,
    pub(crate) open: Open,
    /// The order in which entries were started; they are stopped in reverse.
    pub(crate) order: u64,
}

/// A registered capability.
pub(crate) struct Leaf {
    pub(crate) descriptor: CapabilityDescriptor,
    pub(crate) twin: Arc<dyn DynCapability>,
    pub(crate) request_type: TypeId,
    pub(crate) schemas: Schemas,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("descriptor", &self.descriptor).finish_non_exhaustive()
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaf").field("descriptor", &self.descriptor).finish_non_exhaustive()
    }
}

/// Counts open runs of an entry, refuses new ones, and tells when none is left.
#[derive(Debug, Default)]
pub(crate) struct Open {
    runs: AtomicUsize,
    closed: AtomicBool,
    /// How many wait for `none_left`; telling nobody costs a lock.
    waiting: AtomicUsize,
    none_left: Notify,
}

/// One open run. Dropped when it ends.
#[derive(Debug)]
pub(crate) struct OpenRun(Arc<Entry>);

impl OpenRun {
    /// `None` when the entry takes no new runs.
    pub(crate) fn enter(entry: &Arc<Entry>) -> Option<Self> {
        // Counted first, so that whoever closes the entry afterwards waits for this run.
        entry.open.runs.fetch_add(1, Ordering::SeqCst);
        let run = Self(entry.clone());
        (!entry.open.closed.load(Ordering::SeqCst)).then_some(run)
    }

    /// One more, for something that goes on after the run.
    pub(crate) fn again(&self) -> Self {
        self.0.open.runs.fetch_add(1, Ordering::SeqCst);
        Self(self.0.clone())
    }
}

impl Drop for OpenRun {
    fn drop(&mut self) {
        let open = &self.0.open;
        if open.runs.fetch_sub(1, Ordering::SeqCst) == 1 && open.waiting.load(Ordering::SeqCst) > 0
        {
            open.none_left.notify_waiters();
        }
    }
}

impl Open {
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Resolves when no run is open.
    pub(crate) async fn drained(&self) {
        // Counted before it looks, so that the last run to end sees it.
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let _waits = Waits(&self.waiting);
        loop {
            let left = self.none_left.notified();
            if self.runs.load(Ordering::SeqCst) == 0 {
                return;
            }
            left.await;
        }
    }
}

struct Waits<'a>(&'a AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Everything that is registered, at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registry {
    orchestrators: HashMap<Name, BTreeMap<Version, Arc<Entry>>>,
    capabilities: HashMap<Name, Arc<Leaf>>,
}

/// Whoever answers to a name.
#[derive(Clone, Debug)]
pub(crate) enum Callee {
    Orchestrator(Arc<Entry>),
    Capability(Arc<Leaf>),
}

impl Callee {
    pub(crate) fn schemas(&self) -> &Schemas {
        match self {
            Self::Orchestrator(entry) => &entry.schemas,
            Self::Capability(leaf) => &leaf.schemas,
        }
    }

    pub(crate) fn name(&self) -> &Name {
        match self {
            Self::Orchestrator(entry) => &entry.descriptor.name,
            Self::Capability(leaf) => &leaf.descriptor.name,
        }
    }

    /// True when it answers requests of this very type.
    pub(crate) fn takes<R: crate::Request>(&self) -> bool {
        self.request_type() == TypeId::of::<R>()
    }

    /// The Rust type that it takes.
    pub(crate) fn request_type(&self) -> TypeId {
        match self {
            Self::Orchestrator(entry) => entry.request_type,
            Self::Capability(leaf) => leaf.request_type,
        }
    }
}

impl Registry {
    /// The highest version of an orchestrator, or a capability.
    pub(crate) fn resolve(&self, name: &Name) -> Result<Callee, StepError> {
        self.find(name.as_str()).ok_or_else(|| self.not_found(name, true))
    }

    /// Like [`resolve`](Self::resolve) for a text that may be no name.
    pub(crate) fn find(&self, name: &str) -> Option<Callee> {
        if let Some(versions) = self.orchestrators.get(name) {
            return versions.values().next_back().cloned().map(Callee::Orchestrator);
        }
        self.capabilities.get(name).cloned().map(Callee::Capability)
    }

    pub(crate) fn newest(&self, name: &Name) -> Option<&Arc<Entry>> {
        self.orchestrators.get(name)?.values().next_back()
    }

    pub(crate) fn version(&self, name: &Name, version: &Version) -> Option<&Arc<Entry>> {
        self.orchestrators.get(name)?.get(version)
    }

    pub(crate) fn capability(&self, name: &Name) -> Option<&Arc<Leaf>> {
        self.capabilities.get(name)
    }

    /// All orchestrators, by layer from the top, then by name and version.
    pub(crate) fn entries(&self) -> Vec<Arc<Entry>> {
        let mut all: Vec<_> =
            self.orchestrators.values().flat_map(|v| v.values().cloned()).collect();
        all.sort_by(|a, b| {
            let key =
                |e: &Entry| (std::cmp::Reverse(e.descriptor.layer), e.descriptor.name.clone());
            key(a).cmp(&key(b)).then_with(|| a.descriptor.version.cmp(&b.descriptor.version))
        });
        all
    }

    pub(crate) fn by_layer(&self, layer: Layer) -> Vec<Arc<Entry>> {
        self.entries().into_iter().filter(|entry| entry.descriptor.layer == layer).collect()
    }

    pub(crate) fn leaves(&self) -> Vec<Arc<Leaf>> {
        let mut all: Vec<_> = self.capabilities.values().cloned().collect();
        all.sort_by(|a, b| a.descriptor.name.cmp(&b.descriptor.name));
        all
    }

    pub(crate) fn insert(&mut self, entry: Arc<Entry>) -> Result<(), StepError> {
        let Descriptor { name, version, .. } = &entry.descriptor;
        if self.capabilities.contains_key(name) {
            return Err(taken(format!("a capability called `{name}` is registered")));
        }
        let versions = self.orchestrators.entry(name.clone()).or_default();
        if versions.contains_key(version) {
            return Err(taken(format!("`{name} {version}` is registered already")));
        }
        versions.insert(version.clone(), entry);
        Ok(())
    }

    pub(crate) fn insert_leaf(&mut self, leaf: Arc<Leaf>) -> Result<(), StepError> {
        let name = &leaf.descriptor.name;
        if self.orchestrators.contains_key(name) || self.capabilities.contains_key(name) {
            return Err(taken(format!("`{name}` is registered already")));
        }
        self.capabilities.insert(name.clone(), leaf);
        Ok(())
    }

    pub(crate) fn remove(
        &mut self,
        name: &Name,
        version: &Version,
    ) -> Result<Arc<Entry>, StepError> {
        let versions = self.orchestrators.get_mut(name);
        let Some(entry) = versions.and_then(|versions| versions.remove(version)) else {
            return Err(self.no_version(name, version));
        };
        self.orchestrators.retain(|_, versions| !versions.is_empty());
        Ok(entry)
    }

    pub(crate) fn remove_leaf(&mut self, name: &Name) -> Option<Arc<Leaf>> {
        self.capabilities.remove(name)
    }

    /// The error about a version that is not there, which names those that are.
    pub(crate) fn no_version(&self, name: &Name, version: &Version) -> StepError {
        let Some(known) = self.orchestrators.get(name) else { return self.not_found(name, false) };
        let known: Vec<_> = known.keys().map(ToString::to_string).collect();
        StepError::new(Category::NotFound, format!("`{name} {version}` is not registered"))
            .hint(format!("registered versions of `{name}`: {}", known.join(", ")))
    }

    pub(crate) fn not_found(&self, name: &Name, leaves: bool) -> StepError {
        let mut near: Vec<(usize, &Name)> = self
            .orchestrators
            .keys()
            .chain(self.capabilities.keys().filter(|_| leaves))
            .map(|known| (strsim::damerau_levenshtein(known.as_str(), name.as_str()), known))
            .filter(|(distance, known)| *distance <= 1 + known.as_str().len() / 3)
            .collect();
        near.sort();
        let error = StepError::new(Category::NotFound, format!("nothing is called `{name}`"));
        match near.as_slice() {
            [] => error,
            near => {
                let names: Vec<_> = near.iter().take(3).map(|(_, n)| format!("`{n}`")).collect();
                error.hint(format!("did you mean {}?", names.join(" or ")))
            }
        }
    }
}

fn taken(message: String) -> StepError {
    StepError::new(Category::Conflict, message)
        .hint("use another name or version, or unregister the other one first")
}
