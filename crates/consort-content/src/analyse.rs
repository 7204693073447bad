//! What a document says: findings computed from its text, each with a span.
//!
//! [`analyse`] computes everything; [`analyse_parts`] computes some of it, so that a caller may run
//! parts side by side and [`merge`] them. Both are pure and linear in the length of the text.

mod claims;
mod index;
mod key_phrases;
mod lexicon;
mod limits;
mod place;
mod readability;
mod sentiment;
mod summary;
mod syllables;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use claims::{Claim, Feature};
pub use key_phrases::KeyPhrase;
pub use limits::{Depth, Limits};
pub use place::Place;
pub use readability::Readability;
pub use sentiment::{CurvePoint, Extreme, LABEL_BOUND, Label, Sentiment};
pub use summary::{Summary, SummarySentence};

use crate::document::{Document, Sentence};
use crate::language::{self, Language};
use crate::sentence::sentences;
use index::Index;

/// What to compute and in which language.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Options {
    /// How deep to go.
    pub depth: Depth,
    /// Language of the text; detected from it when absent.
    pub language: Option<Language>,
}

/// A part of the analysis that can be computed on its own.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Extractive summary.
    Summary,
    /// Key phrases.
    KeyPhrases,
    /// Sentiment overall and along the text.
    Sentiment,
    /// Readability scores.
    Readability,
    /// Check-worthy claims.
    Claims,
}

impl Part {
    /// Every part, in the order of a report.
    pub const ALL: &[Self] =
        &[Self::Summary, Self::KeyPhrases, Self::Sentiment, Self::Readability, Self::Claims];
}

/// What one part found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "part", content = "found", rename_all = "snake_case")]
pub enum PartFindings {
    /// Extractive summary.
    Summary(Option<Summary>),
    /// Key phrases, best first.
    KeyPhrases(Vec<KeyPhrase>),
    /// Sentiment.
    Sentiment(Option<Sentiment>),
    /// Readability.
    Readability(Option<Readability>),
    /// Claims, most check-worthy first.
    Claims(Vec<Claim>),
    /// The part was not computed.
    NotDone(NotDone),
}

/// Something a report does not hold, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotDone {
    /// What is missing, as a reader would name it.
    pub what: String,
    /// Why.
    pub why: String,
    /// What would make it possible, where anything would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// Everything found in a document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Findings {
    /// Language the analysis went by; none only in an empty value.
    pub language: Option<Language>,
    /// Words and numbers in the text.
    pub words: u64,
    /// Sentences in the text.
    pub sentences: u64,
    /// Extractive summary.
    pub summary: Option<Summary>,
    /// Key phrases, best first.
    pub key_phrases: Vec<KeyPhrase>,
    /// Sentiment.
    pub sentiment: Option<Sentiment>,
    /// Readability.
    pub readability: Option<Readability>,
    /// Claims, most check-worthy first.
    pub claims: Vec<Claim>,
    /// What was not computed, and why.
    pub not_done: Vec<NotDone>,
}

/// Analyses `doc` in every part: detects its language, cuts it into sentences, computes, merges.
#[must_use]
pub fn analyse(doc: &Document, options: &Options) -> Findings {
    let sentences = sentences(doc);
    let language = spoken(doc, options);
    let index = Index::new(doc, &sentences, language.is_english());
    let limits = options.depth.limits();
    merge(
        &counted(&index, &language),
        Part::ALL.iter().map(|part| compute(*part, &index, &language, &limits)),
    )
}

/// Computes some parts of the analysis, preparing the text once for all of them.
#[must_use]
pub fn analyse_parts(
    parts: &[Part],
    doc: &Document,
    sentences: &[Sentence],
    options: &Options,
) -> Vec<PartFindings> {
    let language = spoken(doc, options);
    let index = Index::new(doc, sentences, language.is_english());
    let limits = options.depth.limits();
    parts.iter().map(|part| compute(*part, &index, &language, &limits)).collect()
}

/// Computes one part of the analysis.
#[must_use]
pub fn analyse_part(
    part: Part,
    doc: &Document,
    sentences: &[Sentence],
    options: &Options,
) -> PartFindings {
    let language = spoken(doc, options);
    compute(
        part,
        &Index::new(doc, sentences, language.is_english()),
        &language,
        &options.depth.limits(),
    )
}

/// Counts and language of the text: the frame that [`merge`] fills.
#[must_use]
pub fn facts(doc: &Document, sentences: &[Sentence], options: &Options) -> Findings {
    let language = spoken(doc, options);
    counted(&Index::new(doc, sentences, language.is_english()), &language)
}

/// Adds parts to `facts`.
#[must_use]
pub fn merge(facts: &Findings, parts: impl IntoIterator<Item = PartFindings>) -> Findings {
    let mut all = facts.clone();
    for part in parts {
        match part {
            PartFindings::Summary(found) => all.summary = found,
            PartFindings::KeyPhrases(found) => all.key_phrases = found,
            PartFindings::Sentiment(found) => all.sentiment = found,
            PartFindings::Readability(found) => all.readability = found,
            PartFindings::Claims(found) => all.claims = found,
            PartFindings::NotDone(gap) => note(&mut all.not_done, gap),
        }
    }
    all
}

/// Adds a gap; gaps with one reason share one entry.
fn note(gaps: &mut Vec<NotDone>, gap: NotDone) {
    match gaps.iter_mut().find(|known| known.why == gap.why && known.remedy == gap.remedy) {
        Some(known) => {
            known.what.push_str(", ");
            known.what.push_str(&gap.what.to_lowercase());
        }
        None => gaps.push(gap),
    }
}

fn spoken(doc: &Document, options: &Options) -> Language {
    options.language.clone().unwrap_or_else(|| language::detect(&doc.text))
}

fn counted(index: &Index<'_>, language: &Language) -> Findings {
    Findings {
        language: Some(language.clone()),
        words: index.words() as u64,
        sentences: index.len() as u64,
        ..Findings::default()
    }
}

fn compute(part: Part, index: &Index<'_>, language: &Language, limits: &Limits) -> PartFindings {
    if let Some(gap) = missing_language(part, language) {
        return PartFindings::NotDone(gap);
    }
    match part {
        Part::Summary => PartFindings::Summary(summary::find(index, limits)),
        Part::KeyPhrases => PartFindings::KeyPhrases(key_phrases::find(index, limits)),
        Part::Sentiment => {
            PartFindings::Sentiment(sentiment::find(index, &sentiment::compounds(index), limits))
        }
        Part::Readability => PartFindings::Readability(readability::find(index)),
        Part::Claims => PartFindings::Claims(claims::find(index, limits)),
    }
}

/// Why `part` cannot be computed in this language, if it cannot.
fn missing_language(part: Part, language: &Language) -> Option<NotDone> {
    let what = match part {
        Part::Summary => return None,
        Part::KeyPhrases => "Key phrases",
        Part::Sentiment => "Sentiment",
        Part::Readability => "Readability",
        Part::Claims => "Claims",
    };
    if language.is_english() {
        return None;
    }
    let why = if language.confidence < 0.5 {
        "The rules and word lists needed are English, and the language of this text is not certain."
            .to_owned()
    } else {
        format!("The rules and word lists needed are English; this text is in {}.", language.name)
    };
    Some(NotDone { what: what.to_owned(), why, remedy: None })
}

#[cfg(test)]
mod tests;
