//! Markdown: the words, with headings, links and lists; markup and code fences are dropped.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::build::{Builder, counted};
use super::{ExtractError, Limits};
use crate::document::{Document, Link};

/// Parses CommonMark with tables, strike-through and a metadata block.
///
/// # Errors
///
/// [`ExtractError::TooDeep`] for a line with more nested block marks than `limits.max_depth`.
pub(super) fn parse(text: &str, limits: &Limits) -> Result<Document, ExtractError> {
    let depth = text.lines().map(block_marks).max().unwrap_or(0);
    if depth > limits.max_depth {
        return Err(ExtractError::TooDeep { depth, limit: limits.max_depth });
    }
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let mut walk = Walk { out: Builder::new(text.len(), limits.max_links), ..Walk::default() };
    for event in Parser::new_ext(text, options) {
        walk.event(event);
    }
    let (front, title, code, html) = (walk.front, walk.title, walk.code, walk.html);
    let mut document = walk.out.finish();
    document.title = field(&front, "title").or(title);
    document.byline = field(&front, "author");
    document.published = field(&front, "date");
    document.declared_language = field(&front, "lang").or_else(|| field(&front, "language"));
    if code > 0 {
        document.losses.push(format!("{} not analysed.", counted(code, "code block")));
    }
    if html > 0 {
        document.losses.push(format!("{} of raw HTML dropped.", counted(html, "piece")));
    }
    Ok(document)
}

/// Quote and list marks at the start of a line, which is what nests blocks.
fn block_marks(line: &str) -> usize {
    let mut marks = 0;
    let mut bytes = line.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'>' => marks += 1,
            b' ' | b'\t' => {}
            b'-' | b'*' | b'+' if matches!(bytes.peek(), Some(b' ' | b'\t')) => marks += 1,
            _ => break,
        }
    }
    marks
}

#[derive(Debug, Default)]
struct Walk {
    out: Builder,
    /// Open links: target and where their words start.
    links: Vec<(String, usize)>,
    /// The metadata block as written.
    front: String,
    title: Option<String>,
    heading_from: usize,
    skipping: Option<Skipped>,
    /// The open table row already has a cell.
    cell_before: bool,
    code: usize,
    html: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skipped {
    Code,
    Front,
    Image,
}

impl Walk {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Code(text) => match self.skipping {
                None => self.out.push(&text),
                Some(Skipped::Front) => self.front.push_str(&text),
                Some(Skipped::Code | Skipped::Image) => {}
            },
            Event::SoftBreak => self.out.space(),
            Event::HardBreak => self.out.line(),
            Event::Rule => {
                self.out.end_paragraph();
            }
            Event::Html(_) | Event::InlineHtml(_) => self.html += 1,
            Event::FootnoteReference(_)
            | Event::TaskListMarker(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_) => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { .. } => {
                self.out.end_paragraph();
                self.heading_from = self.out.here();
            }
            Tag::CodeBlock(_) => {
                self.out.end_paragraph();
                self.code += 1;
                self.skipping = Some(Skipped::Code);
            }
            Tag::MetadataBlock(_) => self.skipping = Some(Skipped::Front),
            Tag::Image { .. } => self.skipping = Some(Skipped::Image),
            Tag::Link { dest_url, .. } => {
                self.links.push((dest_url.into_string(), self.out.here()));
            }
            Tag::TableHead | Tag::TableRow => self.cell_before = false,
            Tag::TableCell => {
                if self.cell_before && self.out.is_open() {
                    self.out.push(" | ");
                }
                self.cell_before = true;
            }
            Tag::Paragraph
            | Tag::FootnoteDefinition(_)
            | Tag::Item
            | Tag::BlockQuote(_)
            | Tag::Table(_)
            | Tag::List(_) => {
                self.out.end_paragraph();
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(level) => {
                if self.title.is_none() && level == HeadingLevel::H1 {
                    let words = self.out.words_since(self.heading_from);
                    self.title = (!words.is_empty()).then_some(words);
                }
                self.out.end_heading(level as u8);
            }
            TagEnd::CodeBlock | TagEnd::MetadataBlock(_) | TagEnd::Image => self.skipping = None,
            TagEnd::Link => {
                if let Some((url, from)) = self.links.pop() {
                    let span = self.out.since(from);
                    let text = self.out.words_since(from);
                    self.out.link(Link { span: (!span.is_empty()).then_some(span), url, text });
                }
            }
            TagEnd::Paragraph | TagEnd::Item | TagEnd::TableHead | TagEnd::TableRow => {
                self.out.end_paragraph();
            }
            _ => {}
        }
    }
}

/// The value of `name` in a metadata block of `name: value` lines.
fn field(front: &str, name: &str) -> Option<String> {
    let value = front.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches(['"', '\'']))
    })?;
    (!value.is_empty()).then(|| value.to_owned())
}
