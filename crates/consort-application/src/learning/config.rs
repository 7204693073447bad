//! Settings of learning.

use std::collections::BTreeMap;

use consort_core::StepError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{credit, health, spec::Spec};

/// What can be set about learning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Policies by domain; a domain without one uses [`Spec::default`].
    pub policies: BTreeMap<String, Spec>,
    /// How a reward on a run reaches the decisions below it.
    pub credit: credit::Rule,
    /// When components are disabled, and how they come back.
    pub health: health::Limits,
    /// Milliseconds after which a decision takes no more rewards. Default: 7 days.
    pub deadline_ms: u64,
    /// Decisions open at once, over all domains; beyond it the oldest close. Default 100,000.
    pub open: usize,
    /// Rewards kept that came before their decision. Default 10,000.
    pub early: usize,
    /// Points of choice over all tenants. Default 1,000.
    pub domains: usize,
    /// Signals that may wait per kind of component; more are refused. Default 16,384.
    pub queue: usize,
    /// Records written and learned in one go. Default 4,096.
    pub batch: usize,
    /// Milliseconds between snapshots, if anything changed. Default 60,000.
    pub consolidate_ms: u64,
    /// Records since the last snapshot that ask for the next one. Default 50,000.
    pub consolidate_after: u64,
    /// Milliseconds between two looks at the health of components. Default 30,000.
    pub look_ms: u64,
    /// Records kept besides those that no snapshot holds yet. Default 1,000,000.
    pub keep: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            policies: BTreeMap::new(),
            credit: credit::Rule::default(),
            health: health::Limits::default(),
            deadline_ms: 7 * 24 * 3_600_000,
            open: 100_000,
            early: 10_000,
            domains: 1_000,
            queue: 16_384,
            batch: 4_096,
            consolidate_ms: 60_000,
            consolidate_after: 50_000,
            look_ms: 30_000,
            keep: 1_000_000,
        }
    }
}

impl Config {
    /// The configured policy of a domain.
    pub fn spec(&self, domain: &str) -> Spec {
        self.policies.get(domain).cloned().unwrap_or_default()
    }

    /// Checks everything that can be wrong.
    ///
    /// # Errors
    ///
    /// `configuration` naming the setting.
    pub fn check(&self) -> Result<(), StepError> {
        self.policies.iter().try_for_each(|(domain, spec)| spec.check(domain))?;
        let wrong = |why: &str| Err(StepError::new(consort_core::Category::Configuration, why));
        if !(self.credit.share > 0.0 && self.credit.share <= 1.0) {
            return wrong("`credit.share` must be above 0 and at most 1");
        }
        if self.open == 0 || self.queue == 0 || self.batch == 0 || self.domains == 0 {
            return wrong("`open`, `queue`, `batch` and `domains` must be at least 1");
        }
        Ok(())
    }
}
