//! One pass over a set: decide, earn, learn when the reward is known.

use std::collections::BTreeMap;

use consort_bandit::ArmSet;
use consort_bandit::rng::{Draw, shuffle, uniform};

use crate::data::{Set, Truth};

/// Whoever is evaluated. Inputs of the harness are valid, so calls cannot fail.
pub(crate) trait Player {
    /// The arm chosen and its propensity.
    fn decide(&mut self, tenant: usize, x: &[f64], available: &ArmSet, draw: Draw) -> (usize, f64);

    /// Learns from the reward of a decision made earlier.
    fn learn(&mut self, tenant: usize, x: &[f64], chosen: (usize, f64), reward: f64);
}

/// What a pass came to.
pub(crate) struct Outcome {
    /// Mean of the metric over all rounds.
    pub(crate) value: f64,
    /// Least lead over the best fixed arm of the same prefix, over prefixes of 1000 or more.
    pub(crate) worst_prefix: f64,
    /// Mean of the metric of each tenant; empty without tenants.
    pub(crate) by_tenant: Vec<f64>,
}

/// When rewards are known.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Feedback {
    /// As the set says: at once unless it has delays.
    AsGiven,
    /// At once, and none is lost.
    Immediate,
    /// So many rounds late on average (1 + 4·mean·u³, as in the documented router), and one in
    /// twenty never.
    Late(f64),
}

/// Share of rewards that never come where delays are drawn.
const LOST: f64 = 0.05;

impl Feedback {
    /// Rounds to wait in round `t`, that of row `row`; `None` when the reward never comes.
    fn wait(self, set: &Set, row: usize, number: u64, t: usize) -> Option<usize> {
        match self {
            Self::Immediate => Some(0),
            Self::AsGiven => match set.delay.get(row) {
                Some(&delay) => usize::try_from(delay).ok(),
                None => Some(0),
            },
            Self::Late(mean) => {
                let u = uniform(8000 + number, 40, t as u64);
                let lost = uniform(8000 + number, 41, t as u64) < LOST;
                (!lost).then_some(1 + (4.0 * mean * u * u * u) as usize)
            }
        }
    }
}

/// Rewards on their way: row, arm and propensity, reward.
type Delayed = Vec<(usize, (usize, f64), f64)>;

/// Plays one pass under a numbered shuffle.
pub(crate) fn play(set: &Set, player: &mut dyn Player, number: u64, when: Feedback) -> Outcome {
    let n = set.len();
    let order = if set.shuffled() { shuffle(n, number) } else { (0..n).collect() };
    let mut pending: BTreeMap<usize, Delayed> = BTreeMap::new();
    let (mut sum, mut fixed, mut worst) = (0.0, vec![0.0; set.arms], f64::INFINITY);
    let mut own: Vec<(f64, f64)> = Vec::new();
    for (t, &row) in order.iter().enumerate() {
        for (row, chosen, reward) in pending.remove(&t).unwrap_or_default() {
            player.learn(tenant(set, row), set.x(row), chosen, reward);
        }
        let available =
            set.available.get(row).map_or(ArmSet::all(set.arms), |m| ArmSet::from_mask(*m));
        let draw = Draw { seed: number, counter: t as u64 };
        let chosen = player.decide(tenant(set, row), set.x(row), &available, draw);
        let (reward, score) = outcome(set, row, chosen.0, number);
        sum += score;
        for (arm, fixed) in fixed.iter_mut().enumerate() {
            *fixed += outcome(set, row, arm, number).1;
        }
        if t + 1 >= 1000 {
            let sign = if set.metric() == "loss" { -1.0 } else { 1.0 };
            let best = fixed.iter().map(|sum| sign * sum).fold(f64::NEG_INFINITY, f64::max);
            worst = worst.min((sign * sum - best) / (t + 1) as f64);
        }
        match when.wait(set, row, number, t) {
            Some(0) => player.learn(tenant(set, row), set.x(row), chosen, reward),
            Some(wait) => pending.entry(t + wait).or_default().push((row, chosen, reward)),
            None => {}
        }
        if let Some(&tenant) = set.tenant.get(row) {
            own.resize(own.len().max(tenant + 1), (0.0, 0.0));
            own[tenant] = (own[tenant].0 + score, own[tenant].1 + 1.0);
        }
    }
    let by_tenant = own.into_iter().map(|(sum, n)| if n > 0.0 { sum / n } else { 0.0 }).collect();
    Outcome { value: sum / n as f64, worst_prefix: worst, by_tenant }
}

fn tenant(set: &Set, row: usize) -> usize {
    set.tenant.get(row).copied().unwrap_or(0)
}

/// The reward a learner sees, in [0, 1], and what counts.
pub(crate) fn outcome(set: &Set, row: usize, arm: usize, number: u64) -> (f64, f64) {
    let cell = row * set.arms + arm;
    match &set.truth {
        Truth::Classes(classes) => {
            let reward = if classes[row] == arm { 1.0 } else { 0.0 };
            (reward, 1.0 - reward)
        }
        Truth::Means { means, costs } => {
            let mean = means[cell];
            let drawn = if uniform(7000 + number, 1, cell as u64) < mean { 1.0 } else { 0.0 };
            match costs.get(cell) {
                Some(cost) => {
                    let utility = |quality: f64| 0.7 * quality + 0.3 * (1.0 - cost);
                    (utility(drawn), utility(mean))
                }
                None => (drawn, 1.0 - mean),
            }
        }
        Truth::Rewards { rewards, fees } => {
            let most = fees.iter().copied().fold(0.0, f64::max);
            let utility = rewards[cell] - fees[arm];
            ((utility + most) / (1.0 + most), utility)
        }
    }
}
