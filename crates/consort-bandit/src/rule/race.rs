//! How likely each of several independent random scores is to be the largest.
//!
//! P(a wins) = ∫ f_a(z) Π_{b≠a} F_b(z) dz. The range is cut until every piece is at most three
//! standard deviations of the narrowest law that lives in it; on such a piece a ten-point Gauss
//! rule leaves an error far below 1e-6.

use crate::arms::{ArmSet, MAX_ARMS};
use crate::special::{GAUSS_10, normal_cdf, normal_pdf};

/// Standard deviations beyond which a law is taken to be flat.
const REACH: f64 = 8.0;
/// Widest piece, in standard deviations of the narrowest law in it.
const PIECE: f64 = 3.0;
/// Halvings of the whole range; laws narrower than 2^-40 of it count as that wide.
const DEPTH: usize = 40;

/// A normal belief narrower than this counts as this wide.
const NARROWEST: f64 = 1e-12;

/// A family of laws, one per arm.
pub(crate) trait Law {
    /// Centre and standard deviation.
    fn moments(&self, arm: usize) -> (f64, f64);
    /// Density and distribution function at `z`.
    fn at(&self, arm: usize, z: f64) -> (f64, f64);
    /// Where the law lives: outside, its density counts as 0.
    fn support(&self, arm: usize) -> (f64, f64) {
        let (centre, sd) = self.moments(arm);
        (centre - REACH * sd, centre + REACH * sd)
    }
}

/// Normal beliefs N(mean, (scale·width)²).
#[derive(Debug)]
pub(crate) struct Normal<'a> {
    pub(crate) mean: &'a [f64],
    pub(crate) width: &'a [f64],
    pub(crate) scale: f64,
}

impl Law for Normal<'_> {
    fn moments(&self, arm: usize) -> (f64, f64) {
        (self.mean[arm], (self.scale * self.width[arm]).max(NARROWEST))
    }

    fn at(&self, arm: usize, z: f64) -> (f64, f64) {
        let (centre, sd) = self.moments(arm);
        let z = (z - centre) / sd;
        (normal_pdf(z) / sd, normal_cdf(z))
    }
}

/// Arms that can still win, and the piece of the line where the winner is decided.
struct Field {
    arms: [u16; MAX_ARMS],
    len: usize,
    low: f64,
    high: f64,
}

impl Field {
    fn arms(&self) -> &[u16] {
        &self.arms[..self.len]
    }
}

/// Writes each available arm's chance to be the largest. `false` when the laws are not finite;
/// `out` is then untouched.
pub(crate) fn race(available: &ArmSet, law: &impl Law, out: &mut [f64]) -> bool {
    let mut low = f64::NEG_INFINITY;
    let mut high = f64::NEG_INFINITY;
    let mut widest: f64 = 0.0;
    for arm in available {
        let (from, to) = law.support(arm);
        low = low.max(from);
        high = high.max(to);
        widest = widest.max(to - from);
    }
    if !(widest > 0.0 && widest.is_finite()) {
        return false;
    }
    let mut field = Field { arms: [0; MAX_ARMS], len: 0, low, high };
    for arm in available {
        if law.support(arm).1 > low {
            field.arms[field.len] = arm as u16;
            field.len += 1;
        }
    }
    if let &[only] = field.arms() {
        out[usize::from(only)] = 1.0;
        return true;
    }
    integrate(&field, law, out);
    let total: f64 = field.arms().iter().map(|&arm| out[usize::from(arm)]).sum();
    if total <= 0.0 {
        return false;
    }
    for &arm in field.arms() {
        out[usize::from(arm)] /= total;
    }
    true
}

fn integrate(field: &Field, law: &impl Law, out: &mut [f64]) {
    let mut pending = [(0.0, 0.0, 0_usize); DEPTH + 2];
    pending[0] = (field.low, field.high, 0);
    let mut len = 1;
    while len > 0 {
        len -= 1;
        let (low, high, depth) = pending[len];
        if depth < DEPTH && high - low > PIECE * narrowest(field, law, low, high) {
            let middle = 0.5 * (low + high);
            pending[len] = (middle, high, depth + 1);
            pending[len + 1] = (low, middle, depth + 1);
            len += 2;
        } else {
            let (centre, half) = (0.5 * (low + high), 0.5 * (high - low));
            for (node, weight) in GAUSS_10 {
                accumulate(field, law, centre - half * node, half * weight, out);
                accumulate(field, law, centre + half * node, half * weight, out);
            }
        }
    }
}

fn narrowest(field: &Field, law: &impl Law, low: f64, high: f64) -> f64 {
    let mut least = f64::INFINITY;
    for &arm in field.arms() {
        let (from, to) = law.support(usize::from(arm));
        if from < high && to > low {
            least = least.min(law.moments(usize::from(arm)).1);
        }
    }
    least
}

/// Adds one node: density of each arm times the distribution functions of all others, by
/// products from the left and from the right so that a zero factor loses nothing.
fn accumulate(field: &Field, law: &impl Law, z: f64, weight: f64, out: &mut [f64]) {
    let mut right = [1.0; MAX_ARMS + 1];
    let mut density = [0.0; MAX_ARMS];
    let mut below = [0.0; MAX_ARMS];
    for (i, &arm) in field.arms().iter().enumerate() {
        (density[i], below[i]) = law.at(usize::from(arm), z);
    }
    for i in (0..field.len).rev() {
        right[i] = right[i + 1] * below[i];
    }
    let mut left = weight;
    for (i, &arm) in field.arms().iter().enumerate() {
        out[usize::from(arm)] += left * density[i] * right[i + 1];
        left *= below[i];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chances(mean: &[f64], width: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; mean.len()];
        assert!(race(&ArmSet::all(mean.len()), &Normal { mean, width, scale: 1.0 }, &mut out));
        out
    }

    #[test]
    fn two_normals_follow_the_closed_form() {
        for (gap, s0, s1) in [(0.3, 1.0, 0.5), (0.0, 1e-3, 1.0), (-0.2, 0.01, 3.0), (2.0, 0.7, 0.7)]
        {
            let exact = normal_cdf(gap / f64::hypot(s0, s1));
            let found = chances(&[gap, 0.0], &[s0, s1]);
            assert!((found[0] - exact).abs() < 1e-9, "{gap} {s0} {s1}: {} {exact}", found[0]);
            assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn wildly_different_widths_stay_accurate() {
        // A fine grid over the same integral, a million points.
        let mean = [0.5, 0.51, 0.45, 0.0, 0.499];
        let width = [1e-4, 0.02, 0.3, 2.0, 1e-3];
        let mut grid = [0.0; 5];
        let (low, high, n) = (0.4, 17.0, 4_000_000);
        let law = Normal { mean: &mean, width: &width, scale: 1.0 };
        let field = Field { arms: std::array::from_fn(|i| i as u16), len: 5, low, high };
        let step = (high - low) / f64::from(n);
        for i in 0..n {
            let z = low + (f64::from(i) + 0.5) * step;
            // Above 0.7 only the widest arm changes.
            if z > 0.7 && i % 64 != 0 {
                continue;
            }
            accumulate(&field, &law, z, if z > 0.7 { 64.0 * step } else { step }, &mut grid);
        }
        for (found, exact) in chances(&mean, &width).iter().zip(grid) {
            assert!((found - exact).abs() < 1e-5, "{found} {exact}");
        }
    }

    #[test]
    fn hopeless_arms_get_nothing_and_equal_arms_share() {
        let found = chances(&[0.0, 1.0, 1.0], &[0.01, 0.05, 0.05]);
        assert_eq!(found[0], 0.0);
        assert!((found[1] - 0.5).abs() < 1e-12);
    }

    #[test]
    fn laws_that_are_not_finite_are_left_to_the_caller() {
        let law = Normal { mean: &[0.1, 0.2], width: &[0.0, f64::INFINITY], scale: 1.0 };
        assert!(!race(&ArmSet::all(2), &law, &mut [0.0; 2]));
    }

    #[test]
    fn a_certain_arm_can_beat_an_uncertain_one() {
        // sd 0 stands for a law narrower than any piece: it must not vanish.
        let found = chances(&[0.5, 0.0], &[0.0, 1.0]);
        assert!((found[0] - normal_cdf(0.5)).abs() < 1e-6, "{found:?}");
    }
}
