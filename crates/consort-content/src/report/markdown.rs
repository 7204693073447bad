//! The report as Markdown, for files and for terminals.

mod page;

use super::{Outcome, Report, clock};
use crate::analyse::{Anchor, EntityKind, Place, When};
use page::Page;

/// How Markdown is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Longest line in characters; lines are never broken inside a word.
    pub width: usize,
    /// Entries per list; the rest are counted in one line.
    pub entries: usize,
    /// True for a terminal that understands ANSI styles: headings and labels stand out, and text is not escaped.
    pub ansi: bool,
    /// True where only ASCII can be shown: the sentiment curve is drawn with letters, and quotation marks and
    /// dashes are plain. Letters of the source stay as they are.
    pub ascii: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self { width: 100, entries: 10, ansi: false, ascii: false }
    }
}

/// The report as Markdown. Text from the source is escaped: it cannot add headings, links, markup or terminal commands.
#[must_use]
pub fn markdown(report: &Report, style: &Style) -> String {
    let mut page = Page::new(*style);
    page.title(report.title());
    overview(&mut page, report);
    summary(&mut page, report);
    claims(&mut page, report);
    rhetoric(&mut page, report);
    subjects(&mut page, report);
    entities(&mut page, report);
    sentiment(&mut page, report);
    speakers(&mut page, report);
    timeline(&mut page, report);
    quotes(&mut page, report);
    links(&mut page, report);
    wording(&mut page, report);
    near_duplicates(&mut page, report);
    not_done(&mut page, report);
    provenance(&mut page, report);
    page.finish()
}

fn overview(page: &mut Page, report: &Report) {
    let (source, found) = (&report.source, &report.findings);
    let guessed = match found.synthetic_sentences {
        0 => String::new(),
        count => format!(" ({count} of them guessed, for want of punctuation)"),
    };
    let facts = [
        ("Source", Some(source.locator.clone())),
        ("By", source.byline.clone()),
        ("Published", source.published.clone()),
        (
            "Language",
            found
                .language
                .as_ref()
                .map(|l| format!("{} ({:.0} % sure)", l.name, l.confidence * 100.0)),
        ),
        ("Length", Some(format!("{} words, {} sentences{guessed}", found.words, found.sentences))),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            page.fact(name, &value);
        }
    }
    match &report.outcome {
        Outcome::Succeeded => {}
        Outcome::Degraded { lost } => page.fact("Degraded", &lost.join(" ")),
        Outcome::Skipped { reason } => page.fact("Not analysed", reason),
    }
}

fn summary(page: &mut Page, report: &Report) {
    let Some(summary) = &report.findings.summary else { return };
    page.heading("Summary");
    for sentence in &summary.sentences {
        page.item("-", &format!("{} {}", page.plain(&sentence.text), at(&sentence.place)));
    }
}

fn claims(page: &mut Page, report: &Report) {
    let claims = &report.findings.claims;
    if claims.is_empty() {
        return;
    }
    page.heading("Claims worth checking");
    for (rank, claim) in page.shown(claims).iter().enumerate() {
        let said = claim
            .speaker
            .as_ref()
            .map(|name| format!("{}: ", page.plain(name)))
            .unwrap_or_default();
        page.item(
            &format!("{}.", rank + 1),
            &format!("{said}{} {}", page.plain(&claim.text), at(&claim.place)),
        );
        let why: Vec<String> = claim
            .features
            .iter()
            .map(|feature| format!("{} {:+.1}", feature.name.replace('_', " "), feature.weight))
            .collect();
        page.sub(&format!("check-worthiness {:.2}: {}", claim.score, why.join(", ")));
        if let Some(check) = report.verification.iter().find(|check| check.claim == claim.id) {
            page.sub(&format!("{}: {}", check.verdict, page.plain(&check.reason)));
            for piece in check.evidence.iter().filter(|piece| piece.counted) {
                let evidence = &piece.evidence;
                let date = evidence.published.as_deref().unwrap_or_default();
                let url = evidence.url.as_deref().unwrap_or_default();
                page.sub(&page.plain(&format!(
                    "\u{201c}{}\u{201d} — {}, {date} {url}",
                    evidence.quote, evidence.source
                )));
            }
        }
    }
    page.more(claims.len());
}

fn rhetoric(page: &mut Page, report: &Report) {
    let cues = &report.findings.rhetoric;
    if cues.is_empty() {
        return;
    }
    page.heading("Rhetoric");
    for cue in page.shown(cues) {
        let quoted = if cue.quoted { ", quoted" } else { "" };
        page.item(
            "-",
            &format!(
                "{} ({:.2}{quoted}): “{}” {}",
                cue.name,
                cue.confidence,
                page.plain(&cue.text),
                at(&cue.place)
            ),
        );
        page.sub(&cue.why);
    }
    page.more(cues.len());
}

fn subjects(page: &mut Page, report: &Report) {
    let found = &report.findings;
    if found.topics.is_empty() && found.key_phrases.is_empty() {
        return;
    }
    page.heading("Topics and key phrases");
    for topic in &found.topics {
        let terms: Vec<&str> = topic.terms.iter().take(5).map(|term| term.word.as_str()).collect();
        page.item(
            "-",
            &format!(
                "{} ({:.0} %): {}",
                topic.name,
                topic.share * 100.0,
                page.plain(&terms.join(", "))
            ),
        );
    }
    let phrases: Vec<String> = found
        .key_phrases
        .iter()
        .map(|phrase| format!("{} ({})", page.plain(&phrase.text), phrase.count))
        .collect();
    if !phrases.is_empty() {
        page.fact_plain("Key phrases", &phrases.join(", "));
    }
}

fn entities(page: &mut Page, report: &Report) {
    let entities = &report.findings.entities;
    if entities.is_empty() {
        return;
    }
    page.heading("Who, where, when, how much");
    for kind in EntityKind::ALL {
        let names: Vec<String> = entities
            .iter()
            .filter(|entity| entity.kind == *kind)
            .map(|entity| match entity.count {
                1 => page.plain(&entity.name),
                count => format!("{} ({count})", page.plain(&entity.name)),
            })
            .collect();
        if !names.is_empty() {
            let shown = page.shown(&names).join(", ");
            let rest = names.len() - page.shown(&names).len();
            let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            page.fact_plain(&kind.to_string(), &format!("{shown}{rest}"));
        }
    }
}

fn sentiment(page: &mut Page, report: &Report) {
    let Some(sentiment) = &report.findings.sentiment else { return };
    page.heading("Sentiment");
    let (positive, negative) = (sentiment.positive * 100.0, sentiment.negative * 100.0);
    let score = sentiment.score;
    page.item(
        "-",
        &format!(
            "{} ({score:+.2}); {positive:.0} % of sentences positive, {negative:.0} % negative",
            sentiment.label
        ),
    );
    let bars: String = sentiment.curve.iter().map(|point| page.bar(point.score)).collect();
    page.item("-", &format!("Along the text: {bars}"));
    for (name, extreme) in [("Highest", &sentiment.high), ("Lowest", &sentiment.low)] {
        if let Some(extreme) = extreme {
            page.item(
                "-",
                &format!(
                    "{name} ({:+.2}): {} {}",
                    extreme.score,
                    page.plain(&extreme.text),
                    at(&extreme.place)
                ),
            );
        }
    }
}

fn speakers(page: &mut Page, report: &Report) {
    if report.findings.speakers.is_empty() {
        return;
    }
    page.heading("Speakers");
    for speaker in page.shown(&report.findings.speakers) {
        let spoken =
            speaker.spoken_ms.map(|ms| format!(", {} spoken", clock(ms))).unwrap_or_default();
        page.fact(
            &speaker.name,
            &format!(
                "{:.0} % of words ({} words, {} turns, {} questions{spoken})",
                speaker.share * 100.0,
                speaker.words,
                speaker.turns,
                speaker.questions
            ),
        );
    }
    page.more(report.findings.speakers.len());
}

fn timeline(page: &mut Page, report: &Report) {
    let anchors = &report.findings.timeline;
    if anchors.is_empty() {
        return;
    }
    page.heading("Timeline");
    let when = |anchor: &Anchor| match &anchor.when {
        When::Date { date, relative: false, .. } => date.clone(),
        When::Date { date, relative: true, written } => format!("{date} (“{written}”)"),
        When::Recording { at_ms } => clock(*at_ms),
    };
    // A sentence with several dates stands at its first one.
    let mut sentences: Vec<(Vec<String>, &Anchor)> = Vec::new();
    for anchor in anchors {
        match sentences.iter_mut().find(|(_, first)| first.is_beside(anchor)) {
            Some((dates, _)) => dates.push(when(anchor)),
            None => sentences.push((vec![when(anchor)], anchor)),
        }
    }
    for (dates, anchor) in page.shown(&sentences) {
        let text = format!("{} {}", page.plain(&anchor.text), at(&anchor.place));
        page.fact_plain(&dates.join(", "), &text);
    }
    page.more(sentences.len());
}

fn quotes(page: &mut Page, report: &Report) {
    let quotes = &report.findings.quotes;
    if quotes.is_empty() {
        return;
    }
    page.heading("Quotations and attributions");
    for quote in page.shown(quotes) {
        let text = if quote.direct {
            format!("“{}”", page.plain(&quote.text))
        } else {
            page.plain(&quote.text)
        };
        let by =
            quote.by.as_ref().map(|by| format!(" — {}", page.plain(&by.name))).unwrap_or_default();
        page.item("-", &format!("{text}{by} {}", at(&quote.place)));
    }
    page.more(quotes.len());
}

fn links(page: &mut Page, report: &Report) {
    let links = &report.findings.links;
    if links.targets.is_empty() && links.sources.is_empty() {
        return;
    }
    page.heading("Links and sources");
    let sources: Vec<String> = page
        .shown(&links.sources)
        .iter()
        .map(|source| format!("{} ({})", source.name, source.count))
        .collect();
    if !sources.is_empty() {
        page.fact("Named as sources", &sources.join(", "));
    }
    let hosts: Vec<String> = page
        .shown(&links.hosts)
        .iter()
        .map(|host| format!("{} ({})", host.name, host.count))
        .collect();
    if !hosts.is_empty() {
        page.fact("Linked hosts", &hosts.join(", "));
    }
}

fn wording(page: &mut Page, report: &Report) {
    let Some(scores) = &report.findings.readability else { return };
    page.heading("Readability");
    page.item(
        "-",
        &format!(
            "School grade {:.1} (middle of five formulas); Flesch reading ease {:.1}",
            scores.grade, scores.flesch_reading_ease
        ),
    );
    let all = format!(
        "Flesch-Kincaid {:.1}, Gunning fog {:.1}, SMOG {:.1}, ARI {:.1}, Coleman-Liau {:.1}",
        scores.flesch_kincaid_grade,
        scores.gunning_fog,
        scores.smog,
        scores.automated_readability,
        scores.coleman_liau
    );
    page.item("-", &all);
}

fn near_duplicates(page: &mut Page, report: &Report) {
    if report.near_duplicates.is_empty() {
        return;
    }
    page.heading("Nearly the same as");
    for near in &report.near_duplicates {
        let about = near.about.as_deref().unwrap_or("An earlier text");
        let made = near.made.as_deref().map(|made| format!("{made}, ")).unwrap_or_default();
        let shared = near.likeness.shared * 100.0;
        page.fact(
            about,
            &format!("{shared:.0} % of three-word runs shared ({made}run {})", near.report),
        );
    }
}

fn not_done(page: &mut Page, report: &Report) {
    page.heading("Not done and why");
    if report.not_done().is_empty() {
        page.item("-", "Nothing that this depth promises is missing.");
    }
    for gap in report.not_done() {
        let remedy =
            gap.remedy.as_ref().map(|remedy| format!(" Remedy: {remedy}")).unwrap_or_default();
        page.fact(&gap.what, &format!("{}{remedy}", gap.why));
    }
}

fn provenance(page: &mut Page, report: &Report) {
    page.heading("Provenance");
    let from = &report.provenance;
    let rules: Vec<String> =
        report.rules.iter().map(|set| format!("{} {}", set.name, set.hash)).collect();
    let facts = [
        ("Run", from.run.clone()),
        ("Version", Some(from.version.clone()).filter(|version| !version.is_empty())),
        ("Depth", Some(from.depth.to_string())),
        ("Content", from.content_hash.clone()),
        ("Begun", from.started.clone()),
        ("Finished", from.finished.clone()),
        ("Report form", Some(report.schema.clone())),
        ("Rule sets", Some(rules.join(", "))),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            page.fact(name, &value);
        }
    }
}

/// Sentence id and time of a place: `[s12 3:15]`.
fn at(place: &Place) -> String {
    match place.time_ms {
        Some(time) => format!("[s{} {}]", place.sentence, clock(time)),
        None => format!("[s{}]", place.sentence),
    }
}
