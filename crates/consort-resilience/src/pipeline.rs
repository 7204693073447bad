//! Pipeline: all guards of one callee in one visible order, configured as data.

mod attempt;
mod call;
mod config;
mod describe;
mod event;
mod preset;
mod run;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use call::{Attempt, Call, Error, Guard, Guards, Outcome, Report, Stopped, Why};
pub use config::{Config, Limits};
pub use describe::{Description, Line};
pub use event::{Event, Observer, What};
pub use preset::Preset;

use crate::adaptive::Adaptive;
use crate::breaker::{self, Breaker};
use crate::bulkhead::{self, Bulkhead};
use crate::clock::{Clock, TokioClock, nanos};
use crate::hedge::Hedge;
use crate::rate::RateLimit;
use crate::retry::Retry;
use crate::rng::Rng;
use crate::shed::Shed;
use crate::shield::shielded;
use crate::sync::{AtomicU32, AtomicU64, Mutex, Ordering, lock};
use crate::verdict::Verdict;

/// The guards of one callee. A handle: clones share the same guards and state.
#[derive(Clone)]
pub struct Pipeline {
    inner: Arc<Inner>,
}

/// Where a pipeline gets time and chance from, and whom it tells.
#[derive(Clone, Debug)]
pub struct Env {
    /// Default: Tokio's clock.
    pub clock: Arc<dyn Clock>,
    /// Seed of all jitter. Default: a random one.
    pub seed: u64,
    /// Hears of everything out of the ordinary. Default: nobody.
    pub observer: Option<Arc<dyn Observer>>,
}

impl Default for Env {
    fn default() -> Self {
        Env { clock: Arc::new(TokioClock), seed: Rng::random().next_u64(), observer: None }
    }
}

/// Every guard exists, on or off: switching one off and on again finds its state where it was.
struct Inner {
    callee: Arc<str>,
    clock: Arc<dyn Clock>,
    observer: Option<Arc<dyn Observer>>,
    on: AtomicU32,
    /// Nanoseconds; zero when off. A call under way goes by this and not by `on`, which it read when
    /// it began.
    deadline: AtomicU64,
    attempt_timeout: AtomicU64,
    shed: Shed,
    retry: Retry,
    hedge: Hedge,
    breaker: Breaker,
    rate: RateLimit,
    adaptive: Adaptive,
    bulkhead: Bulkhead,
    /// Written by `reconfigure`, read by `describe` and by the rare call that moves the limit of the
    /// bulkhead.
    limits: Mutex<Limits>,
}

/// A pipeline at one moment, for screens. A guard that is off is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The breaker.
    pub breaker: Option<breaker::Snapshot>,
    /// The bulkhead.
    pub bulkhead: Option<bulkhead::Snapshot>,
    /// Whole retries left in the budget, the reserve not counted.
    pub retries_saved: Option<u32>,
    /// Tokens left in the rate limit.
    pub tokens: Option<u32>,
}

impl Pipeline {
    /// A pipeline in its initial state, on Tokio's clock, without an observer.
    pub fn new(callee: &str, limits: Limits) -> Self {
        Pipeline::with_env(callee, limits, Env::default())
    }

    /// A pipeline in its initial state.
    pub fn with_env(callee: &str, limits: Limits, env: Env) -> Self {
        let now = env.clock.now();
        let rng = Rng::seeded(env.seed ^ fnv1a(callee));
        let callee: Arc<str> = callee.into();
        let mut breaker =
            Breaker::new(limits.breaker.clone().unwrap_or_default(), rng.split(), now);
        if let Some(observer) = env.observer.clone() {
            let callee = callee.clone();
            breaker = breaker.on_move(move |moved| {
                observer.observe(&Event { callee: &callee, what: What::BreakerMoved(*moved) });
            });
        }
        let bulkhead = limits.bulkhead.clone().unwrap_or_default();
        let slots = bulkhead.config().limit;
        let inner = Inner {
            callee,
            clock: env.clock,
            observer: env.observer,
            on: AtomicU32::new(limits.guards().0),
            deadline: AtomicU64::new(limits.deadline.map_or(0, nanos)),
            attempt_timeout: AtomicU64::new(limits.attempt_timeout.map_or(0, nanos)),
            shed: Shed::new(&limits.shed.clone().unwrap_or_default(), now),
            retry: Retry::new(limits.retry.clone().unwrap_or_default(), rng.split(), now),
            hedge: Hedge::new(limits.hedge.clone().unwrap_or_default(), now),
            breaker,
            rate: RateLimit::new(&limits.rate.clone().unwrap_or_default(), now),
            adaptive: Adaptive::new(limits.adaptive.clone().unwrap_or_default(), slots),
            bulkhead: Bulkhead::new(&bulkhead),
            limits: Mutex::new(limits),
        };
        let limits = lock(&inner.limits);
        inner.set_slots(&limits);
        drop(limits);
        Pipeline { inner: Arc::new(inner) }
    }

    /// Makes one call through all guards.
    ///
    /// `classify` says what a result means; it sees every result of the callee and nothing else.
    /// `work` makes one attempt. Each guard that did something is named in the report.
    ///
    /// The result is there by the deadline: `work` is dropped when its time is up.
    ///
    /// # Errors
    ///
    /// [`Error::Callee`] when the callee's answer stands, [`Error::Stopped`] when a guard ended
    /// the call.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the attempt under way, leaves every queue and gives every permit,
    /// slot and unused token back. The attempt counts as nothing for the breaker.
    pub fn run<T, E, F: Future<Output = Result<T, E>>>(
        &self,
        call: Call,
        classify: impl Fn(&Result<T, E>) -> Verdict,
        work: impl Fn(Attempt) -> F,
    ) -> impl Future<Output = Outcome<T, E>> {
        run::run(&self.inner, call, classify, work)
    }

    /// The callee's name.
    pub fn callee(&self) -> &str {
        &self.inner.callee
    }

    /// The guards in their order, in words.
    pub fn describe(&self) -> Description {
        Description::new(&self.inner.callee, &lock(&self.inner.limits))
    }

    /// The limits in force.
    pub fn limits(&self) -> Limits {
        lock(&self.inner.limits).clone()
    }

    /// Takes new limits for calls from now on. Nothing is forgotten: an open breaker stays open,
    /// waiting calls keep their place, spent tokens stay spent, a guard that was off finds the
    /// state it had.
    pub fn reconfigure(&self, limits: Limits) {
        let inner = &*self.inner;
        // Held to the end, so that two changes at once cannot be mixed.
        let mut current = lock(&inner.limits);
        if let Some(shed) = &limits.shed {
            inner.shed.reconfigure(shed);
        }
        if let Some(hedge) = &limits.hedge {
            inner.hedge.reconfigure(hedge.clone());
        }
        if let Some(adaptive) = &limits.adaptive {
            inner.adaptive.reconfigure(adaptive.clone());
        }
        if let Some(retry) = &limits.retry {
            inner.retry.reconfigure(retry.clone());
        }
        if let Some(breaker) = &limits.breaker {
            inner.breaker.reconfigure(breaker.clone(), inner.clock.now());
        }
        if let Some(rate) = &limits.rate {
            inner.rate.reconfigure(rate);
        }
        inner.set_slots(&limits);
        inner.deadline.store(limits.deadline.map_or(0, nanos), Ordering::Relaxed);
        inner.attempt_timeout.store(limits.attempt_timeout.map_or(0, nanos), Ordering::Relaxed);
        inner.on.store(limits.guards().0, Ordering::Relaxed);
        *current = limits;
    }

    /// The breaker, for `isolate`, `release` and `reset`. Does nothing for calls while it is off.
    pub fn breaker(&self) -> &Breaker {
        &self.inner.breaker
    }

    /// True when nobody else holds this pipeline and forgetting it would change nothing: its
    /// breaker remembers no failure and its rate limit is full. The retry budget and the latencies
    /// of `hedge` and `adaptive` are not worth remembering an idle callee for.
    pub(crate) fn is_fresh(&self, now: Instant) -> bool {
        Arc::strong_count(&self.inner) == 1
            && self.inner.breaker.is_fresh(now)
            && self.inner.rate.is_fresh(now)
    }

    /// The guards' state at this moment.
    pub fn snapshot(&self) -> Snapshot {
        let inner = &*self.inner;
        let (on, now) = (inner.guards(), inner.clock.now());
        Snapshot {
            breaker: on.contains(Guard::Breaker).then(|| inner.breaker.snapshot(now)),
            bulkhead: on.contains(Guard::Bulkhead).then(|| inner.bulkhead.snapshot()),
            retries_saved: on.contains(Guard::Retry).then(|| inner.retry.budget().balance()),
            tokens: on.contains(Guard::Rate).then(|| inner.rate.available(now)),
        }
    }
}

impl Inner {
    fn guards(&self) -> Guards {
        Guards(self.on.load(Ordering::Relaxed))
    }

    /// The limit of the bulkhead is its own, or what `adaptive` has found.
    fn set_slots(&self, limits: &Limits) {
        let Some(bulkhead) = &limits.bulkhead else { return };
        self.bulkhead.reconfigure(bulkhead);
        if limits.adaptive.is_some() {
            self.bulkhead.set_limit(self.adaptive.limit());
        }
    }

    /// `adaptive` has found another limit. Two such calls may come here in any order, and one may
    /// come after `adaptive` was switched off: so what holds now is set, one after the other.
    fn follow_adaptive(&self) {
        let limits = lock(&self.limits);
        if limits.adaptive.is_some() {
            self.bulkhead.set_limit(self.adaptive.limit());
        }
    }

    fn tell(&self, what: What) {
        if let Some(observer) = &self.observer {
            shielded(|| observer.observe(&Event { callee: &self.callee, what }));
        }
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").field("describe", &self.describe()).finish_non_exhaustive()
    }
}

/// Gives each callee its own stream of jitter from one seed (FNV-1a, the same on every machine).
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A duration kept in an atomic; `None` when it is off.
fn load(nanos: &AtomicU64) -> Option<Duration> {
    let nanos = nanos.load(Ordering::Relaxed);
    (nanos > 0).then(|| Duration::from_nanos(nanos))
}

/// The later end of a wait, as a duration from `from`.
fn waited(from: Instant, to: Instant) -> Duration {
    to.saturating_duration_since(from)
}
