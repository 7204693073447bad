//! Load shedding: under overload, refuses early what would be served too late.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::clock::{nanos, nanos_since};
use crate::config::{InvalidConfig, contradiction, human, within};
use crate::sync::{AtomicU64, Ordering};

/// How much a call matters when not all can be served.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Can be done later, or not at all.
    Low,
    /// Somebody would notice.
    #[default]
    Normal,
    /// Somebody is waiting, or it keeps the system alive.
    High,
}

impl Priority {
    /// The next lower one; what a retry gets, because its first attempt has had its turn.
    #[must_use]
    pub const fn lower(self) -> Self {
        match self {
            Priority::High => Priority::Normal,
            Priority::Normal | Priority::Low => Priority::Low,
        }
    }
}

/// `[shed]` as written in a file. Holds what the user said; checks nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table of settings")]
pub struct Config {
    /// Queue time that is fine at any moment; under overload, the most a normal call waits.
    /// 1 ms to 1 min, default 20 ms.
    #[serde(with = "human")]
    pub target: Duration,
    /// Overload is when the queue has not been empty for this long. Also the most any call waits.
    /// `target` to 1 h, default 500 ms.
    #[serde(with = "human")]
    pub interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Config { target: Duration::from_millis(20), interval: Duration::from_millis(500) }
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
    /// Proves that every setting is in its range and that they fit together.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] names the first setting that does not.
    pub fn validate(self) -> Result<Limits, InvalidConfig> {
        const MILLI: Duration = Duration::from_millis(1);
        within("shed.target", self.target, MILLI..=Duration::from_secs(60))?;
        within("shed.interval", self.interval, MILLI..=Duration::from_secs(3600))?;
        if self.interval < self.target {
            return Err(contradiction("shed.interval", "must not be shorter than `shed.target`"));
        }
        Ok(Limits(self))
    }
}

/// The call would be served too late to be worth it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("overloaded")]
pub struct Refused;

/// Tells overload from a burst, and how long a call may wait in either.
///
/// The rule is the controlled delay of Facebook's servers (Maurer, *Fail at Scale*, 2015), a
/// simple form of CoDel (Nichols and Jacobson, 2012): a queue that was empty a moment ago is a
/// burst and worth waiting out; one that has stood for a whole interval is overload, and there a
/// long wait only makes every answer late.
#[derive(Debug)]
pub struct Shed {
    target: AtomicU64,
    interval: AtomicU64,
    last_empty: AtomicU64,
    epoch: Instant,
}

impl Shed {
    /// Starts out not overloaded.
    pub fn new(limits: &Limits, now: Instant) -> Self {
        Shed {
            target: AtomicU64::new(nanos(limits.0.target)),
            interval: AtomicU64::new(nanos(limits.0.interval)),
            last_empty: AtomicU64::new(0),
            epoch: now,
        }
    }

    /// The queue is empty, or a call passed without waiting.
    pub fn empty(&self, now: Instant) {
        let now = nanos_since(self.epoch, now);
        // Eight notes per interval are enough; the others only read.
        let stale =
            self.last_empty.load(Ordering::Relaxed) + self.interval.load(Ordering::Relaxed) / 8;
        if now > stale {
            self.last_empty.fetch_max(now, Ordering::Relaxed);
        }
    }

    /// True when the queue has not been empty for a whole interval.
    pub fn is_overloaded(&self, now: Instant) -> bool {
        let since = nanos_since(self.epoch, now);
        let standing = since.saturating_sub(self.last_empty.load(Ordering::Relaxed));
        standing > self.interval.load(Ordering::Relaxed)
    }

    /// How long a call of this priority may wait in the queue. Zero: not at all.
    pub fn patience(&self, priority: Priority, now: Instant) -> Duration {
        let target = Duration::from_nanos(self.target.load(Ordering::Relaxed));
        let interval = Duration::from_nanos(self.interval.load(Ordering::Relaxed));
        match (self.is_overloaded(now), priority) {
            (false, Priority::Low) | (true, Priority::Normal) => target,
            (false, _) | (true, Priority::High) => interval,
            (true, Priority::Low) => Duration::ZERO,
        }
    }

    /// For a queue of one's own: should this item, which has waited `queued`, still be served?
    ///
    /// Ask for each item in order; an item that hardly waited ends the overload.
    ///
    /// # Errors
    ///
    /// [`Refused`] when it waited longer than its priority allows.
    pub fn admit(&self, priority: Priority, queued: Duration, now: Instant) -> Result<(), Refused> {
        if nanos(queued) <= self.target.load(Ordering::Relaxed) / 4 {
            self.empty(now);
        }
        if queued <= self.patience(priority, now) { Ok(()) } else { Err(Refused) }
    }

    /// Takes new limits; an overload goes on being one.
    pub fn reconfigure(&self, limits: &Limits) {
        self.target.store(nanos(limits.0.target), Ordering::Relaxed);
        self.interval.store(nanos(limits.0.interval), Ordering::Relaxed);
    }
}
