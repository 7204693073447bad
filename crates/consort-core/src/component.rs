//! Components and the choices among them; signals that travel up.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Budget, Category, Random, RunId, StepError, TenantId, Timestamp, learning::Made};

/// What kind of thing a run picks or uses.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Component {
    /// A language model.
    Model,
    /// A tool.
    Tool,
    /// An agent.
    Agent,
    /// A prompt variant.
    Prompt,
    /// A threshold.
    Threshold,
    /// A memory.
    Memory,
}

/// A choice to be made: asked by an orchestrator, answered by a [`Decider`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Question {
    /// What is chosen.
    pub component: Component,
    /// The point of choice, e.g. `extraction_method`; 1 to 256 bytes.
    pub domain: String,
    /// What can be chosen; at least one, no two alike, each of 1 to 256 bytes.
    pub candidates: Vec<String>,
    /// What is known about the situation, by name; at most 4,096 finite numbers.
    #[serde(default)]
    pub features: BTreeMap<String, f64>,
}

/// A recorded choice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// Run and position, `run/position`: rewards refer to it.
    pub id: String,
    /// What was asked.
    #[serde(flatten)]
    pub question: Question,
    /// Index of the chosen candidate.
    pub chosen: usize,
    /// Probability of each candidate at this decision; sums to 1.
    pub propensities: Vec<f64>,
    /// The policy's score of each candidate, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scores: Option<Vec<f64>>,
    /// Who chose.
    pub policy: String,
    /// The version of its state.
    pub policy_version: u64,
    /// Candidates that could not be chosen, and why; their probability is 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
}

/// A candidate that was left out of a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Skipped {
    /// Its index.
    pub candidate: usize,
    /// Why, in a few words.
    pub why: String,
}

impl Decision {
    /// The chosen candidate.
    pub fn choice(&self) -> &str {
        &self.question.candidates[self.chosen]
    }

    /// Probability with which it was chosen.
    pub fn propensity(&self) -> f64 {
        self.propensities[self.chosen]
    }
}

/// What a [`Decider`] answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Index of the chosen candidate.
    pub chosen: usize,
    /// Probability of each candidate; sums to 1.
    pub propensities: Vec<f64>,
    /// Score of each candidate, where there is one.
    pub scores: Option<Vec<f64>>,
    /// Name of the policy.
    pub policy: String,
    /// Version of its state.
    pub version: u64,
    /// Candidates that could not be chosen.
    pub skipped: Vec<Skipped>,
}

/// What a [`Decider`] may know besides the question: none of it is learned from.
#[derive(Clone, Copy)]
pub struct Situation<'a> {
    /// Whose work it is.
    pub tenant: &'a TenantId,
    /// The request that the choice is part of: what an experiment keeps together. None outside of
    /// runs, unless the caller named one.
    pub request: Option<&'a str>,
    /// When.
    pub now: Timestamp,
    /// What the run may still spend.
    pub budget: Budget,
    /// Source of the choice's random number.
    pub random: &'a dyn Random,
    /// Whether a capability or orchestrator of that name is registered.
    pub registered: &'a dyn Fn(&str) -> bool,
}

impl fmt::Debug for Situation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Situation").field("tenant", self.tenant).finish_non_exhaustive()
    }
}

/// The port behind [`Context::decide`](crate::Context::decide). Must not block.
pub trait Decider: Send + Sync + fmt::Debug + 'static {
    /// Chooses one of the candidates.
    ///
    /// # Errors
    ///
    /// When the question cannot be answered; the run gets the error.
    fn decide(&self, situation: Situation<'_>, question: &Question) -> Result<Choice, StepError>;

    /// Learns of a decision: of a durable run once it is on record, and again when the run is
    /// taken up after a crash.
    fn made(&self, made: &Made) {
        let _ = made;
    }
}

/// Chooses every candidate with the same probability. The default: it claims to know nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uniform;

impl Decider for Uniform {
    fn decide(&self, situation: Situation<'_>, question: &Question) -> Result<Choice, StepError> {
        let arms = question.candidates.len();
        let unit = situation.random.unit();
        let chosen = ((unit * arms as f64) as usize).min(arms.saturating_sub(1));
        Ok(Choice {
            chosen,
            propensities: vec![1.0 / arms as f64; arms],
            scores: None,
            policy: "uniform".into(),
            version: 1,
            skipped: Vec::new(),
        })
    }
}

/// Bytes of the longest name of a domain, candidate or feature.
const NAME: usize = 256;

/// Features of a question: as many as the largest schema has numbers.
const FEATURES: usize = 4096;

impl Question {
    pub(crate) fn check(&self) -> Result<(), StepError> {
        let refuse = |pointer: &str, rule: &str| {
            Err(StepError::new(Category::InvalidRequest, "the decision cannot be put")
                .violation(pointer, rule))
        };
        let fits = |name: &str| (1..=NAME).contains(&name.len());
        if !fits(&self.domain) {
            return refuse("/domain", "must have 1 to 256 bytes");
        }
        if self.candidates.is_empty() {
            return refuse("/candidates", "needs at least one");
        }
        if let Some(at) = self.candidates.iter().position(|candidate| !fits(candidate)) {
            return refuse(&format!("/candidates/{at}"), "must have 1 to 256 bytes");
        }
        let mut seen = std::collections::BTreeSet::new();
        if !self.candidates.iter().all(|candidate| seen.insert(candidate)) {
            return refuse("/candidates", "no two may be alike");
        }
        if self.features.len() > FEATURES || self.features.keys().any(|name| name.len() > NAME) {
            return refuse("/features", "must be at most 4096, with names of at most 256 bytes");
        }
        match self.features.iter().find(|(_, value)| !value.is_finite()) {
            Some((name, _)) => refuse(&format!("/features/{name}"), "must be a finite number"),
            None => Ok(()),
        }
    }
}

/// News that travels up: a reward or an event about something lower down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Signal {
    /// What happened, e.g. `reward` or `health_changed`.
    pub name: String,
    /// About what: a decision, run or component id.
    pub subject: String,
    /// In [0, 1] for a reward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Anything else.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
}

/// A signal with its sender, as delivered. The same `id` may be delivered again after a crash.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sent {
    /// Run and position.
    pub id: String,
    /// The sender.
    pub run: RunId,
    /// Whose work it is.
    pub tenant: TenantId,
    /// The news.
    pub signal: Signal,
}

/// The port that takes signals upwards. Must not block.
pub trait Signals: Send + Sync + fmt::Debug + 'static {
    /// Takes one signal. `false` when nobody consumes it: it is then reported as unconsumed.
    fn take(&self, sent: &Sent) -> bool;
}

/// Nobody listens yet.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSignals;

impl Signals for NoSignals {
    fn take(&self, _: &Sent) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_out_of_bounds_are_refused_by_their_field() {
        let sound = Question {
            component: Component::Model,
            domain: "route".into(),
            candidates: vec!["a".into(), "größer".into()],
            features: BTreeMap::from([("länge".into(), 1.0)]),
        };
        assert_eq!(sound.check(), Ok(()));
        let refused = |change: &dyn Fn(&mut Question)| {
            let mut question = sound.clone();
            change(&mut question);
            question.check().unwrap_err().violations()[0].pointer.clone()
        };
        let long = "x".repeat(257);
        assert_eq!(refused(&|of| of.domain.clear()), "/domain");
        assert_eq!(refused(&|of| of.domain.clone_from(&long)), "/domain");
        assert_eq!(refused(&|of| of.candidates.clear()), "/candidates");
        assert_eq!(refused(&|of| of.candidates[1].clear()), "/candidates/1");
        assert_eq!(refused(&|of| of.candidates[1].clone_from(&long)), "/candidates/1");
        assert_eq!(refused(&|of| of.candidates[1] = "a".into()), "/candidates");
        assert_eq!(refused(&|of| of.features.extend([("x".into(), f64::NAN)])), "/features/x");
        assert_eq!(refused(&|of| of.features.extend([(long.clone(), 1.0)])), "/features");
        let many = (0..4097).map(|n| (n.to_string(), 1.0));
        assert_eq!(refused(&|of| of.features.extend(many.clone())), "/features");
    }
}
