//! Claims about the analysis as a whole; each part has its own file beside this one.

use super::*;
use crate::document::Span;

/// A plain text as a document, one paragraph per line.
pub(crate) fn document(text: &str) -> Document {
    let mut at = 0;
    let mut paragraphs = Vec::new();
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        if !trimmed.is_empty() {
            let start = at + line.find(trimmed).unwrap_or_default();
            paragraphs.push(Span::new(start, start + trimmed.len()));
        }
        at += line.len();
    }
    Document { text: text.to_owned(), paragraphs, ..Document::default() }
}

pub(crate) fn english() -> Options {
    let language = Language {
        code: "en".into(),
        name: "English".into(),
        confidence: 1.0,
        script: "Latin".into(),
        rtl: false,
    };
    Options { language: Some(language), ..Options::default() }
}

pub(crate) fn found(text: &str) -> Findings {
    analyse(&document(text), &english())
}

const STORY: &str = "The river authority closed the old bridge at Marlow on Monday after inspectors found cracks in two of its piers.\n\
    About 14,000 vehicles cross the bridge each day, and drivers now face a detour of nine miles.\n\
    Repairs will cost $3.2 million and take until October, the authority said. \
    Shop owners near the bridge fear a terrible summer. \"We lost half our customers in a week,\" said Ana Ruiz, who runs a bakery.\n\
    The bridge was built in 1931. Engineers had warned about the piers in a report published three years ago.\n";

#[test]
fn every_span_cuts_the_text_it_names() {
    let doc = document(STORY);
    let found = analyse(&doc, &english());
    for sentence in found.summary.unwrap().sentences {
        assert_eq!(sentence.place.span.of(&doc.text), sentence.text);
    }
    for claim in found.claims {
        assert_eq!(claim.place.span.of(&doc.text), claim.text);
        assert!(
            claim.features.iter().all(|feature| claim.place.span.contains(feature.span)),
            "{claim:?}"
        );
    }
    for phrase in found.key_phrases {
        assert!(!phrase.places.is_empty());
        for place in phrase.places {
            assert_eq!(place.span.of(&doc.text).to_lowercase(), phrase.text.to_lowercase());
        }
    }
}

#[test]
fn parts_computed_apart_and_merged_equal_the_whole() {
    let doc = document(STORY);
    let sentences = sentences(&doc);
    let parts = Part::ALL.iter().map(|part| analyse_part(*part, &doc, &sentences, &english()));
    assert_eq!(merge(&facts(&doc, &sentences, &english()), parts), analyse(&doc, &english()));
}

#[test]
fn the_same_text_gives_the_same_findings() {
    assert_eq!(found(STORY), found(STORY));
}

#[test]
fn depth_changes_what_is_reported() {
    let story =
        |n| STORY.replace("14,000", &format!("{n}4,000")).replace("1931", &format!("19{n}1"));
    let long: String = (1..13).map(story).collect();
    let doc = document(&long);
    let at = |depth| analyse(&doc, &Options { depth, ..english() });
    let (quick, deep) = (at(Depth::Quick), at(Depth::Deep));
    assert!(quick.claims.len() < deep.claims.len());
    assert!(quick.key_phrases.len() < deep.key_phrases.len());
    let curve = |found: &Findings| found.sentiment.as_ref().unwrap().curve.len();
    assert!(curve(&quick) < curve(&deep));
}

#[test]
fn an_empty_text_gives_empty_findings_and_no_panic() {
    for text in ["", " \n ", "?!", "\u{feff}", "🙂"] {
        let found = found(text);
        assert!(found.summary.is_none(), "{text:?}");
        assert!(found.claims.is_empty() && found.key_phrases.is_empty(), "{text:?}");
        assert!(found.readability.is_none(), "{text:?}");
    }
}

#[test]
fn other_languages_get_a_summary_and_are_told_what_is_missing() {
    let text = "Die alte Brücke bei Marlow wurde am Montag gesperrt, weil Prüfer Risse in zwei Pfeilern fanden. \
        Jeden Tag fahren rund 14.000 Fahrzeuge über die Brücke, nun müssen sie einen Umweg von fünfzehn Kilometern nehmen.";
    let found = analyse(&document(text), &Options::default());
    assert_eq!(found.language.unwrap().code, "de");
    assert!(found.summary.is_some());
    assert!(found.sentiment.is_none() && found.claims.is_empty());
    let missing =
        found.not_done.iter().map(|gap| gap.what.to_lowercase()).collect::<Vec<_>>().join(", ");
    assert!(missing.contains("sentiment") && missing.contains("claims"), "{missing}");
    assert!(found.not_done.iter().all(|gap| gap.why.contains("German")));
}

#[test]
fn positive_words_make_a_positive_score() {
    let sentiment =
        found("A wonderful, excellent and happy result. Everybody loves it.").sentiment.unwrap();
    assert!(sentiment.score > 0.5, "{sentiment:?}");
    assert_eq!(sentiment.label, Label::Positive);
}

#[test]
fn text_without_feeling_is_neutral_not_joyful() {
    let sentiment =
        found("The table has four legs. The door is to the left of the window.").sentiment.unwrap();
    assert_eq!((sentiment.score, sentiment.label), (0.0, Label::Neutral));
    assert!(sentiment.high.is_none() && sentiment.low.is_none());
}

#[test]
fn the_curve_covers_every_sentence_once() {
    let found = found(&STORY.repeat(30));
    let curve = found.sentiment.unwrap().curve;
    assert_eq!(curve.iter().map(|point| u64::from(point.sentences)).sum::<u64>(), found.sentences);
    assert!(curve.windows(2).all(|pair| pair[0].place.span.end <= pair[1].place.span.start));
}
