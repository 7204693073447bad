//! Whether two statements say the same thing, as far as words can show it.
//!
//! The rules err on the side of "something else": a wrong match makes a wrong verdict, a missed one only an open question.

use std::collections::BTreeSet;

use rust_stemmers::{Algorithm, Stemmer};

use crate::analyse::lexicon::{self, Class};

/// A statement reduced to what is compared.
pub(super) struct Statement {
    stems: BTreeSet<String>,
    numbers: BTreeSet<String>,
    negated: bool,
}

/// Telling words that two statements must share.
const MIN_SHARED: usize = 3;
/// Share of the shorter statement's telling words that the longer one must hold.
const MIN_CONTAINED: f64 = 0.6;
/// Longest query in characters.
const MAX_QUERY: usize = 200;

/// Words that turn a statement into its opposite, by stem-free prefix.
const OPPOSITES: &[(&str, &str)] = &[
    ("increas", "decreas"),
    ("increas", "reduc"),
    ("rise", "fall"),
    ("rose", "fell"),
    ("risen", "fallen"),
    ("rising", "falling"),
    ("grew", "shrank"),
    ("gain", "los"),
    ("higher", "lower"),
    ("highest", "lowest"),
    ("more", "fewer"),
    ("more", "less"),
    ("most", "fewest"),
    ("most", "least"),
    ("largest", "smallest"),
    ("win", "lose"),
    ("won", "lost"),
    ("caus", "prevent"),
    ("support", "oppos"),
    ("approv", "reject"),
    ("open", "clos"),
    ("hired", "fired"),
    ("legal", "illegal"),
    ("safe", "unsafe"),
    ("safe", "dangerous"),
    ("true", "false"),
    ("before", "after"),
    ("arriv", "left"),
    ("better", "worse"),
    ("best", "worst"),
];

impl Statement {
    pub(super) fn new(text: &str) -> Self {
        let stemmer = Stemmer::create(Algorithm::English);
        let mut made = Self { stems: BTreeSet::new(), numbers: BTreeSet::new(), negated: false };
        for word in words(text) {
            let class = lexicon::english().class(&word);
            // Two negations cancel out.
            made.negated ^= class.intersects(Class::NEGATION);
            if word.starts_with(|c: char| c.is_ascii_digit()) {
                made.numbers.insert(word.replace(',', ""));
            } else if !class.intersects(Class::STOP.union(Class::NEGATION))
                && word.chars().count() > 1
            {
                made.stems.insert(stemmer.stem(&word).into_owned());
            }
        }
        made
    }

    /// Dice coefficient of the telling words; nothing when too few are shared for any relation.
    pub(super) fn likeness(&self, other: &Self) -> Option<f64> {
        let shared = self.stems.intersection(&other.stems).count()
            + self.numbers.intersection(&other.numbers).count();
        let (ours, theirs) =
            (self.stems.len() + self.numbers.len(), other.stems.len() + other.numbers.len());
        let contained = shared as f64 / ours.min(theirs).max(1) as f64;
        let related = shared >= MIN_SHARED && contained >= MIN_CONTAINED;
        related.then(|| (200.0 * shared as f64 / (ours + theirs) as f64).round() / 100.0)
    }

    /// Why the other statement is not this one although it shares its words.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        if self.negated != other.negated {
            return Some("one of the two is negated".to_owned());
        }
        let opposite =
            OPPOSITES.iter().find(|(a, b)| self.turns(other, a, b) || self.turns(other, b, a));
        if let Some((a, b)) = opposite {
            return Some(format!("one says `{a}…`, the other `{b}…`"));
        }
        let conflict = !self.numbers.is_empty()
            && !other.numbers.is_empty()
            && self.numbers.is_disjoint(&other.numbers);
        let partial =
            !self.numbers.is_subset(&other.numbers) && !other.numbers.is_subset(&self.numbers);
        (conflict || partial).then(|| "its numbers differ".to_owned())
    }

    /// True when this has a word of `a` and none of `b`, and the other the reverse.
    fn turns(&self, other: &Self, a: &str, b: &str) -> bool {
        let has = |statement: &Self, head: &str| {
            statement.stems.iter().any(|stem| stem.starts_with(head))
        };
        has(self, a) && !has(self, b) && has(other, b) && !has(other, a)
    }
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let breaks =
        |c: char| !(c.is_alphanumeric() || matches!(c, '\'' | '\u{2019}' | '.' | ',' | '%'));
    text.split(breaks).filter_map(|word| {
        let word =
            word.trim_matches(['.', ',', '\'', '\u{2019}']).replace('\u{2019}', "'").to_lowercase();
        let word = word.strip_suffix("'s").unwrap_or(&word).to_owned();
        (!word.is_empty()).then_some(word)
    })
}

/// Telling words in their order, each once, as many as fit.
pub(super) fn query(text: &str) -> String {
    let mut seen = BTreeSet::new();
    let mut query = String::new();
    for word in words(text) {
        let class = lexicon::english().class(&word);
        let room = query.chars().count() + word.chars().count() < MAX_QUERY;
        if !class.intersects(Class::STOP) && room && seen.insert(word.clone()) {
            if !query.is_empty() {
                query.push(' ');
            }
            query.push_str(&word);
        }
    }
    query
}
