//! A guard around a policy: never far below what an incumbent arm would have earned.

use serde::{Deserialize, Serialize};

use crate::agent::Policy;
use crate::arms::ArmSet;
use crate::codec::{Reader, Writer};
use crate::error::{Corrupt, InvalidConfig, Refused};
use crate::model::{Example, Persist};
use crate::odds::{Decision, Odds};
use crate::rng::Draw;

/// Settings of a [`Conservative`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The arm that is used without learning.
    pub incumbent: usize,
    /// Reward per decision by which the policy may stay behind the incumbent, above 0 and at
    /// most 1, default 0.002.
    #[serde(default = "default_slack")]
    pub slack: f64,
}

const fn default_slack() -> f64 {
    0.002
}

/// Standard errors by which the lead over the incumbent is taken to be smaller than it looks.
const DOUBT: f64 = 2.0;
/// Largest standard deviation of a reward in [0, 1].
const SPREAD: f64 = 0.5;

impl Config {
    /// Guards `incumbent` with the default slack.
    pub const fn new(incumbent: usize) -> Self {
        Self { incumbent, slack: default_slack() }
    }
}

/// Conservative exploration after Kazerouni et al. (2017): another arm than the incumbent may be
/// chosen only if, even should it earn nothing, the lead over the incumbent so far, taken with
/// doubt, keeps the loss within the slack of all decisions. The lead counts what deviations
/// earned against what the policy predicts the incumbent would have earned there.
///
/// A deviation whose reward never comes stays counted as lost.
#[derive(Clone, Debug)]
pub struct Conservative<P> {
    config: Config,
    policy: P,
    decided: u64,
    /// Deviations without a reward yet.
    open: u64,
    /// Deviations with one, and their lead over the incumbent.
    closed: u64,
    lead: f64,
    odds: Odds,
}

impl<P: Policy> Conservative<P> {
    /// Guards `policy`.
    ///
    /// # Errors
    ///
    /// The first setting outside its range.
    pub fn new(policy: P, config: Config) -> Result<Self, InvalidConfig> {
        if config.incumbent >= policy.arms() {
            return Err(InvalidConfig::new("incumbent", "must be an arm of the policy"));
        }
        if !(config.slack > 0.0 && config.slack <= 1.0) {
            return Err(InvalidConfig::new("slack", "must be above 0 and at most 1"));
        }
        Ok(Self { config, policy, decided: 0, open: 0, closed: 0, lead: 0.0, odds: Odds::new() })
    }

    /// What is guarded.
    pub const fn policy(&self) -> &P {
        &self.policy
    }

    /// Decisions for another arm than the incumbent.
    pub const fn deviations(&self) -> u64 {
        self.open + self.closed
    }

    /// Whether the next decision may be for another arm than the incumbent.
    pub fn may_deviate(&self) -> bool {
        let at_risk = (self.open + 1) as f64;
        let doubt = DOUBT * SPREAD * (self.closed as f64).sqrt();
        self.lead - doubt - at_risk + self.config.slack * (self.decided + 1) as f64 >= 0.0
    }

    /// Chooses an arm; the odds are those of the guarded choice. Without the incumbent among
    /// `available` the policy chooses unguarded.
    ///
    /// # Errors
    ///
    /// As [`Policy::odds`].
    pub fn decide(
        &mut self,
        x: &[f64],
        available: &ArmSet,
        draw: Draw,
        odds: &mut Odds,
    ) -> Result<Decision, Refused> {
        self.policy.odds(x, available, odds)?;
        let incumbent = self.config.incumbent;
        let guarded = available.contains(incumbent);
        if guarded && !self.may_deviate() {
            odds.settle_on(incumbent);
        }
        let decision = odds.pick(draw.uniform());
        self.decided += 1;
        self.open += u64::from(guarded && decision.arm != incumbent);
        Ok(decision)
    }

    /// Learns from one outcome.
    ///
    /// # Errors
    ///
    /// As [`Policy::update`]; nothing changed then.
    pub fn update(&mut self, example: &Example<'_>) -> Result<(), Refused> {
        if example.arm != self.config.incumbent && self.open > 0 {
            let only = ArmSet::EMPTY.with(self.config.incumbent);
            self.policy.odds(example.x, &only, &mut self.odds)?;
            let expected = self.odds.means()[self.config.incumbent].clamp(0.0, 1.0);
            self.policy.update(example)?;
            self.open -= 1;
            self.closed += 1;
            self.lead += example.reward - expected;
            return Ok(());
        }
        self.policy.update(example)
    }
}

impl<P: Policy + Persist> Persist for Conservative<P> {
    const KIND: u16 = 0x0400 | P::KIND;
    const VERSION: u16 = P::VERSION;

    fn write(&self, out: &mut Writer) {
        out.usize(self.config.incumbent);
        out.f64(self.config.slack);
        [self.decided, self.open, self.closed].iter().for_each(|&n| out.u64(n));
        out.f64(self.lead);
        self.policy.write(out);
    }

    fn read(from: &mut Reader<'_>, version: u16) -> Result<Self, Corrupt> {
        let config = Config { incumbent: from.count()?, slack: from.finite()? };
        let (decided, open, closed) = (from.u64()?, from.u64()?, from.u64()?);
        let lead = from.finite()?;
        let guard = Self::new(P::read(from, version)?, config).map_err(|_| Corrupt::Value)?;
        Ok(Self { decided, open, closed, lead, ..guard })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{from_bytes, to_bytes};
    use crate::linear::{self, Ridge};
    use crate::rng::uniform;
    use crate::{Agent, linucb};

    type Guard = Conservative<Agent<Ridge>>;

    fn guard(slack: f64) -> Guard {
        let policy = linucb(linear::Config::new(2, 1), 1.0).unwrap();
        Conservative::new(policy, Config { incumbent: 0, slack }).unwrap()
    }

    /// Plays arms with constant means; returns the least lead per round over the incumbent at
    /// any prefix of 500 or more, and the share of the other arm at the end.
    fn play(guard: &mut Guard, seed: u64, means: [f64; 2], rounds: u64) -> (f64, f64) {
        let (mut odds, mut lead, mut worst, mut others) = (Odds::new(), 0.0, f64::INFINITY, 0);
        for t in 0..rounds {
            let draw = Draw { seed, counter: t };
            let chosen = guard.decide(&[0.0], &ArmSet::all(2), draw, &mut odds).unwrap();
            lead += means[chosen.arm] - means[0];
            let won = uniform(seed, 1 + chosen.arm as u64, t) < means[chosen.arm];
            let reward = if won { 1.0 } else { 0.0 };
            guard.update(&Example::new(&[0.0], chosen.arm, reward, chosen.propensity)).unwrap();
            if t + 1 >= 500 {
                worst = worst.min(lead / (t + 1) as f64);
            }
            others += u64::from(t + 200 >= rounds && chosen.arm != 0);
        }
        (worst, others as f64 / 200.0)
    }

    #[test]
    fn a_worse_arm_hardly_ever_costs_more_than_the_slack() {
        // The lead is an estimate, so the bound holds with the confidence of its doubt.
        let beyond = (0..20)
            .filter(|seed| play(&mut guard(0.005), *seed, [0.7, 0.4], 2_000).0 < -0.005)
            .count();
        assert!(beyond <= 1, "{beyond}");
    }

    #[test]
    fn a_better_arm_takes_over_once_it_has_paid_for_itself() {
        let mut late = 0;
        for seed in 0..10 {
            let (worst, share) = play(&mut guard(0.02), seed, [0.4, 0.8], 4_000);
            assert!(worst >= -0.02);
            late += u64::from(share < 0.95);
        }
        assert!(late <= 1, "{late}");
    }

    #[test]
    fn nothing_is_risked_before_there_is_slack_for_it() {
        let mut guard = guard(0.01);
        assert!(!guard.may_deviate());
        play(&mut guard, 1, [0.7, 0.4], 98);
        assert_eq!(guard.deviations(), 0);
    }

    #[test]
    fn a_stored_guard_goes_on_bit_for_bit() {
        let mut guard = guard(0.02);
        play(&mut guard, 1, [0.5, 0.6], 300);
        let mut copy: Guard = from_bytes(&to_bytes(&guard)).unwrap();
        play(&mut guard, 2, [0.5, 0.6], 300);
        play(&mut copy, 2, [0.5, 0.6], 300);
        assert!(to_bytes(&guard) == to_bytes(&copy));
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let policy = || linucb(linear::Config::new(2, 1), 1.0).unwrap();
        for (config, key) in [
            (Config { incumbent: 2, slack: 0.1 }, "incumbent"),
            (Config { incumbent: 0, slack: 0.0 }, "slack"),
        ] {
            let refused = Conservative::new(policy(), config).map(|_| ()).map_err(|e| e.key);
            assert_eq!(refused, Err(key));
        }
    }
}
