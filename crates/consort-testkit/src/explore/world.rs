//! What is outside the process and survives it: the effects, and the witness who counts them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use consort_core::{Effect, RunId};
use serde_json::Value;

/// The world as one process sees it. It outlives the process; what a process that was stopped
/// still tries to do to it does not happen.
///
/// Give it to the capabilities under test in the place of the real thing: what they would do to
/// the world, they tell it.
#[derive(Clone, Debug)]
pub struct World {
    pub(super) outside: Arc<Outside>,
    pub(super) life: Arc<Life>,
}

/// One process-equivalent.
#[derive(Debug, Default)]
pub(super) struct Life {
    pub(super) number: u32,
    pub(super) stopped: AtomicBool,
}

/// What survives a process.
#[derive(Debug, Default)]
pub(super) struct Outside(Mutex<Observed>);

/// Everything that was seen from outside.
#[derive(Clone, Debug, Default)]
pub(super) struct Observed {
    /// How often each effect happened.
    pub(super) effects: BTreeMap<String, usize>,
    keys: BTreeSet<String>,
    /// Capabilities called, in order.
    pub(super) calls: Vec<Call>,
    /// Steps whose result is on disk, as `run/position`.
    pub(super) finished: BTreeSet<String>,
    /// How often `cleanup` ran to its end, by run.
    pub(super) cleanups: BTreeMap<RunId, usize>,
    /// What each commit wrote, in order.
    pub(super) commits: Vec<String>,
    /// Random numbers and decisions that are on disk.
    pub(super) drawn: u64,
}

/// One attempt at a capability.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) callee: String,
    pub(super) effect: Effect,
    pub(super) key: String,
    pub(super) request: Value,
    /// Once there is one.
    pub(super) answer: Option<Value>,
    /// The step's result was on disk already.
    pub(super) too_late: bool,
}

impl World {
    pub(super) fn new(outside: Arc<Outside>, number: u32) -> Self {
        Self { outside, life: Arc::new(Life { number, ..Life::default() }) }
    }

    /// Something happens, such as `charged order-7`.
    pub fn effect(&self, what: impl Into<String>) {
        self.see(|seen| *seen.effects.entry(what.into()).or_default() += 1);
    }

    /// Something happens unless it has happened under this key before, as in a service that
    /// honours idempotency keys. Returns whether it happened now.
    pub fn effect_once(&self, key: &str, what: impl Into<String>) -> bool {
        self.see(|seen| {
            let new = seen.keys.insert(key.to_owned());
            if new {
                *seen.effects.entry(what.into()).or_default() += 1;
            }
            new
        })
        .unwrap_or(false)
    }

    /// How often that has happened so far.
    pub fn count(&self, what: &str) -> usize {
        self.outside.lock().effects.get(what).copied().unwrap_or_default()
    }

    /// Which process this is: 1, and 2 after the restart.
    pub fn process(&self) -> u32 {
        self.life.number
    }

    /// Takes note of something, unless this process has been stopped.
    pub(super) fn see<T>(&self, note: impl FnOnce(&mut Observed) -> T) -> Option<T> {
        let mut seen = self.outside.lock();
        (!self.life.stopped.load(Ordering::SeqCst)).then(|| note(&mut seen))
    }
}

impl Outside {
    pub(super) fn lock(&self) -> MutexGuard<'_, Observed> {
        // A note is one insertion; a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
