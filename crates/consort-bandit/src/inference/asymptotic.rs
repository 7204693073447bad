//! Asymptotic confidence sequence: narrow, for display, without a declared range.

use super::{Interval, level};
use crate::error::{InvalidConfig, Refused};

/// Observations before the first interval.
const BURN_IN: f64 = 30.0;

/// Confidence sequence in the sense of the central limit theorem (Waudby-Smith, Arbour, Sinha,
/// Kennedy, Ramdas 2024). Needs no range and is nearly as narrow as a classical interval, but its
/// promise holds only in the limit: heavy tails break it. Show it, do not promote on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asymptotic {
    alpha: f64,
    n: f64,
    mean: f64,
    squares: f64,
}

impl Asymptotic {
    /// A sequence that in the limit misses with probability at most `alpha`.
    ///
    /// # Errors
    ///
    /// When `alpha` is out of range.
    pub fn new(alpha: f64) -> Result<Self, InvalidConfig> {
        Ok(Self { alpha: level(alpha)?, n: 0.0, mean: 0.0, squares: 0.0 })
    }

    /// Takes the next observation, any finite number.
    ///
    /// # Errors
    ///
    /// [`Refused::Reward`] when it is not finite; nothing changed.
    pub fn push(&mut self, x: f64) -> Result<(), Refused> {
        if !x.is_finite() {
            return Err(Refused::Reward { value: x });
        }
        self.n += 1.0;
        let before = x - self.mean;
        self.mean += before / self.n;
        self.squares += before * (x - self.mean);
        Ok(())
    }

    /// The interval now; `None` before 30 observations, when the limit is too far away.
    pub fn interval(&self) -> Option<Interval> {
        if self.n < BURN_IN {
            return None;
        }
        let log_alpha = libm::log(self.alpha);
        // Tightest around 100 observations.
        let rho2 = (-2.0 * log_alpha + libm::log(-2.0 * log_alpha) + 1.0) / 100.0;
        let spread = self.n * (self.squares / self.n) * rho2 + 1.0;
        let log_term = libm::log(spread / (self.alpha * self.alpha));
        let half = (spread / (self.n * self.n * rho2) * log_term).sqrt();
        Some(Interval { low: self.mean - half, centre: self.mean, high: self.mean + half })
    }
}
