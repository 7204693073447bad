//! How deep an analysis goes: the one table of limits per depth.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much is looked for and how much is reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// Enough for a first look.
    Quick,
    /// A full report without a model.
    #[default]
    Standard,
    /// As standard, with longer lists and a larger summary graph.
    Deep,
}

/// What one depth allows. Lists longer than these are cut, and the report says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// Sentences of the summary.
    pub summary_sentences: usize,
    /// Sentences compared with each other for the summary; the most central ones are chosen first.
    pub summary_graph: usize,
    /// Key phrases.
    pub key_phrases: usize,
    /// Points of the sentiment curve.
    pub curve_points: usize,
    /// Claims.
    pub claims: usize,
}

impl Depth {
    /// The limits of this depth: all that a depth changes.
    #[must_use]
    pub const fn limits(self) -> Limits {
        match self {
            Self::Quick => Limits {
                summary_sentences: 3,
                summary_graph: 100,
                key_phrases: 10,
                curve_points: 12,
                claims: 5,
            },
            Self::Standard => Limits {
                summary_sentences: 5,
                summary_graph: 300,
                key_phrases: 20,
                curve_points: 60,
                claims: 20,
            },
            Self::Deep => Limits {
                summary_sentences: 10,
                summary_graph: 1000,
                key_phrases: 40,
                curve_points: 200,
                claims: 100,
            },
        }
    }
}
