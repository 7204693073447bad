//! The contract between what predicts rewards and what explores.

use crate::arms::ArmSet;
use crate::codec::{Reader, Writer};
use crate::error::{Corrupt, Refused};

/// Largest size of a feature that is accepted.
pub const MAX_FEATURE: f64 = 1e6;

/// Most features a model can have.
pub const MAX_DIM: usize = 4096;

/// One observed outcome: what was known, what was chosen with which probability, what came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Example<'a> {
    /// The context as it was at the decision, not as it is when the reward arrives.
    pub x: &'a [f64],
    /// The arm that was chosen.
    pub arm: usize,
    /// What came of it, in [0, 1], larger is better.
    pub reward: f64,
    /// Probability of the arm when it was chosen, as recorded, in (0, 1].
    pub propensity: f64,
    /// How much the observation counts, in (0, 1]; 1 unless the reward is doubtful.
    pub weight: f64,
}

impl<'a> Example<'a> {
    /// A fully trusted observation.
    pub const fn new(x: &'a [f64], arm: usize, reward: f64, propensity: f64) -> Self {
        Self { x, arm, reward, propensity, weight: 1.0 }
    }

    /// Checks shape and ranges.
    ///
    /// # Errors
    ///
    /// The first field that no learner may see.
    #[inline(always)]
    pub fn validate(&self, arms: usize, dim: usize) -> Result<(), Refused> {
        validate_context(self.x, dim)?;
        if self.arm >= arms {
            return Err(Refused::UnknownArm { arm: self.arm, arms });
        }
        if !(0.0..=1.0).contains(&self.reward) {
            return Err(Refused::Reward { value: self.reward });
        }
        if !(self.propensity > 0.0 && self.propensity <= 1.0) {
            return Err(Refused::Propensity { value: self.propensity });
        }
        if !(self.weight > 0.0 && self.weight <= 1.0) {
            return Err(Refused::Weight { value: self.weight });
        }
        Ok(())
    }
}

#[inline(always)]
pub(crate) fn validate_context(x: &[f64], dim: usize) -> Result<(), Refused> {
    if x.len() != dim {
        return Err(Refused::Dimension { expected: dim, got: x.len() });
    }
    // Without a branch for each value; NaN is in no range.
    let usable = |v: &f64| v.abs() <= MAX_FEATURE;
    if x.iter().fold(true, |all, v| all & usable(v)) {
        return Ok(());
    }
    match x.iter().position(|v| !usable(v)) {
        None => Ok(()),
        Some(index) if x[index].is_finite() => Err(Refused::TooLarge { index, value: x[index] }),
        Some(index) => Err(Refused::NotFinite { index }),
    }
}

/// Where a model writes its predictions, one entry per arm.
#[derive(Debug)]
pub struct Scores<'a> {
    /// Predicted reward.
    pub mean: &'a mut [f64],
    /// Standard deviation of the prediction in units of the reward noise; infinite when nothing
    /// at all is known.
    pub width: &'a mut [f64],
}

/// Predicts the reward of every arm and learns from the one that was chosen.
///
/// Inputs are validated by the caller ([`Agent`](crate::Agent)), so the methods cannot fail.
pub trait Model {
    /// Number of arms.
    fn arms(&self) -> usize;

    /// Number of features of a context.
    fn dim(&self) -> usize;

    /// Length of the scratch space [`Model::predict`] needs.
    fn scratch(&self) -> usize;

    /// Examples learned so far.
    fn seen(&self) -> u64;

    /// Examples learned from `arm`.
    fn pulls(&self, arm: usize) -> u64;

    /// Writes mean and width of every arm in `available`; other entries stay as they are.
    fn predict(&self, x: &[f64], available: &ArmSet, out: Scores<'_>, scratch: &mut [f64]);

    /// Writes the mean of every arm in `available`, for rules that ask for no width: it may be
    /// left as it is.
    fn predict_means(&self, x: &[f64], available: &ArmSet, out: Scores<'_>, scratch: &mut [f64]) {
        self.predict(x, available, out, scratch);
    }

    /// Learns from one validated example.
    fn learn(&mut self, example: &Example<'_>);
}

/// State that can be stored and read back bit for bit.
pub trait Persist: Sized {
    /// Distinguishes kinds of state in their stored form.
    const KIND: u16;
    /// Version of the layout that is written; older ones stay readable.
    const VERSION: u16;

    /// Appends the state.
    fn write(&self, out: &mut Writer);

    /// Reads a state of layout `version`, 1 to [`Persist::VERSION`].
    ///
    /// # Errors
    ///
    /// What is wrong with the bytes.
    fn read(from: &mut Reader<'_>, version: u16) -> Result<Self, Corrupt>;
}
