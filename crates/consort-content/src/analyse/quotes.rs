//! Quotations and who is credited with them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::index::{Index, Kind, Token};
use super::lexicon::Class;
use super::names::Run;
use super::place::Place;
use crate::document::Span;

/// Words in quotation marks, or a statement credited to somebody without them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quote {
    /// Where it stands; for a direct quotation without the marks.
    pub place: Place,
    /// The words.
    pub text: String,
    /// True for words in quotation marks.
    pub direct: bool,
    /// Who is credited, where the text says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Attribution>,
}

/// Whom the text credits with a quotation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Attribution {
    /// The name or pronoun as written.
    pub name: String,
    /// What the credit rests on.
    pub basis: Basis,
    /// Where the name or pronoun stands; none when the source names the speaker outside the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
}

/// What an attribution rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// A name next to a verb of saying.
    Named,
    /// A pronoun next to a verb of saying; whom it stands for is not decided.
    Pronoun,
    /// `according to`.
    AccordingTo,
    /// The speaker of the turn, in a source that names speakers.
    Turn,
    /// The paragraph credits its last quotation to this name, and this one to nobody else.
    Continued,
}

/// Longest stretch between quotation marks that counts as one quotation, in bytes.
const MAX_BYTES: usize = 3000;
/// Words below which quoted words are a title or a phrase held at arm's length.
const MIN_WORDS: usize = 3;
/// Tokens between a quotation and its verb of saying.
const REACH: usize = 8;

/// Stretches between quotation marks, in text order, marks left out.
pub(crate) fn quoted_spans(index: &Index<'_>) -> Vec<Span> {
    let text = &index.doc.text;
    let mut found = Vec::new();
    for paragraph in &index.doc.paragraphs {
        let mut open: Option<(usize, char)> = None;
        for (offset, c) in paragraph.of(text).char_indices() {
            let at = paragraph.start + offset;
            match open {
                Some((start, close)) if c == close && closes(text, at, c) => {
                    let inner = trimmed(text, Span::new(start, at));
                    if at - start <= MAX_BYTES && !inner.is_empty() {
                        found.push(inner);
                    }
                    open = None;
                }
                Some((start, _)) if at - start > MAX_BYTES => open = None,
                None => open = closing(text, at, c).map(|close| (at + c.len_utf8(), close)),
                Some(_) => {}
            }
        }
    }
    found
}

/// `span` without white space at its ends, which French puts inside its marks.
fn trimmed(text: &str, span: Span) -> Span {
    let inner = span.of(text);
    let start = span.start + (inner.len() - inner.trim_start().len());
    Span::new(start, start + inner.trim().len())
}

/// The mark that closes what `c` opens at byte `at`, when it opens a quotation.
fn closing(text: &str, at: usize, c: char) -> Option<char> {
    let is_mark = matches!(c, '"' | '\u{201c}' | '\u{201e}' | '«' | '»' | '\u{2018}' | '「' | '『');
    if !is_mark {
        return None;
    }
    let before = text[..at].chars().next_back();
    let after = text[at + c.len_utf8()..].chars().next();
    let outside = before.is_none_or(|b| {
        b.is_whitespace() || matches!(b, '(' | '[' | '—' | '–' | '-' | ':' | '\u{201c}')
    });
    let inside = after.is_some_and(|a| !a.is_whitespace());
    match c {
        '"' if outside && inside => Some('"'),
        '\u{201c}' if inside => Some('\u{201d}'),
        '\u{201e}' if inside => Some(low_quote_close(&text[at..])),
        '«' => Some('»'),
        '»' if outside && inside => Some('«'),
        '\u{2018}' if outside && inside => Some('\u{2019}'),
        '「' => Some('」'),
        '『' => Some('』'),
        _ => None,
    }
}

/// German closes a low mark with a left one, Polish and others with a right one: the nearer wins.
fn low_quote_close(rest: &str) -> char {
    let near = &rest[..rest.floor_char_boundary(MAX_BYTES.min(rest.len()))];
    near.chars().find(|c| matches!(c, '\u{201c}' | '\u{201d}')).unwrap_or('\u{201c}')
}

/// An apostrophe inside a word closes nothing.
fn closes(text: &str, at: usize, c: char) -> bool {
    c != '\u{2019}' || !text[at + c.len_utf8()..].starts_with(char::is_alphanumeric)
}

/// Direct quotations in text order, then statements credited by `according to` and the like.
pub(crate) fn find(index: &Index<'_>, runs: &[Run], quoted: &[Span]) -> Vec<Quote> {
    let mut all: Vec<Quote> = Vec::new();
    for span in quoted {
        let sentence = index.sentence_at(span.start);
        if index.sentences.is_empty() || words_in(index, *span) < MIN_WORDS {
            continue;
        }
        let by = direct_attribution(index, runs, sentence, *span);
        all.push(Quote {
            place: index.place(*span, sentence),
            text: span.of(&index.doc.text).to_owned(),
            direct: true,
            by,
        });
    }
    continued(index, &mut all);
    for sentence in 0..index.len() {
        all.extend(indirect(index, runs, quoted, sentence));
    }
    all.sort_by_key(|quote| (quote.place.span.start, quote.place.span.end));
    all
}

/// Credits a quotation that nobody is named for to the person whom its paragraph has just quoted.
fn continued(index: &Index<'_>, direct: &mut [Quote]) {
    let mut last: Option<(u32, Attribution)> = None;
    for quote in direct {
        let paragraph = index.sentences[index.sentence_at(quote.place.span.start)].paragraph;
        match (&quote.by, &last) {
            (None, Some((known, by))) if *known == paragraph => {
                quote.by = Some(Attribution { basis: Basis::Continued, ..by.clone() });
            }
            (Some(by), _) => last = Some((paragraph, by.clone())),
            (None, _) => {}
        }
    }
}

/// Words of `span`, counted up to the minimum, which may reach over several sentences.
fn words_in(index: &Index<'_>, span: Span) -> usize {
    let first = index.tokens.partition_point(|token| (token.start as usize) < span.start);
    let inside = index.tokens[first..].iter().take_while(|token| (token.end as usize) <= span.end);
    inside.filter(|token| token.is_wordlike()).take(MIN_WORDS).count()
}

fn direct_attribution(
    index: &Index<'_>,
    runs: &[Run],
    sentence: usize,
    span: Span,
) -> Option<Attribution> {
    let last = index.sentence_at(span.end);
    let after = index.tokens.partition_point(|token| (token.start as usize) < span.end);
    let before = index.tokens.partition_point(|token| (token.start as usize) < span.start);
    let limit = index.range(last).end;
    let start = index.range(sentence).start;
    credited(index, runs, after..limit.min(after + REACH + 4))
        .or_else(|| credited(index, runs, start.max(before.saturating_sub(REACH + 4))..before))
        .or_else(|| turn(index, span))
}

fn turn(index: &Index<'_>, span: Span) -> Option<Attribution> {
    let name = index.doc.speaker_at(span.start)?.to_owned();
    Some(Attribution { name, basis: Basis::Turn, span: None })
}

/// The name or pronoun next to the first verb of saying among `tokens`.
fn credited(
    index: &Index<'_>,
    runs: &[Run],
    tokens: std::ops::Range<usize>,
) -> Option<Attribution> {
    let says = |at: &usize| {
        index.is(&index.tokens[*at], Class::REPORT) && index.tokens[*at].kind == Kind::Word
    };
    let verb = tokens.clone().find(says)?;
    let first = runs.partition_point(|run| run.tokens.end <= tokens.start);
    let near = runs[first..].iter().take_while(|run| run.tokens.start < tokens.end);
    let distance = |run: &&Run| {
        if run.tokens.start > verb { run.tokens.start - verb } else { verb + 1 - run.tokens.end }
    };
    let name = near.filter(|run| distance(run) <= REACH).min_by_key(distance);
    let pronoun = [verb.checked_sub(1), Some(verb + 1)]
        .into_iter()
        .flatten()
        .find(|at| tokens.contains(at) && is_pronoun(index, &index.tokens[*at]));
    match (name, pronoun) {
        (_, Some(at)) => {
            let span = index.tokens[at].span();
            Some(Attribution {
                name: span.of(&index.doc.text).to_owned(),
                basis: Basis::Pronoun,
                span: Some(span),
            })
        }
        (Some(run), None) => {
            let span = index.span(run.tokens.start, run.tokens.end - 1);
            Some(Attribution { name: run.text(index), basis: Basis::Named, span: Some(span) })
        }
        (None, None) => None,
    }
}

fn is_pronoun(index: &Index<'_>, token: &Token) -> bool {
    matches!(index.lower(token), "he" | "she" | "they" | "i" | "we")
}

/// `X said that ...` and `according to X, ...`, outside quotation marks.
fn indirect(index: &Index<'_>, runs: &[Run], quoted: &[Span], sentence: usize) -> Option<Quote> {
    let range = index.range(sentence);
    let whole = index.sentences[sentence].span;
    let next = quoted.partition_point(|quote| quote.end <= whole.start);
    if quoted.get(next).is_some_and(|quote| quote.overlaps(whole)) {
        return None;
    }
    let tokens = &index.tokens;
    let lower = |at: usize| if at < range.end { index.lower(&tokens[at]) } else { "" };
    let quote = |by: Attribution| {
        Some(Quote {
            place: index.sentence_place(sentence),
            text: whole.of(&index.doc.text).to_owned(),
            direct: false,
            by: Some(by),
        })
    };
    let first = runs.partition_point(|run| run.tokens.end <= range.start);
    let runs = &runs[first..];
    for at in range.clone() {
        if lower(at) == "according" && lower(at + 1) == "to" {
            let end = (at + 2..range.end.min(at + 14))
                .find(|&at| matches!(index.raw(&tokens[at]), "," | ";" | "."));
            let last = end.unwrap_or(range.end.min(at + 14)) - 1;
            if last < at + 2 {
                return None;
            }
            let span = index.span(at + 2, last);
            return quote(Attribution {
                name: span.of(&index.doc.text).to_owned(),
                basis: Basis::AccordingTo,
                span: Some(span),
            });
        }
        let says = index.is(&tokens[at], Class::REPORT)
            && matches!(lower(at + 1), "that" | "," | "." | "");
        let subject =
            runs.iter().take_while(|run| run.tokens.start <= at).find(|run| run.tokens.end == at);
        if let Some(run) = subject.filter(|_| says) {
            let span = index.span(run.tokens.start, run.tokens.end - 1);
            return quote(Attribution {
                name: run.text(index),
                basis: Basis::Named,
                span: Some(span),
            });
        }
    }
    None
}
