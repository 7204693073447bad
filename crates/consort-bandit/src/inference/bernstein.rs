//! Predictable plug-in empirical-Bernstein confidence sequence.

use super::{Interval, Moments, level, predictable_bet, psi};
use crate::error::{InvalidConfig, Refused};

/// Confidence sequence for the mean of rewards in [0, 1] (Waudby-Smith and Ramdas 2020,
/// theorem 2). Valid for any dependence as long as the conditional mean stays the same; width
/// adapts to the variance.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct EmpiricalBernstein {
    log_two_over_alpha: f64,
    moments: Moments,
    bets: f64,
    weighted: f64,
    price: f64,
}

impl EmpiricalBernstein {
    /// A sequence that misses with probability at most `alpha`, in (0, 1), over all times.
    ///
    /// # Errors
    ///
    /// When `alpha` is out of range.
    pub fn new(alpha: f64) -> Result<Self, InvalidConfig> {
        Ok(Self {
            log_two_over_alpha: libm::log(2.0 / level(alpha)?),
            moments: Moments::new(0.5, 0.25),
            bets: 0.0,
            weighted: 0.0,
            price: 0.0,
        })
    }

    /// Takes the next reward.
    ///
    /// # Errors
    ///
    /// [`Refused::Reward`] outside [0, 1]; nothing changed.
    pub fn push(&mut self, reward: f64) -> Result<(), Refused> {
        if !(0.0..=1.0).contains(&reward) {
            return Err(Refused::Reward { value: reward });
        }
        let bet = predictable_bet(self.log_two_over_alpha, self.moments.variance(), self.moments.n);
        let surprise = reward - self.moments.mean();
        self.bets += bet;
        self.weighted += bet * reward;
        self.price += surprise * surprise * psi(bet);
        self.moments.push(reward);
        Ok(())
    }

    /// Rewards taken so far.
    pub const fn len(&self) -> u64 {
        self.moments.n as u64 - 1
    }

    /// Whether no reward was taken.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The interval now; [0, 1] before the first reward.
    pub fn interval(&self) -> Interval {
        if self.bets == 0.0 {
            return Interval { low: 0.0, centre: 0.5, high: 1.0 };
        }
        let centre = self.weighted / self.bets;
        let half = (self.log_two_over_alpha + self.price) / self.bets;
        Interval { low: (centre - half).max(0.0), centre, high: (centre + half).min(1.0) }
    }
}
