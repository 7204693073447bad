//! The token bucket as one number: when the bucket would be full again.

use std::time::Duration;

use crate::clock::nanos;
use crate::sync::{AtomicU64, Ordering};

/// How fast a bucket fills and how much it holds, in whole nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quota {
    /// Time one token takes to grow back.
    pub(crate) interval: u64,
    /// Tokens in a full bucket.
    pub(crate) burst: u32,
}

impl Quota {
    /// `tokens` per `period`, up to `burst` at once.
    pub(crate) fn per(tokens: u32, period: Duration, burst: u32) -> Self {
        Quota { interval: (nanos(period) / u64::from(tokens.max(1))).max(1), burst }
    }

    fn cost(self, tokens: u32) -> u64 {
        self.interval.saturating_mul(u64::from(tokens))
    }
}

/// What a bucket says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    /// The tokens are taken and may be used after this many nanoseconds.
    Granted { wait: u64 },
    /// Nothing was taken; asking again after this many nanoseconds may work.
    Refused { retry_after: u64 },
    /// More tokens than the bucket can hold.
    Never,
}

/// GCRA: instead of counting tokens it keeps the moment at which all of them would be back (the
/// "theoretical arrival time" of ATM Forum TM 4.1, 1999). Nothing has to refill it.
#[derive(Debug)]
pub(crate) struct Bucket {
    full_at: AtomicU64,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn new() -> Self {
        Bucket { full_at: AtomicU64::new(0) }
    }

    /// Takes `tokens` if they are there or will be within `patience`.
    pub(crate) fn take(&self, quota: Quota, tokens: u32, now: u64, patience: u64) -> Take {
        // Waiting would not help: the bucket never holds that many.
        if tokens > quota.burst {
            return Take::Never;
        }
        let cost = quota.cost(tokens);
        let mut full_at = self.full_at.load(Ordering::Relaxed);
        loop {
            let (verdict, next) = step(full_at, quota, cost, now, patience);
            let Some(next) = next else { return verdict };
            // Relaxed is enough: the number is all there is, it guards no other memory.
            match self.full_at.compare_exchange_weak(
                full_at,
                next,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return verdict,
                Err(seen) => full_at = seen,
            }
        }
    }

    /// Gives back tokens that were granted with a wait and not used.
    pub(crate) fn refund(&self, quota: Quota, tokens: u32) {
        let cost = quota.cost(tokens);
        let back = |full_at: u64| Some(full_at.saturating_sub(cost));
        let _ = self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, back);
    }

    /// True when it is full, so that a new one would behave the same.
    pub(crate) fn is_full(&self, now: u64) -> bool {
        self.full_at.load(Ordering::Relaxed) <= now
    }

    /// Tokens there `now`.
    pub(crate) fn available(&self, quota: Quota, now: u64) -> u32 {
        let missing = self.full_at.load(Ordering::Relaxed).saturating_sub(now);
        let gone = missing.div_ceil(quota.interval);
        quota.burst.saturating_sub(u32::try_from(gone).unwrap_or(u32::MAX))
    }
}

/// The decision alone: what to say, and the next state unless refused.
fn step(full_at: u64, quota: Quota, cost: u64, now: u64, patience: u64) -> (Take, Option<u64>) {
    let next = full_at.max(now).saturating_add(cost);
    let wait = next.saturating_sub(quota.cost(quota.burst)).saturating_sub(now);
    if wait <= patience {
        (Take::Granted { wait }, Some(next))
    } else {
        (Take::Refused { retry_after: wait - patience }, None)
    }
}
