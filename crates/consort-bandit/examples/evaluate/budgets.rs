//! Routing under budgets: what the budgeted default earns beside the clairvoyant linear programme.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;

use consort_bandit::budget::{Budgeted, Config, Resource};
use consort_bandit::rng::{Draw, uniform};
use consort_bandit::{ArmSet, Example, Odds, auto, automatic};

use crate::data::{Set, Truth};

/// Budgets per round: cost, and latency if there is a limit.
#[derive(Clone, Copy)]
pub(crate) struct Budgets {
    pub(crate) cost: f64,
    pub(crate) latency: Option<f64>,
}

impl std::str::FromStr for Budgets {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let above = |text: &str| match text.parse::<f64>() {
            Ok(amount) if amount > 0.0 && amount.is_finite() => Ok(amount),
            _ => Err("give COST or COST/LATENCY per round, each a number above 0"),
        };
        let (cost, latency) = match text.split_once('/') {
            Some((cost, latency)) => (cost, Some(above(latency)?)),
            None => (text, None),
        };
        Ok(Self { cost: above(cost)?, latency })
    }
}

/// One resource of a set: what each use takes, by row and arm, and the budget per round.
struct Used<'a> {
    amounts: &'a [f64],
    pace: f64,
}

/// Prints one line per shuffle and their mean.
pub(crate) fn report(
    out: &mut impl Write,
    set: &Set,
    budgets: Budgets,
    shuffles: std::ops::Range<u64>,
) -> Result<(), Box<dyn Error>> {
    let Truth::Means { means, costs } = &set.truth else {
        return Err(format!("`--budget`: `{}` has no columns m0.. and c0..", set.name).into());
    };
    let mut used = vec![Used { amounts: costs, pace: budgets.cost }];
    if let Some(pace) = budgets.latency {
        used.push(Used { amounts: &set.latency, pace });
    }
    if used.iter().any(|used| used.amounts.len() != means.len()) {
        let name = &set.name;
        return Err(format!("`--budget`: `{name}` has no costs c0.. or no latencies l0..").into());
    }
    let bound = clairvoyant(set, means, &used);
    let (mut earned, mut count, mut violations, mut share) = (0.0, 0.0, 0, 0.0);
    for shuffle in shuffles {
        let (quality, spent) = play(set, means, &used, shuffle)?;
        let n = set.len() as f64;
        for (used, spent) in used.iter().zip(&spent) {
            violations += usize::from(*spent > used.pace * n);
        }
        let fullest = used.iter().zip(&spent).map(|(u, s)| s / (u.pace * n)).fold(0.0, f64::max);
        earned += quality;
        share += fullest;
        count += 1.0;
    }
    writeln!(
        out,
        "# {} within {}{}: quality {:.4} per request, {:.1} % of the clairvoyant {bound:.4}; \
         {violations} budgets exceeded; {:.1} % of the scarcest spent",
        set.name,
        budgets.cost,
        budgets.latency.map_or(String::new(), |latency| format!("/{latency}")),
        earned / count,
        100.0 * earned / count / bound,
        100.0 * share / count,
    )?;
    Ok(())
}

fn play(
    set: &Set,
    means: &[f64],
    used: &[Used<'_>],
    shuffle: u64,
) -> Result<(f64, Vec<f64>), Box<dyn Error>> {
    let n = set.len();
    let resources = used.iter().map(|used| Resource {
        budget: used.pace * n as f64,
        most: (0..set.arms)
            .map(|arm| used.amounts.iter().skip(arm).step_by(set.arms).copied().fold(0.0, f64::max))
            .collect(),
    });
    let config = Config::new(n as u64, resources.collect());
    let model = automatic(auto::Config::new(set.arms, set.dim))?.into_model();
    let mut policy = Budgeted::new(model, config)?;
    let (mut odds, mut quality) = (Odds::new(), 0.0);
    let mut pending: BTreeMap<usize, Vec<(usize, usize, f64, f64)>> = BTreeMap::new();
    for t in 0..n {
        for (row, arm, propensity, reward) in pending.remove(&t).unwrap_or_default() {
            policy.learn(&Example::new(set.x(row), arm, reward, propensity))?;
        }
        let available =
            set.available.get(t).map_or(ArmSet::all(set.arms), |m| ArmSet::from_mask(*m));
        let draw = Draw { seed: shuffle, counter: t as u64 };
        let Some(chosen) = policy.decide(set.x(t), &available, draw, &mut odds)? else { continue };
        let cell = t * set.arms + chosen.arm;
        quality += means[cell];
        let amounts: Vec<f64> = used.iter().map(|used| used.amounts[cell]).collect();
        policy.settle(set.x(t), chosen.arm, &amounts)?;
        let won = uniform(7000 + shuffle, 1, cell as u64) < means[cell];
        let reward = if won { 1.0 } else { 0.0 };
        match set.delay.get(t) {
            Some(&delay) if delay > 0 => pending.entry(t + delay as usize).or_default().push((
                t,
                chosen.arm,
                chosen.propensity,
                reward,
            )),
            Some(_) => {}
            None => policy.learn(&Example::new(set.x(t), chosen.arm, reward, chosen.propensity))?,
        }
    }
    Ok((quality / n as f64, policy.spent()))
}

/// The value of the linear programme that knows every mean and every use: the least of its dual,
/// which is convex in the prices.
fn clairvoyant(set: &Set, means: &[f64], used: &[Used<'_>]) -> f64 {
    let dual = |prices: &[f64]| {
        let mut sum = 0.0;
        for t in 0..set.len() {
            let mut best = 0.0_f64;
            let mask = set.available.get(t).copied().unwrap_or(u64::MAX);
            for arm in (0..set.arms).filter(|arm| mask >> arm & 1 == 1) {
                let cell = t * set.arms + arm;
                let charge: f64 = used.iter().zip(prices).map(|(u, p)| p * u.amounts[cell]).sum();
                best = best.max(means[cell] - charge);
            }
            sum += best;
        }
        let rent: f64 = used.iter().zip(prices).map(|(used, price)| price * used.pace).sum();
        sum / set.len() as f64 + rent
    };
    match used {
        [_] => least(|price| dual(&[price])),
        _ => least(|first| least(|second| dual(&[first, second]))),
    }
}

/// Least value of a convex function on [0, 16], by golden sections.
fn least(f: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, 16.0);
    for _ in 0..40 {
        let (a, b) = (low + 0.382 * (high - low), low + 0.618 * (high - low));
        if f(a) < f(b) { high = b } else { low = a }
    }
    f(f64::midpoint(low, high))
}
