//! Rhetoric: wording that persuades without arguing, found by cue and context.
//!
//! The inventory follows the techniques of `SemEval`-2020 task 11 as far as wording alone shows them.
//! A cue says how something is put; it says nothing about whether it is true.

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::index::Index;
use super::limits::Limits;
use super::pattern::{Match, Patterns};
use super::place::Place;
use crate::document::Span;

/// A stretch of wording that a rhetoric rule recognised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RhetoricCue {
    /// Id of the rule, as in the rule file.
    pub rule: String,
    /// The technique's name.
    pub name: String,
    /// What is doubtful about the technique, in one line.
    pub why: String,
    /// Share of the rule's labelled hits that were right, 0 to 1.
    pub confidence: f64,
    /// The words that fired the rule.
    pub place: Place,
    /// Those words.
    pub text: String,
    /// True inside quotation marks: then the cue belongs to whoever is quoted.
    pub quoted: bool,
    /// Who says it, where the source names speakers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker: Option<String>,
}

/// Text of the rule file.
pub(crate) const RULES: &str = include_str!("../../rules/english/rhetoric.toml");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[expect(dead_code, reason = "for readers of the file; reports carry its hash")]
    version: u32,
    rule: Vec<Rule>,
}

/// One rule as written in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    pub(crate) id: String,
    name: String,
    why: String,
    pub(crate) confidence: f64,
    patterns: Vec<String>,
    #[serde(default)]
    unless: Vec<String>,
}

/// The rules, compiled: pattern owners are rule numbers, those of exceptions are counted from [`EXCEPTION`] on.
#[derive(Debug)]
struct Compiled {
    rules: Vec<Rule>,
    patterns: Patterns,
}

const EXCEPTION: u32 = 1 << 16;

fn compiled() -> &'static Compiled {
    static COMPILED: LazyLock<Compiled> = LazyLock::new(|| {
        let file: File =
            toml::from_str(RULES).expect("rhetoric.toml is part of the crate and tested");
        let mut patterns = Patterns::default();
        for (number, rule) in (0_u32..).zip(&file.rule) {
            for (owner, list) in [(number, &rule.patterns), (number + EXCEPTION, &rule.unless)] {
                for pattern in list {
                    patterns.add(owner, pattern).expect("patterns of rhetoric.toml are tested");
                }
            }
        }
        Compiled { rules: file.rule, patterns }
    });
    &COMPILED
}

/// The rules in file order.
#[cfg(test)]
pub(crate) fn rules() -> &'static [Rule] {
    &compiled().rules
}

/// Every cue, in text order, at most one per rule and sentence.
pub(crate) fn find(
    index: &Index<'_>,
    quoted: &[Span],
    limits: &Limits,
) -> (Vec<RhetoricCue>, usize) {
    let mut matches = compiled().patterns.find(index);
    matches
        .sort_by_key(|m| (m.sentence, m.owner % EXCEPTION, m.owner, usize::MAX - m.tokens.len()));
    let groups = matches
        .chunk_by(|a, b| a.sentence == b.sentence && a.owner % EXCEPTION == b.owner % EXCEPTION);
    let mut kept: Vec<&Match> = groups
        .filter(|group| group.iter().all(|m| m.owner < EXCEPTION))
        .map(|group| &group[0])
        .collect();
    kept.sort_by_key(|m| (m.tokens.start, m.owner));
    let total = kept.len();
    kept.truncate(limits.rhetoric);
    (kept.into_iter().map(|m| cue(index, m, quoted)).collect(), total)
}

fn cue(index: &Index<'_>, found: &Match, quoted: &[Span]) -> RhetoricCue {
    let rule = &compiled().rules[found.owner as usize];
    let span = index.span(found.tokens.start, found.tokens.end - 1);
    let before = quoted.partition_point(|quote| quote.start <= span.start);
    RhetoricCue {
        rule: rule.id.clone(),
        name: rule.name.clone(),
        why: rule.why.clone(),
        confidence: rule.confidence,
        place: index.place(span, found.sentence),
        text: span.of(&index.doc.text).to_owned(),
        quoted: quoted[..before].last().is_some_and(|quote| quote.contains(span)),
        speaker: index.doc.speaker_at(span.start).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests;
