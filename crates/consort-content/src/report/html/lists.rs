//! The panels that list: topics, entities, speakers, timeline, quotations, links, and what was not done.

use super::charts::{self, colour};
use super::page::Page;
use crate::analyse::{Entity, EntityKind, Place, When};
use crate::report::{Report, clock};

/// Topics and key phrases as chips that lead to their mentions.
pub(super) fn topics(page: &mut Page, report: &Report) {
    let found = &report.findings;
    if found.topics.is_empty() && found.key_phrases.is_empty() {
        return;
    }
    page.section("topics", "Topics and key phrases", None);
    if !found.topics.is_empty() {
        page.raw("<ul class=\"shares\">\n");
        for topic in &found.topics {
            page.raw("<li>");
            let terms: Vec<String> =
                topic.terms.iter().map(|term| format!("{} {}", term.word, term.count)).collect();
            chip(page, "chip topic", &topic.name, None, &topic.places, &terms.join(", "));
            charts::bar(page, "topic", topic.share);
            page.raw("<small>");
            page.text(
                &topic
                    .terms
                    .iter()
                    .take(5)
                    .map(|term| term.word.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
            );
            page.raw("</small></li>\n");
        }
        page.raw("</ul>\n");
    }
    page.raw("<p class=\"chips\">");
    for phrase in &found.key_phrases {
        chip(page, "chip", &phrase.text, Some(phrase.count), &phrase.places, "Key phrase");
    }
    page.raw("</p>\n</section>\n");
}

/// Entities by kind.
pub(super) fn entities(page: &mut Page, report: &Report) {
    let entities = &report.findings.entities;
    if entities.is_empty() {
        return;
    }
    page.section("entities", "Who, where, when, how much", Some(entities.len()));
    for kind in EntityKind::ALL {
        let of_kind: Vec<&Entity> = entities.iter().filter(|entity| entity.kind == *kind).collect();
        if of_kind.is_empty() {
            continue;
        }
        page.raw("<h3>");
        page.raw(match kind {
            EntityKind::Person => "People",
            EntityKind::Organisation => "Organisations",
            EntityKind::Place => "Places",
            EntityKind::Money => "Money",
            EntityKind::Date => "Dates",
            EntityKind::Quantity => "Quantities",
            EntityKind::Other => "Other names",
        });
        page.raw("</h3>\n<p class=\"chips\">");
        for entity in of_kind {
            let note = match &entity.value {
                Some(value) => value.clone(),
                None => format!("{}, sure to {:.0} %", entity.kind, entity.confidence * 100.0),
            };
            chip(
                page,
                "chip",
                &entity.name,
                Some(entity.count).filter(|count| *count > 1),
                &entity.mentions,
                &note,
            );
        }
        page.raw("</p>\n");
    }
    page.raw("</section>\n");
}

/// A chip that leads to the first of `places`; the script walks on to the next with every click.
fn chip(
    page: &mut Page,
    class: &'static str,
    text: &str,
    count: Option<u32>,
    places: &[Place],
    note: &str,
) {
    page.raw("<a class=\"");
    page.raw(class);
    page.raw("\"");
    if let Some(first) = places.first() {
        page.raw(" href=\"#b");
        page.number(first.span.start as u64);
        page.raw("\" data-at=\"");
        for (number, place) in places.iter().enumerate() {
            page.raw(if number > 0 { " " } else { "" });
            page.number(place.span.start as u64);
        }
        page.raw("\"");
    }
    page.attribute("title", note);
    page.raw(" dir=\"auto\">");
    page.text(text);
    if let Some(count) = count {
        page.raw(" <small>");
        page.number(count);
        page.raw("</small>");
    }
    page.raw("</a>");
}

/// Who speaks how much.
pub(super) fn speakers(page: &mut Page, report: &Report) {
    let speakers = &report.findings.speakers;
    if speakers.is_empty() {
        return;
    }
    page.section("speakers", "Speakers", Some(speakers.len()));
    page.raw("<ul class=\"shares\">\n");
    for (number, speaker) in speakers.iter().enumerate() {
        page.raw("<li><span><b dir=\"auto\">");
        page.text(&speaker.name);
        page.raw("</b> ");
        page.percent(speaker.share);
        page.raw(" of words ");
        page.jump(&speaker.first);
        page.raw("</span>");
        charts::bar(page, colour(number), speaker.share);
        page.raw("<small>");
        page.number(speaker.words);
        page.raw(" words, ");
        page.number(speaker.turns);
        page.raw(" turns, ");
        page.number(speaker.questions);
        page.raw(" questions");
        if let Some(spoken) = speaker.spoken_ms {
            page.raw(", ");
            page.text(&clock(spoken));
            page.raw(" spoken");
        }
        if let Some(sentiment) = speaker.sentiment {
            page.raw(", sentiment ");
            page.raw(if sentiment >= 0.0 { "+" } else { "\u{2212}" });
            page.decimal(sentiment.abs(), 2);
        }
        page.raw("</small></li>\n");
    }
    page.raw("</ul>\n</section>\n");
}

/// Dated events and chapters.
pub(super) fn timeline(page: &mut Page, report: &Report) {
    let anchors = &report.findings.timeline;
    if anchors.is_empty() {
        return;
    }
    page.section("timeline", "Timeline", Some(anchors.len()));
    page.raw("<ol class=\"timeline\">\n");
    // A sentence with several dates stands at its first one.
    for (number, anchor) in anchors.iter().enumerate() {
        if anchors[..number].iter().any(|before| before.is_beside(anchor)) {
            continue;
        }
        page.raw("<li>");
        for other in anchors.iter().filter(|other| other.is_beside(anchor)) {
            moment(page, &other.when);
        }
        page.raw("<span dir=\"auto\">");
        page.text(&anchor.text);
        page.raw("</span> ");
        page.jump(&anchor.place);
        page.raw("</li>\n");
    }
    page.raw("</ol>\n</section>\n");
}

fn moment(page: &mut Page, when: &When) {
    page.raw("<b>");
    match when {
        When::Date { date, relative, .. } => {
            page.text(&date.replace('/', "\u{2013}"));
            page.raw(if *relative { "</b> <small>from relative words</small> " } else { "</b> " });
        }
        When::Recording { at_ms } => {
            page.text(&clock(*at_ms));
            page.raw("</b> ");
        }
    }
}

/// Quotations with who is credited.
pub(super) fn quotes(page: &mut Page, report: &Report) {
    let quotes = &report.findings.quotes;
    if quotes.is_empty() {
        return;
    }
    page.section("quotes", "Quotations and attributions", Some(quotes.len()));
    page.raw("<ul class=\"cards\">\n");
    for (number, quote) in quotes.iter().enumerate() {
        if number == 8 {
            super::findings::fold(page, quotes.len() - 8, "more");
        }
        page.raw("<li class=\"card\"><p>");
        page.raw(if quote.direct { "<q dir=\"auto\">" } else { "<span dir=\"auto\">" });
        page.text(&quote.text);
        page.raw(if quote.direct { "</q> " } else { "</span> " });
        page.jump(&quote.place);
        page.raw("<br><small>");
        match &quote.by {
            Some(by) => page.text(&by.name),
            None => page.raw("nobody credited nearby"),
        }
        page.raw("</small></p></li>\n");
    }
    super::findings::unfold(page, quotes.len());
    page.raw("</ul>\n</section>\n");
}

/// Link targets by host, and the sources that the text names.
pub(super) fn links(page: &mut Page, report: &Report) {
    let links = &report.findings.links;
    if links.targets.is_empty() && links.sources.is_empty() {
        return;
    }
    page.section("links", "Links and sources", None);
    if !links.sources.is_empty() {
        page.raw("<h3>Named as sources</h3>\n<p class=\"chips\">");
        for source in &links.sources {
            chip(
                page,
                "chip",
                &source.name,
                Some(source.count),
                &source.places,
                "Credited with statements",
            );
        }
        page.raw("</p>\n");
    }
    if !links.targets.is_empty() {
        page.raw("<h3>Linked hosts</h3>\n<p class=\"chips\">");
        for host in &links.hosts {
            page.raw("<span class=\"chip\">");
            page.text(&host.name);
            page.raw(" <small>");
            page.number(host.count);
            page.raw("</small></span>");
        }
        page.raw("</p>\n<details><summary>");
        page.number(links.targets.len() as u64);
        page.raw(" link targets</summary><ul class=\"plain\">\n");
        for target in &links.targets {
            page.raw("<li>");
            page.link(&target.url, &target.url);
            if !target.text.is_empty() && target.text != target.url {
                page.raw(" <small dir=\"auto\">");
                page.text(&target.text);
                page.raw("</small>");
            }
            page.raw("</li>\n");
        }
        page.raw("</ul></details>\n");
    }
    page.raw("</section>\n");
}

/// Earlier texts that are nearly this one.
pub(super) fn near_duplicates(page: &mut Page, report: &Report) {
    if report.near_duplicates.is_empty() {
        return;
    }
    page.section("duplicates", "Nearly the same as", Some(report.near_duplicates.len()));
    page.raw("<ul class=\"plain\">\n");
    for near in &report.near_duplicates {
        page.raw("<li>");
        if let Some(about) = &near.about {
            page.raw("<b dir=\"auto\">");
            page.text(about);
            page.raw("</b> ");
        }
        page.percent(near.likeness.shared);
        page.raw(" of three-word runs shared");
        charts::bar(page, "topic", near.likeness.shared);
        page.raw("<small>");
        if let Some(made) = &near.made {
            page.text(made);
            page.raw(" ");
        }
        page.raw("run <code>");
        page.text(&near.report);
        page.raw("</code></small></li>\n");
    }
    page.raw("</ul>\n</section>\n");
}

/// What is missing. This section is on every page.
pub(super) fn not_done(page: &mut Page, report: &Report) {
    page.section("not-done", "Not done and why", None);
    if report.not_done().is_empty() {
        page.raw("<p>Nothing that this depth promises is missing.</p>\n");
    } else {
        page.raw("<ul class=\"plain\">\n");
        for gap in report.not_done() {
            page.raw("<li><b>");
            page.text(&gap.what);
            page.raw(".</b> ");
            page.text(&gap.why);
            if let Some(remedy) = &gap.remedy {
                page.raw(" <em>");
                page.text(remedy);
                page.raw("</em>");
            }
            page.raw("</li>\n");
        }
        page.raw("</ul>\n");
    }
    page.raw("</section>\n");
}

/// Where the report comes from. This section is on every page.
pub(super) fn provenance(page: &mut Page, report: &Report) {
    let from = &report.provenance;
    page.section("provenance", "Provenance", None);
    page.raw("<dl>\n");
    let depth = from.depth.to_string();
    let version = Some(&from.version).filter(|version| !version.is_empty());
    let facts = [
        ("Run", from.run.as_ref()),
        ("Program", version),
        ("Depth", Some(&depth)),
        ("Content hash", from.content_hash.as_ref()),
        ("Begun", from.started.as_ref()),
        ("Finished", from.finished.as_ref()),
        ("Report form", Some(&report.schema)),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            page.raw("<dt>");
            page.raw(name);
            page.raw("</dt><dd>");
            page.text(value);
            page.raw("</dd>\n");
        }
    }
    page.raw("<dt>Rule sets</dt><dd>");
    for rules in &report.rules {
        page.text(&rules.name);
        page.raw(" <code>");
        page.text(&rules.hash);
        page.raw("</code><br>");
    }
    if let Some(gate) = &report.gate {
        page.raw("gate <code>");
        page.text(&gate.rules);
        page.raw("</code>");
    }
    page.raw("</dd>\n</dl>\n</section>\n");
}
