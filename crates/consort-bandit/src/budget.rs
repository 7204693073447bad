//! Choosing under budgets: the best predicted reward net of what it uses up, at prices that make
//! every budget last to its horizon.
//!
//! The linear programme behind contextual bandits with knapsacks (Agrawal and Devanur 2016) has
//! one price per resource. Here prices are solved anew every few decisions on the predictions of
//! the last ones, for what is left per round that is left. Before a decision its largest possible
//! use is reserved, so a budget is never exceeded as long as the declared bounds hold.
//!
//! ```
//! use consort_bandit::{ArmSet, Example, Odds, automatic, auto, rng::Draw};
//! use consort_bandit::budget::{Budgeted, Config, Resource};
//!
//! // Arm 1 is dearer; 100 rounds, and on average 0.5 may be spent on each.
//! let money = Resource { budget: 50.0, most: vec![0.2, 1.0] };
//! let model = automatic(auto::Config::new(2, 1))?.into_model();
//! let mut policy = Budgeted::new(model, Config::new(100, vec![money]))?;
//! let chosen = policy.decide(&[0.3], &ArmSet::all(2), Draw { seed: 1, counter: 0 }, &mut Odds::new())?;
//! let arm = chosen.expect("there is money left").arm;
//! policy.settle(&[0.3], arm, &[0.15])?;
//! policy.learn(&Example::new(&[0.3], arm, 1.0, 1.0))?;
//! assert_eq!(policy.spent(), [0.15]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod prices;
mod state;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::arms::ArmSet;
use crate::error::{InvalidConfig, Refused};
use crate::linear::{self, Ridge};
use crate::model::{Example, Model, Scores, validate_context};
use crate::odds::{Decision, Odds};
use crate::rng::Draw;
use crate::rule::{Belief, Rule, Ties};
use prices::Recent;

/// Decisions between two solutions for the prices.
const SOLVE_EVERY: u64 = 32;
/// Decisions whose predictions stand for those to come.
const WINDOW: usize = 256;
/// Most resources.
const MOST_RESOURCES: usize = 8;

/// Something that decisions use up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// What may be used until the horizon, above 0.
    pub budget: f64,
    /// The most that one use of each arm can take, above 0. It is reserved before the use.
    pub most: Vec<f64>,
}

/// Budgets and how long they have to last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Decisions that the budgets are for, at least 1. Later ones find what is left.
    pub horizon: u64,
    /// One to eight resources.
    pub resources: Vec<Resource>,
    /// Optimism in units of the model's width, 0 or more, default 0.8.
    #[serde(default = "default_alpha")]
    pub alpha: f64,
}

const fn default_alpha() -> f64 {
    0.8
}

impl Config {
    /// These budgets, with the default optimism.
    pub const fn new(horizon: u64, resources: Vec<Resource>) -> Self {
        Self { horizon, resources, alpha: default_alpha() }
    }

    fn validate(self, arms: usize) -> Result<Self, InvalidConfig> {
        let check = |ok, key, rule| if ok { Ok(()) } else { Err(InvalidConfig::new(key, rule)) };
        let amount = |v: f64| v > 0.0 && v.is_finite();
        check(self.horizon > 0, "horizon", "must be at least 1")?;
        check((1..=MOST_RESOURCES).contains(&self.resources.len()), "resources", "must be 1 to 8")?;
        check(self.alpha >= 0.0 && self.alpha.is_finite(), "alpha", "must be 0 or more")?;
        for resource in &self.resources {
            check(amount(resource.budget), "budget", "must be a number > 0")?;
            check(resource.most.len() == arms, "most", "needs one bound for each arm")?;
            check(resource.most.iter().all(|v| amount(*v)), "most", "must be numbers > 0")?;
        }
        Ok(self)
    }
}

/// What happened to one resource.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Account {
    spent: f64,
    reserved: f64,
    price: f64,
    overruns: u64,
}

/// A model of rewards, one of each resource's use, and the prices between them.
#[derive(Clone, Debug)]
pub struct Budgeted<M> {
    config: Config,
    model: M,
    uses: Vec<Ridge>,
    accounts: Vec<Account>,
    recent: Recent,
    decided: u64,
}

impl<M: Model> Budgeted<M> {
    /// Nothing spent yet.
    ///
    /// # Errors
    ///
    /// The first setting outside its range.
    pub fn new(model: M, config: Config) -> Result<Self, InvalidConfig> {
        let config = config.validate(model.arms())?;
        let resources = config.resources.len();
        let ridge = Ridge::new(linear::Config {
            lambda: 0.1,
            ..linear::Config::new(model.arms(), model.dim())
        })?;
        Ok(Self {
            recent: Recent::new(model.arms(), resources),
            uses: vec![ridge; resources],
            accounts: vec![Account::default(); resources],
            config,
            model,
            decided: 0,
        })
    }

    /// What predicts rewards.
    pub const fn model(&self) -> &M {
        &self.model
    }

    /// Used so far, by resource.
    pub fn spent(&self) -> Vec<f64> {
        self.accounts.iter().map(|account| account.spent).collect()
    }

    /// Reserved for decisions that were not settled yet, by resource.
    pub fn reserved(&self) -> Vec<f64> {
        self.accounts.iter().map(|account| account.reserved).collect()
    }

    /// Reward that one unit of each resource has to bring at present.
    pub fn prices(&self) -> Vec<f64> {
        self.accounts.iter().map(|account| account.price).collect()
    }

    /// Uses beyond their declared bound, by resource: the only way to exceed a budget.
    pub fn overruns(&self) -> Vec<u64> {
        self.accounts.iter().map(|account| account.overruns).collect()
    }

    /// Chooses an arm and reserves what it can use at most, until [`Budgeted::settle`]. `None`
    /// when no arm is affordable, or none is worth its price even optimistically.
    ///
    /// # Errors
    ///
    /// [`Refused`] when the context is not usable or no arm is available at all.
    pub fn decide(
        &mut self,
        x: &[f64],
        available: &ArmSet,
        draw: Draw,
        odds: &mut Odds,
    ) -> Result<Option<Decision>, Refused> {
        validate_context(x, self.model.dim())?;
        let available = available.and(&ArmSet::all(self.model.arms()));
        if available.is_empty() {
            return Err(Refused::NoArm);
        }
        self.predict(x, available, odds);
        self.decided += 1;
        if self.decided < SOLVE_EVERY || self.decided.is_multiple_of(SOLVE_EVERY) {
            self.solve();
        }
        let worthwhile = self.price(&available, odds);
        if worthwhile.is_empty() {
            return Ok(None);
        }
        odds.restrict(worthwhile);
        let (available, mean, width, out) = odds.parts();
        let belief = Belief { available, mean, width };
        let rule = Rule::LinUcb { alpha: self.config.alpha };
        rule.probabilities(pulp::Scalar, belief, self.model.seen(), Ties::Uniform, out);
        let decision = odds.pick(draw.uniform());
        for (account, resource) in self.accounts.iter_mut().zip(&self.config.resources) {
            account.reserved += resource.most[decision.arm];
        }
        Ok(Some(decision))
    }

    /// Takes down what a decision used, by resource, and releases its reservation.
    ///
    /// # Errors
    ///
    /// [`Refused`] with the first value out of range; nothing changed then.
    pub fn settle(&mut self, x: &[f64], arm: usize, used: &[f64]) -> Result<(), Refused> {
        validate_context(x, self.model.dim())?;
        let (arms, resources) = (self.model.arms(), self.config.resources.len());
        if arm >= arms {
            return Err(Refused::UnknownArm { arm, arms });
        }
        if used.len() != resources {
            return Err(Refused::Dimension { expected: resources, got: used.len() });
        }
        if let Some(&value) = used.iter().find(|v| !(**v >= 0.0 && v.is_finite())) {
            return Err(Refused::Cost { value });
        }
        let each = self.config.resources.iter().zip(&mut self.accounts).zip(&mut self.uses);
        for (((resource, account), model), &used) in each.zip(used) {
            let most = resource.most[arm];
            account.reserved = (account.reserved - most).max(0.0);
            account.spent += used;
            account.overruns += u64::from(used > most);
            model.learn(&Example::new(x, arm, used / most, 1.0));
        }
        Ok(())
    }

    /// Learns the reward of a decision, however late.
    ///
    /// # Errors
    ///
    /// [`Refused`] with the first field out of range; nothing changed then.
    pub fn learn(&mut self, example: &Example<'_>) -> Result<(), Refused> {
        example.validate(self.model.arms(), self.model.dim())?;
        self.model.learn(example);
        Ok(())
    }

    /// Writes predicted rewards into `odds`, and all predictions into the next row of `recent`.
    fn predict(&mut self, x: &[f64], available: ArmSet, odds: &mut Odds) {
        let arms = self.model.arms();
        let scratch = self.uses[0].scratch().max(self.model.scratch());
        odds.reset(arms, scratch, available);
        let row = self.recent.next(available);
        for (r, (model, resource)) in self.uses.iter().zip(&self.config.resources).enumerate() {
            let scores = Scores { mean: &mut odds.mean, width: &mut odds.width };
            model.predict(x, &available, scores, &mut odds.scratch);
            for arm in &available {
                let most = resource.most[arm];
                // Before its first use an arm is taken to need what it may need at most.
                let share = if model.pulls(arm) == 0 { 1.0 } else { odds.mean[arm] };
                row.uses[r * arms + arm] = most * share.clamp(0.0, 1.0);
            }
        }
        let scores = Scores { mean: &mut odds.mean, width: &mut odds.width };
        self.model.predict(x, &available, scores, &mut odds.scratch);
        for arm in &available {
            row.gains[arm] = odds.mean[arm] + self.config.alpha * odds.width[arm];
        }
    }

    /// Solves for the prices at which the last decisions would have used what is left per round.
    fn solve(&mut self) {
        let left = self.config.horizon.saturating_sub(self.decided).max(1) as f64;
        let mut prices = [0.0; MOST_RESOURCES];
        let mut pace = [0.0; MOST_RESOURCES];
        for (r, (account, resource)) in self.accounts.iter().zip(&self.config.resources).enumerate()
        {
            prices[r] = account.price;
            pace[r] = (resource.budget - account.spent - account.reserved).max(0.0) / left;
        }
        let n = self.accounts.len();
        self.recent.solve(&mut prices[..n], &pace[..n]);
        for (account, price) in self.accounts.iter_mut().zip(prices) {
            account.price = price;
        }
    }

    /// Charges the price of each arm to its predicted reward; returns the arms that are
    /// affordable and worth it.
    fn price(&self, available: &ArmSet, odds: &mut Odds) -> ArmSet {
        let (arms, uses) = (self.model.arms(), self.recent.last_uses());
        let mut worthwhile = ArmSet::EMPTY;
        for arm in available {
            let mut fits = true;
            let mut charge = 0.0;
            for (r, account) in self.accounts.iter().enumerate() {
                let resource = &self.config.resources[r];
                fits &= account.spent + account.reserved + resource.most[arm] <= resource.budget;
                charge += account.price * uses[r * arms + arm];
            }
            odds.mean[arm] -= charge;
            let hope = odds.mean[arm] + self.config.alpha * odds.width[arm];
            if fits && hope > 0.0 {
                worthwhile = worthwhile.with(arm);
            }
        }
        worthwhile
    }
}
