//! Changes of policies: records of the log like all else, so that a replay makes them too.

use consort_bandit::inference::Settings;
use consort_core::{Category, Component, StepError, Timestamp, learning::Record};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    domain::Domain,
    fate::Fate,
    import::fingerprint,
    spec::Spec,
    state::{Key, State},
    trial::{self, Contender, End},
};

/// What is done to the policies of a domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum What {
    /// From now on this spec. What was learned is kept where the shape stays.
    Spec {
        /// The new spec.
        spec: Spec,
    },
    /// Adds, or puts in its place, what was learned elsewhere.
    Import {
        /// The tenant whose policy it becomes.
        tenant: String,
        /// What kind of thing is chosen.
        component: Component,
        /// The model, as hexadecimal digits of its stored form.
        model: String,
        /// Names of the arms, in the model's order.
        arms: Vec<String>,
        /// The spec it learned under.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spec: Option<Box<Spec>>,
        /// Adds instead of replacing: the same as if both had learned in one place.
        merge: bool,
    },
    /// Begins an experiment.
    StartExperiment {
        /// The tenant in whose decisions it runs.
        tenant: String,
        /// What kind of thing is chosen.
        component: Component,
        /// Who contends with the policy in use.
        candidates: Vec<Contender>,
        /// Shares and evidence asked for.
        #[schemars(with = "Value")]
        settings: Settings,
    },
    /// Ends an experiment; the policy in use stays.
    StopExperiment {
        /// The tenant.
        tenant: String,
        /// What kind of thing is chosen.
        component: Component,
    },
}

/// A change with its reason: one line of a policy's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The domain.
    pub domain: String,
    /// Version of the domain's policy after it.
    #[serde(default)]
    pub version: u64,
    /// When.
    #[serde(default)]
    pub at: Timestamp,
    /// Why, in the words of whoever asked.
    pub why: String,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

impl Change {
    /// As it stands in the log.
    pub(crate) fn record(&self) -> Result<Record, StepError> {
        let change = serde_json::to_value(self).map_err(|error| {
            StepError::new(Category::Internal, "the change cannot be written").because(&error)
        })?;
        Ok(Record::Policy { at: self.at, change })
    }

    /// Whether it changed this point of choice: a spec is for all tenants, the rest for one.
    pub fn is_of(&self, key: &Key) -> bool {
        let (tenant, component, domain) = key;
        self.domain == *domain
            && match &self.what {
                What::Spec { .. } => true,
                What::Import { tenant: of, component: kind, .. }
                | What::StartExperiment { tenant: of, component: kind, .. }
                | What::StopExperiment { tenant: of, component: kind } => {
                    (of, kind) == (tenant, component)
                }
            }
    }
}

/// Lines of history that are kept.
const HISTORY: usize = 1000;

impl State {
    pub(super) fn change(&mut self, at: Timestamp, change: &Value) -> Fate {
        let Ok(mut change) = serde_json::from_value::<Change>(change.clone()) else {
            return Fate::Refused;
        };
        let (version, spec) = self.spec(&change.domain);
        (change.version, change.at) = (version + 1, at);
        // Only changes of the spec are versions of their own from the first one on.
        if !self.ledger.specs.contains_key(&change.domain)
            && matches!(&change.what, What::Spec { spec: new } if *new == spec)
        {
            change.version = version;
        }
        let done = match &change.what {
            What::Spec { .. } | What::Import { .. } if self.is_tried(&change.domain) => false,
            What::Spec { .. } if !self.has_room(&change.domain) => false,
            What::Spec { spec } => self.respec(&change, spec),
            What::StartExperiment { tenant, component, candidates, settings } => {
                let key = trial::key(tenant, *component, &change.domain);
                self.start_trial(key, &change, candidates, *settings)
            }
            What::StopExperiment { tenant, component } => {
                change.version = version;
                let key = trial::key(tenant, *component, &change.domain);
                self.end_trial(&key, End::Stopped(change.why.clone()))
            }
            What::Import { .. } => match self.imported(&change) {
                Ok((key, domain)) => {
                    for arm in domain.arms() {
                        let watched = (key.0.clone(), key.1, arm.name.clone());
                        self.ledger.health.entry(watched).or_default();
                    }
                    self.domains.insert(key, domain);
                    self.ledger.specs.insert(change.domain.clone(), (change.version, spec));
                    true
                }
                Err(_) => false,
            },
        };
        if !done {
            return Fate::Refused;
        }
        if let What::Import { model, .. } = &mut change.what {
            // The history tells which one it was; the log has the model.
            *model = fingerprint(model);
        }
        self.remember(change);
        Fate::Changed
    }

    /// Why a policy cannot be changed so.
    ///
    /// # Errors
    ///
    /// `conflict` while the domain is being tried, `resource_exhausted` for one domain too many,
    /// `invalid_request` naming the field that does not fit.
    pub fn allows(&self, change: &Change) -> Result<(), StepError> {
        if !(1..=256).contains(&change.domain.len()) {
            return Err(StepError::new(
                Category::InvalidRequest,
                "the policy cannot be changed so",
            )
            .violation("/domain", "must have 1 to 256 bytes"));
        }
        match &change.what {
            What::Spec { .. } | What::Import { .. } if self.is_tried(&change.domain) => {
                Err(tried(&change.domain))
            }
            What::Spec { .. } if !self.has_room(&change.domain) => Err(self.full()),
            What::Spec { spec } => self.keeps_arms(&change.domain, spec),
            What::Import { .. } => self.imported(change).map(drop),
            What::StartExperiment { .. } | What::StopExperiment { .. } => Ok(()),
        }
    }

    /// Whether a policy may be installed there: as many domains may have one as may be decided in.
    fn has_room(&self, domain: &str) -> bool {
        self.ledger.specs.contains_key(domain) || self.ledger.specs.len() < self.config.domains
    }

    /// Every arm that is known must have a place under the new spec.
    fn keeps_arms(&self, domain: &str, spec: &Spec) -> Result<(), StepError> {
        let of_domain = self.domains.iter().filter(|(key, _)| key.2 == domain);
        let known = of_domain.map(|(_, domain)| domain.arms().len()).max().unwrap_or(0);
        if spec.arms >= known {
            return Ok(());
        }
        Err(StepError::new(Category::InvalidRequest, "the policy cannot be changed so").violation(
            "/spec/arms",
            format!("must be at least {known}: so many candidates are known"),
        ))
    }

    /// Adds a line to the history; the oldest go.
    pub(super) fn remember(&mut self, change: Change) {
        self.ledger.history.push(change);
        let excess = self.ledger.history.len().saturating_sub(HISTORY);
        self.ledger.history.drain(..excess);
    }

    fn respec(&mut self, change: &Change, spec: &Spec) -> bool {
        if spec.build().is_err() {
            return false;
        }
        let limits = self.limits();
        let of_domain = |(key, _): &(&Key, &mut Domain)| key.2 == change.domain;
        let switched = self
            .domains
            .iter_mut()
            .filter(of_domain)
            .all(|(_, domain)| domain.switch(spec, change.version, limits));
        self.ledger.specs.insert(change.domain.clone(), (change.version, spec.clone()));
        switched
    }
}

/// While an experiment runs in a domain, its policy stays as it is.
pub(crate) fn tried(domain: &str) -> StepError {
    StepError::new(Category::Conflict, format!("domain `{domain}` is being tried"))
        .hint("wait for its experiment or stop it: `consort experiment status`")
}
