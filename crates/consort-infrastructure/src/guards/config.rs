//! The guards of callees as data: a preset for each kind, and what differs for one by name.

use std::{collections::BTreeMap, fmt::Display, time::Duration};

use consort_core::{Category, StepError};
use consort_resilience::{breaker, bulkhead, pipeline, pipeline::Limits, rate, retry};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::health;

/// `[resilience]` as written in a file. Holds what the user said; checks nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What differs from the defaults, by name: `callee`, or `callee/endpoint` for one endpoint.
    /// A name that ends in `/local` is for the part of a callee's work that stays on this
    /// machine.
    pub callees: BTreeMap<String, Callee>,
    /// Callees and endpoints that are remembered at once. 64 to 100,000, default 10,000.
    pub capacity: usize,
    /// How health is judged.
    pub health: health::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self { callees: BTreeMap::new(), capacity: 10_000, health: health::Config::default() }
    }
}

/// The guards of one callee as written in a file: a preset and what differs from it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Callee {
    /// What to start from. Default: what it has without this; an endpoint, what its callee has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// What differs, in the form of `consort_resilience::pipeline::Config`, key by key; a guard
    /// can be `"off"`.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub guards: Value,
}

impl From<Preset> for Callee {
    fn from(preset: Preset) -> Self {
        Self { preset: Some(preset), guards: Value::Null }
    }
}

/// A kind of callee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// A callee of which nothing is known: generous times, no rate limit.
    General,
    /// A model behind an API: slow, expensive, with quotas and `retry-after`.
    ModelProvider,
    /// A search or fact source: fast, cheap, one of several.
    Search,
    /// A site whose pages or media are read: touchy about request rates. Calls wait for their turn
    /// rather than fail, since nobody else is slowed down by that.
    MediaSite,
    /// A tool on this machine, such as a child process: bounded by its cores.
    LocalTool,
    /// Work of this process: bounded by the run's deadline and the limit on blocking work alone.
    /// It may take as long as it needs, gives the same answer when repeated, and its failures say
    /// something about the input and nothing about the worker.
    LocalWork,
}

impl Preset {
    /// All presets.
    pub const ALL: [Self; 6] = [
        Self::General,
        Self::ModelProvider,
        Self::Search,
        Self::MediaSite,
        Self::LocalTool,
        Self::LocalWork,
    ];

    /// The pipeline to start from.
    pub fn config(self) -> pipeline::Config {
        use pipeline::{Config, Preset};
        match self {
            Self::General => Config {
                deadline: Some(minutes(15)),
                retry: Some(retry::Config { total: Some(minutes(5)), ..retry::Config::default() }),
                breaker: Some(breaker::Config::default()),
                bulkhead: Some(bulkhead::Config { limit: 64, queue: 4096, max_wait: minutes(5) }),
                attempt_timeout: Some(minutes(2)),
                ..Config::OFF
            },
            Self::ModelProvider => Preset::ModelProvider.config(),
            Self::Search => Preset::Search.config(),
            Self::MediaSite => Config {
                deadline: Some(minutes(15)),
                rate: Some(rate::Config { tokens: 4, per: SECOND, burst: 8, max_wait: minutes(5) }),
                bulkhead: Some(bulkhead::Config { limit: 4, queue: 4096, max_wait: minutes(5) }),
                // Above the limits that fetching has itself, which know why they are there.
                attempt_timeout: Some(minutes(3)),
                ..Preset::MediaSite.config()
            },
            Self::LocalTool => Config {
                deadline: Some(minutes(15)),
                bulkhead: Some(bulkhead::Config { limit: 4, queue: 4096, max_wait: minutes(10) }),
                ..Preset::LocalTool.config()
            },
            Self::LocalWork => Config::OFF,
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

/// What the capabilities that come with Consort are.
const SHIPPED: &[(&str, Preset)] = &[
    ("acquire", Preset::MediaSite),
    ("fetch", Preset::MediaSite),
    ("read_pdf", Preset::LocalTool),
    ("search", Preset::Search),
    ("chat", Preset::ModelProvider),
];

/// The settings proven usable: which limits a callee gets, by its name.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    named: BTreeMap<String, Limits>,
    general: Limits,
    local: Limits,
}

impl Table {
    pub(crate) fn new(callees: BTreeMap<String, Callee>) -> Result<Self, StepError> {
        let of = |preset: Preset| prove(GENERAL, preset.config());
        let (general, local) = (of(Preset::General)?, of(Preset::LocalWork)?);
        let mut table = Self { named: BTreeMap::new(), general, local };
        for (name, preset) in SHIPPED {
            table.set(name, &(*preset).into())?;
        }
        // In the order of their names, so that a callee comes before its endpoints.
        for (name, callee) in &callees {
            table.set(name, callee)?;
        }
        Ok(table)
    }

    pub(crate) fn set(&mut self, name: &str, callee: &Callee) -> Result<(), StepError> {
        let base = callee.preset.map_or_else(|| self.of(name).config(), Preset::config);
        let config = match &callee.guards {
            Value::Null => base,
            guards => base.with_overrides(guards).map_err(|error| wrong(name, &error))?,
        };
        self.named.insert(name.to_owned(), prove(name, config)?);
        Ok(())
    }

    /// What calls get to whom the settings call `name`.
    pub(crate) fn of(&self, name: &str) -> &Limits {
        match name.strip_suffix(LOCAL) {
            Some(callee) => self.local(callee),
            None => self.outside(name),
        }
    }

    /// What calls to `name`, `callee` or `callee/endpoint`, get.
    pub(crate) fn outside(&self, name: &str) -> &Limits {
        let callee = name.split_once('/').map_or(name, |(callee, _)| callee);
        self.named.get(name).or_else(|| self.named.get(callee)).unwrap_or(&self.general)
    }

    /// What the local work of `callee` gets.
    pub(crate) fn local(&self, callee: &str) -> &Limits {
        self.named.get(&format!("{callee}{LOCAL}")).unwrap_or(&self.local)
    }
}

const GENERAL: &str = "*";

/// What ends the name of local work in the settings.
pub(crate) const LOCAL: &str = "/local";

fn prove(name: &str, config: pipeline::Config) -> Result<Limits, StepError> {
    config.validate().map_err(|error| wrong(name, &error))
}

fn wrong(name: &str, why: &dyn Display) -> StepError {
    let message = format!("`resilience.callees.{name}`: {why}");
    StepError::new(Category::Configuration, message)
}

/// The settings as a whole, proven.
pub(crate) fn validate(config: Config) -> Result<(Table, usize, health::Limits), StepError> {
    if !(64..=100_000).contains(&config.capacity) {
        let why = format!("`resilience.capacity` must be 64 to 100000, not {}", config.capacity);
        return Err(StepError::new(Category::Configuration, why));
    }
    Ok((Table::new(config.callees)?, config.capacity, config.health.validate()?))
}
