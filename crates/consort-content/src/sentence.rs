//! Where sentences begin and end.
//!
//! A rule splitter in the manner of pySBD's golden rules: marks propose, the words around them
//! decide. Text that carries no marks, as captions often do, is cut at pauses and by length, and
//! such boundaries are marked synthetic. All of it is linear in the text.

mod boundary;
mod lists;
mod stop;
mod synthetic;

use crate::document::{Document, Sentence, Span};

use boundary::is_item;

/// Splits a document into sentences, paragraph by paragraph; ids count up from 0.
#[must_use]
pub fn sentences(document: &Document) -> Vec<Sentence> {
    let unmarked = synthetic::is_unmarked(document);
    let mut found = Vec::new();
    for (paragraph, span) in document.paragraphs.iter().enumerate() {
        for sentence in split(span.of(&document.text)) {
            let whole = Span::new(span.start + sentence.start, span.start + sentence.end);
            let parts = synthetic::parts(document, whole, unmarked);
            let synthetic = parts.len() > 1;
            for span in parts {
                let (id, paragraph) = (number(found.len()), number(paragraph));
                found.push(Sentence { id, span, synthetic, paragraph });
            }
        }
    }
    found
}

/// Splits one paragraph by its marks; ranges are bytes of `text`, without surrounding white space.
#[must_use]
pub fn split(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let (mut start, mut at) = (text.len() - text.trim_start().len(), 0);
    while let Some(c) = text[at..].chars().next() {
        let next = at + c.len_utf8();
        if c == '\n' && ends_line(text, start, at) {
            spans.extend(trimmed(text, start, at));
            (start, at) = (next, next);
            continue;
        }
        let Some(mark) = boundary::mark(text, at) else {
            at = next;
            continue;
        };
        if boundary::ends(text, start, mark) {
            spans.extend(trimmed(text, start, mark.end));
            start = text.len() - text[mark.end..].trim_start().len();
        }
        at = mark.end;
    }
    spans.extend(trimmed(text, start, text.len()));
    spans
}

/// True when the next line is a list item that does not continue an introduction.
fn ends_line(text: &str, start: usize, at: usize) -> bool {
    let line = text[at..].trim_start_matches(['\n', ' ', '\t']);
    start < at && is_item(line) && !text[start..at].trim_end().ends_with(':')
}

fn trimmed(text: &str, start: usize, end: usize) -> Option<Span> {
    let piece = text.get(start..end)?;
    let from = start + (piece.len() - piece.trim_start().len());
    let span = Span::new(from, from + piece.trim().len());
    (!span.is_empty()).then_some(span)
}

/// A count as an id. Text is at most 64 MiB, far below what an id can count.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
