//! Registry: one pipeline per callee, made when first asked for, in bounded memory.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Instant;

use crate::pipeline::{Env, Limits, Pipeline};
use crate::sync::{Mutex, lock};

/// No room for a further callee: every known one is in use or has something to remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all {capacity} callees are in use or must be remembered")]
pub struct Full {
    /// Callees there is room for.
    pub capacity: usize,
}

const SHARDS: usize = 64;

/// The pipelines of all callees.
///
/// A look-up takes the lock of one shard of 64 for the time of one map access; whoever calls one
/// callee often keeps the handle and takes none.
///
/// When there is no room, the callee used longest ago *that has nothing to remember* is forgotten:
/// no call under way, breaker closed without a failure in its window, rate limit full. Made anew it
/// behaves the same; lost are successes, savings for retries, latencies, and what `reconfigure` gave
/// it alone: limits that shall last are for `make` to know. An open or isolated breaker is never
/// forgotten; when all have something to remember, the newcomer is refused.
pub struct Registry {
    shards: Vec<Mutex<Shard>>,
    make: Box<dyn Fn(&str) -> Limits + Send + Sync>,
    env: Env,
    hasher: RandomState,
    capacity: usize,
}

#[derive(Default)]
struct Shard {
    callees: HashMap<Arc<str>, Known>,
    /// No sweep before this moment can find more than the last one did, or not much more.
    next_sweep: Option<Instant>,
}

struct Known {
    pipeline: Pipeline,
    used: Instant,
}

impl Registry {
    /// Room for `capacity` callees, at least 64 and rounded up to a multiple of it; `make` says
    /// what limits a callee of that name gets. It runs under a lock, so it must not ask the
    /// registry, nor wait for whoever does.
    pub fn new(
        capacity: usize,
        make: impl Fn(&str) -> Limits + Send + Sync + 'static,
        env: Env,
    ) -> Self {
        Registry {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            make: Box::new(make),
            env,
            hasher: RandomState::new(),
            capacity: capacity.div_ceil(SHARDS).max(1).saturating_mul(SHARDS),
        }
    }

    /// The pipeline of `callee`.
    ///
    /// # Errors
    ///
    /// [`Full`] for a new callee when none can be forgotten.
    pub fn get(&self, callee: &str) -> Result<Pipeline, Full> {
        let now = self.env.clock.now();
        let mut shard = lock(self.shard(callee));
        if let Some(known) = shard.callees.get_mut(callee) {
            known.used = now;
            return Ok(known.pipeline.clone());
        }
        let room = self.capacity / SHARDS;
        if shard.callees.len() >= room {
            shard.sweep(room - room / 8, now);
        }
        if shard.callees.len() >= room {
            return Err(Full { capacity: self.capacity });
        }
        let pipeline = Pipeline::with_env(callee, (self.make)(callee), self.env.clone());
        let known = Known { pipeline: pipeline.clone(), used: now };
        shard.callees.insert(callee.into(), known);
        Ok(pipeline)
    }

    /// The pipeline of `callee`, if there is one.
    pub fn find(&self, callee: &str) -> Option<Pipeline> {
        lock(self.shard(callee)).callees.get(callee).map(|known| known.pipeline.clone())
    }

    /// The callees known at the moment, by name.
    pub fn list(&self) -> Vec<Pipeline> {
        let of = |shard: &Mutex<Shard>| -> Vec<Pipeline> {
            lock(shard).callees.values().map(|known| known.pipeline.clone()).collect()
        };
        let mut all: Vec<Pipeline> = self.shards.iter().flat_map(of).collect();
        all.sort_by(|a, b| a.callee().cmp(b.callee()));
        all
    }

    /// How many callees are known.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).callees.len()).sum()
    }

    /// True when no callee is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, callee: &str) -> &Mutex<Shard> {
        &self.shards[self.hasher.hash_one(callee) as usize % SHARDS]
    }
}

impl Shard {
    /// Forgets callees that have nothing to remember, the longest unused first, down to `keep`.
    fn sweep(&mut self, keep: usize, now: Instant) {
        if self.next_sweep.is_some_and(|at| now < at) {
            return;
        }
        let mut idle: Vec<(Instant, Arc<str>)> = self
            .callees
            .iter()
            .filter(|(_, known)| known.pipeline.is_fresh(now))
            .map(|(name, known)| (known.used, name.clone()))
            .collect();
        idle.sort_unstable();
        let surplus = (self.callees.len() + 1).saturating_sub(keep.max(1));
        for (_, name) in idle.iter().take(surplus) {
            self.callees.remove(name);
        }
        // When nothing could be forgotten, asking again at once would only cost time.
        self.next_sweep = idle.is_empty().then(|| now + std::time::Duration::from_millis(100));
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}
