//! The vector loops of ridge regression, the same bits on every machine.
//!
//! Every result is a chain of fused multiply-adds in an order that does not depend on the width
//! of the vector unit: matrix loops run down columns, inner products keep eight partial sums.
//! All lengths are multiples of [`LANES`]; buffers are padded with zeros.

use pulp::Simd;

/// Lengths are multiples of this.
pub(crate) const LANES: usize = 8;

/// Smallest multiple of [`LANES`] that holds `n`.
pub(crate) const fn padded(n: usize) -> usize {
    n.div_ceil(LANES) * LANES
}

/// Length of the lower triangle of an `n` by `n` matrix stored by rows, each row cut at the end
/// of its diagonal block of [`LANES`].
pub(crate) const fn triangle(n: usize) -> usize {
    let blocks = n / LANES;
    LANES * LANES * (blocks * (blocks + 1) / 2)
}

/// Start of row `i` in a triangle.
pub(crate) const fn row_start(i: usize) -> usize {
    let block = i / LANES;
    LANES * LANES * (block * (block + 1) / 2) + (i % LANES) * LANES * (block + 1)
}

/// Eight partial sums of x_i·y_i in `V` vectors.
#[inline(always)]
fn partial<S: Simd, const V: usize>(s: S, x: &[S::f64s], y: &[S::f64s]) -> [S::f64s; V] {
    let mut sums = [s.splat_f64s(0.0); V];
    for (x, y) in x.as_chunks::<V>().0.iter().zip(y.as_chunks::<V>().0) {
        for v in 0..V {
            sums[v] = s.mul_add_f64s(x[v], y[v], sums[v]);
        }
    }
    sums
}

/// Sum of x_i·y_i. The partial sums a to h are added as ((a+e)+(c+g)) + ((b+f)+(d+h)): by halves,
/// as vector units do.
#[inline(always)]
pub(crate) fn dot<S: Simd>(s: S, x: &[f64], y: &[f64]) -> f64 {
    let (x, y) = (S::as_simd_f64s(x).0, S::as_simd_f64s(y).0);
    match S::F64_LANES {
        8 => s.reduce_sum_f64s(partial::<S, 1>(s, x, y)[0]),
        4 => {
            let [low, high] = partial::<S, 2>(s, x, y);
            s.reduce_sum_f64s(s.add_f64s(low, high))
        }
        2 => {
            let [ab, cd, ef, gh] = partial::<S, 4>(s, x, y);
            s.reduce_sum_f64s(s.add_f64s(s.add_f64s(ab, ef), s.add_f64s(cd, gh)))
        }
        _ => {
            let sums = partial::<S, LANES>(s, x, y);
            let [a, b, c, d, e, f, g, h] = sums.map(|sum| s.reduce_sum_f64s(sum));
            ((a + e) + (c + g)) + ((b + f) + (d + h))
        }
    }
}

/// [`dot`] of every row of `m` and `x`, for as many rows as `out` is long.
#[inline(always)]
pub(crate) fn dots<S: Simd>(s: S, m: &[f64], x: &[f64], out: &mut [f64]) {
    match x.len() / LANES {
        1 => dots_of::<S, 1>(s, m, x, out),
        2 => dots_of::<S, 2>(s, m, x, out),
        3 => dots_of::<S, 3>(s, m, x, out),
        4 => dots_of::<S, 4>(s, m, x, out),
        5 => dots_of::<S, 5>(s, m, x, out),
        8 => dots_of::<S, 8>(s, m, x, out),
        _ => {
            for (row, out) in m.chunks_exact(x.len()).zip(out) {
                *out = dot(s, row, x);
            }
        }
    }
}

/// Rows of `B` times [`LANES`], [`LANES`] rows at a time.
#[inline(always)]
fn dots_of<S: Simd, const B: usize>(s: S, m: &[f64], x: &[f64], out: &mut [f64]) {
    let Some(x) = x.as_chunks::<LANES>().0.first_chunk::<B>() else { return };
    let mut rows = m.as_chunks::<LANES>().0.as_chunks::<B>().0;
    let (eights, rest) = out.as_chunks_mut::<LANES>();
    for out in eights {
        let Some((eight, others)) = rows.split_first_chunk::<LANES>() else { return };
        rows = others;
        if S::F64_LANES == LANES {
            let mut sums = [s.splat_f64s(0.0); LANES];
            for b in 0..B {
                let x = S::as_simd_f64s(&x[b]).0[0];
                for i in 0..LANES {
                    sums[i] = s.mul_add_f64s(S::as_simd_f64s(&eight[i][b]).0[0], x, sums[i]);
                }
            }
            S::as_mut_simd_f64s(out).0[0] = across(s, sums);
        } else {
            for i in 0..LANES {
                out[i] = dot(s, eight[i].as_flattened(), x.as_flattened());
            }
        }
    }
    for (row, out) in rows.iter().zip(rest) {
        *out = dot(s, row.as_flattened(), x.as_flattened());
    }
}

/// Adds up the eight lanes of each of eight vectors, as [`dot`] does: sum i in lane i.
#[inline(always)]
fn across<S: Simd>(s: S, [a, b, c, d, e, f, g, h]: [S::f64s; LANES]) -> S::f64s {
    let [a, b, c, d] = [fold(s, 4, a, e), fold(s, 4, b, f), fold(s, 4, c, g), fold(s, 4, d, h)];
    let [a, b] = [fold(s, 2, a, c), fold(s, 2, b, d)];
    fold(s, 1, a, b)
}

/// Adds to each lane the one `turn` away: of `a` where the number of the lane lacks that bit, of
/// `b` where it has it.
#[inline(always)]
fn fold<S: Simd>(s: S, turn: usize, a: S::f64s, b: S::f64s) -> S::f64s {
    let lane = S::as_simd_u64s(&[0, 1, 2, 3, 4, 5, 6, 7]).0[0];
    let first = s.equal_u64s(s.and_u64s(lane, s.splat_u64s(turn as u64)), s.splat_u64s(0));
    let (a, b) = (s.transmute_u64s_f64s(a), s.transmute_u64s_f64s(b));
    let own = s.select_u64s(first, a, b);
    let other = s.select_u64s(first, s.rotate_left_u64s(a, turn), s.rotate_right_u64s(b, turn));
    s.add_f64s(s.transmute_f64s_u64s(own), s.transmute_f64s_u64s(other))
}

/// y += k·x.
#[inline(always)]
pub(crate) fn axpy<S: Simd>(s: S, k: f64, x: &[f64], y: &mut [f64]) {
    let k = s.splat_f64s(k);
    let (x, _) = S::as_simd_f64s(x);
    let (y, _) = S::as_mut_simd_f64s(y);
    for (y, x) in y.iter_mut().zip(x) {
        *y = s.mul_add_f64s(k, *x, *y);
    }
}

/// x *= k.
#[inline(always)]
pub(crate) fn scale<S: Simd>(s: S, k: f64, x: &mut [f64]) {
    let k = s.splat_f64s(k);
    let (x, _) = S::as_mut_simd_f64s(x);
    for x in x {
        *x = s.mul_f64s(k, *x);
    }
}

/// Columns `col..col + N` (in vectors) of v = m·x for a symmetric `m`, two rows at a time.
#[inline(always)]
fn columns<S: Simd, const N: usize>(
    s: S,
    mut m: &[S::f64s],
    stride: usize,
    col: usize,
    x: &[f64],
    out: &mut [S::f64s],
) {
    let mut even = [s.splat_f64s(0.0); N];
    let mut odd = even;
    for &[x0, x1] in x.as_chunks::<2>().0 {
        let (rows, rest) = m.split_at(2 * stride);
        m = rest;
        let (Some(r0), Some(r1)) = (rows[col..].first_chunk(), rows[stride + col..].first_chunk())
        else {
            return;
        };
        let (r0, r1): (&[S::f64s; N], &[S::f64s; N]) = (r0, r1);
        let (x0, x1) = (s.splat_f64s(x0), s.splat_f64s(x1));
        for i in 0..N {
            even[i] = s.mul_add_f64s(x0, r0[i], even[i]);
        }
        for i in 0..N {
            odd[i] = s.mul_add_f64s(x1, r1[i], odd[i]);
        }
    }
    for i in 0..N {
        out[col + i] = s.add_f64s(even[i], odd[i]);
    }
}

/// v = m·x for a symmetric `m` stored in full.
#[inline(always)]
pub(crate) fn gemv<S: Simd>(s: S, m: &[f64], x: &[f64], v: &mut [f64]) {
    let (m, _) = S::as_simd_f64s(m);
    let (out, _) = S::as_mut_simd_f64s(v);
    let stride = out.len();
    let mut col = 0;
    while col + 4 <= stride {
        columns::<S, 4>(s, m, stride, col, x, out);
        col += 4;
    }
    while col < stride {
        columns::<S, 1>(s, m, stride, col, x, out);
        col += 1;
    }
}

#[inline(always)]
fn downdate_rows<S: Simd, const N: usize>(s: S, m: &mut [S::f64s], w: &[f64], wv: &[S::f64s]) {
    let Some(wv) = wv.first_chunk::<N>() else { return };
    for (row, &wi) in m.as_chunks_mut::<N>().0.iter_mut().zip(w) {
        let k = s.splat_f64s(-wi);
        for i in 0..N {
            row[i] = s.mul_add_f64s(k, wv[i], row[i]);
        }
    }
}

/// m -= w·wᵀ for a symmetric `m` stored in full. Stays symmetric to the last bit, because a
/// product commutes.
#[inline(always)]
pub(crate) fn downdate<S: Simd>(s: S, m: &mut [f64], w: &[f64]) {
    let (wv, _) = S::as_simd_f64s(w);
    let (mut m, _) = S::as_mut_simd_f64s(m);
    let stride = wv.len();
    match stride {
        1 => downdate_rows::<S, 1>(s, m, w, wv),
        2 => downdate_rows::<S, 2>(s, m, w, wv),
        4 => downdate_rows::<S, 4>(s, m, w, wv),
        8 => downdate_rows::<S, 8>(s, m, w, wv),
        _ => {
            for &wi in w {
                let (row, rest) = m.split_at_mut(stride);
                m = rest;
                let k = s.splat_f64s(-wi);
                for (r, q) in row.iter_mut().zip(wv) {
                    *r = s.mul_add_f64s(k, *q, *r);
                }
            }
        }
    }
}

/// Rows of `N` vectors.
#[inline(always)]
fn add_rows<S: Simd, const N: usize>(s: S, a: &mut [S::f64s], rows: &[f64], head: &[S::f64s]) {
    let Some(head) = head.first_chunk::<N>() else { return };
    for (row, &xi) in a.as_chunks_mut::<N>().0.iter_mut().zip(rows) {
        let k = s.splat_f64s(xi);
        for i in 0..N {
            row[i] = s.mul_add_f64s(k, head[i], row[i]);
        }
    }
}

/// a += x·xᵀ for a triangle `a`.
#[inline(always)]
pub(crate) fn add_outer<S: Simd>(s: S, a: &mut [f64], x: &[f64]) {
    let (xv, _) = S::as_simd_f64s(x);
    let (mut a, _) = S::as_mut_simd_f64s(a);
    let per_block = LANES / S::F64_LANES;
    let mut len = 0;
    for rows in x.as_chunks::<LANES>().0 {
        len += per_block;
        let (block, rest) = a.split_at_mut(len * LANES);
        a = rest;
        match len {
            1 => add_rows::<S, 1>(s, block, rows, xv),
            2 => add_rows::<S, 2>(s, block, rows, xv),
            3 => add_rows::<S, 3>(s, block, rows, xv),
            4 => add_rows::<S, 4>(s, block, rows, xv),
            _ => {
                for (row, &xi) in block.chunks_exact_mut(len).zip(rows) {
                    let k = s.splat_f64s(xi);
                    for (r, q) in row.iter_mut().zip(xv) {
                        *r = s.mul_add_f64s(k, *q, *r);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::normal;
    use pulp::{Arch, Scalar, WithSimd};

    /// All kernels once over the same numbers, every result concatenated.
    struct Everything(usize);

    impl WithSimd for Everything {
        type Output = Vec<f64>;

        #[inline(always)]
        fn with_simd<S: Simd>(self, s: S) -> Vec<f64> {
            let n = self.0;
            let fill =
                |stream, len| (0..len as u64).map(|i| normal(5, stream, i)).collect::<Vec<_>>();
            let (x, mut y, mut v) = (fill(0, n), fill(1, n), vec![0.0; n]);
            let (mut m, mut a) = (fill(2, n * n), fill(3, triangle(n)));
            let product = dot(s, &x, &y);
            axpy(s, 0.3, &x, &mut y);
            gemv(s, &m, &x, &mut v);
            downdate(s, &mut m, &v);
            add_outer(s, &mut a, &x);
            scale(s, 1.7, &mut y);
            [vec![product], y, v, m, a].concat()
        }
    }

    /// The results of the widest unit here, and of a narrower one where there is one.
    fn on_every_unit(n: usize) -> Vec<Vec<f64>> {
        let widest = Arch::new().dispatch(Everything(n));
        #[cfg(target_arch = "x86_64")]
        if let Some(narrow) = pulp::x86::V3::try_new() {
            return vec![widest, narrow.vectorize(|| Everything(n).with_simd(narrow))];
        }
        vec![widest]
    }

    #[test]
    fn every_vector_width_gives_the_same_bits_as_scalar_code() {
        for n in [8, 16, 24, 32, 40, 64, 72] {
            let scalar = Everything(n).with_simd(Scalar);
            for wide in on_every_unit(n) {
                assert!(wide.iter().zip(&scalar).all(|(a, b)| a.to_bits() == b.to_bits()), "{n}");
            }
        }
    }

    #[test]
    fn kernels_compute_what_they_say() {
        let n = 40;
        let x: Vec<f64> = (0..n).map(|i| normal(1, 0, i as u64)).collect();
        let mut m = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                m[i * n + j] = normal(1, 1, (i * n + j) as u64);
                m[j * n + i] = m[i * n + j];
            }
        }
        let mut v = vec![0.0; n];
        gemv(Scalar, &m, &x, &mut v);
        let mut a = vec![0.0; triangle(n)];
        add_outer(Scalar, &mut a, &x);
        let mut after = m.clone();
        downdate(Scalar, &mut after, &x);
        for i in 0..n {
            let exact: f64 = (0..n).map(|j| m[i * n + j] * x[j]).sum();
            assert!((v[i] - exact).abs() < 1e-12);
            for j in 0..=i {
                assert_eq!(a[row_start(i) + j], x[i] * x[j]);
                assert!((after[i * n + j] - (m[i * n + j] - x[i] * x[j])).abs() < 1e-14);
                assert_eq!(after[i * n + j].to_bits(), after[j * n + i].to_bits());
            }
        }
        let exact: f64 = x.iter().zip(&v).map(|(p, q)| p * q).sum();
        assert!((dot(Scalar, &x, &v) - exact).abs() < 1e-12);
    }
}
