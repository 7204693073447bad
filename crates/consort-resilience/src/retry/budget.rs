//! Retry budget: retries are a share of the traffic, so they cannot multiply an outage.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::clock::nanos_since;
use crate::config::{InvalidConfig, within};
use crate::rate::bucket::{Bucket, Quota, Take};
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// `[retry.budget]` as written in a file. Holds what the user said; checks nothing.
///
/// Over any stretch of time, retries never exceed
/// `burst + ratio × calls + min_per_second × (seconds + 1)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table of settings")]
pub struct Config {
    /// Retries each call adds to the budget. 0 to 10, default 0.2.
    pub ratio: f64,
    /// Retries allowed every second besides, for callees with little traffic. 0 to 10,000,
    /// default 1.
    pub min_per_second: u32,
    /// Retries that can be saved up; also what a new budget starts with. 1 to 100,000,
    /// default 10.
    pub burst: u32,
}

impl Default for Config {
    fn default() -> Self {
        Config { ratio: 0.2, min_per_second: 1, burst: 10 }
    }
}

/// The same settings, proven usable: by [`Config::validate`], or the defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits(Config);

impl Limits {
    /// The settings, for reading.
    pub fn config(&self) -> &Config {
        &self.0
    }
}

impl Config {
    /// Proves that every setting is in its range.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] names the first setting that is not.
    pub fn validate(self) -> Result<Limits, InvalidConfig> {
        within("retry.budget.ratio", self.ratio, 0.0..=10.0)?;
        within("retry.budget.min_per_second", self.min_per_second, 0..=10_000)?;
        within("retry.budget.burst", self.burst, 1..=100_000)?;
        Ok(Limits(self))
    }
}

/// Parts of one retry; the smallest step a ratio can have is a millionth.
const UNIT: u64 = 1_000_000;

/// A budget shared by all calls to one callee (after Finagle's `RetryBudget` and tower's).
#[derive(Debug)]
pub struct Budget {
    saved: AtomicU64,
    deposit: AtomicU64,
    ceiling: AtomicU64,
    reserve: Bucket,
    per_second: AtomicU32,
    epoch: Instant,
}

impl Budget {
    /// A budget with `burst` retries in it.
    pub fn new(limits: &Limits, now: Instant) -> Self {
        let ceiling = u64::from(limits.config().burst) * UNIT;
        Budget {
            saved: AtomicU64::new(ceiling),
            deposit: AtomicU64::new(deposit(limits)),
            ceiling: AtomicU64::new(ceiling),
            reserve: Bucket::new(),
            per_second: AtomicU32::new(limits.config().min_per_second),
            epoch: now,
        }
    }

    /// A call is made for the first time. While the budget is full this only reads.
    pub fn deposit(&self) {
        let (add, ceiling) =
            (self.deposit.load(Ordering::Relaxed), self.ceiling.load(Ordering::Relaxed));
        let grow = |saved: u64| (saved < ceiling).then(|| saved.saturating_add(add).min(ceiling));
        let _ = self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grow);
    }

    /// Takes one retry out of the budget; false when there is none.
    #[must_use]
    pub fn withdraw(&self, now: Instant) -> bool {
        let shrink = |saved: u64| saved.checked_sub(UNIT);
        if self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, shrink).is_ok() {
            return true;
        }
        let per_second = self.per_second.load(Ordering::Relaxed);
        if per_second == 0 {
            return false;
        }
        let quota = Quota::per(per_second, Duration::from_secs(1), per_second);
        let taken = self.reserve.take(quota, 1, nanos_since(self.epoch, now), 0);
        matches!(taken, Take::Granted { .. })
    }

    /// Whole retries saved up, the reserve not counted.
    pub fn balance(&self) -> u32 {
        u32::try_from(self.saved.load(Ordering::Relaxed) / UNIT).unwrap_or(u32::MAX)
    }

    /// Takes new limits; what is saved stays, up to the new burst.
    pub fn reconfigure(&self, limits: &Limits) {
        let ceiling = u64::from(limits.config().burst) * UNIT;
        self.deposit.store(deposit(limits), Ordering::Relaxed);
        self.ceiling.store(ceiling, Ordering::Relaxed);
        self.per_second.store(limits.config().min_per_second, Ordering::Relaxed);
        self.saved.fetch_min(ceiling, Ordering::Relaxed);
    }
}

fn deposit(limits: &Limits) -> u64 {
    (limits.config().ratio * UNIT as f64).round() as u64
}

#[cfg(test)]
mod explore;
