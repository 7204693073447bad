//! Claims about reports.

use super::*;
use crate::analyse::{Options, analyse};
use crate::document::{Cue, Span, Turn};

pub(super) fn report(text: &str) -> Report {
    let whole = Span::new(0, text.len());
    let paragraphs = if text.is_empty() { Vec::new() } else { vec![whole] };
    report_on(&Document { text: text.to_owned(), paragraphs, ..Document::default() })
}

pub(super) fn report_on(doc: &Document) -> Report {
    let language = crate::language::detect(STORY);
    let findings = analyse(doc, &Options { language: Some(language), ..Options::default() });
    Report::new("story.txt", doc, None, findings, Provenance::default())
}

/// Two speakers with times.
pub(super) fn conversation() -> Document {
    let mut doc = Document::default();
    for round in 0..40_u64 {
        for (speaker, line) in [
            ("Host", "What happened to the apple trees in 2023?"),
            ("Lena", "We lost 70 percent of our apples in one night of frost."),
        ] {
            let start = doc.text.len();
            doc.text.push_str(line);
            let span = Span::new(start, doc.text.len());
            let start_ms = (round * 2 + u64::from(speaker == "Lena")) * 5000;
            doc.turns.push(Turn { span, speaker: speaker.to_owned() });
            doc.cues.push(Cue {
                span,
                start_ms,
                end_ms: start_ms + 4000,
                speaker: Some(speaker.to_owned()),
            });
            doc.paragraphs.push(span);
            doc.text.push_str("\n\n");
        }
    }
    doc
}

const STORY: &str = "The river authority closed the old bridge at Marlow on Monday after inspectors found cracks in two piers. \
    About 14,000 vehicles cross the bridge each day, and drivers now face a detour of nine miles. \
    Repairs will cost $3.2 million and take until October, the authority said.";

#[test]
fn json_reads_back_as_the_same_report() {
    let report = report(STORY);
    let back: Report = serde_json::from_str(&json(&report)).unwrap();
    assert_eq!(back, report);
}

#[test]
fn claims_stand_at_the_top_level_of_the_json() {
    let value: serde_json::Value = serde_json::from_str(&json(&report(STORY))).unwrap();
    assert_eq!(value["schema"], SCHEMA);
    assert!(value["claims"][0]["place"]["span"]["end"].as_u64().unwrap() > 0);
}

#[test]
fn the_schema_names_every_top_level_key() {
    let value: serde_json::Value = serde_json::from_str(&json(&report(STORY))).unwrap();
    let schema = schema();
    for key in value.as_object().unwrap().keys() {
        assert!(schema["properties"].get(key).is_some(), "{key} is not in the schema");
    }
}

#[test]
fn nothing_to_analyse_is_never_plain_success() {
    assert!(matches!(report("").outcome, Outcome::Degraded { .. }));
    assert_eq!(report(STORY).outcome, Outcome::Succeeded);
}

#[test]
fn markdown_has_the_two_fixed_sections_whatever_was_found() {
    for text in ["", STORY] {
        let page = markdown(&report(text), &Style::default());
        assert!(page.contains("## Not done and why") && page.contains("## Provenance"), "{page}");
    }
}

#[test]
fn markdown_shows_every_score_it_was_given() {
    let page = markdown(
        &report("A wonderful, excellent and happy result for everybody here."),
        &Style::default(),
    );
    assert!(page.contains("positive (+0."), "{page}");
}

#[test]
fn text_of_the_source_cannot_add_markup() {
    let hostile = "The minister said *bold* [click](http://evil.example) <script>alert(1)</script> `code` # heading in 2019.";
    let page = markdown(&report(hostile), &Style::default());
    assert!(!page.contains("<script>") && page.contains(r"\[click\]("), "{page}");
}

#[test]
fn lines_keep_to_the_width() {
    let page = markdown(&report(STORY), &Style { width: 60, entries: 3, ..Style::default() });
    assert!(page.lines().all(|line| line.chars().count() <= 60), "{page}");
}

#[test]
fn speakers_shares_add_up_and_times_are_shown() {
    let report = report_on(&conversation());
    let shares: f64 = report.findings.speakers.iter().map(|speaker| speaker.share).sum();
    assert!((shares - 1.0).abs() < 1e-9);
    assert_eq!(report.findings.speakers[0].name, "Lena");
    assert_eq!(report.findings.speakers[1].questions, 40);
    assert!(
        report
            .findings
            .claims
            .iter()
            .all(|claim| claim.place.time_ms.is_some() && claim.speaker.as_deref() == Some("Lena"))
    );
}

#[test]
fn claim_review_rates_only_what_was_checked() {
    let unchecked = claim_review(&report(STORY));
    let kinds = |value: &serde_json::Value| -> Vec<String> {
        value["@graph"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["@type"].as_str().unwrap().to_owned())
            .collect()
    };
    assert!(!kinds(&unchecked).is_empty() && kinds(&unchecked).iter().all(|kind| kind == "Claim"));
    assert!(!unchecked.to_string().contains("Rating"));
    let report = report(STORY);
    let evidence = Evidence {
        source: "Fact Desk".into(),
        about: report.findings.claims[0].text.clone(),
        quote: "The register agrees.".into(),
        stance: crate::analyse::verify::Stance::Supports,
        published: Some("2026-05-04".into()),
        ..Evidence::default()
    };
    let checked = claim_review(&report.verified(&[evidence], 1));
    assert_eq!(checked["@graph"][0]["@type"], "ClaimReview");
    assert_eq!(checked["@graph"][0]["reviewRating"]["alternateName"], "supported");
}

#[test]
fn an_earlier_copy_is_named_as_near_duplicate() {
    let (first, second) = (report(STORY), report(&format!("{STORY} One more line was added.")));
    let prints = [("r1", first.findings.fingerprint.as_ref().unwrap())];
    let compared = second.compared(prints);
    assert_eq!(compared.near_duplicates[0].report, "r1");
    assert!(compared.near_duplicates[0].likeness.shared > 0.7);
}

#[test]
fn markdown_for_a_terminal_carries_no_control_characters_of_the_source() {
    let hostile = "The bank \u{1b}[31mlost\u{7} 40 percent\u{9b}2J in 2019, it \u{202e}said.";
    let page = markdown(&report(hostile), &Style { ansi: true, ..Style::default() });
    assert!(
        !page.contains("\u{1b}[31m")
            && !page.contains('\u{7}')
            && !page.contains('\u{9b}')
            && !page.contains('\u{202e}'),
        "{page:?}"
    );
}
