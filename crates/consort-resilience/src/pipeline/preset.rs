//! Starting points for callees of a known kind.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::config::Config;
use crate::{breaker, bulkhead, rate, retry};

/// A kind of callee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// A model behind an API: slow, expensive, with quotas and `retry-after`.
    ModelProvider,
    /// A search or fact source: fast, cheap, one of several.
    Search,
    /// A site whose pages or media are read: touchy about request rates.
    MediaSite,
    /// A tool on this machine: bounded by its cores, no network to recover.
    LocalTool,
}

impl Preset {
    /// All presets.
    pub const ALL: [Preset; 4] =
        [Preset::ModelProvider, Preset::Search, Preset::MediaSite, Preset::LocalTool];

    /// The configuration to start from.
    pub fn config(self) -> Config {
        match self {
            Preset::ModelProvider => Config {
                deadline: Some(secs(120)),
                retry: Some(retry::Config {
                    base: millis(500),
                    cap: secs(20),
                    total: Some(secs(120)),
                    ..retry::Config::default()
                }),
                breaker: Some(breaker::Config {
                    rest: secs(15),
                    rest_max: secs(300),
                    probe_timeout: secs(120),
                    ..breaker::Config::default()
                }),
                bulkhead: Some(bulkhead::Config { limit: 16, queue: 128, max_wait: secs(20) }),
                attempt_timeout: Some(secs(60)),
                ..Config::OFF
            },
            Preset::Search => Config {
                deadline: Some(secs(10)),
                retry: Some(retry::Config {
                    base: millis(100),
                    cap: secs(1),
                    total: Some(secs(10)),
                    ..retry::Config::default()
                }),
                breaker: Some(breaker::Config { rest: secs(5), ..breaker::Config::default() }),
                bulkhead: Some(bulkhead::Config { limit: 32, queue: 64, max_wait: millis(500) }),
                attempt_timeout: Some(secs(3)),
                ..Config::OFF
            },
            Preset::MediaSite => Config {
                deadline: Some(secs(60)),
                retry: Some(retry::Config {
                    base: secs(1),
                    cap: secs(15),
                    jitter: retry::Jitter::Decorrelated,
                    ..retry::Config::default()
                }),
                breaker: Some(breaker::Config {
                    consecutive_failures: Some(3),
                    rest: secs(30),
                    rest_max: secs(600),
                    ..breaker::Config::default()
                }),
                rate: Some(rate::Config { tokens: 2, per: secs(1), burst: 4, max_wait: secs(10) }),
                bulkhead: Some(bulkhead::Config { limit: 4, queue: 32, max_wait: secs(20) }),
                attempt_timeout: Some(secs(15)),
                ..Config::OFF
            },
            Preset::LocalTool => Config {
                deadline: Some(secs(300)),
                breaker: Some(breaker::Config {
                    failure_rate: None,
                    rest: secs(1),
                    rest_max: secs(30),
                    ..breaker::Config::default()
                }),
                bulkhead: Some(bulkhead::Config { limit: 4, queue: 64, max_wait: secs(60) }),
                attempt_timeout: Some(secs(120)),
                ..Config::OFF
            },
        }
    }
}

const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}
