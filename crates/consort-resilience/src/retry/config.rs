//! What a retry can be told, and the same proven usable.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::budget;
use crate::config::{InvalidConfig, contradiction, human, human_or_off, off, within};

/// How pauses are spread, so that callers who failed together do not return together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// Exactly `base × 2^(n-1)`. For tests and for a single caller.
    None,
    /// Anything from zero to that. Spreads best for its cost.
    Full,
    /// Anything from `base` to three times the last pause. Never near zero.
    Decorrelated,
}

/// `[retry]` as written in a file. Holds what the user said; checks nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table of settings")]
pub struct Config {
    /// Attempts in total, the first one included. 1 to 20, default 3.
    pub attempts: u32,
    /// The first pause, before jitter; each further one doubles. 1 ms to 1 min, default 200 ms.
    #[serde(with = "human")]
    pub base: Duration,
    /// No pause is longer, jitter included; only the callee's own wish may exceed it.
    /// `base` to 1 h, default 10 s.
    #[serde(with = "human")]
    pub cap: Duration,
    /// How pauses are spread. Default full.
    pub jitter: Jitter,
    /// The longest wish of the callee (`retry-after`) that is waited for; a longer one ends the
    /// retries, because coming back early is what it asked us not to do. 0 s to 24 h,
    /// default 1 min.
    #[serde(with = "human")]
    pub retry_after_max: Duration,
    /// All attempts and pauses together. 1 ms to 24 h or off, default 1 min. An attempt under
    /// way is not cut by this; a pause that would end later is not begun.
    #[serde(with = "human_or_off")]
    pub total: Option<Duration>,
    /// The share of calls that may be retried, over all callers. Default on.
    #[serde(with = "off")]
    pub budget: Option<budget::Config>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            attempts: 3,
            base: Duration::from_millis(200),
            cap: Duration::from_secs(10),
            jitter: Jitter::Full,
            retry_after_max: Duration::from_secs(60),
            total: Some(Duration::from_secs(60)),
            budget: Some(budget::Config::default()),
        }
    }
}

/// The same settings, proven usable: by [`Config::validate`], or the defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    config: Config,
    budget: Option<budget::Limits>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { config: Config::default(), budget: Some(budget::Limits::default()) }
    }
}

impl Limits {
    /// The settings, for reading.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The settings of the budget, proven.
    pub fn budget(&self) -> Option<&budget::Limits> {
        self.budget.as_ref()
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
        const HOUR: Duration = Duration::from_secs(3600);
        const DAY: Duration = Duration::from_secs(24 * 3600);
        within("retry.attempts", self.attempts, 1..=20)?;
        within("retry.base", self.base, MILLI..=Duration::from_secs(60))?;
        within("retry.cap", self.cap, MILLI..=HOUR)?;
        if self.cap < self.base {
            return Err(contradiction("retry.cap", "must not be shorter than `retry.base`"));
        }
        within("retry.retry_after_max", self.retry_after_max, Duration::ZERO..=DAY)?;
        if let Some(total) = self.total {
            within("retry.total", total, MILLI..=DAY)?;
        }
        let budget = self.budget.clone().map(budget::Config::validate).transpose()?;
        Ok(Limits { config: self, budget })
    }
}
