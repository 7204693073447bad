//! Doubly robust empirical-Bernstein confidence sequence for the value of a policy, from the log
//! of another one that may itself be learning.

use super::{Interval, Moments, level, predictable_bet, psi};
use crate::error::{InvalidConfig, Refused};

/// Confidence sequence for the mean value of a target policy (Waudby-Smith, Wu, Ramdas,
/// Karampatziakis, Mineiro 2022). Valid for loggers that adapt, unbounded weights and drifting
/// contexts; where the target changes over time it covers the running mean of its values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OffPolicy {
    log_two_over_alpha: f64,
    k: f64,
    below: Bound,
    above: Bound,
    sum: f64,
    n: f64,
}

/// One logged decision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step<'a> {
    /// The arm that was chosen.
    pub arm: usize,
    /// What came of it, in [0, 1].
    pub reward: f64,
    /// Probability of each arm under the target policy.
    pub target: &'a [f64],
    /// Probability of each arm when the decision was made.
    pub logging: &'a [f64],
    /// Reward of each arm as predicted before this reward was known, clamped to [0, 1]; empty
    /// for none.
    pub predicted: &'a [f64],
}

impl OffPolicy {
    /// A sequence that misses with probability at most `alpha` over all times. `k` > 0 is the
    /// largest correction a single row may make, in units of the reward range: near the largest
    /// weight seen often. 12 suits an exploration floor of 0.3 over ten arms, 30 one of 0.1.
    ///
    /// # Errors
    ///
    /// When a setting is out of range.
    pub fn new(alpha: f64, k: f64) -> Result<Self, InvalidConfig> {
        if !(k > 0.0 && k.is_finite()) {
            return Err(InvalidConfig::new("k", "must be a number > 0"));
        }
        Ok(Self {
            log_two_over_alpha: libm::log(2.0 / level(alpha)?),
            k,
            below: Bound::new(k),
            above: Bound::new(k),
            sum: 0.0,
            n: 0.0,
        })
    }

    /// Takes the next logged decision.
    ///
    /// # Errors
    ///
    /// [`Refused`] when lengths or values are out of range; nothing changed.
    pub fn push(&mut self, step: &Step<'_>) -> Result<(), Refused> {
        let arms = step.target.len();
        let fits = |got: usize| {
            if got == arms { Ok(()) } else { Err(Refused::Dimension { expected: arms, got }) }
        };
        fits(step.logging.len())?;
        if !step.predicted.is_empty() {
            fits(step.predicted.len())?;
        }
        if step.arm >= arms {
            return Err(Refused::UnknownArm { arm: step.arm, arms });
        }
        if !(0.0..=1.0).contains(&step.reward) {
            return Err(Refused::Reward { value: step.reward });
        }
        let propensity = step.logging[step.arm];
        if !(propensity > 0.0 && propensity <= 1.0) {
            return Err(Refused::Propensity { value: propensity });
        }
        let weight = step.target[step.arm] / propensity;
        let low = self.pseudo(step, weight, step.reward, |q| q);
        let high = self.pseudo(step, weight, 1.0 - step.reward, |q| 1.0 - q);
        self.below.push(low, self.k, self.log_two_over_alpha);
        self.above.push(high, self.k, self.log_two_over_alpha);
        self.sum += 0.5 * (low + 1.0 - high);
        self.n += 1.0;
        Ok(())
    }

    /// φ = w·(r − min(r̂, k/w)) + E_π[min(r̂, k/w)], at least −k and with mean the target's value.
    fn pseudo(&self, step: &Step<'_>, weight: f64, reward: f64, side: impl Fn(f64) -> f64) -> f64 {
        let k = self.k;
        // An arm that cannot be logged has infinite weight, so its prediction counts as 0.
        let cut = |arm: usize, weight: f64| {
            let q = step.predicted.get(arm).map_or(0.0, |q| side(q.clamp(0.0, 1.0)));
            if weight > 0.0 { q.min(k / weight) } else { q }
        };
        let mut baseline = 0.0;
        for (arm, (&pi, &p)) in step.target.iter().zip(step.logging).enumerate() {
            if pi > 0.0 && p > 0.0 {
                baseline += pi * cut(arm, pi / p);
            }
        }
        weight * (reward - cut(step.arm, weight)) + baseline
    }

    /// Decisions taken so far.
    pub const fn len(&self) -> u64 {
        self.n as u64
    }

    /// Whether no decision was taken.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The interval now; [0, 1] before the first decision.
    pub fn interval(&self) -> Interval {
        if self.n == 0.0 {
            return Interval { low: 0.0, centre: 0.5, high: 1.0 };
        }
        let low = self.below.lower(self.log_two_over_alpha).clamp(0.0, 1.0);
        let high = (1.0 - self.above.lower(self.log_two_over_alpha)).clamp(0.0, 1.0);
        Interval { low, centre: (self.sum / self.n).clamp(low.min(high), high.max(low)), high }
    }
}

/// Lower confidence sequence for the mean of pseudo-rewards that are at least −k.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bound {
    moments: Moments,
    weighted: f64,
    price: f64,
    bets: f64,
}

impl Bound {
    fn new(k: f64) -> Self {
        let unit = 1.0 / (1.0 + k);
        Self {
            moments: Moments::new(0.5 * unit, 0.25 * unit),
            weighted: 0.0,
            price: 0.0,
            bets: 0.0,
        }
    }

    fn push(&mut self, pseudo: f64, k: f64, log_inverse_alpha: f64) {
        let scaled = pseudo / (1.0 + k);
        let bet = predictable_bet(log_inverse_alpha, self.moments.variance(), self.moments.n);
        let surprise = scaled - self.moments.mean().min(1.0 / (1.0 + k));
        self.weighted += bet * scaled;
        self.price += surprise * surprise * psi(bet);
        self.bets += bet / (1.0 + k);
        self.moments.push(scaled);
    }

    fn lower(&self, log_inverse_alpha: f64) -> f64 {
        (self.weighted - log_inverse_alpha - self.price) / self.bets
    }
}
