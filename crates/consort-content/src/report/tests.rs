//! Claims about reports.

use super::*;
use crate::analyse::{Options, analyse};
use crate::document::Span;

fn report(text: &str) -> Report {
    let doc = Document {
        text: text.to_owned(),
        paragraphs: vec![Span::new(0, text.len())],
        ..Document::default()
    };
    let language = crate::language::detect(STORY);
    let findings = analyse(&doc, &Options { language: Some(language), ..Options::default() });
    Report::new("story.txt", &doc, None, findings, Provenance::default())
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
    let page = markdown(&report(STORY), &Style { width: 60, entries: 3 });
    assert!(page.lines().all(|line| line.chars().count() <= 60), "{page}");
}
