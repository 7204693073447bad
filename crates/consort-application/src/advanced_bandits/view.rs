//! What is told of domains, arms and decisions. Computed from the state; nothing is made up.

use consort_bandit::{ArmSet, inference::Phase};
use consort_core::{Component, Decision, StepError, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::learning::{Change, Domain, Ended, Key, Spec, Standing, State, Trial};

/// One arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Arm {
    /// Its name.
    pub name: String,
    /// Times it was chosen.
    pub chosen: u64,
    /// Rewards it was learned from.
    pub pulls: u64,
    /// Mean reward; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// Where the mean lies, at all times at once with 95 % confidence; absent without a reward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<(f64, f64)>,
    /// Share among the last 256 decisions; absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Health; absent without a reward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<f64>,
    /// Where it stands.
    #[serde(flatten)]
    pub standing: Standing,
}

/// What is known of a domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// The domain.
    pub domain: String,
    /// What kind of thing it chooses.
    pub component: Component,
    /// How it decides.
    pub spec: Spec,
    /// Version of its policy.
    pub version: u64,
    /// Decisions made.
    pub decisions: u64,
    /// Rewards learned.
    pub rewards: u64,
    /// Decisions that wait for a reward.
    pub open: u64,
    /// Mean reward over all arms; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// Its arms, in the order in which they became known.
    pub arms: Vec<Arm>,
    /// Changes of its policy, oldest first.
    pub history: Vec<Change>,
}

/// How the arms of a domain compare.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Compared {
    /// What kind of thing it chooses.
    pub component: Component,
    /// Pairs whose intervals do not meet: the first is better than the second, in the mixture
    /// of situations in which each was chosen.
    pub better: Vec<(String, String)>,
    /// The arm that is better than all others, if there is one by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<String>,
    /// The arms.
    pub arms: Vec<Arm>,
}

fn arms(state: &State, key: &Key, domain: &Domain, now: Timestamp) -> Vec<Arm> {
    let (tenant, component, _) = key;
    let limits = state.config().health;
    let arm = |(at, stats): (usize, &crate::learning::ArmStats)| {
        let window = state.health().get(&(tenant.clone(), *component, stats.name.clone()));
        Arm {
            name: stats.name.clone(),
            chosen: stats.chosen,
            pulls: stats.rewards,
            mean: stats.mean(),
            interval: stats.interval().map(|interval| (interval.low, interval.high)),
            share: domain.share(at),
            health: window.and_then(|window| window.health(&limits)),
            standing: window.map_or(Standing::Enabled, |window| window.standing(now.0)),
        }
    };
    domain.arms().iter().enumerate().map(arm).collect()
}

/// The domains of a tenant, or the one of this name, as they are `now`.
pub fn summaries(state: &State, tenant: &str, name: Option<&str>, now: Timestamp) -> Vec<Summary> {
    let wanted = |key: &Key| key.0 == tenant && name.is_none_or(|name| key.2 == name);
    let domains = state.domains().iter().filter(|(key, _)| wanted(key));
    let summary = |(key, domain): (&Key, &Domain)| {
        let arms = arms(state, key, domain, now);
        let rewards: u64 = domain.arms().iter().map(|arm| arm.rewards).sum();
        let sum: f64 = domain.arms().iter().map(|arm| arm.sum).sum();
        Summary {
            domain: key.2.clone(),
            component: key.1,
            spec: domain.spec().clone(),
            version: domain.version(),
            decisions: arms.iter().map(|arm| arm.chosen).sum(),
            rewards,
            open: domain.learner().waiting().0 as u64,
            mean: (rewards > 0).then(|| sum / rewards as f64),
            arms,
            history: state.history().iter().filter(|change| change.is_of(key)).cloned().collect(),
        }
    };
    domains.map(summary).collect()
}

/// How the arms of a domain compare `now`, for each kind of component that it chooses.
pub fn compare(state: &State, tenant: &str, name: &str, now: Timestamp) -> Vec<Compared> {
    let domains = state.domains().iter().filter(|(key, _)| key.0 == tenant && key.2 == name);
    let compared = |(key, domain): (&Key, &Domain)| {
        let arms = arms(state, key, domain, now);
        let beats = |a: &Arm, b: &Arm| match (a.interval, b.interval) {
            (Some((low, _)), Some((_, high))) => low > high,
            _ => false,
        };
        let pairs = arms.iter().flat_map(|a| arms.iter().map(move |b| (a, b)));
        let better: Vec<(String, String)> = pairs
            .filter(|(a, b)| beats(a, b))
            .map(|(a, b)| (a.name.clone(), b.name.clone()))
            .collect();
        let wins = |arm: &&Arm| {
            arms.len() > 1
                && better.iter().filter(|(winner, _)| *winner == arm.name).count() == arms.len() - 1
        };
        Compared {
            component: key.1,
            best: arms.iter().find(wins).map(|arm| arm.name.clone()),
            better,
            arms,
        }
    };
    domains.map(compared).collect()
}

/// What one feature adds to a prediction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// The feature, or the slot that hashed features share.
    pub feature: String,
    /// Its number under the schema.
    pub value: f64,
    /// What it adds to the predicted reward.
    pub effect: f64,
}

/// One candidate of an explained decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// True for the one that was chosen.
    pub chosen: bool,
    /// Its probability at the decision.
    pub probability: f64,
    /// Its predicted reward at the decision, where the policy had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// Why it could not be chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// Its predicted reward by what is known now; absent when the policy is not known any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<f64>,
    /// What each feature adds to that, the largest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// What no feature accounts for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<f64>,
}

/// Takes a recorded decision apart: its odds as they were, and what each feature contributes by
/// what is known now.
///
/// # Errors
///
/// `invalid_request` when the features do not fit the domain's schema any more.
pub fn explain(
    state: &State,
    tenant: &str,
    decision: &Decision,
) -> Result<Vec<Candidate>, StepError> {
    let question = &decision.question;
    let key = (tenant.to_owned(), question.component, question.domain.clone());
    let domain = state.domains().get(&key);
    let explained = match domain {
        Some(domain) => {
            let (x, places) = (domain.encode(question)?, domain.places(&question.candidates)?);
            let available: ArmSet = places.iter().copied().collect();
            let explained = domain.learner().policy().explain(&x, &available);
            explained.ok().map(|explained| (domain, places, explained))
        }
        None => None,
    };
    let candidate = |(at, name): (usize, &String)| {
        let skipped = decision.skipped.iter().find(|skip| skip.candidate == at);
        let mut candidate = Candidate {
            name: name.clone(),
            chosen: at == decision.chosen,
            probability: decision.propensities.get(at).copied().unwrap_or(0.0),
            score: decision.scores.as_ref().and_then(|scores| scores.get(at).copied()),
            skipped: skipped.map(|skip| skip.why.clone()),
            now: None,
            parts: Vec::new(),
            rest: None,
        };
        if let Some((domain, places, explained)) = &explained
            && let Some(arm) = explained.arms.iter().find(|arm| arm.arm == places[at])
        {
            (candidate.now, candidate.rest) = (Some(arm.mean), Some(arm.rest));
            candidate.parts = arm
                .parts
                .iter()
                .map(|part| Part {
                    feature: label(domain, question, part.slot),
                    value: part.value,
                    effect: part.effect,
                })
                .collect();
        }
        candidate
    };
    Ok(question.candidates.iter().enumerate().map(candidate).collect())
}

/// The name of a slot; of a hashed one the features of this question that fall into it.
fn label(domain: &Domain, question: &consort_core::Question, slot: usize) -> String {
    use consort_bandit::features::Fact;
    let hashed = question.features.keys().filter(|name| {
        let place = |namespace: &str, local: &str| {
            domain.schema().place(&Fact::number(namespace, local, 1.0))
        };
        let split = name.split_once('.').and_then(|(namespace, local)| place(namespace, local));
        split.or_else(|| place("any", name)).is_some_and(|(own, _)| own == slot)
    });
    let names: Vec<&str> = hashed.map(String::as_str).collect();
    if names.is_empty() {
        return domain.schema().label(slot).unwrap_or_else(|| format!("slot {slot}"));
    }
    names.join(" + ")
}

/// One side of an experiment that serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Served {
    /// Rewards that it earned itself.
    pub rewards: u64,
    /// Their mean; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
}

/// A contender.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rival {
    /// Its name.
    pub name: String,
    /// `shadow`, `canary`, `promoted`, or `withdrawn` with the reason.
    #[schemars(with = "serde_json::Value")]
    pub phase: Phase,
    /// Decisions that it was watched at, without serving.
    pub shadowed: u64,
    /// Of these, how often it preferred what was done.
    pub agreed: u64,
    /// Of these, how often it could not answer.
    pub failed: u64,
    /// What it earned itself. What it would have earned in the shadow nobody knows.
    #[serde(flatten)]
    pub served: Served,
    /// Evidence that it is better, from 1; at `promoted_at` it is promoted.
    pub better: f64,
    /// Evidence that it is worse, from 1; at `withdrawn_at` it is withdrawn.
    pub worse: f64,
    /// Rewards outside the declared range.
    pub clipped: u64,
}

/// An experiment as it is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tried {
    /// The domain.
    pub domain: String,
    /// What kind of thing it chooses.
    pub component: Component,
    /// Log time of its start in milliseconds.
    pub started: u64,
    /// Why.
    pub why: String,
    /// Share of the requests that all contenders together serve.
    pub share: f64,
    /// Evidence at which a contender is promoted.
    pub promoted_at: f64,
    /// Evidence at which one is withdrawn.
    pub withdrawn_at: f64,
    /// The policy in use.
    pub control: Served,
    /// Who contends with it.
    pub candidates: Vec<Rival>,
    /// Its end; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

/// The experiments of a tenant: those that run, then the others, the last one first.
pub fn experiments(state: &State, tenant: &str) -> Vec<Tried> {
    let past: Vec<_> = state.past_trials().collect();
    let all = state.trials().chain(past.into_iter().rev());
    all.filter(|(key, _)| key.0 == tenant).map(|(key, trial)| tried(key, trial)).collect()
}

fn tried(key: &Key, trial: &Trial) -> Tried {
    let rival = |(at, name): (usize, &String)| {
        let standing = trial.experiment.standing(at)?;
        Some(Rival {
            name: name.clone(),
            phase: standing.phase,
            shadowed: standing.shadowed,
            agreed: standing.agreed,
            failed: standing.failed,
            served: Served { rewards: standing.rewards, mean: standing.mean },
            better: standing.better,
            worse: standing.worse,
            clipped: standing.clipped,
        })
    };
    let (rewards, mean) = trial.experiment.control();
    let settings = trial.settings;
    Tried {
        domain: key.2.clone(),
        component: key.1,
        started: trial.started,
        why: trial.why.clone(),
        share: settings.share,
        promoted_at: trial.names.len() as f64 / settings.promote_alpha,
        withdrawn_at: 1.0 / settings.withdraw_alpha,
        control: Served { rewards, mean },
        candidates: trial.names.iter().enumerate().filter_map(rival).collect(),
        ended: trial.ended.clone(),
    }
}
