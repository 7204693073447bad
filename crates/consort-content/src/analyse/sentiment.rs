//! Sentiment overall and as a curve along the text, by VADER (Hutto and Gilbert, ICWSM 2014).

use std::fmt;
use std::sync::LazyLock;

use foldhash::HashMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vader_parity::SentimentIntensityAnalyzer;

use super::index::Index;
use super::limits::Limits;
use super::place::Place;
use crate::document::Span;

/// Compound at or above which a text is called positive, and at or below whose negative it is
/// called negative: the bounds that VADER's authors give.
pub const LABEL_BOUND: f64 = 0.05;

/// Sentiment of a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sentiment {
    /// Mean of the sentences' compound scores, each counted by its words. -1 to 1.
    pub score: f64,
    /// What `score` is called at [`LABEL_BOUND`].
    pub label: Label,
    /// Share of sentences that are positive, 0 to 1.
    pub positive: f64,
    /// Share of sentences that are negative, 0 to 1.
    pub negative: f64,
    /// Stretches of the text in order, about equally long, that together cover every sentence.
    pub curve: Vec<CurvePoint>,
    /// The sentence with the highest compound, when one is positive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<Extreme>,
    /// The sentence with the lowest compound, when one is negative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<Extreme>,
}

/// What a compound score is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// At or above [`LABEL_BOUND`].
    Positive,
    /// Between the bounds.
    Neutral,
    /// At or below the negative of [`LABEL_BOUND`].
    Negative,
}

/// One stretch of the sentiment curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CurvePoint {
    /// The sentences averaged here; its sentence id and time are those of the first.
    pub place: Place,
    /// Mean compound of these sentences, each counted by its words. -1 to 1.
    pub score: f64,
    /// How many sentences were averaged.
    pub sentences: u32,
}

/// The most positive or most negative sentence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Extreme {
    /// The sentence.
    pub place: Place,
    /// Its words.
    pub text: String,
    /// Its compound, -1 to 1.
    pub score: f64,
}

impl Label {
    /// Names a compound score.
    #[must_use]
    pub fn of(score: f64) -> Self {
        if score >= LABEL_BOUND {
            Self::Positive
        } else if score <= -LABEL_BOUND {
            Self::Negative
        } else {
            Self::Neutral
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Positive => "positive",
            Self::Neutral => "neutral",
            Self::Negative => "negative",
        })
    }
}

/// VADER's compound of each sentence, in order.
///
/// Equal to the Python package's at its published precision (four decimals).
pub(crate) fn compounds(index: &Index<'_>) -> Vec<f64> {
    let mut scorer = Scorer::default();
    let compound = |id: usize| {
        // A passage in another language has no tokens, and says nothing to an English lexicon.
        let silent = index.range(id).is_empty();
        if silent { 0.0 } else { scorer.compound(index.sentences[id].span.of(&index.doc.text)) }
    };
    (0..index.len()).map(compound).collect()
}

/// True when VADER gives the word alone a score.
pub(crate) fn is_charged(word: &str) -> bool {
    vader().polarity_scores(word).compound != 0.0
}

/// Sentiment of the whole text, or nothing when it has no sentence.
pub(crate) fn find(index: &Index<'_>, compounds: &[f64], limits: &Limits) -> Option<Sentiment> {
    let count = compounds.len();
    if count == 0 {
        return None;
    }
    let weights: Vec<f64> = (0..count).map(|id| index.range(id).len() as f64).collect();
    let share =
        |label| compounds.iter().filter(|&&c| Label::of(c) == label).count() as f64 / count as f64;
    let score = round4(weighted_mean(compounds, &weights));
    let by_score = |a: &usize, b: &usize| compounds[*a].total_cmp(&compounds[*b]).then(b.cmp(a));
    let extreme = |id: usize| Extreme {
        place: index.sentence_place(id),
        text: index.sentences[id].span.of(&index.doc.text).to_owned(),
        score: compounds[id],
    };
    let high =
        (0..count).max_by(by_score).filter(|&id| Label::of(compounds[id]) == Label::Positive);
    let low = (0..count).min_by(|a, b| compounds[*a].total_cmp(&compounds[*b]));
    let low = low.filter(|&id| Label::of(compounds[id]) == Label::Negative);
    Some(Sentiment {
        score,
        label: Label::of(score),
        positive: share(Label::Positive),
        negative: share(Label::Negative),
        curve: curve(index, compounds, &weights, limits.curve_points),
        high: high.map(extreme),
        low: low.map(extreme),
    })
}

fn curve(index: &Index<'_>, compounds: &[f64], weights: &[f64], points: usize) -> Vec<CurvePoint> {
    let count = compounds.len();
    let points = points.min(count);
    let cut = |n: usize| n * count / points;
    let stretch = |n: usize| {
        let (first, last) = (cut(n), cut(n + 1));
        let span = Span::new(index.sentences[first].span.start, index.sentences[last - 1].span.end);
        CurvePoint {
            place: index.place(span, first),
            score: round4(weighted_mean(&compounds[first..last], &weights[first..last])),
            sentences: (last - first) as u32,
        }
    };
    (0..points).map(stretch).collect()
}

fn weighted_mean(values: &[f64], weights: &[f64]) -> f64 {
    let total: f64 = weights.iter().sum();
    if total == 0.0 {
        return 0.0;
    }
    values.iter().zip(weights).map(|(value, weight)| value * weight).sum::<f64>() / total
}

fn round4(value: f64) -> f64 {
    // Adding zero turns -0 into 0, which would otherwise be printed with its sign.
    (value * 1e4).round() / 1e4 + 0.0
}

/// Scores sentences and remembers which words carry no sentiment.
#[derive(Default)]
struct Scorer<'t> {
    silent: HashMap<&'t str, bool>,
}

impl<'t> Scorer<'t> {
    /// VADER's compound of `sentence`.
    ///
    /// A sentence none of whose words has a score alone is 0: VADER's other rules only amplify,
    /// weaken or negate a word's own score. Most of a scoring run is saved by asking that first.
    fn compound(&mut self, sentence: &'t str) -> f64 {
        if sentence.split_whitespace().all(|word| self.is_silent(word)) {
            return 0.0;
        }
        vader().polarity_scores(sentence).compound
    }

    fn is_silent(&mut self, word: &'t str) -> bool {
        *self.silent.entry(word).or_insert_with(|| {
            // Words with emoji or rare signs may expand to several words whose scores cancel.
            let plain =
                |c: char| matches!(c, ' '..='~' | '\u{a1}'..='\u{24f}' | '\u{2010}'..='\u{2026}');
            word.chars().all(plain) && vader().polarity_scores(word).compound == 0.0
        })
    }
}

fn vader() -> &'static SentimentIntensityAnalyzer {
    static VADER: LazyLock<SentimentIntensityAnalyzer> =
        LazyLock::new(SentimentIntensityAnalyzer::new);
    &VADER
}
