//! Answers for the scripts in `quality/`: one JSON text per input line, one JSON answer per output line.
//!
//! `phrases` answers with the top 20 key phrases, `vader` with the compound of the text taken as one sentence, `readability` with
//! the readability scores.
#![expect(clippy::print_stdout, reason = "answers go to standard output")]

use std::io::{BufRead, stdin};

use consort_content::analyse::{Found, Options, Part, analyse_part};
use consort_content::language::Language;
use consort_content::sentence::sentences;
use consort_content::{Document, Sentence, Span};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mode =
        std::env::args().nth(1).ok_or("usage: quality phrases|vader|readability < lines.json")?;
    for line in stdin().lock().lines() {
        let text: String = serde_json::from_str(&line?)?;
        println!("{}", answer(&mode, &text)?);
    }
    Ok(())
}

fn answer(mode: &str, text: &str) -> Result<Value, String> {
    let doc = document(text);
    let whole =
        [Sentence { id: 0, span: Span::new(0, text.len()), synthetic: false, paragraph: 0 }];
    Ok(match (mode, compute(mode, &doc, &whole)?) {
        (_, Found::KeyPhrases(phrases)) => {
            phrases.iter().map(|phrase| phrase.text.to_lowercase()).collect()
        }
        (_, Found::Sentiment(sentiment)) => {
            json!(sentiment.map_or(0.0, |sentiment| sentiment.score))
        }
        (_, Found::Readability(scores)) => json!(scores),
        _ => Value::Null,
    })
}

fn compute(mode: &str, doc: &Document, whole: &[Sentence]) -> Result<Found, String> {
    let name = |text: &str| text.to_owned();
    let language = Language {
        code: name("en"),
        name: name("English"),
        confidence: 1.0,
        script: name("Latin"),
        rtl: false,
    };
    let options = Options { language: Some(language), ..Options::default() };
    let found = match mode {
        "phrases" => analyse_part(Part::KeyPhrases, doc, &sentences(doc), &options),
        "readability" => analyse_part(Part::Readability, doc, &sentences(doc), &options),
        "vader" => analyse_part(Part::Sentiment, doc, whole, &options),
        _ => return Err(format!("unknown mode `{mode}`")),
    };
    Ok(found.found)
}

fn document(text: &str) -> Document {
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
