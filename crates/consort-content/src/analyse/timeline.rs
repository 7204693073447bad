//! Anchors in time: events with a date, and chapters of a recording.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calendar::Day;
use super::dates;
use super::index::{Index, Kind, WordId};
use super::lexicon::Class;
use super::limits::Limits;
use super::place::Place;

/// A point of the timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Anchor {
    /// When.
    pub when: When,
    /// What: the sentence that names the date, or the words that mark a chapter.
    pub text: String,
    /// Where it stands.
    pub place: Place,
}

impl Anchor {
    /// True when both stand in one sentence.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        (self.place.sentence, &self.text) == (other.place.sentence, &other.text)
    }
}

/// The time of an anchor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum When {
    /// A date in the world.
    Date {
        /// ISO 8601 with the precision of the text: `2026`, `2026-11`, `2026-11-03`, `1960/1969`.
        date: String,
        /// The words it was read from.
        written: String,
        /// True when the words are relative and were dated from the day of publication.
        relative: bool,
    },
    /// A moment of the recording.
    Recording {
        /// Milliseconds from its beginning.
        at_ms: u64,
    },
}

/// Shortest chapter of a recording.
const CHAPTER_MS: u64 = 60_000;
/// Words that name a chapter.
const CHAPTER_WORDS: usize = 4;

/// Dated anchors in order of date, then chapters in order of time. Nothing is dated by guess: a date
/// without a year and relative words in a text without a publication date stay out.
pub(crate) fn find(index: &Index<'_>, english: bool, limits: &Limits) -> (Vec<Anchor>, usize) {
    let mut dated = if english { dated(index) } else { Vec::new() };
    dated.sort_by(|a, b| {
        a.0.cmp(&b.0).then_with(|| a.1.place.span.start.cmp(&b.1.place.span.start))
    });
    let total = dated.len();
    dated.truncate(limits.timeline);
    let mut anchors: Vec<Anchor> = dated.into_iter().map(|(_, anchor)| anchor).collect();
    anchors.extend(chapters(index, limits));
    (anchors, total)
}

fn dated(index: &Index<'_>) -> Vec<(String, Anchor)> {
    let published = index.doc.published.as_deref().and_then(Day::parse);
    let mut found = Vec::new();
    for id in 0..index.len() {
        let mut seen: Vec<String> = Vec::new();
        for date in dates::find(index, id, published) {
            let Some(value) =
                date.value.filter(|value| !value.starts_with("--") && !seen.contains(value))
            else {
                continue;
            };
            if seen.len() == 8 {
                break;
            }
            let span = index.span(date.tokens.start, date.tokens.end - 1);
            let written = span.of(&index.doc.text).to_owned();
            let when = When::Date { date: value.clone(), written, relative: date.relative };
            let text = index.sentences[id].span.of(&index.doc.text).to_owned();
            seen.push(value.clone());
            found.push((value, Anchor { when, text, place: index.place(span, id) }));
        }
    }
    found
}

/// Chapters of equal length, named by the words that set each apart from the others.
fn chapters(index: &Index<'_>, limits: &Limits) -> Vec<Anchor> {
    let (Some(first), Some(last)) = (index.doc.cues.first(), index.doc.cues.last()) else {
        return Vec::new();
    };
    let length = last.end_ms.saturating_sub(first.start_ms);
    let count = (length / CHAPTER_MS).min(limits.chapters as u64);
    if count < 2 {
        return Vec::new();
    }
    let chapter_of = |ms: u64| {
        (ms.saturating_sub(first.start_ms) * count / (length + 1)).min(count - 1) as usize
    };
    let mut starts: Vec<Option<usize>> = vec![None; count as usize];
    let mut words: Vec<HashMap<WordId, u32>> = vec![HashMap::new(); count as usize];
    for id in 0..index.len() {
        let Some(cue) = index.doc.cue_at(index.sentences[id].span.start) else { continue };
        let chapter = chapter_of(cue.start_ms);
        starts[chapter].get_or_insert(id);
        let tells = |token: &&super::index::Token| {
            token.kind == Kind::Word && token.end - token.start > 3 && !index.is(token, Class::STOP)
        };
        for token in index.tokens_of(id).iter().filter(tells) {
            *words[chapter].entry(token.word).or_default() += 1;
        }
    }
    let mut holds: HashMap<WordId, u32> = HashMap::new();
    for word in words.iter().flat_map(HashMap::keys) {
        *holds.entry(*word).or_default() += 1;
    }
    let name = |chapter: &HashMap<WordId, u32>| {
        let weight = |(word, times): (&WordId, &u32)| {
            f64::from(*times) * (1.0 + (count as f64 / f64::from(holds[word])).ln())
        };
        let mut ranked: Vec<(f64, WordId)> =
            chapter.iter().map(|entry| (weight(entry), *entry.0)).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let top: Vec<&str> = ranked
            .iter()
            .take(CHAPTER_WORDS)
            .map(|(_, word)| &*index.vocabulary[*word as usize].text)
            .collect();
        top.join(", ")
    };
    let anchor = |(start, chapter): (Option<usize>, &HashMap<WordId, u32>)| {
        let place = index.sentence_place(start?);
        let text = name(chapter);
        (!text.is_empty()).then_some(Anchor {
            when: When::Recording { at_ms: place.time_ms? },
            text,
            place,
        })
    };
    starts.into_iter().zip(&words).filter_map(anchor).collect()
}
