//! A packed copy of symmetric matrices in single precision, for xᵀMx and nothing else.
//!
//! xᵀMx is the inner product of two vectors of n(n+1)/2 entries: the distinct entries of M, those
//! off the diagonal twice, and the products x_i·x_j. The products are the same for all matrices,
//! so one decision multiplies them out once and then reads each matrix straight through.
//!
//! Entries are ordered by rows, and a row i holds the columns i, i+1, … around the corner until
//! every pair has come once: ⌈n/2⌉ of them, each row as long as the other. With an even n the
//! pairs (i, i + n/2) are left over and come last. A sum keeps sixteen partial ones, so it has
//! the same bits on vectors of any width.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd, bytemuck};

use super::aligned::Aligned;
use crate::arms::ArmSet;

/// Partial sums.
const LANES: usize = 16;

/// Matrices of `n` rows, packed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Single {
    data: Aligned,
    n: usize,
    count: usize,
}

/// Entries of a packed matrix, zeros at its end included.
const fn packed(n: usize) -> usize {
    (n * (n + 1) / 2).next_multiple_of(LANES)
}

impl Single {
    pub(crate) fn new(n: usize, count: usize) -> Self {
        Self { data: Aligned::zeros(count * packed(n) / 2), n, count }
    }

    /// Floats that [`Squares`] needs to work in, a multiple of [`LANES`].
    pub(crate) const fn work(&self) -> usize {
        packed(self.n) + LANES + (2 * self.n + LANES).next_multiple_of(LANES)
    }

    /// Packs matrix `index` anew from `m`, its rows `stride` apart, and at least [`LANES`] more
    /// floats behind it.
    pub(crate) fn refresh(&mut self, arch: Arch, index: usize, m: &[f64], stride: usize) {
        let (n, size) = (self.n, packed(self.n));
        let out = &mut bytemuck::cast_slice_mut(self.data.get_mut())[index * size..][..size];
        arch.dispatch(Pack { m, stride, n, out });
    }

    #[inline(always)]
    fn get<S: Simd, const V: usize>(&self, index: usize) -> &[[S::f32s; V]] {
        let size = packed(self.n);
        let all: &[f32] = bytemuck::cast_slice(self.data.get());
        S::as_simd_f32s(&all[index * size..][..size]).0.as_chunks().0
    }
}

struct Pack<'a> {
    m: &'a [f64],
    stride: usize,
    n: usize,
    out: &'a mut [f32],
}

impl WithSimd for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { m, stride, n, out } = self;
        let half = n.div_ceil(2);
        for i in 0..n {
            let (row, out) = (&m[i * stride..], &mut out[i * half..]);
            let ahead = half.min(n - i);
            double(&row[i..], ahead, out);
            double(row, half - ahead, &mut out[ahead..]);
            out[0] = row[i] as f32;
        }
        let left = &mut out[n * half..];
        let across = if n % 2 == 0 { half } else { 0 };
        for (i, out) in left.iter_mut().enumerate() {
            *out = if i < across { 2.0 * m[i * stride + i + half] as f32 } else { 0.0 };
        }
    }
}

/// Writes twice the first `count` numbers of `from`. What is too much is written over by who comes
/// next.
#[inline(always)]
fn double(from: &[f64], count: usize, out: &mut [f32]) {
    let whole = count.next_multiple_of(LANES);
    match (from.get(..whole), out.get_mut(..whole)) {
        (Some(from), Some(out)) => {
            let pieces = from.as_chunks::<LANES>().0.iter().zip(out.as_chunks_mut::<LANES>().0);
            for (from, out) in pieces {
                // Not in place: the compiler would have to fear that they overlap.
                let mut line = [0.0; LANES];
                for k in 0..LANES {
                    line[k] = (2.0 * from[k]) as f32;
                }
                *out = line;
            }
        }
        _ => double_to_the_end(&from[..count], out),
    }
}

#[cold]
#[inline(never)]
fn double_to_the_end(from: &[f64], out: &mut [f32]) {
    from.iter().zip(out).for_each(|(from, out)| *out = (2.0 * from) as f32);
}

/// Matrices of as many rows are not multiplied out as a whole: the products would push what is
/// read once out of the nearest cache.
const WIDE: usize = 64;

/// A vector, twice over and in single precision, and what is made of it.
struct Products<'a> {
    n: usize,
    twice: &'a [f32],
}

impl<'a> Products<'a> {
    /// `twice` gets x two times over, and zeros behind.
    #[inline(always)]
    fn of(x: &[f64], twice: &'a mut [f32]) -> Self {
        let n = x.len();
        let (first, second) = twice.split_at_mut(n);
        for ((x, first), second) in x.iter().zip(first).zip(second) {
            (*first, *second) = (*x as f32, *x as f32);
        }
        twice[2 * n..].fill(0.0);
        Self { n, twice }
    }

    /// Rows made at a time.
    const fn step(&self) -> usize {
        if self.n < WIDE { self.n } else { LANES }
    }

    /// Writes x_i·x_j of [`Products::step`] rows from `first` on, in the order of a packed matrix,
    /// [`LANES`] more behind, and returns how many that are. The last rows bring along the pairs
    /// that are left over.
    #[inline(always)]
    fn write<S: Simd>(&self, s: S, first: usize, out: &mut [f32]) -> usize {
        let (n, half, twice) = (self.n, self.n.div_ceil(2), self.twice);
        let end = n.min(first + self.step());
        match half.div_ceil(LANES) {
            1 => rows::<S, 1>(s, first..end, half, twice, out),
            2 => rows::<S, 2>(s, first..end, half, twice, out),
            4 => rows::<S, 4>(s, first..end, half, twice, out),
            8 => rows::<S, 8>(s, first..end, half, twice, out),
            pieces => {
                for i in first..end {
                    for at in (0..pieces * LANES).step_by(LANES) {
                        let out = &mut out[(i - first) * half + at..];
                        row::<S, 1>(s, twice[i], &twice[i + at..], out);
                    }
                }
            }
        }
        let made = (end - first) * half;
        if end < n {
            return made;
        }
        let across = if n % 2 == 0 { half } else { 0 };
        let left = &mut out[made..];
        left[across..across + LANES].fill(0.0);
        for (i, out) in left[..across].iter_mut().enumerate() {
            *out = twice[i] * twice[i + half];
        }
        packed(n) - first * half
    }
}

/// Rows of `P` times [`LANES`] entries. What is too much is written over by the next row.
#[inline(always)]
fn rows<S: Simd, const P: usize>(
    s: S,
    rows: Range<usize>,
    half: usize,
    twice: &[f32],
    out: &mut [f32],
) {
    for (at, i) in rows.enumerate() {
        row::<S, P>(s, twice[i], &twice[i..], &mut out[at * half..]);
    }
}

#[inline(always)]
fn row<S: Simd, const P: usize>(s: S, own: f32, others: &[f32], out: &mut [f32]) {
    let own = s.splat_f32s(own);
    let others = S::as_simd_f32s(&others[..P * LANES]).0;
    let out = S::as_mut_simd_f32s(&mut out[..P * LANES]).0;
    for (out, other) in out.iter_mut().zip(others) {
        *out = s.mul_f32s(own, *other);
    }
}

/// Writes xᵀMx of every matrix in `available`.
pub(crate) struct Squares<'a> {
    pub(crate) copy: &'a Single,
    pub(crate) available: &'a ArmSet,
    pub(crate) x: &'a [f64],
    pub(crate) work: &'a mut [f32],
    pub(crate) out: &'a mut [f64],
}

impl WithSimd for Squares<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        let Self { copy, available, x, work, out } = self;
        let (room, twice) = work.split_at_mut(packed(copy.n) + LANES);
        let products = Products::of(x, twice);
        if copy.count == 1 && available.contains(0) {
            out[0] = match S::F32_LANES {
                16 => alone::<S, 1>(s, copy, &products, room),
                8 => alone::<S, 2>(s, copy, &products, room),
                4 => alone::<S, 4>(s, copy, &products, room),
                _ => alone::<S, LANES>(s, copy, &products, room),
            };
            return;
        }
        // As many matrices at once as there are registers for their partial sums.
        match S::F32_LANES {
            16 => groups::<S, 8, 1>(s, copy, available, &products, room, out),
            8 => groups::<S, 4, 2>(s, copy, available, &products, room, out),
            4 => groups::<S, 2, 4>(s, copy, available, &products, room, out),
            _ => groups::<S, 1, LANES>(s, copy, available, &products, room, out),
        }
    }
}

/// `G` matrices at a time, sixteen partial sums each in `V` vectors.
#[inline(always)]
fn groups<S: Simd, const G: usize, const V: usize>(
    s: S,
    copy: &Single,
    available: &ArmSet,
    products: &Products<'_>,
    room: &mut [f32],
    out: &mut [f64],
) {
    let whole = products.step() == products.n;
    if whole {
        products.write(s, 0, room);
    }
    let mut arms = available.iter();
    while let Some(first) = arms.next() {
        // A group that is not full takes its first matrix again. Plain loops: closures would hide
        // the vector code from the compiler.
        let mut group = [first; G];
        let mut matrices = [copy.get::<S, V>(first); G];
        for g in 1..G {
            if let Some(arm) = arms.next() {
                (group[g], matrices[g]) = (arm, copy.get::<S, V>(arm));
            }
        }
        let mut sums = [[s.splat_f32s(0.0); V]; G];
        if whole {
            add(s, &room[..packed(products.n)], &matrices, &mut sums);
        } else {
            for row in (0..products.n).step_by(products.step()) {
                let made = products.write(s, row, room);
                add(s, &room[..made], &matrices, &mut sums);
                for matrix in &mut matrices {
                    *matrix = &matrix[made / LANES..];
                }
            }
        }
        for (sums, arm) in sums.iter().zip(group) {
            out[arm] = f64::from(total(s, sums));
        }
    }
}

/// The square of the only matrix there is: in as many partial sums as a group has, so that they
/// do not wait for each other.
#[inline(always)]
fn alone<S: Simd, const V: usize>(
    s: S,
    copy: &Single,
    products: &Products<'_>,
    room: &mut [f32],
) -> f64 {
    const G: usize = 8;
    let mut matrix = copy.get::<S, V>(0);
    let mut sums = [[s.splat_f32s(0.0); V]; G];
    for row in (0..products.n).step_by(products.step()) {
        let made = products.write(s, row, room);
        let (own, rest) = matrix.split_at(made / LANES);
        matrix = rest;
        let made: &[[S::f32s; V]] = S::as_simd_f32s(&room[..made]).0.as_chunks().0;
        let (own, own_left) = own.as_chunks::<G>();
        let (made, made_left) = made.as_chunks::<G>();
        for (own, made) in own.iter().zip(made) {
            for g in 0..G {
                for v in 0..V {
                    sums[g][v] = s.mul_add_f32s(own[g][v], made[g][v], sums[g][v]);
                }
            }
        }
        for (g, (own, made)) in own_left.iter().zip(made_left).enumerate() {
            for v in 0..V {
                sums[g][v] = s.mul_add_f32s(own[v], made[v], sums[g][v]);
            }
        }
    }
    sums.iter().map(|sums| f64::from(total(s, sums))).sum()
}

/// Adds what the next entries of the matrices and as many products give.
#[inline(always)]
fn add<S: Simd, const G: usize, const V: usize>(
    s: S,
    products: &[f32],
    matrices: &[&[[S::f32s; V]]; G],
    sums: &mut [[S::f32s; V]; G],
) {
    let products: &[[S::f32s; V]] = S::as_simd_f32s(products).0.as_chunks().0;
    let mut matrices = *matrices;
    for matrix in &mut matrices {
        *matrix = &matrix[..products.len()];
    }
    let mut own = *sums;
    for at in 0..products.len() {
        for g in 0..G {
            for v in 0..V {
                own[g][v] = s.mul_add_f32s(matrices[g][at][v], products[at][v], own[g][v]);
            }
        }
    }
    *sums = own;
}

/// Sixteen partial sums added by halves, as vector units do.
#[inline(always)]
fn total<S: Simd, const V: usize>(s: S, sums: &[S::f32s; V]) -> f32 {
    let mut sums = *sums;
    let mut count = V;
    while count > 1 {
        count /= 2;
        for v in 0..count {
            sums[v] = s.add_f32s(sums[v], sums[v + count]);
        }
    }
    s.reduce_sum_f32s(sums[0])
}

#[cfg(test)]
mod tests {
    use pulp::Scalar;

    use super::super::kernel::{padded, triangle};
    use super::*;
    use crate::rng::normal;

    fn squares(dispatch: impl FnOnce(Squares<'_>), copy: &Single, x: &[f64]) -> Vec<f64> {
        let (mut work, mut out) = (vec![f32::NAN; copy.work()], vec![0.0; 11]);
        let available = ArmSet::all(11).without(4);
        dispatch(Squares { copy, available: &available, x, work: &mut work, out: &mut out });
        out
    }

    #[test]
    fn squares_are_those_of_the_matrix_and_the_same_bits_on_any_width() {
        for n in [1, 2, 3, 15, 16, 31, 32, 33, 34, 63, 64, 65, 80, 97, 128, 129] {
            let stride = padded(n);
            let cell = |arm: usize, i: usize, j: usize| {
                normal(1, arm as u64, (i.min(j) * n + i.max(j)) as u64)
            };
            let mut copy = Single::new(n, 11);
            for arm in 0..11 {
                let mut m = vec![f64::NAN; stride * stride + triangle(stride)];
                (0..n * n).for_each(|at| m[at / n * stride + at % n] = cell(arm, at / n, at % n));
                copy.refresh(Arch::new(), arm, &m, stride);
            }
            let x: Vec<f64> = (0..n).map(|i| normal(2, 0, i as u64)).collect();
            let mut only = Single::new(n, 1);
            only.data.get_mut().copy_from_slice(&copy.data.get()[..packed(n) / 2]);
            let found = squares(|squares| Arch::new().dispatch(squares), &only, &x)[0];
            assert_eq!(found, squares(|squares| squares.with_simd(Scalar), &only, &x)[0]);
            let of_many = squares(|squares| Arch::new().dispatch(squares), &copy, &x)[0];
            assert!((found - of_many).abs() <= 1e-5 * x.iter().map(|x| x * x).sum::<f64>());
            let found = squares(|squares| Arch::new().dispatch(squares), &copy, &x);
            let scalar = squares(|squares| squares.with_simd(Scalar), &copy, &x);
            assert_eq!(found, scalar);
            for (arm, found) in found.into_iter().enumerate() {
                let terms = (0..n * n).map(|at| x[at / n] * cell(arm, at / n, at % n) * x[at % n]);
                let (exact, size) = terms.fold((0.0, 0.0), |(e, s), t| (e + t, s + f64::abs(t)));
                let exact = if arm == 4 { 0.0 } else { exact };
                assert!((found - exact).abs() <= 1e-6 * size, "{n} {arm}: {found} {exact}");
            }
        }
    }
}
