//! What the gate promises.

use super::*;
use crate::document::Span;

fn document(text: &str) -> Document {
    let hint = crate::extract::Hint::default();
    crate::extract::extract(text.as_bytes(), &hint, &crate::extract::Limits::default())
        .expect("extracts")
}

fn rules() -> GateRules {
    GateRules::shipped().expect("the shipped rules are valid")
}

#[test]
fn a_gate_that_stops_names_value_and_limit() {
    let report = gate(&document("Only a few words here."), &rules());
    assert_eq!(report.verdict(), Some(Consequence::Skip));
    let reason = report.reason().expect("a reason");
    assert_eq!((reason.name.as_str(), reason.value, reason.limit), ("length", 5.0, 40.0));
    assert_eq!(reason.operator, Operator::AtLeast);
}

#[test]
fn conditions_are_never_code() {
    for hostile in [
        "().__class__",
        "__import__('os')",
        "words >= len(text)",
        "words >= 40; drop",
        "words",
        "40 <= words",
        "words >= 1e999",
        "unknown > 1",
        "words >= 40 and",
        "",
        "((((((((((((((((((((words > 1))))))))))))))))))))",
    ] {
        assert!(Expression::parse(hostile).is_err(), "{hostile}");
    }
}

#[test]
fn conditions_survive_being_written_and_read() {
    for written in
        ["words >= 40 or characters >= 300", "not (words < 3) and (letters > 0.5 or english == 1)"]
    {
        let parsed = Expression::parse(written).expect("parses");
        assert_eq!(Expression::parse(&parsed.to_string()).as_ref(), Ok(&parsed));
    }
}

#[test]
fn a_negated_comparison_reports_what_had_to_hold() {
    let measures = Measures { words: 7.0, ..Measures::default() };
    let decided = Expression::parse("not (words < 40)").expect("parses").decide(&measures);
    assert_eq!((decided.holds, decided.operator, decided.limit), (false, Operator::AtLeast, 40.0));
}

#[test]
fn endless_repetition_is_refused() {
    let report =
        gate(&document(&"You will not believe this one simple trick. ".repeat(60)), &rules());
    assert_eq!(report.reason().map(|reason| reason.name.as_str()), Some("repetition"));
}

#[test]
fn an_empty_document_is_skipped_without_dividing_by_nothing() {
    let report = gate(&Document::default(), &rules());
    assert_eq!(report.verdict(), Some(Consequence::Skip));
    assert!(Metric::ALL.iter().all(|metric| report.measures.get(*metric).is_finite()));
    let odd = Document { paragraphs: vec![Span::new(0, 9)], ..Document::default() };
    assert_eq!(gate(&odd, &rules()).verdict(), Some(Consequence::Skip));
}
