//! What a breaker can be told, and the same proven usable.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::{InvalidConfig, contradiction, human, off, within};

/// What the breaker remembers when it works out a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// The last calls, however old. 1 to 10,000; a byte of memory each.
    Calls(u32),
    /// The calls of the last stretch of time, in ten slices. 100 ms to 1 h.
    Time(#[serde(with = "human")] Duration),
}

/// `[breaker]` as written in a file. Holds what the user said; checks nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table of settings")]
pub struct Config {
    /// Opens after this many failures in a row; any success starts the count again.
    /// 1 to 1,000 or off, default 5.
    #[serde(with = "off")]
    pub consecutive_failures: Option<u32>,
    /// Opens when at least this share of the window failed. 0.01 to 1 or off, default 0.5.
    #[serde(with = "off")]
    pub failure_rate: Option<f64>,
    /// Opens when at least this share of the window was slow. 0.01 to 1 or off, default off.
    #[serde(with = "off")]
    pub slow_rate: Option<f64>,
    /// A call that took this long is slow, whatever it returned. 1 ms to 1 h, default 5 s.
    #[serde(with = "human")]
    pub slow_call: Duration,
    /// The rates count over this. Default: the last 30 s.
    pub window: Window,
    /// Rates mean nothing below this many calls in the window. 1 to 100,000, default 20.
    pub minimum_calls: u32,
    /// How long the first rest lasts. 1 ms to 1 h, default 5 s.
    #[serde(with = "human")]
    pub rest: Duration,
    /// Each rest that follows a failed probe is this many times longer. 1 to 10, default 2.
    pub rest_growth: f64,
    /// No rest is longer, jitter included. `rest` to 24 h, default 1 min.
    #[serde(with = "human")]
    pub rest_max: Duration,
    /// Share of a rest that is random, either way, so that callers who saw the same failure do
    /// not all probe at once. 0 to 0.5, default 0.1.
    pub rest_jitter: f64,
    /// Calls let through at the same time while half-open. 1 to 100, default 1.
    pub probes: u32,
    /// Successful probes that close it. 1 to 1,000, default 2; may exceed `probes`.
    pub successes: u32,
    /// When all probes are out and none has answered for this long, they count as failed.
    /// 1 ms to 24 h, default 1 min.
    #[serde(with = "human")]
    pub probe_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            consecutive_failures: Some(5),
            failure_rate: Some(0.5),
            slow_rate: None,
            slow_call: Duration::from_secs(5),
            window: Window::Time(Duration::from_secs(30)),
            minimum_calls: 20,
            rest: Duration::from_secs(5),
            rest_growth: 2.0,
            rest_max: Duration::from_secs(60),
            rest_jitter: 0.1,
            probes: 1,
            successes: 2,
            probe_timeout: Duration::from_secs(60),
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

    /// The base rest after `rests` rests in a row, before jitter.
    pub(crate) fn rest_after(&self, rests: u32) -> Duration {
        let growth = self.0.rest_growth.powi(i32::try_from(rests).unwrap_or(i32::MAX));
        let longest = self.0.rest_max.as_secs_f64();
        // The product may be infinite; `min` brings it back before it becomes a duration.
        Duration::from_secs_f64((self.0.rest.as_secs_f64() * growth).min(longest))
    }
}

impl Config {
    /// Proves that every setting is in its range and that they fit together.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] names the first setting that does not.
    pub fn validate(self) -> Result<Limits, InvalidConfig> {
        const HOUR: Duration = Duration::from_secs(3600);
        const DAY: Duration = Duration::from_secs(24 * 3600);
        const MILLI: Duration = Duration::from_millis(1);
        if let Some(failures) = self.consecutive_failures {
            within("breaker.consecutive_failures", failures, 1..=1_000)?;
        }
        for (key, rate) in
            [("breaker.failure_rate", self.failure_rate), ("breaker.slow_rate", self.slow_rate)]
        {
            if let Some(rate) = rate {
                within(key, rate, 0.01..=1.0)?;
            }
        }
        within("breaker.slow_call", self.slow_call, MILLI..=HOUR)?;
        within("breaker.minimum_calls", self.minimum_calls, 1..=100_000)?;
        match self.window {
            Window::Calls(calls) => {
                within("breaker.window.calls", calls, 1..=10_000)?;
                if self.minimum_calls > calls {
                    let rule = format!("must fit into the window of {calls} calls");
                    return Err(contradiction("breaker.minimum_calls", rule));
                }
            }
            Window::Time(length) => {
                within("breaker.window.time", length, Duration::from_millis(100)..=HOUR)?;
            }
        }
        within("breaker.rest", self.rest, MILLI..=HOUR)?;
        within("breaker.rest_growth", self.rest_growth, 1.0..=10.0)?;
        within("breaker.rest_max", self.rest_max, self.rest..=DAY)?;
        within("breaker.rest_jitter", self.rest_jitter, 0.0..=0.5)?;
        within("breaker.probes", self.probes, 1..=100)?;
        within("breaker.successes", self.successes, 1..=1_000)?;
        within("breaker.probe_timeout", self.probe_timeout, MILLI..=DAY)?;
        Ok(Limits(self))
    }
}
