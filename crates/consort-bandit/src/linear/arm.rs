//! Ridge regression of one arm: sums, inverse and coefficients kept in step.

use pulp::{Arch, Simd, WithSimd};

use super::aligned::Aligned;
use super::factor;
use super::kernel::{self, row_start, triangle};
use crate::codec::{Reader, Writer};
use crate::error::Corrupt;

/// Updates before the first refactorisation, and the fewest between two.
const SOONEST: u32 = 16;
const FIRST: u32 = 64;
/// Most updates between two refactorisations.
const LATEST: u32 = 4096;
/// Pulls before the relevance of features is first estimated, and the growth between times.
const FIRST_RELEVANCE: u64 = 30;
/// Rounds of each estimation.
const RELEVANCE_ROUNDS: u32 = 3;
/// Bounds of a feature's regularisation relative to the configured one.
const RELEVANCE_RANGE: (f64, f64) = (0.1, 1e4);
/// Times in a row the diagonal is raised: then it is far above any sums that examples make.
const MOST_REPAIRS: u32 = 64;
/// Error of A·A⁻¹ a run of rank-1 updates may build up before the inverse is computed anew.
const DRIFT: f64 = 1e-9;

/// Sufficient statistics A = Σ w·x·xᵀ and b = Σ w·r·x of one arm, the diagonal Λ that keeps
/// A + Λ invertible, its inverse, and θ = (A + Λ)⁻¹·b.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Arm {
    /// `inverse | triangle of A | theta | b | diagonal`, in one aligned piece.
    data: Aligned,
    n: usize,
    /// Examples learned, forgotten ones included.
    pub(crate) pulls: u64,
    /// Σ w, discounted.
    pub(crate) mass: f64,
    /// Σ w·r², discounted.
    pub(crate) energy: f64,
    /// Updates until the inverse is computed anew.
    countdown: u32,
    /// Coordinate whose regularisation is restored next, when forgetting.
    turn: u32,
    /// Pulls at which the relevance of features is estimated next.
    relevance_due: u64,
    /// Times the inverse was computed anew.
    pub(crate) refactored: u64,
    /// Times the diagonal had to be raised because A + Λ was not safely positive.
    pub(crate) repaired: u64,
}

/// The slices of an [`Arm`].
struct Parts<'a> {
    inverse: &'a mut [f64],
    sums: &'a mut [f64],
    theta: &'a mut [f64],
    b: &'a mut [f64],
    diagonal: &'a mut [f64],
}

fn parts(data: &mut [f64], n: usize) -> Parts<'_> {
    let (inverse, rest) = data.split_at_mut(n * n);
    let (sums, rest) = rest.split_at_mut(triangle(n));
    let (theta, rest) = rest.split_at_mut(n);
    let (b, diagonal) = rest.split_at_mut(n);
    Parts { inverse, sums, theta, b, diagonal }
}

impl Arm {
    pub(crate) fn new(n: usize, lambda: f64) -> Self {
        let mut data = Aligned::zeros(n * n + triangle(n) + 3 * n);
        let p = parts(data.get_mut(), n);
        p.diagonal.fill(lambda);
        (0..n).for_each(|i| p.inverse[i * n + i] = 1.0 / lambda);
        Self {
            data,
            n,
            pulls: 0,
            mass: 0.0,
            energy: 0.0,
            countdown: FIRST,
            turn: 0,
            relevance_due: FIRST_RELEVANCE,
            refactored: 0,
            repaired: 0,
        }
    }

    pub(crate) fn inverse(&self) -> &[f64] {
        &self.data.get()[..self.n * self.n]
    }

    /// The inverse, and behind it more than one row of other numbers.
    pub(crate) fn inverse_and_after(&self) -> &[f64] {
        self.data.get()
    }

    pub(crate) fn theta(&self) -> &[f64] {
        let start = self.n * self.n + triangle(self.n);
        &self.data.get()[start..start + self.n]
    }

    pub(crate) fn b(&self) -> &[f64] {
        let start = self.n * self.n + triangle(self.n) + self.n;
        &self.data.get()[start..start + self.n]
    }

    /// Regularisation of coordinate `i`.
    pub(crate) fn diagonal(&self, i: usize) -> f64 {
        let data = self.data.get();
        data[data.len() - self.n + i]
    }

    /// Entry of A + Λ.
    pub(crate) fn gram(&self, i: usize, j: usize) -> f64 {
        let (i, j) = (i.max(j), i.min(j));
        let sums = &self.data.get()[self.n * self.n..];
        let diagonal =
            if i == j { self.data.get()[self.data.get().len() - self.n + i] } else { 0.0 };
        sums[row_start(i) + j] + diagonal
    }

    /// Mean of x and its squared width xᵀ(A + Λ)⁻¹x.
    #[inline(always)]
    pub(crate) fn predict<S: Simd>(&self, s: S, x: &[f64], v: &mut [f64]) -> (f64, f64) {
        kernel::gemv(s, self.inverse(), x, v);
        (kernel::dot(s, self.theta(), x), kernel::dot(s, x, v))
    }

    /// One example. `keep` < 1 first discounts all earlier ones and afterwards restores one
    /// coordinate of the regularisation. `vectors` holds two padded vectors, `matrix` anything.
    pub(crate) fn learn(
        &mut self,
        arch: Arch,
        update: Update<'_>,
        vectors: &mut [f64],
        matrix: &mut Vec<f64>,
    ) {
        let Update { weight, reward, keep, .. } = update;
        self.pulls += 1;
        self.mass = keep * self.mass + weight;
        self.energy = keep * self.energy + weight * reward * reward;
        let turn = self.turn as usize;
        if keep < 1.0 {
            self.turn = if turn + 1 < update.dim { self.turn + 1 } else { 0 };
        }
        let parts = parts(self.data.get_mut(), self.n);
        let sound = arch.dispatch(Step { parts, update, turn, vectors });
        self.countdown -= 1;
        if self.countdown == 0 || !sound {
            self.refactor(matrix);
        }
    }

    /// Adds the sums of `other`, which has the same size, and recomputes the inverse.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.pulls += other.pulls;
        self.mass += other.mass;
        self.energy += other.energy;
        let n = self.n;
        let sums = &other.data.get()[n * n..n * n + triangle(n)];
        let p = parts(self.data.get_mut(), n);
        p.sums.iter_mut().zip(sums).for_each(|(a, b)| *a += b);
        p.b.iter_mut().zip(other.b()).for_each(|(a, b)| *a += b);
        self.refactor(&mut Vec::new());
    }

    /// Computes inverse and coefficients anew from the sums, and when to do so next.
    pub(crate) fn refactor(&mut self, work: &mut Vec<f64>) {
        let n = self.n;
        self.refactored += 1;
        for raised in 0_u32.. {
            let p = parts(self.data.get_mut(), n);
            let mut largest: f64 = 0.0;
            for i in 0..n {
                let row = &p.sums[row_start(i)..];
                p.inverse[i * n..=i * n + i].copy_from_slice(&row[..=i]);
                p.inverse[i * n + i] += p.diagonal[i];
                largest = largest.max(p.inverse[i * n + i]);
            }
            if factor::invert(p.inverse, n, work) {
                for i in 0..n {
                    let row = &p.inverse[i * n..(i + 1) * n];
                    p.theta[i] = row.iter().zip(p.b.iter()).map(|(m, b)| m * b).sum();
                }
                let widest = (0..n).map(|i| p.inverse[i * n + i]).fold(0.0, f64::max);
                self.countdown = interval(largest * widest);
                return;
            }
            // Raise the diagonal just enough to be seen beside the largest entry.
            self.repaired += 1;
            if raised >= MOST_REPAIRS {
                // Sums that no examples made, from a damaged state: forgotten, not tried for ever.
                p.sums.fill(0.0);
                p.b.fill(0.0);
                p.diagonal.fill(1.0);
                continue;
            }
            let lift = (largest * 1e-12).max(1e-9);
            p.diagonal.iter_mut().for_each(|d| *d = (*d * 2.0).max(lift));
        }
    }

    /// Estimates how relevant each of the first `dim` features is, when the time has come: the
    /// regularisation of feature j becomes σ²/(θ_j² + σ²·inverse_jj), the expectation step of
    /// sparse Bayesian learning (Tipping 2001). Features that do nothing are shrunk away.
    pub(crate) fn relevance(&mut self, dim: usize, lambda: f64, matrix: &mut Vec<f64>) {
        if self.pulls < self.relevance_due {
            return;
        }
        self.relevance_due = self.pulls + self.pulls / 2;
        let noise = self.residual().unwrap_or(1.0).max(0.01);
        let (n, (low, high)) = (self.n, RELEVANCE_RANGE);
        for _ in 0..RELEVANCE_ROUNDS {
            let p = parts(self.data.get_mut(), n);
            for j in 0..dim {
                let size = p.theta[j] * p.theta[j] + noise * p.inverse[j * n + j];
                p.diagonal[j] = (noise / size).clamp(low * lambda, high * lambda);
            }
            self.refactor(matrix);
        }
    }

    /// Rough condition number: largest entry of the matrix times largest of its inverse.
    pub(crate) fn condition(&self) -> f64 {
        let n = self.n;
        let largest = (0..n).map(|i| self.gram(i, i)).fold(0.0, f64::max);
        let widest = (0..n).map(|i| self.inverse()[i * n + i]).fold(0.0, f64::max);
        largest * widest
    }

    /// Variance of the rewards around the fit, regularisation counted as misfit, per unit of
    /// weight; `None` before the first example.
    pub(crate) fn residual(&self) -> Option<f64> {
        let explained: f64 = self.theta().iter().zip(self.b()).map(|(t, b)| t * b).sum();
        (self.mass > 0.0).then(|| (self.energy - explained).max(0.0) / self.mass)
    }

    /// Bytes of the stored form.
    pub(crate) const fn stored(n: usize) -> usize {
        8 * (n * n + triangle(n) + 3 * n)
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        out.u64(self.relevance_due);
        out.u64(self.pulls);
        out.f64(self.mass);
        out.f64(self.energy);
        out.u32(self.countdown);
        out.u32(self.turn);
        out.u64(self.refactored);
        out.u64(self.repaired);
        out.f64s(self.data.get());
    }

    pub(crate) fn read(from: &mut Reader<'_>, n: usize, version: u16) -> Result<Self, Corrupt> {
        let mut arm = Self::new(n, 1.0);
        // Before version 2 relevance was never estimated.
        if version >= 2 {
            arm.relevance_due = from.u64()?;
        }
        arm.pulls = from.counter()?;
        arm.mass = from.finite()?;
        arm.energy = from.finite()?;
        arm.countdown = from.u32()?;
        arm.turn = from.u32()?;
        arm.refactored = from.counter()?;
        arm.repaired = from.counter()?;
        if arm.countdown == 0 || arm.countdown > LATEST || arm.turn as usize >= n {
            return Err(Corrupt::Value);
        }
        from.f64s(arm.data.get_mut())?;
        Ok(arm)
    }
}

fn interval(condition: f64) -> u32 {
    let updates = DRIFT / (f64::EPSILON * condition);
    // A NaN or huge condition number ends at the soonest.
    if updates >= f64::from(LATEST) { LATEST } else { (updates as u32).max(SOONEST) }
}

/// What one update adds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Update<'a> {
    /// Padded context.
    pub(crate) x: &'a [f64],
    /// Coordinates in use.
    pub(crate) dim: usize,
    pub(crate) reward: f64,
    pub(crate) weight: f64,
    /// Share of the past that is kept, 1 for all of it.
    pub(crate) keep: f64,
    /// Regularisation to restore when forgetting.
    pub(crate) lambda: f64,
}

struct Step<'a> {
    parts: Parts<'a>,
    update: Update<'a>,
    turn: usize,
    vectors: &'a mut [f64],
}

impl WithSimd for Step<'_> {
    type Output = bool;

    /// `false` when the inverse lost its positivity and must be computed anew.
    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) -> bool {
        let Step { parts: p, update, turn, vectors } = self;
        let (v, xs) = vectors.split_at_mut(p.theta.len());
        if update.keep < 1.0 {
            kernel::scale(s, update.keep, p.sums);
            kernel::scale(s, update.keep, p.b);
            kernel::scale(s, update.keep, p.diagonal);
            kernel::scale(s, 1.0 / update.keep, p.inverse);
            // No example touches the padding, so nothing else would restore it.
            let n = p.theta.len();
            for i in update.dim..n {
                (p.diagonal[i], p.inverse[i * n + i]) = (update.lambda, 1.0 / update.lambda);
            }
        }
        let (mut x, mut reward) = (update.x, update.reward);
        if update.weight < 1.0 {
            // A weighted example is an unweighted one of x and r times the root of the weight.
            let root = update.weight.sqrt();
            xs.copy_from_slice(x);
            kernel::scale(s, root, xs);
            (x, reward) = (xs, root * reward);
        }
        kernel::gemv(s, p.inverse, x, v);
        let growth = 1.0 + kernel::dot(s, x, v);
        let error = (reward - kernel::dot(s, x, p.theta)) / growth;
        kernel::axpy(s, error, v, p.theta);
        kernel::axpy(s, reward, x, p.b);
        kernel::scale(s, 1.0 / growth.sqrt(), v);
        kernel::downdate(s, p.inverse, v);
        kernel::add_outer(s, p.sums, x);
        let mut sound = (1.0..f64::INFINITY).contains(&growth) && error.is_finite();
        if update.keep < 1.0 {
            sound &= restore(s, p.inverse, p.theta, p.diagonal, update.lambda, turn, v);
        }
        sound
    }
}

/// Brings one entry of the diagonal back to `lambda`: discounting shrinks the regularisation
/// with everything else, and over `dim` updates each coordinate gets its own back.
#[inline(always)]
fn restore<S: Simd>(
    s: S,
    inverse: &mut [f64],
    theta: &mut [f64],
    diagonal: &mut [f64],
    lambda: f64,
    turn: usize,
    v: &mut [f64],
) -> bool {
    let n = theta.len();
    let missing = lambda - diagonal[turn];
    if missing <= 0.0 {
        return true;
    }
    v.copy_from_slice(&inverse[turn * n..(turn + 1) * n]);
    let growth = 1.0 + missing * v[turn];
    let pull = missing / growth;
    kernel::axpy(s, -(pull * theta[turn]), v, theta);
    kernel::scale(s, pull.sqrt(), v);
    kernel::downdate(s, inverse, v);
    diagonal[turn] = lambda;
    (1.0..f64::INFINITY).contains(&growth)
}
