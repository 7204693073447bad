//! Predictors that share a feature map, its features and the record of what was pulled.

use pulp::Arch;

use super::Config;
use super::predictor::{Assumes, Predictor};
use super::standing::Standing;
use crate::arms::ArmSet;
use crate::codec::{Reader, Writer};
use crate::error::{Corrupt, InvalidConfig};
use crate::exclusive::{Beliefs, Softmax};
use crate::linear::{self, Arm, Ridge, from_line, kernel, pad};
use crate::maps::{Map, Mapper, Scaler};
use crate::model::{Example, Persist, Scores};

/// Most predictors in one family.
pub(super) const MOST_HEADS: usize = 5;
/// Regularisation of the scores of the exclusive predictor.
const EXCLUSIVE_LAMBDA: f64 = 1.0;
/// Most features for which thresholds and pairs are derived.
const PAIRS_UP_TO: usize = 12;
/// Most features for which curves and sparse effects are learned.
const CURVES_UP_TO: usize = 64;

/// What a family is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    map: Map,
    lambda: f64,
    /// What its predictors assume beside the first, which assumes nothing.
    others: &'static [Assumes],
    /// Whether one more assumes a single right arm.
    exclusive: bool,
}

/// The families for a shape.
pub(super) fn plans(config: Config) -> Vec<Plan> {
    let plan = |map, lambda, others, exclusive| Plan { map, lambda, others, exclusive };
    let mut plans = vec![plan(Map::Nothing, 1.0, &[][..], false)];
    let narrow = config.dim <= CURVES_UP_TO;
    let all = &[Assumes::Sparse, Assumes::Shared, Assumes::Fading][..];
    plans.push(plan(Map::Identity, 1.0, if narrow { all } else { &[] }, true));
    if config.dim <= PAIRS_UP_TO {
        plans.push(plan(Map::Thresholds, 1.0, &[Assumes::Sparse], false));
    }
    if narrow {
        plans.push(plan(Map::Fourier { features: 128, bandwidth: 0.5 }, 0.1, &[], true));
    }
    plans
}

impl Plan {
    /// Bytes that what the predictors know takes in a state, at least.
    pub(super) fn stored(&self, config: Config, version: u16) -> usize {
        let stored = |assumes: &&Assumes| version >= 2 || assumes.in_version_1();
        let others = self.others.iter().filter(stored).count();
        let heads = 1 + others + usize::from(self.exclusive);
        heads * config.arms * Arm::stored(kernel::padded(self.map.len(config.dim) + 1))
    }
}

/// Regressions over mapped features that assume different things, the first of them nothing, and
/// beside them, where it pays, a predictor that assumes a single right arm.
#[derive(Clone, Debug)]
pub(super) struct Family {
    arms: usize,
    mapper: Mapper,
    predictors: Vec<Predictor>,
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
    /// A family that knows nothing yet.
    pub(super) fn new(config: Config, plan: Plan) -> Result<Self, InvalidConfig> {
        let Plan { map, lambda, others, exclusive } = plan;
        let mapper = Mapper::new(map, config.dim)?;
        let ridge = linear::Config { lambda, ..linear::Config::new(config.arms, mapper.len()) };
        let predictors: Vec<Predictor> = [Assumes::Nothing]
            .iter()
            .chain(others)
            .map(|assumes| Predictor::new(*assumes, ridge))
            .collect::<Result<_, _>>()?;
        let (arms, n) = (config.arms, kernel::padded(ridge.used()));
        let scratch = predictors.iter().map(Predictor::scratch).max().unwrap_or(0);
        Ok(Self {
            arms,
            predictors,
            exclusive: exclusive.then(|| Softmax::new(arms, n, EXCLUSIVE_LAMBDA)),
            features: vec![0.0; mapper.len()],
            padded: vec![0.0; n],
            vectors: vec![0.0; 2 * n],
            beliefs: vec![0.0; 3 * arms],
            scratch: vec![0.0; scratch],
            scores: vec![0.0; 2 * arms],
            matrix: Vec::new(),
            arch: Arch::new(),
            mapper,
        })
    }

    /// Number of predictors: the regressions, then the exclusive one.
    pub(super) fn heads(&self) -> usize {
        self.predictors.len() + usize::from(self.exclusive.is_some())
    }

    pub(super) fn names(&self) -> Vec<String> {
        let map = match self.mapper.map() {
            Map::Nothing => "constant",
            Map::Identity => "linear",
            Map::Quadratic => "quadratic",
            Map::Thresholds => "thresholds",
            Map::Fourier { .. } => "curves",
        };
        let suffixes = self.predictors.iter().map(Predictor::suffix);
        let exclusive = self.exclusive.as_ref().map(|_| ", one right");
        suffixes.chain(exclusive).map(|suffix| format!("{map}{suffix}")).collect()
    }

    /// Log weights that the predictors start with.
    pub(super) fn priors(&self) -> impl Iterator<Item = f64> {
        let exclusive = self.exclusive.as_ref().map(|_| 0.0);
        self.predictors.iter().map(Predictor::prior).chain(exclusive)
    }

    /// Which predictors a state of version 1 has.
    pub(super) fn in_version_1(&self) -> impl Iterator<Item = bool> {
        let exclusive = self.exclusive.as_ref().map(|_| true);
        self.predictors.iter().map(Predictor::in_version_1).chain(exclusive)
    }

    pub(super) fn scratch(&self) -> usize {
        let (arms, n) = (self.arms, self.padded.len());
        5 * arms + self.mapper.len() + self.scratch.len() + 2 * n + kernel::LANES
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
        let arms = self.arms;
        let (mean, scratch) = scratch.split_at_mut(arms);
        let (width, scratch) = scratch.split_at_mut(arms);
        let (beliefs, scratch) = scratch.split_at_mut(3 * arms);
        let (features, scratch) = scratch.split_at_mut(self.mapper.len());
        self.mapper.apply(x, scaler, features);
        let exclusive = self.exclusive.as_ref().map_or(0.0, |_| weights[self.predictors.len()]);
        let mut add = |weight: f64, mean: &[f64], width: &[f64]| {
            for arm in available {
                out.mean[arm] += weight * mean[arm];
                out.width[arm] += weight * width[arm];
            }
        };
        // The first comes last: the exclusive predictor takes its width.
        for (at, (predictor, &weight)) in self.predictors.iter().zip(weights).enumerate().rev() {
            if weight > 0.0 || (at == 0 && exclusive > 0.0) {
                let scores = Scores { mean: &mut *mean, width: &mut *width };
                predictor.predict(centre, features, available, scores, scratch);
                add(weight, mean, width);
            }
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
            let mut beliefs = Beliefs::cut(&mut self.beliefs, self.arms);
            let work = &mut self.vectors[..self.padded.len()];
            softmax.judge(self.arch, &self.padded, &mut beliefs, work);
        }
    }

    /// Whether the predictor that assumes a single right arm is there and not retired.
    fn excludes(&self, standings: &[Standing]) -> bool {
        self.exclusive.is_some() && !standings[self.predictors.len()].retired()
    }

    /// Writes what each predictor that is not retired says about the chosen arm.
    pub(super) fn read(&mut self, sight: &Sight<'_>, standings: &[Standing], out: &mut [Reading]) {
        let (arms, only) = (self.arms, ArmSet::EMPTY.with(sight.arm));
        let excludes = self.excludes(standings);
        for (at, predictor) in self.predictors.iter().enumerate() {
            if !standings[at].retired() || (at == 0 && excludes) {
                let (mean, width) = self.scores.split_at_mut(arms);
                let scores = Scores { mean, width };
                let (features, scratch) = (&self.features, &mut self.scratch);
                predictor.predict(sight.centre, features, &only, scores, scratch);
                let (mean, width) = (self.scores[sight.arm], self.scores[arms + sight.arm]);
                out[at] = Reading { mean, width };
            }
        }
        if self.exclusive.is_some() {
            let mean = self.beliefs[2 * arms + sight.arm];
            out[self.predictors.len()] = Reading { mean, width: out[0].width };
        }
    }

    /// Teaches every predictor that is not retired; `only` one arm of those that learn about all.
    pub(super) fn teach(&mut self, sight: &Sight<'_>, standings: &[Standing], only: Option<usize>) {
        let Sight { arm, reward, weight, .. } = *sight;
        let example = Example { x: &self.features, arm, reward, propensity: 1.0, weight };
        let excludes = self.excludes(standings);
        for (at, predictor) in self.predictors.iter_mut().enumerate() {
            if !standings[at].retired() || (at == 0 && excludes) {
                predictor.learn(&example, sight.centre);
            }
        }
        if let Some(softmax) = &mut self.exclusive
            && excludes
        {
            let believed = Beliefs::cut(&mut self.beliefs, self.arms);
            let buffers = (&mut self.vectors[..], &mut self.matrix);
            let outcome = (arm, reward, weight);
            softmax.learn(self.arch, &self.padded, outcome, only, &believed, buffers);
        }
    }

    /// Forgets everything about one arm, or about all.
    pub(super) fn forget(&mut self, arm: Option<usize>, centre: f64) {
        for index in (0..self.arms).filter(|index| arm.is_none_or(|arm| arm == *index)) {
            self.predictors.iter_mut().for_each(|predictor| predictor.forget(index, centre));
            if let Some(softmax) = &mut self.exclusive {
                softmax.forget(index, EXCLUSIVE_LAMBDA);
            }
        }
    }

    /// What the regressions know about `arm`.
    pub(super) fn known(&self, arm: usize) -> Vec<Arm> {
        self.predictors.iter().map(|predictor| predictor.known(arm).clone()).collect()
    }

    /// Puts back what [`Family::known`] gave.
    pub(super) fn put(&mut self, arm: usize, known: &[Arm], centre: f64) {
        let each = self.predictors.iter_mut().zip(known);
        each.for_each(|(predictor, known)| predictor.put(arm, known, centre));
    }

    /// Coefficients of `arm` as predictor `head` uses them, the constant one last; those of the
    /// first for the exclusive predictor, which has none.
    pub(super) fn coefficients(&self, head: usize, arm: usize, centre: f64) -> Vec<f64> {
        let head = if head < self.predictors.len() { head } else { 0 };
        self.predictors[head].coefficients(arm, centre)
    }

    /// What `coefficients` predict for a scaled context. `scratch` holds its features.
    pub(super) fn value(
        &self,
        coefficients: &[f64],
        x: &[f64],
        scaler: &Scaler,
        scratch: &mut [f64],
    ) -> f64 {
        let features = &mut scratch[..self.mapper.len()];
        self.mapper.apply(x, scaler, features);
        let constant = coefficients.last().copied().unwrap_or(0.0);
        let terms = features.iter().zip(coefficients).map(|(x, c)| x * c);
        (constant + terms.sum::<f64>()).clamp(0.0, 1.0)
    }

    /// Length of coefficients.
    pub(super) fn used(&self) -> usize {
        self.mapper.len() + 1
    }

    pub(super) fn write(&self, version: u16, out: &mut Writer) {
        let has = |predictor: &&Predictor| version >= 2 || predictor.in_version_1();
        self.predictors.iter().filter(has).for_each(|predictor| predictor.write(out));
        if let Some(softmax) = &self.exclusive {
            softmax.write(out);
        }
    }

    /// Reads the state into a family of the same making.
    pub(super) fn read_state(
        &mut self,
        from: &mut Reader<'_>,
        version: u16,
    ) -> Result<(), Corrupt> {
        for predictor in &mut self.predictors {
            if version >= 2 || predictor.in_version_1() {
                predictor.read(from)?;
            }
        }
        if let Some(softmax) = &mut self.exclusive {
            *softmax = Softmax::read(from, self.arms, self.padded.len())?;
        }
        Ok(())
    }

    /// Reads what [`Family::known`] gave and was stored.
    pub(super) fn read_known(&self, from: &mut Reader<'_>) -> Result<Vec<Arm>, Corrupt> {
        let n = self.padded.len();
        self.predictors.iter().map(|_| Arm::read(from, n, Ridge::VERSION)).collect()
    }
}
