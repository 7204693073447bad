//! What an arm was before it fell, and how likely it is that again.
//!
//! A provider that degrades mostly recovers, but an arm that looks bad is not pulled, so nobody
//! would notice. Two states and a hazard: with every example an arm that fell may have come back
//! with a small probability, and its own rewards tell the two states apart by Bayes' rule. Until
//! that is settled the arm is predicted by the mixture of both, with a width to match, so it is
//! tried again now and then, where it would be worth most. When it is back, what was known about
//! it is put back.

use super::family::Family;
use crate::codec::{Reader, Writer};
use crate::error::Corrupt;
use crate::linear::Arm;

/// Probability that an arm comes back, per example of any arm.
const HAZARD: f64 = 0.0005;
/// Probability from which an arm is taken to be back.
const BACK: f64 = 0.9;

/// One arm before its fall.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Recall {
    /// Which family's features the coefficients are for.
    pub(super) family: usize,
    pub(super) coefficients: Vec<f64>,
    /// By family, what its regressions knew.
    pub(super) known: Vec<Vec<Arm>>,
    back: f64,
}

impl Recall {
    pub(super) const fn new(family: usize, coefficients: Vec<f64>, known: Vec<Vec<Arm>>) -> Self {
        Self { family, coefficients, known, back: 0.0 }
    }

    /// Probability that the arm is again what it was.
    pub(super) const fn back(&self) -> f64 {
        self.back
    }

    /// One more example went by.
    pub(super) fn wait(&mut self) {
        self.back += HAZARD * (1.0 - self.back);
    }

    /// Weighs a reward of the arm: how likely it was if the arm is what it `was`, and what it is
    /// `now` taken to be, with normal noise of standard deviation `noise`. `true` when it is back.
    pub(super) fn weigh(
        &mut self,
        reward: f64,
        weight: f64,
        was: f64,
        now: f64,
        noise: f64,
    ) -> bool {
        let miss = |mean: f64| (reward - mean) * (reward - mean) / (2.0 * noise * noise);
        let odds = self.back / (1.0 - self.back) * libm::exp(weight * (miss(now) - miss(was)));
        // In this form it is a probability whatever the odds come to.
        self.back = 1.0 / (1.0 + 1.0 / odds);
        self.back >= BACK
    }

    /// Mixes what the arm was into its mean and width.
    pub(super) fn mix(&self, was: f64, mean: &mut f64, width: &mut f64) {
        let gap = (was - *mean).max(0.0);
        *mean += self.back * gap;
        *width = (*width * *width + self.back * (1.0 - self.back) * gap * gap).sqrt();
    }

    pub(super) fn write(&self, out: &mut Writer) {
        out.usize(self.family);
        out.f64s(&self.coefficients);
        self.known.iter().flatten().for_each(|arm| arm.write(out));
        out.f64(self.back);
    }

    pub(super) fn read(from: &mut Reader<'_>, families: &[Family]) -> Result<Self, Corrupt> {
        let family = from.below(families.len())?;
        let mut coefficients = vec![0.0; families[family].used()];
        from.f64s(&mut coefficients)?;
        let known =
            families.iter().map(|family| family.read_known(from)).collect::<Result<_, _>>()?;
        let back = from.finite()?;
        if !(0.0..1.0).contains(&back) {
            return Err(Corrupt::Value);
        }
        Ok(Self { family, coefficients, known, back })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fallen() -> Recall {
        Recall::new(0, Vec::new(), Vec::new())
    }

    #[test]
    fn an_arm_that_fell_is_tried_again_only_after_a_while() {
        let mut recall = fallen();
        let (mut mean, mut width) = (0.3, 0.1);
        recall.mix(0.8, &mut mean, &mut width);
        assert_eq!((mean, width), (0.3, 0.1));
        (0..500).for_each(|_| recall.wait());
        recall.mix(0.8, &mut mean, &mut width);
        assert!((0.35..0.45).contains(&mean) && width > 0.2, "{mean} {width}");
    }

    #[test]
    fn its_own_rewards_tell_whether_it_is_back() {
        let (mut down, mut up) = (fallen(), fallen());
        (0..500).for_each(|_| (down.wait(), up.wait()).0);
        let waited = down.back();
        assert!(!down.weigh(0.0, 1.0, 0.8, 0.3, 0.45) && down.back() < waited / 2.0);
        assert!((0..20).any(|_| up.weigh(1.0, 1.0, 0.8, 0.3, 0.45)));
        // Doubtful rewards count less.
        let (mut sure, mut doubtful) = (fallen(), fallen());
        (0..500).for_each(|_| (sure.wait(), doubtful.wait()).0);
        sure.weigh(1.0, 1.0, 0.8, 0.3, 0.45);
        doubtful.weigh(1.0, 0.2, 0.8, 0.3, 0.45);
        assert!(sure.back() > doubtful.back() && doubtful.back() > waited);
    }

    #[test]
    fn an_arm_that_is_better_than_it_was_is_left_alone() {
        let mut recall = fallen();
        (0..500).for_each(|_| recall.wait());
        let (mut mean, mut width) = (0.9, 0.1);
        recall.mix(0.5, &mut mean, &mut width);
        assert_eq!((mean, width), (0.9, 0.1));
    }
}
