//! Whether a log can answer what is asked of it.

use serde::{Deserialize, Serialize};

/// What the importance weights say about a log and a target policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Diagnostics {
    /// Rows of the log.
    pub rows: usize,
    /// Effective sample size (Σw)²/Σw²: how many rows of the target's own log these are worth.
    pub ess: f64,
    /// Largest weight.
    pub max_weight: f64,
    /// Mean weight; 1 when the recorded propensities are right and nothing lacks support.
    pub mean_weight: f64,
    /// Standard error of the mean weight.
    pub mean_weight_error: f64,
    /// Mean probability the target gives to arms that could not have been logged; `None` when
    /// only the chosen arm's propensity was recorded.
    pub unsupported: Option<f64>,
}

impl Diagnostics {
    pub(super) fn of(weights: &[f64], unsupported: Option<f64>) -> Self {
        let sum: f64 = weights.iter().sum();
        let squares: f64 = weights.iter().map(|w| w * w).sum();
        let (mean_weight, mean_weight_error) =
            if weights.is_empty() { (0.0, f64::INFINITY) } else { super::mean_and_error(weights) };
        Self {
            rows: weights.len(),
            ess: if squares > 0.0 { sum * sum / squares } else { 0.0 },
            max_weight: weights.iter().copied().fold(0.0, f64::max),
            mean_weight,
            mean_weight_error,
            unsupported,
        }
    }
}

/// What a log must offer before an estimate may guide a decision.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gate {
    /// Least effective sample size, default 100.
    pub min_ess: f64,
    /// Most standard errors the mean weight may be from 1, default 3.
    pub max_sigmas: f64,
    /// Most target probability on arms without support, default 0.01.
    pub max_unsupported: f64,
}

impl Default for Gate {
    fn default() -> Self {
        Self { min_ess: 100.0, max_sigmas: 3.0, max_unsupported: 0.01 }
    }
}

/// Why a log cannot answer.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum NoSupport {
    /// No rows.
    #[error("the log is empty")]
    Empty,
    /// The estimator needs predicted rewards and the rows have none.
    #[error("the estimator needs a reward model")]
    NoModel,
    /// The estimator needs the logged probabilities of all arms and the rows have none.
    #[error("the estimator needs the logged probabilities of all arms")]
    NoLogging,
    /// The two policies hardly ever agree.
    #[error("the log is worth {ess:.1} rows where {least} are needed")]
    FewEffective {
        /// Effective sample size.
        ess: f64,
        /// Least accepted.
        least: f64,
    },
    /// The weights do not average to 1: propensities are wrong or support is missing.
    #[error("the mean weight {mean:.3} ± {error:.3} is too far from 1")]
    Weights {
        /// Mean weight.
        mean: f64,
        /// Its standard error.
        error: f64,
    },
    /// The target plays arms that were never logged.
    #[error("{mass:.3} of the target's probability has no support in the log")]
    Unsupported {
        /// Mean probability without support.
        mass: f64,
    },
    /// No candidate was given to choose among.
    #[error("there is nothing to tune over")]
    NoCandidate,
}

impl Gate {
    /// Checks the diagnostics of a log.
    ///
    /// # Errors
    ///
    /// The first requirement that is not met.
    pub fn check(&self, d: &Diagnostics) -> Result<(), NoSupport> {
        if d.rows == 0 {
            return Err(NoSupport::Empty);
        }
        if d.ess.is_nan() || d.ess < self.min_ess {
            return Err(NoSupport::FewEffective { ess: d.ess, least: self.min_ess });
        }
        if (d.mean_weight - 1.0).abs() > self.max_sigmas * d.mean_weight_error + 1e-9 {
            return Err(NoSupport::Weights { mean: d.mean_weight, error: d.mean_weight_error });
        }
        match d.unsupported {
            Some(mass) if mass > self.max_unsupported => Err(NoSupport::Unsupported { mass }),
            _ => Ok(()),
        }
    }
}
