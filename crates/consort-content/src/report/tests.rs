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
    let checked = claim_review(&report.verified(&[evidence], Asked { sources: 1, answered: 1 }));
    assert_eq!(checked["@graph"][0]["@type"], "ClaimReview");
    assert_eq!(checked["@graph"][0]["reviewRating"]["alternateName"], "supported");
}

#[test]
fn an_earlier_copy_is_named_as_near_duplicate() {
    let (first, second) = (report(STORY), report(&format!("{STORY} One more line was added.")));
    let prints = [&first, &second].map(|report| report.findings.fingerprint.clone().unwrap());
    let likeness = prints[1].near(&prints[0]).unwrap();
    assert!(likeness.shared > 0.7, "{likeness:?}");
    let near = NearDuplicate {
        report: "01ARZ".into(),
        about: Some("Bridge closed".into()),
        made: Some("2026-05-04T08:00:00Z".into()),
        likeness,
    };
    let compared = second.compared(vec![near]);
    assert!(compared.not_done().iter().all(|gap| gap.what != UNCOMPARED));
    for page in [html(&compared), markdown(&compared, &Style::default())] {
        assert!(page.contains("01ARZ") && page.contains("Bridge closed"), "{page}");
    }
    let other =
        report("Bees returned to the orchard in spring, and the keepers counted forty hives.");
    assert_eq!(other.findings.fingerprint.unwrap().near(&prints[0]), None);
}

#[test]
fn a_terminal_without_utf_8_gets_plain_signs() {
    let quoting =
        format!("{STORY} \u{201c}We are sorry,\u{201d} said Dana Whitfield on 3 May 2019.");
    let page = markdown(&report(&quoting), &Style { ascii: true, ..Style::default() });
    assert!(page.is_ascii(), "{page}");
}

#[test]
fn a_sentence_with_several_dates_stands_once_in_the_timeline() {
    let report =
        report("The mill was built in 1789, sold in 1841 and torn down in 1934, they say.");
    let page = markdown(&report, &Style::default());
    let (_, timeline) = page.split_once("## Timeline").unwrap();
    let (timeline, _) = timeline.split_once("##").unwrap();
    assert_eq!(timeline.matches("torn down").count(), 1, "{timeline}");
    assert!(timeline.contains("1789, 1841, 1934"), "{timeline}");
}

#[test]
fn a_source_that_was_asked_for_and_cannot_be_had_degrades_the_report() {
    let gap = NotDone { what: "Evidence from x".into(), why: "It is down.".into(), remedy: None };
    let report = report(STORY).verified(&[], Asked { sources: 1, answered: 0 }).without(vec![gap]);
    assert_eq!(
        report.outcome,
        Outcome::Degraded { lost: vec!["Evidence from x: It is down.".into()] }
    );
    assert!(report.verification.iter().all(|check| check.reason.contains("gave an answer")));
    let why: Vec<&str> = report.not_done().iter().map(|gap| gap.why.as_str()).collect();
    assert!(why.iter().any(|why| why.contains("gave an answer")), "{why:?}");
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

/// Compares a file of `docs/` with what it should say; writes it where `CONSORT_BLESS` is set.
fn check_doc(name: &str, expected: impl Fn(&str) -> String) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    let is = std::fs::read_to_string(&path).unwrap_or_default();
    let should = expected(&is);
    if std::env::var_os("CONSORT_BLESS").is_some() {
        std::fs::write(&path, &should).unwrap();
    }
    let hint = "run `CONSORT_BLESS=1 cargo test -p consort-content published` and review the diff";
    assert!(std::fs::read_to_string(&path).unwrap_or_default() == should, "{name}: {hint}");
}

#[test]
fn the_published_schema_is_that_of_the_report() {
    check_doc("report.schema.json", |_| serde_json::to_string_pretty(&schema()).unwrap() + "\n");
}

#[test]
fn a_report_fits_the_published_schema() {
    let schema = schema();
    let required: Vec<&str> =
        schema["required"].as_array().unwrap().iter().filter_map(|name| name.as_str()).collect();
    let value: serde_json::Value = serde_json::from_str(&json(&report(STORY))).unwrap();
    assert!(required.contains(&"schema") && required.contains(&"provenance"), "{required:?}");
    for name in required {
        assert!(!value[name].is_null() || value.get(name).is_some(), "{name}");
    }
    for name in value.as_object().unwrap().keys() {
        assert!(schema["properties"].get(name).is_some(), "{name} is not in the schema");
    }
}

#[test]
fn the_published_table_of_depths_is_the_one_in_force() {
    let [quick, standard, deep] = [Depth::Quick, Depth::Standard, Depth::Deep]
        .map(|depth| serde_json::to_value(depth.limits()).unwrap());
    let mut table = String::from("| limit | quick | standard | deep |\n|---|--:|--:|--:|\n");
    for name in quick.as_object().unwrap().keys() {
        let words = name.replace('_', " ");
        table += &format!("| {words} | {} | {} | {} |\n", quick[name], standard[name], deep[name]);
    }
    check_doc("report.md", |is| {
        let (head, rest) = is.split_once("<!-- depths -->\n").expect("a place for the table");
        let (_, tail) = rest.split_once("<!-- /depths -->").expect("its end");
        format!("{head}<!-- depths -->\n{table}<!-- /depths -->{tail}")
    });
}
