//! Ridge regression of several targets at once, from sums.

use crate::linear::factor;

/// Σ w·z·zᵀ and, for each target, Σ w·z·target.
pub(super) struct Sums {
    n: usize,
    gram: Vec<f64>,
    moments: Vec<Vec<f64>>,
}

impl Sums {
    pub(super) fn new(n: usize, targets: usize) -> Self {
        Self { n, gram: vec![0.0; n * n], moments: vec![vec![0.0; n]; targets] }
    }

    /// Adds a row; `z` has the constant last.
    pub(super) fn push(&mut self, z: &[f64], weight: f64, targets: &[f64]) {
        for (i, (zi, row)) in z.iter().zip(self.gram.chunks_exact_mut(self.n)).enumerate() {
            let scaled = weight * zi;
            row[..=i].iter_mut().zip(z).for_each(|(sum, zj)| *sum += scaled * zj);
        }
        for (moment, target) in self.moments.iter_mut().zip(targets) {
            let scaled = weight * target;
            moment.iter_mut().zip(z).for_each(|(sum, z)| *sum += scaled * z);
        }
    }

    /// Coefficients of each target; `None` when the matrix cannot be factored.
    pub(super) fn solve(mut self, lambda: f64) -> Option<Vec<Vec<f64>>> {
        (0..self.n).for_each(|i| self.gram[i * self.n + i] += lambda);
        if !factor::cholesky(&mut self.gram, self.n) {
            return None;
        }
        self.moments.iter_mut().for_each(|b| factor::solve(&self.gram, self.n, b));
        Some(self.moments)
    }
}

/// What coefficients say of features.
pub(super) fn score(theta: &[f64], z: &[f64]) -> f64 {
    theta.iter().zip(z).map(|(theta, z)| theta * z).sum()
}
