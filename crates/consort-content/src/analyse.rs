//! What a document says: findings computed from its text, each with a span.
//!
//! [`analyse`] computes everything; [`analyse_part`] and [`analyse_parts`] compute some of it, so that a caller may
//! run parts side by side and [`merge`] them. All are pure, deterministic and linear in the length of the text.
//!
//! ```
//! use consort_content::analyse::{Options, analyse};
//! use consort_content::{Document, Span};
//!
//! let text = "The authority closed the bridge at Marlow on Monday. Repairs will cost $3.2 million, it said.";
//! let doc = Document { text: text.into(), paragraphs: vec![Span::new(0, text.len())], ..Document::default() };
//! let findings = analyse(&doc, &Options::default());
//! let claim = &findings.claims[0];
//! assert_eq!(claim.place.span.of(&doc.text), claim.text);
//! ```

mod amounts;
mod calendar;
mod claims;
mod dates;
mod entities;
mod evidence;
mod fingerprint;
mod index;
mod indicators;
mod key_phrases;
#[cfg(test)]
mod labelled;
mod lexicon;
mod limits;
mod links;
mod names;
mod pattern;
mod place;
mod prepared;
mod quotes;
mod readability;
mod rhetoric;
mod rule_sets;
mod sentiment;
mod speakers;
mod summary;
mod syllables;
mod timeline;
mod topics;
pub mod verify;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use claims::{Claim, Feature};
pub use entities::{Entity, EntityKind};
pub use fingerprint::{Fingerprint, Likeness, NEAR, NearDuplicate};
pub use indicators::Indicator;
pub use key_phrases::KeyPhrase;
pub use limits::{Depth, Limits};
pub use links::{CitedSource, Host, LinkTarget, Links};
pub use place::Place;
pub use quotes::{Attribution, Basis, Quote};
pub use readability::Readability;
pub use rhetoric::RhetoricCue;
pub use rule_sets::{RuleSet, rule_sets};
pub use sentiment::{CurvePoint, Extreme, LABEL_BOUND, Label, Sentiment};
pub use speakers::Speaker;
pub use summary::{Summary, SummarySentence, SummaryStyle};
pub use timeline::{Anchor, When};
pub use topics::{Topic, TopicTerm};

use crate::document::{Document, Sentence};
use crate::language::{self, Language};
use crate::sentence::sentences;
use prepared::Prepared;

/// What to compute and in which language.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Options {
    /// How deep to go.
    pub depth: Depth,
    /// Language of the text; detected from it when absent.
    pub language: Option<Language>,
    /// What the summary favours.
    pub summary: SummaryStyle,
}

/// A part of the analysis that can be computed on its own.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Extractive summary.
    Summary,
    /// Claims ranked by check-worthiness.
    Claims,
    /// Key phrases.
    KeyPhrases,
    /// Topics.
    Topics,
    /// People, organisations, places, money, dates, quantities.
    Entities,
    /// Sentiment overall and along the text.
    Sentiment,
    /// Rhetoric cues.
    Rhetoric,
    /// Quotations and attributions.
    Quotes,
    /// Speakers' shares.
    Speakers,
    /// Dated events and chapters.
    Timeline,
    /// Links and cited sources.
    Links,
    /// Readability scores.
    Readability,
    /// Word rates weakly linked to deception.
    Indicators,
    /// Fingerprint for near-duplicates.
    Fingerprint,
}

impl Part {
    /// Every part, in the order of a report.
    pub const ALL: &[Self] = &[
        Self::Summary,
        Self::Claims,
        Self::KeyPhrases,
        Self::Topics,
        Self::Entities,
        Self::Sentiment,
        Self::Rhetoric,
        Self::Quotes,
        Self::Speakers,
        Self::Timeline,
        Self::Links,
        Self::Readability,
        Self::Indicators,
        Self::Fingerprint,
    ];
}

/// What one part found, and what it left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PartFindings {
    /// What was found.
    pub found: Found,
    /// What was left out, and why.
    pub not_done: Vec<NotDone>,
}

/// The result of one part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "part", content = "value", rename_all = "snake_case")]
pub enum Found {
    /// Extractive summary; none without an eligible sentence.
    Summary(Option<Summary>),
    /// Claims, most check-worthy first.
    Claims(Vec<Claim>),
    /// Key phrases, best first.
    KeyPhrases(Vec<KeyPhrase>),
    /// Topics, strongest first.
    Topics(Vec<Topic>),
    /// Entities by kind, most mentioned first.
    Entities(Vec<Entity>),
    /// Sentiment; none without a sentence.
    Sentiment(Option<Sentiment>),
    /// Rhetoric cues in text order.
    Rhetoric(Vec<RhetoricCue>),
    /// Quotations in text order.
    Quotes(Vec<Quote>),
    /// Speakers, most words first.
    Speakers(Vec<Speaker>),
    /// Anchors by date, then chapters by time.
    Timeline(Vec<Anchor>),
    /// Links and cited sources.
    Links(Links),
    /// Readability; none without a word.
    Readability(Option<Readability>),
    /// Word rates; none in short texts.
    Indicators(Vec<Indicator>),
    /// Fingerprint; none for fewer than three words.
    Fingerprint(Option<Fingerprint>),
    /// The part was not computed; `not_done` says why.
    Nothing,
}

/// Something a report does not hold, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotDone {
    /// What is missing, as a reader would name it.
    pub what: String,
    /// Why, in one sentence.
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
    /// Sentences whose ends were guessed, for want of punctuation.
    pub synthetic_sentences: u64,
    /// Extractive summary.
    pub summary: Option<Summary>,
    /// Claims, most check-worthy first.
    pub claims: Vec<Claim>,
    /// Key phrases, best first.
    pub key_phrases: Vec<KeyPhrase>,
    /// Topics, strongest first.
    pub topics: Vec<Topic>,
    /// Entities by kind, most mentioned first.
    pub entities: Vec<Entity>,
    /// Sentiment.
    pub sentiment: Option<Sentiment>,
    /// Rhetoric cues in text order.
    pub rhetoric: Vec<RhetoricCue>,
    /// Quotations in text order.
    pub quotes: Vec<Quote>,
    /// Speakers, most words first.
    pub speakers: Vec<Speaker>,
    /// Anchors by date, then chapters by time.
    pub timeline: Vec<Anchor>,
    /// Links and cited sources.
    pub links: Links,
    /// Readability.
    pub readability: Option<Readability>,
    /// Word rates that research has linked, weakly, to deception. Not a judgement.
    pub indicators: Vec<Indicator>,
    /// Fingerprint for near-duplicates.
    pub fingerprint: Option<Fingerprint>,
    /// What was not computed, and why.
    pub not_done: Vec<NotDone>,
}

/// Analyses `doc` in every part: detects its language, cuts it into sentences, computes, merges.
#[must_use]
pub fn analyse(doc: &Document, options: &Options) -> Findings {
    let sentences = sentences(doc);
    let prepared = Prepared::new(doc, &sentences, options, spoken(doc, options));
    merge(&prepared.facts(), Part::ALL.iter().map(|part| prepared.compute(*part)))
}

/// Computes some parts of the analysis, preparing the text once for all of them.
#[must_use]
pub fn analyse_parts(
    parts: &[Part],
    doc: &Document,
    sentences: &[Sentence],
    options: &Options,
) -> Vec<PartFindings> {
    let prepared = Prepared::new(doc, sentences, options, spoken(doc, options));
    parts.iter().map(|part| prepared.compute(*part)).collect()
}

/// Computes one part of the analysis.
#[must_use]
pub fn analyse_part(
    part: Part,
    doc: &Document,
    sentences: &[Sentence],
    options: &Options,
) -> PartFindings {
    Prepared::new(doc, sentences, options, spoken(doc, options)).compute(part)
}

/// Counts and language of the text: the frame that [`merge`] fills.
#[must_use]
pub fn facts(doc: &Document, sentences: &[Sentence], options: &Options) -> Findings {
    Prepared::new(doc, sentences, options, spoken(doc, options)).facts()
}

/// Adds parts to `facts`, in any order; a part given twice counts once, the later one.
#[must_use]
pub fn merge(facts: &Findings, parts: impl IntoIterator<Item = PartFindings>) -> Findings {
    let mut all = facts.clone();
    for part in parts {
        match part.found {
            Found::Summary(found) => all.summary = found,
            Found::Claims(found) => all.claims = found,
            Found::KeyPhrases(found) => all.key_phrases = found,
            Found::Topics(found) => all.topics = found,
            Found::Entities(found) => all.entities = found,
            Found::Sentiment(found) => all.sentiment = found,
            Found::Rhetoric(found) => all.rhetoric = found,
            Found::Quotes(found) => all.quotes = found,
            Found::Speakers(found) => all.speakers = found,
            Found::Timeline(found) => all.timeline = found,
            Found::Links(found) => all.links = found,
            Found::Readability(found) => all.readability = found,
            Found::Indicators(found) => all.indicators = found,
            Found::Fingerprint(found) => all.fingerprint = found,
            Found::Nothing => {}
        }
        part.not_done.into_iter().for_each(|gap| note(&mut all.not_done, gap));
    }
    all
}

/// Adds a gap; gaps with one reason share one entry.
fn note(gaps: &mut Vec<NotDone>, gap: NotDone) {
    match gaps.iter_mut().find(|known| known.why == gap.why && known.remedy == gap.remedy) {
        Some(known) if known.what == gap.what => {}
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

#[cfg(test)]
mod tests;
