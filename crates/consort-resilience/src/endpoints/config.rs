//! What balancing and ejection can be told, and the same proven usable.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::{InvalidConfig, contradiction, human, off, within};

/// `[endpoints]` as written in a file. Holds what the user said; checks nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table of settings")]
pub struct Config {
    /// How load is measured.
    pub balance: Balance,
    /// Who is left out for a while. Default on.
    #[serde(with = "off")]
    pub eject: Option<Eject>,
}

impl Default for Config {
    fn default() -> Self {
        Config { balance: Balance::default(), eject: Some(Eject::default()) }
    }
}

/// `[endpoints.balance]` as written in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table of settings")]
pub struct Balance {
    /// After this time an old latency has lost two thirds of its weight. 100 ms to 1 h,
    /// default 10 s.
    #[serde(with = "human")]
    pub decay: Duration,
    /// What an endpoint that has not answered yet is taken for while it has calls. 1 µs to 1 min,
    /// default 30 ms.
    #[serde(with = "human")]
    pub unknown: Duration,
    /// A failed call counts as if it had taken at least this long, so that an endpoint does not
    /// attract calls by failing quickly. 0 s to 1 h, default 1 s.
    #[serde(with = "human")]
    pub failure: Duration,
}

impl Default for Balance {
    fn default() -> Self {
        Balance {
            decay: Duration::from_secs(10),
            unknown: Duration::from_millis(30),
            failure: Duration::from_secs(1),
        }
    }
}

/// `[endpoints.eject]` as written in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table of settings")]
pub struct Eject {
    /// Ejects after this many failures in a row. 1 to 1,000 or off, default 5.
    #[serde(with = "off")]
    pub consecutive_failures: Option<u32>,
    /// Ejects whose success rate is this many standard deviations below the mean of all.
    /// 0.5 to 5 or off, default 1.9.
    #[serde(with = "off")]
    pub deviations: Option<f64>,
    /// Success rates are compared this often. 100 ms to 1 h, default 10 s.
    #[serde(with = "human")]
    pub interval: Duration,
    /// Calls an endpoint needs in the interval to be compared. 1 to 100,000, default 20.
    pub minimum_calls: u32,
    /// Endpoints with that many calls needed to compare at all. 2 to 1,000, default 3.
    pub minimum_endpoints: u32,
    /// How long the first ejection lasts; each further one that much longer. 1 ms to 1 h,
    /// default 30 s.
    #[serde(with = "human")]
    pub rest: Duration,
    /// No ejection is longer. `rest` to 24 h, default 5 min.
    #[serde(with = "human")]
    pub rest_max: Duration,
    /// Share of all endpoints that may be out at the same time; one may always be, and one always
    /// stays. 0 to 1, default 0.5.
    pub max_ejected: f64,
}

impl Default for Eject {
    fn default() -> Self {
        Eject {
            consecutive_failures: Some(5),
            deviations: Some(1.9),
            interval: Duration::from_secs(10),
            minimum_calls: 20,
            minimum_endpoints: 3,
            rest: Duration::from_secs(30),
            rest_max: Duration::from_secs(300),
            max_ejected: 0.5,
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
        let Balance { decay, unknown, failure } = self.balance;
        within("endpoints.balance.decay", decay, Duration::from_millis(100)..=HOUR)?;
        let range = Duration::from_micros(1)..=Duration::from_secs(60);
        within("endpoints.balance.unknown", unknown, range)?;
        within("endpoints.balance.failure", failure, Duration::ZERO..=HOUR)?;
        let Some(eject) = &self.eject else { return Ok(Limits(self)) };
        if let Some(failures) = eject.consecutive_failures {
            within("endpoints.eject.consecutive_failures", failures, 1..=1_000)?;
        }
        if let Some(deviations) = eject.deviations {
            within("endpoints.eject.deviations", deviations, 0.5..=5.0)?;
        }
        within("endpoints.eject.interval", eject.interval, Duration::from_millis(100)..=HOUR)?;
        within("endpoints.eject.minimum_calls", eject.minimum_calls, 1..=100_000)?;
        within("endpoints.eject.minimum_endpoints", eject.minimum_endpoints, 2..=1_000)?;
        within("endpoints.eject.rest", eject.rest, MILLI..=HOUR)?;
        within("endpoints.eject.rest_max", eject.rest_max, MILLI..=Duration::from_secs(24 * 3600))?;
        if eject.rest_max < eject.rest {
            let rule = "must not be shorter than `endpoints.eject.rest`";
            return Err(contradiction("endpoints.eject.rest_max", rule));
        }
        within("endpoints.eject.max_ejected", eject.max_ejected, 0.0..=1.0)?;
        Ok(Limits(self))
    }
}
