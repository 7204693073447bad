//! Claims: sentences that state something checkable, ranked by how much they deserve a check.
//!
//! The features follow ClaimBuster (Hassan et al., KDD 2017); their weights are data in
//! `rules/english/claims.toml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::index::{Case, Index, Kind, Token};
use super::lexicon::Class;
use super::limits::Limits;
use super::place::Place;
use crate::document::Span;

/// A sentence worth checking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Claim {
    /// Name of the claim within its report: `c1` is the most check-worthy.
    pub id: String,
    /// Where it stands.
    pub place: Place,
    /// The sentence as it stands in the source.
    pub text: String,
    /// Who says it, where the source names speakers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker: Option<String>,
    /// Check-worthiness, 0 to 1. Says nothing about whether the claim is true.
    pub score: f64,
    /// What made the score, heaviest first.
    pub features: Vec<Feature>,
}

/// One reason for a claim's rank.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Feature {
    /// Name in the rule set.
    pub name: String,
    /// Its weight: above 0 raises the rank, below 0 lowers it.
    pub weight: f64,
    /// The words that carry it; the whole sentence where it has no words of its own.
    pub span: Span,
}

/// Features in the order of the rule file.
#[cfg(test)]
const FEATURES: &[&str] = &[
    "number",
    "percent",
    "money",
    "date",
    "change",
    "comparison",
    "quantity",
    "cause",
    "name",
    "attribution",
    "absolute",
    "question",
    "opinion",
    "future",
    "hedge",
    "imperative",
    "short",
    "long",
    "first_person",
];

/// The rule file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    #[expect(dead_code, reason = "for readers of the file; reports carry its hash")]
    version: u32,
    bias: f64,
    weights: BTreeMap<String, f64>,
}

/// Text of the rule file.
pub(crate) const RULES: &str = include_str!("../../rules/english/claims.toml");

/// Score below which a sentence is not reported.
const FLOOR: f64 = 0.5;

fn rules() -> &'static Rules {
    static PARSED: LazyLock<Rules> = LazyLock::new(|| {
        toml::from_str(RULES).expect("claims.toml is part of the crate and tested")
    });
    &PARSED
}

/// The most check-worthy sentences, best first.
pub(crate) fn find(index: &Index<'_>, limits: &Limits) -> Vec<Claim> {
    let mut scored: Vec<(f64, usize)> = (0..index.len())
        .map(|id| (score(&features(index, id)), id))
        .filter(|(score, _)| *score >= FLOOR)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    scored.truncate(limits.claims);
    let claim = |(rank, (score, id)): (usize, (f64, usize))| {
        let span = index.sentences[id].span;
        let mut features = features(index, id);
        features.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
        Claim {
            id: format!("c{}", rank + 1),
            place: index.sentence_place(id),
            text: span.of(&index.doc.text).to_owned(),
            speaker: index.doc.speaker_at(span.start).map(str::to_owned),
            score: (score * 1e4).round() / 1e4,
            features,
        }
    };
    scored.into_iter().enumerate().map(claim).collect()
}

fn score(features: &[Feature]) -> f64 {
    let sum: f64 = features.iter().map(|feature| feature.weight).sum();
    1.0 / (1.0 + (-(rules().bias + sum)).exp())
}

fn features(index: &Index<'_>, id: usize) -> Vec<Feature> {
    let tokens = index.tokens_of(id);
    let sentence = index.sentences[id].span;
    let mut found = Vec::new();
    let mut add = |name: &str, span: Option<Span>| {
        if let (Some(span), Some(&weight)) = (span, rules().weights.get(name)) {
            found.push(Feature { name: name.to_owned(), weight, span });
        }
    };
    let first = |test: &dyn Fn(usize, &Token) -> bool| {
        tokens
            .iter()
            .enumerate()
            .find(|(at, token)| test(*at, token))
            .map(|(_, token)| token.span())
    };
    let class = |class: Class| first(&|_, token| index.is(token, class));
    let words = tokens.iter().filter(|token| token.is_wordlike()).count();
    let follows =
        |at: usize, text: &str| tokens.get(at + 1).is_some_and(|next| index.lower(next) == text);
    let is_year = |token: &Token| {
        matches!(index.raw(token).parse::<u32>(), Ok(1000..=2100)) && token.end - token.start == 4
    };
    let currency = |token: &Token| matches!(index.raw(token), "$" | "€" | "£" | "¥");

    add("number", first(&|_, token| token.kind == Kind::Number && !is_year(token)));
    add(
        "percent",
        first(&|at, token| {
            token.kind == Kind::Number
                && (follows(at, "%") || follows(at, "percent") || follows(at, "per"))
        }),
    );
    add("money", first(&|_, token| currency(token)));
    add("date", first(&|_, token| token.kind == Kind::Number && is_year(token)));
    add("change", class(Class::CHANGE));
    add("comparison", class(Class::COMPARATIVE));
    add("quantity", class(Class::QUANTIFIER));
    add("cause", class(Class::CAUSAL));
    add(
        "name",
        first(&|at, token| {
            at > 0
                && matches!(token.case, Case::Title | Case::Upper)
                && !index.is(token, Class::FIRST_PERSON)
        }),
    );
    add("attribution", class(Class::REPORT));
    let ends_asking =
        sentence.of(&index.doc.text).trim_end_matches(['"', '\'', '\u{201d}', ')']).ends_with('?');
    add("question", ends_asking.then_some(sentence));
    let speaker = class(Class::FIRST_PERSON);
    add("opinion", speaker.and(class(Class::OPINION)));
    add("future", class(Class::FUTURE));
    add("hedge", class(Class::HEDGE));
    add("short", (words < 5).then_some(sentence));
    add("long", (words > 45).then_some(sentence));
    add("first_person", speaker);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_file_weighs_exactly_the_features_that_are_computed() {
        let mut known: Vec<&str> = FEATURES.to_vec();
        known.sort_unstable();
        assert_eq!(rules().weights.keys().map(String::as_str).collect::<Vec<_>>(), known);
    }
}
