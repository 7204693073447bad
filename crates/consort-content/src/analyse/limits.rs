//! How deep an analysis goes: the one table of limits per depth.

use std::fmt;

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

impl fmt::Display for Depth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quick => "quick",
            Self::Standard => "standard",
            Self::Deep => "deep",
        })
    }
}

/// What one depth allows. Where a list is cut by these, the report says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// MiB of text analysed; what follows is left out, and the report is degraded.
    pub text_mib: usize,
    /// Sentences of the summary.
    pub summary_sentences: usize,
    /// Sentences compared with each other for the summary; the most central ones are chosen first.
    pub summary_graph: usize,
    /// Key phrases.
    pub key_phrases: usize,
    /// Topics.
    pub topics: usize,
    /// Entities of each kind.
    pub entities_per_kind: usize,
    /// Mentions listed per entity or topic.
    pub mentions: usize,
    /// Points of the sentiment curve.
    pub curve_points: usize,
    /// Claims.
    pub claims: usize,
    /// Claims that a verifier looks up.
    pub claims_checked: usize,
    /// Rhetoric cues.
    pub rhetoric: usize,
    /// Quotations.
    pub quotes: usize,
    /// Link targets.
    pub links: usize,
    /// Dated anchors of the timeline.
    pub timeline: usize,
    /// Chapters of a recording.
    pub chapters: usize,
    /// Newest earlier reports that are compared with this text.
    pub earlier_reports: usize,
}

impl Limits {
    /// [`Limits::text_mib`] in bytes.
    #[must_use]
    pub const fn text_bytes(&self) -> usize {
        self.text_mib << 20
    }
}

impl Depth {
    /// The limits of this depth: all that a depth changes.
    #[must_use]
    pub const fn limits(self) -> Limits {
        let [quick, standard, deep] = TABLE;
        match self {
            Self::Quick => quick,
            Self::Standard => standard,
            Self::Deep => deep,
        }
    }
}

#[rustfmt::skip]
const TABLE: [Limits; 3] = {
    const fn row(v: [usize; 16]) -> Limits {
        let [text_mib, summary_sentences, summary_graph, key_phrases, topics, entities_per_kind, mentions, curve_points, claims, claims_checked, rhetoric, quotes, links, timeline, chapters, earlier_reports] = v;
        Limits { text_mib, summary_sentences, summary_graph, key_phrases, topics, entities_per_kind, mentions, curve_points, claims, claims_checked, rhetoric, quotes, links, timeline, chapters, earlier_reports }
    }
    [
        //  text summary  graph  phrases topics entities mentions curve claims checked rhetoric quotes links timeline chapters earlier
        row([  1,   3,    100,     10,     3,     10,      6,     20,     5,      3,      20,    10,    20,     10,       6,    100]),
        row([  4,   5,    300,     20,     5,     30,     24,     60,    20,      5,     200,    60,   200,     50,      12,   1000]),
        row([  6,  10,   1000,     40,    10,    200,    200,    200,   100,     20,    2000,  1000,  5000,    500,      24,   4000]),
    ]
};
