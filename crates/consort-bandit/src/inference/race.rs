//! Which of several arms is best, by pairwise bets on a declared reward range.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Betting, level};
use crate::error::{InvalidConfig, Refused};

/// Range the rewards are declared to lie in. Promotion is only as honest as this declaration:
/// a rare loss outside it would go unseen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Least reward.
    pub low: f64,
    /// Largest reward, above `low`.
    pub high: f64,
}

impl Range {
    /// Rewards in [0, 1].
    pub const UNIT: Self = Self { low: 0.0, high: 1.0 };

    pub(super) fn validate(self) -> Result<Self, InvalidConfig> {
        if self.low < self.high && (self.high - self.low).is_finite() {
            Ok(self)
        } else {
            Err(InvalidConfig::new("range", "must have a finite `low` below `high`"))
        }
    }

    /// The reward scaled to [0, 1], and how it had to be clipped.
    pub(super) fn scale(self, reward: f64) -> Result<(f64, Clip), Refused> {
        if !reward.is_finite() {
            return Err(Refused::Reward { value: reward });
        }
        let clip = match reward {
            r if r < self.low => Clip::Raised,
            r if r > self.high => Clip::Lowered,
            _ => Clip::None,
        };
        Ok((((reward - self.low) / (self.high - self.low)).clamp(0.0, 1.0), clip))
    }
}

/// What clipping did to a reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clip {
    None,
    /// It was below the range: the arm looks better than it is.
    Raised,
    /// It was above the range: the arm looks worse than it is.
    Lowered,
}

/// What a [`Race`] says so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No arm is proven best yet.
    Open,
    /// This arm is best; wrong with probability at most δ over the whole race.
    Best(usize),
    /// This arm would be best, but rewards outside the declared range were clipped in its
    /// favour: declare a wider range and start again.
    Clipped(usize),
}

/// Rewards of an arm that may wait for those of the others.
const MOST_WAITING: usize = 1024;

/// A race of arms that are played equally often.
///
/// For each ordered pair a [`Betting`] process collects evidence that the first beats the second.
/// An arm wins when its capital against every other reaches (K − 1)/δ. Declaring a wrong arm
/// needs false evidence against the truly best one, which for each of the K − 1 others happens
/// with probability at most δ/(K − 1).
#[derive(Clone, Debug, PartialEq)]
pub struct Race {
    arms: usize,
    threshold: f64,
    range: Range,
    bets: Vec<Betting>,
    waiting: Vec<VecDeque<f64>>,
    raised: Vec<u64>,
    lowered: Vec<u64>,
    rounds: u64,
}

impl Race {
    /// A race of `arms` arms, at least 2, with error probability `delta`.
    ///
    /// # Errors
    ///
    /// When a setting is out of range.
    pub fn new(arms: usize, delta: f64, range: Range) -> Result<Self, InvalidConfig> {
        if arms < 2 {
            return Err(InvalidConfig::new("arms", "must be at least 2"));
        }
        Ok(Self {
            arms,
            threshold: (arms - 1) as f64 / level(delta)?,
            range: range.validate()?,
            bets: vec![Betting::default(); arms * arms],
            waiting: vec![VecDeque::new(); arms],
            raised: vec![0; arms],
            lowered: vec![0; arms],
            rounds: 0,
        })
    }

    /// Takes a reward of `arm`. The i-th rewards of all arms are compared with each other.
    ///
    /// # Errors
    ///
    /// [`Refused`] for an unknown arm or a reward that is not finite; nothing changed.
    pub fn push(&mut self, arm: usize, reward: f64) -> Result<(), Refused> {
        if arm >= self.arms {
            return Err(Refused::UnknownArm { arm, arms: self.arms });
        }
        let (scaled, clip) = self.range.scale(reward)?;
        match clip {
            Clip::Raised => self.raised[arm] += 1,
            Clip::Lowered => self.lowered[arm] += 1,
            Clip::None => {}
        }
        // What waits is dropped by age alone, never by value, so comparisons stay fair.
        if self.waiting[arm].len() == MOST_WAITING {
            self.waiting[arm].pop_front();
        }
        self.waiting[arm].push_back(scaled);
        if self.waiting.iter().all(|queue| !queue.is_empty()) {
            self.compare();
        }
        Ok(())
    }

    fn compare(&mut self) {
        let row: Vec<f64> = self.waiting.iter_mut().filter_map(VecDeque::pop_front).collect();
        for (i, own) in row.iter().enumerate() {
            for (j, other) in row.iter().enumerate() {
                self.bets[i * self.arms + j].push(own - other);
            }
        }
        self.rounds += 1;
    }

    /// Rounds in which every arm was compared.
    pub const fn rounds(&self) -> u64 {
        self.rounds
    }

    /// Rewards of `arm` outside the range: below it, above it.
    pub fn clipped(&self, arm: usize) -> (u64, u64) {
        (self.raised[arm], self.lowered[arm])
    }

    /// Whether an arm is proven best.
    pub fn verdict(&self) -> Verdict {
        let beats = |i: usize, j: usize| self.bets[i * self.arms + j].capital() >= self.threshold;
        let best = (0..self.arms).find(|&i| (0..self.arms).all(|j| j == i || beats(i, j)));
        match best {
            None => Verdict::Open,
            Some(arm) => {
                let rivals = (0..self.arms).filter(|&j| j != arm).map(|j| self.lowered[j]);
                if self.raised[arm] + rivals.sum::<u64>() > 0 {
                    Verdict::Clipped(arm)
                } else {
                    Verdict::Best(arm)
                }
            }
        }
    }
}
