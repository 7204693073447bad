//! Topics, from a taxonomy of words: each with the words that spoke for it.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use rust_stemmers::{Algorithm, Stemmer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::index::Index;
use super::lexicon::Class;
use super::limits::Limits;
use super::place::Place;

/// A subject that the text touches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Topic {
    /// Name in the taxonomy.
    pub name: String,
    /// Share of this topic among all topics found, 0 to 1.
    pub share: f64,
    /// The words that spoke for it, the most frequent first.
    pub terms: Vec<TopicTerm>,
    /// The first few mentions.
    pub places: Vec<Place>,
}

/// A word that speaks for a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TopicTerm {
    /// The word as first written in the text, lower-case.
    pub word: String,
    /// Occurrences, other forms of the word included.
    pub count: u32,
}

/// Text of the taxonomy.
pub(crate) const TAXONOMY: &str = include_str!("../../rules/english/topics.toml");

/// Different words a topic needs.
const MIN_TERMS: usize = 3;
/// Share of the text's telling words that a topic's words must make up.
const MIN_DENSITY: f64 = 0.012;
/// Words listed per topic.
const MAX_TERMS: usize = 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[expect(dead_code, reason = "for readers of the file; reports carry its hash")]
    version: u32,
    topics: BTreeMap<String, String>,
}

struct Taxonomy {
    names: Vec<String>,
    /// Topics of each stem.
    by_stem: HashMap<String, Vec<usize>>,
}

fn taxonomy() -> &'static Taxonomy {
    static PARSED: LazyLock<Taxonomy> = LazyLock::new(|| {
        let file: File =
            toml::from_str(TAXONOMY).expect("topics.toml is part of the crate and tested");
        let stemmer = Stemmer::create(Algorithm::English);
        let mut by_stem: HashMap<String, Vec<usize>> = HashMap::new();
        for (number, words) in file.topics.values().enumerate() {
            for word in words.split_whitespace() {
                let topics = by_stem.entry(stemmer.stem(word).into_owned()).or_default();
                if topics.last() != Some(&number) {
                    topics.push(number);
                }
            }
        }
        Taxonomy { names: file.topics.into_keys().collect(), by_stem }
    });
    &PARSED
}

/// Topics, the strongest first.
pub(crate) fn find(index: &Index<'_>, limits: &Limits) -> Vec<Topic> {
    let taxonomy = taxonomy();
    let stemmer = Stemmer::create(Algorithm::English);
    let of_word: Vec<Option<&[usize]>> = index
        .vocabulary
        .iter()
        .map(|entry| {
            let plain = entry.text.bytes().all(|b| b.is_ascii_lowercase());
            plain
                .then(|| taxonomy.by_stem.get(&*stemmer.stem(&entry.text)).map(Vec::as_slice))
                .flatten()
        })
        .collect();
    let mut hits: Vec<Vec<usize>> = vec![Vec::new(); taxonomy.names.len()];
    let mut telling = 0_usize;
    for (at, token) in index.tokens.iter().enumerate() {
        telling += usize::from(token.is_wordlike() && !index.is(token, Class::STOP));
        for &topic in of_word[token.word as usize].unwrap_or_default() {
            hits[topic].push(at);
        }
    }
    let mut found: Vec<(f64, Topic)> = Vec::new();
    for (number, at) in hits.iter().enumerate() {
        let terms = terms(index, at);
        if terms.len() < MIN_TERMS || (at.len() as f64) < MIN_DENSITY * telling as f64 {
            continue;
        }
        // Repeating one word says less than using several: counts enter by their logarithm.
        let sharing =
            |word: &str| taxonomy.by_stem.get(&*stemmer.stem(word)).map_or(1, Vec::len) as f64;
        let strength: f64 =
            terms.iter().map(|term| (1.0 + f64::from(term.count)).ln() / sharing(&term.word)).sum();
        let place = |at: &usize| {
            index.place(
                index.tokens[*at].span(),
                index.sentence_at(index.tokens[*at].start as usize),
            )
        };
        let places = at.iter().take(limits.mentions).map(place).collect();
        let mut terms = terms;
        terms.truncate(MAX_TERMS);
        found.push((
            strength,
            Topic { name: taxonomy.names[number].clone(), share: 0.0, terms, places },
        ));
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.truncate(limits.topics);
    let total: f64 = found.iter().map(|(strength, _)| strength).sum();
    let share = |(strength, topic): (f64, Topic)| Topic {
        share: (strength / total * 1e4).round() / 1e4,
        ..topic
    };
    found.into_iter().map(share).collect()
}

/// The words at these tokens, forms of one stem together, the most frequent first.
fn terms(index: &Index<'_>, at: &[usize]) -> Vec<TopicTerm> {
    let mut counts: HashMap<u32, (usize, u32)> = HashMap::new();
    for &token in at {
        let stem = index.entry(&index.tokens[token]).stem;
        counts.entry(stem).or_insert((token, 0)).1 += 1;
    }
    let mut ranked: Vec<(usize, u32)> = counts.into_values().collect();
    ranked.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let term = |(token, count): (usize, u32)| TopicTerm {
        word: index.lower(&index.tokens[token]).to_owned(),
        count,
    };
    ranked.into_iter().map(term).collect()
}
