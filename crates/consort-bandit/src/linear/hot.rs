//! Ridge regression that decides from a packed copy in single precision.

use pulp::{Arch, Simd, WithSimd, bytemuck};

use super::aligned::Aligned;
use super::kernel::padded;
use super::single::{Single, Squares};

use super::{Config, Ridge, from_line, kernel, padded_in};
use crate::arms::ArmSet;
use crate::codec::{Reader, Writer};
use crate::error::{CannotMerge, Corrupt, InvalidConfig};
use crate::explain::Explain;
use crate::model::{Example, Model, Persist, Scores};

/// [`Ridge`] for hot decisions: the state stays in `f64`, the widths of a decision come from a
/// packed copy in `f32`, which reads a quarter of the bytes. Means are those of [`Ridge`], bit
/// for bit; widths are within about 1e-6 of it, so only near-ties can fall the other way. The
/// copy is a function of the state and is brought up to date by every update.
#[derive(Clone, Debug)]
pub struct Hot {
    ridge: Ridge,
    copy: Single,
    /// Coefficients of all arms, one after the other.
    thetas: Aligned,
    arch: Arch,
}

impl Hot {
    /// An empty model.
    ///
    /// # Errors
    ///
    /// The first setting outside its range; `centred` is one, because a centred mean needs more
    /// than the width.
    pub fn new(config: Config) -> Result<Self, InvalidConfig> {
        Self::of(Ridge::new(config)?)
    }

    /// The same knowledge, with a copy to decide from.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] when `ridge` is centred.
    pub fn of(ridge: Ridge) -> Result<Self, InvalidConfig> {
        if ridge.config.centred {
            return Err(InvalidConfig::new("centred", "cannot go with a copy to decide from"));
        }
        let mut hot = Self {
            copy: Single::new(ridge.config.used(), ridge.config.arms),
            thetas: Aligned::zeros(ridge.config.arms * ridge.stride()),
            ridge,
            arch: Arch::new(),
        };
        (0..hot.ridge.config.arms).for_each(|arm| hot.refresh(arm));
        Ok(hot)
    }

    /// The state, in double precision.
    pub const fn ridge(&self) -> &Ridge {
        &self.ridge
    }

    /// Takes the state out, to merge or to store it.
    pub fn into_ridge(self) -> Ridge {
        self.ridge
    }

    /// Adds what `other` learned, as [`Ridge::merge`].
    ///
    /// # Errors
    ///
    /// As [`Ridge::merge`]; nothing changed.
    pub fn merge(&mut self, other: &Ridge) -> Result<(), CannotMerge> {
        self.ridge.merge(other)?;
        (0..self.ridge.config.arms).for_each(|arm| self.refresh(arm));
        Ok(())
    }

    fn refresh(&mut self, arm: usize) {
        let from = &self.ridge.arms[arm];
        let stride = self.ridge.stride();
        self.copy.refresh(self.arch, arm, from.inverse_and_after(), stride);
        self.thetas.get_mut()[arm * stride..][..stride].copy_from_slice(from.theta());
    }
}

impl Model for Hot {
    #[inline]
    fn arms(&self) -> usize {
        self.ridge.arms()
    }

    #[inline]
    fn dim(&self) -> usize {
        self.ridge.dim()
    }

    #[inline]
    fn scratch(&self) -> usize {
        // Two floats of the copy fit into one.
        self.ridge.stride() + padded(self.copy.work() / 2) + 2 * kernel::LANES
    }

    #[inline]
    fn seen(&self) -> u64 {
        self.ridge.seen()
    }

    fn pulls(&self, arm: usize) -> u64 {
        self.ridge.pulls(arm)
    }

    #[inline]
    fn predict(&self, x: &[f64], available: &ArmSet, out: Scores<'_>, scratch: &mut [f64]) {
        let (buffer, rest) = from_line(scratch).split_at_mut(self.ridge.stride());
        let padded = padded_in(x, self.ridge.config.intercept, buffer);
        let work = &mut bytemuck::cast_slice_mut(rest)[..self.copy.work()];
        let means = Means { thetas: self.thetas.get(), available, x: padded, out: out.mean };
        let x = &padded[..self.ridge.config.used()];
        let squares = Squares { copy: &self.copy, available, x, work, out: out.width };
        self.arch.dispatch(Predict { means, squares });
    }

    #[inline]
    fn predict_means(&self, x: &[f64], available: &ArmSet, out: Scores<'_>, scratch: &mut [f64]) {
        let buffer = &mut from_line(scratch)[..self.ridge.stride()];
        let x = padded_in(x, self.ridge.config.intercept, buffer);
        let thetas = self.thetas.get();
        self.arch.dispatch(Means { thetas, available, x, out: out.mean });
    }

    fn learn(&mut self, example: &Example<'_>) {
        self.ridge.learn(example);
        self.refresh(example.arm);
    }
}

impl Explain for Hot {
    fn contributions(&self, x: &[f64], arm: usize, out: &mut Vec<f64>) {
        self.ridge.contributions(x, arm, out);
    }
}

/// θ·x of every arm in `available`.
struct Means<'a> {
    thetas: &'a [f64],
    available: &'a ArmSet,
    x: &'a [f64],
    out: &'a mut [f64],
}

impl WithSimd for Means<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        if let Some(count) = self.available.prefix() {
            return kernel::dots(s, self.thetas, self.x, &mut self.out[..count]);
        }
        // A closure would hide the vector code from the compiler.
        for (arm, theta) in self.thetas.chunks_exact(self.x.len()).enumerate() {
            if self.available.contains(arm) {
                self.out[arm] = kernel::dot(s, theta, self.x);
            }
        }
    }
}

struct Predict<'a> {
    means: Means<'a>,
    squares: Squares<'a>,
}

impl WithSimd for Predict<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        self.means.with_simd(s);
        let Squares { copy, available, x, work, out } = self.squares;
        Squares { copy, available, x, work, out: &mut *out }.with_simd(s);
        // Rounding can leave a tiny negative square where the width is really 0; what is not
        // available is 0 and stays so.
        for width in out {
            *width = width.max(0.0).sqrt();
        }
    }
}

/// The state of a [`Ridge`]; the copy is made anew.
impl Persist for Hot {
    const KIND: u16 = 9;
    const VERSION: u16 = Ridge::VERSION;

    fn write(&self, out: &mut Writer) {
        self.ridge.write(out);
    }

    fn read(from: &mut Reader<'_>, version: u16) -> Result<Self, Corrupt> {
        Self::of(Ridge::read(from, version)?).map_err(|_| Corrupt::Value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Draw, normal, uniform};
    use crate::{Agent, Odds, Policy, Rule, codec};

    const ARMS: usize = 16;
    const DIM: usize = 20;

    fn context(t: u64) -> [f64; DIM] {
        std::array::from_fn(|i| 0.4 * normal(5, 0, t * DIM as u64 + i as u64))
    }

    fn learned(mut model: impl Policy, rounds: u64) -> impl Policy {
        for t in 0..rounds {
            let (x, arm) = (context(t), (t % ARMS as u64) as usize);
            let reward = (0.5 + x[arm % DIM] + 0.2 * normal(5, 1, t)).clamp(0.0, 1.0);
            model.update(&Example::new(&x, arm, reward, 1.0)).unwrap();
        }
        model
    }

    #[test]
    fn the_copy_chooses_what_the_state_would_choose() {
        let rule = Rule::LinUcb { alpha: 0.5 };
        let ridge = Ridge::new(Config::new(ARMS, DIM)).unwrap();
        let hot = Hot::of(ridge.clone()).unwrap();
        let ridge = learned(Agent::new(ridge, rule).unwrap(), 4_000);
        let hot = learned(Agent::new(hot, rule).unwrap(), 4_000);
        let (mut exact, mut close, mut others) = (Odds::new(), Odds::new(), 0);
        for t in 0..2_000 {
            let mut available = ArmSet::all(ARMS);
            (0..ARMS).filter(|a| uniform(6, t, *a as u64) < 0.2).for_each(|a| {
                available = available.without(a);
            });
            let (x, draw) = (context(10_000 + t), Draw { seed: 1, counter: t });
            let right = ridge.decide(&x, &available, draw, &mut exact).unwrap();
            let found = hot.decide(&x, &available, draw, &mut close).unwrap();
            others += u32::from(right.arm != found.arm);
            assert_eq!(exact.means(), close.means());
            for (right, found) in exact.widths().iter().zip(close.widths()) {
                assert!((right - found).abs() <= 1e-6 * right, "{right} {found}");
            }
        }
        assert!(others <= 2, "{others} of 2,000 differ");
    }

    #[test]
    fn what_is_stored_or_merged_is_copied_anew() {
        let mut hot = Hot::new(Config::new(3, 5)).unwrap();
        let mut other = Ridge::new(Config::new(3, 5)).unwrap();
        for t in 0..200 {
            let x: [f64; 5] = std::array::from_fn(|i| uniform(7, t, i as u64));
            let example = Example::new(&x, (t % 3) as usize, x[0], 1.0);
            hot.learn(&example);
            other.learn(&example);
        }
        hot.merge(&other).unwrap();
        let again: Hot = codec::from_bytes(&codec::to_bytes(&hot)).unwrap();
        assert_eq!(codec::to_bytes(&again), codec::to_bytes(&hot));
        let fresh = Hot::of(hot.clone().into_ridge()).unwrap();
        for copy in [&again, &fresh] {
            assert_eq!(copy.copy, hot.copy);
            assert_eq!(copy.thetas, hot.thetas);
        }
    }

    #[test]
    fn a_centred_model_has_no_copy() {
        let centred = Config { centred: true, ..Config::new(2, 2) };
        assert_eq!(Hot::new(centred).unwrap_err().key, "centred");
    }
}
