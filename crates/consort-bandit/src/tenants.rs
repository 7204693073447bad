//! Many tenants that resemble each other: each learns from all, and most from itself.

use serde::{Deserialize, Serialize};

use crate::agent::Exploration;
use crate::arms::{ArmSet, MAX_ARMS};
use crate::blocks::Blocks;
use crate::codec::{Reader, Writer};
use crate::error::{Corrupt, InvalidConfig, Refused};
use crate::model::{Example, MAX_DIM, Persist, validate_context};
use crate::odds::{Decision, Odds};
use crate::rng::Draw;
use crate::rule::{Belief, Rule, Ties};

/// Priors tried side by side: regularisation of what tenants share and of what is their own.
const PRIORS: [(f64, f64); 6] =
    [(1.0, 1.0), (1.0, 10.0), (10.0, 10.0), (10.0, 50.0), (30.0, 100.0), (30.0, 1e4)];
/// Level rewards are measured from.
const LEVEL: f64 = 0.5;
const NOISE_KEEP: f64 = 0.999;
const NOISE_LEAST: f64 = 0.01;
const SHARE: f64 = 1e-4;
/// Optimism in units of the reward noise.
const ALPHA: f64 = 0.75;

/// Shape of a [`Tenants`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantsConfig {
    /// Number of tenants, at least 1; space is taken for those that learn.
    pub tenants: usize,
    /// Number of arms, 1 to [`MAX_ARMS`].
    pub arms: usize,
    /// Number of features of a context.
    pub dim: usize,
}

/// Hierarchical Bayesian regression (Hong et al. 2022): coefficients of tenant m are those all
/// tenants share plus a deviation of its own, both with Gaussian priors, solved exactly. How far
/// tenants deviate is learned by weighing several priors by their predictions. Optimistic in
/// units of the measured noise.
#[derive(Clone, Debug)]
pub struct Tenants {
    config: TenantsConfig,
    exploration: Exploration,
    /// Per prior, per arm.
    members: Vec<Vec<Blocks>>,
    log_weights: Vec<f64>,
    noise: (f64, f64),
    seen: Vec<u64>,
    x: Vec<f64>,
    scratch: Vec<f64>,
}

impl Tenants {
    /// Nothing known about anyone.
    ///
    /// # Errors
    ///
    /// The first setting outside its range.
    pub fn new(config: TenantsConfig) -> Result<Self, InvalidConfig> {
        let check = |ok, key, rule| if ok { Ok(()) } else { Err(InvalidConfig::new(key, rule)) };
        check(config.tenants > 0, "tenants", "must be at least 1")?;
        check((1..=MAX_ARMS).contains(&config.arms), "arms", "must be 1 to 256")?;
        check((1..=MAX_DIM).contains(&config.dim), "dim", "must be 1 to 4096")?;
        let n = config.dim + 1;
        let member =
            |&prior: &(f64, f64)| vec![Blocks::new(n, n, config.tenants, prior); config.arms];
        Ok(Self {
            config,
            exploration: Exploration::from(Rule::LinUcb { alpha: ALPHA }),
            members: PRIORS.iter().map(member).collect(),
            log_weights: vec![0.0; PRIORS.len()],
            noise: (0.2, 1.0),
            seen: vec![0; config.tenants],
            x: vec![0.0; n],
            scratch: vec![0.0; 3 * n],
        })
    }

    /// The same knowledge under another exploration.
    ///
    /// # Errors
    ///
    /// The first exploration setting outside its range.
    pub fn switch(mut self, exploration: impl Into<Exploration>) -> Result<Self, InvalidConfig> {
        self.exploration = exploration.into().validate()?;
        Ok(self)
    }

    /// Shape.
    pub const fn config(&self) -> TenantsConfig {
        self.config
    }

    /// Examples learned from `tenant`.
    pub fn seen(&self, tenant: usize) -> u64 {
        self.seen[tenant]
    }

    /// Priors (regularisation of the shared part, of the own part) and their weights.
    pub fn weights(&self) -> Vec<((f64, f64), f64)> {
        let total: f64 = self.log_weights.iter().map(|w| libm::exp(*w)).sum();
        PRIORS.iter().zip(&self.log_weights).map(|(&p, w)| (p, libm::exp(*w) / total)).collect()
    }

    /// Writes the probabilities of all arms for `tenant` in context `x` among `available`.
    ///
    /// # Errors
    ///
    /// [`Refused`] when tenant or context is not usable or no arm is available.
    pub fn odds(
        &self,
        tenant: usize,
        x: &[f64],
        available: &ArmSet,
        odds: &mut Odds,
    ) -> Result<(), Refused> {
        self.validate_tenant(tenant)?;
        validate_context(x, self.config.dim)?;
        let available = available.and(&ArmSet::all(self.config.arms));
        if available.is_empty() {
            return Err(Refused::NoArm);
        }
        let n = self.config.dim + 1;
        odds.reset(self.config.arms, 4 * n, available);
        let (context, scratch) = odds.scratch.split_at_mut(n);
        context[..x.len()].copy_from_slice(x);
        context[x.len()] = 1.0;
        let noise = (self.noise.0 / self.noise.1).max(NOISE_LEAST).sqrt();
        for (member, (_, weight)) in self.members.iter().zip(self.weights()) {
            if weight < 1e-6 {
                continue;
            }
            for arm in &available {
                let (mean, square) = member[arm].predict(tenant, context, context, scratch);
                odds.mean[arm] += weight * (LEVEL + mean);
                odds.width[arm] += weight * noise * square.max(0.0).sqrt();
            }
        }
        let Exploration { rule, floor, ties } = self.exploration;
        let seen = self.seen.iter().sum();
        let (available, mean, width, out) = odds.parts();
        rule.probabilities(pulp::Scalar, Belief { available, mean, width }, seen, ties, out);
        odds.apply_floor(floor);
        Ok(())
    }

    /// Chooses an arm for `tenant`.
    ///
    /// # Errors
    ///
    /// As [`Tenants::odds`].
    pub fn decide(
        &self,
        tenant: usize,
        x: &[f64],
        available: &ArmSet,
        draw: Draw,
        odds: &mut Odds,
    ) -> Result<Decision, Refused> {
        self.odds(tenant, x, available, odds)?;
        Ok(odds.pick(draw.uniform()))
    }

    /// Learns from an outcome of `tenant`. On error nothing changed.
    ///
    /// # Errors
    ///
    /// [`Refused`] with the first value out of range.
    pub fn update(&mut self, tenant: usize, example: &Example<'_>) -> Result<(), Refused> {
        self.validate_tenant(tenant)?;
        example.validate(self.config.arms, self.config.dim)?;
        let Example { arm, reward, weight, .. } = *example;
        self.x[..example.x.len()].copy_from_slice(example.x);
        self.x[example.x.len()] = 1.0;
        let reward = reward - LEVEL;
        let weights = self.weights();
        let mut average = 0.0;
        let mut errors = [0.0; PRIORS.len()];
        for ((member, (_, share)), error) in self.members.iter().zip(weights).zip(&mut errors) {
            let (mean, _) = member[arm].predict(tenant, &self.x, &self.x, &mut self.scratch);
            average += share * mean;
            *error = (reward - mean) * (reward - mean);
        }
        self.noise.0 = NOISE_KEEP * self.noise.0 + weight * (reward - average) * (reward - average);
        self.noise.1 = NOISE_KEEP * self.noise.1 + weight;
        let noise = (self.noise.0 / self.noise.1).max(NOISE_LEAST);
        for (log_weight, error) in self.log_weights.iter_mut().zip(errors) {
            *log_weight -= weight * error / (2.0 * noise);
        }
        let top = self.log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for log_weight in &mut self.log_weights {
            *log_weight = libm::log(libm::exp(*log_weight - top) + SHARE / PRIORS.len() as f64);
        }
        for member in &mut self.members {
            member[arm].learn(tenant, &self.x, &self.x, reward, weight);
        }
        self.seen[tenant] += 1;
        Ok(())
    }

    fn validate_tenant(&self, tenant: usize) -> Result<(), Refused> {
        let tenants = self.config.tenants;
        if tenant < tenants { Ok(()) } else { Err(Refused::UnknownTenant { tenant, tenants }) }
    }
}

impl Persist for Tenants {
    const KIND: u16 = 8;
    const VERSION: u16 = 1;

    fn write(&self, out: &mut Writer) {
        out.usize(self.config.tenants);
        out.usize(self.config.arms);
        out.usize(self.config.dim);
        out.rule(self.exploration.rule);
        out.f64(self.exploration.floor);
        out.u8(u8::from(self.exploration.ties == Ties::Lowest));
        out.f64s(&self.log_weights);
        out.f64(self.noise.0);
        out.f64(self.noise.1);
        self.seen.iter().for_each(|&seen| out.u64(seen));
        self.members.iter().flatten().for_each(|blocks| blocks.write(out));
    }

    fn read(from: &mut Reader<'_>, _version: u16) -> Result<Self, Corrupt> {
        let config = TenantsConfig {
            tenants: from.count()?,
            arms: from.below(MAX_ARMS + 1)?,
            dim: from.below(MAX_DIM + 1)?,
        };
        let (rule, floor) = (from.rule()?, from.finite()?);
        let ties = if from.u8()? == 1 { Ties::Lowest } else { Ties::Uniform };
        let tenants = Self::new(config).and_then(|t| t.switch(Exploration { rule, floor, ties }));
        let mut tenants = tenants.map_err(|_| Corrupt::Value)?;
        from.f64s(&mut tenants.log_weights)?;
        tenants.noise = (from.finite()?, from.finite()?);
        for seen in &mut tenants.seen {
            *seen = from.u64()?;
        }
        for member in &mut tenants.members {
            for blocks in member {
                *blocks = blocks.clone().read(from)?;
            }
        }
        Ok(tenants)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{from_bytes, to_bytes};
    use crate::rng::{normal, uniform};

    const TENANTS: usize = 8;

    /// Arm 1 is better where x + own·z is positive, and tenant 0 is the opposite of the others.
    fn mean(tenant: usize, x: &[f64], arm: usize) -> f64 {
        let slope = if tenant == 0 { -0.3 } else { 0.3 };
        (0.5 + if arm == 1 { slope * x[0] } else { 0.0 }).clamp(0.0, 1.0)
    }

    fn play(
        policy: &mut Tenants,
        rounds: std::ops::Range<u64>,
        tenant: impl Fn(u64) -> usize,
    ) -> f64 {
        let (mut odds, mut sum, n) = (Odds::new(), 0.0, (rounds.end - rounds.start) as f64);
        for t in rounds {
            let (tenant, x) = (tenant(t), [normal(1, 0, t)]);
            let draw = Draw { seed: 1, counter: t };
            let chosen = policy.decide(tenant, &x, &ArmSet::all(2), draw, &mut odds).unwrap();
            let m = mean(tenant, &x, chosen.arm);
            sum += m;
            let reward = if uniform(2, chosen.arm as u64, t) < m { 1.0 } else { 0.0 };
            policy
                .update(tenant, &Example::new(&x, chosen.arm, reward, chosen.propensity))
                .unwrap();
        }
        sum / n
    }

    fn fresh() -> Tenants {
        Tenants::new(TenantsConfig { tenants: TENANTS, arms: 2, dim: 1 }).unwrap()
    }

    #[test]
    fn a_new_tenant_starts_with_what_the_others_taught() {
        let mut policy = fresh();
        play(&mut policy, 0..800, |t| 1 + (t % 6) as usize);
        assert_eq!(policy.seen(7), 0);
        let mut odds = Odds::new();
        policy.odds(7, &[1.5], &ArmSet::all(2), &mut odds).unwrap();
        assert!(odds.means()[1] > odds.means()[0] + 0.2, "{:?}", odds.means());
    }

    #[test]
    fn a_tenant_that_differs_is_learned_on_its_own() {
        let mut policy = fresh();
        play(&mut policy, 0..2000, |t| (t % 8) as usize);
        let mut odds = Odds::new();
        policy.odds(0, &[1.5], &ArmSet::all(2), &mut odds).unwrap();
        assert!(odds.means()[1] < odds.means()[0] - 0.1, "{:?}", odds.means());
        policy.odds(1, &[1.5], &ArmSet::all(2), &mut odds).unwrap();
        assert!(odds.means()[1] > odds.means()[0] + 0.2, "{:?}", odds.means());
    }

    #[test]
    fn stored_tenants_go_on_bit_for_bit() {
        let mut policy = fresh();
        play(&mut policy, 0..100, |t| (t % 3) as usize);
        let mut copy: Tenants = from_bytes(&to_bytes(&policy)).unwrap();
        play(&mut policy, 100..150, |t| (t % 4) as usize);
        play(&mut copy, 100..150, |t| (t % 4) as usize);
        assert!(to_bytes(&policy) == to_bytes(&copy));
    }

    #[test]
    fn unknown_tenants_are_refused() {
        let mut policy = fresh();
        let refused = Refused::UnknownTenant { tenant: 8, tenants: 8 };
        assert_eq!(policy.odds(8, &[0.0], &ArmSet::all(2), &mut Odds::new()), Err(refused));
        assert_eq!(policy.update(8, &Example::new(&[0.0], 0, 1.0, 1.0)), Err(refused));
    }
}
