//! The records of a learner's log and their ids.

use std::hash::{BuildHasher, Hasher};

use serde::{Deserialize, Serialize};

use crate::rng::mix;

/// Names one decision for ever, such as the bits of a UUID or ULID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DecisionId(pub u128);

/// Names one reward among those of its decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RewardId(pub u128);

/// A record of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// A decision was made.
    Decided(Decided),
    /// A reward came.
    Rewarded(Rewarded),
}

/// A decision: all that learning from its reward will need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// Its id.
    pub id: DecisionId,
    /// When, in milliseconds of any epoch that the whole log shares.
    pub at: u64,
    /// The context it was made in.
    pub x: Vec<f64>,
    /// The arm chosen.
    pub arm: usize,
    /// The probability the arm was chosen with.
    pub propensity: f64,
}

/// A reward.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rewarded {
    /// The decision it is for.
    pub decision: DecisionId,
    /// Its own id: a repeat carries the same.
    pub id: RewardId,
    /// When it came, in milliseconds.
    pub at: u64,
    /// The reward, in [0, 1].
    pub value: f64,
    /// How much it counts, in (0, 1].
    pub weight: f64,
}

impl Record {
    /// When the record was made, in milliseconds.
    pub const fn at(&self) -> u64 {
        match self {
            Self::Decided(decided) => decided.at,
            Self::Rewarded(rewarded) => rewarded.at,
        }
    }
}

/// Hashes ids the same way in every process.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct IdHash;

/// The hasher of [`IdHash`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct IdHasher(u64);

impl BuildHasher for IdHash {
    type Hasher = IdHasher;

    fn build_hasher(&self) -> IdHasher {
        IdHasher::default()
    }
}

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.0 = mix(self.0 ^ u64::from(byte)));
    }

    fn write_u128(&mut self, value: u128) {
        self.0 = mix(mix(self.0 ^ value as u64) ^ (value >> 64) as u64);
    }
}
