//! Nanoseconds of processor time per byte of each stage of the analysis: `cargo run --release -p consort-content --example analysis_speed -- [FILE] [MB]`.
//!
//! Without a file, the labelled documents are repeated, each time with other numbers and names, up to `MB` (default 1).
#![expect(clippy::print_stdout, reason = "an example that shows its result")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use consort_content::analyse::{Options, Part, analyse, analyse_part, facts};
use consort_content::extract::{Hint, Limits, extract};
use consort_content::gate::{GateRules, gate};
use consort_content::report::{Provenance, Report, Style, html, json, markdown};
use consort_content::sentence::sentences;
use consort_content::{Document, Kind, Span, language};

/// Best of this many runs, which leaves out what else the machine is doing; fewer where they take seconds.
const RUNS: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let size = arguments.iter().find_map(|argument| argument.parse::<f64>().ok()).unwrap_or(1.0);
    let file = arguments.iter().find(|argument| argument.parse::<f64>().is_err());
    let text = match file {
        Some(path) => std::fs::read_to_string(path)?,
        None => sample((size * 1e6) as usize)?,
    };
    let doc = plain(text);
    let bytes = doc.text.len() as f64;
    let show = |name: &str, took: Duration| {
        println!(
            "{name:<24} {:>8.1} ns/B {:>8.2} MB/s",
            took.as_nanos() as f64 / bytes,
            bytes / took.as_secs_f64() / 1e6
        );
    };
    let rules = GateRules::shipped()?;
    let options = Options::default();
    let (limits, plainly) = (Limits::default(), Hint { kind: Some(Kind::Text), ..Hint::default() });
    let (page, paged) = (page(&doc), Hint { kind: Some(Kind::Html), ..Hint::default() });
    let cut = sentences(&doc);
    println!("{bytes} bytes, {} sentences", cut.len());
    show("extract from text", best(|| extract(doc.text.as_bytes(), &plainly, &limits)));
    show("extract from HTML", best(|| extract(page.as_bytes(), &paged, &limits)));
    show("gate", best(|| gate(&doc, &rules)));
    show("language", best(|| language::detect(&doc.text)));
    show("sentences", best(|| sentences(&doc)));
    let language = language::detect(&doc.text);
    let known = Options { language: Some(language), ..options.clone() };
    let index = best(|| facts(&doc, &cut, &known));
    show("token index", index);
    for part in Part::ALL {
        let took = best(|| analyse_part(*part, &doc, &cut, &known));
        show(&format!("  {part:?}"), took.saturating_sub(index));
    }
    show("analyse (all of it)", best(|| analyse(&doc, &options)));
    let findings = analyse(&doc, &options);
    let report = Report::new("sample", &doc, None, findings, Provenance::default());
    show("markdown", best(|| markdown(&report, &Style::default())));
    show("json", best(|| json(&report)));
    show("html", best(|| html(&report)));
    let whole = best(|| {
        let doc = extract(doc.text.as_bytes(), &plainly, &limits).unwrap_or_default();
        let gate = gate(&doc, &rules);
        let report =
            Report::new("sample", &doc, Some(gate), analyse(&doc, &options), Provenance::default());
        markdown(&report, &Style::default())
    });
    show("bytes to Markdown", whole);
    Ok(())
}

/// A point in the time of this thread.
struct Start(Instant, Option<Duration>);

impl Start {
    fn now() -> Self {
        Self(Instant::now(), on_processor())
    }

    /// Time on a processor since then, which other work on the machine does not lengthen; the
    /// clock's where the system does not tell it.
    fn elapsed(&self) -> Duration {
        match (self.1, on_processor()) {
            (Some(start), Some(now)) => now.saturating_sub(start),
            _ => self.0.elapsed(),
        }
    }
}

/// Time that this thread has spent on a processor, on Linux.
fn on_processor() -> Option<Duration> {
    // The account is settled when a thread lets go.
    std::thread::yield_now();
    let account = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    account.split(' ').next()?.parse().map(Duration::from_nanos).ok()
}

fn best<T>(mut work: impl FnMut() -> T) -> Duration {
    let mut spent = Duration::ZERO;
    let mut best = Duration::MAX;
    for _ in 0..RUNS {
        let start = Start::now();
        black_box(work());
        let took = start.elapsed();
        best = best.min(took);
        spent += took;
        // Long runs are steady enough, and the reader waits.
        if spent > Duration::from_secs(2) {
            break;
        }
    }
    best
}

/// The text as a page of paragraphs.
fn page(doc: &Document) -> String {
    let paragraphs = doc.paragraphs.iter().map(|span| format!("<p>{}</p>\n", span.of(&doc.text)));
    let body: String = paragraphs.collect();
    format!("<html><head><title>Sample</title></head><body><article>{body}</article></body></html>")
}

/// Labelled documents, varied so that vocabulary and numbers keep growing as they do in real text.
fn sample(bytes: usize) -> std::io::Result<String> {
    let mut paths: Vec<_> =
        std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/labelled/documents"))?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .collect();
    paths.sort();
    let mut text = String::with_capacity(bytes + 4096);
    for round in 0.. {
        for path in &paths {
            let content = std::fs::read_to_string(path)?;
            for line in
                content.lines().filter(|line| line.starts_with(['+', '-']) || line.is_empty())
            {
                if text.len() >= bytes {
                    return Ok(text);
                }
                let line = line.trim_start_matches(['+', '-']).trim();
                text.push_str(
                    &line
                        .replace("Marlow", &format!("Marl{}ow", letters(round)))
                        .replace('4', &(round % 10).to_string()),
                );
                text.push_str(if line.is_empty() { "\n\n" } else { " " });
            }
            text.push_str("\n\n");
        }
    }
    Ok(text)
}

fn letters(mut number: usize) -> String {
    let mut word = String::new();
    while number > 0 {
        word.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
    }
    word
}

fn plain(text: String) -> Document {
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
    Document { text, paragraphs, ..Document::default() }
}
