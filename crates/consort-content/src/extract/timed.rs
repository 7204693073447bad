//! Timed pieces of speech to running text: rolling repetition removed, paragraphs made.

use super::build::{Builder, counted};
use super::{Limits, turns};
use crate::document::{Cue, Document, Method, Turn};

/// A pause of this many milliseconds ends a paragraph.
const PAUSE_MS: u64 = 2_500;
/// A paragraph of this many words ends with its sentence.
const FULL: usize = 80;
/// A paragraph of this many words ends, sentence or not.
const OVERFULL: usize = 250;

/// One cue or segment as read, before anything is joined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) start_ms: u64,
    pub(super) end_ms: u64,
    pub(super) speaker: Option<String>,
    pub(super) lines: Vec<String>,
    /// Somebody else speaks from here, whoever it is.
    pub(super) turn: bool,
}

/// Joins pieces into a document with cues and turns.
pub(super) fn assemble(mut pieces: Vec<Piece>, limits: &Limits) -> Document {
    pieces.retain(|piece| !piece.lines.is_empty());
    name_speakers(&mut pieces);
    let rolling = is_rolling(&pieces);
    let mut out = Joined::new(&pieces, limits);
    let mut repeated = 0;
    for (index, piece) in pieces.iter().enumerate() {
        let before = index.checked_sub(1).map(|at| &pieces[at]);
        let fresh = match before {
            Some(before) if rolling => news(before, piece),
            Some(before) if is_double(before, piece) => Vec::new(),
            _ => piece.lines.iter().map(String::as_str).collect(),
        };
        repeated += usize::from(fresh.is_empty());
        out.add(piece, &fresh);
    }
    let mut document = out.finish();
    if rolling {
        document.losses.push("Rolling captions: repeated lines kept once.".to_owned());
    } else if repeated > 0 {
        document
            .losses
            .push(format!("{} repeating the one before dropped.", counted(repeated, "cue")));
    }
    document
}

/// Takes `NAME:` off cues whose label is a speaker's: it occurs twice, or is in capitals where
/// another label occurs twice.
fn name_speakers(pieces: &mut [Piece]) {
    let mut counts: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
    for piece in pieces.iter() {
        if let Some((name, _)) = turns::speaker(&piece.lines[0]) {
            *counts.entry(name.to_owned()).or_default() += 1;
        }
    }
    let any = counts.values().any(|count| *count >= 2);
    let mut current: Option<String> = None;
    for piece in pieces {
        if piece.speaker.is_some() {
            current = None;
            continue;
        }
        let label = turns::speaker(&piece.lines[0]).filter(|(name, _)| {
            counts.get(*name).copied().unwrap_or(0) >= 2
                || (any && !name.chars().any(char::is_lowercase))
        });
        if let Some((name, words)) = label {
            let (name, words) = (name.to_owned(), words.to_owned());
            piece.turn = true;
            current = Some(name);
            piece.lines[0] = words;
            piece.lines.retain(|line| !line.is_empty());
        } else if piece.turn {
            // Somebody else, unnamed.
            current = None;
        }
        piece.speaker.clone_from(&current);
    }
}

/// True when every fourth cue opens with what the cue before ended with, as live captions do.
fn is_rolling(pieces: &[Piece]) -> bool {
    let carried = pieces.windows(2).filter(|pair| {
        let fresh: usize = news(&pair[0], &pair[1]).iter().map(|line| line.len()).sum();
        let near = pair[1].start_ms <= pair[0].end_ms.saturating_add(500);
        near && fresh < pair[1].lines.iter().map(String::len).sum()
    });
    let carried = carried.count();
    carried >= 3 && carried * 4 >= pieces.len()
}

/// The same words at the same time: a double entry, not an echo.
fn is_double(before: &Piece, piece: &Piece) -> bool {
    before.lines == piece.lines && before.speaker == piece.speaker && piece.start_ms < before.end_ms
}

/// What `piece` adds to `before`: its lines without those carried over, its first new line
/// without the words that it repeats while growing.
fn news<'a>(before: &Piece, piece: &'a Piece) -> Vec<&'a str> {
    let (old, new) = (&before.lines, &piece.lines);
    let most = old.len().min(new.len());
    let carried =
        (1..=most).rev().find(|count| old[old.len() - count..] == new[..*count]).unwrap_or(0);
    if carried > 0 {
        return new[carried..].iter().map(String::as_str).collect();
    }
    // Growing: the last old line is the beginning of a new one.
    let Some(last) = old.last() else { return new.iter().map(String::as_str).collect() };
    let grown = new[0].strip_prefix(last.as_str()).filter(|rest| rest.starts_with(' '));
    let first = grown.map_or(new[0].as_str(), str::trim_start);
    std::iter::once(first).chain(new[1..].iter().map(String::as_str)).collect()
}

/// The text as it grows.
#[derive(Debug)]
struct Joined {
    out: Builder,
    cues: Vec<Cue>,
    turns: Vec<Turn>,
    turn: Option<(String, usize)>,
    words: usize,
    last_end_ms: u64,
    ends_sentence: bool,
}

impl Joined {
    fn new(pieces: &[Piece], limits: &Limits) -> Self {
        let size = pieces.iter().flat_map(|piece| &piece.lines).map(|line| line.len() + 1).sum();
        Self {
            out: Builder::new(size, limits.max_links),
            cues: Vec::with_capacity(pieces.len()),
            turns: Vec::new(),
            turn: None,
            words: 0,
            last_end_ms: 0,
            ends_sentence: false,
        }
    }

    fn add(&mut self, piece: &Piece, fresh: &[&str]) {
        if fresh.is_empty() {
            // Nothing new, but the words stay on screen for longer.
            if let Some(last) = self.cues.last_mut() {
                last.end_ms = last.end_ms.max(piece.end_ms);
            }
            self.last_end_ms = self.last_end_ms.max(piece.end_ms);
            return;
        }
        let pause = piece.start_ms.saturating_sub(self.last_end_ms) >= PAUSE_MS;
        let full = self.words >= OVERFULL || (self.words >= FULL && self.ends_sentence);
        let other = self.turn.as_ref().map(|(name, _)| name) != piece.speaker.as_ref();
        if pause || full || piece.turn || other {
            self.out.end_paragraph();
            self.words = 0;
        }
        if other {
            self.close_turn();
            self.turn = piece.speaker.clone().map(|name| (name, self.out.here()));
        }
        let start = self.out.here();
        for line in fresh {
            self.out.push(line);
            self.out.space();
            self.words += line.split_whitespace().count();
        }
        let last = fresh
            .last()
            .copied()
            .unwrap_or_default()
            .trim_end_matches(['"', '\'', ')', '\u{201D}']);
        self.ends_sentence =
            last.ends_with(['.', '!', '?', '\u{2026}', '\u{3002}', '\u{61F}', '\u{964}']);
        self.last_end_ms = piece.end_ms;
        self.cues.push(Cue {
            span: self.out.since(start),
            start_ms: piece.start_ms,
            end_ms: piece.end_ms,
            speaker: piece.speaker.clone(),
        });
    }

    fn close_turn(&mut self) {
        if let Some((speaker, start)) = self.turn.take() {
            let span = self.out.since(start);
            if !span.is_empty() {
                self.turns.push(Turn { span, speaker });
            }
        }
    }

    fn finish(mut self) -> Document {
        self.out.end_paragraph();
        self.close_turn();
        let Self { out, cues, turns, .. } = self;
        Document { cues, turns, method: Method::Cues, ..out.finish() }
    }
}
