//! Chaos: makes calls slow, fail, hang or lie, by a seeded plan, for tests of what stands around them.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::{Clock, after};
use crate::config::{InvalidConfig, contradiction, human, within};
use crate::rng::Rng;
use crate::sync::{AtomicU64, Ordering};

/// A plan as written in a file. Rates are shares of all calls, 0 to 1, each default 0; one call
/// gets at most one of `error`, `hang` and `corrupt`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table of settings")]
pub struct Config {
    /// The same seed gives the same faults to the same calls, counted from 0.
    pub seed: u64,
    /// Share of calls that are delayed.
    pub slow: f64,
    /// The longest delay; each is drawn evenly up to it. 0 s to 1 h, default 1 s.
    #[serde(with = "human")]
    pub delay: Duration,
    /// Share of calls that fail without reaching the callee.
    pub error: f64,
    /// Share of calls that never end.
    pub hang: f64,
    /// Share of results that are corrupted.
    pub corrupt: f64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            seed: 0,
            slow: 0.0,
            delay: Duration::from_secs(1),
            error: 0.0,
            hang: 0.0,
            corrupt: 0.0,
        }
    }
}

/// The same plan, proven usable: by [`Config::validate`], or the default, which does nothing.
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
        within("chaos.slow", self.slow, 0.0..=1.0)?;
        within("chaos.delay", self.delay, Duration::ZERO..=Duration::from_secs(3600))?;
        within("chaos.error", self.error, 0.0..=1.0)?;
        within("chaos.hang", self.hang, 0.0..=1.0)?;
        within("chaos.corrupt", self.corrupt, 0.0..=1.0)?;
        if self.error + self.hang + self.corrupt > 1.0 + 1e-9 {
            let rule = "together with `chaos.hang` and `chaos.corrupt` must not exceed 1";
            return Err(contradiction("chaos.error", rule));
        }
        Ok(Limits(self))
    }
}

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// The call is made this much later.
    pub delay: Duration,
    /// What else.
    pub fault: Fault,
}

/// What goes wrong, apart from the delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Nothing.
    None,
    /// It fails without reaching the callee.
    Error,
    /// It never ends.
    Hang,
    /// Its result is corrupted.
    Corrupt,
}

/// The plan of one callee, at the call it has come to.
#[derive(Debug)]
pub struct Chaos {
    limits: Limits,
    calls: AtomicU64,
}

impl Chaos {
    /// At the first call.
    pub fn new(limits: Limits) -> Self {
        Chaos { limits, calls: AtomicU64::new(0) }
    }

    /// What happens to call number `call`, whoever asks and however often.
    pub fn fate(&self, call: u64) -> Fate {
        let Limits(config) = &self.limits;
        // One stream per call, so that the order in which calls arrive changes nothing.
        let rng = Rng::seeded(config.seed).split();
        let rng = Rng::seeded(rng.next_u64() ^ call.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (slow, share, what) = (rng.unit(), rng.unit(), rng.unit());
        let delay = if slow < config.slow { config.delay.mul_f64(share) } else { Duration::ZERO };
        let fault = if what < config.error {
            Fault::Error
        } else if what < config.error + config.hang {
            Fault::Hang
        } else if what < config.error + config.hang + config.corrupt {
            Fault::Corrupt
        } else {
            Fault::None
        };
        Fate { delay, fault }
    }

    /// Runs `work` under the fate of the next call. `error` makes the error of a call that never
    /// got out; `corrupt` spoils a result.
    ///
    /// # Errors
    ///
    /// That of `work`, or the injected one.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops `work`; the call counts.
    pub async fn run<T, E>(
        &self,
        clock: &dyn Clock,
        work: impl Future<Output = Result<T, E>>,
        error: impl FnOnce() -> E,
        corrupt: impl FnOnce(T) -> T,
    ) -> Result<T, E> {
        let Fate { delay, fault } = self.fate(self.calls.fetch_add(1, Ordering::Relaxed));
        if !delay.is_zero() {
            clock.sleep_until(after(clock.now(), delay)).await;
        }
        match fault {
            Fault::None => work.await,
            Fault::Error => Err(error()),
            Fault::Hang => std::future::pending().await,
            Fault::Corrupt => work.await.map(corrupt),
        }
    }

    /// Calls made so far.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}
