//! One bucket per key, in bounded memory: a full bucket is forgotten, because a new one is the same.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::time::{Duration, Instant};

use hashbrown::HashTable;

use super::bucket::{Bucket, Quota, Take};
use super::{Limits, Refused};
use crate::clock::nanos_since;
use crate::sync::{AtomicU32, AtomicU64, Mutex, Ordering, lock};

const SHARDS: usize = 16;

/// A rate limit for each key, all with the same limits.
pub struct Keyed<K> {
    shards: Vec<Mutex<Shard<K>>>,
    interval: AtomicU64,
    burst: AtomicU32,
    hasher: RandomState,
    keys_per_shard: usize,
    epoch: Instant,
}

struct Shard<K> {
    /// A table rather than a map: the hash that found the shard serves here too.
    buckets: HashTable<(K, Bucket)>,
    /// Not before this moment can a sweep find more than the last one did.
    next_sweep: u64,
}

impl<K: Hash + Eq + Clone> Keyed<K> {
    /// Room for about `keys` keys whose buckets are not full (at least 16); rounded up.
    pub fn new(limits: &Limits, keys: usize, now: Instant) -> Self {
        let shard = || Mutex::new(Shard { buckets: HashTable::new(), next_sweep: 0 });
        Keyed {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            interval: AtomicU64::new(limits.quota().interval),
            burst: AtomicU32::new(limits.quota().burst),
            hasher: RandomState::new(),
            keys_per_shard: keys.div_ceil(SHARDS).max(1),
            epoch: now,
        }
    }

    /// Takes `tokens` from the bucket of `key`.
    ///
    /// # Errors
    ///
    /// [`Refused`] when they are not there, and for a new key while the memory is full of keys
    /// that are still paying back: forgetting one of those would give it a full bucket.
    pub fn take(&self, key: &K, tokens: u32, now: Instant) -> Result<(), Refused> {
        let quota = Quota {
            interval: self.interval.load(Ordering::Relaxed),
            burst: self.burst.load(Ordering::Relaxed),
        };
        let since = nanos_since(self.epoch, now);
        let hash = self.hasher.hash_one(key);
        // The upper bits: the table inside uses the lower ones.
        let mut shard = lock(&self.shards[(hash >> 32) as usize % SHARDS]);
        if let Some((_, bucket)) = shard.buckets.find(hash, |(known, _)| known == key) {
            return told(bucket.take(quota, tokens, since, 0));
        }
        if shard.buckets.len() >= self.keys_per_shard && since >= shard.next_sweep {
            shard.buckets.retain(|(_, bucket)| !bucket.is_full(since));
            shard.next_sweep = since.saturating_add(quota.interval);
        }
        if shard.buckets.len() >= self.keys_per_shard {
            return Err(Refused { retry_after: Some(Duration::from_nanos(quota.interval)) });
        }
        let bucket = Bucket::new();
        let taken = told(bucket.take(quota, tokens, since, 0));
        if taken.is_ok() {
            let rehash = |(key, _): &(K, Bucket)| self.hasher.hash_one(key);
            shard.buckets.insert_unique(hash, (key.clone(), bucket), rehash);
        }
        taken
    }

    /// Keys remembered at the moment.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).buckets.len()).sum()
    }

    /// True when no key is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes new limits for all keys; what is missing in a bucket stays missing.
    pub fn reconfigure(&self, limits: &Limits) {
        self.interval.store(limits.quota().interval, Ordering::Relaxed);
        self.burst.store(limits.quota().burst, Ordering::Relaxed);
    }
}

fn told(take: Take) -> Result<(), Refused> {
    match take {
        Take::Granted { .. } => Ok(()),
        Take::Refused { retry_after } => Err(Refused::from_nanos(retry_after)),
        Take::Never => Err(Refused { retry_after: None }),
    }
}

impl<K> fmt::Debug for Keyed<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed")
            .field("keys_per_shard", &self.keys_per_shard)
            .finish_non_exhaustive()
    }
}
