//! Sentences for text without marks: cut at pauses, else by length.

use crate::document::{Document, Span};

/// Longest synthetic sentence, in words.
const MOST: usize = 30;
/// Fewest words before a pause that end a sentence there.
const FEWEST: usize = 4;
/// A pause, in milliseconds.
const PAUSE_MS: u64 = 600;
/// Words per mark from which on a whole text counts as unmarked.
const SPARSE: usize = 120;
/// Even in marked text, nobody says this many words in one sentence.
const ENDLESS: usize = 150;
/// Words back from the limit within which a better place to cut is looked for.
const SEARCH: usize = 12;

/// True when the text as a whole has next to no marks: fewer than one in 120 words.
pub(super) fn is_unmarked(document: &Document) -> bool {
    // The head is enough, and bounds the cost of asking.
    let head =
        &document.text[..document.text.floor_char_boundary(document.text.len().min(64 * 1024))];
    let words = count(head);
    let marks = head.chars().filter(|c| {
        matches!(
            c,
            '.' | '!'
                | '?'
                | '\u{2026}'
                | '\u{3002}'
                | '\u{FF01}'
                | '\u{FF1F}'
                | '\u{61F}'
                | '\u{964}'
                | '\u{6D4}'
                | '\u{589}'
                | '\u{1362}'
        )
    });
    words >= MOST && marks.count() * SPARSE < words
}

/// Words; in scripts without spaces three characters count as one.
fn count(text: &str) -> usize {
    Words::new(text).map(|word| word.weight).sum::<usize>() / 3
}

/// `sentence` whole, or cut where it is too long to be one.
pub(super) fn parts(document: &Document, sentence: Span, unmarked: bool) -> Vec<Span> {
    let text = sentence.of(&document.text);
    let limit = if unmarked { MOST } else { ENDLESS };
    // A word is at least a byte and a space.
    if text.len() < limit || count(text) <= limit {
        return vec![sentence];
    }
    let mut parts = Vec::new();
    let mut start = 0;
    let mut window: Vec<Word> = Vec::new();
    let mut weight = 0;
    for word in Words::new(text) {
        let pause = pause_before(document, sentence.start + word.start);
        if unmarked && pause == Break::Pause && weight >= FEWEST * 3 {
            parts.push(Span::new(sentence.start + start, sentence.start + word.before));
            (start, weight) = (word.start, 0);
            window.clear();
        }
        weight += word.weight;
        window.push(word);
        if weight > MOST * 3 {
            let cut = best_cut(document, sentence.start, text, &window);
            let rest = window.split_off(cut);
            let (Some(last), Some(first)) = (window.last(), rest.first()) else { continue };
            parts.push(Span::new(sentence.start + start, sentence.start + last.end));
            start = first.start;
            weight = rest.iter().map(|word| word.weight).sum();
            window = rest;
        }
    }
    parts.push(Span::new(sentence.start + start, sentence.end));
    parts
}

/// Index in `words` of the best first word of the next part, looking back from the end.
fn best_cut(document: &Document, offset: usize, text: &str, words: &[Word]) -> usize {
    let from = words.len().saturating_sub(SEARCH).max(1);
    let candidates = (from..words.len()).rev();
    let rank = |index: usize| {
        let gap = &text[words[index - 1].end..words[index].start];
        let comma = text[..words[index - 1].end].ends_with([',', ';', ':', '\u{FF0C}', '\u{3001}']);
        match pause_before(document, offset + words[index].start) {
            Break::Pause => 4,
            _ if gap.contains('\n') => 3,
            _ if comma => 2,
            Break::Cue => 1,
            Break::None => 0,
        }
    };
    // Of equals the last: `max_by_key` keeps the last it sees, so look from the front.
    candidates.rev().max_by_key(|index| rank(*index)).unwrap_or(words.len() - 1)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    None,
    /// A cue begins here.
    Cue,
    /// A cue begins here after a pause.
    Pause,
}

fn pause_before(document: &Document, at: usize) -> Break {
    let index = document.cues.partition_point(|cue| cue.span.start < at);
    match (index.checked_sub(1).map(|before| &document.cues[before]), document.cues.get(index)) {
        (Some(before), Some(cue)) if cue.span.start == at => {
            if cue.start_ms.saturating_sub(before.end_ms) >= PAUSE_MS {
                Break::Pause
            } else {
                Break::Cue
            }
        }
        _ => Break::None,
    }
}

/// One word, or one character of a script without spaces.
#[derive(Clone, Copy, Debug)]
struct Word {
    start: usize,
    end: usize,
    /// End of the word before.
    before: usize,
    /// Thirds of a word.
    weight: usize,
}

struct Words<'a> {
    text: &'a str,
    at: usize,
    before: usize,
}

impl<'a> Words<'a> {
    const fn new(text: &'a str) -> Self {
        Self { text, at: 0, before: 0 }
    }
}

impl Iterator for Words<'_> {
    type Item = Word;

    fn next(&mut self) -> Option<Word> {
        let rest = &self.text[self.at..];
        let start = self.at + (rest.len() - rest.trim_start().len());
        let first = self.text[start..].chars().next()?;
        let unspaced = |c: char| {
            super::boundary::is_cjk(c)
                || matches!(c, '\u{E00}'..='\u{EFF}' | '\u{1780}'..='\u{17FF}')
        };
        let end = if unspaced(first) {
            start + first.len_utf8()
        } else {
            let tail = &self.text[start..];
            start + tail.find(|c: char| c.is_whitespace() || unspaced(c)).unwrap_or(tail.len())
        };
        // A run without any break is as many words as a word is long.
        let weight = if unspaced(first) { 1 } else { 3 * (1 + (end - start) / 60) };
        let word = Word { start, end, before: self.before, weight };
        (self.at, self.before) = (end, end);
        Some(word)
    }
}
