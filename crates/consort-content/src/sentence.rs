//! Where sentences begin and end.

use crate::document::{Document, Sentence, Span};

/// Splits a document into sentences, paragraph by paragraph; ids count up from 0.
#[must_use]
pub fn sentences(document: &Document) -> Vec<Sentence> {
    let mut found = Vec::new();
    for (paragraph, span) in document.paragraphs.iter().enumerate() {
        for sentence in split(span.of(&document.text)) {
            found.push(Sentence {
                id: number(found.len()),
                span: Span::new(span.start + sentence.start, span.start + sentence.end),
                synthetic: false,
                paragraph: number(paragraph),
            });
        }
    }
    found
}

/// Splits one paragraph; ranges are bytes of `text`, without surrounding white space.
#[must_use]
pub fn split(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if !matches!(c, '.' | '!' | '?' | '\u{2026}' | '\u{3002}' | '\u{61F}' | '\u{964}') {
            continue;
        }
        let mut end = at + c.len_utf8();
        while let Some((at, c)) = chars.next_if(|(_, c)| {
            matches!(c, '.' | '!' | '?' | '"' | '\'' | ')' | '\u{201D}' | '\u{2019}')
        }) {
            end = at + c.len_utf8();
        }
        let rest = text[end..].trim_start();
        let apart = rest.len() < text.len() - end || !c.is_ascii();
        if rest.is_empty() || (apart && !rest.starts_with(char::is_lowercase)) {
            spans.extend(trimmed(text, start, end));
            start = end;
        }
    }
    spans.extend(trimmed(text, start, text.len()));
    spans
}

fn trimmed(text: &str, start: usize, end: usize) -> Option<Span> {
    let piece = &text[start..end];
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
