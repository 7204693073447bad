//! Cholesky factorisation and inverse of small dense matrices.

/// Factors the symmetric positive definite `m` (row-major, `n` by `n`, lower triangle read) in
/// place into its lower Cholesky factor; the upper triangle is left as it was. `false` when a
/// pivot is not safely positive.
pub(crate) fn cholesky(m: &mut [f64], n: usize) -> bool {
    for i in 0..n {
        let (above, rest) = m.split_at_mut(i * n);
        let row = &mut rest[..=i];
        for j in 0..i {
            let other = &above[j * n..=j * n + j];
            let sum = inner(&row[..j], &other[..j]);
            row[j] = (row[j] - sum) / other[j];
        }
        let pivot = row[i] - inner(&row[..i], &row[..i]);
        // Relative to the diagonal: what is left must be more than its rounding noise.
        if !(pivot > row[i].abs() * 1e-14 && pivot.is_finite()) {
            return false;
        }
        row[i] = pivot.sqrt();
    }
    true
}

/// Solves L·Lᵀ·x = b in place, given the factor from [`cholesky`].
pub(crate) fn solve(l: &[f64], n: usize, b: &mut [f64]) {
    for i in 0..n {
        b[i] = (b[i] - inner(&l[i * n..i * n + i], &b[..i])) / l[i * n + i];
    }
    for i in (0..n).rev() {
        let x = b[i] / l[i * n + i];
        b[i] = x;
        for j in 0..i {
            b[j] -= l[i * n + j] * x;
        }
    }
}

/// Replaces the symmetric positive definite `m` by its inverse. The rows and columns are first
/// scaled to a unit diagonal, so that features of very different size do no harm. `false`, with
/// `m` spoiled, when it is not safely positive definite.
pub(crate) fn invert(m: &mut [f64], n: usize, work: &mut Vec<f64>) -> bool {
    work.clear();
    work.resize(n * n + n, 0.0);
    let (l_inv, d) = work.split_at_mut(n * n);
    for (i, d) in d.iter_mut().enumerate() {
        let diagonal = m[i * n + i];
        if !(diagonal > 0.0 && diagonal.is_finite()) {
            return false;
        }
        *d = 1.0 / diagonal.sqrt();
    }
    for i in 0..n {
        for j in 0..=i {
            m[i * n + j] *= d[i] * d[j];
        }
    }
    if !cholesky(m, n) {
        return false;
    }
    // Rows of L⁻¹, each a combination of the rows above it.
    for i in 0..n {
        let (above, rest) = l_inv.split_at_mut(i * n);
        let row = &mut rest[..n];
        for k in 0..i {
            let factor = m[i * n + k];
            for (r, a) in row[..=k].iter_mut().zip(&above[k * n..=k * n + k]) {
                *r -= factor * a;
            }
        }
        let pivot = 1.0 / m[i * n + i];
        row[..i].iter_mut().for_each(|r| *r *= pivot);
        row[i] = pivot;
    }
    // M⁻¹ = L⁻ᵀ·L⁻¹, lower triangle, then mirrored.
    m.fill(0.0);
    for row in l_inv.chunks_exact(n).enumerate().map(|(i, row)| &row[..=i]) {
        for (j, &factor) in row.iter().enumerate() {
            for (r, a) in m[j * n..=j * n + j].iter_mut().zip(row) {
                *r += factor * a;
            }
        }
    }
    for i in 0..n {
        for j in 0..=i {
            let value = m[i * n + j] * (d[i] * d[j]);
            m[i * n + j] = value;
            m[j * n + i] = value;
        }
    }
    true
}

fn inner(x: &[f64], y: &[f64]) -> f64 {
    let (xs, x_rest) = x.as_chunks::<4>();
    let (ys, y_rest) = y.as_chunks::<4>();
    let mut lanes = [0.0; 4];
    for (x, y) in xs.iter().zip(ys) {
        for i in 0..4 {
            lanes[i] += x[i] * y[i];
        }
    }
    let tail: f64 = x_rest.iter().zip(y_rest).map(|(x, y)| x * y).sum();
    (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]) + tail
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::normal;

    /// Σ x xᵀ + I over a few random x, with feature `i` of size `10^(spread·i/n)`.
    fn gram(n: usize, rows: u64, spread: f64) -> Vec<f64> {
        let mut m = vec![0.0; n * n];
        for t in 0..rows {
            let x: Vec<f64> = (0..n)
                .map(|i| {
                    normal(3, 0, t * n as u64 + i as u64)
                        * 10_f64.powf(spread * i as f64 / n as f64)
                })
                .collect();
            for i in 0..n {
                for j in 0..n {
                    m[i * n + j] += x[i] * x[j];
                }
            }
        }
        (0..n).for_each(|i| m[i * n + i] += 1.0);
        m
    }

    #[test]
    fn an_inverse_times_its_matrix_is_the_identity() {
        for (n, spread) in [(1, 0.0), (7, 0.0), (33, 0.0), (20, 4.0)] {
            let m = gram(n, 60, spread);
            let mut inverse = m.clone();
            assert!(invert(&mut inverse, n, &mut Vec::new()));
            for i in 0..n {
                for j in 0..n {
                    let sum: f64 = (0..n).map(|k| m[i * n + k] * inverse[k * n + j]).sum();
                    let unit = f64::from(u8::from(i == j));
                    let size = (m[i * n + i] / m[j * n + j]).sqrt();
                    assert!((sum - unit).abs() < 1e-11 * size.max(1.0), "{n} {i} {j} {sum}");
                }
            }
        }
    }

    #[test]
    fn solving_agrees_with_inverting() {
        let n = 12;
        let m = gram(n, 30, 1.0);
        let b: Vec<f64> = (0..n).map(|i| normal(4, 0, i as u64)).collect();
        let (mut l, mut x, mut inverse) = (m.clone(), b.clone(), m);
        assert!(cholesky(&mut l, n));
        solve(&l, n, &mut x);
        assert!(invert(&mut inverse, n, &mut Vec::new()));
        for i in 0..n {
            let other: f64 = (0..n).map(|j| inverse[i * n + j] * b[j]).sum();
            assert!((x[i] - other).abs() < 1e-11);
        }
    }

    #[test]
    fn matrices_that_are_not_positive_are_refused() {
        assert!(!invert(&mut [1.0, 2.0, 2.0, 1.0], 2, &mut Vec::new()));
        assert!(!invert(&mut [0.0], 1, &mut Vec::new()));
        assert!(!invert(&mut [f64::NAN], 1, &mut Vec::new()));
        assert!(!invert(&mut [1.0, 1.0, 1.0, 1.0], 2, &mut Vec::new()));
    }
}
