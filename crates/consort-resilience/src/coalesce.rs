//! Coalescing: callers who ask for the same thing at the same time share one call.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, Hash};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;

use futures_util::FutureExt;
use futures_util::future::Shared;

use crate::sync::{AtomicU64, Mutex, Ordering, lock};

/// The shared call panicked; every caller that shared it hears so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("shared call panicked")]
pub struct Panicked;

type Work<V> = Pin<Box<dyn Future<Output = Result<V, Panicked>> + Send>>;

const SHARDS: usize = 16;

/// Shares calls with equal keys while they are under way. Only for reads: each caller gets a
/// clone of one result. Nothing is kept once the call has ended; this is no cache.
///
/// The call belongs to all its callers. If the one that started it goes away the others carry it
/// on; when the last goes, it is dropped. What callers gave us is made, run and dropped without any
/// lock of ours, so it may itself ask for shared calls.
pub struct Coalesce<K, V> {
    shards: Vec<Mutex<HashMap<K, Flight<V>>>>,
    hasher: RandomState,
    next: AtomicU64,
}

struct Flight<V> {
    number: u64,
    /// Callers who have not left. The last takes the entry out.
    callers: usize,
    work: Shared<Work<V>>,
}

impl<V: Clone> Flight<V> {
    /// One that has ended is a past answer: whoever asks now wants a new one.
    fn join(&mut self) -> Option<(u64, Shared<Work<V>>)> {
        if self.work.peek().is_some() {
            return None;
        }
        self.callers += 1;
        Some((self.number, self.work.clone()))
    }
}

impl<K: Hash + Eq + Clone, V: Clone + Send + Sync + 'static> Coalesce<K, V> {
    /// Nothing under way.
    pub fn new() -> Self {
        Coalesce {
            shards: (0..SHARDS).map(|_| Mutex::new(HashMap::new())).collect(),
            hasher: RandomState::new(),
            next: AtomicU64::new(0),
        }
    }

    /// Joins the call for `key` that is under way, or starts `work` for everyone who asks until
    /// it ends. Callers bound their own wait: put a timeout around this, not into `work`.
    ///
    /// When two start at the same moment, the future that one of them made is dropped unpolled.
    ///
    /// # Errors
    ///
    /// [`Panicked`] when `work` did. A failure of `work` is part of `V`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the call to the others.
    pub async fn run<F>(&self, key: K, work: impl FnOnce() -> F) -> Result<V, Panicked>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let (number, shared) = self.join(&key, work);
        let _tidy = Tidy { coalesce: self, key, number };
        shared.await
    }

    /// Calls under way.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// True when no call is under way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn join<F>(&self, key: &K, work: impl FnOnce() -> F) -> (u64, Shared<Work<V>>)
    where
        F: Future<Output = V> + Send + 'static,
    {
        let under_way = lock(self.shard(key)).get_mut(key).and_then(Flight::join);
        if let Some(joined) = under_way {
            return joined;
        }
        let work = AssertUnwindSafe(work()).catch_unwind();
        let work: Work<V> = Box::pin(work.map(|result| result.map_err(|_| Panicked)));
        let mine = (self.next.fetch_add(1, Ordering::Relaxed), work.shared());
        let mut shard = lock(self.shard(key));
        // Somebody else may have been quicker.
        let joined = shard.get_mut(key).and_then(Flight::join);
        let ended = if joined.is_none() {
            let flight = Flight { number: mine.0, callers: 1, work: mine.1.clone() };
            shard.insert(key.clone(), flight)
        } else {
            None
        };
        drop(shard);
        drop(ended);
        joined.unwrap_or(mine)
    }

    fn shard(&self, key: &K) -> &Mutex<HashMap<K, Flight<V>>> {
        &self.shards[self.hasher.hash_one(key) as usize % SHARDS]
    }
}

impl<K: Hash + Eq + Clone, V: Clone + Send + Sync + 'static> Default for Coalesce<K, V> {
    fn default() -> Self {
        Coalesce::new()
    }
}

/// Takes the entry out when the call has ended or its last caller leaves.
struct Tidy<'a, K: Hash + Eq + Clone, V: Clone + Send + Sync + 'static> {
    coalesce: &'a Coalesce<K, V>,
    key: K,
    number: u64,
}

impl<K: Hash + Eq + Clone, V: Clone + Send + Sync + 'static> Drop for Tidy<'_, K, V> {
    fn drop(&mut self) {
        let mut shard = lock(self.coalesce.shard(&self.key));
        let Some(flight) = shard.get_mut(&self.key).filter(|there| there.number == self.number)
        else {
            return;
        };
        flight.callers -= 1;
        let over = flight.callers == 0 || flight.work.peek().is_some();
        let gone = if over { shard.remove_entry(&self.key) } else { None };
        drop(shard);
        drop(gone);
    }
}

impl<K, V> fmt::Debug for Coalesce<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coalesce").finish_non_exhaustive()
    }
}
