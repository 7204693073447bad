//! Bulkhead: bounds how many calls are under way and how many wait, in order of arrival.

mod gate;
mod line;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::{Clock, after};
use crate::config::{InvalidConfig, human, within};
use crate::error::Failure;
use crate::sync::{AtomicU64, Ordering};
use crate::timeout;
use gate::{Entry, Gate};

/// `[bulkhead]` as written in a file. Holds what the user said; checks nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table of settings")]
pub struct Config {
    /// Calls under way at the same time. 1 to 100,000, default 16.
    pub limit: u32,
    /// Calls that may wait for a slot. 0 to 100,000, default 64.
    pub queue: u32,
    /// How long one may wait. 0 s to 1 h, default 1 s.
    #[serde(with = "human")]
    pub max_wait: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Config { limit: 16, queue: 64, max_wait: Duration::from_secs(1) }
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
        within("bulkhead.limit", self.limit, 1..=100_000)?;
        within("bulkhead.queue", self.queue, 0..=100_000)?;
        within("bulkhead.max_wait", self.max_wait, Duration::ZERO..=Duration::from_secs(3600))?;
        Ok(Limits(self))
    }
}

/// Why a call got no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// All slots and all places in the queue are taken.
    #[error("all {limit} slots and the queue are taken")]
    Full {
        /// Calls that may be under way.
        limit: u32,
    },
    /// No slot came free in time.
    #[error("no slot came free in time")]
    WaitedTooLong,
}

/// A bulkhead for one callee. Share it by reference or in an `Arc`.
pub struct Bulkhead {
    gate: Gate<Waker>,
    max_wait: AtomicU64,
}

/// A slot. Dropping it gives it to the caller who has waited longest.
#[derive(Debug)]
#[must_use = "the slot is free again as soon as this is dropped"]
pub struct Slot<'a> {
    bulkhead: &'a Bulkhead,
}

/// A bulkhead at one moment, for screens and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Calls that may be under way.
    pub limit: u32,
    /// Calls that have a slot.
    pub taken: u32,
    /// Calls that wait for one.
    pub waiting: usize,
}

impl Bulkhead {
    /// A bulkhead with all slots free.
    pub fn new(limits: &Limits) -> Self {
        let Config { limit, queue, max_wait } = limits.0;
        Bulkhead {
            gate: Gate::new(limit, queue),
            max_wait: AtomicU64::new(crate::clock::nanos(max_wait)),
        }
    }

    /// A slot, if one is free and nobody waits for it.
    pub fn try_enter(&self) -> Option<Slot<'_>> {
        self.gate.try_enter().then(|| Slot { bulkhead: self })
    }

    /// A slot, waiting in line if there is room in the queue. Waits without a bound of its own:
    /// wrap it in [`timeout::until`], or use [`run`](Self::run).
    ///
    /// # Errors
    ///
    /// [`Refused::Full`], before any wait.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue; a slot granted in that moment goes to the next.
    pub fn enter(&self) -> Enter<'_> {
        Enter { bulkhead: self, stage: Stage::Arriving }
    }

    /// Runs `work` in a slot, waiting for one as long as the limits allow.
    ///
    /// # Errors
    ///
    /// [`Failure::Refused`] when `work` was not started, [`Failure::Callee`] with its own error.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue or drops `work` and frees the slot.
    pub async fn run<T, E>(
        &self,
        clock: &dyn Clock,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Failure<Refused, E>> {
        let slot = match self.try_enter() {
            Some(slot) => slot,
            None => {
                let at = after(clock.now(), self.max_wait());
                timeout::until(clock, Some(at), self.enter())
                    .await
                    .unwrap_or(Err(Refused::WaitedTooLong))
                    .map_err(Failure::Refused)?
            }
        };
        let result = work.await;
        drop(slot);
        result.map_err(Failure::Callee)
    }

    /// How long a call may wait for a slot.
    pub fn max_wait(&self) -> Duration {
        Duration::from_nanos(self.max_wait.load(Ordering::Relaxed))
    }

    /// Takes new limits; calls under way and waiting calls stay.
    pub fn reconfigure(&self, limits: &Limits) {
        self.set_limit(limits.0.limit);
        self.set_queue(limits);
    }

    /// Takes new limits for the queue alone.
    pub(crate) fn set_queue(&self, limits: &Limits) {
        self.max_wait.store(crate::clock::nanos(limits.0.max_wait), Ordering::Relaxed);
        self.gate.set_queue(limits.0.queue);
    }

    /// Changes the number of slots alone; what [`adaptive`](crate::adaptive) calls.
    pub fn set_limit(&self, limit: u32) {
        let woken = self.gate.set_limit(limit.max(1));
        woken.into_iter().for_each(Waker::wake);
    }

    /// Calls under way.
    pub fn taken(&self) -> u32 {
        self.gate.taken()
    }

    /// True when a newcomer would have to wait.
    pub(crate) fn is_busy(&self) -> bool {
        self.has_queue() || self.gate.taken() >= self.gate.limit()
    }

    /// True when somebody waits.
    pub(crate) fn has_queue(&self) -> bool {
        self.gate.has_queue()
    }

    /// Slots and queue at this moment.
    pub fn snapshot(&self) -> Snapshot {
        let gate = &self.gate;
        Snapshot { limit: gate.limit(), taken: gate.taken(), waiting: gate.waiting() }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        // Woken outside the lock: that may run the waiter at once.
        if let Some(waker) = self.bulkhead.gate.leave() {
            waker.wake();
        }
    }
}

/// The future of [`Bulkhead::enter`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Enter<'a> {
    bulkhead: &'a Bulkhead,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Arriving,
    Waiting(u64),
    Done,
}

impl<'a> Future for Enter<'a> {
    type Output = Result<Slot<'a>, Refused>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let bulkhead = self.bulkhead;
        let answer = match self.stage {
            Stage::Arriving => match bulkhead.gate.enter(|| cx.waker().clone()) {
                Entry::In => Ok(Slot { bulkhead }),
                Entry::Full => Err(Refused::Full { limit: bulkhead.gate.limit() }),
                Entry::Waiting(ticket) => {
                    self.stage = Stage::Waiting(ticket);
                    return Poll::Pending;
                }
            },
            Stage::Waiting(ticket) => {
                if !bulkhead.gate.claim(ticket, |waker| waker.clone_from(cx.waker())) {
                    return Poll::Pending;
                }
                Ok(Slot { bulkhead })
            }
            Stage::Done => return Poll::Pending,
        };
        self.stage = Stage::Done;
        Poll::Ready(answer)
    }
}

impl Drop for Enter<'_> {
    fn drop(&mut self) {
        if let Stage::Waiting(ticket) = self.stage
            && let Some(waker) = self.bulkhead.gate.abandon(ticket)
        {
            waker.wake();
        }
    }
}

impl fmt::Debug for Bulkhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulkhead").field("now", &self.snapshot()).finish_non_exhaustive()
    }
}
