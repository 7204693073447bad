//! Reviewed snapshots of the reports on the corpus: everything that a report says, one finding a line.
//!
//! With `CONSORT_BLESS` set the snapshots are written instead of compared; review them by `git diff`.

use std::fmt::Write as _;
use std::sync::LazyLock;

use consort_content::analyse::{Findings, Options, analyse};
#[cfg(feature = "pdf")]
use consort_content::extract::pdf;
use consort_content::extract::{ExtractError, Hint, Limits, extract};
use consort_content::gate::{Consequence, GateRules, gate};
use consort_content::report::{Provenance, Report, Style, claim_review, html, json, markdown};
use serde_json::Value;

use crate::corpus::{files, root};

/// Left out of a snapshot: the text itself, which has its own, and what changes with every rule.
const LEFT_OUT: &[&str] = &["schema", "provenance", "rules", "reading", "fingerprint"];

/// The report that the command line would make, from nothing but the bytes and a name.
fn report(name: &str, bytes: &[u8]) -> Result<Report, ExtractError> {
    let hint = Hint { name: Some(name.to_owned()), ..Hint::default() };
    let limits = Limits::default();
    let read = extract(bytes, &hint, &limits);
    // What the worker process would answer.
    #[cfg(feature = "pdf")]
    let read = match read {
        Err(ExtractError::NeedsWorker { .. }) => pdf(bytes, &limits),
        other => other,
    };
    let document = read?;
    let gate = gate(&document, &GateRules::shipped().expect("valid"));
    let findings = match gate.verdict() {
        Some(Consequence::Skip) => Findings::default(),
        _ => analyse(&document, &Options::default()),
    };
    Ok(Report::new(name, &document, Some(gate), findings, Provenance::default()))
}

/// Spans as `12..40`, numbers as few digits as tell them apart.
fn short(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            if let (2, Some(start), Some(end)) =
                (fields.len(), fields.get("start"), fields.get("end"))
            {
                return format!("{start}..{end}").into();
            }
            fields.into_iter().map(|(name, value)| (name, short(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(short).collect(),
        Value::Number(number) if number.is_f64() => {
            let value = number.as_f64().unwrap_or_default();
            ((value * 1e4).round() / 1e4).into()
        }
        other => other,
    }
}

fn show(report: &Report) -> String {
    let value = serde_json::to_value(report).expect("a report is JSON");
    let Value::Object(fields) = short(value) else { unreachable!("a report is an object") };
    let mut out = String::new();
    for (name, value) in fields.iter().filter(|(name, _)| !LEFT_OUT.contains(&name.as_str())) {
        match value {
            Value::Array(items) => {
                let _ = writeln!(out, "{name}: {}", items.len());
                for item in items {
                    let _ = writeln!(out, "  {item}");
                }
            }
            Value::Object(fields) => {
                let _ = writeln!(out, "{name}:");
                for (name, value) in fields {
                    let _ = writeln!(out, "  {name}: {value}");
                }
            }
            single => {
                let _ = writeln!(out, "{name}: {single}");
            }
        }
    }
    out
}

/// The labelled documents one after another: as long as a book chapter, in twenty styles.
fn chapter() -> Vec<u8> {
    let directory = root().join("../../labelled/documents");
    let entries = std::fs::read_dir(directory).expect("the labelled documents are there");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    let mut text = String::new();
    for path in paths {
        let content = std::fs::read_to_string(path).expect("readable");
        let (_, body) = content.split_once("\n\n").expect("a header");
        for line in body.lines() {
            text.push_str(line.trim_start_matches(['+', '-']).trim());
            text.push_str(if line.is_empty() { "\n\n" } else { " " });
        }
        text.push_str("\n\n");
    }
    text.into_bytes()
}

/// Name and report of every source in the corpus.
fn corpus() -> &'static [(String, Result<Report, ExtractError>)] {
    static REPORTS: LazyLock<Vec<(String, Result<Report, ExtractError>)>> = LazyLock::new(|| {
        let mut all = files("documents");
        all.extend(files("pages"));
        #[cfg(feature = "pdf")]
        all.extend(files("pdf"));
        all.push(("chapter.txt".to_owned(), chapter()));
        all.into_iter().map(|(name, bytes)| (name.clone(), report(&name, &bytes))).collect()
    });
    &REPORTS
}

fn made() -> impl Iterator<Item = (&'static str, &'static Report)> {
    corpus().iter().filter_map(|(name, made)| Some((name.as_str(), made.as_ref().ok()?)))
}

#[test]
fn the_corpus_is_reported_on_as_reviewed() {
    let bless = std::env::var_os("CONSORT_BLESS").is_some();
    let mut different = Vec::new();
    assert!(corpus().len() >= 30);
    for (name, made) in corpus() {
        let shown = match made {
            Ok(report) => show(report),
            Err(error) => format!("refused: {error}\n"),
        };
        let path = root().join("reports").join(format!("{name}.report"));
        if bless {
            std::fs::write(&path, &shown).expect("writable");
        } else if std::fs::read_to_string(&path).ok().as_deref() != Some(&shown) {
            different.push(format!("{name}:\n{shown}"));
        }
    }
    assert!(different.is_empty(), "differs from the reviewed snapshot:\n{}", different.join("\n"));
}

/// Every object that holds a span and a text, wherever it stands in the report.
fn cuts(value: &Value, text: &str, seen: &mut usize) {
    match value {
        Value::Object(fields) => {
            let place = fields.get("place").and_then(|place| place.get("span"));
            // What is dated is a sentence, and its place is the date in it; a bare address has no words.
            let said_at = fields.get("text").and_then(Value::as_str);
            let whole = !fields.contains_key("when") && said_at != Some("");
            if let (Some(span), Some(Value::String(said)), true) =
                (place, fields.get("text"), whole)
            {
                let at = |end: &str| span[end].as_u64().expect("an offset") as usize;
                assert_eq!(text.get(at("start")..at("end")), Some(said.as_str()));
                *seen += 1;
            }
            fields.values().for_each(|value| cuts(value, text, seen));
        }
        Value::Array(items) => items.iter().for_each(|value| cuts(value, text, seen)),
        _ => {}
    }
}

#[test]
fn every_line_of_a_report_points_at_its_words() {
    let mut seen = 0;
    for (_, report) in made() {
        let text = report.reading.as_ref().map_or("", |reading| reading.text.as_str()).to_owned();
        cuts(&serde_json::to_value(report).expect("JSON"), &text, &mut seen);
    }
    assert!(seen > 200, "{seen} findings with words");
}

#[test]
fn a_report_is_read_back_as_it_was_written() {
    for (name, report) in made() {
        let again: Report = serde_json::from_str(&json(report)).expect("reads");
        assert_eq!(&again, report, "{name}");
    }
}

#[test]
fn every_form_of_a_report_names_what_was_left_out() {
    for (name, report) in made() {
        let (page, text) = (html(report), markdown(report, &Style::default()));
        assert!(!report.not_done().is_empty(), "{name}: nobody looked claims up");
        for gap in report.not_done() {
            assert!(text.contains(&gap.what), "{name}: `{}` is in the text", gap.what);
        }
        assert!(page.contains("</html>") && claim_review(report).is_object(), "{name}");
        assert!(!text.contains('\0') && !page.contains('\0'), "{name}");
    }
}
