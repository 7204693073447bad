//! Changes of policies: records of the log like all else, so that a replay makes them too.

use consort_bandit::{
    CannotMerge, InvalidConfig, Persist, codec, inference::Settings, linear::Ridge,
};
use consort_core::{Component, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    domain::Domain,
    fate::Fate,
    spec::{Policy, Spec},
    state::State,
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
            What::Import { tenant, component, model, arms, merge } => {
                let key = (tenant.clone(), *component, change.domain.clone());
                let import = Import { model, arms, merge: *merge, spec: &spec };
                let limits = self.limits();
                let domain = match self.domains.get(&key) {
                    Some(domain) => Ok(domain.clone()),
                    None => Domain::new(spec.clone(), version, limits),
                };
                match domain.map_err(|_| ()).and_then(|domain| import.into(domain, change.version))
                {
                    Ok(domain) => {
                        for arm in domain.arms() {
                            let watched = (tenant.clone(), *component, arm.name.clone());
                            self.ledger.health.entry(watched).or_default();
                        }
                        self.domains.insert(key, domain);
                        self.ledger.specs.insert(change.domain.clone(), (change.version, spec));
                        true
                    }
                    Err(()) => false,
                }
            }
        };
        if !done {
            return Fate::Refused;
        }
        if let What::Import { model, .. } = &mut change.what {
            // The history tells that it happened; the log has the model.
            model.clear();
        }
        self.remember(change);
        Fate::Changed
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
        let of_domain = |(key, _): &(&super::state::Key, &mut Domain)| key.2 == change.domain;
        let switched = self
            .domains
            .iter_mut()
            .filter(of_domain)
            .all(|(_, domain)| domain.switch(spec, change.version, limits));
        self.ledger.specs.insert(change.domain.clone(), (change.version, spec.clone()));
        switched
    }
}

struct Import<'a> {
    model: &'a str,
    arms: &'a [String],
    merge: bool,
    spec: &'a Spec,
}

impl Import<'_> {
    fn into(self, domain: Domain, version: u64) -> Result<Domain, ()> {
        let theirs = unhex(self.model).ok_or(())?;
        let theirs: Ridge = codec::from_bytes(&theirs).map_err(drop)?;
        let names: Vec<&str> = domain.arms().iter().map(|arm| arm.name.as_str()).collect();
        // Arms are told apart by their index: both must mean the same by it.
        let agree = names.iter().zip(self.arms).all(|(ours, theirs)| *ours == theirs.as_str());
        if !agree || self.arms.len() > self.spec.arms {
            return Err(());
        }
        let merge = self.merge;
        let change = |policy: Policy| -> Result<Policy, Cannot> {
            let exploration = policy.exploration();
            let mut model = policy.into_model();
            if merge {
                model.merge(&theirs)?;
            } else if model.config() == theirs.config() {
                model = theirs;
            } else {
                return Err(Cannot);
            }
            Ok(Policy::new(model, exploration)?)
        };
        let mut domain = domain;
        domain.learner = domain.learner.with_policy(change).map_err(drop)?;
        domain.adopt(self.arms, version).map_err(drop)?;
        Ok(domain)
    }
}

struct Cannot;

impl From<CannotMerge> for Cannot {
    fn from(_: CannotMerge) -> Self {
        Self
    }
}

impl From<InvalidConfig> for Cannot {
    fn from(_: InvalidConfig) -> Self {
        Self
    }
}

/// The stored form of a state as hexadecimal digits.
pub fn hex<T: Persist>(state: &T) -> String {
    codec::to_bytes(state).iter().fold(String::new(), |mut text, byte| {
        text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(*high)? << 4 | digit(*low)?).ok(),
            _ => None,
        })
        .collect()
}
