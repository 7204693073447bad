//! Prints what the gate measures on files, whole and on their first 60 to 50,000 words.
//!
//! `cargo run --release -p consort-content --example measure -- FILE...` is how the limits in
//! `gate/rules.json` were checked on long ordinary prose.

use std::process::ExitCode;

use consort_content::extract::{Hint, Limits, extract};
use consort_content::gate::{GateRules, gate};

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to its terminal")]
fn main() -> ExitCode {
    let Ok(rules) = GateRules::shipped() else { return ExitCode::FAILURE };
    for path in std::env::args().skip(1) {
        let Ok(bytes) = std::fs::read(&path) else {
            eprintln!("cannot read {path}");
            return ExitCode::FAILURE;
        };
        let hint = Hint { name: Some(path.clone()), ..Hint::default() };
        let document = match extract(&bytes, &hint, &Limits::default()) {
            Ok(document) => document,
            Err(error) => {
                println!("{path}: {error}");
                continue;
            }
        };
        println!("{path} ({:?}, {:?})", document.kind, document.method);
        let words: Vec<&str> = document.text.split_inclusive(char::is_whitespace).collect();
        for length in [60, 150, 400, 1_500, 5_000, 20_000, 50_000, usize::MAX] {
            let part: String = words.iter().take(length).copied().collect();
            let hint = Hint { kind: Some(consort_content::Kind::Text), ..Hint::default() };
            let Ok(part) = extract(part.as_bytes(), &hint, &Limits::default()) else { continue };
            let report = gate(&part, &rules);
            let measures = &report.measures;
            println!(
                "  {:>8} words: repetition {:.3} boilerplate {:.3} promotion {:.4} shouting {:.3} ! {:.2} {:?}",
                measures.words,
                measures.repetition,
                measures.boilerplate,
                measures.promotion,
                measures.shouting,
                measures.exclamations,
                report.reason().map(|reason| &reason.name)
            );
            if length >= words.len() {
                break;
            }
        }
    }
    ExitCode::SUCCESS
}
