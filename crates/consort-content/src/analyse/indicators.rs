//! Word rates that research has linked, weakly, to deceptive accounts.
//!
//! These are rates, not a judgement: no threshold, no sum, nothing about a person. The directions are those of
//! the meta-analysis by Hauch, Blandón-Gitlin, Masip and Sporer (2014; 44 studies, 79 cues), whose effects are small.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::index::Index;
use super::lexicon::Class;

/// How often a class of words occurs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Indicator {
    /// What is counted.
    pub name: String,
    /// Occurrences.
    pub count: u32,
    /// Occurrences per 100 words.
    pub per_100_words: f64,
    /// What the literature found on average, and how firm that is.
    pub weakness: String,
}

/// Words below which rates are too rough to print.
const MIN_WORDS: usize = 200;

const COUNTED: [(&str, Class, &str); 4] = [
    (
        "Negative emotion words",
        Class::NEGATIVE,
        "Slightly more frequent in deceptive accounts on average; bad news and grief raise it as well.",
    ),
    (
        "References to oneself",
        Class::SELF,
        "Slightly less frequent in deceptive accounts on average; official style lowers it as well.",
    ),
    (
        "Words of seeing, hearing and feeling",
        Class::SENSORY,
        "Slightly less frequent in deceptive accounts on average; abstract subjects lower it as well.",
    ),
    (
        "Words of thinking and knowing",
        Class::COGNITIVE,
        "Slightly less frequent in deceptive accounts on average; plain reports of facts lower it as well.",
    ),
];

/// Rates for texts of at least [`MIN_WORDS`] words.
pub(crate) fn find(index: &Index<'_>) -> Vec<Indicator> {
    let words = index.words();
    if words < MIN_WORDS {
        return Vec::new();
    }
    let indicator = |(name, class, weakness): (&str, Class, &str)| {
        let count = index.tokens.iter().filter(|token| index.is(token, class)).count();
        let rate = count as f64 * 100.0 / words as f64;
        Indicator {
            name: name.to_owned(),
            count: count as u32,
            per_100_words: (rate * 100.0).round() / 100.0,
            weakness: weakness.to_owned(),
        }
    };
    COUNTED.into_iter().map(indicator).collect()
}
