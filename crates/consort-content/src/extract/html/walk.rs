//! A page's chosen part to text, with its paragraphs, headings and links.

use url::Url;

use super::tree::{Tag, Tree};
use crate::document::Link;
use crate::extract::build::Builder;

/// Writes the nodes `from..to` of `tree` that are not `dropped`.
///
/// A heading of the first level that repeats `title` is left out: the title is told apart.
pub(super) fn write(
    tree: &Tree,
    range: std::ops::Range<usize>,
    dropped: &[bool],
    title: Option<&str>,
    base: Option<&Url>,
    out: &mut Builder,
) {
    let title = title.map(key).filter(|title| !title.is_empty());
    // Elements whose end is still to come: the index where they end, and which they are.
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut walk = Walk { tree, base, out, cell_before: false, heading: None, links: Vec::new() };
    let mut index = range.start;
    while index < range.end {
        while let Some((_, element)) = open.pop_if(|(end, _)| *end <= index) {
            walk.leave(element);
        }
        let node = &tree.nodes[index];
        let repeats = matches!(node.tag, Tag::Heading(1 | 2))
            && title.as_ref().is_some_and(|title| {
                let words = key(&tree.text(index));
                !words.is_empty() && (*title == words || title.starts_with(&format!("{words} ")))
            });
        if dropped[index] || repeats {
            index = node.end;
            continue;
        }
        walk.enter(index);
        open.push((node.end, index));
        index += 1;
    }
    while let Some((_, element)) = open.pop() {
        walk.leave(element);
    }
    walk.out.end_paragraph();
}

/// Words only, in lower case, for comparing a heading with a title.
fn key(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

impl Tree {
    /// Texts of the first few headings of the first level.
    pub(super) fn headings(&self) -> Vec<String> {
        let tops = (0..self.nodes.len()).filter(|at| self.nodes[*at].tag == Tag::Heading(1));
        tops.take(8).map(|at| self.text(at)).collect()
    }

    /// All text inside a node.
    pub(super) fn text(&self, index: usize) -> String {
        let nodes = &self.nodes[index..self.nodes[index].end];
        nodes.iter().filter(|node| node.tag == Tag::Text).map(|node| node.text.as_str()).collect()
    }
}

struct Walk<'a> {
    tree: &'a Tree,
    base: Option<&'a Url>,
    out: &'a mut Builder,
    /// The open table row already has a cell.
    cell_before: bool,
    heading: Option<u8>,
    /// Where the words of the open links start.
    links: Vec<usize>,
}

impl Walk<'_> {
    fn enter(&mut self, index: usize) {
        let node = &self.tree.nodes[index];
        match node.tag {
            Tag::Text => self.out.push(&node.text),
            Tag::Inline | Tag::Time | Tag::Unseen => {}
            Tag::Link => self.links.push(self.out.here()),
            Tag::Break => self.out.line(),
            Tag::Heading(level) => {
                self.end_block();
                self.heading = Some(level);
            }
            Tag::Row => {
                self.end_block();
                self.cell_before = false;
            }
            Tag::Cell => {
                if self.cell_before && self.out.is_open() {
                    self.out.push(" | ");
                }
                self.cell_before = true;
            }
            Tag::Block
            | Tag::Article
            | Tag::Main
            | Tag::Body
            | Tag::Furniture
            | Tag::Header
            | Tag::Form
            | Tag::Item
            | Tag::List
            | Tag::Paragraph
            | Tag::Preformatted => self.end_block(),
        }
    }

    fn leave(&mut self, index: usize) {
        let node = &self.tree.nodes[index];
        match node.tag {
            Tag::Text | Tag::Inline | Tag::Time | Tag::Unseen | Tag::Break | Tag::Cell => {}
            Tag::Link => self.link(index),
            Tag::Heading(_)
            | Tag::Row
            | Tag::Block
            | Tag::Article
            | Tag::Main
            | Tag::Body
            | Tag::Furniture
            | Tag::Header
            | Tag::Form
            | Tag::Item
            | Tag::List
            | Tag::Paragraph
            | Tag::Preformatted => self.end_block(),
        }
    }

    fn end_block(&mut self) {
        match self.heading.take() {
            Some(level) => self.out.end_heading(level),
            None => {
                self.out.end_paragraph();
            }
        }
    }

    fn link(&mut self, index: usize) {
        let Some(start) = self.links.pop() else { return };
        let href = self.tree.nodes[index].names.as_ref().and_then(|names| names.href.as_deref());
        let Some(url) = href.and_then(|href| resolve(href, self.base)) else { return };
        let span = self.out.since(start);
        if !span.is_empty() {
            let text = self.out.words_since(start);
            self.out.link(Link { span: Some(span), url, text });
        }
    }
}

/// The absolute target of a link; relative as written when the page's address is unknown.
pub(in super::super) fn resolve(href: &str, base: Option<&Url>) -> Option<String> {
    let href = href.trim();
    if href.is_empty() || href.starts_with('#') {
        return None;
    }
    let url = match (Url::parse(href), base) {
        (Ok(url), _) => url,
        (Err(_), Some(base)) => base.join(href).ok()?,
        (Err(_), None) => {
            // Whatever has a scheme and does not parse is nothing to follow.
            return (!href.contains(':')).then(|| href.to_owned());
        }
    };
    matches!(url.scheme(), "http" | "https" | "mailto" | "ftp").then(|| url.into())
}
