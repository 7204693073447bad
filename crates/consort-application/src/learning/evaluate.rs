//! What another policy would have earned, from the learner's own log: nothing is served, nothing
//! is changed.
//!
//! The log is gone through once. At each decision of the domain the judged policy, which has
//! learned from the rewards that had come by then, is asked for its odds; the decision and the
//! mean of its rewards become a row of an off-policy log. So the policy never sees the reward
//! that judges it, and its odds are a function of the past, as the intervals require.

use std::collections::{BTreeMap, HashMap};

use consort_bandit::{
    inference::{EmpiricalBernstein, OffPolicy, Step},
    ope::{Diagnostics, Estimate, Estimator, Family, Gate, Log, Row},
};
use consort_core::{
    Category, Component, Decision, StepError, Timestamp,
    learning::{LearningLog, Made, Record},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    config::Config,
    domain::{Domain, Reward},
    read_through,
    spec::Spec,
    state::{State, digest},
};

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Whose decisions.
    pub tenant: String,
    /// Of which kind.
    pub component: Component,
    /// Of which point of choice.
    pub domain: String,
    /// Which policy.
    pub policy: Spec,
    /// Decisions from then on; the policy learns from earlier ones too.
    pub since: Timestamp,
}

/// One estimate of the judged policy's mean reward.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Named {
    /// The estimator, as the off-policy literature calls it.
    pub estimator: String,
    /// Mean reward for each decision.
    pub value: f64,
    /// Its standard error; knows nothing of bias.
    pub standard_error: f64,
}

/// What the log says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evaluation {
    /// Decisions in the window.
    pub decisions: u64,
    /// Those of them that were rewarded: the rows of every estimate. If rewards are missing for
    /// a reason that has to do with the choice, nothing here knows.
    pub rows: u64,
    /// Mean reward of what was done; absent without a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logged: Option<f64>,
    /// Where that mean lies, at all times at once with 95 % confidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logged_interval: Option<(f64, f64)>,
    /// The estimate to go by: doubly robust, its largest weight chosen by the log (SLOPE).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Named>,
    /// Where the policy's mean lies, at all times at once with 95 % confidence (doubly robust
    /// empirical Bernstein).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<(f64, f64)>,
    /// Other estimators, to see how far they agree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Named>,
    /// How many rows of the policy's own log these are worth.
    pub effective: f64,
    /// Largest weight of a row.
    pub max_weight: f64,
    /// Mean weight: 1 when the recorded probabilities are right.
    pub mean_weight: f64,
    /// Share of the policy's choices that the log never tried.
    pub unsupported: f64,
    /// Why the log cannot answer; then there is no estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// Largest correction that one row may make to the interval, in units of the reward.
const CORRECTION: f64 = 30.0;
/// One minus the confidence of intervals.
const ALPHA: f64 = 0.05;

/// Judges a policy by the log, up to its position `until`.
///
/// # Errors
///
/// Those of the log; `configuration` for a spec that cannot be; `not_found` when nothing of the
/// domain was decided.
pub async fn evaluate(
    log: &dyn LearningLog,
    config: Config,
    until: u64,
    asked: &Question,
) -> Result<Evaluation, StepError> {
    let first = log.extent().await?.first;
    let before = first.saturating_sub(1);
    let mut judge = Judge::new(config, before, asked)?;
    read_through(log, before, until, |position, record| judge.take(position, record)).await?;
    judge.verdict()
}

/// One candidate at one decision.
#[derive(Clone, Copy, Debug)]
struct Cell {
    arm: usize,
    target: f64,
    logging: f64,
    predicted: f64,
}

/// One decision of the window.
#[derive(Debug)]
struct Line {
    cells: Vec<Cell>,
    chosen: usize,
    propensity: f64,
    /// Weighted sum of its rewards, and of their weights.
    rewards: (f64, f64),
}

struct Judge<'a> {
    asked: &'a Question,
    /// Follows the log to know which reward reaches which decision.
    state: State,
    /// The judged policy.
    policy: Domain,
    arms: BTreeMap<String, usize>,
    lines: Vec<Line>,
    by_decision: HashMap<u128, usize>,
    decided: bool,
}

impl<'a> Judge<'a> {
    fn new(config: Config, before: u64, asked: &'a Question) -> Result<Self, StepError> {
        let mut state = State::traced(config);
        state.ledger.position = before;
        asked.policy.check(&asked.domain)?;
        let policy = Domain::new(asked.policy.clone(), 1, state.limits()).map_err(|error| {
            StepError::new(Category::Configuration, "the policy cannot be judged").because(&error)
        })?;
        let (arms, lines, by_decision) = (BTreeMap::new(), Vec::new(), HashMap::new());
        Ok(Self { asked, state, policy, arms, lines, by_decision, decided: false })
    }

    fn take(&mut self, position: u64, record: &Record) -> Result<(), StepError> {
        if let Record::Made(made) = record
            && made.tenant.as_str() == self.asked.tenant
            && made.decision.question.component == self.asked.component
            && made.decision.question.domain == self.asked.domain
        {
            self.decide(made)?;
        }
        self.state.apply(position, record);
        for (decision, reward) in self.state.take_taught() {
            self.policy.reward(decision, reward);
            if let Some(&line) = self.by_decision.get(&decision) {
                let Reward { value, weight, .. } = reward;
                let rewards = &mut self.lines[line].rewards;
                *rewards = (rewards.0 + weight * value, rewards.1 + weight);
            }
        }
        Ok(())
    }

    fn decide(&mut self, made: &Made) -> Result<(), StepError> {
        self.decided = true;
        let Decision { id, question, chosen, propensities, skipped, .. } = &made.decision;
        let id = digest(&self.asked.tenant, "decision", id);
        if self.by_decision.contains_key(&id) {
            return Ok(());
        }
        let odd = self.policy.decide(question, skipped, 0.0)?;
        if made.at >= self.asked.since {
            for name in &question.candidates {
                let next = self.arms.len();
                self.arms.entry(name.clone()).or_insert(next);
            }
            let cells: Vec<Cell> = question
                .candidates
                .iter()
                .zip(odd.propensities.iter().zip(propensities).zip(&odd.scores))
                .map(|(name, ((&target, &logging), &score))| {
                    let predicted = score.clamp(0.0, 1.0);
                    Cell { arm: self.arms[name], target, logging, predicted }
                })
                .collect();
            let Some(Cell { arm, logging, .. }) = cells.get(*chosen).copied() else {
                return Ok(());
            };
            self.by_decision.insert(id, self.lines.len());
            let (chosen, propensity) = (arm, logging);
            self.lines.push(Line { cells, chosen, propensity, rewards: (0.0, 0.0) });
        }
        self.policy.made(id, made.at.0, &made.decision);
        Ok(())
    }

    fn verdict(self) -> Result<Evaluation, StepError> {
        if !self.decided {
            let message = format!("nothing was decided in domain `{}` yet", self.asked.domain);
            return Err(StepError::new(Category::NotFound, message)
                .hint("`consort policies` lists the domains"));
        }
        let arms = self.arms.len().max(1);
        let mut log = Log::new(arms).map_err(broken)?;
        let mut done = EmpiricalBernstein::new(ALPHA).map_err(broken)?;
        let mut sequence = OffPolicy::new(ALPHA, CORRECTION).map_err(broken)?;
        let mut sum = 0.0;
        for line in self.lines.iter().filter(|line| line.rewards.1 > 0.0) {
            let reward = (line.rewards.0 / line.rewards.1).clamp(0.0, 1.0);
            let (mut target, mut logging) = (vec![0.0; arms], vec![0.0; arms]);
            let mut predicted = vec![0.0; arms];
            for cell in &line.cells {
                target[cell.arm] = cell.target;
                logging[cell.arm] = cell.logging;
                predicted[cell.arm] = cell.predicted;
            }
            let (arm, propensity) = (line.chosen, line.propensity);
            let (target, logging, predicted) = (&target[..], &logging[..], &predicted[..]);
            log.push(&Row { arm, reward, propensity, target, predicted, logging })
                .map_err(broken)?;
            sequence.push(&Step { arm, reward, target, logging, predicted }).map_err(broken)?;
            done.push(reward).map_err(broken)?;
            sum += reward;
        }
        Ok(told(&self.lines, &log, &done, &sequence, sum))
    }
}

fn broken<E: std::error::Error + 'static>(what: E) -> StepError {
    StepError::new(Category::StoreCorrupt, "a logged decision makes no sense").because(&what)
}

/// The estimators told beside the one to go by.
const OTHERS: [(&str, Estimator); 5] = [
    ("dm", Estimator::Dm),
    ("ips", Estimator::Ips),
    ("snips", Estimator::Snips),
    ("dr", Estimator::Dr),
    ("sndr", Estimator::SnDr),
];

fn told(
    lines: &[Line],
    log: &Log,
    done: &EmpiricalBernstein,
    sequence: &OffPolicy,
    sum: f64,
) -> Evaluation {
    let Diagnostics { ess, max_weight, mean_weight, unsupported, .. } = log.diagnostics();
    let rows = log.len();
    let some = rows > 0;
    let mut evaluation = Evaluation {
        decisions: lines.len() as u64,
        rows: rows as u64,
        logged: some.then(|| sum / rows as f64),
        logged_interval: some.then(|| (done.interval().low, done.interval().high)),
        estimate: None,
        interval: None,
        others: Vec::new(),
        effective: ess,
        max_weight,
        mean_weight,
        unsupported: unsupported.unwrap_or(0.0),
        refused: None,
    };
    let named = |estimator: &str, estimate: Estimate| Named {
        estimator: estimator.to_owned(),
        value: estimate.value,
        standard_error: estimate.standard_error,
    };
    let tuned = Gate::default().check(&log.diagnostics()).and_then(|()| {
        let family = Family::SwitchDr;
        log.tune(family, &family.candidates())
    });
    match tuned {
        Err(why) => evaluation.refused = Some(why.to_string()),
        Ok(tuned) => {
            evaluation.estimate = Some(named("switch_dr", tuned.estimate));
            let interval = sequence.interval();
            evaluation.interval = Some((interval.low, interval.high));
            let each = |(name, estimator): &(&str, Estimator)| {
                log.estimate(*estimator).ok().map(|estimate| named(name, estimate))
            };
            evaluation.others = OTHERS.iter().filter_map(each).collect();
        }
    }
    evaluation
}
