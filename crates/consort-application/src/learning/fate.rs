//! What became of a record, and the counters of that.

use consort_core::learning::{Record, Source};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What became of a record once it was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// A decision that now waits for rewards.
    Opened,
    /// A reward that taught a policy.
    Learned,
    /// A signal about a component: its health learned, no policy did.
    Observed,
    /// A reward whose decision is not known yet; kept until its deadline.
    Early,
    /// The same one came before.
    Duplicate,
    /// The decision takes no more rewards.
    Closed,
    /// A failure that says nothing about the arm: not charged.
    Excused,
    /// Nobody learns from such a signal.
    Unconsumed,
    /// Values that no learner may see, or more arms or domains than allowed.
    Refused,
    /// A change of policy that was carried out.
    Changed,
    /// Applied before: a replay after a restart.
    Behind,
}

/// How often each fate came. Every accepted signal is in exactly one of `learned`, `observed`,
/// `early`, `duplicate`, `closed`, `excused`, `unconsumed` and `refused`; one that was early
/// counts in `learned_late` or `unmatched` later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Totals {
    /// Signals on record.
    pub signals: u64,
    /// Of these, by source, in the order of [`Source::ALL`].
    pub by_source: [u64; 7],
    /// Signals that taught a policy at once.
    pub learned: u64,
    /// Rewards that had come before their decision and taught a policy later.
    pub learned_late: u64,
    /// Signals that only health learned from.
    pub observed: u64,
    /// Signals that came before their decision.
    pub early: u64,
    /// Early rewards whose decision never came.
    pub unmatched: u64,
    /// Repeats.
    pub duplicate: u64,
    /// Signals for decisions that take no more.
    pub closed: u64,
    /// Failures not charged to the arm.
    pub excused: u64,
    /// Signals that nobody learns from.
    pub unconsumed: u64,
    /// Signals with values no learner may see.
    pub refused: u64,
    /// Decisions on record.
    pub decisions: u64,
    /// Of these, repeats.
    pub decisions_repeated: u64,
    /// Of these, refused: closed, or too many arms or domains.
    pub decisions_refused: u64,
    /// Policy changes carried out.
    pub changes: u64,
    /// Policy changes refused.
    pub changes_refused: u64,
}

impl Totals {
    pub(super) fn count(&mut self, record: &Record, fate: Fate) {
        match record {
            Record::Made(_) => {
                self.decisions += 1;
                match fate {
                    Fate::Opened => {}
                    Fate::Duplicate => self.decisions_repeated += 1,
                    _ => self.decisions_refused += 1,
                }
            }
            Record::Policy { .. } if fate == Fate::Changed => self.changes += 1,
            Record::Policy { .. } => self.changes_refused += 1,
            Record::Feedback(feedback) => {
                self.signals += 1;
                let source = Source::ALL.iter().position(|source| *source == feedback.source);
                self.by_source[source.unwrap_or(0)] += 1;
                let counter = match fate {
                    Fate::Learned => &mut self.learned,
                    Fate::Observed => &mut self.observed,
                    Fate::Early => &mut self.early,
                    Fate::Duplicate => &mut self.duplicate,
                    Fate::Closed => &mut self.closed,
                    Fate::Excused => &mut self.excused,
                    Fate::Unconsumed => &mut self.unconsumed,
                    Fate::Refused | Fate::Opened | Fate::Changed | Fate::Behind => {
                        &mut self.refused
                    }
                };
                *counter += 1;
            }
        }
    }
}
