//! Rate limit: keeps to what a callee allows per second or minute, per key if need be.

pub(crate) mod bucket;
mod keyed;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub use keyed::Keyed;

use crate::clock::{Clock, after, nanos, nanos_since};
use crate::config::{InvalidConfig, human, within};
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use bucket::{Bucket, Quota, Take};

/// `[rate]` as written in a file. Holds what the user said; checks nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table of settings")]
pub struct Config {
    /// Tokens per period. 1 to 1,000,000,000, default 10.
    pub tokens: u32,
    /// The period. 1 ms to 24 h, default 1 s.
    #[serde(with = "human")]
    pub per: Duration,
    /// Tokens that can be saved up and spent at once. 1 to 1,000,000,000, default 10.
    pub burst: u32,
    /// How long a call may wait for its tokens; they are set aside for it meanwhile.
    /// 0 s (refuse at once) to 1 h, default 0 s.
    #[serde(with = "human")]
    pub max_wait: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Config { tokens: 10, per: Duration::from_secs(1), burst: 10, max_wait: Duration::ZERO }
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

    fn quota(&self) -> Quota {
        Quota::per(self.0.tokens, self.0.per, self.0.burst)
    }
}

impl Config {
    /// Proves that every setting is in its range.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] names the first setting that is not.
    pub fn validate(self) -> Result<Limits, InvalidConfig> {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        within("rate.tokens", self.tokens, 1..=1_000_000_000)?;
        within("rate.per", self.per, Duration::from_millis(1)..=DAY)?;
        within("rate.burst", self.burst, 1..=1_000_000_000)?;
        within("rate.max_wait", self.max_wait, Duration::ZERO..=Duration::from_secs(3600))?;
        Ok(Limits(self))
    }
}

/// Why a call got no tokens. Nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rate limit reached")]
pub struct Refused {
    /// When it may be granted; `None` when it asks for more than could ever be.
    pub retry_after: Option<Duration>,
}

impl Refused {
    fn from_nanos(retry_after: u64) -> Self {
        Refused { retry_after: Some(Duration::from_nanos(retry_after)) }
    }
}

/// A rate limit for one callee. Share it by reference or in an `Arc`.
#[derive(Debug)]
pub struct RateLimit {
    bucket: Bucket,
    interval: AtomicU64,
    burst: AtomicU32,
    max_wait: AtomicU64,
    epoch: Instant,
}

/// Tokens set aside. [`use_at`](Reserved::use_at) says from when on they may be used; dropped
/// before [`spend`](Reserved::spend), they go back.
#[derive(Debug)]
#[must_use = "dropped unspent, the tokens go back"]
pub struct Reserved<'a> {
    limit: &'a RateLimit,
    quota: Quota,
    tokens: u32,
    use_at: Instant,
}

impl RateLimit {
    /// A limit with a full bucket.
    pub fn new(limits: &Limits, now: Instant) -> Self {
        let quota = limits.quota();
        RateLimit {
            bucket: Bucket::new(),
            interval: AtomicU64::new(quota.interval),
            burst: AtomicU32::new(quota.burst),
            max_wait: AtomicU64::new(nanos(limits.0.max_wait)),
            epoch: now,
        }
    }

    /// Takes `tokens` now.
    ///
    /// # Errors
    ///
    /// [`Refused`] when they are not there; waiting is not considered.
    pub fn take(&self, tokens: u32, now: Instant) -> Result<(), Refused> {
        match self.bucket.take(self.quota(), tokens, nanos_since(self.epoch, now), 0) {
            Take::Granted { .. } => Ok(()),
            Take::Refused { retry_after } => Err(Refused::from_nanos(retry_after)),
            Take::Never => Err(Refused { retry_after: None }),
        }
    }

    /// Sets `tokens` aside, if they will be there within the limit's own `max_wait` and
    /// `patience`.
    ///
    /// # Errors
    ///
    /// [`Refused`] when it would take longer.
    pub fn reserve(
        &self,
        tokens: u32,
        now: Instant,
        patience: Duration,
    ) -> Result<Reserved<'_>, Refused> {
        let (quota, since) = (self.quota(), nanos_since(self.epoch, now));
        let patience = nanos(patience).min(self.max_wait.load(Ordering::Relaxed));
        match self.bucket.take(quota, tokens, since, patience) {
            Take::Granted { wait } => {
                let use_at = after(now, Duration::from_nanos(wait));
                Ok(Reserved { limit: self, quota, tokens, use_at })
            }
            Take::Refused { retry_after } => Err(Refused::from_nanos(retry_after)),
            Take::Never => Err(Refused { retry_after: None }),
        }
    }

    /// Takes `tokens`, waiting for them as long as the limits allow.
    ///
    /// # Errors
    ///
    /// [`Refused`] at once when the wait would be too long.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future while it waits gives the tokens back.
    pub async fn acquire(&self, tokens: u32, clock: &dyn Clock) -> Result<(), Refused> {
        let now = clock.now();
        let reserved = self.reserve(tokens, now, Duration::MAX)?;
        if reserved.use_at() > now {
            clock.sleep_until(reserved.use_at()).await;
        }
        reserved.spend();
        Ok(())
    }

    /// Tokens there now.
    pub fn available(&self, now: Instant) -> u32 {
        self.bucket.available(self.quota(), nanos_since(self.epoch, now))
    }

    /// True when the bucket is full: forgetting it and making a new one would change nothing.
    pub fn is_fresh(&self, now: Instant) -> bool {
        self.bucket.is_full(nanos_since(self.epoch, now))
    }

    /// Takes new limits. What is missing in the bucket stays missing for as long as it would have.
    pub fn reconfigure(&self, limits: &Limits) {
        let quota = limits.quota();
        self.interval.store(quota.interval, Ordering::Relaxed);
        self.burst.store(quota.burst, Ordering::Relaxed);
        self.max_wait.store(nanos(limits.0.max_wait), Ordering::Relaxed);
    }

    fn quota(&self) -> Quota {
        Quota {
            interval: self.interval.load(Ordering::Relaxed),
            burst: self.burst.load(Ordering::Relaxed),
        }
    }
}

impl Reserved<'_> {
    /// From when on the tokens may be used; not in the future when they were there.
    pub fn use_at(&self) -> Instant {
        self.use_at
    }

    /// Uses the tokens: they will not go back.
    pub fn spend(mut self) {
        self.tokens = 0;
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if self.tokens > 0 {
            self.limit.bucket.refund(self.quota, self.tokens);
        }
    }
}
