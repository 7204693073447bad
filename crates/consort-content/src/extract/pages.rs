//! Lines of pages to running text: running heads dropped, wrapped lines joined, hyphens healed.

use std::collections::HashMap;

use super::Limits;
use super::build::{Builder, counted, scrub};
use crate::document::{Document, Kind, Method};

/// Lines at the top and bottom of a page that may be running heads.
const EDGE: usize = 2;
/// A line shorter than this share of its page's usual width ends its paragraph.
const SHORT: f64 = 0.7;

/// Makes a document of the text of each page, in reading order.
pub(crate) fn assemble(pages: &[String], limits: &Limits) -> Document {
    // What a font maps its signs to may be anything, control characters among it.
    let pages: Vec<String> = pages.iter().map(|page| scrub(page)).collect();
    let pages: Vec<Vec<&str>> =
        pages.iter().map(|page| page.lines().map(str::trim).collect()).collect();
    let running = running_heads(&pages);
    let mut out =
        Builder::new(pages.iter().flatten().map(|line| line.len() + 1).sum(), limits.max_links);
    let (mut dropped, mut empty) = (0, 0);
    for lines in &pages {
        let mut kept: Vec<&str> = lines.clone();
        dropped += strip_edges(&mut kept, &running);
        if kept.iter().all(|line| line.is_empty()) {
            empty += 1;
        }
        let first = kept.iter().position(|line| !line.is_empty()).unwrap_or(kept.len());
        let last = kept.iter().rposition(|line| !line.is_empty()).map_or(first, |last| last + 1);
        // A page may end in the middle of a sentence, not after one.
        if out.ends_sentence() {
            out.end_paragraph();
        }
        write(&kept[first..last], &mut out);
    }
    let mut document = out.finish();
    if dropped > 0 {
        document.losses.push(format!(
            "{} at page edges dropped.",
            counted(dropped, "running head or page number")
        ));
    }
    if empty > 0 {
        document
            .losses
            .push(format!("{} without text, perhaps scanned images.", counted(empty, "page")));
    }
    Document { kind: Kind::Pdf, method: Method::PdfPages, ..document }
}

/// A line with its numbers made equal, so that `Page 3` and `Page 4` are one.
fn key(line: &str) -> String {
    let mut key = String::with_capacity(line.len());
    for c in line.chars() {
        match c {
            c if c.is_ascii_digit() => {
                if !key.ends_with('#') {
                    key.push('#');
                }
            }
            c => key.extend(c.to_lowercase()),
        }
    }
    key
}

/// Positions of the first and last lines with text.
fn edges(lines: &[&str]) -> Vec<usize> {
    let visible: Vec<usize> = (0..lines.len()).filter(|index| !lines[*index].is_empty()).collect();
    let mut edges: Vec<usize> =
        visible.iter().take(EDGE).chain(visible.iter().rev().take(EDGE)).copied().collect();
    edges.sort_unstable();
    edges.dedup();
    edges
}

/// Edge lines that half of the pages share, two at least.
fn running_heads(pages: &[Vec<&str>]) -> HashMap<String, usize> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for lines in pages {
        let mut seen: Vec<String> =
            edges(lines).into_iter().map(|index| key(lines[index])).collect();
        seen.dedup();
        for key in seen {
            *counts.entry(key).or_default() += 1;
        }
    }
    let needed = (pages.len() / 2).max(2);
    counts.retain(|_, count| *count >= needed);
    counts
}

fn strip_edges(lines: &mut [&str], running: &HashMap<String, usize>) -> usize {
    let mut dropped = 0;
    for index in edges(lines) {
        if running.contains_key(&key(lines[index])) || is_page_number(lines[index]) {
            lines[index] = "";
            dropped += 1;
        }
    }
    dropped
}

/// `12`, `- 12 -`, `Page 12`, `12 / 40`, `xii`.
fn is_page_number(line: &str) -> bool {
    let bare = line.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let bare = bare.strip_prefix("page").map_or(bare.as_str(), str::trim_start);
    let roman =
        !bare.is_empty() && bare.len() <= 6 && bare.bytes().all(|byte| b"ivxlc".contains(&byte));
    let parts =
        bare.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty() && *part != "of");
    let numbers: Vec<&str> = parts.collect();
    let counted = (1..=2).contains(&numbers.len())
        && numbers
            .iter()
            .all(|part| part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit()));
    counted || roman
}

fn write(lines: &[&str], out: &mut Builder) {
    let mut widths: Vec<usize> =
        lines.iter().map(|line| line.chars().count()).filter(|width| *width > 20).collect();
    widths.sort_unstable();
    let usual = widths.get(widths.len() * 3 / 4).copied().unwrap_or(0);
    for (index, line) in lines.iter().enumerate() {
        if line.is_empty() {
            out.end_paragraph();
            continue;
        }
        let next = lines[index + 1..].iter().find(|line| !line.is_empty());
        let apart = (index == 0 || lines[index - 1].is_empty())
            && lines.get(index + 1).is_none_or(|line| line.is_empty());
        if apart && is_heading(line) && next.is_some() {
            out.end_paragraph();
            out.push(line);
            out.end_heading(2);
            continue;
        }
        match next.and_then(|next| healed(line, next)) {
            Some(stem) => out.push(stem),
            None => {
                out.push(line);
                out.space();
            }
        }
        let short = (line.chars().count() as f64) < SHORT * usual as f64;
        if short && out.ends_sentence() {
            out.end_paragraph();
        }
    }
}

/// A line that stands alone, short, capitalised and without an end mark.
fn is_heading(line: &str) -> bool {
    let words = line.split_whitespace().count();
    let opens =
        line.starts_with(|c: char| c.is_numeric() || (c.is_alphabetic() && !c.is_lowercase()));
    words <= 12
        && line.len() <= 100
        && opens
        && !line.ends_with(['.', '!', '?', ',', ';', ':', '-'])
}

/// The line without its hyphen, when the next one goes on with the word.
fn healed<'a>(line: &'a str, next: &str) -> Option<&'a str> {
    let stem = line.strip_suffix(['-', '\u{2010}', '\u{AD}'])?;
    let letter = stem.ends_with(char::is_lowercase);
    (letter && next.starts_with(char::is_lowercase)).then_some(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pages: &[&str], expected: &[&str]) {
        let pages: Vec<String> = pages.iter().map(|page| (*page).to_owned()).collect();
        let document = assemble(&pages, &Limits::default());
        let found: Vec<&str> =
            document.paragraphs.iter().map(|span| span.of(&document.text)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn wrapped_lines_are_joined_and_hyphens_healed() {
        check(
            &[
                "The council met on Tues-\nday to talk about the har-\nbour and its well-\nKnown bridge.\n\nThen it rose.",
            ],
            &[
                "The council met on Tuesday to talk about the harbour and its well- Known bridge.",
                "Then it rose.",
            ],
        );
    }

    #[test]
    fn running_heads_and_page_numbers_go() {
        let page = |number: usize, text: &str| format!("Annual report 2031\n\n{text}\n\n{number}");
        let pages = [
            page(1, "One thing happened in the first month and"),
            page(2, "it went on in the second month as well."),
            page(3, "A third thing."),
        ];
        let pages: Vec<&str> = pages.iter().map(String::as_str).collect();
        check(
            &pages,
            &[
                "One thing happened in the first month and it went on in the second month as well.",
                "A third thing.",
            ],
        );
    }

    #[test]
    fn lines_that_stand_alone_are_headings() {
        let pages = ["1 Scope\n\nThis part says what the rest is about, at length.".to_owned()];
        let document = assemble(&pages, &Limits::default());
        assert_eq!(document.headings[0].span.of(&document.text), "1 Scope");
    }

    #[test]
    fn pages_without_text_are_told() {
        let document = assemble(&["Some text.".to_owned(), String::new()], &Limits::default());
        assert_eq!(document.losses, ["1 page without text, perhaps scanned images."]);
    }
}
