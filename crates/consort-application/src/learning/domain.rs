//! One point of choice of one tenant: its learner, its arms by name, and what is told of them.

use std::collections::{BTreeMap, VecDeque};

use consort_bandit::{
    ArmSet, InvalidConfig, Odds, Policy as _,
    features::Schema,
    inference::{EmpiricalBernstein, Interval},
    learner::{Applied, Decided, DecisionId, Learner, Limits, Record, RewardId, Rewarded},
};
use consort_core::{Category, Decision, Question, Skipped, StepError};
use serde::{Deserialize, Serialize};

use super::spec::{Policy, Spec, encode};

/// Decisions among which an arm's share is told.
const RECENT: usize = 256;

/// What was seen of one arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmStats {
    /// Its name among the candidates.
    pub name: String,
    /// Times it was chosen.
    pub chosen: u64,
    /// Rewards that were learned.
    pub rewards: u64,
    /// Their sum.
    pub sum: f64,
    /// Confidence sequence for the mean: holds at all times at once, with probability 95 %.
    sequence: EmpiricalBernstein,
}

impl ArmStats {
    fn new(name: &str) -> Result<Self, InvalidConfig> {
        Ok(Self {
            name: name.to_owned(),
            chosen: 0,
            rewards: 0,
            sum: 0.0,
            sequence: EmpiricalBernstein::new(0.05)?,
        })
    }

    /// Mean of its rewards; none before the first.
    pub fn mean(&self) -> Option<f64> {
        (self.rewards > 0).then(|| self.sum / self.rewards as f64)
    }

    /// Where the mean lies; none before the first reward.
    pub fn interval(&self) -> Option<Interval> {
        (self.rewards > 0).then(|| self.sequence.interval())
    }
}

/// What a domain keeps besides its learner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Book {
    pub(super) spec: Spec,
    pub(super) version: u64,
    pub(super) arms: Vec<ArmStats>,
    recent: VecDeque<u16>,
    /// Position of the learner's own log: one for each record it was given.
    tick: u64,
}

/// A learner with the names of its arms.
#[derive(Clone, Debug)]
pub struct Domain {
    pub(super) book: Book,
    pub(super) learner: Learner<Policy>,
    schema: Schema,
    index: BTreeMap<String, usize>,
}

/// What a policy would do, among the candidates of one question.
#[derive(Clone, Debug, PartialEq)]
pub struct Odd {
    /// Probability of each candidate.
    pub propensities: Vec<f64>,
    /// Predicted reward of each candidate.
    pub scores: Vec<f64>,
    /// Index of the candidate that the random number picked.
    pub chosen: usize,
}

impl Domain {
    /// An untaught domain.
    pub(super) fn new(spec: Spec, version: u64, limits: Limits) -> Result<Self, InvalidConfig> {
        let (policy, schema) = spec.build()?;
        let learner = Learner::new(policy, limits)?;
        let book = Book { spec, version, arms: Vec::new(), recent: VecDeque::new(), tick: 0 };
        Ok(Self { book, learner, schema, index: BTreeMap::new() })
    }

    /// From what was stored.
    pub(super) fn restored(book: Book, learner: Learner<Policy>) -> Result<Self, InvalidConfig> {
        let schema = Schema::new(book.spec.features.clone())?;
        let names = book.arms.iter().enumerate();
        let index = names.map(|(at, arm)| (arm.name.clone(), at)).collect();
        Ok(Self { book, learner, schema, index })
    }

    /// How it decides.
    pub fn spec(&self) -> &Spec {
        &self.book.spec
    }

    /// Of its policy; grows with every change.
    pub fn version(&self) -> u64 {
        self.book.version
    }

    /// Its arms in the order in which they became known.
    pub fn arms(&self) -> &[ArmStats] {
        &self.book.arms
    }

    /// The learner.
    pub fn learner(&self) -> &Learner<Policy> {
        &self.learner
    }

    /// How features become numbers.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Share of an arm among the last decisions; none before the first.
    pub fn share(&self, arm: usize) -> Option<f64> {
        let all = self.book.recent.len();
        let own = self.book.recent.iter().filter(|recent| usize::from(**recent) == arm).count();
        (all > 0).then(|| own as f64 / all as f64)
    }

    /// The arm of a candidate.
    pub fn arm(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    /// Numbers of named features.
    ///
    /// # Errors
    ///
    /// `invalid_request` naming the feature that does not fit.
    pub fn encode(&self, question: &Question) -> Result<Vec<f64>, StepError> {
        let mut x = Vec::new();
        encode(&self.schema, &question.features, &mut x)?;
        Ok(x)
    }

    /// The arms of all candidates: of those not yet known, the ones they would get.
    ///
    /// # Errors
    ///
    /// `resource_exhausted` when there are too many.
    pub fn places(&self, candidates: &[String]) -> Result<Vec<usize>, StepError> {
        let mut next = self.book.arms.len();
        let mut place = |name: &String| {
            self.arm(name).unwrap_or_else(|| {
                next += 1;
                next - 1
            })
        };
        let places: Vec<usize> = candidates.iter().map(&mut place).collect();
        if next > self.book.spec.arms {
            let message = format!("more than {} candidates over time", self.book.spec.arms);
            return Err(StepError::new(Category::ResourceExhausted, message)
                .hint("raise `arms` of the domain, or drop candidates that are gone for good"));
        }
        Ok(places)
    }

    /// Decides among the candidates that are not skipped.
    ///
    /// # Errors
    ///
    /// As [`Self::encode`] and [`Self::places`].
    pub fn decide(
        &self,
        question: &Question,
        skipped: &[Skipped],
        unit: f64,
    ) -> Result<Odd, StepError> {
        let (x, places) = (self.encode(question)?, self.places(&question.candidates)?);
        let left_out = |at: usize| skipped.iter().any(|skip| skip.candidate == at);
        let available: ArmSet = places
            .iter()
            .enumerate()
            .filter(|(at, _)| !left_out(*at))
            .map(|(_, arm)| *arm)
            .collect();
        let mut odds = Odds::new();
        self.learner.policy().odds(&x, &available, &mut odds).map_err(|refused| {
            StepError::new(Category::InvalidRequest, "the question cannot be decided")
                .because(&refused)
        })?;
        let of = |values: &[f64]| places.iter().map(|arm| values[*arm]).collect::<Vec<_>>();
        let scores = of(odds.means());
        let fixed = self.book.spec.fixed.as_ref();
        let fixed = fixed.and_then(|name| question.candidates.iter().position(|c| c == name));
        if let Some(fixed) = fixed.filter(|at| !left_out(*at)) {
            return Ok(self.always(fixed, &left_out, scores, unit));
        }
        let arm = odds.pick(unit).arm;
        let chosen = places.iter().position(|place| *place == arm).unwrap_or(0);
        Ok(Odd { propensities: of(odds.probabilities()), scores, chosen })
    }

    /// The fixed candidate, but for what the floor gives to all that can be chosen.
    fn always(
        &self,
        fixed: usize,
        left_out: &dyn Fn(usize) -> bool,
        scores: Vec<f64>,
        unit: f64,
    ) -> Odd {
        let floor = self.book.spec.floor;
        let open = (0..scores.len()).filter(|at| !left_out(*at)).count() as f64;
        let share = |at: usize| match left_out(at) {
            true => 0.0,
            false => floor / open + if at == fixed { 1.0 - floor } else { 0.0 },
        };
        let propensities: Vec<f64> = (0..scores.len()).map(share).collect();
        let mut left = unit;
        let drawn = propensities.iter().position(|p| {
            left -= p;
            left < 0.0
        });
        // Rounding may leave a crumb behind the last candidate.
        Odd { chosen: drawn.unwrap_or(fixed), propensities, scores }
    }

    /// Opens a decision. The arms of its candidates become known, in their order.
    pub(super) fn made(&mut self, id: u128, at: u64, decision: &Decision) -> Applied {
        let refused = Applied::Refused(consort_bandit::Refused::NoArm);
        let question = &decision.question;
        let (Ok(x), Ok(places)) = (self.encode(question), self.places(&question.candidates)) else {
            return refused;
        };
        for (name, place) in question.candidates.iter().zip(&places) {
            if *place == self.book.arms.len()
                && let Ok(stats) = ArmStats::new(name)
            {
                self.book.arms.push(stats);
                self.index.insert(name.clone(), *place);
            }
        }
        let Some(&arm) = places.get(decision.chosen) else { return refused };
        let propensity = decision.propensities.get(decision.chosen).copied().unwrap_or(0.0);
        let decided = Decided { id: DecisionId(id), at, x, arm, propensity };
        let applied = self.apply(&Record::Decided(decided));
        if matches!(applied, Applied::Opened | Applied::OpenedAndLearned { .. }) {
            if let Some(stats) = self.book.arms.get_mut(arm) {
                stats.chosen += 1;
            }
            self.book.recent.push_back(arm as u16);
            if self.book.recent.len() > RECENT {
                self.book.recent.pop_front();
            }
        }
        applied
    }

    /// Learns one reward of a decision.
    pub(super) fn reward(&mut self, decision: u128, reward: Reward) -> Applied {
        let Reward { id, at, value, weight } = reward;
        let (decision, id) = (DecisionId(decision), RewardId(id));
        let applied = self.apply(&Record::Rewarded(Rewarded { decision, id, at, value, weight }));
        if let Applied::Learned { arm } = applied
            && let Some(stats) = self.book.arms.get_mut(arm)
        {
            stats.rewards += 1;
            stats.sum += value;
            // The learner has checked the range.
            let _ = stats.sequence.push(value);
        }
        applied
    }

    /// The same under another number, so that what is decided from now on can be told apart.
    pub(super) fn renumber(&mut self, version: u64) {
        self.book.version = version;
    }

    /// Knows these arms, in this order, and has this version.
    pub(super) fn adopt(&mut self, names: &[String], version: u64) -> Result<(), InvalidConfig> {
        for name in names.iter().skip(self.book.arms.len()) {
            self.index.insert(name.clone(), self.book.arms.len());
            self.book.arms.push(ArmStats::new(name)?);
        }
        self.book.version = version;
        Ok(())
    }

    fn apply(&mut self, record: &Record) -> Applied {
        self.book.tick += 1;
        self.learner.apply(self.book.tick, record)
    }

    /// Goes on under another spec. What was learned is kept where the models have one shape.
    pub(super) fn switch(&mut self, spec: &Spec, version: u64, limits: Limits) -> bool {
        if !spec.fits(&self.book.spec) {
            let Ok(mut fresh) = Self::new(spec.clone(), version, limits) else { return false };
            fresh.book.arms = std::mem::take(&mut self.book.arms);
            fresh.book.recent = std::mem::take(&mut self.book.recent);
            fresh.index = std::mem::take(&mut self.index);
            // More arms than the new shape has cannot be carried over.
            fresh.book.arms.truncate(fresh.book.spec.arms);
            fresh.index.retain(|_, arm| *arm < fresh.book.spec.arms);
            *self = fresh;
            return true;
        }
        let explored = |policy: Policy| policy.switch(spec.exploration());
        match self.learner.clone().with_policy::<_, InvalidConfig>(explored) {
            Ok(learner) => self.learner = learner,
            Err(_) => return false,
        }
        (self.book.spec, self.book.version) = (spec.clone(), version);
        true
    }
}

/// A reward as a learner takes it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Reward {
    pub(super) id: u128,
    pub(super) at: u64,
    pub(super) value: f64,
    pub(super) weight: f64,
}
