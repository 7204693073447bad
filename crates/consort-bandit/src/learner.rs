//! Exactly-once learning from a log of decisions and rewards, as a pure state machine.
//!
//! A log holds two kinds of records, in any order and with repeats: decisions as they were made
//! and rewards as they came. [`Learner::apply`] takes them one by one with their position. A
//! reward teaches the policy if and only if its (decision id, reward id) is new and its decision
//! is open; everything else is counted under its own name. The position of the last record is
//! part of the state, so a snapshot and the rest of the log give the same bits as the whole log,
//! wherever a crash fell.
//!
//! Memory is bounded: a decision closes when its deadline passes or when too many are open, the
//! oldest first, and takes 1,024 rewards at most. Once closed it stays closed, so a late repeat can never count twice.
//!
//! ```
//! use consort_bandit::{learner::*, linear::Config, linucb};
//!
//! let mut learner = Learner::new(linucb(Config::new(2, 1), 0.5)?, Limits::default())?;
//! let decided = Record::Decided(Decided {
//!     id: DecisionId(7), at: 1_000, x: vec![0.3], arm: 1, propensity: 0.5,
//! });
//! let rewarded = Record::Rewarded(Rewarded {
//!     decision: DecisionId(7), id: RewardId(1), at: 2_000, value: 0.8, weight: 1.0,
//! });
//! assert_eq!(learner.apply(1, &decided), Applied::Opened);
//! assert_eq!(learner.apply(2, &rewarded), Applied::Learned { arm: 1 });
//! assert_eq!(learner.apply(3, &rewarded), Applied::Duplicate);
//! assert_eq!(learner.apply(2, &rewarded), Applied::Behind); // Replayed after a restart.
//! assert_eq!(learner.counters().learned, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod record;
mod state;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::agent::Policy;
use crate::error::{InvalidConfig, Refused};
use crate::model::Example;

use record::IdHash;
pub use record::{Decided, DecisionId, Record, RewardId, Rewarded};

/// How long and how much a [`Learner`] remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Milliseconds of log time after which a decision takes no more rewards, default 7 days.
    pub deadline: u64,
    /// Open decisions kept at once, at least 1, default 100,000; beyond it the oldest closes.
    pub open: usize,
    /// Rewards kept that came before their decision, default 10,000; beyond it the oldest goes.
    pub early: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { deadline: 7 * 24 * 3_600_000, open: 100_000, early: 10_000 }
    }
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Applied {
    /// A decision now waits for rewards.
    Opened,
    /// A decision, and rewards that had come before it were learned at once.
    OpenedAndLearned {
        /// How many.
        rewards: usize,
    },
    /// A reward taught the policy.
    Learned {
        /// The arm it was about.
        arm: usize,
    },
    /// A reward whose decision is not known (yet); kept until its deadline.
    Early,
    /// The same (decision id, reward id), or the same decision, was applied before.
    Duplicate,
    /// The decision is closed.
    Closed,
    /// The position was applied before: a replay after a restart.
    Behind,
    /// The record holds values no learner may see.
    Refused(Refused),
}

/// What happened so far. Every applied record is in exactly one of `opened`, `learned`,
/// `duplicates`, `closed`, `refused`, or was `early` (and then later in `learned`, `refused`,
/// `closed` or `unmatched`, or is still waiting).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Decisions that were opened.
    pub opened: u64,
    /// Rewards that taught the policy.
    pub learned: u64,
    /// Repeats.
    pub duplicates: u64,
    /// Rewards that came before their decision.
    pub early: u64,
    /// Early rewards whose decision never came in time.
    pub unmatched: u64,
    /// Records for decisions already closed.
    pub closed: u64,
    /// Records refused for their values.
    pub refused: u64,
    /// Decisions closed by their deadline.
    pub expired: u64,
    /// Decisions closed because too many were open.
    pub evicted: u64,
    /// Of all that were closed, those without any reward.
    pub unanswered: u64,
}

/// A policy that learns from a log, each reward exactly once.
#[derive(Clone, Debug)]
pub struct Learner<P> {
    policy: P,
    limits: Limits,
    position: u64,
    /// Log time: the latest time seen, because clocks go back and logs do not.
    now: u64,
    /// Decisions up to this log time were closed for want of space.
    closed_until: u64,
    open: HashMap<DecisionId, Open, IdHash>,
    /// Open decisions by the time they were opened, oldest first.
    queue: VecDeque<(u64, DecisionId)>,
    early: HashMap<DecisionId, Vec<Rewarded>, IdHash>,
    /// Early rewards by the time they came, oldest first.
    early_queue: VecDeque<(u64, DecisionId, RewardId)>,
    counters: Counters,
}

/// Rewards that a decision takes before it closes.
const MOST_REWARDS: usize = 1024;

/// A decision that still takes rewards.
#[derive(Clone, Debug, PartialEq)]
struct Open {
    x: Box<[f64]>,
    arm: usize,
    propensity: f64,
    rewards: Vec<RewardId>,
}

impl<P: Policy> Learner<P> {
    /// A learner at the start of a log.
    ///
    /// # Errors
    ///
    /// The first limit outside its range.
    pub fn new(policy: P, limits: Limits) -> Result<Self, InvalidConfig> {
        if limits.open == 0 {
            return Err(InvalidConfig::new("open", "must be at least 1"));
        }
        Ok(Self {
            policy,
            limits,
            position: 0,
            now: 0,
            closed_until: 0,
            open: HashMap::default(),
            queue: VecDeque::new(),
            early: HashMap::default(),
            early_queue: VecDeque::new(),
            counters: Counters::default(),
        })
    }

    /// The policy as learned so far.
    pub const fn policy(&self) -> &P {
        &self.policy
    }

    /// The same log position and open decisions with another policy of the same shape: under
    /// another exploration rule, merged with what was learned elsewhere, or replaced.
    ///
    /// # Errors
    ///
    /// What `change` returns, and [`InvalidConfig`] when the shape differs.
    pub fn with_policy<Q: Policy, E: From<InvalidConfig>>(
        self,
        change: impl FnOnce(P) -> Result<Q, E>,
    ) -> Result<Learner<Q>, E> {
        let shape = (self.policy.arms(), self.policy.dim());
        let policy = change(self.policy)?;
        if (policy.arms(), policy.dim()) != shape {
            return Err(InvalidConfig::new("arms", "and `dim` must stay as they are").into());
        }
        Ok(Learner {
            policy,
            limits: self.limits,
            position: self.position,
            now: self.now,
            closed_until: self.closed_until,
            open: self.open,
            queue: self.queue,
            early: self.early,
            early_queue: self.early_queue,
            counters: self.counters,
        })
    }

    /// Position of the last record applied, 0 before the first: where to read on.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// What happened so far.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Decisions waiting for rewards, and rewards waiting for decisions.
    pub fn waiting(&self) -> (usize, usize) {
        (self.open.len(), self.early_queue.len())
    }

    /// Applies the record at `position`. Positions grow along the log, from 1; those at or
    /// below the last one are ignored, so a log may be replayed from any point.
    pub fn apply(&mut self, position: u64, record: &Record) -> Applied {
        if position <= self.position {
            return Applied::Behind;
        }
        self.position = position;
        self.now = self.now.max(record.at());
        self.expire();
        let applied = match record {
            Record::Decided(decided) => self.decided(decided),
            Record::Rewarded(rewarded) => self.rewarded(rewarded),
        };
        match applied {
            Applied::Duplicate => self.counters.duplicates += 1,
            Applied::Closed => self.counters.closed += 1,
            Applied::Refused(_) => self.counters.refused += 1,
            _ => {}
        }
        applied
    }

    fn decided(&mut self, decided: &Decided) -> Applied {
        if self.open.contains_key(&decided.id) {
            return Applied::Duplicate;
        }
        // Its own time decides: one that is too old may have been open before, and closed.
        let too_old = decided.at.saturating_add(self.limits.deadline) <= self.now;
        if too_old || decided.at < self.closed_until {
            return Applied::Closed;
        }
        let example = Example::new(&decided.x, decided.arm, 0.0, decided.propensity);
        if let Err(refused) = example.validate(self.policy.arms(), self.policy.dim()) {
            return Applied::Refused(refused);
        }
        if self.open.len() >= self.limits.open {
            self.evict();
        }
        let (x, arm, propensity) = (decided.x.clone().into(), decided.arm, decided.propensity);
        self.open.insert(decided.id, Open { x, arm, propensity, rewards: Vec::new() });
        self.enqueue(decided.at, decided.id);
        self.counters.opened += 1;
        let waiting = self.early.remove(&decided.id).unwrap_or_default();
        if waiting.is_empty() {
            return Applied::Opened;
        }
        self.early_queue.retain(|&(_, id, _)| id != decided.id);
        let learned = self.counters.learned;
        for rewarded in &waiting {
            match self.rewarded(rewarded) {
                Applied::Refused(_) => self.counters.refused += 1,
                Applied::Closed => self.counters.closed += 1,
                _ => {}
            }
        }
        Applied::OpenedAndLearned { rewards: (self.counters.learned - learned) as usize }
    }

    fn rewarded(&mut self, rewarded: &Rewarded) -> Applied {
        let Some(open) = self.open.get_mut(&rewarded.decision) else {
            return self.keep_early(rewarded);
        };
        if open.rewards.contains(&rewarded.id) {
            return Applied::Duplicate;
        }
        if open.rewards.len() >= MOST_REWARDS {
            return Applied::Closed;
        }
        let example = Example {
            x: &open.x,
            arm: open.arm,
            reward: rewarded.value,
            propensity: open.propensity,
            weight: rewarded.weight,
        };
        match self.policy.update(&example) {
            Ok(()) => {
                open.rewards.push(rewarded.id);
                self.counters.learned += 1;
                Applied::Learned { arm: open.arm }
            }
            Err(refused) => Applied::Refused(refused),
        }
    }

    fn keep_early(&mut self, rewarded: &Rewarded) -> Applied {
        let waiting = self.early.entry(rewarded.decision).or_default();
        if waiting.iter().any(|other| other.id == rewarded.id) {
            return Applied::Duplicate;
        }
        waiting.push(*rewarded);
        self.early_queue.push_back((self.now, rewarded.decision, rewarded.id));
        self.counters.early += 1;
        if self.early_queue.len() > self.limits.early {
            self.drop_early();
        }
        Applied::Early
    }

    /// Keeps the queue in the order of decision times, later arrivals last among equals.
    fn enqueue(&mut self, at: u64, id: DecisionId) {
        let place = self.queue.partition_point(|&(other, _)| other <= at);
        self.queue.insert(place, (at, id));
    }

    fn expire(&mut self) {
        let deadline = self.limits.deadline;
        while let Some(&(at, _)) = self.queue.front()
            && at.saturating_add(deadline) <= self.now
        {
            self.counters.expired += 1;
            self.close_oldest();
        }
        while let Some(&(at, ..)) = self.early_queue.front()
            && at.saturating_add(deadline) <= self.now
        {
            self.drop_early();
        }
    }

    fn evict(&mut self) {
        if let Some(&(at, _)) = self.queue.front() {
            // All decisions of that millisecond count as closed: none may come back.
            self.closed_until = self.closed_until.max(at.saturating_add(1));
            while let Some(&(other, _)) = self.queue.front()
                && other == at
            {
                self.counters.evicted += 1;
                self.close_oldest();
            }
        }
    }

    fn close_oldest(&mut self) {
        if let Some((_, id)) = self.queue.pop_front()
            && let Some(open) = self.open.remove(&id)
            && open.rewards.is_empty()
        {
            self.counters.unanswered += 1;
        }
    }

    fn drop_early(&mut self) {
        if let Some((_, decision, id)) = self.early_queue.pop_front()
            && let Some(waiting) = self.early.get_mut(&decision)
        {
            waiting.retain(|rewarded| rewarded.id != id);
            if waiting.is_empty() {
                self.early.remove(&decision);
            }
            self.counters.unmatched += 1;
        }
    }
}
