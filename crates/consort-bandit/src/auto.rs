//! The default: several predictors, one exploration, no choice left to the user.
//!
//! Every reward trains every predictor, whoever chose the arm, so nothing is wasted on finding out
//! which predictor is best: each is scored on predictions made before the reward was seen, and
//! their predictions are averaged with Bayesian weights. The predictors differ in what they can
//! see (nothing but the arm, linear effects, thresholds and pairs, smooth curves) and in what they
//! assume (nothing, that few features matter, that arms resemble each other, that the past fades,
//! that exactly one arm is right). One that has fallen behind for good is retired. When the leading
//! predictor promises more than comes, the arms concerned start afresh from the last examples since
//! the change; a single arm that fell is tried again now and then, in case it recovers.
//!
//! ```
//! use consort_bandit::{ArmSet, Example, Odds, Policy, automatic, auto, rng::Draw};
//!
//! let mut policy = automatic(auto::Config::new(3, 4))?;
//! let mut odds = Odds::new();
//! let draw = Draw { seed: 1, counter: 0 };
//! let chosen = policy.decide(&[0.1, 0.2, 0.3, 0.4], &ArmSet::all(3), draw, &mut odds)?;
//! policy.update(&Example::new(&[0.1, 0.2, 0.3, 0.4], chosen.arm, 1.0, chosen.propensity))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod family;
mod memory;
mod predictor;
mod recall;
mod standing;
mod state;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::agent::{Agent, Exploration};
use crate::arms::{ArmSet, MAX_ARMS};
use crate::error::InvalidConfig;
use crate::explain::Explain;
use crate::maps::Scaler;
use crate::model::{Example, MAX_DIM, MAX_FEATURE, Model, Scores};
use crate::rule::Rule;
use family::{Family, Reading, Sight};
use memory::Memory;
use recall::Recall;
use standing::{Standing, Verdict};

/// How the default policy explores: optimism in units of the estimated reward noise.
pub const RULE: Rule = Rule::LinUcb { alpha: 0.75 };
/// Weight below which a predictor is left out of a decision.
const NEGLIGIBLE: f64 = 1e-6;
/// Share of the total weight that is spread evenly after each example, so that a predictor that
/// becomes right later is not lost.
const SHARE: f64 = 1e-4;
/// Share of the past kept by the estimate of the reward noise.
const NOISE_KEEP: f64 = 0.999;
/// Least reward noise assumed, as a variance.
const NOISE_LEAST: f64 = 0.01;
/// Examples after which the units of the features are fixed.
const UNITS_AT: u64 = 64;
/// Features whose root mean square lies within these bounds keep their unit, and so do small ones
/// that are mostly 0.
const UNITS_FINE: (f64, f64) = (0.1, 10.0);
/// Units are powers of two between this one and its inverse.
const UNITS_MOST: f64 = 40.0;
/// Changes remembered for explanation.
const CHANGES_KEPT: usize = 32;

/// Shape of an [`Auto`]. There is nothing else to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Number of arms, 1 to [`MAX_ARMS`].
    pub arms: usize,
    /// Number of features, 1 to [`MAX_DIM`].
    pub dim: usize,
}

impl Config {
    /// A shape.
    pub const fn new(arms: usize, dim: usize) -> Self {
        Self { arms, dim }
    }

    pub(crate) fn validate(self) -> Result<Self, InvalidConfig> {
        let check = |ok, key, rule| if ok { Ok(()) } else { Err(InvalidConfig::new(key, rule)) };
        check((1..=MAX_ARMS).contains(&self.arms), "arms", "must be 1 to 256")?;
        check((1..=MAX_DIM).contains(&self.dim), "dim", "must be 1 to 4096")?;
        Ok(self)
    }
}

/// The default policy: [`Auto`] with optimism in units of the noise it measures itself.
///
/// # Errors
///
/// When the shape is out of range.
pub fn automatic(config: Config) -> Result<Agent<Auto>, InvalidConfig> {
    Agent::new(Auto::new(config)?, Exploration::from(RULE))
}

/// A change that was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Examples learned when it was noticed.
    pub at: u64,
    /// The arm that started afresh; `None` for all of them.
    pub arm: Option<usize>,
    /// Examples (of that arm, or of all) since its estimated onset, learned again at most as far
    /// as the last 512 examples go back.
    pub since: u64,
}

/// A weighted average of predictors that chooses its own members.
#[derive(Clone, Debug)]
pub struct Auto {
    config: Config,
    families: Vec<Family>,
    /// One per predictor, in the order of the families and their heads.
    standings: Vec<Standing>,
    scaler: Scaler,
    /// Factor by which each feature is multiplied before anything sees it.
    units: Vec<f64>,
    memory: Memory,
    pulls: Vec<u64>,
    seen: u64,
    /// Σ reward and number of rewards, from one imagined reward of 1/2.
    rewards: (f64, f64),
    /// Discounted squared errors of the average, and their number.
    noise: (f64, f64),
    changes: Vec<Change>,
    /// By arm, what it was before it fell.
    recalls: Vec<Option<Recall>>,
    restarted: u64,
    buffer: Vec<f64>,
    /// Mapped features of one example.
    features: Vec<f64>,
}

impl Auto {
    /// An empty model.
    ///
    /// # Errors
    ///
    /// When the shape is out of range.
    pub fn new(config: Config) -> Result<Self, InvalidConfig> {
        let config = config.validate()?;
        let families = family::plans(config).into_iter().map(|plan| Family::new(config, plan));
        let families: Vec<Family> = families.collect::<Result<_, _>>()?;
        let standings = families.iter().flat_map(Family::priors);
        let standings = standings.map(|prior| Standing::new(config.arms, prior));
        Ok(Self {
            config,
            standings: standings.collect::<Result<_, _>>()?,
            scaler: Scaler::new(config.dim),
            units: vec![1.0; config.dim],
            memory: Memory::new(config.dim),
            pulls: vec![0; config.arms],
            seen: 0,
            rewards: (0.5, 1.0),
            noise: (0.1, 1.0),
            changes: Vec::new(),
            recalls: vec![None; config.arms],
            restarted: 0,
            buffer: vec![0.0; config.dim],
            features: vec![0.0; families.iter().map(Family::used).max().unwrap_or(0)],
            families,
        })
    }

    /// Names and weights of the predictors, heaviest first.
    pub fn weights(&self) -> Vec<(String, f64)> {
        let total = self.total_weight();
        let mut named: Vec<(String, f64)> = self
            .families
            .iter()
            .flat_map(Family::names)
            .zip(&self.standings)
            .map(|(name, standing)| (name, standing.weight() / total))
            .collect();
        named.sort_by(|a, b| b.1.total_cmp(&a.1));
        named
    }

    /// The last changes noticed, oldest first.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Arms that fell and may recover, and the probability that they have.
    pub fn fallen(&self) -> impl Iterator<Item = (usize, f64)> {
        let recalls = self.recalls.iter().enumerate();
        recalls.filter_map(|(arm, recall)| Some((arm, recall.as_ref()?.back())))
    }

    /// Standard deviation of rewards around the predictions, as measured lately.
    pub fn noise(&self) -> f64 {
        (self.noise.0 / self.noise.1).max(NOISE_LEAST).sqrt()
    }

    fn total_weight(&self) -> f64 {
        self.standings.iter().map(Standing::weight).sum()
    }

    fn centre(&self) -> f64 {
        self.rewards.0 / self.rewards.1
    }

    /// The predictor with the least squared error over the last thousands of examples.
    fn leader(&self) -> usize {
        let alive = self.standings.iter().enumerate().filter(|(_, s)| !s.retired());
        alive.min_by(|a, b| a.1.error().total_cmp(&b.1.error())).map_or(0, |(index, _)| index)
    }

    /// Teaches every predictor one example, without judging any.
    fn teach(&mut self, seen: &Sight<'_>, only: Option<usize>) {
        let mut standings = &self.standings[..];
        for family in &mut self.families {
            let (own, rest) = standings.split_at(family.heads());
            standings = rest;
            family.teach(seen, own, only);
        }
    }

    /// Lets every predictor start afresh, for one arm or all, from the last `since` examples.
    fn restart(&mut self, arm: Option<usize>, since: u64) {
        let centre = self.centre();
        self.families.iter_mut().for_each(|family| family.forget(arm, centre));
        if arm.is_none() {
            self.restarted = self.seen;
            self.recalls.fill(None);
            self.standings.iter_mut().for_each(Standing::restart);
        } else {
            self.standings.iter_mut().for_each(|standing| standing.quiet(arm));
        }
        let memory = std::mem::take(&mut self.memory);
        let concerns = |past: usize| arm.is_none_or(|arm| arm == past);
        let kept = memory.last(u64::MAX).filter(|&(_, past, ..)| concerns(past)).count() as u64;
        let recent = memory.last(u64::MAX).filter(|&(_, past, ..)| concerns(past));
        for (x, past, reward, weight) in recent.skip(kept.saturating_sub(since) as usize) {
            let sight = Sight { x, arm: past, reward, weight, centre: self.centre() };
            for family in &mut self.families {
                family.look(&sight, &self.scaler);
            }
            self.teach(&sight, arm);
        }
        self.memory = memory;
    }

    /// Remembers what an arm is, before it starts afresh. What it was before an earlier fall is worth
    /// more.
    fn remember(&mut self, arm: usize) {
        if self.recalls[arm].is_some() {
            return;
        }
        let (mut family, mut head) = (0, self.leader());
        while head >= self.families[family].heads() {
            head -= self.families[family].heads();
            family += 1;
        }
        let coefficients = self.families[family].coefficients(head, arm, self.centre());
        let known = self.families.iter().map(|family| family.known(arm)).collect();
        self.recalls[arm] = Some(Recall::new(family, coefficients, known));
    }

    /// Whether arms that fell have recovered, after a reward of one that was predicted to be `now`.
    fn reconsider(&mut self, x: &[f64], arm: usize, reward: f64, weight: f64, now: f64) {
        self.recalls.iter_mut().flatten().for_each(Recall::wait);
        let (noise, centre) = (self.noise(), self.centre());
        let Some(mut recall) = self.recalls[arm].take() else { return };
        let family = &self.families[recall.family];
        let was = family.value(&recall.coefficients, x, &self.scaler, &mut self.features);
        if recall.weigh(reward, weight, was, now, noise) {
            for (family, known) in self.families.iter_mut().zip(&recall.known) {
                family.put(arm, known, centre);
            }
            self.standings.iter_mut().for_each(|standing| standing.quiet(Some(arm)));
        } else {
            self.recalls[arm] = Some(recall);
        }
    }

    /// Fixes the units of features whose size is far from 1, and learns the first examples again.
    fn fix_units(&mut self) {
        let (low, high) = UNITS_FINE;
        let mut changed = false;
        for (i, unit) in self.units.iter_mut().enumerate() {
            let values = || self.memory.last(UNITS_AT).map(|(x, ..)| x[i]);
            let size = (values().map(|v| v * v).sum::<f64>() / UNITS_AT as f64).sqrt();
            // A feature that is mostly 0 is small because it is rare, and means what it says.
            let common = 2 * values().filter(|v| *v != 0.0).count() as u64 > UNITS_AT;
            if size > high || common && size < low {
                // A power of two scales without rounding.
                let power = libm::round(libm::log2(size)).clamp(-UNITS_MOST, UNITS_MOST);
                *unit = libm::exp2(-power);
                changed = true;
            }
        }
        if changed {
            self.scaler = Scaler::new(self.config.dim);
            self.memory.rescale(&self.units);
            for (x, ..) in self.memory.last(UNITS_AT) {
                self.scaler.push(x);
            }
            self.restart(None, UNITS_AT);
        }
    }

    /// Judges every predictor on one example: errors, weights, shortfalls. Returns an alarm of
    /// the leading predictor.
    fn judge(
        &mut self,
        readings: &[Reading],
        arm: usize,
        reward: f64,
        weight: f64,
    ) -> Option<(Option<usize>, u64)> {
        let total = self.total_weight();
        let average: f64 = self
            .standings
            .iter()
            .zip(readings)
            .map(|(standing, reading)| standing.weight() / total * reading.mean)
            .sum();
        let miss = reward - average.clamp(0.0, 1.0);
        self.noise.0 = NOISE_KEEP * self.noise.0 + weight * miss * miss;
        self.noise.1 = NOISE_KEEP * self.noise.1 + weight;
        let noise = self.noise();
        let leader = self.leader();
        let lead = readings[leader].error(reward);
        let mut alarm = None;
        for (index, (standing, reading)) in self.standings.iter_mut().zip(readings).enumerate() {
            let verdict = standing.judge(reading, arm, reward, weight, noise, lead);
            if index == leader
                && let Verdict::Alarm { arm, since } = verdict
            {
                alarm = Some((arm, since));
            }
        }
        alarm
    }

    fn rebalance(&mut self) {
        standing::rebalance(&mut self.standings, SHARE);
        let leader = self.leader();
        let age = self.seen - self.restarted;
        standing::retire(&mut self.standings, leader, age);
    }

    fn predict_scaled(&self, available: &ArmSet, out: Scores<'_>, scratch: &mut [f64]) {
        let Scores { mean, width } = out;
        let (x, scratch) = scratch.split_at_mut(self.config.dim);
        for arm in available {
            (mean[arm], width[arm]) = (0.0, 0.0);
        }
        let total = self.total_weight();
        let (centre, noise) = (self.centre(), self.noise());
        let mut standings = &self.standings[..];
        for family in &self.families {
            let (own, rest) = standings.split_at(family.heads());
            standings = rest;
            let mut weights = [0.0; family::MOST_HEADS];
            for (weight, standing) in weights.iter_mut().zip(own) {
                let share = standing.weight() / total;
                *weight = if share > NEGLIGIBLE { share } else { 0.0 };
            }
            if weights.iter().any(|&w| w > 0.0) {
                let out = Scores { mean: &mut *mean, width: &mut *width };
                family.add(x, &self.scaler, centre, available, &weights, out, scratch);
            }
        }
        for arm in available {
            width[arm] *= noise;
            if let Some(recall) = &self.recalls[arm] {
                let family = &self.families[recall.family];
                let was = family.value(&recall.coefficients, x, &self.scaler, scratch);
                recall.mix(was, &mut mean[arm], &mut width[arm]);
            }
        }
    }
}

impl Model for Auto {
    fn arms(&self) -> usize {
        self.config.arms
    }

    fn dim(&self) -> usize {
        self.config.dim
    }

    fn scratch(&self) -> usize {
        self.config.dim + self.families.iter().map(Family::scratch).max().unwrap_or(0)
    }

    fn seen(&self) -> u64 {
        self.seen
    }

    fn pulls(&self, arm: usize) -> u64 {
        self.pulls[arm]
    }

    fn predict(&self, x: &[f64], available: &ArmSet, out: Scores<'_>, scratch: &mut [f64]) {
        for ((scaled, x), unit) in scratch.iter_mut().zip(x).zip(&self.units) {
            *scaled = in_unit(*x, *unit);
        }
        self.predict_scaled(available, out, scratch);
    }

    fn learn(&mut self, example: &Example<'_>) {
        let Example { arm, reward, weight, .. } = *example;
        let mut x = std::mem::take(&mut self.buffer);
        for ((scaled, x), unit) in x.iter_mut().zip(example.x).zip(&self.units) {
            *scaled = in_unit(*x, *unit);
        }
        self.scaler.push(&x);
        self.seen += 1;
        self.pulls[arm] += 1;
        let sight = Sight { x: &x, arm, reward, weight, centre: self.centre() };
        let mut readings = [Reading::default(); 4 * family::MOST_HEADS];
        let mut at = 0;
        for family in &mut self.families {
            family.look(&sight, &self.scaler);
            family.read(&sight, &self.standings[at..], &mut readings[at..]);
            at += family.heads();
        }
        let now = readings[self.leader()].mean.clamp(0.0, 1.0);
        let alarm = self.judge(&readings[..at], arm, reward, weight);
        self.reconsider(&x, arm, reward, weight, now);
        self.rewards.0 += weight * reward;
        self.rewards.1 += weight;
        self.teach(&sight, None);
        self.rebalance();
        self.memory.push(&x, arm, reward, weight);
        self.buffer = x;
        if self.seen == UNITS_AT {
            self.fix_units();
        } else if let Some((arm, since)) = alarm {
            if let Some(arm) = arm {
                self.remember(arm);
            }
            self.restart(arm, since);
            if self.changes.len() == CHANGES_KEPT {
                self.changes.remove(0);
            }
            self.changes.push(Change { at: self.seen, arm, since });
        }
    }
}

/// A feature in its unit: at most as large as features may be.
#[inline(always)]
fn in_unit(x: f64, unit: f64) -> f64 {
    (x * unit).clamp(-MAX_FEATURE, MAX_FEATURE)
}

impl Explain for Auto {
    /// What each feature adds compared with its mean, the others left as they are. Effects of
    /// features that act together overlap, and what they do not add up to is in the last entry.
    fn contributions(&self, x: &[f64], arm: usize, out: &mut Vec<f64>) {
        let only = ArmSet::EMPTY.with(arm);
        let (mut mean, mut width) = (vec![0.0; self.arms()], vec![0.0; self.arms()]);
        let mut scratch = vec![0.0; self.scratch()];
        let mut predict = |x: &[f64]| {
            let scores = Scores { mean: &mut mean, width: &mut width };
            self.predict(x, &only, scores, &mut scratch);
            mean[arm]
        };
        let full = predict(x);
        let mut without = x.to_vec();
        out.clear();
        for i in 0..x.len() {
            without[i] = self.scaler.mean(i) / self.units[i];
            out.push(full - predict(&without));
            without[i] = x[i];
        }
        out.push(full - out.iter().sum::<f64>());
    }
}
