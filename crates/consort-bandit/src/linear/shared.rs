//! Ridge regressions of arms that resemble each other.
//!
//! Coefficients of arm a are μ + δ_a, with Gaussian priors on what all arms share and on how each
//! deviates (as for tenants: Hong et al. 2022). With M_a = (S_a + λI)⁻¹ and θ_a = M_a·b_a of
//! ordinary ridge regressions, λ that of the deviations, the exact posterior is
//!
//! ```text
//! precision of μ        P = λ₀I + Σ_a (λI − λ²M_a)         μ = P⁻¹·(λ₀μ₀ + Σ_a λθ_a)
//! mean of the reward    x·θ_a + λ·μ·(M_a·x)
//! its variance          x·(M_a·x) + λ²·(M_a·x)·P⁻¹·(M_a·x)
//! ```
//!
//! so what is shared comes out of the regressions as they are.

use pulp::{Simd, WithSimd};

use super::aligned::Aligned;
use super::{Arm, Config, Ridge, factor, from_line, kernel, pad};
use crate::arms::ArmSet;
use crate::codec::{Reader, Writer};
use crate::error::{Corrupt, InvalidConfig};
use crate::model::{Example, Model, Persist, Scores};

/// μ is solved for anew when one in so many examples is new.
const LAZY: u64 = 64;

/// A [`Ridge`] and what its arms share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    ridge: Ridge,
    /// λ₀.
    lambda: f64,
    /// P⁻¹ and μ, padded.
    spread: Aligned,
    mu: Aligned,
    /// Examples seen when μ is solved for next.
    due: u64,
    work: Vec<f64>,
}

impl Shared {
    /// Arms deviate by the regularisation of `config`, which has a constant feature; `lambda` is
    /// that of what they share, and `centre` what the constant is taken to be at first.
    pub(crate) fn new(config: Config, lambda: f64, centre: f64) -> Result<Self, InvalidConfig> {
        let ridge = Ridge::new(config)?;
        let n = ridge.stride();
        let (spread, mu) = (Aligned::zeros(n * n), Aligned::zeros(n));
        let mut shared = Self { ridge, lambda, spread, mu, due: 0, work: Vec::new() };
        shared.solve(centre);
        Ok(shared)
    }

    /// The regressions of the arms.
    pub(crate) const fn ridge(&self) -> &Ridge {
        &self.ridge
    }

    /// Floats that [`Shared::predict`] works in.
    pub(crate) fn scratch(&self) -> usize {
        3 * self.ridge.stride() + kernel::LANES
    }

    /// Writes mean and width of every arm in `available`.
    pub(crate) fn predict(
        &self,
        x: &[f64],
        available: &ArmSet,
        out: Scores<'_>,
        scratch: &mut [f64],
    ) {
        let n = self.ridge.stride();
        let (padded, rest) = from_line(scratch).split_at_mut(n);
        pad(x, true, padded);
        let (own, rest) = rest.split_at_mut(n);
        let work = &mut rest[..n];
        self.ridge.arch.dispatch(Predict { shared: self, available, x: padded, own, work, out });
    }

    pub(crate) fn learn(&mut self, example: &Example<'_>, centre: f64) {
        self.ridge.learn(example);
        let seen = self.ridge.seen();
        if seen >= self.due {
            self.due = seen + 1 + seen / LAZY;
            self.solve(centre);
        }
    }

    /// Coefficients of `arm`, the constant one last.
    pub(crate) fn coefficients(&self, arm: usize) -> Vec<f64> {
        let (n, lambda) = (self.ridge.stride(), self.ridge.config.lambda);
        let arm = &self.ridge.arms[arm];
        let rows = arm.theta().iter().zip(arm.inverse().chunks_exact(n));
        let dot = |row: &[f64]| row.iter().zip(self.mu.get()).map(|(m, mu)| m * mu).sum::<f64>();
        rows.take(self.ridge.config.used()).map(|(theta, row)| theta + lambda * dot(row)).collect()
    }

    pub(crate) fn forget(&mut self, arm: usize, centre: f64) {
        self.ridge.forget(arm);
        self.solve(centre);
    }

    /// Puts back what was known about `arm`.
    pub(crate) fn put(&mut self, arm: usize, known: &Arm, centre: f64) {
        self.ridge.put(arm, known);
        self.solve(centre);
    }

    fn solve(&mut self, centre: f64) {
        let (n, own) = (self.ridge.stride(), self.ridge.config.lambda);
        let (spread, mu) = (self.spread.get_mut(), self.mu.get_mut());
        spread.fill(0.0);
        mu.fill(0.0);
        for arm in self.ridge.arms.iter().filter(|arm| arm.pulls > 0) {
            let rows = spread.chunks_exact_mut(n).zip(arm.inverse().chunks_exact(n));
            for (i, (row, inverse)) in rows.enumerate() {
                row.iter_mut().zip(inverse).for_each(|(p, m)| *p -= own * own * m);
                row[i] += own;
            }
            mu.iter_mut().zip(arm.theta()).for_each(|(mu, theta)| *mu += own * theta);
        }
        (0..n).for_each(|i| spread[i * n + i] += self.lambda);
        mu[self.ridge.config.dim] += self.lambda * centre;
        if !factor::invert(spread, n, &mut self.work) {
            // Only rounding can do this: until the next time nothing is shared.
            spread.fill(0.0);
        }
        let right = mu.to_vec();
        for (mu, row) in mu.iter_mut().zip(spread.chunks_exact(n)) {
            *mu = row.iter().zip(&right).map(|(p, b)| p * b).sum();
        }
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        self.ridge.write(out);
        out.f64s(self.spread.get());
        out.f64s(self.mu.get());
        out.u64(self.due);
    }

    /// Reads the state into a model of the same making.
    pub(crate) fn read(&mut self, from: &mut Reader<'_>) -> Result<(), Corrupt> {
        let ridge = Ridge::read(from, Ridge::VERSION)?;
        if ridge.config != self.ridge.config {
            return Err(Corrupt::Value);
        }
        self.ridge = ridge;
        from.f64s(self.spread.get_mut())?;
        from.f64s(self.mu.get_mut())?;
        self.due = from.u64()?;
        Ok(())
    }
}

struct Predict<'a> {
    shared: &'a Shared,
    available: &'a ArmSet,
    x: &'a [f64],
    /// M·x of one arm.
    own: &'a mut [f64],
    work: &'a mut [f64],
    out: Scores<'a>,
}

impl WithSimd for Predict<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        let Self { shared, available, x, own, work, out } = self;
        let lambda = shared.ridge.config.lambda;
        let (spread, mu) = (shared.spread.get(), shared.mu.get());
        for arm in available {
            let (mean, square) = shared.ridge.arms[arm].predict(s, x, own);
            kernel::gemv(s, spread, own, work);
            out.mean[arm] = mean + lambda * kernel::dot(s, own, mu);
            let square = square + lambda * lambda * kernel::dot(s, own, work);
            // Rounding can leave a tiny negative square where the width is really 0.
            out.width[arm] = square.max(0.0).sqrt();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::Blocks;
    use crate::rng::{normal, uniform};

    const ARMS: usize = 4;
    const DIM: usize = 3;

    /// The test oracle: the same regression solved in blocks, an arm for a tenant.
    #[test]
    fn what_arms_share_is_the_exact_posterior() {
        let config = Config { lambda: 5.0, ..Config::new(ARMS, DIM) };
        let mut shared = Shared::new(config, 0.5, 0.0).unwrap();
        let mut blocks = Blocks::new(DIM + 1, DIM + 1, ARMS, (0.5, 5.0));
        let (mut work, mut scratch) = (vec![0.0; blocks.scratch()], vec![0.0; shared.scratch()]);
        let (mut mean, mut width) = ([0.0; ARMS], [0.0; ARMS]);
        for t in 0..LAZY {
            let x: [f64; DIM] = std::array::from_fn(|i| normal(1, i as u64, t));
            let long = [x[0], x[1], x[2], 1.0];
            let scores = Scores { mean: &mut mean, width: &mut width };
            shared.predict(&x, &ArmSet::all(ARMS), scores, &mut scratch);
            for arm in 0..ARMS {
                let (exact, square) = blocks.predict(arm, &long, &long, &mut work);
                assert!((mean[arm] - exact).abs() < 1e-9, "{t} {arm}: {} {exact}", mean[arm]);
                assert!((width[arm] - square.sqrt()).abs() < 1e-9, "{t} {arm}");
                let terms = shared.coefficients(arm).into_iter().zip(long);
                let by_hand: f64 = terms.map(|(c, x)| c * x).sum();
                assert!((mean[arm] - by_hand).abs() < 1e-9);
            }
            // The last arm is never pulled: it is what the others share.
            let (arm, reward) = ((t % 3) as usize, uniform(1, 9, t));
            shared.learn(&Example::new(&x, arm, reward, 1.0), 0.0);
            blocks.learn(arm, &long, &long, reward, 1.0);
        }
    }
}
