//! Ridge regression, one per arm: the predictor behind LinUCB, linear Thompson sampling,
//! SquareCB, RegCB and ε-greedy.
//!
//! The state of an arm is the sums A = Σ w·x·xᵀ and b = Σ w·r·x. They are kept together with the
//! inverse of A + λI and θ = (A + λI)⁻¹b, both brought up to date by the Sherman-Morrison
//! formula in O(d²) and computed anew from the sums before rounding can build up. Sums commute:
//! examples may come late, in batches and in any order, and two learners can be added.

mod aligned;
mod arm;
pub(crate) mod factor;
mod hot;
pub(crate) mod kernel;
mod shared;
mod single;
#[cfg(test)]
mod tests;

use pulp::{Arch, Simd, WithSimd};
use serde::{Deserialize, Serialize};

use crate::arms::{ArmSet, MAX_ARMS};
use crate::codec::{Reader, Writer};
use crate::error::{CannotMerge, Corrupt, InvalidConfig};
use crate::model::{Example, MAX_DIM, Model, Persist, Scores};
pub(crate) use aligned::Aligned;
pub(crate) use arm::{Arm, Update};
pub use hot::Hot;
use kernel::padded;
pub(crate) use shared::Shared;

/// Shape and regularisation of a [`Ridge`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Number of arms, 1 to [`MAX_ARMS`].
    pub arms: usize,
    /// Number of features, 1 to [`MAX_DIM`].
    pub dim: usize,
    /// Regularisation λ, > 0, default 1: the weight of the belief that θ is 0.
    #[serde(default = "default_lambda")]
    pub lambda: f64,
    /// Share of the past an arm keeps at each of its own updates, in (0, 1], default 1.
    /// 0.98 remembers about 50 updates. A model that forgets cannot be merged.
    #[serde(default = "default_keep")]
    pub keep: f64,
    /// Whether a constant feature is added, default yes.
    #[serde(default = "default_intercept")]
    pub intercept: bool,
    /// Whether predictions shrink toward the mean reward of all arms instead of 0, default no.
    /// Needs the constant feature.
    #[serde(default)]
    pub centred: bool,
    /// Whether features that prove irrelevant are shrunk away, default no. Worth it with many
    /// derived features; such a model cannot forget and cannot be merged.
    #[serde(default)]
    pub sparse: bool,
}

const fn default_lambda() -> f64 {
    1.0
}

const fn default_keep() -> f64 {
    1.0
}

const fn default_intercept() -> bool {
    true
}

impl Config {
    /// λ = 1, nothing forgotten, with a constant feature.
    pub const fn new(arms: usize, dim: usize) -> Self {
        Self { arms, dim, lambda: 1.0, keep: 1.0, intercept: true, centred: false, sparse: false }
    }

    /// Checks the ranges documented at each field.
    ///
    /// # Errors
    ///
    /// The first setting outside its range.
    pub fn validate(self) -> Result<Self, InvalidConfig> {
        let check = |ok, key, rule| if ok { Ok(()) } else { Err(InvalidConfig::new(key, rule)) };
        check((1..=MAX_ARMS).contains(&self.arms), "arms", "must be 1 to 256")?;
        check((1..=MAX_DIM).contains(&self.dim), "dim", "must be 1 to 4096")?;
        check(self.lambda > 0.0 && self.lambda.is_finite(), "lambda", "must be a number > 0")?;
        check(self.keep > 0.0 && self.keep <= 1.0, "keep", "must be above 0 and at most 1")?;
        check(self.intercept || !self.centred, "centred", "needs the constant feature")?;
        check(self.keep == 1.0 || !self.sparse, "sparse", "cannot go with forgetting")?;
        Ok(self)
    }

    /// Features, the constant one included.
    pub(crate) const fn used(&self) -> usize {
        self.dim + self.intercept as usize
    }
}

/// How well the arithmetic of one arm is doing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Health {
    /// Rough condition number of A + λI. Above 1e12 the features are nearly redundant.
    pub condition: f64,
    /// Times the inverse was computed anew from the sums.
    pub refactored: u64,
    /// Times the regularisation had to be raised to keep the matrix invertible.
    pub repaired: u64,
}

/// Disjoint ridge regressions over shared features.
#[derive(Clone, Debug)]
pub struct Ridge {
    config: Config,
    arms: Vec<Arm>,
    seen: u64,
    buffers: Buffers,
    arch: Arch,
}

/// Space that updates work in, so that they allocate nothing.
#[derive(Clone, Debug)]
struct Buffers {
    /// Padded context.
    x: Aligned,
    /// Two vectors of an update.
    v: Aligned,
    /// A matrix, from the first refactorisation on.
    matrix: Vec<f64>,
}

impl Buffers {
    fn new(n: usize) -> Self {
        Self { x: Aligned::zeros(n), v: Aligned::zeros(2 * n), matrix: Vec::new() }
    }
}

impl Ridge {
    /// An empty model: every prediction 0, every width |x|/√λ.
    ///
    /// # Errors
    ///
    /// The first setting outside its range.
    pub fn new(config: Config) -> Result<Self, InvalidConfig> {
        let config = config.validate()?;
        let n = padded(config.used());
        let arms = vec![Arm::new(n, config.lambda); config.arms];
        Ok(Self { config, arms, seen: 0, buffers: Buffers::new(n), arch: Arch::new() })
    }

    /// Shape and regularisation.
    pub const fn config(&self) -> Config {
        self.config
    }

    /// Coefficients of `arm`, the constant feature last when there is one.
    pub fn theta(&self, arm: usize) -> &[f64] {
        &self.arms[arm].theta()[..self.config.used()]
    }

    /// Entry of A + λI of `arm`.
    pub fn gram(&self, arm: usize, i: usize, j: usize) -> f64 {
        self.arms[arm].gram(i, j)
    }

    /// Entry of the inverse of A + λI of `arm`.
    pub fn inverse(&self, arm: usize, i: usize, j: usize) -> f64 {
        let arm = &self.arms[arm];
        arm.inverse()[i * arm.theta().len() + j]
    }

    /// Entry of b = Σ w·r·x of `arm`.
    pub fn moment(&self, arm: usize, i: usize) -> f64 {
        self.arms[arm].b()[i]
    }

    /// Condition of the arithmetic of `arm`.
    pub fn health(&self, arm: usize) -> Health {
        let arm = &self.arms[arm];
        Health { condition: arm.condition(), refactored: arm.refactored, repaired: arm.repaired }
    }

    /// Variance of the rewards of `arm` around its fit; `None` before its first example.
    pub fn residual_variance(&self, arm: usize) -> Option<f64> {
        self.arms[arm].residual()
    }

    /// Mean reward of all arms, starting from one imagined reward of 1/2.
    fn mean_reward(&self) -> f64 {
        let last = self.config.dim;
        let (sum, mass) =
            self.arms.iter().fold((0.5, 1.0), |(s, m), arm| (s + arm.b()[last], m + arm.mass));
        sum / mass
    }

    /// Forgets everything about `arm`.
    pub fn forget(&mut self, arm: usize) {
        self.arms[arm] = Arm::new(self.stride(), self.config.lambda);
    }

    /// Everything known about `arm`.
    pub(crate) fn known(&self, arm: usize) -> &Arm {
        &self.arms[arm]
    }

    /// Puts back what was known about `arm`.
    pub(crate) fn put(&mut self, arm: usize, known: &Arm) {
        self.arms[arm].clone_from(known);
    }

    /// Coefficients of `arm` shrunk toward `centre` for the constant feature and 0 for the others,
    /// the constant one last.
    pub(crate) fn coefficients(&self, arm: usize, centre: f64) -> Vec<f64> {
        let (constant, arm) = (self.config.dim, &self.arms[arm]);
        let pull = centre * arm.diagonal(constant);
        let rows = arm.inverse().chunks_exact(self.stride());
        let used = arm.theta().iter().zip(rows).take(self.config.used());
        used.map(|(theta, row)| theta + pull * row[constant]).collect()
    }

    /// Adds what `other` learned. Learning two halves and merging equals learning the whole.
    ///
    /// # Errors
    ///
    /// [`CannotMerge`] when the settings differ or the models forget; nothing changed.
    pub fn merge(&mut self, other: &Self) -> Result<(), CannotMerge> {
        if self.config != other.config {
            return Err(CannotMerge::Different);
        }
        if self.config.keep < 1.0 || self.config.sparse {
            return Err(CannotMerge::Forgets);
        }
        self.seen += other.seen;
        self.arms.iter_mut().zip(&other.arms).for_each(|(arm, other)| arm.merge(other));
        Ok(())
    }

    #[inline]
    fn stride(&self) -> usize {
        padded(self.config.used())
    }
}

/// `buffer` from its first cache line on: up to [`kernel::LANES`] floats shorter.
#[inline]
pub(crate) fn from_line(buffer: &mut [f64]) -> &mut [f64] {
    let start = buffer.as_ptr().align_offset(64).min(kernel::LANES);
    &mut buffer[start..]
}

/// Copies `x` into a padded buffer, the constant feature after it.
#[inline]
pub(crate) fn pad(x: &[f64], intercept: bool, out: &mut [f64]) {
    let (head, tail) = out.split_at_mut(x.len());
    head.copy_from_slice(x);
    tail.fill(0.0);
    if intercept {
        tail[0] = 1.0;
    }
}

/// `x` padded in `buffer`; itself where it fills that as it is.
#[inline]
pub(crate) fn padded_in<'a>(x: &'a [f64], intercept: bool, buffer: &'a mut [f64]) -> &'a [f64] {
    if x.len() == buffer.len() {
        return x;
    }
    pad(x, intercept, buffer);
    buffer
}

impl Model for Ridge {
    #[inline]
    fn arms(&self) -> usize {
        self.config.arms
    }

    #[inline]
    fn dim(&self) -> usize {
        self.config.dim
    }

    #[inline]
    fn scratch(&self) -> usize {
        2 * self.stride() + kernel::LANES
    }

    #[inline]
    fn seen(&self) -> u64 {
        self.seen
    }

    fn pulls(&self, arm: usize) -> u64 {
        self.arms[arm].pulls
    }

    fn predict(&self, x: &[f64], available: &ArmSet, out: Scores<'_>, scratch: &mut [f64]) {
        let centre = if self.config.centred { self.mean_reward() } else { 0.0 };
        self.predict_around(centre, x, available, out, scratch);
    }

    fn predict_means(&self, x: &[f64], available: &ArmSet, out: Scores<'_>, scratch: &mut [f64]) {
        if self.config.centred {
            // The shift of a centred mean is made of what the width is made of.
            return self.predict(x, available, out, scratch);
        }
        let padded = &mut from_line(scratch)[..self.stride()];
        pad(x, self.config.intercept, padded);
        self.arch.dispatch(Means { arms: &self.arms, available, x: padded, out: out.mean });
    }

    fn learn(&mut self, example: &Example<'_>) {
        let Buffers { x, v, matrix } = &mut self.buffers;
        pad(example.x, self.config.intercept, x.get_mut());
        let update = Update {
            x: x.get(),
            dim: self.config.used(),
            reward: example.reward,
            weight: example.weight,
            keep: self.config.keep,
            lambda: self.config.lambda,
        };
        let arm = &mut self.arms[example.arm];
        arm.learn(self.arch, update, v.get_mut(), matrix);
        if self.config.sparse {
            arm.relevance(self.config.dim, self.config.lambda, matrix);
        }
        self.seen += 1;
    }
}

impl Ridge {
    /// Predicts with coefficients that shrink toward `centre` for the constant feature and toward
    /// 0 for the others.
    pub(crate) fn predict_around(
        &self,
        centre: f64,
        x: &[f64],
        available: &ArmSet,
        out: Scores<'_>,
        scratch: &mut [f64],
    ) {
        let (padded, rest) = from_line(scratch).split_at_mut(self.stride());
        pad(x, self.config.intercept, padded);
        let work = &mut rest[..self.stride()];
        let constant = self.config.dim;
        let arms = &self.arms;
        self.arch.dispatch(Predict { arms, available, x: padded, work, out, centre, constant });
    }
}

struct Predict<'a> {
    arms: &'a [Arm],
    available: &'a ArmSet,
    x: &'a [f64],
    work: &'a mut [f64],
    out: Scores<'a>,
    centre: f64,
    constant: usize,
}

impl WithSimd for Predict<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        for index in self.available {
            let arm = &self.arms[index];
            let (mut mean, square) = arm.predict(s, self.x, self.work);
            if self.centre != 0.0 {
                // Posterior mean under a prior mean: θ + inverse·Λ·prior, and `work` is inverse·x.
                mean += self.centre * arm.diagonal(self.constant) * self.work[self.constant];
            }
            self.out.mean[index] = mean;
            // Rounding can leave a tiny negative square where the width is really 0.
            self.out.width[index] = square.max(0.0).sqrt();
        }
    }
}

struct Means<'a> {
    arms: &'a [Arm],
    available: &'a ArmSet,
    x: &'a [f64],
    out: &'a mut [f64],
}

impl WithSimd for Means<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        // A closure would hide the vector code from the compiler.
        if let Some(count) = self.available.prefix() {
            for (arm, out) in self.arms.iter().zip(&mut self.out[..count]) {
                *out = kernel::dot(s, arm.theta(), self.x);
            }
            return;
        }
        for arm in self.available {
            self.out[arm] = kernel::dot(s, self.arms[arm].theta(), self.x);
        }
    }
}

impl Persist for Ridge {
    const KIND: u16 = 1;
    const VERSION: u16 = 2;

    fn write(&self, out: &mut Writer) {
        out.usize(self.config.arms);
        out.usize(self.config.dim);
        out.f64(self.config.lambda);
        out.f64(self.config.keep);
        out.u8(u8::from(self.config.intercept));
        out.u8(u8::from(self.config.centred));
        out.u8(u8::from(self.config.sparse));
        out.u64(self.seen);
        self.arms.iter().for_each(|arm| arm.write(out));
    }

    fn read(from: &mut Reader<'_>, version: u16) -> Result<Self, Corrupt> {
        let config = Config {
            arms: from.below(MAX_ARMS + 1)?,
            dim: from.below(MAX_DIM + 1)?,
            lambda: from.finite()?,
            keep: from.finite()?,
            intercept: from.u8()? == 1,
            centred: version >= 2 && from.u8()? == 1,
            sparse: version >= 2 && from.u8()? == 1,
        };
        let config = config.validate().map_err(|_| Corrupt::Value)?;
        let seen = from.counter()?;
        let n = padded(config.used());
        from.expect(config.arms * Arm::stored(n))?;
        let mut arms = Vec::with_capacity(config.arms);
        for _ in 0..config.arms {
            arms.push(Arm::read(from, n, version)?);
        }
        Ok(Self { config, arms, seen, buffers: Buffers::new(n), arch: Arch::new() })
    }
}
