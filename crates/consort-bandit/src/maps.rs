//! Feature maps: contexts turned into features in which the reward is (nearer to) linear.

use serde::{Deserialize, Serialize};

use crate::arms::ArmSet;
use crate::codec::{Reader, Writer};
use crate::error::{Corrupt, InvalidConfig};
use crate::model::{Example, MAX_DIM, Model, Persist, Scores};
use crate::rng::{normal, uniform};

/// A way to derive features.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Map {
    /// Nothing but the constant: a context-free model.
    Nothing,
    /// The features as they are.
    Identity,
    /// The features and all products of two.
    Quadratic,
    /// The features, the quarter of its distribution each lies in, and for each pair whether
    /// both lie on the same side of their means: what a tree of depth two can see.
    Thresholds,
    /// Random Fourier features of a Gaussian kernel (Rahimi and Recht 2007).
    Fourier {
        /// How many, 1 to [`MAX_DIM`].
        features: usize,
        /// Width of the kernel in units of the root of the total variance of the features.
        bandwidth: f64,
    },
}

/// Seed of the random features: fixed, so that a map is a function of its settings.
const SEED: u64 = 77;
/// Quartile of the standard normal.
const QUARTILE: f64 = 0.674_489_75;
/// Size of a threshold feature.
const STEP: f64 = 0.5;

impl Map {
    /// Number of features derived from `dim`.
    pub const fn len(self, dim: usize) -> usize {
        match self {
            Self::Nothing => 1,
            Self::Identity => dim,
            Self::Quadratic => dim + dim * (dim + 1) / 2,
            Self::Thresholds => 4 * dim + dim * dim.saturating_sub(1) / 2,
            Self::Fourier { features, .. } => features,
        }
    }

    /// Whether the map derives nothing; no map does.
    pub const fn is_empty(self) -> bool {
        false
    }
}

/// Running mean and variance of each feature.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scaler {
    n: f64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl Scaler {
    pub(crate) fn new(dim: usize) -> Self {
        Self { n: 0.0, mean: vec![0.0; dim], squares: vec![0.0; dim] }
    }

    pub(crate) fn push(&mut self, x: &[f64]) {
        self.n += 1.0;
        for ((x, mean), squares) in x.iter().zip(&mut self.mean).zip(&mut self.squares) {
            let gap = x - *mean;
            *mean += gap / self.n;
            *squares += gap * (x - *mean);
        }
    }

    /// Variance of feature `i`, 1 before there are two observations.
    fn variance(&self, i: usize) -> f64 {
        if self.n < 2.0 { 1.0 } else { (self.squares[i] / self.n).max(1e-18) }
    }

    /// Mean of feature `i`.
    pub(crate) fn mean(&self, i: usize) -> f64 {
        self.mean[i]
    }

    fn standard(&self, x: &[f64], i: usize) -> f64 {
        let mean = if self.n < 2.0 { 0.0 } else { self.mean[i] };
        (x[i] - mean) / self.variance(i).sqrt()
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        out.f64(self.n);
        out.f64s(&self.mean);
        out.f64s(&self.squares);
    }

    pub(crate) fn read(from: &mut Reader<'_>, dim: usize) -> Result<Self, Corrupt> {
        let mut scaler = Self::new(dim);
        scaler.n = from.finite()?;
        from.f64s(&mut scaler.mean)?;
        from.f64s(&mut scaler.squares)?;
        Ok(scaler)
    }
}

/// A [`Map`] for contexts of one dimension, its random numbers drawn.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mapper {
    map: Map,
    dim: usize,
    directions: Vec<f64>,
    phases: Vec<f64>,
}

impl Mapper {
    pub(crate) fn new(map: Map, dim: usize) -> Result<Self, InvalidConfig> {
        if map.len(dim) > MAX_DIM || map.len(dim) == 0 {
            return Err(InvalidConfig::new("map", "must derive 1 to 4096 features"));
        }
        let (mut directions, mut phases) = (Vec::new(), Vec::new());
        if let Map::Fourier { features, bandwidth } = map {
            if !(bandwidth > 0.0 && bandwidth.is_finite()) {
                return Err(InvalidConfig::new("bandwidth", "must be a number > 0"));
            }
            directions.extend((0..features * dim).map(|i| normal(SEED, 7, i as u64)));
            let turn = |i| uniform(SEED, 8, i as u64) * std::f64::consts::TAU;
            phases.extend((0..features).map(turn));
        }
        Ok(Self { map, dim, directions, phases })
    }

    pub(crate) const fn map(&self) -> Map {
        self.map
    }

    pub(crate) fn len(&self) -> usize {
        self.map.len(self.dim)
    }

    /// Writes the features of `x` into `out`, which has exactly their number.
    pub(crate) fn apply(&self, x: &[f64], scaler: &Scaler, out: &mut [f64]) {
        match self.map {
            Map::Nothing => out.fill(0.0),
            Map::Identity => out.copy_from_slice(x),
            Map::Quadratic => {
                let (head, mut rest) = out.split_at_mut(x.len());
                head.copy_from_slice(x);
                for (i, own) in x.iter().enumerate() {
                    let (products, later) = rest.split_at_mut(i + 1);
                    products.iter_mut().zip(x).for_each(|(p, other)| *p = own * other);
                    rest = later;
                }
            }
            Map::Thresholds => thresholds(x, scaler, out),
            Map::Fourier { features, bandwidth } => {
                let total: f64 = (0..x.len()).map(|i| scaler.variance(i)).sum();
                let scale = 1.0 / (bandwidth * total.sqrt());
                let size = (2.0 / features as f64).sqrt();
                let rows = self.directions.chunks_exact(self.dim).zip(&self.phases);
                for (out, (direction, phase)) in out.iter_mut().zip(rows) {
                    let along: f64 = direction.iter().zip(x).map(|(w, x)| w * x).sum();
                    *out = size * libm::cos(along * scale + phase);
                }
            }
        }
    }
}

fn thresholds(x: &[f64], scaler: &Scaler, out: &mut [f64]) {
    let n = x.len();
    let (head, rest) = out.split_at_mut(n);
    head.copy_from_slice(x);
    let (quarters, mut pairs) = rest.split_at_mut(3 * n);
    for (i, quarter) in quarters.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        let z = scaler.standard(x, i);
        let side = if z > 0.0 { STEP } else { -STEP };
        *quarter = if z.abs() < QUARTILE { [STEP, side, 0.0] } else { [-STEP, side, side] };
        // The sides of earlier features stand in their quarters already.
        let (own, later) = pairs.split_at_mut(i);
        pairs = later;
        for (j, pair) in own.iter_mut().enumerate() {
            let other = scaler.standard(x, j);
            *pair = if z * other > 0.0 { STEP } else { -STEP };
        }
    }
}

/// A model over derived features, such as `Mapped::new(Map::Quadratic, …)` for quadratic LinUCB.
#[derive(Clone, Debug)]
pub struct Mapped<M> {
    mapper: Mapper,
    scaler: Scaler,
    inner: M,
    features: Vec<f64>,
}

impl<M: Model> Mapped<M> {
    /// Puts `map` before the model that `inner` makes for the derived dimension.
    ///
    /// # Errors
    ///
    /// When the map derives too many features, or as `inner` fails.
    pub fn new(
        map: Map,
        dim: usize,
        inner: impl FnOnce(usize) -> Result<M, InvalidConfig>,
    ) -> Result<Self, InvalidConfig> {
        let mapper = Mapper::new(map, dim)?;
        let inner = inner(mapper.len())?;
        let features = vec![0.0; mapper.len()];
        Ok(Self { mapper, scaler: Scaler::new(dim), inner, features })
    }

    /// The model behind the map.
    pub const fn inner(&self) -> &M {
        &self.inner
    }
}

impl<M: Model> Model for Mapped<M> {
    fn arms(&self) -> usize {
        self.inner.arms()
    }

    fn dim(&self) -> usize {
        self.mapper.dim
    }

    fn scratch(&self) -> usize {
        self.mapper.len() + self.inner.scratch()
    }

    fn seen(&self) -> u64 {
        self.inner.seen()
    }

    fn pulls(&self, arm: usize) -> u64 {
        self.inner.pulls(arm)
    }

    fn predict(&self, x: &[f64], available: &ArmSet, out: Scores<'_>, scratch: &mut [f64]) {
        let (features, scratch) = scratch.split_at_mut(self.mapper.len());
        self.mapper.apply(x, &self.scaler, features);
        self.inner.predict(features, available, out, scratch);
    }

    fn learn(&mut self, example: &Example<'_>) {
        self.scaler.push(example.x);
        self.mapper.apply(example.x, &self.scaler, &mut self.features);
        self.inner.learn(&Example { x: &self.features, ..*example });
    }
}

impl Map {
    pub(crate) fn write(self, out: &mut Writer) {
        let (tag, features, bandwidth) = match self {
            Self::Nothing => (0, 0, 0.0),
            Self::Identity => (1, 0, 0.0),
            Self::Quadratic => (2, 0, 0.0),
            Self::Thresholds => (3, 0, 0.0),
            Self::Fourier { features, bandwidth } => (4, features, bandwidth),
        };
        out.u8(tag);
        out.usize(features);
        out.f64(bandwidth);
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, Corrupt> {
        let (tag, features) = (from.u8()?, from.below(MAX_DIM + 1)?);
        let bandwidth = from.finite()?;
        Ok(match tag {
            0 => Self::Nothing,
            1 => Self::Identity,
            2 => Self::Quadratic,
            3 => Self::Thresholds,
            4 => Self::Fourier { features, bandwidth },
            _ => return Err(Corrupt::Value),
        })
    }
}

impl<M: Model + Persist> Persist for Mapped<M> {
    const KIND: u16 = 0x0010 | M::KIND;
    const VERSION: u16 = M::VERSION;

    fn write(&self, out: &mut Writer) {
        self.mapper.map.write(out);
        out.usize(self.mapper.dim);
        self.scaler.write(out);
        self.inner.write(out);
    }

    fn read(from: &mut Reader<'_>, version: u16) -> Result<Self, Corrupt> {
        let map = Map::read(from)?;
        let dim = from.below(MAX_DIM + 1)?;
        let mapper = Mapper::new(map, dim).map_err(|_| Corrupt::Value)?;
        let scaler = Scaler::read(from, dim)?;
        let inner = M::read(from, version)?;
        if inner.dim() != mapper.len() {
            return Err(Corrupt::Value);
        }
        let features = vec![0.0; mapper.len()];
        Ok(Self { mapper, scaler, inner, features })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{from_bytes, to_bytes};
    use crate::linear::{Config, Ridge};

    fn features(map: Map, x: &[f64]) -> Vec<f64> {
        let mapper = Mapper::new(map, x.len()).unwrap();
        let mut out = vec![9.0; mapper.len()];
        mapper.apply(x, &Scaler::new(x.len()), &mut out);
        out
    }

    #[test]
    fn maps_derive_what_they_say() {
        let x = [2.0, -0.5];
        assert_eq!(features(Map::Nothing, &x), [0.0]);
        assert_eq!(features(Map::Identity, &x), x);
        assert_eq!(features(Map::Quadratic, &x), [2.0, -0.5, 4.0, -1.0, 0.25]);
        let thresholds = [2.0, -0.5, -0.5, 0.5, 0.5, 0.5, -0.5, 0.0, -0.5];
        assert_eq!(features(Map::Thresholds, &x), thresholds);
        assert_eq!(features(Map::Thresholds, &[1.0]).len(), 4);
    }

    #[test]
    fn fourier_features_approach_their_kernel() {
        let map = Map::Fourier { features: 2000, bandwidth: 1.0 };
        let (x, y) = ([0.3, -0.2, 0.5], [0.1, 0.4, -0.6]);
        let inner: f64 = features(map, &x).iter().zip(features(map, &y)).map(|(a, b)| a * b).sum();
        // Unit variances: three in total, so the kernel is exp(−|x − y|²/6).
        let distance: f64 = x.iter().zip(&y).map(|(a, b)| (a - b) * (a - b)).sum();
        assert!((inner - (-distance / 6.0).exp()).abs() < 0.05, "{inner}");
    }

    #[test]
    fn scales_of_the_features_do_not_matter_to_thresholds() {
        let mapper = Mapper::new(Map::Thresholds, 2).unwrap();
        let (mut small, mut large) = (Scaler::new(2), Scaler::new(2));
        for t in 0..500 {
            let x = [normal(1, 0, t), normal(1, 1, t)];
            small.push(&x);
            large.push(&[1e3 * x[0] + 7.0, 1e-3 * x[1]]);
        }
        let (mut a, mut b) = ([0.0; 9], [0.0; 9]);
        mapper.apply(&[0.4, -0.9], &small, &mut a);
        mapper.apply(&[407.0, -0.9e-3], &large, &mut b);
        assert_eq!(a[2..], b[2..]);
    }

    #[test]
    fn a_quadratic_model_learns_a_circle_and_is_stored() {
        let make = || Mapped::new(Map::Quadratic, 2, |dim| Ridge::new(Config::new(1, dim)));
        let mut model = make().unwrap();
        let circle = |x: &[f64; 2]| if x[0] * x[0] + x[1] * x[1] < 1.0 { 1.0 } else { 0.0 };
        for t in 0..1000 {
            let x = [normal(2, 0, t), normal(2, 1, t)];
            model.learn(&Example::new(&x, 0, circle(&x), 1.0));
        }
        let mean = |model: &Mapped<Ridge>, x: &[f64]| {
            let (mut mean, mut width) = ([0.0], [0.0]);
            let scores = Scores { mean: &mut mean, width: &mut width };
            model.predict(x, &ArmSet::all(1), scores, &mut vec![0.0; model.scratch()]);
            mean[0]
        };
        assert!(mean(&model, &[0.1, 0.1]) > mean(&model, &[1.5, 1.5]) + 0.5);
        let copy: Mapped<Ridge> = from_bytes(&to_bytes(&model)).unwrap();
        assert_eq!(mean(&copy, &[0.3, 0.2]), mean(&model, &[0.3, 0.2]));
    }

    #[test]
    fn maps_that_derive_too_much_are_refused() {
        assert!(Mapper::new(Map::Quadratic, 200).is_err());
        assert!(Mapper::new(Map::Fourier { features: 0, bandwidth: 1.0 }, 2).is_err());
        assert!(Mapper::new(Map::Fourier { features: 8, bandwidth: 0.0 }, 2).is_err());
    }
}
