//! How a reward on a run reaches the decisions below it.
//!
//! The rule: a reward on a run reaches every decision made in that run and in the runs below it,
//! each with `confidence · share^levels`, where `levels` counts how far below the rewarded run the
//! decision was made. Decisions that become known later, while the reward is remembered, get it
//! too. Each (decision, reward) pair counts once, whichever comes first.

use std::collections::{BTreeMap, VecDeque};

use consort_core::RunId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::domain::Reward;

/// The rule's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// What is left of a reward's weight one level below the rewarded run, in (0, 1]. Default
    /// 0.5: an outcome says less about a choice that was one of many on the way to it.
    pub share: f64,
}

impl Default for Rule {
    fn default() -> Self {
        Self { share: 0.5 }
    }
}

/// The tree of runs, as far as decisions and rewards are concerned. Bounded; the oldest go first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Tree {
    /// Decisions by the run that made them. The key is tenant and run.
    decisions: BTreeMap<String, VecDeque<u128>>,
    /// Rewards by the run that they are about.
    rewards: BTreeMap<String, VecDeque<Reward>>,
    /// Of these, how many have met no decision yet.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    waiting: BTreeMap<String, usize>,
    /// Runs in the order in which they became known.
    order: VecDeque<(u64, String)>,
}

/// Decisions, and rewards, that are remembered of one run.
const PER_RUN: usize = 256;

fn key(tenant: &str, run: &str) -> String {
    format!("{tenant}\n{run}")
}

fn levels(below: &str, above: &str) -> i32 {
    let depth = |key: &str| key.matches('/').count();
    i32::try_from(depth(below).saturating_sub(depth(above))).unwrap_or(i32::MAX)
}

impl Tree {
    fn know(&mut self, at: u64, key: &str) {
        if !self.decisions.contains_key(key) && !self.rewards.contains_key(key) {
            self.order.push_back((at, key.to_owned()));
        }
    }

    /// A decision was made in `run`: the rewards that are about this run or one above it, with
    /// the weight they have here.
    pub(super) fn decided(
        &mut self,
        at: u64,
        tenant: &str,
        run: &RunId,
        decision: u128,
        rule: Rule,
    ) -> Vec<Reward> {
        let own = key(tenant, run.as_str());
        self.know(at, &own);
        let decisions = self.decisions.entry(own.clone()).or_default();
        decisions.push_back(decision);
        if decisions.len() > PER_RUN {
            decisions.pop_front();
        }
        let mut waiting = Vec::new();
        let mut above = Some(run.clone());
        while let Some(run) = above {
            let key = key(tenant, run.as_str());
            self.waiting.remove(&key);
            for reward in self.rewards.get(&key).into_iter().flatten() {
                let weight = reward.weight * rule.share.powi(levels(&own, &key));
                waiting.push(Reward { weight, ..*reward });
            }
            above = run.parent();
        }
        waiting
    }

    /// A reward on `run`: the decisions that it reaches, with its weight for each. `None` when the
    /// same reward came before.
    pub(super) fn rewarded(
        &mut self,
        at: u64,
        tenant: &str,
        run: &RunId,
        reward: Reward,
        rule: Rule,
    ) -> Option<Vec<(u128, f64)>> {
        let own = key(tenant, run.as_str());
        self.know(at, &own);
        let rewards = self.rewards.entry(own.clone()).or_default();
        if rewards.iter().any(|other| other.id == reward.id) {
            return None;
        }
        rewards.push_back(reward);
        if rewards.len() > PER_RUN {
            rewards.pop_front();
        }
        let below = format!("{own}/");
        let children =
            self.decisions.range(below.clone()..).take_while(|(k, _)| k.starts_with(&below));
        let itself = self.decisions.get_key_value(&own);
        let reached = itself.into_iter().chain(children).flat_map(|(key, decisions)| {
            let weight = reward.weight * rule.share.powi(levels(key, &own));
            decisions.iter().map(move |decision| (*decision, weight))
        });
        let reached: Vec<(u128, f64)> = reached.collect();
        if reached.is_empty() {
            let waiting = self.waiting.entry(own).or_default();
            *waiting = (*waiting + 1).min(PER_RUN);
        }
        Some(reached)
    }

    /// Forgets runs that became known before `before`, and the oldest beyond `limit`; how many
    /// rewards of theirs never met a decision.
    pub(super) fn forget(&mut self, before: u64, limit: usize) -> u64 {
        let mut unmatched = 0;
        while let Some((at, key)) = self.order.front()
            && (*at < before || self.order.len() > limit)
        {
            self.decisions.remove(key);
            self.rewards.remove(key);
            unmatched += self.waiting.remove(key).unwrap_or(0) as u64;
            self.order.pop_front();
        }
        unmatched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(path: &str) -> RunId {
        RunId::new(format!("01ARZ3NDEKTSV4RRFFQ69G5FAV{path}")).unwrap()
    }

    fn reward(id: u128) -> Reward {
        Reward { id, at: 0, value: 1.0, weight: 0.8 }
    }

    #[test]
    fn a_reward_on_a_root_reaches_every_decision_below_it_once() {
        let (mut tree, rule) = (Tree::default(), Rule::default());
        tree.decided(0, "t", &run(""), 1, rule);
        tree.decided(0, "t", &run("/3"), 2, rule);
        tree.decided(0, "t", &run("/3/12"), 3, rule);
        tree.decided(0, "other", &run("/3"), 4, rule);
        let reached = tree.rewarded(0, "t", &run(""), reward(9), rule).unwrap();
        assert_eq!(reached, [(1, 0.8), (2, 0.4), (3, 0.2)]);
        assert_eq!(tree.rewarded(0, "t", &run(""), reward(9), rule), None);
        let below = tree.rewarded(0, "t", &run("/3"), reward(9), rule).unwrap();
        assert_eq!(below, [(2, 0.8), (3, 0.4)]);
    }

    #[test]
    fn decisions_that_come_late_get_what_their_runs_were_given() {
        let (mut tree, rule) = (Tree::default(), Rule::default());
        assert_eq!(tree.rewarded(0, "t", &run(""), reward(9), rule), Some(vec![]));
        let waiting = tree.decided(1, "t", &run("/1"), 5, rule);
        assert_eq!(waiting, [Reward { weight: 0.4, ..reward(9) }]);
        assert_eq!(tree.decided(1, "u", &run("/1"), 5, rule), []);
    }

    #[test]
    fn memory_is_bounded() {
        let (mut tree, rule) = (Tree::default(), Rule::default());
        for at in 0..100 {
            tree.decided(at, "t", &run(&format!("/{at}")), u128::from(at), rule);
        }
        tree.forget(50, 20);
        assert_eq!((tree.order.len(), tree.decisions.len()), (20, 20));
    }

    #[test]
    fn rewards_of_runs_that_never_decided_anything_are_counted_in_the_end() {
        let (mut tree, rule) = (Tree::default(), Rule::default());
        tree.rewarded(0, "t", &run(""), reward(1), rule);
        tree.rewarded(0, "t", &run("/1"), reward(2), rule);
        tree.rewarded(0, "t", &run("/1"), reward(3), rule);
        tree.rewarded(0, "t", &run("/2"), reward(4), rule);
        tree.decided(1, "t", &run("/2"), 5, rule);
        assert_eq!(tree.forget(0, 9), 0);
        assert_eq!(tree.forget(1, 9), 2, "those of `/1`");
    }
}
