//! A pipeline as data: one section per guard, presets, and the same proven usable.

use std::time::Duration;

use serde::{Deserialize, Serialize, de};
use serde_json::{Value, json};

use super::call::{Guard, Guards};
use crate::config::{InvalidConfig, contradiction, human_or_off, off, within};
use crate::{adaptive, breaker, bulkhead, hedge, rate, retry, shed};

/// The guards of one callee, as written in a file. Each can be `"off"`; a missing one has its
/// default. Holds what the user said; checks nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table of settings")]
pub struct Config {
    /// Default off. Needs the bulkhead, whose queue it watches.
    #[serde(with = "off")]
    pub shed: Option<shed::Config>,
    /// The whole call, pauses and queues included. 1 ms to 24 h or off, default 30 s.
    #[serde(with = "human_or_off")]
    pub deadline: Option<Duration>,
    /// Default on.
    #[serde(with = "off")]
    pub retry: Option<retry::Config>,
    /// Default off: it costs extra calls.
    #[serde(with = "off")]
    pub hedge: Option<hedge::Config>,
    /// Default on.
    #[serde(with = "off")]
    pub breaker: Option<breaker::Config>,
    /// Default off: only the callee knows what it allows.
    #[serde(with = "off")]
    pub rate: Option<rate::Config>,
    /// Default off. Needs the bulkhead, whose limit it moves.
    #[serde(with = "off")]
    pub adaptive: Option<adaptive::Config>,
    /// Default on.
    #[serde(with = "off")]
    pub bulkhead: Option<bulkhead::Config>,
    /// One attempt. 1 ms to 24 h or off, default 10 s.
    #[serde(with = "human_or_off")]
    pub attempt_timeout: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            shed: None,
            deadline: Some(Duration::from_secs(30)),
            retry: Some(retry::Config::default()),
            hedge: None,
            breaker: Some(breaker::Config::default()),
            rate: None,
            adaptive: None,
            bulkhead: Some(bulkhead::Config::default()),
            attempt_timeout: Some(Duration::from_secs(10)),
        }
    }
}

/// The same settings, proven usable. Only [`Config::validate`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    pub(crate) shed: Option<shed::Limits>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) retry: Option<retry::Limits>,
    pub(crate) hedge: Option<hedge::Limits>,
    pub(crate) breaker: Option<breaker::Limits>,
    pub(crate) rate: Option<rate::Limits>,
    pub(crate) adaptive: Option<adaptive::Limits>,
    pub(crate) bulkhead: Option<bulkhead::Limits>,
    pub(crate) attempt_timeout: Option<Duration>,
}

impl Limits {
    /// The settings, for reading, changing and writing back.
    pub fn config(&self) -> Config {
        Config {
            shed: self.shed.as_ref().map(|limits| limits.config().clone()),
            deadline: self.deadline,
            retry: self.retry.as_ref().map(|limits| limits.config().clone()),
            hedge: self.hedge.as_ref().map(|limits| limits.config().clone()),
            breaker: self.breaker.as_ref().map(|limits| limits.config().clone()),
            rate: self.rate.as_ref().map(|limits| limits.config().clone()),
            adaptive: self.adaptive.as_ref().map(|limits| limits.config().clone()),
            bulkhead: self.bulkhead.as_ref().map(|limits| limits.config().clone()),
            attempt_timeout: self.attempt_timeout,
        }
    }

    /// The guards that are on.
    pub fn guards(&self) -> Guards {
        let on = [
            (Guard::Shed, self.shed.is_some()),
            (Guard::Deadline, self.deadline.is_some()),
            (Guard::Retry, self.retry.is_some()),
            (Guard::Hedge, self.hedge.is_some()),
            (Guard::Breaker, self.breaker.is_some()),
            (Guard::Rate, self.rate.is_some()),
            (Guard::Adaptive, self.adaptive.is_some()),
            (Guard::Bulkhead, self.bulkhead.is_some()),
            (Guard::AttemptTimeout, self.attempt_timeout.is_some()),
        ];
        on.into_iter().filter(|(_, on)| *on).fold(Guards::default(), |set, (g, _)| set.with(g))
    }
}

impl Config {
    /// All guards off: calls go straight through.
    pub const OFF: Config = Config {
        shed: None,
        deadline: None,
        retry: None,
        hedge: None,
        breaker: None,
        rate: None,
        adaptive: None,
        bulkhead: None,
        attempt_timeout: None,
    };

    /// This configuration with what `overrides` says laid over it, key by key.
    ///
    /// # Errors
    ///
    /// An unknown key or a value that cannot be read; the message names it, as in
    /// `breaker.rest`.
    pub fn with_overrides(&self, overrides: &Value) -> Result<Config, serde_json::Error> {
        self.overridden(overrides).map_err(|error| {
            // The error tells what is wrong but not where: the first that is wrong by itself.
            let alone = |(key, alone)| self.overridden(&alone).err().map(|error| (key, error));
            match each(overrides).into_iter().find_map(alone) {
                Some((key, error)) => de::Error::custom(format_args!("`{key}`: {error}")),
                None => error,
            }
        })
    }

    fn overridden(&self, overrides: &Value) -> Result<Config, serde_json::Error> {
        let mut merged = serde_json::to_value(self)?;
        lay_over(&mut merged, overrides);
        serde_json::from_value(merged)
    }

    /// Proves that every setting is in its range and that they fit together.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] names the first setting that does not.
    pub fn validate(self) -> Result<Limits, InvalidConfig> {
        const RANGE: std::ops::RangeInclusive<Duration> =
            Duration::from_millis(1)..=Duration::from_secs(24 * 3600);
        if let Some(deadline) = self.deadline {
            within("deadline", deadline, RANGE)?;
        }
        if let Some(attempt) = self.attempt_timeout {
            within("attempt_timeout", attempt, RANGE)?;
            if self.deadline.is_some_and(|deadline| attempt > deadline) {
                return Err(contradiction("attempt_timeout", "must not be longer than `deadline`"));
            }
        }
        let needs = [("shed", self.shed.is_some()), ("adaptive", self.adaptive.is_some())];
        for (key, on) in needs {
            if on && self.bulkhead.is_none() {
                return Err(contradiction(key, "needs `bulkhead`"));
            }
        }
        Ok(Limits {
            shed: self.shed.map(shed::Config::validate).transpose()?,
            deadline: self.deadline,
            retry: self.retry.map(retry::Config::validate).transpose()?,
            hedge: self.hedge.map(hedge::Config::validate).transpose()?,
            breaker: self.breaker.map(breaker::Config::validate).transpose()?,
            rate: self.rate.map(rate::Config::validate).transpose()?,
            adaptive: self.adaptive.map(adaptive::Config::validate).transpose()?,
            bulkhead: self.bulkhead.map(bulkhead::Config::validate).transpose()?,
            attempt_timeout: self.attempt_timeout,
        })
    }
}

/// Each single setting in `overrides`: its name, and overrides that hold nothing else.
fn each(overrides: &Value) -> Vec<(String, Value)> {
    let Value::Object(map) = overrides else { return Vec::new() };
    let mut all = Vec::new();
    for (key, value) in map {
        let inner = each(value);
        if inner.is_empty() {
            all.push((key.clone(), json!({ key: value })));
        }
        all.extend(
            inner.into_iter().map(|(rest, alone)| (format!("{key}.{rest}"), json!({ key: alone }))),
        );
    }
    all
}

fn lay_over(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                match base.get_mut(key) {
                    // A window is one choice among two, not a set of keys.
                    Some(there) if key != "window" => lay_over(there, value),
                    _ => {
                        base.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (base, over) => *base = over.clone(),
    }
}
