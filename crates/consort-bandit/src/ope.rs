//! Off-policy evaluation: what another policy would have earned, from the log of this one.
//!
//! Definitions follow the Open Bandit Pipeline 0.5.7 and agree with it to rounding. Which to use:
//!
//! | estimator | when | trap |
//! |---|---|---|
//! | [`Estimator::Snips`] | no reward model | biased at small n, by its denominator |
//! | [`Estimator::Dr`] | a fair reward model, moderate weights | a few huge weights rule it |
//! | [`Log::tune`] over [`Family::SwitchDr`] | the default: picks the cut by SLOPE | needs a model |
//! | [`Estimator::Dm`] | hardly ever | its error bars do not know its bias |
//! | [`mips`] | more than about 50 arms with a grouping that carries the effect | biased if it does not |
//!
//! Every estimate carries [`Diagnostics`]; [`Gate`] refuses what the log cannot answer.
//!
//! ```
//! use consort_bandit::ope::{Estimator, Gate, Log, Row};
//!
//! let mut log = Log::new(2)?;
//! for i in 0..1000_u32 {
//!     // Logged by a coin; arm 1 always wins. The target would play arm 1 nine times in ten.
//!     let arm = (i % 2) as usize;
//!     log.push(&Row::new(arm, arm as f64, 0.5, &[0.1, 0.9]))?;
//! }
//! let estimate = log.evaluate(Estimator::Snips, &Gate::default())?;
//! assert!((estimate.value - 0.9).abs() < 1e-12 && estimate.diagnostics.ess > 500.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod crossfit;
mod diagnostics;
mod mips;
mod slope;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::arms::MAX_ARMS;
use crate::error::{InvalidConfig, Refused};

pub use crossfit::{NoFit, Observation, cross_fit};
pub use diagnostics::{Diagnostics, Gate, NoSupport};
pub use mips::{Grouping, mips};
pub use slope::{Family, Tuned};

/// One logged decision and what the policy under evaluation would have done there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row<'a> {
    /// The arm that was chosen.
    pub arm: usize,
    /// What came of it; any finite number.
    pub reward: f64,
    /// The probability it was chosen with, in (0, 1].
    pub propensity: f64,
    /// Probability of each arm under the policy to be evaluated; they sum to 1.
    pub target: &'a [f64],
    /// Predicted reward of each arm, from a model that did not see this row; empty if there is
    /// none, and then only estimators without a model are possible.
    pub predicted: &'a [f64],
    /// Probability of each arm when the row was logged; empty if only that of the chosen one
    /// was recorded.
    pub logging: &'a [f64],
}

impl<'a> Row<'a> {
    /// A row without reward model and without the probabilities of the other arms.
    pub const fn new(arm: usize, reward: f64, propensity: f64, target: &'a [f64]) -> Self {
        Self { arm, reward, propensity, target, predicted: &[], logging: &[] }
    }
}

/// A log to be evaluated. Rows are independent of each other and of the target policy.
#[derive(Clone, Debug)]
pub struct Log {
    arms: usize,
    arm: Vec<usize>,
    reward: Vec<f64>,
    weight: Vec<f64>,
    target: Vec<f64>,
    predicted: Vec<f64>,
    logging: Vec<f64>,
}

/// How the value of the target policy is estimated. w = π(a|x)/p(a|x) of the logged arm, q̂ the
/// reward model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Estimator {
    /// Direct method: mean of Σ_a π(a)·q̂(a).
    Dm,
    /// Inverse propensity: mean of w·r (Horvitz and Thompson 1952; Precup 2000).
    Ips,
    /// Clipped: mean of min(w, M)·r (Bottou et al. 2013).
    Clipped(f64),
    /// Self-normalised: Σ w·r / Σ w (Swaminathan and Joachims 2015).
    Snips,
    /// Sub-Gaussian: mean of w·r / (1 − λ + λ·w), λ in [0, 1] (Metelli et al. 2021).
    SubGaussian(f64),
    /// Doubly robust: DM + mean of w·(r − q̂) (Dudík, Langford, Li 2011).
    Dr,
    /// Self-normalised doubly robust: DM + Σ w·(r − q̂) / Σ w.
    SnDr,
    /// Switch: DM + mean of w·1[w ≤ λ]·(r − q̂) (Wang, Agarwal, Dudík 2017).
    SwitchDr(f64),
    /// Optimistic shrinkage: weights λ·w / (w² + λ) (Su et al. 2020); 0 is DM, ∞ is DR.
    DrOs(f64),
    /// Continuous adaptive blending (Su et al. 2019) with cut M; needs all logged probabilities.
    Cab(f64),
}

/// An estimated value of the target policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Expected reward per decision.
    pub value: f64,
    /// Standard error of the mean. Knows nothing of bias, least of all for [`Estimator::Dm`].
    pub standard_error: f64,
    /// Whether the log can answer the question at all.
    pub diagnostics: Diagnostics,
}

impl Log {
    /// An empty log over `arms` arms.
    ///
    /// # Errors
    ///
    /// When there are none or more than [`MAX_ARMS`].
    pub const fn new(arms: usize) -> Result<Self, InvalidConfig> {
        if arms == 0 || arms > MAX_ARMS {
            return Err(InvalidConfig::new("arms", "must be 1 to 256"));
        }
        Ok(Self {
            arms,
            arm: Vec::new(),
            reward: Vec::new(),
            weight: Vec::new(),
            target: Vec::new(),
            predicted: Vec::new(),
            logging: Vec::new(),
        })
    }

    /// Appends a row.
    ///
    /// # Errors
    ///
    /// [`Refused`] when a length or value is out of range, or when a model or logged
    /// probabilities come in some rows and not in others; the log is then as it was.
    pub fn push(&mut self, row: &Row<'_>) -> Result<(), Refused> {
        let (arms, n) = (self.arms, self.len());
        if row.arm >= arms {
            return Err(Refused::UnknownArm { arm: row.arm, arms });
        }
        if !row.reward.is_finite() {
            return Err(Refused::Reward { value: row.reward });
        }
        if !(row.propensity > 0.0 && row.propensity <= 1.0) {
            return Err(Refused::Propensity { value: row.propensity });
        }
        distribution(row.target, arms)?;
        let optional = |values: &[f64], stored: usize| {
            let expected =
                if n == 0 && values.is_empty() || n > 0 && stored == 0 { 0 } else { arms };
            length(values, expected)
        };
        optional(row.predicted, self.predicted.len())?;
        optional(row.logging, self.logging.len())?;
        if let Some(index) = row.predicted.iter().position(|q| !q.is_finite()) {
            return Err(Refused::NotFinite { index });
        }
        if !row.logging.is_empty() {
            distribution(row.logging, arms)?;
        }
        self.arm.push(row.arm);
        self.reward.push(row.reward);
        self.weight.push(row.target[row.arm] / row.propensity);
        self.target.extend_from_slice(row.target);
        self.predicted.extend_from_slice(row.predicted);
        self.logging.extend_from_slice(row.logging);
        Ok(())
    }

    /// Rows so far.
    pub const fn len(&self) -> usize {
        self.arm.len()
    }

    /// Whether there are no rows.
    pub const fn is_empty(&self) -> bool {
        self.arm.is_empty()
    }

    /// What the log can tell about its target, whatever the estimator.
    pub fn diagnostics(&self) -> Diagnostics {
        Diagnostics::of(&self.weight, self.unsupported())
    }

    /// Estimates after checking that the log supports an answer.
    ///
    /// # Errors
    ///
    /// [`NoSupport`] says what the log lacks.
    pub fn evaluate(&self, estimator: Estimator, gate: &Gate) -> Result<Estimate, NoSupport> {
        gate.check(&self.diagnostics())?;
        self.estimate(estimator)
    }

    /// Estimates without looking at the diagnostics. For research; decisions belong to
    /// [`Log::evaluate`].
    ///
    /// # Errors
    ///
    /// [`NoSupport`] when the log is empty or lacks a model or probabilities the estimator needs.
    pub fn estimate(&self, estimator: Estimator) -> Result<Estimate, NoSupport> {
        if self.is_empty() {
            return Err(NoSupport::Empty);
        }
        let needs_model = !matches!(
            estimator,
            Estimator::Ips | Estimator::Clipped(_) | Estimator::Snips | Estimator::SubGaussian(_)
        );
        if needs_model && self.predicted.is_empty() {
            return Err(NoSupport::NoModel);
        }
        if matches!(estimator, Estimator::Cab(_)) && self.logging.is_empty() {
            return Err(NoSupport::NoLogging);
        }
        let terms: Vec<f64> = (0..self.len()).map(|i| self.term(estimator, i)).collect();
        let (value, standard_error) = match estimator {
            Estimator::Snips | Estimator::SnDr => self.normalised(estimator, &terms),
            _ => mean_and_error(&terms),
        };
        Ok(Estimate { value, standard_error, diagnostics: self.diagnostics() })
    }

    /// What row `i` adds to the mean; for self-normalised estimators its numerator.
    fn term(&self, estimator: Estimator, i: usize) -> f64 {
        let (w, r) = (self.weight[i], self.reward[i]);
        let correct = |weight: f64| self.direct(i) + weight * (r - self.q(i, self.arm[i]));
        match estimator {
            Estimator::Dm => self.direct(i),
            Estimator::Ips | Estimator::Snips => w * r,
            Estimator::Clipped(most) => w.min(most) * r,
            Estimator::SubGaussian(lambda) => w * r / (1.0 - lambda + lambda * w),
            Estimator::Dr => correct(w),
            Estimator::SnDr => w * (r - self.q(i, self.arm[i])),
            Estimator::SwitchDr(lambda) => correct(if w <= lambda { w } else { 0.0 }),
            Estimator::DrOs(lambda) => correct(lambda * w / (w * w + lambda)),
            Estimator::Cab(most) => {
                let (pi, p) = (self.row(&self.target, i), self.row(&self.logging, i));
                let blend: f64 = (0..self.arms)
                    .filter(|&a| pi[a] > 0.0)
                    .map(|a| pi[a] * (1.0 - (most * p[a] / pi[a]).min(1.0)) * self.q(i, a))
                    .sum();
                blend + w.min(most) * r
            }
        }
    }

    /// Ratio estimators, with the standard error of their linearisation.
    fn normalised(&self, estimator: Estimator, terms: &[f64]) -> (f64, f64) {
        let total: f64 = self.weight.iter().sum();
        let ratio = terms.iter().sum::<f64>() / total;
        let direct = |i| if estimator == Estimator::SnDr { self.direct(i) } else { 0.0 };
        let n = self.len() as f64;
        let base: f64 = (0..self.len()).map(direct).sum::<f64>() / n;
        let scale = n / total;
        let linear: Vec<f64> = (0..self.len())
            .map(|i| direct(i) + scale * (terms[i] - self.weight[i] * ratio))
            .collect();
        (base + ratio, mean_and_error(&linear).1)
    }

    fn row<'a>(&self, matrix: &'a [f64], i: usize) -> &'a [f64] {
        &matrix[i * self.arms..(i + 1) * self.arms]
    }

    fn q(&self, i: usize, arm: usize) -> f64 {
        self.predicted[i * self.arms + arm]
    }

    /// Model value of the target at row `i`, as an average: rounded probabilities may not sum
    /// to 1 exactly.
    fn direct(&self, i: usize) -> f64 {
        let target = self.row(&self.target, i);
        let sum: f64 = target.iter().zip(self.row(&self.predicted, i)).map(|(pi, q)| pi * q).sum();
        sum / target.iter().sum::<f64>()
    }

    /// Mean target probability of arms that could not have been logged; `None` if unknown.
    fn unsupported(&self) -> Option<f64> {
        if self.logging.is_empty() {
            return None;
        }
        let pairs = self.target.iter().zip(&self.logging);
        let lost: f64 = pairs.filter(|&(_, &p)| p <= 0.0).map(|(pi, _)| pi).sum();
        Some(lost / self.len() as f64)
    }
}

fn length(values: &[f64], expected: usize) -> Result<(), Refused> {
    if values.len() == expected {
        Ok(())
    } else {
        Err(Refused::Dimension { expected, got: values.len() })
    }
}

/// Probabilities may be rounded to six digits.
fn distribution(values: &[f64], arms: usize) -> Result<(), Refused> {
    length(values, arms)?;
    if let Some(&value) = values.iter().find(|p| !(0.0..=1.0).contains(*p)) {
        return Err(Refused::Propensity { value });
    }
    let sum: f64 = values.iter().sum();
    if (sum - 1.0).abs() <= 1e-5 { Ok(()) } else { Err(Refused::Propensity { value: sum }) }
}

fn mean_and_error(terms: &[f64]) -> (f64, f64) {
    let n = terms.len() as f64;
    let mean = terms.iter().sum::<f64>() / n;
    let squares: f64 = terms.iter().map(|t| (t - mean) * (t - mean)).sum();
    let error = if n > 1.0 { (squares / (n - 1.0) / n).sqrt() } else { f64::INFINITY };
    (mean, error)
}
