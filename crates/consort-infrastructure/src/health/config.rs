//! What judging health can be told, and the same proven usable.

use std::time::Duration;

use consort_core::{Category, StepError};
use serde::{Deserialize, Serialize};

use crate::human;

/// `[health]` as written in a file. Holds what the user said; checks nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How far back it looks. 1 s to 1 h, default 1 min.
    #[serde(with = "human")]
    pub window: Duration,
    /// After this time a call weighs half. 100 ms to `window`, default 20 s.
    #[serde(with = "human")]
    pub half_life: Duration,
    /// Calls in the window below which there is no data. 1 to 10,000, default 5.
    pub floor: u32,
    /// Success rate from which a callee is healthy. 0 to 1, default 0.9.
    pub healthy: f64,
    /// Success rate below which it is unhealthy. 0 to `healthy`, default 0.5.
    pub unhealthy: f64,
    /// A callee outside this process whose calls take longer on average is degraded.
    /// 1 ms to 1 h, default 30 s.
    #[serde(with = "human")]
    pub slow: Duration,
    /// How often everybody's health is looked at. 100 ms to 1 h, default 5 s.
    #[serde(with = "human")]
    pub every: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(60),
            half_life: Duration::from_secs(20),
            floor: 5,
            healthy: 0.9,
            unhealthy: 0.5,
            slow: Duration::from_secs(30),
            every: Duration::from_secs(5),
        }
    }
}

/// The same settings, proven usable. Only [`Config::validate`] makes one.
#[derive(Clone, Debug, PartialEq)]
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
    /// `configuration` naming the first setting that is not.
    pub fn validate(self) -> Result<Limits, StepError> {
        const HOUR: Duration = Duration::from_secs(3600);
        const SHORT: Duration = Duration::from_millis(100);
        time("window", self.window, Duration::from_secs(1), HOUR)?;
        time("half_life", self.half_life, SHORT, self.window)?;
        time("slow", self.slow, Duration::from_millis(1), HOUR)?;
        time("every", self.every, SHORT, HOUR)?;
        let within = (1..=10_000).contains(&self.floor);
        check(within, "floor", || format!("must be 1 to 10000, not {}", self.floor))?;
        let within = (0.0..=1.0).contains(&self.healthy);
        check(within, "healthy", || format!("must be 0 to 1, not {}", self.healthy))?;
        let within = (0.0..=self.healthy).contains(&self.unhealthy);
        let rule = || format!("must be 0 to {}, not {}", self.healthy, self.unhealthy);
        check(within, "unhealthy", rule)?;
        Ok(Limits(self))
    }
}

fn time(key: &str, value: Duration, low: Duration, high: Duration) -> Result<(), StepError> {
    let rule = || {
        let [low, high, value] = [low, high, value].map(human::told);
        format!("must be {low} to {high}, not {value}")
    };
    check((low..=high).contains(&value), key, rule)
}

fn check(holds: bool, key: &str, rule: impl FnOnce() -> String) -> Result<(), StepError> {
    if holds {
        return Ok(());
    }
    Err(StepError::new(Category::Configuration, format!("`health.{key}` {}", rule())))
}
