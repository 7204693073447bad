//! Plain text: paragraphs as the author separated them, or a transcript with labelled turns.

use super::{ExtractError, Limits, turns};
use crate::document::{Document, Heading, Span};

/// Lines longer than this are not hard-wrapped by anybody.
const WRAP: usize = 120;

/// Parses plain text. A transcript (see [`turns::labelled`]) loses its labels to the turns;
/// anything else is kept as it stands.
///
/// # Errors
///
/// [`ExtractError::TooLarge`] for a transcript with more timed lines than `limits.max_cues`.
pub(super) fn parse(text: &str, limits: &Limits) -> Result<Document, ExtractError> {
    if let Some(document) = turns::labelled(text, limits)? {
        return Ok(document);
    }
    let text = text.trim_end().to_owned();
    let paragraphs = paragraphs(&text);
    let mut document = Document { paragraphs, text, ..Document::default() };
    if let Some(span) = headline(&document) {
        document.title = Some(span.of(&document.text).to_owned());
        document.headings.push(Heading { span, level: 1 });
    }
    Ok(document)
}

/// The first block, when it is one short line without an end mark and longer text follows.
fn headline(document: &Document) -> Option<Span> {
    let [first, rest @ ..] = document.paragraphs.as_slice() else { return None };
    let line = first.of(&document.text);
    let marked = line.ends_with([
        '.', '!', '?', ',', ';', ':', '\u{2026}', '\u{3002}', '\u{964}', '"', '\u{201D}',
    ]);
    let words = line.split_whitespace().count();
    let short = words <= 15 && line.len() <= 120 && !line.contains('\n');
    let opens = line.starts_with(|c: char| c.is_alphanumeric() && !c.is_lowercase());
    let longer = rest.iter().any(|span| span.len() > 2 * first.len());
    (short && !marked && opens && longer && words >= 2).then_some(*first)
}

/// Blocks parted by blank lines; every line its own block where lines are not hard-wrapped.
fn paragraphs(text: &str) -> Vec<Span> {
    let long: usize = text.lines().map(str::len).filter(|len| *len > WRAP).sum();
    let by_line = long * 2 > text.len();
    let mut spans: Vec<Span> = Vec::new();
    let (mut at, mut open) = (0, None::<Span>);
    for line in text.split_inclusive('\n') {
        let visible = line.trim();
        let start = at + (line.len() - line.trim_start().len());
        at += line.len();
        if visible.is_empty() {
            spans.extend(open.take());
            continue;
        }
        let end = start + visible.len();
        match &mut open {
            Some(span) if !by_line => span.end = end,
            _ => spans.extend(open.replace(Span::new(start, end))),
        }
    }
    spans.extend(open);
    spans
}
