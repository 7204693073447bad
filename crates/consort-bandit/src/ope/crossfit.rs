//! Reward models for evaluation that never predict a row they were fitted on.

use crate::arms::ArmSet;
use crate::error::{InvalidConfig, Refused};
use crate::linear::{Config, Ridge};
use crate::model::{Example, Model, Scores};

/// What a reward model is fitted on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation<'a> {
    /// The context.
    pub x: &'a [f64],
    /// The arm that was chosen.
    pub arm: usize,
    /// What came of it, in [0, 1].
    pub reward: f64,
    /// The probability it was chosen with, in (0, 1].
    pub propensity: f64,
}

/// Why no reward model could be fitted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoFit {
    /// A setting is out of its range.
    #[error(transparent)]
    Config(#[from] InvalidConfig),
    /// An observation is not usable.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// Predicted rewards of all arms for every row, row by row: ridge regressions are fitted on all
/// folds but one and predict that one. Row `i` is in fold `i % folds`. Predictions are clamped to
/// [0, 1].
///
/// # Errors
///
/// `NoFit` when there are fewer than two folds or an observation is not usable.
pub fn cross_fit(
    rows: &[Observation<'_>],
    folds: usize,
    config: Config,
) -> Result<Vec<f64>, NoFit> {
    if folds < 2 {
        return Err(InvalidConfig::new("folds", "must be at least 2").into());
    }
    let arms = config.arms;
    let mut predicted = vec![0.0; rows.len() * arms];
    let all = ArmSet::all(arms);
    for fold in 0..folds {
        let mut model = Ridge::new(config)?;
        for (i, row) in rows.iter().enumerate() {
            let example = Example::new(row.x, row.arm, row.reward, row.propensity);
            example.validate(arms, config.dim)?;
            if i % folds != fold {
                model.learn(&example);
            }
        }
        let (mut width, mut scratch) = (vec![0.0; arms], vec![0.0; model.scratch()]);
        for (i, row) in rows.iter().enumerate().filter(|(i, _)| i % folds == fold) {
            let mean = &mut predicted[i * arms..(i + 1) * arms];
            model.predict(row.x, &all, Scores { mean, width: &mut width }, &mut scratch);
            let mean = &mut predicted[i * arms..(i + 1) * arms];
            mean.iter_mut().for_each(|q| *q = q.clamp(0.0, 1.0));
        }
    }
    Ok(predicted)
}
