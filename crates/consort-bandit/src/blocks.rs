//! Ridge regression with shared and group coefficients, in blocks.
//!
//! reward = z·β + x·θ_g: coefficients β are shared by all groups, θ_g belong to group g. The
//! blockwise solution (Li, Chu, Langford, Schapire 2010, algorithm 2) is exactly ridge regression
//! on the concatenated features [z, 1_g ⊗ x] without ever forming that matrix.

use crate::codec::{Reader, Writer};
use crate::error::Corrupt;
use crate::linear::factor::invert;

/// State of one regression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Blocks {
    /// Length of z and of x.
    k: usize,
    d: usize,
    /// Shared block after elimination of the groups: matrix, right side, inverse, solution.
    a0: Vec<f64>,
    b0: Vec<f64>,
    a0_inverse: Vec<f64>,
    beta: Vec<f64>,
    groups: Vec<Option<Box<Group>>>,
    lambda: (f64, f64),
    work: Vec<f64>,
}

/// State of one group; absent until its first example.
#[derive(Clone, Debug, PartialEq)]
struct Group {
    /// Σ x·xᵀ + λI and its inverse, d by d.
    a: Vec<f64>,
    inverse: Vec<f64>,
    /// Σ x·zᵀ, d by k.
    cross: Vec<f64>,
    b: Vec<f64>,
    /// inverse·cross and inverse·b, kept for elimination and prediction.
    inverse_cross: Vec<f64>,
    inverse_b: Vec<f64>,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn identity(n: usize, size: f64) -> Vec<f64> {
    let mut m = vec![0.0; n * n];
    (0..n).for_each(|i| m[i * n + i] = size);
    m
}

impl Group {
    fn new(k: usize, d: usize, lambda: f64) -> Self {
        Self {
            a: identity(d, lambda),
            inverse: identity(d, 1.0 / lambda),
            cross: vec![0.0; d * k],
            b: vec![0.0; d],
            inverse_cross: vec![0.0; d * k],
            inverse_b: vec![0.0; d],
        }
    }

    fn learn(&mut self, z: &[f64], x: &[f64], reward: f64, weight: f64, work: &mut Vec<f64>) {
        let (k, d) = (z.len(), x.len());
        for i in 0..d {
            let wx = weight * x[i];
            self.a[i * d..][..d].iter_mut().zip(x).for_each(|(a, x)| *a += wx * x);
            self.cross[i * k..][..k].iter_mut().zip(z).for_each(|(c, z)| *c += wx * z);
            self.b[i] += wx * reward;
        }
        self.inverse.copy_from_slice(&self.a);
        // A is at least λI, so it can always be inverted; if rounding says no, keep the last one.
        let kept = self.inverse.clone();
        if !invert(&mut self.inverse, d, work) {
            self.inverse = kept;
        }
        for i in 0..d {
            let row = &self.inverse[i * d..][..d];
            self.inverse_b[i] = dot(row, &self.b);
            for j in 0..k {
                self.inverse_cross[i * k + j] =
                    (0..d).map(|l| row[l] * self.cross[l * k + j]).sum();
            }
        }
    }
}

impl Blocks {
    /// `k` shared and `d` group coefficients for `groups` groups, regularised by `lambda`
    /// (shared, group).
    pub(crate) fn new(k: usize, d: usize, groups: usize, lambda: (f64, f64)) -> Self {
        Self {
            k,
            d,
            a0: identity(k, lambda.0),
            b0: vec![0.0; k],
            a0_inverse: identity(k, 1.0 / lambda.0),
            beta: vec![0.0; k],
            groups: vec![None; groups],
            lambda,
            work: Vec::new(),
        }
    }

    /// Adds (sign 1) or takes away (sign −1) what a group's elimination does to the shared block.
    fn eliminate(a0: &mut [f64], b0: &mut [f64], group: &Group, sign: f64) {
        let (k, d) = (b0.len(), group.b.len());
        for l in 0..d {
            let cross = &group.cross[l * k..][..k];
            let inverse_cross = &group.inverse_cross[l * k..][..k];
            for i in 0..k {
                let factor = sign * cross[i];
                a0[i * k..][..k].iter_mut().zip(inverse_cross).for_each(|(a, c)| *a += factor * c);
                b0[i] += factor * group.inverse_b[l];
            }
        }
    }

    pub(crate) fn learn(&mut self, group: usize, z: &[f64], x: &[f64], reward: f64, weight: f64) {
        let (k, d, lambda) = (self.k, self.d, self.lambda.1);
        let state = self.groups[group].get_or_insert_with(|| Box::new(Group::new(k, d, lambda)));
        Self::eliminate(&mut self.a0, &mut self.b0, state, 1.0);
        state.learn(z, x, reward, weight, &mut self.work);
        for i in 0..k {
            let wz = weight * z[i];
            self.a0[i * k..][..k].iter_mut().zip(z).for_each(|(a, z)| *a += wz * z);
            self.b0[i] += wz * reward;
        }
        Self::eliminate(&mut self.a0, &mut self.b0, state, -1.0);
        let mut inverse = self.a0.clone();
        if invert(&mut inverse, k, &mut self.work) {
            self.a0_inverse = inverse;
        }
        for i in 0..k {
            self.beta[i] = dot(&self.a0_inverse[i * k..][..k], &self.b0);
        }
    }

    /// Predicted reward and its squared width. `scratch` holds `2k + d` floats.
    pub(crate) fn predict(
        &self,
        group: usize,
        z: &[f64],
        x: &[f64],
        scratch: &mut [f64],
    ) -> (f64, f64) {
        let (k, d) = (self.k, self.d);
        let (gap, rest) = scratch.split_at_mut(k);
        let (spread, ax) = rest.split_at_mut(k);
        gap.copy_from_slice(z);
        let (mut mean, mut square) = (dot(z, &self.beta), 0.0);
        match &self.groups[group] {
            None => square += dot(x, x) / self.lambda.1,
            Some(group) => {
                for (ax, row) in ax.iter_mut().zip(group.inverse.chunks_exact(d)) {
                    *ax = dot(row, x);
                }
                square += dot(x, &ax[..d]);
                mean += dot(x, &group.inverse_b);
                for (i, x) in x.iter().enumerate() {
                    let row = &group.inverse_cross[i * k..][..k];
                    mean -= x * dot(row, &self.beta);
                    gap.iter_mut().zip(row).for_each(|(g, c)| *g -= x * c);
                }
            }
        }
        // With gap = z − crossᵀ·A⁻¹·x the four terms of the published bound are gapᵀ·A0⁻¹·gap.
        for (spread, row) in spread.iter_mut().zip(self.a0_inverse.chunks_exact(k)) {
            *spread = dot(row, gap);
        }
        square += dot(gap, spread);
        (mean, square)
    }

    pub(crate) const fn scratch(&self) -> usize {
        2 * self.k + self.d
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        out.f64s(&self.a0);
        out.f64s(&self.b0);
        out.f64s(&self.a0_inverse);
        out.f64s(&self.beta);
        for group in &self.groups {
            out.u8(u8::from(group.is_some()));
            if let Some(g) = group {
                for part in [&g.a, &g.inverse, &g.cross, &g.b, &g.inverse_cross, &g.inverse_b] {
                    out.f64s(part);
                }
            }
        }
    }

    /// Reads the state into blocks of the same shape.
    pub(crate) fn read(mut self, from: &mut Reader<'_>) -> Result<Self, Corrupt> {
        from.f64s(&mut self.a0)?;
        from.f64s(&mut self.b0)?;
        from.f64s(&mut self.a0_inverse)?;
        from.f64s(&mut self.beta)?;
        for group in &mut self.groups {
            if from.u8()? == 1 {
                let mut g = Box::new(Group::new(self.k, self.d, self.lambda.1));
                for part in [
                    &mut g.a,
                    &mut g.inverse,
                    &mut g.cross,
                    &mut g.b,
                    &mut g.inverse_cross,
                    &mut g.inverse_b,
                ] {
                    from.f64s(part)?;
                }
                *group = Some(g);
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linear::{Config, Ridge};
    use crate::rng::{normal, uniform};
    use crate::{ArmSet, Example, Model, Scores};

    /// The test oracle: one ridge regression on [z, 1_g ⊗ x·ρ], ρ the ratio of prior deviations.
    #[test]
    fn blocks_are_ridge_on_the_concatenated_features() {
        const GROUPS: usize = 3;
        let (k, d, lambda) = (2, 3, (2.0, 0.5));
        let mut blocks = Blocks::new(k, d, GROUPS, lambda);
        let wide = k + GROUPS * d;
        let config = Config { lambda: lambda.0, intercept: false, ..Config::new(1, wide) };
        let mut ridge = Ridge::new(config).unwrap();
        let rho = (lambda.0 / lambda.1).sqrt();
        let features = |group: usize, z: &[f64], x: &[f64]| {
            let mut all = vec![0.0; wide];
            all[..k].copy_from_slice(z);
            (0..d).for_each(|i| all[k + group * d + i] = rho * x[i]);
            all
        };
        let draw = |t: u64| {
            let group = (uniform(1, 0, t) * GROUPS as f64) as usize;
            let z: [f64; 2] = std::array::from_fn(|i| normal(1, 1, 2 * t + i as u64));
            let x: [f64; 3] = std::array::from_fn(|i| normal(1, 2, 3 * t + i as u64));
            (group, z, x, uniform(1, 3, t), 0.5 + 0.5 * uniform(1, 4, t))
        };
        let mut scratch = vec![0.0; blocks.scratch()];
        for t in 0..200 {
            let (group, z, x, reward, weight) = draw(t);
            let (found, square) = blocks.predict(group, &z, &x, &mut scratch);
            let (mut mean, mut width) = ([0.0], [0.0]);
            let scores = Scores { mean: &mut mean, width: &mut width };
            let all = features(group, &z, &x);
            ridge.predict(&all, &ArmSet::all(1), scores, &mut vec![0.0; ridge.scratch()]);
            assert!((found - mean[0]).abs() < 1e-9, "{t}: {found} {mean:?}");
            // The oracle's prior deviation is 1/√λ of the shared block for all features.
            assert!((square.sqrt() - width[0]).abs() < 1e-9, "{t}: {square} {width:?}");
            blocks.learn(group, &z, &x, reward, weight);
            ridge.learn(&Example { x: &all, arm: 0, reward, propensity: 1.0, weight });
        }
    }
}
