//! The rules where every arm can be chosen and equals share: straight through whole slices,
//! without a branch for each arm, because which one wins is what nobody can predict.
//!
//! Slices are taken eight values at a time, in `V` vectors, and what is left over one by one: a sum
//! has the same bits on vectors of any width.

use pulp::Simd;

/// Values at a time.
const LANES: usize = 8;

/// The largest value.
#[inline(always)]
fn largest<S: Simd>(s: S, values: &[f64]) -> f64 {
    let (vectors, rest) = S::as_simd_f64s(values);
    let mut tops = s.splat_f64s(f64::NEG_INFINITY);
    for vector in vectors {
        tops = s.max_f64s(tops, *vector);
    }
    rest.iter().fold(s.reduce_max_f64s(tops), |top, value| top.max(*value))
}

/// Sum of all lanes, by halves.
#[inline(always)]
fn total<S: Simd, const V: usize>(s: S, mut sums: [S::f64s; V]) -> f64 {
    let mut count = V;
    while count > 1 {
        count /= 2;
        for v in 0..count {
            sums[v] = s.add_f64s(sums[v], sums[v + count]);
        }
    }
    s.reduce_sum_f64s(sums[0])
}

#[inline(always)]
fn select<S: Simd>(s: S, mask: S::m64s, yes: S::f64s, no: S::f64s) -> S::f64s {
    let (yes, no) = (s.transmute_u64s_f64s(yes), s.transmute_u64s_f64s(no));
    s.transmute_f64s_u64s(s.select_u64s(mask, yes, no))
}

/// All probability on the arms with the largest mean + alpha·width. Returns the arm when it is one.
#[inline(always)]
pub(super) fn best<S: Simd>(
    s: S,
    mean: &[f64],
    width: &[f64],
    alpha: f64,
    out: &mut [f64],
) -> Option<usize> {
    if alpha == 0.0 {
        // Without optimism an infinite width must not poison the score.
        out.copy_from_slice(mean);
    } else {
        let (means, mean) = S::as_simd_f64s(mean);
        let (widths, width) = S::as_simd_f64s(width);
        let (outs, out) = S::as_mut_simd_f64s(out);
        for ((out, mean), width) in outs.iter_mut().zip(means).zip(widths) {
            *out = s.add_f64s(*mean, s.mul_f64s(s.splat_f64s(alpha), *width));
        }
        for ((out, mean), width) in out.iter_mut().zip(mean).zip(width) {
            *out = mean + alpha * width;
        }
    }
    // How many won, and the sum of their indexes: that of the winner if it is one.
    let (tied, sum) = match S::F64_LANES {
        8 => winners::<S, 1>(s, out),
        4 => winners::<S, 2>(s, out),
        2 => winners::<S, 4>(s, out),
        _ => winners::<S, LANES>(s, out),
    };
    if tied == 1.0 {
        return Some(sum as usize);
    }
    out.iter_mut().for_each(|out| *out /= tied);
    None
}

/// Makes the largest scores 1 and the others 0; returns how many and the sum of their indexes.
#[inline(always)]
fn winners<S: Simd, const V: usize>(s: S, scores: &mut [f64]) -> (f64, f64) {
    let top = largest(s, scores);
    let (zero, one) = (s.splat_f64s(0.0), s.splat_f64s(1.0));
    let (mut tied, mut sum) = ([zero; V], [zero; V]);
    let (mut index, mut seen) = ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 0.0);
    let (eights, rest) = scores.as_chunks_mut::<LANES>();
    for eight in eights {
        let scores = S::as_mut_simd_f64s(eight).0;
        let index = S::as_mut_simd_f64s(&mut index).0;
        for v in 0..V {
            let won = s.greater_than_or_equal_f64s(scores[v], s.splat_f64s(top));
            scores[v] = select(s, won, one, zero);
            tied[v] = s.add_f64s(tied[v], scores[v]);
            sum[v] = s.add_f64s(sum[v], select(s, won, index[v], zero));
            index[v] = s.add_f64s(index[v], s.splat_f64s(LANES as f64));
        }
        seen += LANES as f64;
    }
    let (mut tied, mut sum) = (total(s, tied), total(s, sum));
    for score in rest {
        *score = f64::from(u8::from(*score >= top));
        tied += *score;
        sum += *score * seen;
        seen += 1.0;
    }
    (tied, sum)
}

/// p(a) = 1 / (K + gamma·gap), and what is left shared by the best arms.
#[inline(always)]
pub(super) fn inverse_gap<S: Simd>(s: S, mean: &[f64], gamma: f64, out: &mut [f64]) {
    let top = largest(s, mean);
    let (others, tied) = match S::F64_LANES {
        8 => gaps::<S, 1>(s, mean, top, gamma, out),
        4 => gaps::<S, 2>(s, mean, top, gamma, out),
        2 => gaps::<S, 4>(s, mean, top, gamma, out),
        _ => gaps::<S, LANES>(s, mean, top, gamma, out),
    };
    let rest = 1.0 - others;
    let share = if tied == 1.0 { rest } else { rest / tied };
    let (means, mean) = S::as_simd_f64s(mean);
    let (outs, out) = S::as_mut_simd_f64s(out);
    for (out, mean) in outs.iter_mut().zip(means) {
        let won = s.greater_than_or_equal_f64s(*mean, s.splat_f64s(top));
        *out = select(s, won, s.splat_f64s(share), *out);
    }
    for (out, mean) in out.iter_mut().zip(mean) {
        *out = if *mean >= top { share } else { *out };
    }
}

/// Writes 1 / (K + gamma·gap); returns the sum over arms below the top and how many are at it.
#[inline(always)]
fn gaps<S: Simd, const V: usize>(
    s: S,
    mean: &[f64],
    top: f64,
    gamma: f64,
    out: &mut [f64],
) -> (f64, f64) {
    let k = mean.len() as f64;
    let (zero, one) = (s.splat_f64s(0.0), s.splat_f64s(1.0));
    let (mut others, mut tied) = ([zero; V], [zero; V]);
    let (means, rest) = mean.as_chunks::<LANES>();
    let (outs, rest_out) = out.as_chunks_mut::<LANES>();
    for (mean, out) in means.iter().zip(outs) {
        let (mean, out) = (S::as_simd_f64s(mean).0, S::as_mut_simd_f64s(out).0);
        for v in 0..V {
            let won = s.greater_than_or_equal_f64s(mean[v], s.splat_f64s(top));
            tied[v] = s.add_f64s(tied[v], select(s, won, one, zero));
            let gap = s.sub_f64s(s.splat_f64s(top), mean[v]);
            let below = s.add_f64s(s.splat_f64s(k), s.mul_f64s(s.splat_f64s(gamma), gap));
            out[v] = s.div_f64s(one, below);
            others[v] = s.add_f64s(others[v], select(s, won, zero, out[v]));
        }
    }
    let (mut others, mut tied) = (total(s, others), total(s, tied));
    for (mean, out) in rest.iter().zip(rest_out) {
        let won = *mean >= top;
        *out = 1.0 / (k + gamma * (top - mean));
        others += if won { 0.0 } else { *out };
        tied += f64::from(u8::from(won));
    }
    (others, tied)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::uniform;
    use pulp::{Arch, Scalar, WithSimd};

    /// Both rules over the same beliefs.
    struct Both<'a>(&'a [f64], &'a [f64]);

    impl WithSimd for Both<'_> {
        type Output = (Option<usize>, Vec<f64>, Vec<f64>);

        #[inline(always)]
        fn with_simd<S: Simd>(self, s: S) -> Self::Output {
            let Self(mean, width) = self;
            let (mut one, mut other) = (vec![9.0; mean.len()], vec![9.0; mean.len()]);
            let found = best(s, mean, width, 0.5, &mut one);
            inverse_gap(s, mean, 10.0, &mut other);
            (found, one, other)
        }
    }

    #[test]
    fn whole_slices_give_what_arm_by_arm_gives_on_any_width() {
        for n in [1, 2, 3, 7, 8, 16, 33] {
            for t in 0..200 {
                // Few values, so that there are ties.
                let draw = |stream, i| (4.0 * uniform(t, stream, i as u64)).floor() / 4.0;
                let mean: Vec<f64> = (0..n).map(|i| draw(0, i)).collect();
                let width: Vec<f64> = (0..n).map(|i| draw(1, i)).collect();
                let (found, one, other) = Both(&mean, &width).with_simd(Scalar);
                let wide = Arch::new().dispatch(Both(&mean, &width));
                assert_eq!(wide, (found, one.clone(), other.clone()));
                let score = |i: usize| mean[i] + 0.5 * width[i];
                let top = (0..n).map(score).fold(f64::MIN, f64::max);
                let winners: Vec<usize> = (0..n).filter(|i| score(*i) == top).collect();
                assert_eq!(found, (winners.len() == 1).then_some(winners[0]));
                for (i, p) in one.iter().enumerate() {
                    let share = 1.0 / winners.len() as f64;
                    assert_eq!(*p, if winners.contains(&i) { share } else { 0.0 });
                }
                let top = mean.iter().copied().fold(f64::MIN, f64::max);
                assert!((other.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                for (mean, p) in mean.iter().zip(&other).filter(|(mean, _)| **mean < top) {
                    assert_eq!(*p, 1.0 / (n as f64 + 10.0 * (top - mean)));
                }
            }
        }
        let mut out = [0.0; 2];
        let found = best(Scalar, &[0.2, 0.1], &[f64::INFINITY, 0.0], 0.0, &mut out);
        assert_eq!((found, out), (Some(0), [1.0, 0.0]));
    }
}
