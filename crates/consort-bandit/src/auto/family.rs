//! Predictors that share a feature map, its features and the record of what was pulled.

use pulp::Arch;

use super::Config;
use super::standing::Standing;
use crate::arms::ArmSet;
use crate::codec::{Reader, Writer};
use crate::error::{Corrupt, InvalidConfig};
use crate::exclusive::{Beliefs, Softmax};
use crate::linear::{self, Ridge, from_line, kernel, pad};
use crate::maps::{Map, Mapper, Scaler};
use crate::model::{Example, Model, Persist, Scores};

/// Most predictors in one family.
pub(super) const MOST_HEADS: usize = 3;
/// Regularisation of the scores of the exclusive predictor.
const EXCLUSIVE_LAMBDA: f64 = 1.0;

/// A plain ridge regression over mapped features, and beside it, where they pay, one that shrinks
/// irrelevant features away and one that assumes a single right arm.
#[derive(Clone, Debug)]
pub(super) struct Family {
    mapper: Mapper,
    plain: Ridge,
    sparse: Option<Ridge>,
    exclusive: Option<Softmax>,
    /// Features of the example at hand; padded with the constant for the exclusive predictor.
    features: Vec<f64>,
    padded: Vec<f64>,
    vectors: Vec<f64>,
    beliefs: Vec<f64>,
    scratch: Vec<f64>,
    scores: Vec<f64>,
    matrix: Vec<f64>,
    arch: Arch,
}

/// One example as the families see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight<'a> {
    pub(super) x: &'a [f64],
    pub(super) arm: usize,
    pub(super) reward: f64,
    pub(super) weight: f64,
    /// Mean reward, toward which predictions shrink.
    pub(super) centre: f64,
}

/// What one predictor said about the arm that was chosen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reading {
    /// Predicted reward.
    pub(super) mean: f64,
    /// Its width in units of the noise.
    pub(super) width: f64,
}

impl Reading {
    /// Squared error, with the prediction clamped to where rewards can be.
    pub(super) fn error(&self, reward: f64) -> f64 {
        let miss = reward - self.mean.clamp(0.0, 1.0);
        miss * miss
    }
}

impl Family {
    pub(super) fn new(
        config: Config,
        map: Map,
        lambda: f64,
        sparse: bool,
        exclusive: bool,
    ) -> Result<Self, InvalidConfig> {
        let mapper = Mapper::new(map, config.dim)?;
        let ridge = linear::Config { lambda, ..linear::Config::new(config.arms, mapper.len()) };
        let plain = Ridge::new(ridge)?;
        let sparse = match sparse {
            true => Some(Ridge::new(linear::Config { sparse: true, ..ridge })?),
            false => None,
        };
        let n = kernel::padded(ridge.used());
        let exclusive = exclusive.then(|| Softmax::new(config.arms, n, EXCLUSIVE_LAMBDA));
        Ok(Self::with(mapper, plain, sparse, exclusive))
    }

    fn with(
        mapper: Mapper,
        plain: Ridge,
        sparse: Option<Ridge>,
        exclusive: Option<Softmax>,
    ) -> Self {
        let (arms, n) = (plain.arms(), kernel::padded(plain.config().used()));
        Self {
            features: vec![0.0; mapper.len()],
            padded: vec![0.0; n],
            vectors: vec![0.0; 2 * n],
            beliefs: vec![0.0; 3 * arms],
            scratch: vec![0.0; plain.scratch()],
            scores: vec![0.0; 2 * arms],
            matrix: Vec::new(),
            arch: Arch::new(),
            mapper,
            plain,
            sparse,
            exclusive,
        }
    }

    /// Number of predictors: plain, sparse, exclusive, in this order.
    pub(super) fn heads(&self) -> usize {
        1 + usize::from(self.sparse.is_some()) + usize::from(self.exclusive.is_some())
    }

    pub(super) fn names(&self) -> Vec<String> {
        let map = match self.mapper.map() {
            Map::Nothing => "constant",
            Map::Identity => "linear",
            Map::Quadratic => "quadratic",
            Map::Thresholds => "thresholds",
            Map::Fourier { .. } => "curves",
        };
        let mut names = vec![map.to_owned()];
        names.extend(self.sparse.as_ref().map(|_| format!("{map}, sparse")));
        names.extend(self.exclusive.as_ref().map(|_| format!("{map}, one right")));
        names
    }

    pub(super) fn scratch(&self) -> usize {
        let (arms, n) = (self.plain.arms(), self.padded.len());
        5 * arms + self.mapper.len() + self.plain.scratch() + 2 * n + kernel::LANES
    }

    /// Adds the weighted predictions of the family's predictors to `out`.
    #[expect(clippy::too_many_arguments, reason = "the state of one decision, all borrowed")]
    pub(super) fn add(
        &self,
        x: &[f64],
        scaler: &Scaler,
        centre: f64,
        available: &ArmSet,
        weights: &[f64; MOST_HEADS],
        out: Scores<'_>,
        scratch: &mut [f64],
    ) {
        let arms = self.plain.arms();
        let (mean, scratch) = scratch.split_at_mut(arms);
        let (width, scratch) = scratch.split_at_mut(arms);
        let (beliefs, scratch) = scratch.split_at_mut(3 * arms);
        let (features, scratch) = scratch.split_at_mut(self.mapper.len());
        self.mapper.apply(x, scaler, features);
        let mut add = |weight: f64, mean: &[f64], width: &[f64]| {
            for arm in available {
                out.mean[arm] += weight * mean[arm];
                out.width[arm] += weight * width[arm];
            }
        };
        let mut heads = weights.iter();
        let mut next = || heads.next().copied().unwrap_or(0.0);
        let plain = next();
        let sparse = self.sparse.as_ref().map_or(0.0, |_| next());
        let exclusive = self.exclusive.as_ref().map_or(0.0, |_| next());
        if let Some(ridge) = &self.sparse
            && sparse > 0.0
        {
            let scores = Scores { mean: &mut *mean, width: &mut *width };
            ridge.predict_around(centre, features, available, scores, scratch);
            add(sparse, mean, width);
        }
        if plain > 0.0 || exclusive > 0.0 {
            let scores = Scores { mean: &mut *mean, width: &mut *width };
            self.plain.predict_around(centre, features, available, scores, scratch);
            add(plain, mean, width);
        }
        if let Some(softmax) = &self.exclusive
            && exclusive > 0.0
        {
            let (padded, work) = from_line(scratch).split_at_mut(self.padded.len());
            pad(features, true, padded);
            let mut beliefs = Beliefs::cut(beliefs, arms);
            softmax.judge(self.arch, padded, &mut beliefs, &mut work[..self.padded.len()]);
            add(exclusive, beliefs.probability, width);
        }
    }

    /// Maps an example, for [`Family::read`] and [`Family::teach`] to use.
    pub(super) fn look(&mut self, sight: &Sight<'_>, scaler: &Scaler) {
        self.mapper.apply(sight.x, scaler, &mut self.features);
        if let Some(softmax) = &self.exclusive {
            pad(&self.features, true, &mut self.padded);
            let mut beliefs = Beliefs::cut(&mut self.beliefs, self.plain.arms());
            let work = &mut self.vectors[..self.padded.len()];
            softmax.judge(self.arch, &self.padded, &mut beliefs, work);
        }
    }

    /// Writes what each predictor that is not retired says about the chosen arm.
    pub(super) fn read(&mut self, sight: &Sight<'_>, standings: &[Standing], out: &mut [Reading]) {
        let arms = self.plain.arms();
        let only = ArmSet::EMPTY.with(sight.arm);
        let (last, mut head) = (self.heads() - 1, 0);
        let mut ask = |ridge: &Ridge, needed: bool| {
            if needed {
                let (mean, width) = self.scores.split_at_mut(arms);
                let scores = Scores { mean, width };
                let (features, scratch) = (&self.features, &mut self.scratch);
                ridge.predict_around(sight.centre, features, &only, scores, scratch);
                out[head] =
                    Reading { mean: self.scores[sight.arm], width: self.scores[arms + sight.arm] };
            }
            head += 1;
        };
        let alive = |head: usize| !standings[head].retired();
        ask(&self.plain, alive(0) || (self.exclusive.is_some() && alive(last)));
        if let Some(sparse) = &self.sparse {
            ask(sparse, alive(1));
        }
        if self.exclusive.is_some() {
            let mean = self.beliefs[2 * arms + sight.arm];
            out[last] = Reading { mean, width: out[0].width };
        }
    }

    /// Teaches every predictor that is not retired; `only` one arm of those that learn about all.
    pub(super) fn teach(&mut self, sight: &Sight<'_>, standings: &[Standing], only: Option<usize>) {
        let Sight { arm, reward, weight, .. } = *sight;
        let example = Example { x: &self.features, arm, reward, propensity: 1.0, weight };
        let last = self.heads() - 1;
        let excludes = self.exclusive.is_some() && !standings[last].retired();
        if excludes || !standings[0].retired() {
            self.plain.learn(&example);
        }
        if let Some(sparse) = &mut self.sparse
            && !standings[1].retired()
        {
            sparse.learn(&example);
        }
        if let Some(softmax) = &mut self.exclusive
            && excludes
        {
            let believed = Beliefs::cut(&mut self.beliefs, self.plain.arms());
            let buffers = (&mut self.vectors[..], &mut self.matrix);
            let outcome = (arm, reward, weight);
            softmax.learn(self.arch, &self.padded, outcome, only, &believed, buffers);
        }
    }

    /// Forgets everything about one arm, or about all.
    pub(super) fn forget(&mut self, arm: Option<usize>) {
        for index in 0..self.plain.arms() {
            if arm.is_none_or(|arm| arm == index) {
                self.plain.forget(index);
                if let Some(sparse) = &mut self.sparse {
                    sparse.forget(index);
                }
                if let Some(softmax) = &mut self.exclusive {
                    softmax.forget(index, EXCLUSIVE_LAMBDA);
                }
            }
        }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        self.plain.write(out);
        if let Some(sparse) = &self.sparse {
            sparse.write(out);
        }
        if let Some(softmax) = &self.exclusive {
            softmax.write(out);
        }
    }

    /// Reads the state into a family of the same making.
    pub(super) fn read_state(mut self, from: &mut Reader<'_>) -> Result<Self, Corrupt> {
        let read = |from: &mut Reader<'_>, expected: &Ridge| {
            let found = Ridge::read(from, Ridge::VERSION)?;
            if found.config() == expected.config() { Ok(found) } else { Err(Corrupt::Value) }
        };
        self.plain = read(from, &self.plain)?;
        if let Some(sparse) = &mut self.sparse {
            *sparse = read(from, sparse)?;
        }
        if let Some(softmax) = &mut self.exclusive {
            *softmax = Softmax::read(from, self.plain.arms(), self.padded.len())?;
        }
        Ok(self)
    }
}
