//! What splitting promises beyond the labelled corpus.

use super::*;
use crate::document::Cue;

#[track_caller]
fn check(text: &str, parts: &[&str]) {
    let found: Vec<&str> = split(text).iter().map(|span| span.of(text)).collect();
    assert_eq!(found, parts);
}

#[test]
fn spans_leave_out_only_white_space() {
    check("One. Two!  Three? \n Four... Five", &["One.", "Two!", "Three?", "Four...", "Five"]);
    check("  \n ", &[]);
    check("", &[]);
}

#[test]
fn marks_alone_are_a_sentence_not_a_crash() {
    for text in [
        "...",
        "?!",
        "\u{3002}",
        ". . .",
        "\u{2014}\"",
        "1.",
        "\u{1F600}",
        "\u{201D}",
        "a.\u{FE0F}b",
    ] {
        let _ = split(text);
    }
}

fn spoken(words: usize, cue_words: usize, pause_every: usize) -> Document {
    let mut document = Document::default();
    let mut now = 0;
    for first in (0..words).step_by(cue_words) {
        let start = document.text.len() + usize::from(first > 0);
        let cue: Vec<String> =
            (first..words.min(first + cue_words)).map(|n| format!("w{n}")).collect();
        if first > 0 {
            document.text.push(' ');
        }
        document.text.push_str(&cue.join(" "));
        if pause_every > 0 && first % pause_every == 0 {
            now += 1_500;
        }
        let span = Span::new(start, document.text.len());
        document.cues.push(Cue { span, start_ms: now, end_ms: now + 1_000, speaker: None });
        now += 1_000;
    }
    document.paragraphs.push(Span::new(0, document.text.len()));
    document
}

#[test]
fn unmarked_speech_is_cut_at_pauses() {
    let document = spoken(60, 5, 15);
    let found = sentences(&document);
    let lengths: Vec<usize> =
        found.iter().map(|sentence| sentence.span.of(&document.text).split(' ').count()).collect();
    assert_eq!(lengths, [15, 15, 15, 15]);
    assert!(found.iter().all(|sentence| sentence.synthetic));
}

#[test]
fn unmarked_speech_without_pauses_is_capped() {
    let document = spoken(3_000, 7, 0);
    let found = sentences(&document);
    assert!(found.iter().all(|sentence| {
        let words = sentence.span.of(&document.text).split(' ').count();
        sentence.synthetic && (1..=30).contains(&words)
    }));
    let total: usize =
        found.iter().map(|sentence| sentence.span.of(&document.text).split(' ').count()).sum();
    assert_eq!(total, 3_000);
}

#[test]
fn long_sentences_of_marked_text_stay_whole() {
    let long = format!("It began {}and ended. ", "with one more clause and ".repeat(20));
    let text = long.repeat(3).trim_end().to_owned();
    let paragraphs = vec![Span::new(0, text.len())];
    let document = Document { text, paragraphs, ..Document::default() };
    let found = sentences(&document);
    assert_eq!((found.len(), found.iter().any(|sentence| sentence.synthetic)), (3, false));
}

#[test]
fn endless_lines_are_cut_whatever_they_hold() {
    for text in
        ["x".repeat(300_000), "漢".repeat(30_000), "word ".repeat(40_000), "a.b".repeat(60_000)]
    {
        let text = text.trim().to_owned();
        let paragraphs = vec![Span::new(0, text.len())];
        let document = Document { text, paragraphs, ..Document::default() };
        let found = sentences(&document);
        let covered: usize = found.iter().map(|sentence| sentence.span.len()).sum();
        assert!(covered >= document.text.replace(' ', "").len());
    }
}
