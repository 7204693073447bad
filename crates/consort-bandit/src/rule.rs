//! Exploration rules: from predicted rewards and their uncertainty to probabilities of all arms.
//!
//! A rule knows nothing of the model behind the prediction, so every rule works with every
//! model, and switching the rule keeps what was learned.

mod race;
mod whole;

use pulp::{Scalar, Simd};
use serde::{Deserialize, Serialize};

use crate::arms::ArmSet;
use crate::error::InvalidConfig;
use crate::special::ln;

use race::Normal;
pub(crate) use race::{Law, race};

/// How to choose among arms with a predicted mean and a width (standard deviation of the
/// prediction in units of the reward noise).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum Rule {
    /// The best predicted arm. A surprisingly close second in the JMLR bake-off (Bietti,
    /// Agarwal, Langford 2021) where contexts are diverse enough to explore by themselves.
    Greedy,
    /// The best predicted arm, or any arm with probability ε.
    EpsilonGreedy {
        /// Share of uniform choices, 0 to 1.
        epsilon: f64,
        /// When set, ε_t = min(ε, t^(-1/3)): the classical decay with regret of order T^(2/3).
        #[serde(default)]
        decay: bool,
    },
    /// The largest mean + α·width (Li, Chu, Langford, Schapire 2010).
    LinUcb {
        /// Optimism, ≥ 0. 0.1 to 1 in practice; 0.5 is a good first choice.
        alpha: f64,
    },
    /// Thompson sampling: each arm with the probability that it is the best, given independent
    /// normal beliefs (Agrawal and Goyal 2013). Computed by quadrature to 1e-6, not sampled.
    Thompson {
        /// Reward noise that scales the beliefs, > 0. Near the reward's standard deviation,
        /// 0.05 to 0.25 for rewards in [0, 1].
        scale: f64,
    },
    /// Inverse-gap weighting (Foster and Rakhlin 2020): p(a) = 1 / (K + γ_t·gap), the rest on
    /// the best arm, γ_t = gamma·t^exponent.
    SquareCb {
        /// Learning-rate scale, > 0. 10 is a good first choice.
        gamma: f64,
        /// Growth with the number of examples, 0 to 1; 0.5 in theory.
        exponent: f64,
    },
    /// RegCB, optimistic (Foster et al. 2018) for ridge regression: the largest
    /// mean + sqrt(c0·ln(K·t))·width.
    RegCb {
        /// Radius of the version space, > 0; 0.001 to 0.03.
        c0: f64,
    },
    /// RegCB, elimination: uniform over the arms whose upper bound reaches the largest lower one.
    RegCbElimination {
        /// Radius of the version space, > 0.
        c0: f64,
    },
    /// UCB1 (Auer et al. 2002): the largest mean + sqrt(2·ln t)·width, for context-free counts
    /// whose width is 1/sqrt(pulls).
    Ucb1,
}

/// What to do among equally good arms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ties {
    /// Share the probability equally: a permutation of the arms permutes the result.
    #[default]
    Uniform,
    /// The lowest index takes it all, as most textbook traces do.
    Lowest,
}

impl Rule {
    /// Checks the ranges documented at each field.
    ///
    /// # Errors
    ///
    /// The first field outside its range.
    pub fn validate(self) -> Result<Self, InvalidConfig> {
        let check =
            |ok: bool, key, rule| if ok { Ok(self) } else { Err(InvalidConfig::new(key, rule)) };
        match self {
            Self::Greedy | Self::Ucb1 => Ok(self),
            Self::EpsilonGreedy { epsilon, .. } => {
                check((0.0..=1.0).contains(&epsilon), "epsilon", "must be 0 to 1")
            }
            Self::LinUcb { alpha } => {
                check(alpha >= 0.0 && alpha.is_finite(), "alpha", "must be a number ≥ 0")
            }
            Self::Thompson { scale } => {
                check(scale > 0.0 && scale.is_finite(), "scale", "must be a number > 0")
            }
            Self::SquareCb { gamma, exponent } => {
                check(gamma > 0.0 && gamma.is_finite(), "gamma", "must be a number > 0")?;
                check((0.0..=1.0).contains(&exponent), "exponent", "must be 0 to 1")
            }
            Self::RegCb { c0 } | Self::RegCbElimination { c0 } => {
                check(c0 > 0.0 && c0.is_finite(), "c0", "must be a number > 0")
            }
        }
    }

    /// Whether it looks at the width of a prediction, which costs d times as much as the mean.
    pub(crate) const fn needs_width(self) -> bool {
        !matches!(self, Self::Greedy | Self::EpsilonGreedy { .. } | Self::SquareCb { .. })
    }

    /// Writes the probability of every available arm; `seen` is the number of examples learned.
    /// Returns the arm that has all of it, where that is known at once.
    #[inline(always)]
    pub(crate) fn probabilities<S: Simd>(
        self,
        s: S,
        belief: Belief<'_>,
        seen: u64,
        ties: Ties,
        out: &mut [f64],
    ) -> Option<usize> {
        let arms = belief.available;
        let t = seen as f64 + 1.0;
        let k = arms.len() as f64;
        match self {
            Self::Greedy => return belief.best(s, 0.0, ties, out),
            Self::LinUcb { alpha } => return belief.best(s, alpha, ties, out),
            Self::RegCb { c0 } => return belief.best(s, (c0 * ln(k * t + 1.0)).sqrt(), ties, out),
            Self::Ucb1 => return belief.best(s, (2.0 * ln(t)).sqrt(), ties, out),
            Self::EpsilonGreedy { epsilon, decay } => {
                belief.best(s, 0.0, ties, out);
                let epsilon = if decay { epsilon.min(1.0 / libm::cbrt(t)) } else { epsilon };
                for arm in arms {
                    out[arm] = epsilon / k + (1.0 - epsilon) * out[arm];
                }
            }
            Self::RegCbElimination { c0 } => belief.eliminate((c0 * ln(k * t + 1.0)).sqrt(), out),
            Self::SquareCb { gamma, exponent } => {
                let growth = if exponent == 0.5 { t.sqrt() } else { libm::pow(t, exponent) };
                belief.inverse_gap(s, gamma * growth, ties, out);
            }
            Self::Thompson { scale } => belief.thompson(scale, ties, out),
        }
        None
    }
}

/// Predictions of one context, as a rule sees them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Belief<'a> {
    pub(crate) available: &'a ArmSet,
    pub(crate) mean: &'a [f64],
    pub(crate) width: &'a [f64],
}

impl Belief<'_> {
    fn score(&self, arm: usize, alpha: f64) -> f64 {
        // Without optimism an infinite width must not poison the score.
        if alpha == 0.0 { self.mean[arm] } else { self.mean[arm] + alpha * self.width[arm] }
    }

    fn top(&self, alpha: f64) -> f64 {
        self.available.iter().map(|arm| self.score(arm, alpha)).fold(f64::NEG_INFINITY, f64::max)
    }

    /// True when every arm can be chosen: then loops run over whole slices.
    #[inline(always)]
    fn whole(&self) -> bool {
        self.available.prefix() == Some(self.mean.len())
    }

    /// All probability on the arms with the largest mean + alpha·width. Returns the arm when it is
    /// known to be one.
    #[inline(always)]
    fn best<S: Simd>(&self, s: S, alpha: f64, ties: Ties, out: &mut [f64]) -> Option<usize> {
        if ties == Ties::Uniform && self.whole() {
            return whole::best(s, self.mean, self.width, alpha, out);
        }
        let top = self.top(alpha);
        let won = |arm| self.score(arm, alpha) >= top;
        match ties {
            Ties::Uniform => {
                // Without a branch for each arm: which one wins is what nobody can predict.
                let tied: usize = self.available.iter().map(|arm| usize::from(won(arm))).sum();
                let share = 1.0 / tied as f64;
                self.available.iter().for_each(|arm| out[arm] = if won(arm) { share } else { 0.0 });
            }
            Ties::Lowest => {
                out.fill(0.0);
                self.available
                    .iter()
                    .filter(|&arm| won(arm))
                    .take(1)
                    .for_each(|arm| out[arm] = 1.0);
            }
        }
        None
    }

    fn eliminate(&self, alpha: f64, out: &mut [f64]) {
        let floor = self.top(-alpha);
        let alive = self.available.iter().filter(|&arm| self.score(arm, alpha) >= floor);
        let share = 1.0 / alive.clone().count() as f64;
        out.fill(0.0);
        alive.for_each(|arm| out[arm] = share);
    }

    /// Without a branch for each arm: which one wins is what nobody can predict.
    #[inline(always)]
    fn inverse_gap<S: Simd>(&self, s: S, gamma: f64, ties: Ties, out: &mut [f64]) {
        if ties == Ties::Uniform && self.whole() {
            return whole::inverse_gap(s, self.mean, gamma, out);
        }
        let top = self.top(0.0);
        let k = self.available.len() as f64;
        let (mut rest, mut tied) = (1.0, 0.0);
        self.available.iter().for_each(|arm| {
            let gap = top - self.mean[arm];
            let won = gap <= 0.0 && (tied == 0.0 || ties == Ties::Uniform);
            out[arm] = 1.0 / (k + gamma * gap);
            rest -= if won { 0.0 } else { out[arm] };
            tied += f64::from(u8::from(won));
        });
        let share = rest * (1.0 / tied);
        let mut left = tied;
        self.available.iter().for_each(|arm| {
            let won = self.mean[arm] >= top && left > 0.0;
            out[arm] = if won { share } else { out[arm] };
            left -= f64::from(u8::from(won));
        });
    }

    fn thompson(&self, scale: f64, ties: Ties, out: &mut [f64]) {
        let widest = self.available.iter().map(|arm| self.width[arm]).fold(0.0, f64::max);
        if widest.is_infinite() {
            // Arms about which nothing at all is known come first.
            self.best(Scalar, 1.0, ties, out);
            return;
        }
        if scale * widest < 1e-12 {
            self.best(Scalar, 0.0, ties, out);
            return;
        }
        out.fill(0.0);
        let law = Normal { mean: self.mean, width: self.width, scale };
        if !race(self.available, &law, out) {
            self.best(Scalar, 0.0, ties, out);
        }
    }
}

#[cfg(test)]
mod tests;
