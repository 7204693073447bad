//! Fuzz targets: plain functions over bytes that panic when a promise of this crate is broken.
//!
//! `cargo test` runs them on stable with a seeded mutator over the corpus; a coverage-guided
//! fuzzer calls the same functions with the feature `fuzzing`.

use crate::analyse::{Findings, Options, analyse};
use crate::document::{Document, Kind, Span};
use crate::extract::{Hint, Limits, extract, feed, sniff};
#[cfg(any(test, feature = "pdf"))]
use crate::extract::{columns, pages};
use crate::gate::{Expression, GateRules, Metric, gate};
use crate::language::Language;
use crate::report::{Provenance, Report, Style, claim_review, html, json, markdown};
use crate::sentence::{sentences, split};
use crate::{decode, extract::ExtractError};

/// A target: its name and what it does with some bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of this crate.
pub const TARGETS: &[Target] = &[
    ("decode", fuzz_decode),
    ("sniff", fuzz_sniff),
    ("plain", fuzz_plain),
    ("markdown", fuzz_markdown),
    ("html", fuzz_html),
    ("srt", fuzz_srt),
    ("vtt", fuzz_vtt),
    ("transcript", fuzz_transcript),
    ("feed", fuzz_feed),
    #[cfg(feature = "pdf")]
    ("pdf", fuzz_pdf),
    #[cfg(any(test, feature = "pdf"))]
    ("pdf_layout", fuzz_pdf_layout),
    ("json", fuzz_json),
    ("sentences", fuzz_sentences),
    ("expression", fuzz_expression),
    ("analysis", fuzz_analysis),
    ("evidence", fuzz_evidence),
];

/// Decoding never fails and never invents text from nothing.
pub fn fuzz_decode(data: &[u8]) {
    for declared in [None, Some("utf-8"), Some("shift_jis"), Some("utf-16le"), Some("x-unknown")] {
        let decoded = decode::decode(data, declared);
        assert!(!data.is_empty() || decoded.text.is_empty());
        assert!(decoded.replaced <= decoded.text.chars().count());
    }
    let _ = decode::charset(&String::from_utf8_lossy(data));
}

/// Any bytes and any hint have a kind or a named refusal.
pub fn fuzz_sniff(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let hint = Hint {
        media_type: Some(text.clone()),
        name: Some(text.clone()),
        url: Some(text),
        kind: None,
        method: None,
    };
    let _ = sniff(data, &hint);
    let _ = sniff(data, &Hint::default());
    let _ = extract(data, &hint, &limits()).map(|document| check(&document));
}

/// Plain text, labelled transcripts included.
pub fn fuzz_plain(data: &[u8]) {
    run(data, Kind::Text);
}

/// Markdown.
pub fn fuzz_markdown(data: &[u8]) {
    run(data, Kind::Markdown);
}

/// Web pages.
pub fn fuzz_html(data: &[u8]) {
    run(data, Kind::Html);
}

/// `SubRip`.
pub fn fuzz_srt(data: &[u8]) {
    run(data, Kind::Srt);
}

/// `WebVTT`.
pub fn fuzz_vtt(data: &[u8]) {
    run(data, Kind::Vtt);
}

/// Recognisers' JSON.
pub fn fuzz_transcript(data: &[u8]) {
    run(data, Kind::TranscriptJson);
}

/// Feeds, as entries and as one document.
pub fn fuzz_feed(data: &[u8]) {
    if let Ok(feed) = feed(data, &Hint::default(), &limits()) {
        for entry in &feed.entries {
            assert!(entry.paragraphs.iter().all(|span| fits(&entry.text, *span)));
        }
    }
    run(data, Kind::Feed);
}

/// PDF. Its library may panic, which ends only the worker process; what it reads is a document.
#[cfg(feature = "pdf")]
pub fn fuzz_pdf(data: &[u8]) {
    match std::panic::catch_unwind(|| crate::extract::pdf(data, &limits())) {
        Ok(Ok(document)) => check(&document),
        Ok(Err(error)) => assert!(!error.to_string().is_empty()),
        Err(_) => {}
    }
}

/// Columns and pages of a PDF, from numbers and texts of any kind.
#[cfg(any(test, feature = "pdf"))]
pub fn fuzz_pdf_layout(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let pages: Vec<String> = text.split('\u{c}').map(str::to_owned).collect();
    check(&pages::assemble(&pages, &limits()));
    let number = |four: &[u8]| f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
    let small = |two: &[u8]| f32::from(two[0]) * 4.0 + f32::from(two[1]) / 64.0;
    let run = |left: f32, bottom: f32, width: f32, height: f32| columns::Run {
        area: columns::Area { left, right: left + width, bottom, top: bottom + height },
        chars: 20,
    };
    let wild = data.chunks_exact(8).map(|at| run(number(at), number(&at[4..]), 9.0, 9.0));
    let likely = data
        .chunks_exact(6)
        .map(|at| run(small(at), small(&at[2..]), f32::from(at[4]), f32::from(at[5] % 16)));
    let runs: Vec<columns::Run> = wild.chain(likely).collect();
    assert!(columns::parts(&runs).len() <= runs.len().max(1), "no part without a run");
}

/// JSON is parsed only when it is small as a tree.
pub fn fuzz_json(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let limits = Limits { max_values: 100, ..limits() };
    if crate::extract::json::check(&text, &limits).is_ok()
        && let Ok(value) = serde_json::from_str::<serde_json::Value>(&text)
    {
        assert!(values(&value) <= 100, "more values than were told");
    }
}

fn values(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(list) => 1 + list.iter().map(values).sum::<usize>(),
        serde_json::Value::Object(map) => 1 + map.values().map(values).sum::<usize>(),
        _ => 1,
    }
}

/// Sentences of any text cover its visible characters once.
pub fn fuzz_sentences(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let found = split(&text);
    let covered: usize = found.iter().map(|span| visible(span.of(&text))).sum();
    assert_eq!(covered, visible(&text), "sentences leave out only white space");
}

/// A condition that parses survives being written and read.
pub fn fuzz_expression(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(parsed) = Expression::parse(&text) {
        let again = Expression::parse(&parsed.to_string());
        assert!(again.is_ok_and(|again| again.to_string() == parsed.to_string()));
    }
}

/// Analysis of any text: findings stand in order inside the text, and every form of the report is made.
pub fn fuzz_analysis(data: &[u8]) {
    let hint = Hint { kind: Some(Kind::Text), ..Hint::default() };
    let Ok(document) = extract(data, &hint, &limits()) else { return };
    let english = Language {
        code: "en".to_owned(),
        name: "English".to_owned(),
        confidence: 1.0,
        script: "Latin".to_owned(),
        rtl: false,
    };
    for language in [None, Some(english)] {
        let options = Options { language, ..Options::default() };
        let findings = analyse(&document, &options);
        check_findings(&document, &findings);
        let report = Report::new("x", &document, None, findings, Provenance::default());
        assert!(html(&report).ends_with("</html>\n") || html(&report).ends_with("</html>"));
        assert!(!markdown(&report, &Style::default()).is_empty());
        assert!(claim_review(&report).is_object());
        assert!(serde_json::from_str::<Report>(&json(&report)).is_ok_and(|again| again == report));
    }
}

fn check_findings(document: &Document, found: &Findings) {
    let text = &document.text;
    for claim in &found.claims {
        assert_eq!(text.get(claim.place.span.start..claim.place.span.end), Some(&*claim.text));
        assert!((0.0..=1.0).contains(&claim.score));
    }
    assert!(found.claims.is_sorted_by(|a, b| a.score >= b.score), "most check-worthy first");
    let cues = &found.rhetoric;
    assert!(cues.iter().all(|cue| fits(text, cue.place.span)), "cues fit");
    assert!(cues.is_sorted_by_key(|cue| cue.place.span.start), "cues in text order");
    assert!(found.quotes.iter().all(|quote| fits(text, quote.place.span)), "quotes fit");
    let mentions = found.entities.iter().flat_map(|entity| &entity.mentions);
    let phrases = found.key_phrases.iter().flat_map(|phrase| &phrase.places);
    assert!(mentions.chain(phrases).all(|place| fits(text, place.span)), "mentions fit");
    if let Some(sentiment) = &found.sentiment {
        assert!((-1.0..=1.0).contains(&sentiment.score));
    }
    let share: f64 = found.speakers.iter().map(|speaker| speaker.share).sum();
    assert!(share <= 1.0 + 1e-9, "shares add up to {share}");
}

/// Evidence is read or refused, and what is read can decide nothing without a statement.
pub fn fuzz_evidence(data: &[u8]) {
    if let Ok(found) = crate::analyse::verify::evidence(data) {
        assert!(found.len() <= data.len(), "no evidence from nothing");
    }
}

/// Limits low enough that a fuzzer finds them.
fn limits() -> Limits {
    Limits {
        max_depth: 100,
        max_elements: 5_000,
        max_cues: 500,
        max_links: 20,
        max_entries: 20,
        ..Limits::default()
    }
}

fn run(data: &[u8], kind: Kind) {
    let url = Some("https://source.example/a/b".to_owned());
    let hint = Hint { kind: Some(kind), url, ..Hint::default() };
    match extract(data, &hint, &limits()) {
        Ok(document) => check(&document),
        Err(error) => {
            let needs_worker = matches!(error, ExtractError::NeedsWorker { .. });
            assert!(!needs_worker, "only PDF needs a worker");
            assert!(!error.to_string().is_empty());
        }
    }
}

/// What every document promises, whatever it was made from.
pub fn check(document: &Document) {
    let text = &document.text;
    assert!(!text.contains(['\0', '\r']), "no control characters");
    for (index, span) in document.paragraphs.iter().enumerate() {
        assert!(fits(text, *span) && !span.is_empty(), "paragraph {span:?} fits");
        assert_eq!(span.of(text).trim(), span.of(text), "paragraphs are trimmed");
        let after = document.paragraphs.get(index + 1).map_or(text.len(), |next| next.start);
        let between = text.get(span.end..after);
        assert!(
            between.is_some_and(|between| between.trim().is_empty()),
            "only space between paragraphs"
        );
    }
    let cues = &document.cues;
    assert!(cues.iter().all(|cue| fits(text, cue.span) && cue.start_ms <= cue.end_ms), "cues fit");
    assert!(cues.windows(2).all(|pair| pair[0].span.end <= pair[1].span.start), "cues in order");
    let turns = &document.turns;
    assert!(
        turns.iter().all(|turn| fits(text, turn.span) && !turn.speaker.is_empty()),
        "turns fit"
    );
    assert!(turns.windows(2).all(|pair| pair[0].span.end <= pair[1].span.start), "turns in order");
    assert!(
        document.links.iter().all(|link| link.span.is_none_or(|span| fits(text, span))),
        "links fit"
    );
    let headings = &document.headings;
    assert!(
        headings.iter().all(|h| fits(text, h.span) && (1..=6).contains(&h.level)),
        "headings fit"
    );
    check_sentences(document);
    if let Ok(rules) = GateRules::shipped() {
        let report = gate(document, &rules);
        assert_eq!(report.verdict().is_some(), report.reason().is_some());
        let shares = [Metric::Repetition, Metric::Boilerplate, Metric::Promotion, Metric::Letters];
        let shares = shares.into_iter().chain([
            Metric::Mixed,
            Metric::LanguageConfidence,
            Metric::Addresses,
        ]);
        for metric in shares {
            let value = report.measures.get(metric);
            assert!((-1e-9..=1.0 + 1e-9).contains(&value), "{} is {value}", metric.name());
        }
    }
}

fn check_sentences(document: &Document) {
    let text = &document.text;
    let found = sentences(document);
    let mut covered = 0;
    for (id, sentence) in found.iter().enumerate() {
        assert_eq!(sentence.id as usize, id, "ids count up");
        assert!(fits(text, sentence.span) && !sentence.span.is_empty(), "sentences fit");
        let paragraph = document.paragraphs.get(sentence.paragraph as usize);
        assert!(
            paragraph.is_some_and(|paragraph| paragraph.contains(sentence.span)),
            "inside its paragraph"
        );
        assert!(id == 0 || found[id - 1].span.end <= sentence.span.start, "in order");
        covered += visible(sentence.span.of(text));
    }
    let all: usize = document.paragraphs.iter().map(|span| visible(span.of(text))).sum();
    assert_eq!(covered, all, "sentences leave out only white space");
}

fn fits(text: &str, span: Span) -> bool {
    span.start <= span.end && text.get(span.start..span.end).is_some()
}

fn visible(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).count()
}

#[cfg(test)]
mod tests;
