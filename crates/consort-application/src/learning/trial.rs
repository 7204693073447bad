//! Experiments at points of choice: contenders beside the policy in use, as part of the pure
//! state. They are watched first, serve a share of the requests then, and are promoted or
//! withdrawn by evidence that may be looked at after every reward.
//!
//! A contender learns from every reward of the domain, whoever served: what it has not chosen
//! itself teaches it too, but counts neither for nor against it.

use consort_bandit::inference::{Allocation, Experiment, Phase, Settings};
use consort_core::{
    Category, Component, Decision, Question, Situation, Skipped, StepError, Timestamp,
    learning::Made,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    change::{Change, What},
    domain::{Domain, Odd, Reward},
    spec::Spec,
    state::{Key, State},
};

/// One contender as it is entered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contender {
    /// Its name among those of the experiment: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// How it decides.
    pub spec: Spec,
}

/// How an experiment ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// This contender is the policy now.
    Promoted(String),
    /// Every contender was withdrawn.
    Withdrawn,
    /// Somebody stopped it, for this reason.
    Stopped(String),
}

/// The end and its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ended {
    /// Log time in milliseconds.
    pub at: u64,
    /// How.
    pub how: End,
}

/// An experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Version of the policy from which on decisions belong to it.
    pub version: u64,
    /// Log time of its start in milliseconds.
    pub started: u64,
    /// Why, in the words of whoever started it.
    pub why: String,
    /// Names of the contenders.
    pub names: Vec<String>,
    /// Shares and evidence that are asked for.
    pub settings: Settings,
    /// What is known.
    pub experiment: Experiment,
    /// Its end; none while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

/// Who served a decision, and in the experiment of which version.
pub(super) type Served = (u64, Allocation);

/// Ended experiments that are remembered.
const PAST: usize = 100;
/// Most contenders of one experiment.
const CONTENDERS: usize = 16;
/// Separates the rule from the contender in the name of a policy.
const MARK: char = '+';

impl Contender {
    /// Checks names and specs of all contenders of a domain, and the settings.
    ///
    /// # Errors
    ///
    /// `invalid_request` or `configuration` naming what is wrong.
    pub fn check(all: &[Self], domain: &str, settings: Settings) -> Result<(), StepError> {
        let wrong = |field: String, why: String| {
            Err(StepError::new(Category::InvalidRequest, "the experiment cannot be started")
                .violation(field, why))
        };
        if all.len() > CONTENDERS {
            return wrong("/candidates".into(), format!("must be at most {CONTENDERS}"));
        }
        for (at, contender) in all.iter().enumerate() {
            let name = &contender.name;
            let fit = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if name.is_empty() || name.len() > 64 || !name.chars().all(fit) {
                let why = "must be 1 to 64 letters, digits, `-`, `_` or `.`".to_owned();
                return wrong(format!("/candidates/{at}/name"), why);
            }
            if all[..at].iter().any(|other| other.name == *name) {
                return wrong(format!("/candidates/{at}/name"), "is there twice".into());
            }
            contender.spec.check(domain)?;
        }
        match Experiment::new(all.len(), 0, settings) {
            Ok(_) => Ok(()),
            Err(error) => wrong(format!("/{}", error.key), error.rule.into()),
        }
    }
}

impl State {
    /// Experiments that run, by their point of choice.
    pub fn trials(&self) -> impl Iterator<Item = (&Key, &Trial)> {
        self.ledger.trials.iter()
    }

    /// Experiments that ended, oldest first; the last hundred.
    pub fn past_trials(&self) -> impl Iterator<Item = (&Key, &Trial)> {
        self.ledger.past.iter().map(|(key, trial)| (key, trial))
    }

    /// True while an experiment runs at any point of choice of this name.
    pub fn is_tried(&self, domain: &str) -> bool {
        self.ledger.trials.keys().any(|key| key.2 == domain)
    }

    /// Begins an experiment; false when it cannot be.
    pub(super) fn start_trial(
        &mut self,
        key: Key,
        change: &Change,
        contenders: &[Contender],
        settings: Settings,
    ) -> bool {
        let (version, limits) = (change.version, self.limits());
        let usable = Contender::check(contenders, &key.2, settings).is_ok();
        let Some(domain) = self.domains.get_mut(&key) else { return false };
        if !usable || self.ledger.trials.contains_key(&key) {
            return false;
        }
        let mut rivals = Vec::with_capacity(contenders.len());
        for contender in contenders {
            let mut rival = domain.clone();
            if contender.spec.arms < domain.arms().len()
                || !rival.switch(&contender.spec, version, limits)
            {
                return false;
            }
            rivals.push(rival);
        }
        let salt = self.ledger.position;
        let Ok(experiment) = Experiment::new(contenders.len(), salt, settings) else {
            return false;
        };
        domain.renumber(version);
        let spec = domain.spec().clone();
        self.ledger.specs.insert(key.2.clone(), (version, spec));
        let trial = Trial {
            version,
            started: self.ledger.now,
            why: change.why.clone(),
            names: contenders.iter().map(|contender| contender.name.clone()).collect(),
            settings,
            experiment,
            ended: None,
        };
        self.ledger.trials.insert(key.clone(), trial);
        self.rivals.insert(key, rivals);
        true
    }

    /// Ends an experiment; false when none runs.
    pub(super) fn end_trial(&mut self, key: &Key, how: End) -> bool {
        let Some(mut trial) = self.ledger.trials.remove(key) else { return false };
        self.rivals.remove(key);
        trial.ended = Some(Ended { at: self.ledger.now, how });
        self.ledger.past.push_back((key.clone(), trial));
        if self.ledger.past.len() > PAST {
            self.ledger.past.pop_front();
        }
        true
    }

    /// The choice of the contender that serves this request, with the name of its policy; none
    /// when the policy in use does.
    pub(super) fn contend(
        &self,
        key: &Key,
        situation: &Situation<'_>,
        question: &Question,
        skipped: &[Skipped],
    ) -> Option<(String, Odd)> {
        let trial = self.ledger.trials.get(key)?;
        let served = match situation.request {
            Some(request) => trial.experiment.allocate(request),
            // Nothing to keep together.
            None => trial.experiment.allocate(&situation.random.bits().to_string()),
        };
        let Allocation::Candidate(at) = served else { return None };
        let rival = self.rivals.get(key)?.get(at)?;
        // A contender that cannot answer leaves the choice to the policy in use.
        let odd = answer(rival, question, skipped, situation.random.unit())?;
        let (domain, rule) = (&key.2, rival.spec().rule_name());
        Some((format!("{domain}/{rule}{MARK}{}", trial.names.get(at)?), odd))
    }

    /// Takes note of a decision: who served it, what the watched ones would have done.
    pub(super) fn tried(&mut self, key: &Key, id: u128, made: &Made) -> Option<Served> {
        let trial = self.ledger.trials.get_mut(key)?;
        let rivals = self.rivals.get_mut(key)?;
        let Decision { question, chosen, skipped, policy, policy_version, .. } = &made.decision;
        let served = match policy.rsplit_once(MARK) {
            None => Some(Allocation::Control),
            Some((_, name)) => {
                trial.names.iter().position(|own| own == name).map(Allocation::Candidate)
            }
        };
        let own = *policy_version >= trial.version;
        for (at, rival) in rivals.iter_mut().enumerate() {
            if own && served == Some(Allocation::Control) {
                let best = answer(rival, question, skipped, 0.0);
                let best = best.map(|odd| likeliest(&odd.propensities));
                trial.experiment.shadowed(at, best == Some(*chosen), best.is_none());
            }
            rival.made(id, made.at.0, &made.decision);
        }
        served.filter(|_| own).map(|served| (trial.version, served))
    }

    /// Takes note of a reward that the policy in use has learned from.
    pub(super) fn tried_reward(
        &mut self,
        key: &Key,
        decision: u128,
        served: Option<Served>,
        reward: Reward,
    ) {
        let Some(trial) = self.ledger.trials.get_mut(key) else { return };
        if let Some((version, allocation)) = served
            && version == trial.version
        {
            // The learner has checked the value.
            let _ = trial.experiment.reward(allocation, reward.value);
        }
        for rival in self.rivals.get_mut(key).into_iter().flatten() {
            rival.reward(decision, reward);
        }
        self.settle(key);
    }

    /// Ends the experiment once it is decided.
    pub(super) fn settle(&mut self, key: &Key) {
        let Some(trial) = self.ledger.trials.get(key) else { return };
        let phase = |at| trial.experiment.standing(at).map(|standing| standing.phase);
        let mut all = 0..trial.names.len();
        if let Some(winner) = all.clone().find(|at| phase(*at) == Some(Phase::Promoted)) {
            self.promote(key, winner);
        } else if all.all(|at| matches!(phase(at), Some(Phase::Withdrawn(_)))) {
            self.end_trial(key, End::Withdrawn);
        }
    }

    /// Makes a contender the policy in use, with all that it has learned.
    fn promote(&mut self, key: &Key, winner: usize) {
        let name = self.ledger.trials.get(key).and_then(|trial| trial.names.get(winner)).cloned();
        let rival = self.rivals.get_mut(key).and_then(|rivals| rivals.get(winner)).cloned();
        let (Some(name), Some(mut rival)) = (name, rival) else { return };
        let (version, limits) = (self.spec(&key.2).0 + 1, self.limits());
        let spec = rival.spec().clone();
        rival.renumber(version);
        self.domains.insert(key.clone(), rival);
        // A policy is that of the domain, for all who decide there.
        let others = self.domains.iter_mut().filter(|(other, _)| other.2 == key.2 && *other != key);
        others.for_each(|(_, domain): (&Key, &mut Domain)| {
            domain.switch(&spec, version, limits);
        });
        self.ledger.specs.insert(key.2.clone(), (version, spec.clone()));
        self.remember(Change {
            domain: key.2.clone(),
            version,
            at: Timestamp(self.ledger.now),
            why: format!("`{name}` was promoted by its experiment"),
            what: What::Spec { spec },
        });
        self.end_trial(key, End::Promoted(name));
    }
}

/// What a contender would do; none when it cannot tell, or when the one candidate that it stands
/// for cannot be chosen: what another one earns then says nothing about it.
fn answer(rival: &Domain, question: &Question, skipped: &[Skipped], random: f64) -> Option<Odd> {
    if let Some(fixed) = &rival.spec().fixed {
        let at = question.candidates.iter().position(|name| name == fixed)?;
        if skipped.iter().any(|skip| skip.candidate == at) {
            return None;
        }
    }
    rival.decide(question, skipped, random).ok()
}

/// Index of the largest share, the first of equals.
fn likeliest(shares: &[f64]) -> usize {
    (1..shares.len()).fold(0, |best, at| if shares[at] > shares[best] { at } else { best })
}

/// The point of choice of a tenant.
pub(super) fn key(tenant: &str, component: Component, domain: &str) -> Key {
    (tenant.to_owned(), component, domain.to_owned())
}
