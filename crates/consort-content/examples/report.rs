//! Prints the report on a text file: `cargo run -p consort-content --example report -- story.txt [json|html|claims]`.
#![expect(clippy::print_stdout, reason = "an example that shows its result")]

use consort_content::analyse::{Options, analyse};
use consort_content::gate::{GateRules, gate};
use consort_content::report::{Provenance, Report, Style, claim_review, html, json, markdown};
use consort_content::{Document, Span};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: report FILE [markdown|json|html|claims]")?;
    let text = std::fs::read_to_string(&path)?;
    let doc = plain(&text);
    let options = Options::default();
    let gate = gate(&doc, &GateRules::shipped()?);
    let findings = analyse(&doc, &options);
    let provenance =
        Provenance { version: env!("CARGO_PKG_VERSION").to_owned(), ..Provenance::default() };
    let report = Report::new(&path, &doc, Some(gate), findings, provenance);
    let shown = match arguments.next().as_deref() {
        Some("json") => json(&report),
        Some("html") => html(&report),
        Some("claims") => claim_review(&report).to_string(),
        _ => markdown(&report, &Style::default()),
    };
    println!("{shown}");
    Ok(())
}

fn plain(text: &str) -> Document {
    let mut paragraphs = Vec::new();
    let mut at = 0;
    for block in text.split_inclusive("\n\n") {
        let trimmed = block.trim();
        if !trimmed.is_empty() {
            let start = at + (block.len() - block.trim_start().len());
            paragraphs.push(Span::new(start, start + trimmed.len()));
        }
        at += block.len();
    }
    Document { text: text.to_owned(), paragraphs, ..Document::default() }
}
