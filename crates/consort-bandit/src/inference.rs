//! Statistics that stay valid while one looks at them after every observation.
//!
//! A classical 95 % interval that is watched for 10,000 rounds misses the truth in more than half
//! of all runs. Everything here holds for all times at once, so experiments may be stopped at
//! any moment, by any rule.
//!
//! | to bound | use | needs |
//! |---|---|---|
//! | a mean of bounded rewards | [`EmpiricalBernstein`] | a declared range |
//! | the value of a policy from another's log | [`OffPolicy`] | all logged probabilities |
//! | a mean, roughly, with narrow intervals | [`Asymptotic`] | 30 observations, light tails |
//! | whether one arm beats another | [`Betting`], [`Race`] | a declared range |
//! | whether to promote or withdraw a version | [`Experiment`] | a declared range |
//!
//! ```
//! use consort_bandit::inference::EmpiricalBernstein;
//!
//! let mut sequence = EmpiricalBernstein::new(0.05)?;
//! for i in 0..2000_u32 {
//!     sequence.push(if i % 4 == 0 { 1.0 } else { 0.0 })?;
//! }
//! let interval = sequence.interval();
//! assert!(interval.low < 0.25 && 0.25 < interval.high && interval.high - interval.low < 0.1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod asymptotic;
mod bernstein;
mod betting;
mod experiment;
mod off_policy;
mod race;
#[cfg(test)]
mod tests;

pub use asymptotic::Asymptotic;
pub use bernstein::EmpiricalBernstein;
pub use betting::Betting;
pub use experiment::{Allocation, Experiment, Phase, Reason, Settings, Standing};
pub use off_policy::{OffPolicy, Step};
pub use race::{Race, Range, Verdict};

use crate::error::InvalidConfig;

/// A range that holds the quantity at all times with the declared probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Point estimate.
    pub centre: f64,
    /// Upper end.
    pub high: f64,
}

/// ψ(λ) = −ln(1 − λ) − λ, the price of betting λ.
fn psi(lambda: f64) -> f64 {
    -libm::log1p(-lambda) - lambda
}

fn level(alpha: f64) -> Result<f64, InvalidConfig> {
    if alpha > 0.0 && alpha < 1.0 {
        Ok(alpha)
    } else {
        Err(InvalidConfig::new("alpha", "must be above 0 and below 1"))
    }
}

/// The predictable bet sqrt(2·ln(1/α) / (σ²·t·ln(1 + t))), at most 1/2.
fn predictable_bet(log_inverse_alpha: f64, variance: f64, t: f64) -> f64 {
    (2.0 * log_inverse_alpha / (variance * t * libm::log1p(t))).sqrt().min(0.5)
}

/// Running mean and variance that start from one imagined observation.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Moments {
    n: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    const fn new(mean: f64, variance: f64) -> Self {
        Self { n: 1.0, sum: mean, squares: variance }
    }

    fn mean(&self) -> f64 {
        self.sum / self.n
    }

    fn variance(&self) -> f64 {
        self.squares / self.n
    }

    fn push(&mut self, x: f64) {
        self.n += 1.0;
        self.sum += x;
        let gap = x - self.mean();
        self.squares += gap * gap;
    }
}
