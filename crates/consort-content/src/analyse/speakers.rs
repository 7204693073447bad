//! Who speaks how much, in sources that name speakers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::index::Index;
use super::place::Place;

/// One speaker's share of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Speaker {
    /// Name as the source writes it.
    pub name: String,
    /// Times this speaker takes the word.
    pub turns: u32,
    /// Words said.
    pub words: u64,
    /// Share of all words said by named speakers, 0 to 1.
    pub share: f64,
    /// Time spoken in milliseconds, where the source has times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spoken_ms: Option<u64>,
    /// Sentences that end in a question mark.
    pub questions: u32,
    /// Mean sentiment of this speaker's sentences, -1 to 1; only in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentiment: Option<f64>,
    /// Where this speaker begins for the first time.
    pub first: Place,
}

/// Speakers, the one with most words first. `compounds` holds each sentence's sentiment, or nothing.
pub(crate) fn find(index: &Index<'_>, compounds: Option<&[f64]>) -> Vec<Speaker> {
    if index.sentences.is_empty() {
        return Vec::new();
    }
    let mut numbers = std::collections::HashMap::new();
    let mut found: Vec<Speaker> = Vec::new();
    let mut sums: Vec<(f64, u32)> = Vec::new();
    for turn in &index.doc.turns {
        let at = *numbers.entry(turn.speaker.as_str()).or_insert(found.len());
        if at == found.len() {
            let first = index.place(turn.span, index.sentence_at(turn.span.start));
            let name = turn.speaker.clone();
            found.push(Speaker {
                name,
                turns: 0,
                words: 0,
                share: 0.0,
                spoken_ms: None,
                questions: 0,
                sentiment: None,
                first,
            });
            sums.push((0.0, 0));
        }
        let speaker = &mut found[at];
        speaker.turns += 1;
        let token =
            |byte: usize| index.tokens.partition_point(|token| (token.start as usize) < byte);
        let said = &index.tokens[token(turn.span.start)..token(turn.span.end)];
        speaker.words += said.iter().filter(|token| token.is_wordlike()).count() as u64;
        let first =
            index.sentences.partition_point(|sentence| sentence.span.start < turn.span.start);
        let last = index.sentences.partition_point(|sentence| sentence.span.start < turn.span.end);
        for id in first..last {
            speaker.questions +=
                u32::from(index.sentences[id].span.of(&index.doc.text).ends_with('?'));
            sums[at].0 += compounds.map_or(0.0, |scores| scores[id]);
            sums[at].1 += 1;
        }
    }
    for cue in &index.doc.cues {
        let at = cue.speaker.as_deref().and_then(|name| numbers.get(name));
        if let Some(&at) = at {
            *found[at].spoken_ms.get_or_insert(0) += cue.end_ms.saturating_sub(cue.start_ms);
        }
    }
    let total: u64 = found.iter().map(|speaker| speaker.words).sum();
    for (speaker, (sum, count)) in found.iter_mut().zip(sums) {
        speaker.share = if total == 0 { 0.0 } else { speaker.words as f64 / total as f64 };
        speaker.sentiment = (compounds.is_some() && count > 0)
            .then(|| (sum / f64::from(count) * 1e4).round() / 1e4);
    }
    found.sort_by_key(|speaker| std::cmp::Reverse(speaker.words));
    found
}
