//! The probabilities of one decision, and the buffers it is computed in.

use crate::arms::ArmSet;
use crate::linear::Aligned;

/// What a policy wrote about one decision: the probability of every arm, the scores they came
/// from, and scratch space. Reused from call to call, it makes deciding free of allocation.
#[derive(Clone, Debug, Default)]
pub struct Odds {
    available: ArmSet,
    probabilities: Aligned,
    pub(crate) mean: Aligned,
    pub(crate) width: Aligned,
    pub(crate) scratch: Vec<f64>,
    /// Whether the widths are those of this decision.
    pub(crate) wide: bool,
}

/// One choice and how likely it was: what has to be stored to learn from its reward later.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// The arm chosen.
    pub arm: usize,
    /// Its probability when it was chosen, in (0, 1].
    pub propensity: f64,
}

impl Odds {
    /// Empty buffers; the first decision sizes them.
    pub fn new() -> Self {
        Self::default()
    }

    /// Probability of each arm; arms that are not available have 0. They sum to 1.
    pub fn probabilities(&self) -> &[f64] {
        &self.probabilities
    }

    /// Predicted reward of each arm, where the policy predicts one; 0 for unavailable arms.
    pub fn means(&self) -> &[f64] {
        &self.mean
    }

    /// Uncertainty of each prediction in units of the noise, 0 for unavailable arms; empty under a
    /// rule that does not ask for it.
    pub fn widths(&self) -> &[f64] {
        if self.wide { &self.width } else { &[] }
    }

    /// The arms that could be chosen.
    pub const fn available(&self) -> &ArmSet {
        &self.available
    }

    /// The arm that the uniform number `u` in [0, 1) selects.
    #[inline(always)]
    pub fn pick(&self, u: f64) -> Decision {
        let (mut above, mut arm) = (0.0, 0);
        let probabilities = self.probabilities();
        for propensity in probabilities {
            above += propensity;
            arm += usize::from(above <= u);
        }
        match probabilities.get(arm) {
            Some(&propensity) => Decision { arm, propensity },
            None => self.last(),
        }
    }

    /// The last arm that can be chosen: rounding can leave the sum just below u.
    #[cold]
    fn last(&self) -> Decision {
        let arm = self.probabilities.iter().rposition(|p| *p > 0.0).unwrap_or(0);
        Decision { arm, propensity: self.probabilities().get(arm).copied().unwrap_or(0.0) }
    }

    /// Clears everything for a decision over `available` among `arms` arms.
    pub(crate) fn reset(&mut self, arms: usize, scratch: usize, available: ArmSet) {
        self.available = available;
        for buffer in [&mut self.probabilities, &mut self.mean, &mut self.width] {
            if buffer.len() != arms {
                *buffer = Aligned::zeros(arms);
            }
            buffer.fill(0.0);
        }
        self.wide = true;
        if self.scratch.len() < scratch {
            self.scratch.resize(scratch, 0.0);
        }
    }

    /// Makes an available arm certain.
    pub(crate) fn settle_on(&mut self, arm: usize) {
        self.probabilities.fill(0.0);
        self.probabilities[arm] = 1.0;
    }

    /// As [`Odds::reset`], for a caller who writes all entries of arms that are available: without
    /// gaps among them there is nothing else to clear.
    #[inline(always)]
    pub(crate) fn size(&mut self, arms: usize, scratch: usize, available: &ArmSet) {
        let fits = self.probabilities.len() == arms && self.scratch.len() >= scratch;
        if fits && available.prefix() == Some(arms) {
            self.available.clone_from(available);
        } else {
            self.reset(arms, scratch, *available);
        }
    }

    /// Narrows the arms that can be chosen.
    pub(crate) fn restrict(&mut self, available: ArmSet) {
        self.available = available;
    }

    /// All buffers: means, widths, probabilities, scratch.
    #[inline(always)]
    pub(crate) fn buffers(&mut self) -> (&mut [f64], &mut [f64], &mut [f64], &mut [f64]) {
        (&mut self.mean, &mut self.width, &mut self.probabilities, &mut self.scratch)
    }

    /// The parts a rule works on: available arms, means, widths, probabilities.
    #[inline(always)]
    pub(crate) fn parts(&mut self) -> (&ArmSet, &[f64], &[f64], &mut [f64]) {
        (&self.available, &self.mean, &self.width, &mut self.probabilities)
    }

    /// Mixes in a uniform choice with probability `floor`.
    #[inline(always)]
    pub(crate) fn apply_floor(&mut self, floor: f64) {
        if floor > 0.0 {
            let share = floor / self.available.len() as f64;
            for arm in &self.available {
                let p = &mut self.probabilities[arm];
                *p = share + (1.0 - floor) * *p;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_arms_are_never_picked() {
        let mut odds = Odds::new();
        odds.reset(4, 0, ArmSet::all(4));
        odds.probabilities.copy_from_slice(&[0.0, 0.5, 0.5, 0.0]);
        assert_eq!(odds.pick(0.0).arm, 1);
        assert_eq!(odds.pick(0.499).arm, 1);
        assert_eq!(odds.pick(0.5).arm, 2);
        // Rounding can leave the sum just below u: the last possible arm takes the rest.
        assert_eq!(odds.pick(1.0), Decision { arm: 2, propensity: 0.5 });
    }

    #[test]
    fn a_floor_reaches_available_arms_only() {
        let mut odds = Odds::new();
        odds.reset(3, 0, ArmSet::all(3).without(1));
        odds.probabilities[0] = 1.0;
        odds.apply_floor(0.5);
        assert_eq!(odds.probabilities(), [0.75, 0.0, 0.25]);
    }
}
