//! Context-free arms: UCB1 and Beta Thompson sampling.

use crate::agent::{Agent, Policy};
use crate::arms::{ArmSet, MAX_ARMS};
use crate::codec::{Reader, Writer};
use crate::error::{CannotMerge, Corrupt, InvalidConfig, Refused};
use crate::model::{Example, MAX_DIM, Model, Persist, Scores, validate_context};
use crate::odds::Odds;
use crate::rule::{Law, Rule, race};
use crate::special::{beta_cdf, beta_ln_density};

/// Number and sum of the rewards of each arm; contexts are accepted and ignored.
#[derive(Clone, Debug, PartialEq)]
pub struct Counts {
    dim: usize,
    arms: Vec<Tally>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Tally {
    pulls: u64,
    mass: f64,
    sum: f64,
}

impl Counts {
    /// No rewards yet for `arms` arms; contexts of `dim` features will be ignored.
    ///
    /// # Errors
    ///
    /// When a number is out of range.
    pub fn new(arms: usize, dim: usize) -> Result<Self, InvalidConfig> {
        if !(1..=MAX_ARMS).contains(&arms) {
            return Err(InvalidConfig::new("arms", "must be 1 to 256"));
        }
        if dim > MAX_DIM {
            return Err(InvalidConfig::new("dim", "must be at most 4096"));
        }
        Ok(Self { dim, arms: vec![Tally::default(); arms] })
    }

    /// Mean reward of `arm`, `None` before the first.
    pub fn mean(&self, arm: usize) -> Option<f64> {
        let tally = self.arms[arm];
        (tally.mass > 0.0).then(|| tally.sum / tally.mass)
    }

    /// Adds what `other` counted.
    ///
    /// # Errors
    ///
    /// [`CannotMerge::Different`] when the shapes differ.
    pub fn merge(&mut self, other: &Self) -> Result<(), CannotMerge> {
        if self.dim != other.dim || self.arms.len() != other.arms.len() {
            return Err(CannotMerge::Different);
        }
        for (own, other) in self.arms.iter_mut().zip(&other.arms) {
            own.pulls += other.pulls;
            own.mass += other.mass;
            own.sum += other.sum;
        }
        Ok(())
    }
}

impl Model for Counts {
    fn arms(&self) -> usize {
        self.arms.len()
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn scratch(&self) -> usize {
        0
    }

    fn seen(&self) -> u64 {
        self.arms.iter().map(|tally| tally.pulls).sum()
    }

    fn pulls(&self, arm: usize) -> u64 {
        self.arms[arm].pulls
    }

    fn predict(&self, _x: &[f64], available: &ArmSet, out: Scores<'_>, _scratch: &mut [f64]) {
        for arm in available {
            let tally = self.arms[arm];
            out.mean[arm] = if tally.mass > 0.0 { tally.sum / tally.mass } else { 0.0 };
            // Infinite before the first pull: nothing is known.
            out.width[arm] = 1.0 / tally.mass.sqrt();
        }
    }

    fn learn(&mut self, example: &Example<'_>) {
        let tally = &mut self.arms[example.arm];
        tally.pulls += 1;
        tally.mass += example.weight;
        tally.sum += example.weight * example.reward;
    }
}

impl Persist for Counts {
    const KIND: u16 = 5;
    const VERSION: u16 = 1;

    fn write(&self, out: &mut Writer) {
        out.usize(self.dim);
        out.usize(self.arms.len());
        for tally in &self.arms {
            out.u64(tally.pulls);
            out.f64(tally.mass);
            out.f64(tally.sum);
        }
    }

    fn read(from: &mut Reader<'_>, _version: u16) -> Result<Self, Corrupt> {
        let (dim, arms) = (from.below(MAX_DIM + 1)?, from.below(MAX_ARMS + 1)?);
        let mut counts = Self::new(arms, dim).map_err(|_| Corrupt::Value)?;
        for tally in &mut counts.arms {
            *tally = Tally { pulls: from.u64()?, mass: from.finite()?, sum: from.finite()? };
        }
        Ok(counts)
    }
}

/// UCB1 (Auer, Cesa-Bianchi, Fischer 2002): every arm once, then the largest
/// mean + sqrt(2·ln t / pulls).
///
/// # Errors
///
/// When a number is out of range.
pub fn ucb1(arms: usize, dim: usize) -> Result<Agent<Counts>, InvalidConfig> {
    Agent::new(Counts::new(arms, dim)?, Rule::Ucb1)
}

/// Thompson sampling with a Beta(1, 1) prior on each arm: each arm is chosen with the probability
/// that it is the best, computed by quadrature. A reward of 0.3 counts as 0.3 of a success and
/// 0.7 of a failure.
#[derive(Clone, Debug, PartialEq)]
pub struct BetaThompson {
    counts: Counts,
}

impl BetaThompson {
    /// Nothing known about `arms` arms; contexts of `dim` features will be ignored.
    ///
    /// # Errors
    ///
    /// When a number is out of range.
    pub fn new(arms: usize, dim: usize) -> Result<Self, InvalidConfig> {
        Ok(Self { counts: Counts::new(arms, dim)? })
    }

    /// What was counted.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }
}

struct Betas<'a>(&'a [Tally]);

impl Betas<'_> {
    fn shape(&self, arm: usize) -> (f64, f64) {
        let tally = self.0[arm];
        (1.0 + tally.sum, 1.0 + tally.mass - tally.sum)
    }
}

impl Law for Betas<'_> {
    fn moments(&self, arm: usize) -> (f64, f64) {
        let (a, b) = self.shape(arm);
        let n = a + b;
        (a / n, (a * b / (n * n * (n + 1.0))).sqrt())
    }

    fn at(&self, arm: usize, z: f64) -> (f64, f64) {
        let (a, b) = self.shape(arm);
        (libm::exp(beta_ln_density(a, b, z)), beta_cdf(a, b, z))
    }

    fn support(&self, arm: usize) -> (f64, f64) {
        // Tails are heavier than a normal's while there are few pulls.
        let (centre, sd) = self.moments(arm);
        ((centre - 12.0 * sd).max(0.0), (centre + 12.0 * sd).min(1.0))
    }
}

impl Policy for BetaThompson {
    fn arms(&self) -> usize {
        self.counts.arms()
    }

    fn dim(&self) -> usize {
        self.counts.dim()
    }

    fn odds(&self, x: &[f64], available: &ArmSet, odds: &mut Odds) -> Result<(), Refused> {
        validate_context(x, self.counts.dim)?;
        let available = available.and(&ArmSet::all(self.counts.arms()));
        if available.is_empty() {
            return Err(Refused::NoArm);
        }
        odds.reset(self.counts.arms(), 0, available);
        let betas = Betas(&self.counts.arms);
        for arm in &available {
            (odds.mean[arm], odds.width[arm]) = betas.moments(arm);
        }
        let (available, _, _, out) = odds.parts();
        race(available, &betas, out);
        Ok(())
    }

    fn update(&mut self, example: &Example<'_>) -> Result<(), Refused> {
        example.validate(self.counts.arms(), self.counts.dim)?;
        self.counts.learn(example);
        Ok(())
    }

    fn seen(&self) -> u64 {
        self.counts.seen()
    }
}

impl Persist for BetaThompson {
    const KIND: u16 = 6;
    const VERSION: u16 = 1;

    fn write(&self, out: &mut Writer) {
        self.counts.write(out);
    }

    fn read(from: &mut Reader<'_>, version: u16) -> Result<Self, Corrupt> {
        Ok(Self { counts: Counts::read(from, version)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Draw, uniform};

    fn teach(policy: &mut impl Policy, arm: usize, rewards: &[f64]) {
        for &reward in rewards {
            policy.update(&Example::new(&[], arm, reward, 0.5)).unwrap();
        }
    }

    fn odds(policy: &impl Policy) -> Vec<f64> {
        let mut odds = Odds::new();
        policy.odds(&[], &ArmSet::all(policy.arms()), &mut odds).unwrap();
        odds.probabilities().to_vec()
    }

    #[test]
    fn beta_odds_follow_the_closed_form() {
        // P(Beta(3, 1) > Beta(1, 2)): 1 − ∫ 3x²·(1 − x)² dx = 1 − 3·B(3, 3) = 0.9.
        let mut policy = BetaThompson::new(2, 0).unwrap();
        teach(&mut policy, 0, &[1.0, 1.0]);
        teach(&mut policy, 1, &[0.0]);
        let found = odds(&policy);
        assert!((found[0] - 0.9).abs() < 1e-6, "{found:?}");
        assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn narrow_and_wide_beliefs_race_fairly() {
        let mut policy = BetaThompson::new(3, 0).unwrap();
        for _ in 0..20_000 {
            teach(&mut policy, 0, &[0.5]);
        }
        // Arm 0 is surely at 0.5; the others are uniform: each beats it and the other half the time.
        let found = odds(&policy);
        assert!((found[0] - 0.25).abs() < 1e-4 && (found[1] - 0.375).abs() < 1e-4, "{found:?}");
    }

    #[test]
    fn both_find_the_best_arm() {
        const P: [f64; 3] = [0.4, 0.6, 0.5];
        fn play(policy: &mut impl Policy) -> u64 {
            let (mut odds, mut best) = (Odds::new(), 0);
            for counter in 0..2_000 {
                let draw = Draw { seed: 1, counter };
                let arm = policy.decide(&[], &ArmSet::all(3), draw, &mut odds).unwrap().arm;
                best += u64::from(arm == 1);
                let reward = if uniform(2, arm as u64, counter) < P[arm] { 1.0 } else { 0.0 };
                policy.update(&Example::new(&[], arm, reward, 1.0)).unwrap();
            }
            best
        }
        assert!(play(&mut ucb1(3, 0).unwrap()) > 900);
        assert!(play(&mut BetaThompson::new(3, 0).unwrap()) > 1300);
    }

    #[test]
    fn ucb1_tries_every_arm_first() {
        let mut policy = ucb1(3, 0).unwrap();
        teach(&mut policy, 1, &[1.0]);
        assert_eq!(odds(&policy), [0.5, 0.0, 0.5]);
    }

    #[test]
    fn counts_add_up() {
        let (mut a, mut b) = (ucb1(2, 0).unwrap(), ucb1(2, 0).unwrap());
        teach(&mut a, 0, &[1.0, 0.0]);
        teach(&mut b, 0, &[1.0]);
        let (mut a, b) = (a.into_model(), b.into_model());
        a.merge(&b).unwrap();
        assert_eq!((a.mean(0), a.mean(1), a.seen()), (Some(2.0 / 3.0), None, 3));
        assert!(a.merge(&Counts::new(3, 0).unwrap()).is_err());
    }
}
