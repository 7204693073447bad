//! From shadow to canary to promotion or withdrawal, as a pure state machine.
//!
//! A candidate is first only watched (shadow: it chooses, nobody acts on it, so it has no reward
//! and none is made up), then serves a share of the units (canary), and is promoted or withdrawn
//! by evidence that stays valid however often one looks. Units are allocated by a sticky hash.

use serde::{Deserialize, Serialize};

use super::race::{Clip, Range};
use super::{Betting, level};
use crate::error::{InvalidConfig, Refused};
use crate::rng::mix;

/// How an experiment is run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Shadow decisions before the first unit is served, default 500.
    pub shadow: u64,
    /// Most shadow decisions that may fail before the experiment is withdrawn, default 5.
    pub shadow_failures: u64,
    /// Share of units served by all candidates together, in (0, 1), default 0.1.
    pub share: f64,
    /// Probability of promoting a candidate that is not better, default 0.05.
    pub promote_alpha: f64,
    /// Probability of withdrawing a candidate that is not worse, default 0.05.
    pub withdraw_alpha: f64,
    /// Comparisons after which a candidate that is neither is withdrawn, default 100,000.
    pub patience: u64,
    /// Range of the rewards, default [0, 1].
    pub range: Range,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            shadow: 500,
            shadow_failures: 5,
            share: 0.1,
            promote_alpha: 0.05,
            withdraw_alpha: 0.05,
            patience: 100_000,
            range: Range::UNIT,
        }
    }
}

/// Where a candidate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Watched, not served.
    Shadow,
    /// Serving its share.
    Canary,
    /// Proven better than the control.
    Promoted,
    /// Out.
    Withdrawn(Reason),
}

/// Why a candidate is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It failed too often in the shadow.
    Failures,
    /// It is proven worse.
    Worse,
    /// It ran its course without being proven better.
    Inconclusive,
    /// Another candidate was promoted.
    Overtaken,
    /// It would have won, but rewards outside the declared range were clipped in its favour.
    Clipped,
}

/// Who serves a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Allocation {
    /// The version in use.
    Control,
    /// Candidate of this index.
    Candidate(usize),
}

/// What is known about a candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Where it stands.
    pub phase: Phase,
    /// Shadow decisions watched.
    pub shadowed: u64,
    /// Of those, how many chose as the control did.
    pub agreed: u64,
    /// Of those, how many failed.
    pub failed: u64,
    /// Rewards it earned itself.
    pub rewards: u64,
    /// Their mean, in the units of the range; `None` before the first.
    pub mean: Option<f64>,
    /// Evidence that it is better, 1 at the start; promoted at candidates/α.
    pub better: f64,
    /// Evidence that it is worse, 1 at the start; withdrawn at 1/α.
    pub worse: f64,
    /// Rewards outside the declared range.
    pub clipped: u64,
}

/// One experiment: a control and one or more candidates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    settings: Settings,
    salt: u64,
    candidates: Vec<Candidate>,
    control: Sums,
    control_lowered: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Sums {
    n: u64,
    sum: f64,
}

impl Sums {
    fn push(&mut self, value: f64) {
        self.n += 1;
        self.sum += value;
    }

    fn mean(self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.n as f64)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Candidate {
    phase: Phase,
    shadowed: u64,
    agreed: u64,
    failed: u64,
    total: Sums,
    /// Rewards of candidate and control since the last comparison.
    block: Sums,
    control_block: Sums,
    comparisons: u64,
    better: Betting,
    worse: Betting,
    raised: u64,
    lowered: u64,
}

impl Experiment {
    /// An experiment with `candidates` candidates, at least 1. `salt` separates its allocation
    /// from those of other experiments.
    ///
    /// # Errors
    ///
    /// When a setting is out of range.
    pub fn new(candidates: usize, salt: u64, settings: Settings) -> Result<Self, InvalidConfig> {
        if candidates == 0 {
            return Err(InvalidConfig::new("candidates", "must be at least 1"));
        }
        if !(settings.share > 0.0 && settings.share < 1.0) {
            return Err(InvalidConfig::new("share", "must be above 0 and below 1"));
        }
        level(settings.promote_alpha)?;
        level(settings.withdraw_alpha)?;
        settings.range.validate()?;
        let fresh = Candidate {
            phase: if settings.shadow == 0 { Phase::Canary } else { Phase::Shadow },
            shadowed: 0,
            agreed: 0,
            failed: 0,
            total: Sums::default(),
            block: Sums::default(),
            control_block: Sums::default(),
            comparisons: 0,
            better: Betting::default(),
            worse: Betting::default(),
            raised: 0,
            lowered: 0,
        };
        let candidates = vec![fresh; candidates];
        Ok(Self { settings, salt, candidates, control: Sums::default(), control_lowered: 0 })
    }

    /// Who serves `unit` (a user, a session): always the same as long as nobody's phase changes.
    pub fn allocate(&self, unit: &str) -> Allocation {
        let mut hash = mix(self.salt);
        for byte in unit.bytes() {
            hash = mix(hash ^ u64::from(byte));
        }
        let u = (hash >> 11) as f64 / 9_007_199_254_740_992.0;
        let slot = (u / self.settings.share * self.candidates.len() as f64) as usize;
        match self.candidates.get(slot) {
            Some(candidate) if candidate.phase == Phase::Canary => Allocation::Candidate(slot),
            _ => Allocation::Control,
        }
    }

    /// Takes what a candidate would have done while only watched. There is no reward to it: the
    /// control acted.
    pub fn shadowed(&mut self, candidate: usize, agreed: bool, failed: bool) {
        let settings = self.settings;
        let Some(c) = self.candidates.get_mut(candidate) else { return };
        if c.phase != Phase::Shadow {
            return;
        }
        c.shadowed += 1;
        c.agreed += u64::from(agreed);
        c.failed += u64::from(failed);
        if c.failed > settings.shadow_failures {
            c.phase = Phase::Withdrawn(Reason::Failures);
        } else if c.shadowed >= settings.shadow {
            c.phase = Phase::Canary;
        }
    }

    /// Takes a reward of whoever served.
    ///
    /// # Errors
    ///
    /// [`Refused`] for an unknown candidate or a reward that is not finite; nothing changed.
    pub fn reward(&mut self, served: Allocation, reward: f64) -> Result<(), Refused> {
        let (scaled, clip) = self.settings.range.scale(reward)?;
        match served {
            Allocation::Control => {
                self.control.push(scaled);
                self.control_lowered += u64::from(clip == Clip::Lowered);
                for index in 0..self.candidates.len() {
                    self.candidates[index].control_block.push(scaled);
                    self.settle(index);
                }
            }
            Allocation::Candidate(index) => {
                let arms = self.candidates.len();
                let c = self.candidates.get_mut(index);
                let c = c.ok_or(Refused::UnknownArm { arm: index, arms })?;
                c.total.push(scaled);
                c.block.push(scaled);
                c.raised += u64::from(clip == Clip::Raised);
                c.lowered += u64::from(clip == Clip::Lowered);
                self.settle(index);
            }
        }
        Ok(())
    }

    /// Compares the means of a block once both sides have rewards in it. When a block ends
    /// depends only on who served, never on what was earned, so the difference is fair.
    fn settle(&mut self, index: usize) {
        let (settings, arms) = (self.settings, self.candidates.len() as f64);
        let clipped_rival = self.control_lowered;
        let c = &mut self.candidates[index];
        if c.phase != Phase::Canary {
            (c.block, c.control_block) = (Sums::default(), Sums::default());
            return;
        }
        let (Some(own), Some(control)) = (c.block.mean(), c.control_block.mean()) else { return };
        (c.block, c.control_block) = (Sums::default(), Sums::default());
        c.comparisons += 1;
        c.better.push(own - control);
        c.worse.push(control - own);
        if c.better.capital() >= arms / settings.promote_alpha {
            if c.raised + clipped_rival > 0 {
                c.phase = Phase::Withdrawn(Reason::Clipped);
            } else {
                c.phase = Phase::Promoted;
                self.overtake(index);
            }
        } else if c.worse.capital() >= 1.0 / settings.withdraw_alpha {
            c.phase = Phase::Withdrawn(Reason::Worse);
        } else if c.comparisons >= settings.patience {
            c.phase = Phase::Withdrawn(Reason::Inconclusive);
        }
    }

    fn overtake(&mut self, winner: usize) {
        for (index, c) in self.candidates.iter_mut().enumerate() {
            if index != winner && matches!(c.phase, Phase::Shadow | Phase::Canary) {
                c.phase = Phase::Withdrawn(Reason::Overtaken);
            }
        }
    }

    /// What is known about a candidate; `None` for an unknown one.
    pub fn standing(&self, candidate: usize) -> Option<Standing> {
        let range = self.settings.range;
        self.candidates.get(candidate).map(|c| Standing {
            phase: c.phase,
            shadowed: c.shadowed,
            agreed: c.agreed,
            failed: c.failed,
            rewards: c.total.n,
            mean: c.total.mean().map(|mean| range.low + mean * (range.high - range.low)),
            better: c.better.capital(),
            worse: c.worse.capital(),
            clipped: c.raised + c.lowered,
        })
    }

    /// Rewards of the control and their mean in the units of the range.
    pub fn control(&self) -> (u64, Option<f64>) {
        let range = self.settings.range;
        let mean = self.control.mean().map(|mean| range.low + mean * (range.high - range.low));
        (self.control.n, mean)
    }
}
