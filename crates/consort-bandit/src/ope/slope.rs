//! Choosing an estimator's parameter from the data alone (SLOPE).

use serde::{Deserialize, Serialize};

use super::{Estimate, Estimator, Log, NoSupport};

/// A family of estimators with one parameter that trades bias for variance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// [`Estimator::SwitchDr`] with its cut.
    SwitchDr,
    /// [`Estimator::DrOs`] with its shrinkage.
    DrOs,
    /// [`Estimator::Clipped`] with its cut.
    Clipped,
    /// [`Estimator::SubGaussian`] with its correction.
    SubGaussian,
}

/// An estimate with the parameter that was chosen for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tuned {
    /// The estimator chosen.
    pub estimator: Estimator,
    /// Its estimate. The standard error does not account for the choice.
    pub estimate: Estimate,
}

impl Family {
    const fn member(self, parameter: f64) -> Estimator {
        match self {
            Self::SwitchDr => Estimator::SwitchDr(parameter),
            Self::DrOs => Estimator::DrOs(parameter),
            Self::Clipped => Estimator::Clipped(parameter),
            Self::SubGaussian => Estimator::SubGaussian(parameter),
        }
    }

    /// Parameters worth trying on any log, least biased first.
    pub fn candidates(self) -> Vec<f64> {
        match self {
            Self::SwitchDr | Self::DrOs | Self::Clipped => {
                [1e6, 1e3, 300.0, 100.0, 50.0, 30.0, 20.0, 14.0, 10.0, 7.0, 5.0, 3.5, 2.5].to_vec()
            }
            Self::SubGaussian => [0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3].to_vec(),
        }
    }
}

/// Standard errors taken for a confident width.
const CONFIDENCE: f64 = 2.0;

impl Log {
    /// Estimates with the parameter of `family` that SLOPE picks (Su, Srinath, Krishnamurthy
    /// 2020): going from the least biased candidate to more biased ones, the last whose interval
    /// still meets those of all before it, |v_i − v_j| ≤ CNF_i + (√6 − 1)·CNF_j.
    ///
    /// `candidates` are in that order; [`Family::candidates`] fits most logs.
    ///
    /// # Errors
    ///
    /// As [`Log::estimate`], and [`NoSupport::NoCandidate`].
    pub fn tune(&self, family: Family, candidates: &[f64]) -> Result<Tuned, NoSupport> {
        let mut kept: Vec<Tuned> = Vec::with_capacity(candidates.len());
        for &parameter in candidates {
            let estimator = family.member(parameter);
            let estimate = self.estimate(estimator)?;
            let near = |other: &Tuned| {
                let (own, theirs) = (estimate.standard_error, other.estimate.standard_error);
                let reach = CONFIDENCE * (own + (6.0_f64.sqrt() - 1.0) * theirs);
                (estimate.value - other.estimate.value).abs() <= reach
            };
            if !kept.iter().all(near) {
                break;
            }
            // Lepski's principle wants the widths to shrink; a candidate that is wider than the
            // one before offers nothing for its bias.
            if kept
                .last()
                .is_none_or(|last| estimate.standard_error <= last.estimate.standard_error)
            {
                kept.push(Tuned { estimator, estimate });
            }
        }
        kept.pop().ok_or(NoSupport::NoCandidate)
    }
}
