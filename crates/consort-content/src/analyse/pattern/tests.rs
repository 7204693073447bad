//! Claims about patterns.

use super::*;
use crate::analyse::tests::document;
use crate::sentence::sentences;

/// The words that `pattern` finds in `text`, match by match.
#[track_caller]
fn check(pattern: &str, text: &str, expected: &[&str]) {
    let mut patterns = Patterns::default();
    patterns.add(0, pattern).unwrap();
    let doc = document(text);
    let sentences = sentences(&doc);
    let index = Index::new(&doc, &sentences, true, &[]);
    let found = patterns.find(&index);
    let words: Vec<&str> =
        found.iter().map(|m| index.span(m.tokens.start, m.tokens.end - 1).of(text)).collect();
    assert_eq!(words, expected);
}

#[test]
fn words_match_in_any_case() {
    check("what about", "What about the farmers?", &["What about"]);
}

#[test]
fn alternatives_prefixes_and_options_combine() {
    check(
        "the|this corrupt* very? elite|mob",
        "This corrupted elite and the corrupt very mob.",
        &["This corrupted elite", "the corrupt very mob"],
    );
}

#[test]
fn a_short_gap_stops_at_punctuation() {
    check("either .. or", "Either we win or lose.", &["Either we win or"]);
    check("either .. or", "Either, we win or lose.", &[]);
}

#[test]
fn a_long_gap_crosses_punctuation_within_the_sentence() {
    check(
        "either ... or",
        "Either we, the people, win today or we lose.",
        &["Either we, the people, win today or"],
    );
    check("either ... or", "Either way is fine. Tea or coffee.", &[]);
}

#[test]
fn ends_of_the_sentence_ignore_quotation_marks() {
    check("^ end of story $", "\u{201c}End of story.\u{201d}", &["End of story"]);
    check("^ end of story $", "At the end of story time we left.", &[]);
}

#[test]
fn negation_needs_a_token_that_differs() {
    check("must !not act", "We must now act. We must not act.", &["must now act"]);
}

#[test]
fn numbers_and_classes_are_tests() {
    check("@negation .. #number", "There were not exactly 40 of them.", &["not exactly 40"]);
}

#[test]
fn a_pattern_without_a_fixed_word_is_refused() {
    let mut patterns = Patterns::default();
    for pattern in ["", "..", "_ #number", "@nosuchclass", "Upper case", "a||b"] {
        assert!(patterns.add(0, pattern).is_err(), "{pattern:?}");
    }
}
