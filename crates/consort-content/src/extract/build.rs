//! Cleaning decoded text, and assembling a document's text piece by piece.

use std::borrow::Cow;

use super::ExtractError;
use crate::decode::{Basis, Decoded};
use crate::document::{Document, Heading, Link, Span};

/// Decoded text fit for a document, with what cleaning it cost.
#[derive(Debug)]
pub(crate) struct Clean<'a> {
    pub(crate) text: Cow<'a, str>,
    pub(crate) encoding: &'static str,
    pub(crate) losses: Vec<String>,
}

/// Normalises line ends and removes control characters.
///
/// # Errors
///
/// [`ExtractError::NotText`] when over 5 % of the characters are control characters or could not
/// be decoded: such bytes are some binary format without a signature known to us.
pub(crate) fn clean(decoded: Decoded<'_>) -> Result<Clean<'_>, ExtractError> {
    let mut losses = Vec::new();
    let bad = decoded.text.bytes().filter(|byte| is_control(*byte)).count();
    let broken = decoded.replaced + bad;
    if broken * 20 > decoded.text.len() {
        return Err(ExtractError::NotText { what: "mostly control or undecodable bytes" });
    }
    if decoded.replaced > 0 {
        losses.push(format!(
            "{} could not be decoded as {} and {} shown as \u{FFFD}.",
            counted(decoded.replaced, "sequence"),
            decoded.encoding,
            if decoded.replaced == 1 { "is" } else { "are" },
        ));
    }
    if bad > 0 {
        losses.push(format!("{} removed.", counted(bad, "control character")));
    }
    if decoded.basis == Basis::Guessed {
        losses.push(format!("The encoding is not declared; {} was guessed.", decoded.encoding));
    }
    let dirty = decoded.text.contains(['\r', '\u{FEFF}', '\u{85}', '\u{2028}', '\u{2029}']);
    let text = if bad == 0 && !dirty { decoded.text } else { Cow::Owned(scrub(&decoded.text)) };
    Ok(Clean { text, encoding: decoded.encoding, losses })
}

/// `1 cue`, `2 cues`.
pub(crate) fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

const fn is_control(byte: u8) -> bool {
    matches!(byte, 0..=8 | 0x0B | 0x0E..=0x1F | 0x7F)
}

/// `text` with one kind of line end and without control characters.
pub(crate) fn scrub(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                // CRLF and a lone CR both end one line.
                if chars.peek() == Some(&'\n') {
                    chars.next();
                }
                out.push('\n');
            }
            '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{0C}' => out.push('\n'),
            '\u{FEFF}' => {}
            c if c.is_ascii() && is_control(c as u8) => {}
            c => out.push(c),
        }
    }
    out
}

/// Assembles a document's text: pieces go into the open paragraph, white space collapses.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    text: String,
    paragraphs: Vec<Span>,
    headings: Vec<Heading>,
    links: Vec<Link>,
    dropped_links: usize,
    max_links: usize,
    /// Start of the open paragraph, while it has any text.
    open: Option<usize>,
    /// White space seen since the last visible character of the open paragraph.
    gap: Gap,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    None,
    Space,
    Line,
}

impl Builder {
    pub(crate) fn new(capacity: usize, max_links: usize) -> Self {
        Self { text: String::with_capacity(capacity), max_links, ..Self::default() }
    }

    /// Adds running text; any white space in it becomes one space.
    pub(crate) fn push(&mut self, piece: &str) {
        let mut rest = piece;
        while let Some(first) = rest.chars().next() {
            if first.is_whitespace() {
                self.gap = self.gap.max(Gap::Space);
                rest = rest.trim_start();
                continue;
            }
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            self.settle();
            self.text.push_str(&rest[..end]);
            rest = &rest[end..];
        }
    }

    /// Starts a new line within the open paragraph.
    pub(crate) fn line(&mut self) {
        self.gap = Gap::Line;
    }

    /// Separates what follows by a space.
    pub(crate) fn space(&mut self) {
        self.gap = self.gap.max(Gap::Space);
    }

    /// True while the open paragraph has any text.
    pub(crate) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// True when the text so far ends with an end mark, quotes and brackets aside.
    #[cfg(any(test, feature = "pdf"))]
    pub(crate) fn ends_sentence(&self) -> bool {
        let bare =
            self.text.trim_end_matches(['"', '\'', ')', ']', '\u{201D}', '\u{2019}', '\u{BB}']);
        bare.ends_with([
            '.', '!', '?', ':', '\u{2026}', '\u{3002}', '\u{FF01}', '\u{FF1F}', '\u{61F}',
            '\u{964}',
        ])
    }

    /// Where the next visible character will stand.
    pub(crate) fn here(&self) -> usize {
        let gap = usize::from(self.open.is_some() && self.gap != Gap::None);
        let between = if self.open.is_none() && !self.text.is_empty() { 2 } else { 0 };
        self.text.len() + gap + between
    }

    /// From an earlier [`Builder::here`] to the last visible character.
    pub(crate) fn since(&self, start: usize) -> Span {
        let added = self.text.get(start..).unwrap_or_default();
        Span::new(self.text.len() - added.trim_start().len(), self.text.len())
    }

    /// The words of [`Builder::since`].
    pub(crate) fn words_since(&self, start: usize) -> String {
        self.since(start).of(&self.text).to_owned()
    }

    /// Ends the open paragraph; its range, unless it stayed empty.
    pub(crate) fn end_paragraph(&mut self) -> Option<Span> {
        self.gap = Gap::None;
        let span = Span::new(self.open.take()?, self.text.len());
        self.paragraphs.push(span);
        Some(span)
    }

    /// Ends the open paragraph as a heading.
    pub(crate) fn end_heading(&mut self, level: u8) {
        if let Some(span) = self.end_paragraph() {
            self.headings.push(Heading { span, level: level.clamp(1, 6) });
        }
    }

    /// Records a link, up to the limit.
    pub(crate) fn link(&mut self, link: Link) {
        if self.links.len() < self.max_links {
            self.links.push(link);
        } else {
            self.dropped_links += 1;
        }
    }

    /// The document made of everything added.
    pub(crate) fn finish(mut self) -> Document {
        self.end_paragraph();
        let mut losses = Vec::new();
        if self.dropped_links > 0 {
            losses.push(format!(
                "{} beyond the first {} not kept.",
                counted(self.dropped_links, "link"),
                self.max_links
            ));
        }
        Document {
            text: self.text,
            paragraphs: self.paragraphs,
            headings: self.headings,
            links: self.links,
            losses,
            ..Document::default()
        }
    }

    /// Writes the pending separator and opens a paragraph if none is open.
    fn settle(&mut self) {
        if self.open.is_none() {
            if !self.text.is_empty() {
                self.text.push_str("\n\n");
            }
            self.open = Some(self.text.len());
        } else {
            match self.gap {
                Gap::None => {}
                Gap::Space => self.text.push(' '),
                Gap::Line => self.text.push('\n'),
            }
        }
        self.gap = Gap::None;
    }
}
