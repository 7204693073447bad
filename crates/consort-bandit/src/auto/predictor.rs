//! One way to predict a reward from features.

use crate::arms::ArmSet;
use crate::codec::{Reader, Writer};
use crate::error::{Corrupt, InvalidConfig};
use crate::linear::{self, Arm, Ridge, Shared};
use crate::model::{Example, Model, Persist, Scores};

/// Regularisation of what arms share, and of how each deviates.
const SHARED: (f64, f64) = (0.1, 10.0);
/// How alike arms are is a guess, so what follows from it is doubted more.
const SHARED_DOUBT: f64 = 1.5;
/// Share of the past that the fading predictor keeps with each example of an arm.
const FADING_KEEP: f64 = 0.99;
/// Log weight that the fading predictor starts with: it is there for a world that drifts.
const FADING_PRIOR: f64 = -6.0;

/// What a predictor assumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Assumes {
    Nothing,
    /// Few features matter.
    Sparse,
    /// Arms resemble each other.
    Shared,
    /// What was true long ago need not be true now.
    Fading,
}

impl Assumes {
    /// Whether states of version 1 have predictors that assume this.
    pub(super) const fn in_version_1(self) -> bool {
        matches!(self, Self::Nothing | Self::Sparse)
    }
}

/// A regression on features that are already mapped.
#[derive(Clone, Debug)]
pub(super) struct Predictor {
    assumes: Assumes,
    regression: Regression,
}

#[derive(Clone, Debug)]
enum Regression {
    Ridge(Ridge),
    Shared(Shared),
}

impl Predictor {
    pub(super) fn new(assumes: Assumes, ridge: linear::Config) -> Result<Self, InvalidConfig> {
        let regression = match assumes {
            Assumes::Nothing => Regression::Ridge(Ridge::new(ridge)?),
            Assumes::Sparse => {
                Regression::Ridge(Ridge::new(linear::Config { sparse: true, ..ridge })?)
            }
            Assumes::Fading => {
                Regression::Ridge(Ridge::new(linear::Config { keep: FADING_KEEP, ..ridge })?)
            }
            Assumes::Shared => {
                let (common, own) = SHARED;
                Regression::Shared(Shared::new(
                    linear::Config { lambda: own, ..ridge },
                    common,
                    0.5,
                )?)
            }
        };
        Ok(Self { assumes, regression })
    }

    pub(super) const fn suffix(&self) -> &'static str {
        match self.assumes {
            Assumes::Nothing => "",
            Assumes::Sparse => ", sparse",
            Assumes::Shared => ", shared",
            Assumes::Fading => ", fading",
        }
    }

    /// Log weight to start with.
    pub(super) const fn prior(&self) -> f64 {
        if matches!(self.assumes, Assumes::Fading) { FADING_PRIOR } else { 0.0 }
    }

    /// Whether states of version 1 have it.
    pub(super) const fn in_version_1(&self) -> bool {
        self.assumes.in_version_1()
    }

    pub(super) fn scratch(&self) -> usize {
        match &self.regression {
            Regression::Ridge(ridge) => ridge.scratch(),
            Regression::Shared(shared) => shared.scratch(),
        }
    }

    pub(super) fn predict(
        &self,
        centre: f64,
        features: &[f64],
        available: &ArmSet,
        out: Scores<'_>,
        scratch: &mut [f64],
    ) {
        match &self.regression {
            Regression::Ridge(ridge) => {
                ridge.predict_around(centre, features, available, out, scratch);
            }
            Regression::Shared(shared) => {
                let Scores { mean, width } = out;
                let scores = Scores { mean, width: &mut *width };
                shared.predict(features, available, scores, scratch);
                available.iter().for_each(|arm| width[arm] *= SHARED_DOUBT);
            }
        }
    }

    pub(super) fn learn(&mut self, example: &Example<'_>, centre: f64) {
        match &mut self.regression {
            Regression::Ridge(ridge) => ridge.learn(example),
            Regression::Shared(shared) => shared.learn(example, centre),
        }
    }

    pub(super) fn forget(&mut self, arm: usize, centre: f64) {
        match &mut self.regression {
            Regression::Ridge(ridge) => ridge.forget(arm),
            Regression::Shared(shared) => shared.forget(arm, centre),
        }
    }

    /// Coefficients of `arm`, the constant one last.
    pub(super) fn coefficients(&self, arm: usize, centre: f64) -> Vec<f64> {
        match &self.regression {
            Regression::Ridge(ridge) => ridge.coefficients(arm, centre),
            Regression::Shared(shared) => shared.coefficients(arm),
        }
    }

    /// Everything known about `arm`.
    pub(super) fn known(&self, arm: usize) -> &Arm {
        match &self.regression {
            Regression::Ridge(ridge) => ridge.known(arm),
            Regression::Shared(shared) => shared.ridge().known(arm),
        }
    }

    /// Puts back what was known about `arm`.
    pub(super) fn put(&mut self, arm: usize, known: &Arm, centre: f64) {
        match &mut self.regression {
            Regression::Ridge(ridge) => ridge.put(arm, known),
            Regression::Shared(shared) => shared.put(arm, known, centre),
        }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        match &self.regression {
            Regression::Ridge(ridge) => ridge.write(out),
            Regression::Shared(shared) => shared.write(out),
        }
    }

    /// Reads the state into a predictor of the same making.
    pub(super) fn read(&mut self, from: &mut Reader<'_>) -> Result<(), Corrupt> {
        match &mut self.regression {
            Regression::Shared(shared) => shared.read(from),
            Regression::Ridge(ridge) => {
                let found = Ridge::read(from, Ridge::VERSION)?;
                if found.config() != ridge.config() {
                    return Err(Corrupt::Value);
                }
                *ridge = found;
                Ok(())
            }
        }
    }
}
