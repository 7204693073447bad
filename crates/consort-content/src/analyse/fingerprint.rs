//! Near-duplicates: a short fingerprint of a text that can be compared with those of earlier texts.
//!
//! A bottom-k sketch (Broder 1997; Cohen and Kaplan 2007) of the text's word triples estimates how much two
//! texts share; a `SimHash` (Charikar 2002) of its words is small enough to look up.

use std::collections::{BTreeSet, HashSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::index::Index;

/// Hashes kept: the standard error of an estimate near 0.5 is 0.044.
const SKETCH: usize = 128;
/// Words per shingle.
const SHINGLE: usize = 3;

/// A comparable digest of a text. Equal on every machine and in every version that writes the same `form`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fingerprint {
    /// Version of the hashing: only fingerprints of one form can be compared.
    pub form: u32,
    /// `SimHash` of the words, 16 hexadecimal digits.
    pub simhash: String,
    /// The smallest distinct hashes of three-word runs, ascending, 16 hexadecimal digits each.
    pub sketch: Vec<String>,
}

/// How alike two texts are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Likeness {
    /// Estimated share of three-word runs that the texts have in common (Jaccard), 0 to 1.
    pub shared: f64,
    /// Bits in which the `SimHash`es differ, 0 to 64; 3 or fewer in near-duplicates.
    pub bits: u32,
}

/// An earlier text that is nearly this one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NearDuplicate {
    /// The earlier report: the id of its run.
    pub report: String,
    /// What it was about: its title, else its path or address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// When it was made (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<String>,
    /// How alike the two texts are.
    pub likeness: Likeness,
}

/// Share of common runs from which a text counts as a near-duplicate.
pub const NEAR: f64 = 0.5;

/// The fingerprint, or nothing for a text of fewer words than a shingle.
pub(crate) fn find(index: &Index<'_>) -> Option<Fingerprint> {
    let hashes: Vec<u64> =
        index.vocabulary.iter().map(|entry| fnv1a(entry.text.as_bytes())).collect();
    let mut counts = vec![0_u32; hashes.len()];
    let words: Vec<u64> = index
        .tokens
        .iter()
        .filter(|token| token.is_wordlike())
        .map(|token| {
            counts[token.word as usize] += 1;
            hashes[token.word as usize]
        })
        .collect();
    if words.len() < SHINGLE {
        return None;
    }
    let mut smallest = BTreeSet::new();
    for run in words.windows(SHINGLE) {
        let hash = run.iter().fold(0_u64, |hash, word| mix(hash.rotate_left(21) ^ word));
        let enters =
            smallest.len() < SKETCH || smallest.last().is_some_and(|largest| hash < *largest);
        if enters && smallest.insert(hash) && smallest.len() > SKETCH {
            smallest.pop_last();
        }
    }
    let mut balance = [0.0_f64; 64];
    for (hash, count) in
        hashes.iter().map(|hash| mix(*hash)).zip(&counts).filter(|(_, count)| **count > 0)
    {
        let weight = (1.0 + f64::from(*count)).ln();
        for (bit, sum) in balance.iter_mut().enumerate() {
            *sum += if hash >> bit & 1 == 1 { weight } else { -weight };
        }
    }
    let simhash = balance
        .iter()
        .enumerate()
        .fold(0_u64, |bits, (bit, sum)| bits | u64::from(*sum > 0.0) << bit);
    let sketch = smallest.iter().map(|hash| format!("{hash:016x}")).collect();
    Some(Fingerprint { form: 1, simhash: format!("{simhash:016x}"), sketch })
}

impl Fingerprint {
    /// How alike the two texts are; nothing when the fingerprints are of different forms or damaged.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Option<Likeness> {
        if self.form != other.form || self.sketch.is_empty() || other.sketch.is_empty() {
            return None;
        }
        let bits = |print: &Self| u64::from_str_radix(&print.simhash, 16).ok();
        let differing = (bits(self)? ^ bits(other)?).count_ones();
        let (ours, theirs): (HashSet<&str>, HashSet<&str>) = (
            self.sketch.iter().map(String::as_str).collect(),
            other.sketch.iter().map(String::as_str).collect(),
        );
        // Fixed width: alphabetical order is numerical order.
        let union: BTreeSet<&str> = ours.union(&theirs).copied().collect();
        let size = if ours.len() < SKETCH && theirs.len() < SKETCH {
            union.len()
        } else {
            SKETCH.min(union.len())
        };
        let both = union
            .iter()
            .take(size)
            .filter(|hash| ours.contains(*hash) && theirs.contains(*hash))
            .count();
        Some(Likeness { shared: both as f64 / size as f64, bits: differing })
    }

    /// How alike the two texts are, when that is enough to call them near-duplicates.
    #[must_use]
    pub fn near(&self, other: &Self) -> Option<Likeness> {
        self.compare(other).filter(|likeness| likeness.shared >= NEAR)
    }
}

/// FNV-1a, 64 bit.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood 2014).
fn mix(mut hash: u64) -> u64 {
    hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ hash >> 31
}
