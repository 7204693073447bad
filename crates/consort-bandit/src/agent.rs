//! A model and an exploration rule joined into a policy that decides and learns.

use pulp::{Arch, Simd, WithSimd};
use serde::{Deserialize, Serialize};

use crate::arms::ArmSet;
use crate::codec::{Reader, Writer};
use crate::error::{Corrupt, InvalidConfig, Refused};
use crate::linear::{self, Ridge};
use crate::model::{Example, Model, Persist, Scores, validate_context};
use crate::odds::{Decision, Odds};
use crate::rng::Draw;
use crate::rule::{Belief, Rule, Ties};

/// Chooses among arms and learns from outcomes.
///
/// Deciding takes `&self` and allocates nothing once the caller's [`Odds`] has grown to size;
/// learning takes `&mut self` and may come late, in any order, and in batches.
pub trait Policy {
    /// Number of arms.
    fn arms(&self) -> usize;

    /// Number of features of a context.
    fn dim(&self) -> usize;

    /// Writes the probabilities of all arms for context `x` among `available`.
    ///
    /// # Errors
    ///
    /// [`Refused`] when the context is not usable or no arm is available.
    fn odds(&self, x: &[f64], available: &ArmSet, odds: &mut Odds) -> Result<(), Refused>;

    /// Learns from one outcome. On error nothing changed.
    ///
    /// # Errors
    ///
    /// [`Refused`] with the first field out of range.
    fn update(&mut self, example: &Example<'_>) -> Result<(), Refused>;

    /// Examples learned so far.
    fn seen(&self) -> u64;

    /// Learns from several outcomes in order, all or none: on error nothing changed.
    ///
    /// # Errors
    ///
    /// [`Refused`] with the first field out of range.
    fn update_batch(&mut self, examples: &[Example<'_>]) -> Result<(), Refused> {
        examples.iter().try_for_each(|e| e.validate(self.arms(), self.dim()))?;
        examples.iter().try_for_each(|e| self.update(e))
    }

    /// Chooses an arm: the odds, then the arm that `draw` selects from them.
    ///
    /// # Errors
    ///
    /// As [`Policy::odds`].
    fn decide(
        &self,
        x: &[f64],
        available: &ArmSet,
        draw: Draw,
        odds: &mut Odds,
    ) -> Result<Decision, Refused> {
        self.odds(x, available, odds)?;
        Ok(odds.pick(draw.uniform()))
    }
}

/// How an [`Agent`] explores.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exploration {
    /// The rule that turns predictions into probabilities.
    pub rule: Rule,
    /// Probability of a uniform choice mixed into every decision, 0 to 1, default 0. Where the
    /// log is to be evaluated off-policy, keep it at 0.01 or more: without it some arms have
    /// no support and evaluation has to refuse.
    #[serde(default)]
    pub floor: f64,
    /// What to do among equally good arms; by default they share.
    #[serde(default)]
    pub ties: Ties,
}

impl From<Rule> for Exploration {
    fn from(rule: Rule) -> Self {
        Self { rule, floor: 0.0, ties: Ties::Uniform }
    }
}

impl Exploration {
    /// Checks the ranges documented at each field.
    ///
    /// # Errors
    ///
    /// The first setting outside its range.
    pub fn validate(self) -> Result<Self, InvalidConfig> {
        self.rule.validate()?;
        if (0.0..=1.0).contains(&self.floor) {
            Ok(self)
        } else {
            Err(InvalidConfig::new("floor", "must be 0 to 1"))
        }
    }
}

/// A [`Model`] that decides by a [`Rule`].
#[derive(Clone, Debug)]
pub struct Agent<M> {
    model: M,
    exploration: Exploration,
    arch: Arch,
}

impl<M: Model> Agent<M> {
    /// Joins `model` and `exploration`.
    ///
    /// # Errors
    ///
    /// The first exploration setting outside its range.
    pub fn new(model: M, exploration: impl Into<Exploration>) -> Result<Self, InvalidConfig> {
        Ok(Self { model, exploration: exploration.into().validate()?, arch: Arch::new() })
    }

    /// What predicts.
    pub const fn model(&self) -> &M {
        &self.model
    }

    /// How it explores.
    pub const fn exploration(&self) -> Exploration {
        self.exploration
    }

    /// The same knowledge under another exploration rule.
    ///
    /// # Errors
    ///
    /// The first exploration setting outside its range.
    pub fn switch(self, exploration: impl Into<Exploration>) -> Result<Self, InvalidConfig> {
        Self::new(self.model, exploration)
    }

    /// Takes the model out, to merge or to store it.
    pub fn into_model(self) -> M {
        self.model
    }
}

impl<M: Model> Policy for Agent<M> {
    fn arms(&self) -> usize {
        self.model.arms()
    }

    fn dim(&self) -> usize {
        self.model.dim()
    }

    fn odds(&self, x: &[f64], available: &ArmSet, odds: &mut Odds) -> Result<(), Refused> {
        self.arch.dispatch(Weigh { agent: self, x, available, odds }).map(drop)
    }

    fn decide(
        &self,
        x: &[f64],
        available: &ArmSet,
        draw: Draw,
        odds: &mut Odds,
    ) -> Result<Decision, Refused> {
        self.arch.dispatch(Decide { weigh: Weigh { agent: self, x, available, odds }, draw })
    }

    fn update(&mut self, example: &Example<'_>) -> Result<(), Refused> {
        self.arch.dispatch(Learn { agent: self, example })
    }

    fn seen(&self) -> u64 {
        self.model.seen()
    }
}

/// One decision's odds. All of it is compiled for the vector unit at hand: a decision takes a few
/// hundred nanoseconds, and the short loops around the model are a good part of that.
struct Weigh<'a, M> {
    agent: &'a Agent<M>,
    x: &'a [f64],
    available: &'a ArmSet,
    odds: &'a mut Odds,
}

impl<M: Model> WithSimd for Weigh<'_, M> {
    /// The arm that is certain, where that is known at once.
    type Output = Result<Option<usize>, Refused>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) -> Self::Output {
        let Self { agent: Agent { model, exploration, .. }, x, available, odds } = self;
        validate_context(x, model.dim())?;
        let existing;
        let available = if available.fits(model.arms()) {
            available
        } else {
            existing = available.and(&ArmSet::all(model.arms()));
            &existing
        };
        if available.is_empty() {
            return Err(Refused::NoArm);
        }
        odds.size(model.arms(), model.scratch(), available);
        let Exploration { rule, floor, ties } = *exploration;
        let wide = rule.needs_width();
        odds.wide = wide;
        let (mean, width, out, scratch) = odds.buffers();
        let scores = Scores { mean: &mut *mean, width: &mut *width };
        if wide {
            model.predict(x, available, scores, scratch);
        } else {
            model.predict_means(x, available, scores, scratch);
        }
        let belief = Belief { available, mean, width };
        let certain = rule.probabilities(s, belief, model.seen(), ties, out);
        odds.apply_floor(floor);
        Ok(certain.filter(|_| floor == 0.0))
    }
}

/// One decision, compiled as its odds are.
struct Decide<'a, M> {
    weigh: Weigh<'a, M>,
    draw: Draw,
}

impl<M: Model> WithSimd for Decide<'_, M> {
    type Output = Result<Decision, Refused>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) -> Result<Decision, Refused> {
        let Self { weigh: Weigh { agent, x, available, odds }, draw } = self;
        let weigh = Weigh { agent, x, available, odds: &mut *odds };
        match weigh.with_simd(s)? {
            Some(arm) => Ok(Decision { arm, propensity: 1.0 }),
            None => Ok(odds.pick(draw.uniform())),
        }
    }
}

/// One update, compiled as a decision is.
struct Learn<'a, M> {
    agent: &'a mut Agent<M>,
    example: &'a Example<'a>,
}

impl<M: Model> WithSimd for Learn<'_, M> {
    type Output = Result<(), Refused>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Result<(), Refused> {
        let Self { agent: Agent { model, .. }, example } = self;
        example.validate(model.arms(), model.dim())?;
        model.learn(example);
        Ok(())
    }
}

/// Disjoint LinUCB with optimism `alpha`.
///
/// # Errors
///
/// The first setting outside its range.
pub fn linucb(config: linear::Config, alpha: f64) -> Result<Agent<Ridge>, InvalidConfig> {
    Agent::new(Ridge::new(config)?, Rule::LinUcb { alpha })
}

/// Disjoint linear Thompson sampling with reward noise `scale`.
///
/// # Errors
///
/// The first setting outside its range.
pub fn linear_thompson(config: linear::Config, scale: f64) -> Result<Agent<Ridge>, InvalidConfig> {
    Agent::new(Ridge::new(config)?, Rule::Thompson { scale })
}

/// SquareCB over disjoint ridge regressions, γ_t = `gamma`·sqrt(t).
///
/// # Errors
///
/// The first setting outside its range.
pub fn squarecb(config: linear::Config, gamma: f64) -> Result<Agent<Ridge>, InvalidConfig> {
    Agent::new(Ridge::new(config)?, Rule::SquareCb { gamma, exponent: 0.5 })
}

/// ε-greedy over disjoint ridge regressions; `epsilon` 0 is greedy.
///
/// # Errors
///
/// The first setting outside its range.
pub fn epsilon_greedy(config: linear::Config, epsilon: f64) -> Result<Agent<Ridge>, InvalidConfig> {
    Agent::new(Ridge::new(config)?, Rule::EpsilonGreedy { epsilon, decay: false })
}

impl<M: Model + Persist> Persist for Agent<M> {
    const KIND: u16 = 0x0100 | M::KIND;
    const VERSION: u16 = M::VERSION;

    fn write(&self, out: &mut Writer) {
        out.rule(self.exploration.rule);
        out.f64(self.exploration.floor);
        out.u8(u8::from(self.exploration.ties == Ties::Lowest));
        self.model.write(out);
    }

    fn read(from: &mut Reader<'_>, version: u16) -> Result<Self, Corrupt> {
        let rule = from.rule()?;
        let floor = from.f64()?;
        let ties = if from.u8()? == 1 { Ties::Lowest } else { Ties::Uniform };
        let model = M::read(from, version)?;
        Self::new(model, Exploration { rule, floor, ties }).map_err(|_| Corrupt::Value)
    }
}
