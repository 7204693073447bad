//! `advanced_bandits`: choices for those outside of runs, and the policies behind all choices:
//! looked at, compared, switched, carried from one installation to another.

mod experiments;
pub mod view;

use std::collections::BTreeMap;

use consort_core::{
    Category, Component, Context, Decision, Descriptor, Durability, Kind, Layer, Name,
    Orchestrator, Outcome, Request, StepError, StepResult, Timestamp, Version,
    learning::{Feedback, Record, Source, Subject},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use experiments::Action;
use view::{Compared, Summary, Tried};

use crate::learning::{Change, Evaluate, Evaluation, Fate, Learning, Spec, What, hex, tried};

/// A model on its way from one installation to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exported {
    /// The domain.
    pub domain: String,
    /// What kind of thing is chosen.
    pub component: Component,
    /// How it decides.
    pub spec: Spec,
    /// Names of the arms, in the model's order.
    pub arms: Vec<String>,
    /// The model, as hexadecimal digits of its stored form.
    pub model: String,
    /// Rewards that it learned from.
    pub seen: u64,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "operation", rename_all = "snake_case", deny_unknown_fields)]
pub enum Operation {
    /// Choose one of the candidates.
    Decide {
        /// What kind of thing is chosen.
        component: Component,
        /// The point of choice.
        domain: String,
        /// What can be chosen.
        candidates: Vec<String>,
        /// What is known about the situation.
        #[serde(default)]
        features: BTreeMap<String, f64>,
    },
    /// Say what came of a choice.
    Reward {
        /// The decision's id.
        decision: String,
        /// From 0 to 1.
        reward: f64,
        /// A repeat carries the same id. Default: one for each decision.
        #[serde(default)]
        id: Option<String>,
    },
    /// Tell of one domain, or of all.
    Summary {
        /// Which one.
        #[serde(default)]
        domain: Option<String>,
    },
    /// Compare the arms of a domain.
    Compare {
        /// Which one.
        domain: String,
    },
    /// Tell what another policy would have earned, from what is on record.
    Evaluate {
        /// The domain.
        domain: String,
        /// What kind of thing it chooses.
        component: Component,
        /// The policy.
        policy: Box<Spec>,
        /// Decisions from then on, in milliseconds of Unix time. Default: all on record.
        #[serde(default)]
        since: Timestamp,
    },
    /// Try other policies on a share of the requests.
    Experiment {
        /// What is to be done.
        action: Action,
    },
    /// Decide by another policy from now on.
    SwitchPolicy {
        /// The domain.
        domain: String,
        /// Its new policy.
        spec: Spec,
        /// Why; kept in the history.
        why: String,
    },
    /// Give out what a domain has learned.
    Export {
        /// The domain.
        domain: String,
        /// What kind of thing it chooses.
        component: Component,
    },
    /// Take in what was learned elsewhere.
    Import {
        /// What `export` gave.
        exported: Exported,
        /// Adds to what is known instead of replacing it. What both know already would count
        /// twice: merge only what was learned apart.
        #[serde(default)]
        merge: bool,
        /// Why; kept in the history.
        why: String,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// The choice, with its odds.
    Decided {
        /// The decision.
        decision: Box<Decision>,
        /// The chosen candidate.
        choice: String,
    },
    /// What became of the reward.
    Rewarded {
        /// Its fate.
        fate: Fate,
    },
    /// What is known of each domain.
    Summary {
        /// The domains.
        domains: Vec<Summary>,
    },
    /// How the arms of a domain compare.
    Compared {
        /// One entry for each kind of component that the domain chooses.
        domains: Vec<Compared>,
    },
    /// What another policy would have earned.
    Evaluated(Box<Evaluation>),
    /// Experiments that run and that ended.
    Experiments {
        /// Running ones first, then the others, the last one first.
        experiments: Vec<Tried>,
    },
    /// The policy was changed.
    Changed {
        /// The version that it now has.
        version: u64,
    },
    /// What a domain has learned.
    Exported(Box<Exported>),
}

impl Request for Operation {
    const CALLEE: &'static str = "advanced_bandits";
    type Response = Answer;
}

/// The orchestrator.
#[derive(Clone, Debug)]
pub struct AdvancedBandits {
    learning: Learning,
}

impl AdvancedBandits {
    /// On this learning.
    pub fn new(learning: Learning) -> Self {
        Self { learning }
    }

    async fn reward(
        &self,
        cx: &Context,
        decision: String,
        reward: f64,
        id: Option<String>,
    ) -> Result<Fate, StepError> {
        let id = id.unwrap_or_else(|| format!("reward:{decision}"));
        let rules = [
            ((0.0..=1.0).contains(&reward), "/reward", "must be from 0 to 1"),
            ((1..=512).contains(&decision.len()), "/decision", "must have 1 to 512 bytes"),
            ((1..=520).contains(&id.len()), "/id", "must have 1 to 520 bytes"),
        ];
        if let Some((_, field, rule)) = rules.into_iter().find(|(kept, ..)| !kept) {
            return Err(StepError::new(Category::InvalidRequest, "the reward cannot be taken")
                .violation(field, rule));
        }
        let feedback = Feedback {
            id,
            tenant: cx.tenant().clone(),
            source: Source::AgentTask,
            subject: Subject::Decision(decision),
            reward,
            confidence: 1.0,
            category: None,
            at: self.learning.now(),
            metadata: serde_json::Value::Null,
        };
        let kind = self.learning.kind_of(&feedback);
        self.learning.settle(Some(kind), Record::Feedback(Box::new(feedback))).await
    }

    async fn change(&self, domain: String, why: String, what: What) -> Result<u64, StepError> {
        let at = self.learning.now();
        let change = Change { domain: domain.clone(), version: 0, at, why, what };
        self.learning.state().allows(&change)?;
        if self.learning.settle(None, change.record()?).await? == Fate::Changed {
            return Ok(self.learning.state().spec(&domain).0);
        }
        // Something came in between.
        self.learning.state().allows(&change)?;
        Err(tried(&domain))
    }

    fn export(&self, cx: &Context, domain: &str, kind: Component) -> Result<Exported, StepError> {
        let state = self.learning.state();
        let key = (cx.tenant().to_string(), kind, domain.to_owned());
        let known = state.domains().get(&key).ok_or_else(|| unknown(domain))?;
        Ok(Exported {
            domain: domain.to_owned(),
            component: kind,
            spec: known.spec().clone(),
            arms: known.arms().iter().map(|arm| arm.name.clone()).collect(),
            model: hex(known.learner().policy().model()),
            seen: known.learner().counters().learned,
        })
    }
}

fn unknown(domain: &str) -> StepError {
    StepError::new(Category::NotFound, format!("nothing was decided in domain `{domain}` yet"))
        .hint("`consort policies` lists the domains")
}

impl Orchestrator for AdvancedBandits {
    type Request = Operation;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: Name::new(Operation::CALLEE).expect("a valid name"),
            version: Version::new(1, 2, 0),
            layer: Layer::Application,
            kind: Kind::Adaptive,
            durability: Durability::Ephemeral,
            purpose: "Chooses among candidates by contextual bandits, and keeps their policies"
                .into(),
        }
    }

    async fn orchestrate(&self, cx: &Context, request: Operation) -> StepResult<Answer> {
        let tenant = cx.tenant().as_str();
        let answer = match request {
            Operation::Decide { component, domain, candidates, features } => {
                let candidates: Vec<&str> = candidates.iter().map(String::as_str).collect();
                let features: Vec<(&str, f64)> =
                    features.iter().map(|(name, value)| (name.as_str(), *value)).collect();
                let decision = cx.decide(component, &domain, &candidates, &features)?;
                let choice = decision.choice().to_owned();
                Answer::Decided { choice, decision: Box::new(decision) }
            }
            Operation::Reward { decision, reward, id } => {
                Answer::Rewarded { fate: self.reward(cx, decision, reward, id).await? }
            }
            Operation::Summary { domain } => {
                let domains = {
                    let (state, now) = (self.learning.state(), self.learning.now());
                    view::summaries(&state, tenant, domain.as_deref(), now)
                };
                match domain {
                    Some(domain) if domains.is_empty() => return Err(unknown(&domain)),
                    _ => Answer::Summary { domains },
                }
            }
            Operation::Compare { domain } => {
                let domains = {
                    let (state, now) = (self.learning.state(), self.learning.now());
                    view::compare(&state, tenant, &domain, now)
                };
                if domains.is_empty() {
                    return Err(unknown(&domain));
                }
                Answer::Compared { domains }
            }
            Operation::Evaluate { domain, component, policy, since } => {
                let tenant = tenant.to_owned();
                let asked = Evaluate { tenant, component, domain, policy: *policy, since };
                Answer::Evaluated(Box::new(self.learning.evaluate(&asked).await?))
            }
            Operation::Experiment { action } => {
                self.experiment(tenant, action).await?;
                Answer::Experiments {
                    experiments: view::experiments(&self.learning.state(), tenant),
                }
            }
            Operation::SwitchPolicy { domain, spec, why } => {
                spec.check(&domain)?;
                let version = self.change(domain, why, What::Spec { spec }).await?;
                Answer::Changed { version }
            }
            Operation::Export { domain, component } => {
                Answer::Exported(Box::new(self.export(cx, &domain, component)?))
            }
            Operation::Import { exported, merge, why } => {
                let Exported { domain, component, spec, arms, model, .. } = exported;
                let (tenant, spec) = (tenant.to_owned(), Some(Box::new(spec)));
                let what = What::Import { tenant, component, model, arms, spec, merge };
                Answer::Changed { version: self.change(domain, why, what).await? }
            }
        };
        Ok(Outcome::succeeded(answer))
    }
}
