//! Reviewed snapshots of what is extracted from the corpus.
//!
//! With `CONSORT_BLESS` set the snapshots are written instead of compared; review them by `git diff`.

use std::fmt::Write as _;

use consort_content::Document;
use consort_content::extract::{ExtractError, Hint, Limits, extract};
use consort_content::gate::{GateRules, gate};
use consort_content::language::detect;
use consort_content::sentence::sentences;

use crate::corpus::{files, root};

/// Everything about a document that a reader of the snapshot can check against the source.
fn show(found: &Result<Document, ExtractError>) -> String {
    let document = match found {
        Ok(document) => document,
        Err(error) => return format!("refused: {error}\n"),
    };
    let mut out = String::new();
    let language = detect(&document.text);
    let _ = writeln!(
        out,
        "kind {:?}, method {:?}, encoding {:?}",
        document.kind, document.method, document.encoding
    );
    let _ = writeln!(
        out,
        "title {:?}, by {:?}, on {:?}",
        document.title, document.byline, document.published
    );
    let _ = writeln!(
        out,
        "language {} {:.2} rtl {}, declared {:?}",
        language.code, language.confidence, language.rtl, document.declared_language
    );
    for loss in &document.losses {
        let _ = writeln!(out, "loss: {loss}");
    }
    let report = gate(document, &GateRules::shipped().expect("valid"));
    let reason = report.reason().map(|check| {
        format!("{}: {:.3} {} {}", check.name, check.value, check.operator.sign(), check.limit)
    });
    let _ = writeln!(out, "gate {:?} {}", report.verdict(), reason.unwrap_or_default());
    let mut paragraph = u32::MAX;
    for sentence in sentences(document) {
        if sentence.paragraph != paragraph {
            paragraph = sentence.paragraph;
            let span = document.paragraphs[paragraph as usize];
            let level = document
                .headings
                .iter()
                .find(|heading| heading.span == span)
                .map(|heading| heading.level);
            let speaker =
                document.speaker_at(span.start).map(|name| format!(" {name}:")).unwrap_or_default();
            let _ = writeln!(
                out,
                "\n#{paragraph}{}{speaker}",
                level.map(|level| format!(" h{level}")).unwrap_or_default()
            );
        }
        let mark = if sentence.synthetic { "~" } else { "-" };
        let _ = writeln!(out, "{mark} {:?}", sentence.span.of(&document.text));
    }
    let _ = writeln!(out);
    for cue in &document.cues {
        let _ = writeln!(
            out,
            "cue {}-{} {:?} {:?}",
            cue.start_ms,
            cue.end_ms,
            cue.speaker,
            cue.span.of(&document.text)
        );
    }
    for link in &document.links {
        let _ = writeln!(
            out,
            "link {} {:?} {:?}",
            link.url,
            link.text,
            link.span.map(|span| span.of(&document.text))
        );
    }
    out
}

#[test]
fn the_corpus_is_extracted_as_reviewed() {
    let bless = std::env::var_os("CONSORT_BLESS").is_some();
    let mut different = Vec::new();
    for directory in ["documents", "pages"] {
        for (name, bytes) in files(directory) {
            let hint = Hint { name: Some(name.clone()), ..Hint::default() };
            let found = extract(&bytes, &hint, &Limits::default());
            let path = root().join("snapshots").join(format!("{name}.snap"));
            let shown = show(&found);
            if bless {
                std::fs::write(&path, &shown).expect("writable");
            } else if std::fs::read_to_string(&path).ok().as_deref() != Some(&shown) {
                different.push(format!("{name}:\n{shown}"));
            }
        }
    }
    assert!(different.is_empty(), "differs from the reviewed snapshot:\n{}", different.join("\n"));
}
