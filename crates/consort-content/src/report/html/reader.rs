//! The text with everything found in it marked, in one flat layer of spans.

use super::page::Page;
use super::{charts, findings};
use crate::analyse::verify::Verdict;
use crate::document::Span;
use crate::report::{Reading, Report, clock};

/// What a mark is for; each can be switched on and off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    Summary,
    Claim,
    Cue,
    Quote,
    Name,
    Phrase,
}

impl Layer {
    /// Class, and label of its switch; whether it is on at first.
    const ALL: [(Self, &'static str, &'static str, bool); 6] = [
        (Self::Claim, "claim", "Claims", true),
        (Self::Cue, "cue", "Rhetoric", true),
        (Self::Summary, "sum", "Summary", false),
        (Self::Quote, "quote", "Quotes", false),
        (Self::Name, "name", "Entities", false),
        (Self::Phrase, "key", "Key phrases", false),
    ];
}

/// A stretch to mark.
struct Mark {
    span: Span,
    layer: Layer,
    /// Class of a claim's verdict, once there is one.
    verdict: &'static str,
    /// Shown when the pointer rests on it.
    note: String,
}

/// Most marks on one page; further ones stay in the lists.
const MAX_MARKS: usize = 20_000;

/// The text, or a note that it is not here.
pub(super) fn reader(page: &mut Page, report: &Report) {
    page.raw("<article id=\"text\" class=\"reader\" aria-label=\"Text\">\n");
    let Some(reading) = &report.reading else {
        page.raw("<p class=\"quiet\">The text is not part of this report.</p>\n</article>\n");
        return;
    };
    let (marks, mut anchors) = marks(report);
    anchors.sort_unstable();
    anchors.dedup();
    filters(page, &marks);
    let rtl = report.findings.language.as_ref().is_some_and(|language| language.rtl);
    page.raw(if rtl {
        "<div class=\"prose\" dir=\"rtl\">\n"
    } else {
        "<div class=\"prose\" dir=\"auto\">\n"
    });
    prose(page, report, reading, &marks, &anchors);
    page.raw("</div>\n</article>\n");
}

/// Switches that work without a script: the style sheet looks at whether they are checked.
fn filters(page: &mut Page, marks: &[Mark]) {
    page.raw("<div class=\"filters\"><strong>Text</strong>\n");
    for (layer, class, label, on) in Layer::ALL {
        let count = marks.iter().filter(|mark| mark.layer == layer).count();
        if count == 0 {
            continue;
        }
        page.raw("<label class=\"f-");
        page.raw(class);
        page.raw("\"><input type=\"checkbox\" id=\"show-");
        page.raw(class);
        page.raw(if on { "\" checked> " } else { "\"> " });
        page.raw(label);
        page.raw(" <small>");
        page.number(count as u64);
        page.raw("</small></label>\n");
    }
    page.raw("</div>\n");
}

/// Every mark in order of its start, and every byte that a list points to.
fn marks(report: &Report) -> (Vec<Mark>, Vec<usize>) {
    let found = &report.findings;
    let mut marks: Vec<Mark> = Vec::new();
    let mut anchors: Vec<usize> = Vec::new();
    let mut judged = |span: Span, layer: Layer, verdict: &'static str, note: String| {
        anchors.push(span.start);
        marks.push(Mark { span, layer, verdict, note });
    };
    for claim in &found.claims {
        let check = report.verification.iter().find(|check| check.claim == claim.id);
        let words =
            check.map_or_else(|| "not checked".to_owned(), |check| check.verdict.to_string());
        let class = check.map_or("", |check| match check.verdict {
            Verdict::NotChecked => "",
            verdict => findings::colour(verdict),
        });
        judged(
            claim.place.span,
            Layer::Claim,
            class,
            format!("Claim {} — check-worthiness {:.2}, {words}", claim.id, claim.score),
        );
    }
    let mut add = |span, layer, note| judged(span, layer, "", note);
    for cue in &found.rhetoric {
        add(
            cue.place.span,
            Layer::Cue,
            format!("{} ({:.2}) — {}", cue.name, cue.confidence, cue.why),
        );
    }
    for sentence in found.summary.iter().flat_map(|summary| &summary.sentences) {
        add(sentence.place.span, Layer::Summary, "In the summary".to_owned());
    }
    for quote in &found.quotes {
        let by = quote.by.as_ref().map_or_else(String::new, |by| format!(" — {}", by.name));
        if quote.direct {
            add(quote.place.span, Layer::Quote, format!("Quotation{by}"));
        }
    }
    for entity in &found.entities {
        for mention in &entity.mentions {
            add(mention.span, Layer::Name, format!("{} ({})", entity.name, entity.kind));
        }
    }
    for phrase in &found.key_phrases {
        for place in &phrase.places {
            add(place.span, Layer::Phrase, format!("Key phrase: {}", phrase.text));
        }
    }
    let topics = found.topics.iter().flat_map(|topic| &topic.places);
    let indirect = found.quotes.iter().map(|quote| &quote.place);
    let sources = found.links.sources.iter().flat_map(|source| &source.places);
    let links = found.links.targets.iter().filter_map(|target| target.place.as_ref());
    let curve = found.sentiment.iter().flat_map(|sentiment| {
        let extremes =
            [&sentiment.high, &sentiment.low].into_iter().flatten().map(|extreme| &extreme.place);
        sentiment.curve.iter().map(|point| &point.place).chain(extremes)
    });
    let timeline = found.timeline.iter().map(|anchor| &anchor.place);
    let speakers = found.speakers.iter().map(|speaker| &speaker.first);
    anchors.extend(
        topics
            .chain(indirect)
            .chain(sources)
            .chain(links)
            .chain(curve)
            .chain(timeline)
            .chain(speakers)
            .map(|place| place.span.start),
    );
    marks.sort_by_key(|mark| (mark.span.start, std::cmp::Reverse(mark.span.end), mark.layer));
    marks.truncate(MAX_MARKS);
    (marks, anchors)
}

/// Writes the paragraphs, cutting them wherever a mark starts or ends.
fn prose(page: &mut Page, report: &Report, reading: &Reading, marks: &[Mark], anchors: &[usize]) {
    let mut open: Vec<&Mark> = Vec::new();
    let (mut next_mark, mut next_anchor, mut next_turn, mut next_cue) = (0, 0, 0, 0);
    for paragraph in &reading.paragraphs {
        let heading = reading.headings.iter().any(|heading| heading.span.overlaps(*paragraph));
        page.raw(if heading { "<h3>" } else { "<p>" });
        while let Some(turn) =
            reading.turns.get(next_turn).filter(|turn| turn.span.start < paragraph.end)
        {
            if turn.span.end > paragraph.start {
                charts::speaker(page, report, &turn.speaker);
                page.raw(" ");
            }
            next_turn += 1;
        }
        if let Some(cue) = first_cue(reading, &mut next_cue, *paragraph) {
            page.raw("<span class=\"at\">");
            page.text(&clock(cue));
            page.raw("</span> ");
        }
        let mut at = paragraph.start;
        while at < paragraph.end {
            open.retain(|mark| mark.span.end > at);
            while let Some(mark) = marks.get(next_mark).filter(|mark| mark.span.start <= at) {
                if mark.span.end > at {
                    open.push(mark);
                }
                next_mark += 1;
            }
            while anchors.get(next_anchor).is_some_and(|anchor| *anchor < at) {
                next_anchor += 1;
            }
            let anchored = anchors.get(next_anchor) == Some(&at);
            let ends = open.iter().map(|mark| mark.span.end).min();
            let starts = marks.get(next_mark).map(|mark| mark.span.start);
            let later = anchors.get(next_anchor + usize::from(anchored)).copied();
            let end = [ends, starts, later].into_iter().flatten().filter(|end| *end > at).min();
            let end = end.unwrap_or(paragraph.end).min(paragraph.end);
            piece(page, Span::new(at, end).of(&reading.text), at, anchored, &open);
            at = end;
        }
        page.raw(if heading { "</h3>\n" } else { "</p>\n" });
    }
}

/// Start of the first cue of a paragraph.
fn first_cue(reading: &Reading, next: &mut usize, paragraph: Span) -> Option<u64> {
    while reading.cues.get(*next).is_some_and(|cue| cue.span.end <= paragraph.start) {
        *next += 1;
    }
    reading.cues.get(*next).filter(|cue| cue.span.overlaps(paragraph)).map(|cue| cue.start_ms)
}

fn piece(page: &mut Page, text: &str, at: usize, anchored: bool, open: &[&Mark]) {
    if open.is_empty() && !anchored {
        page.text(text);
        return;
    }
    page.raw("<span");
    if anchored {
        page.raw(" id=\"b");
        page.number(at as u64);
        page.raw("\"");
    }
    if !open.is_empty() {
        page.raw(" class=\"m");
        for (_, class, ..) in
            Layer::ALL.iter().filter(|(layer, ..)| open.iter().any(|mark| mark.layer == *layer))
        {
            page.raw(" ");
            page.raw(class);
        }
        if let Some(judged) = open.iter().find(|mark| !mark.verdict.is_empty()) {
            page.raw(" ");
            page.raw(judged.verdict);
        }
        page.raw("\"");
        let notes: Vec<&str> = open.iter().map(|mark| mark.note.as_str()).collect();
        page.attribute("title", &notes.join("\n"));
    }
    page.raw(">");
    page.text(text);
    page.raw("</span>");
}
