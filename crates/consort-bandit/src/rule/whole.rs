//! The rules where every arm can be chosen and equals share: plain loops over slices, without a
//! branch for each arm, because which one wins is what nobody can predict.

/// The largest value. Four side by side: one alone would wait for each comparison.
fn largest(values: &[f64]) -> f64 {
    let mut tops = [f64::NEG_INFINITY; 4];
    let (fours, rest) = values.as_chunks::<4>();
    for four in fours {
        for at in 0..4 {
            tops[at] = if four[at] > tops[at] { four[at] } else { tops[at] };
        }
    }
    let [a, b, c, d] = tops;
    let (first, second) = (if a > b { a } else { b }, if c > d { c } else { d });
    let mut top = if first > second { first } else { second };
    for value in rest {
        top = if *value > top { *value } else { top };
    }
    top
}

/// All probability on the arms with the largest mean + alpha·width.
pub(super) fn best(mean: &[f64], width: &[f64], alpha: f64, out: &mut [f64]) {
    if alpha == 0.0 {
        // Without optimism an infinite width must not poison the score.
        out.copy_from_slice(mean);
    } else {
        for ((out, mean), width) in out.iter_mut().zip(mean).zip(width) {
            *out = mean + alpha * width;
        }
    }
    let top = largest(out);
    let mut tied = 0_u64;
    for score in &*out {
        tied += u64::from(*score >= top);
    }
    let share = if tied == 1 { 1.0 } else { 1.0 / tied as f64 };
    for score in out {
        *score = if *score >= top { share } else { 0.0 };
    }
}

/// p(a) = 1 / (K + gamma·gap), and what is left shared by the best arms.
pub(super) fn inverse_gap(mean: &[f64], gamma: f64, out: &mut [f64]) {
    let (top, k) = (largest(mean), mean.len() as f64);
    for (out, mean) in out.iter_mut().zip(mean) {
        *out = 1.0 / (k + gamma * (top - mean));
    }
    // The best arms have 1/K each so far: what all others have is left out of the rest.
    let (mut others, mut tied) = (0.0, 0_u64);
    for (out, mean) in out.iter().zip(mean) {
        let won = *mean >= top;
        others += if won { 0.0 } else { *out };
        tied += u64::from(won);
    }
    let share = (1.0 - others) / tied as f64;
    for (out, mean) in out.iter_mut().zip(mean) {
        *out = if *mean >= top { share } else { *out };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::uniform;

    #[test]
    fn whole_slices_give_what_arm_by_arm_gives() {
        for n in [1, 2, 3, 7, 16, 33] {
            for t in 0..200 {
                // Few values, so that there are ties.
                let draw = |stream, i| (4.0 * uniform(t, stream, i as u64)).floor() / 4.0;
                let mean: Vec<f64> = (0..n).map(|i| draw(0, i)).collect();
                let width: Vec<f64> = (0..n).map(|i| draw(1, i)).collect();
                let mut out = vec![9.0; n];
                best(&mean, &width, 0.5, &mut out);
                let score = |i: usize| mean[i] + 0.5 * width[i];
                let top = (0..n).map(score).fold(f64::MIN, f64::max);
                let tied = (0..n).filter(|i| score(*i) == top).count() as f64;
                for (i, out) in out.iter().enumerate() {
                    assert_eq!(*out, if score(i) == top { 1.0 / tied } else { 0.0 });
                }
                inverse_gap(&mean, 10.0, &mut out);
                let top = mean.iter().copied().fold(f64::MIN, f64::max);
                assert!((out.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                let others = mean.iter().zip(&out).filter(|(mean, _)| **mean < top);
                for (mean, out) in others {
                    assert_eq!(*out, 1.0 / (n as f64 + 10.0 * (top - mean)));
                }
            }
        }
        let mut out = [0.0; 2];
        best(&[0.2, 0.1], &[f64::INFINITY, 0.0], 0.0, &mut out);
        assert_eq!(out, [1.0, 0.0]);
    }
}
