//! Learning a policy from the log of another one, without serving it a single request.
//!
//! | method | how | when |
//! |---|---|---|
//! | [`Method::Direct`] | a regression per arm on the rows where it was chosen | the reward model is right, or nearly |
//! | [`Method::DoublyRobust`] | a regression per arm on all rows, the unseen rewards predicted and corrected (Dudík, Langford, Li 2011) | the log prefers some arms where they are bad |
//! | [`Method::OffsetTree`] | a tournament of yes/no questions (Beygelzimer and Langford 2009) | only the order of the arms matters, not their rewards |
//!
//! [`select`] tries several and keeps the one that the log itself, on rows held out from learning,
//! says is worth most.
//!
//! ```
//! use consort_bandit::offline::{Config, Method, learn};
//! use consort_bandit::{ArmSet, ope::Observation};
//!
//! // A coin chose; arm 1 pays where x is positive, arm 0 where it is not.
//! let xs: Vec<[f64; 1]> = (0..400).map(|t| [f64::from(t % 20) / 10.0 - 0.95]).collect();
//! let rows: Vec<Observation<'_>> = xs.iter().enumerate().map(|(t, x)| {
//!     let arm = (t / 20) % 2;
//!     let reward = if (x[0] > 0.0) == (arm == 1) { 1.0 } else { 0.0 };
//!     Observation { x, arm, reward, propensity: 0.5 }
//! }).collect();
//! let policy = learn(&rows, &Config::new(2, 1, Method::DoublyRobust))?;
//! assert_eq!(policy.choose(&[0.7], &ArmSet::all(2))?, 1);
//! assert_eq!(policy.choose(&[-0.7], &ArmSet::all(2))?, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod fit;
#[cfg(test)]
mod tests;
mod tree;

use serde::{Deserialize, Serialize};

use crate::arms::{ArmSet, MAX_ARMS};
use crate::error::{InvalidConfig, Refused};
use crate::linear;
use crate::maps::{Map, Mapper, Scaler};
use crate::model::{Example, MAX_DIM, validate_context};
use crate::ope::{Estimate, Estimator, Gate, Log, NoFit, NoSupport, Observation, Row, cross_fit};
use fit::{Sums, score};
use tree::Tree;

/// How a policy is learned from a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Predicts the reward of each arm from the rows where it was chosen.
    Direct,
    /// Predicts pseudo-rewards q̂(x, a) + 1[a = chosen]·(r − q̂(x, a))/p of all arms in all rows.
    DoublyRobust,
    /// A binary tournament; each node learns which of two arms to prefer, from rows in which
    /// either was chosen, with weight |r − 1/2|/p.
    OffsetTree,
}

/// What is learned, and how.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Number of arms, 1 to [`MAX_ARMS`].
    pub arms: usize,
    /// Number of features, 1 to [`MAX_DIM`].
    pub dim: usize,
    /// How.
    pub method: Method,
    /// Features derived from the context, default the context itself.
    pub map: Map,
    /// Regularisation, > 0, default 1.
    pub lambda: f64,
    /// Parts the log is split into, so that no reward model sees the row it is applied to;
    /// 2 to 20, default 3.
    pub folds: usize,
}

impl Config {
    /// Linear in the context, λ = 1, three folds.
    pub const fn new(arms: usize, dim: usize, method: Method) -> Self {
        Self { arms, dim, method, map: Map::Identity, lambda: 1.0, folds: 3 }
    }

    fn validate(&self) -> Result<(), InvalidConfig> {
        let check = |ok, key, rule| if ok { Ok(()) } else { Err(InvalidConfig::new(key, rule)) };
        check((1..=MAX_ARMS).contains(&self.arms), "arms", "must be 1 to 256")?;
        check((1..=MAX_DIM).contains(&self.dim), "dim", "must be 1 to 4096")?;
        check(self.lambda > 0.0 && self.lambda.is_finite(), "lambda", "must be a number > 0")?;
        check((2..=20).contains(&self.folds), "folds", "must be 2 to 20")
    }
}

/// Why no policy could be learned.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoPolicy {
    /// A setting is out of its range.
    #[error(transparent)]
    Config(#[from] InvalidConfig),
    /// A row is not usable.
    #[error("row {row}: {why}")]
    Row {
        /// Its number, from 0.
        row: usize,
        /// What is wrong with it.
        why: Refused,
    },
    /// The log cannot tell candidates apart.
    #[error(transparent)]
    Support(#[from] NoSupport),
    /// The features cannot be told apart even with the regularisation.
    #[error("the features are redundant beyond repair: raise `lambda`")]
    Singular,
}

/// A policy learned from a log: always the same arm for the same context.
#[derive(Clone, Debug, PartialEq)]
pub struct Learned {
    dim: usize,
    mapper: Mapper,
    scaler: Scaler,
    judge: Judge,
}

/// What prefers one arm to another.
#[derive(Clone, Debug, PartialEq)]
enum Judge {
    /// Coefficients of each arm.
    Scores(Vec<Vec<f64>>),
    /// Coefficients of each node.
    Tree(Tree),
}

impl Learned {
    /// The arm to choose among `available`: in a tie the lowest.
    ///
    /// # Errors
    ///
    /// [`Refused`] when the context is not usable or no arm is available.
    pub fn choose(&self, x: &[f64], available: &ArmSet) -> Result<usize, Refused> {
        validate_context(x, self.dim)?;
        let z = featured(&self.mapper, &self.scaler, x);
        match &self.judge {
            Judge::Scores(arms) => {
                let best = available
                    .iter()
                    .filter(|&arm| arm < arms.len())
                    .map(|arm| (arm, score(&arms[arm], &z)));
                let best = best.reduce(|best, next| if next.1 > best.1 { next } else { best });
                best.map(|(arm, _)| arm).ok_or(Refused::NoArm)
            }
            Judge::Tree(tree) => tree.winner(&z, available).ok_or(Refused::NoArm),
        }
    }
}

/// Derived features and the constant.
fn featured(mapper: &Mapper, scaler: &Scaler, x: &[f64]) -> Vec<f64> {
    let mut z = vec![1.0; mapper.len() + 1];
    mapper.apply(x, scaler, &mut z[..mapper.len()]);
    z
}

/// Learns a policy from all `rows`.
///
/// # Errors
///
/// [`NoPolicy`] with the first setting or row that is not usable.
pub fn learn(rows: &[Observation<'_>], config: &Config) -> Result<Learned, NoPolicy> {
    check(rows, config)?;
    learn_from(&rows.iter().collect::<Vec<_>>(), config)
}

fn check(rows: &[Observation<'_>], config: &Config) -> Result<(), NoPolicy> {
    config.validate()?;
    if rows.is_empty() {
        return Err(NoSupport::Empty.into());
    }
    for (row, Observation { x, arm, reward, propensity }) in rows.iter().enumerate() {
        let example = Example::new(x, *arm, *reward, *propensity);
        let valid = example.validate(config.arms, config.dim);
        valid.map_err(|why| NoPolicy::Row { row, why })?;
    }
    Ok(())
}

fn learn_from(rows: &[&Observation<'_>], config: &Config) -> Result<Learned, NoPolicy> {
    let mapper = Mapper::new(config.map, config.dim)?;
    let mut scaler = Scaler::new(config.dim);
    rows.iter().for_each(|row| scaler.push(row.x));
    let z: Vec<Vec<f64>> = rows.iter().map(|row| featured(&mapper, &scaler, row.x)).collect();
    let judge = match config.method {
        Method::Direct => Judge::Scores(direct(rows, &z, config, |_| true)?),
        Method::DoublyRobust => Judge::Scores(doubly_robust(rows, &z, config)?),
        Method::OffsetTree => Judge::Tree(Tree::grow(rows, &z, config)?),
    };
    Ok(Learned { dim: config.dim, mapper, scaler, judge })
}

/// Coefficients of each arm, from the rows that `used` lets through by their number.
fn direct(
    rows: &[&Observation<'_>],
    z: &[Vec<f64>],
    config: &Config,
    used: impl Fn(usize) -> bool,
) -> Result<Vec<Vec<f64>>, NoPolicy> {
    let one = |arm| {
        let mut sums = Sums::new(z[0].len(), 1);
        let own = rows.iter().zip(z).enumerate().filter(|(i, (row, _))| row.arm == arm && used(*i));
        own.for_each(|(_, (row, z))| sums.push(z, 1.0, &[row.reward]));
        Ok(sums.solve(config.lambda).ok_or(NoPolicy::Singular)?.swap_remove(0))
    };
    (0..config.arms).map(one).collect()
}

fn doubly_robust(
    rows: &[&Observation<'_>],
    z: &[Vec<f64>],
    config: &Config,
) -> Result<Vec<Vec<f64>>, NoPolicy> {
    let mut sums = Sums::new(z[0].len(), config.arms);
    for fold in 0..config.folds {
        let model = direct(rows, z, config, |i| i % config.folds != fold)?;
        let held_out = rows.iter().zip(z).skip(fold).step_by(config.folds);
        for (row, z) in held_out {
            let mut pseudo: Vec<f64> =
                model.iter().map(|theta| score(theta, z).clamp(0.0, 1.0)).collect();
            pseudo[row.arm] += (row.reward - pseudo[row.arm]) / row.propensity;
            sums.push(z, 1.0, &pseudo);
        }
    }
    sums.solve(config.lambda).ok_or(NoPolicy::Singular)
}

/// What [`select`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// The policy of the best candidate, learned from all rows.
    pub policy: Learned,
    /// Which candidate it is.
    pub chosen: usize,
    /// What each candidate would have earned on rows it was not learned from, or why the log
    /// cannot tell. That of the chosen one is optimistic by the choice: judge it on another log.
    pub estimates: Vec<Result<Estimate, NoSupport>>,
}

/// Learns each candidate on parts of the log, estimates its worth on the part left out by doubly
/// robust evaluation, and keeps the best.
///
/// # Errors
///
/// [`NoPolicy`] with the first setting or row that is not usable, or when the log supports the
/// choices of no candidate (see [`Gate`]).
pub fn select(
    rows: &[Observation<'_>],
    candidates: &[Config],
    gate: &Gate,
) -> Result<Selection, NoPolicy> {
    let first = candidates.first();
    let first = first.ok_or(InvalidConfig::new("candidates", "must be at least one"))?;
    for config in candidates {
        check(rows, config)?;
        if (config.arms, config.dim) != (first.arms, first.dim) {
            return Err(InvalidConfig::new("candidates", "must agree in arms and dim").into());
        }
    }
    let ridge = linear::Config::new(first.arms, first.dim);
    let predicted = cross_fit(rows, first.folds, ridge).map_err(|no| match no {
        NoFit::Config(why) => NoPolicy::Config(why),
        NoFit::Refused(why) => NoPolicy::Row { row: 0, why },
    })?;
    let mut estimates = Vec::with_capacity(candidates.len());
    let mut best: Option<(usize, f64)> = None;
    for (index, config) in candidates.iter().enumerate() {
        let estimate = held_out(rows, config, &predicted)?.evaluate(Estimator::Dr, gate);
        if let Ok(Estimate { value, .. }) = estimate
            && best.is_none_or(|(_, most)| value > most)
        {
            best = Some((index, value));
        }
        estimates.push(estimate);
    }
    let Some((chosen, _)) = best else {
        let refusal = estimates.into_iter().find_map(Result::err);
        return Err(refusal.unwrap_or(NoSupport::NoCandidate).into());
    };
    Ok(Selection { policy: learn(rows, &candidates[chosen])?, chosen, estimates })
}

/// The log with, as its target, what a candidate learned on the other folds would do.
fn held_out(rows: &[Observation<'_>], config: &Config, predicted: &[f64]) -> Result<Log, NoPolicy> {
    let mut log = Log::new(config.arms)?;
    let mut target = vec![0.0; config.arms];
    let all = ArmSet::all(config.arms);
    for fold in 0..config.folds {
        let others: Vec<&Observation<'_>> = rows
            .iter()
            .enumerate()
            .filter(|(i, _)| i % config.folds != fold)
            .map(|r| r.1)
            .collect();
        if others.is_empty() {
            return Err(NoSupport::Empty.into());
        }
        let policy = learn_from(&others, config)?;
        for (i, row) in rows.iter().enumerate().skip(fold).step_by(config.folds) {
            let refused = |why| NoPolicy::Row { row: i, why };
            target.fill(0.0);
            target[policy.choose(row.x, &all).map_err(refused)?] = 1.0;
            let predicted = &predicted[i * config.arms..(i + 1) * config.arms];
            let Observation { arm, reward, propensity, .. } = *row;
            let row = Row { arm, reward, propensity, target: &target, predicted, logging: &[] };
            log.push(&row).map_err(refused)?;
        }
    }
    Ok(log)
}
