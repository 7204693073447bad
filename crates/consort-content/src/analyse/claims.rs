//! Claims: sentences that state something checkable, ranked by how much they deserve a check.
//!
//! The features follow ClaimBuster (Hassan et al., KDD 2017); their weights are data in
//! `rules/english/claims.toml`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use foldhash::HashSet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::amounts::{self, Amount};
use super::dates;
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
    "figure",
    "number",
    "percent",
    "money",
    "date",
    "change",
    "past",
    "comparison",
    "quantity",
    "cause",
    "finding",
    "rank",
    "name",
    "attribution",
    "question",
    "opinion",
    "future",
    "hedge",
    "imperative",
    "second_person",
    "first_person",
    "short",
    "long",
    "fragment",
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

/// Words below which a sentence is short.
const SHORT: usize = 6;
/// Words above which a sentence is long.
const LONG: usize = 45;
/// Words below which a sentence without an end mark is a headline or an item of a list.
const FRAGMENT: usize = 12;
/// Score below which a sentence is not reported.
const FLOOR: f64 = 0.5;

fn rules() -> &'static Rules {
    static PARSED: LazyLock<Rules> = LazyLock::new(|| {
        toml::from_str(RULES).expect("claims.toml is part of the crate and tested")
    });
    &PARSED
}

/// The most check-worthy sentences, best first.
pub(crate) fn find(index: &Index<'_>, limits: &Limits) -> (Vec<Claim>, usize) {
    let mut scored: Vec<(f64, usize)> = (0..index.len())
        .filter(|id| !index.is_row(*id))
        .map(|id| (score(&features(index, id)), id))
        .filter(|(score, _)| *score >= FLOOR)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    // Said twice, it is still one claim.
    let mut said = HashSet::default();
    scored.retain(|(_, id)| said.insert(index.sentences[*id].span.of(&index.doc.text)));
    let total = scored.len();
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
    (scored.into_iter().enumerate().map(claim).collect(), total)
}

fn score(features: &[Feature]) -> f64 {
    let sum: f64 = features.iter().map(|feature| feature.weight).sum();
    1.0 / (1.0 + (-(rules().bias + sum)).exp())
}

/// What speaks for and against checking sentence `id`.
fn features(index: &Index<'_>, id: usize) -> Vec<Feature> {
    let range = index.range(id);
    let sentence = index.sentences[id].span;
    let mut found = Vec::new();
    let mut add = |name: &str, span: Option<Span>| {
        if let (Some(span), Some(&weight)) = (span, rules().weights.get(name)) {
            found.push(Feature { name: name.to_owned(), weight, span });
        }
    };
    let dates = dates::find(index, id, None);
    let in_date = |at: usize| {
        let next = dates.partition_point(|date| date.tokens.end <= at);
        dates.get(next).is_some_and(|date| date.tokens.start <= at)
    };
    let amounts = amounts::find(index, id, &in_date);
    let amount = |test: &dyn Fn(&Amount) -> bool| {
        let first = amounts.iter().find(|amount| test(amount));
        first.map(|amount| index.span(amount.tokens.start, amount.tokens.end - 1))
    };
    let digits = |at: usize| index.tokens[at].kind == Kind::Number;
    let numbered = numbered(index, &range);
    let figure = range.clone().skip(numbered).find(|&at| digits(at) && !in_date(at));
    add("figure", figure.map(|at| index.tokens[at].span()));
    add("number", amount(&|amount| !amount.tokens.clone().any(digits)));
    add("percent", amount(&|amount| amount.unit == "%"));
    add("money", amount(&|amount| amount.money));
    let dated =
        dates.iter().find(|date| date.value.as_ref().is_some_and(|value| !value.starts_with("--")));
    add("date", dated.map(|date| index.span(date.tokens.start, date.tokens.end - 1)));
    for (name, span) in worded(index, id) {
        add(name, span);
    }
    let asks = sentence
        .of(&index.doc.text)
        .trim_end_matches(['"', '\'', '\u{201d}', '\u{2019}', ')'])
        .ends_with('?');
    add("question", asks.then_some(sentence));
    let words = index.tokens[range].iter().filter(|token| token.is_wordlike()).count();
    add("short", (words < SHORT).then_some(sentence));
    add("long", (words > LONG).then_some(sentence));
    let open = !sentence.of(&index.doc.text).ends_with(|c: char| !c.is_alphanumeric());
    let fragment = open && words < FRAGMENT && !index.sentences[id].synthetic;
    add("fragment", fragment.then_some(sentence));
    found
}

/// 1 when the sentence opens with the number of its section, which states nothing: `3.2 We are`.
fn numbered(index: &Index<'_>, range: &Range<usize>) -> usize {
    let mut tokens = index.tokens[range.clone()].iter().filter(|token| token.is_wordlike());
    let (Some(first), Some(next)) = (tokens.next(), tokens.next()) else { return 0 };
    let opens = first.kind == Kind::Number && next.case == Case::Title;
    usize::from(opens && first.start == index.tokens[range.start].start)
}

/// Features that hang on single words.
fn worded(index: &Index<'_>, id: usize) -> [(&'static str, Option<Span>); 15] {
    let tokens = index.tokens_of(id);
    let first = |test: &dyn Fn(usize, &Token) -> bool| {
        tokens
            .iter()
            .enumerate()
            .find(|(at, token)| test(*at, token))
            .map(|(_, token)| token.span())
    };
    let class = |class: Class| first(&|_, token| index.is(token, class));
    let opening = tokens.iter().position(|token| token.kind == Kind::Word).unwrap_or_default();
    let lower = |at: usize| tokens.get(at).map_or("", |token| index.lower(token));
    let named = |at: usize, token: &Token| {
        at > opening
            && matches!(token.case, Case::Title | Case::Upper)
            && !index.is(token, Class::FIRST_PERSON)
    };
    let past = |token: &Token| {
        let regular = token.case == Case::Lower
            && token.end - token.start > 4
            && index.lower(token).ends_with("ed");
        index.is(token, Class::PAST) || regular
    };
    let orders = !lower(opening).is_empty()
        && index.is(&tokens[opening], Class::IMPERATIVE)
        && !matches!(lower(opening + 1), "," | "'s");
    let first_person = class(Class::FIRST_PERSON);
    [
        ("change", class(Class::CHANGE)),
        ("past", first(&|_, token| past(token))),
        ("comparison", class(Class::COMPARATIVE)),
        ("quantity", class(Class::QUANTIFIER)),
        ("cause", class(Class::CAUSAL)),
        ("finding", class(Class::FINDING)),
        ("rank", class(Class::RANK)),
        ("name", first(&named)),
        ("attribution", class(Class::REPORT)),
        ("opinion", first_person.and(class(Class::OPINION))),
        ("future", class(Class::FUTURE)),
        ("hedge", class(Class::HEDGE)),
        ("imperative", orders.then(|| tokens[opening].span())),
        ("second_person", class(Class::SECOND_PERSON)),
        ("first_person", first_person),
    ]
}

#[cfg(test)]
mod tests;
