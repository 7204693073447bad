//! Hedging: when a call takes longer than most, a second one is sent and the first answer wins.

mod latency;
mod race;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::clock::{Clock, nanos};
use crate::config::{InvalidConfig, contradiction, human, within};
use crate::retry::budget::{self, Budget};
use crate::sync::{AtomicU64, Mutex, Ordering, lock};
use crate::verdict::{Charge, Verdict};
use latency::Latencies;
pub(crate) use race::race;

/// `[hedge]` as written in a file. Holds what the user said; checks nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table of settings")]
pub struct Config {
    /// The second call is sent when the first has taken longer than this share of calls do.
    /// 0.5 to 0.999, default 0.95.
    pub percentile: f64,
    /// But never sooner than this. 1 ms to 1 min, default 10 ms.
    #[serde(with = "human")]
    pub min_delay: Duration,
    /// And never later; also the delay until `minimum_calls` have been seen. `min_delay` to 1 h,
    /// default 2 s.
    #[serde(with = "human")]
    pub max_delay: Duration,
    /// Latencies needed before the percentile means anything. 1 to 500, default 50.
    pub minimum_calls: u32,
    /// Second calls at most, as a share of all calls. 0.001 to 1, default 0.1. Ten may be saved
    /// up.
    pub ratio: f64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            percentile: 0.95,
            min_delay: Duration::from_millis(10),
            max_delay: Duration::from_secs(2),
            minimum_calls: 50,
            ratio: 0.1,
        }
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

    fn budget(&self) -> budget::Limits {
        let config = budget::Config { ratio: self.0.ratio, min_per_second: 0, burst: 10 };
        config.validate().unwrap_or_default()
    }
}

impl Config {
    /// Proves that every setting is in its range and that they fit together.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] names the first setting that does not.
    pub fn validate(self) -> Result<Limits, InvalidConfig> {
        const MILLI: Duration = Duration::from_millis(1);
        within("hedge.percentile", self.percentile, 0.5..=0.999)?;
        within("hedge.min_delay", self.min_delay, MILLI..=Duration::from_secs(60))?;
        within("hedge.max_delay", self.max_delay, MILLI..=Duration::from_secs(3600))?;
        if self.max_delay < self.min_delay {
            return Err(contradiction(
                "hedge.max_delay",
                "must not be shorter than `hedge.min_delay`",
            ));
        }
        within("hedge.minimum_calls", self.minimum_calls, 1..=500)?;
        within("hedge.ratio", self.ratio, 0.001..=1.0)?;
        Ok(Limits(self))
    }
}

/// Second calls for the calls to one callee. Only for calls that are safe to repeat.
pub struct Hedge {
    limits: Mutex<Limits>,
    seen: Mutex<Latencies>,
    /// The delay worked out last, so that starting a call reads one number.
    delay: AtomicU64,
    budget: Budget,
}

/// Working the percentile out reads two hundred counts; once in so many calls is often enough.
const RENEW_EVERY: u32 = 32;

impl Hedge {
    /// Without any latency seen.
    pub fn new(limits: Limits, now: Instant) -> Self {
        Hedge {
            delay: AtomicU64::new(nanos(limits.0.max_delay)),
            budget: Budget::new(&limits.budget(), now),
            seen: Mutex::new(Latencies::new()),
            limits: Mutex::new(limits),
        }
    }

    /// A call begins: it adds its share to the budget. After the returned time a second call is
    /// worth sending.
    pub fn begin(&self) -> Duration {
        self.budget.deposit();
        self.delay()
    }

    /// The delay at the moment.
    pub fn delay(&self) -> Duration {
        Duration::from_nanos(self.delay.load(Ordering::Relaxed))
    }

    /// May a second call be sent? Takes it out of the budget.
    #[must_use]
    pub fn may_send(&self, now: Instant) -> bool {
        self.budget.withdraw(now)
    }

    /// A call that was answered took this long.
    pub fn record(&self, took: Duration) {
        let mut seen = lock(&self.seen);
        seen.record(nanos(took));
        if seen.total().is_multiple_of(RENEW_EVERY) {
            let Limits(config) = &*lock(&self.limits);
            self.delay.store(delay(&seen, config), Ordering::Relaxed);
        }
    }

    /// Calls `work`; when it takes longer than most, calls it once more and takes the first
    /// answer that is not charged as a failure. A failure before that is the answer.
    ///
    /// # Errors
    ///
    /// The last error, when no call was answered well.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops both calls; so does the winner with the loser.
    pub async fn run<T, E, F: Future<Output = Result<T, E>>>(
        &self,
        clock: &dyn Clock,
        classify: impl Fn(&Result<T, E>) -> Verdict,
        work: impl Fn(u32) -> F,
    ) -> Result<T, E> {
        let sent = clock.now();
        let at = crate::clock::after(sent, self.begin());
        let good = |result: &Result<T, E>| classify(result).charge != Charge::Failure;
        let second = || self.may_send(clock.now()).then(|| work(2));
        let result = race(clock, Some(at), pin!(work(1)), second, good, |_, later| later).await;
        if good(&result) {
            self.record(clock.now().saturating_duration_since(sent));
        }
        result
    }

    /// Takes new limits; latencies and budget stay.
    pub fn reconfigure(&self, limits: Limits) {
        self.budget.reconfigure(&limits.budget());
        let seen = lock(&self.seen);
        self.delay.store(delay(&seen, &limits.0), Ordering::Relaxed);
        *lock(&self.limits) = limits;
    }
}

fn delay(seen: &Latencies, config: &Config) -> u64 {
    let (low, high) = (nanos(config.min_delay), nanos(config.max_delay));
    if seen.total() < config.minimum_calls {
        return high;
    }
    seen.quantile(config.percentile).clamp(low, high)
}

impl fmt::Debug for Hedge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hedge").field("delay", &self.delay()).finish_non_exhaustive()
    }
}
