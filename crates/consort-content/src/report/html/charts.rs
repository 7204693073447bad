//! The map of the text: what is found where, as inline SVG.

use super::findings;
use super::page::Page;
use crate::analyse::verify::Verdict;
use crate::document::Span;
use crate::report::{Reading, Report, clock};

/// Width of the drawing in its own units.
const WIDTH: f64 = 1000.0;
/// Height of the sentiment row.
const CURVE: f64 = 90.0;
/// Height of a row of ticks.
const ROW: f64 = 26.0;

/// Sentiment along the text, with claims, rhetoric, quotations and speakers below it on the same axis.
pub(super) fn map(page: &mut Page, report: &Report) {
    let found = &report.findings;
    let bytes = report.source.bytes.max(1) as f64;
    if found.sentences < 2 {
        return;
    }
    let x = |byte: usize| byte as f64 / bytes * WIDTH;
    page.section("map", "Map of the text", None);
    page.raw("<p class=\"quiet\">From its beginning (left) to its end (right). Every mark leads to its place.</p>\n<div class=\"map\">\n");
    if let Some(sentiment) = &found.sentiment {
        row(page, "Sentiment", CURVE);
        page.raw("<line class=\"zero\" x1=\"0\" x2=\"1000\" y1=\"45\" y2=\"45\"/>\n");
        for point in &sentiment.curve {
            let (from, to) = (x(point.place.span.start), x(point.place.span.end));
            let height = (point.score.abs() * CURVE / 2.0).max(1.0);
            let top = if point.score >= 0.0 { CURVE / 2.0 - height } else { CURVE / 2.0 };
            anchor(page, point.place.span.start);
            rect(
                page,
                if point.score >= 0.0 { "pos" } else { "neg" },
                from,
                top,
                (to - from - 1.5).max(1.5),
                height,
            );
            page.raw("<title>");
            page.decimal(point.score, 2);
            page.raw(" over ");
            page.number(point.sentences);
            page.raw(" sentences</title></rect></a>\n");
        }
        page.raw("</svg></div>\n");
    }
    let claims = found.claims.iter().map(|claim| {
        let check = report.verification.iter().find(|check| check.claim == claim.id);
        let class = match check.map(|check| check.verdict) {
            None | Some(Verdict::NotChecked) => "claim",
            Some(verdict) => findings::colour(verdict),
        };
        (claim.place.span.start, class, claim.text.as_str())
    });
    ticks(page, "Claims", claims, &x);
    let cues = found.rhetoric.iter().map(|cue| (cue.place.span.start, "cue", cue.name.as_str()));
    ticks(page, "Rhetoric", cues, &x);
    let quotes = found
        .quotes
        .iter()
        .filter(|quote| quote.direct)
        .map(|quote| (quote.place.span.start, "quote", quote.text.as_str()));
    ticks(page, "Quotes", quotes, &x);
    if let Some(reading) = &report.reading {
        speakers(page, report, reading, &x);
        chapters(page, report, reading, &x);
        axis(page, report, reading);
    }
    page.raw("</div>\n</section>\n");
}

/// Opens one row: its label and its drawing.
fn row(page: &mut Page, label: &'static str, height: f64) {
    page.raw("<div class=\"row\"><span>");
    page.raw(label);
    page.raw("</span><svg role=\"img\" preserveAspectRatio=\"none\" viewBox=\"0 0 1000 ");
    page.decimal(height, 0);
    page.raw("\" class=\"");
    page.raw(if height > ROW { "tall" } else { "flat" });
    page.raw("\">\n");
}

fn ticks<'t>(
    page: &mut Page,
    label: &'static str,
    places: impl Iterator<Item = (usize, &'static str, &'t str)>,
    x: &dyn Fn(usize) -> f64,
) {
    let mut places = places.peekable();
    if places.peek().is_none() {
        return;
    }
    row(page, label, ROW);
    for (start, class, note) in places {
        anchor(page, start);
        rect(page, class, (x(start) - 1.5).max(0.0), 3.0, 4.0, ROW - 6.0);
        page.raw("<title>");
        page.text(note);
        page.raw("</title></rect></a>\n");
    }
    page.raw("</svg></div>\n");
}

/// Who speaks when, each speaker in a colour of their own as far as there are colours.
fn speakers(page: &mut Page, report: &Report, reading: &Reading, x: &dyn Fn(usize) -> f64) {
    if reading.turns.is_empty() {
        return;
    }
    row(page, "Speakers", ROW);
    for turn in &reading.turns {
        let number =
            report.findings.speakers.iter().position(|speaker| speaker.name == turn.speaker);
        let (from, to) = (x(turn.span.start), x(turn.span.end));
        rect(
            page,
            colour(number.unwrap_or(usize::MAX)),
            from,
            5.0,
            (to - from).max(1.0),
            ROW - 10.0,
        );
        page.raw("<title>");
        page.text(&turn.speaker);
        page.raw("</title></rect>\n");
    }
    page.raw("</svg></div>\n");
}

/// The stretches between headings.
fn chapters(page: &mut Page, report: &Report, reading: &Reading, x: &dyn Fn(usize) -> f64) {
    if reading.headings.len() < 2 {
        return;
    }
    row(page, "Sections", ROW);
    let starts = reading.headings.iter().map(|heading| heading.span);
    let ends = starts.clone().skip(1).map(|span| span.start).chain([report.source.bytes as usize]);
    for (number, (Span { start, end }, until)) in starts.zip(ends).enumerate() {
        anchor(page, start);
        let class = if number % 2 == 0 { "even" } else { "odd" };
        rect(page, class, x(start), 5.0, (x(until) - x(start) - 1.5).max(1.0), ROW - 10.0);
        page.raw("<title>");
        page.text(Span { start, end }.of(&reading.text));
        page.raw("</title></rect></a>\n");
    }
    page.raw("</svg></div>\n");
}

/// Where on the axis one is: time in a recording, else the share of the text.
fn axis(page: &mut Page, report: &Report, reading: &Reading) {
    page.raw("<div class=\"row axis\"><span></span><div>");
    for quarter in 0..=4_u64 {
        let byte = report.source.bytes * quarter / 4;
        let cue = reading.cues.iter().take_while(|cue| cue.span.start as u64 <= byte).last();
        page.raw("<small>");
        match (cue.or(reading.cues.first()), quarter) {
            (Some(cue), _) => {
                page.text(&clock(if quarter == 4 { cue.end_ms } else { cue.start_ms }))
            }
            (None, 0) => page.raw("start"),
            (None, 4) => page.raw("end"),
            (None, _) => page.percent(quarter as f64 / 4.0),
        }
        page.raw("</small>");
    }
    page.raw("</div></div>\n");
}

/// Class of the n-th speaker's colour.
pub(super) const fn colour(number: usize) -> &'static str {
    match number {
        0 => "s0",
        1 => "s1",
        2 => "s2",
        3 => "s3",
        4 => "s4",
        5 => "s5",
        _ => "s9",
    }
}

/// A speaker's name in the colour that it has on the map.
pub(super) fn speaker(page: &mut Page, report: &Report, name: &str) {
    let number = report.findings.speakers.iter().position(|speaker| speaker.name == name);
    page.raw("<b class=\"who ");
    page.raw(colour(number.unwrap_or(usize::MAX)));
    page.raw("\">");
    page.text(name);
    page.raw("</b>");
}

/// A horizontal bar of this share of its width.
pub(super) fn bar(page: &mut Page, class: &'static str, share: f64) {
    page.raw("<svg class=\"bar\" viewBox=\"0 0 100 6\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"track\" width=\"100\" height=\"6\"/>");
    rect(page, class, 0.0, 0.0, share.clamp(0.0, 1.0) * 100.0, 6.0);
    page.raw("</rect></svg>");
}

fn anchor(page: &mut Page, start: usize) {
    page.raw("<a href=\"#b");
    page.number(start as u64);
    page.raw("\">");
}

/// Opens a rectangle; the caller adds its title and closes it.
pub(super) fn rect(page: &mut Page, class: &'static str, x: f64, y: f64, width: f64, height: f64) {
    page.raw("<rect class=\"");
    page.raw(class);
    for (name, value) in
        [("\" x=\"", x), ("\" y=\"", y), ("\" width=\"", width), ("\" height=\"", height)]
    {
        page.raw(name);
        page.decimal(value, 1);
    }
    page.raw("\">");
}
