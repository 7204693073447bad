//! Claims about verdicts.

use super::*;
use crate::document::Span;

fn claim(text: &str) -> Claim {
    let place =
        crate::analyse::Place { span: Span::new(0, text.len()), sentence: 0, time_ms: None };
    Claim {
        id: "c1".into(),
        place,
        text: text.into(),
        speaker: None,
        score: 0.9,
        features: Vec::new(),
    }
}

fn evidence(about: &str, stance: Stance) -> Evidence {
    Evidence {
        source: "Fact Desk".into(),
        about: about.into(),
        quote: "We looked at the register.".into(),
        stance,
        published: Some("2026-05-04".into()),
        ..Evidence::default()
    }
}

const CLAIM: &str = "Crime in Marlow rose by 12 percent in 2025, the police register shows.";

fn decided(claim: &Claim, evidence: &[Evidence], sources: usize) -> Verification {
    verify([claim], evidence, Asked { sources, answered: sources }).remove(0)
}

#[track_caller]
fn check(evidence: &[Evidence], expected: Verdict) -> Verification {
    let result = decided(&claim(CLAIM), evidence, 1);
    assert_eq!(result.verdict, expected, "{result:?}");
    result
}

#[test]
fn verdicts_follow_the_stance_of_matching_evidence() {
    let about = "Crime in Marlow rose by 12 percent in 2025.";
    check(&[evidence(about, Stance::Supports)], Verdict::Supported);
    check(&[evidence(about, Stance::Refutes)], Verdict::Refuted);
    check(&[evidence(about, Stance::Mixed)], Verdict::Mixed);
    check(
        &[evidence(about, Stance::Supports), evidence(about, Stance::Refutes)],
        Verdict::Disputed,
    );
}

#[test]
fn no_evidence_means_not_checked_with_the_reason() {
    assert_eq!(decided(&claim(CLAIM), &[], 0).reason, "No evidence source was asked.");
    assert_eq!(
        check(&[], Verdict::NotChecked).reason,
        "The sources that were asked have nothing on it."
    );
}

#[test]
fn the_number_of_hits_makes_no_verdict() {
    // The earlier system turned three or more search hits into "needs context".
    let unclear = evidence("Crime in Marlow rose by 12 percent in 2025.", Stance::Unclear);
    check(&vec![unclear; 50], Verdict::NotChecked);
}

#[test]
fn evidence_without_source_quote_or_date_decides_nothing() {
    let full = evidence("Crime in Marlow rose by 12 percent in 2025.", Stance::Refutes);
    for piece in [
        Evidence { source: " ".into(), ..full.clone() },
        Evidence { quote: String::new(), ..full.clone() },
        Evidence { published: None, ..full.clone() },
    ] {
        let result = check(&[piece], Verdict::NotChecked);
        assert!(result.evidence[0].set_aside.is_some(), "listed as related, with the reason");
    }
}

#[test]
fn evidence_on_the_opposite_statement_decides_nothing() {
    for about in [
        "Crime in Marlow did not rise by 12 percent in 2025.",
        "Crime in Marlow fell by 12 percent in 2025.",
        "Crime in Marlow rose by 40 percent in 2019.",
    ] {
        check(&[evidence(about, Stance::Refutes)], Verdict::NotChecked);
    }
}

#[test]
fn evidence_on_something_else_is_not_even_listed() {
    assert!(
        check(
            &[evidence("The bakery in Henley sells bread.", Stance::Refutes)],
            Verdict::NotChecked
        )
        .evidence
        .is_empty()
    );
}

#[test]
fn tone_makes_no_verdict() {
    // The earlier system counted words such as "unreliable" and "confirmed" in prose.
    let shouting = claim(
        "This disgusting, unreliable, unconfirmed lie about crime in Marlow is false, false, false!",
    );
    assert_eq!(decided(&shouting, &[], 1).verdict, Verdict::NotChecked);
}

#[test]
fn a_query_is_about_the_claim_alone_and_short() {
    // The earlier system sent the whole transcript as one query.
    let long = claim(&format!(
        "{CLAIM} {}",
        "And so it went on and on in every street of Marlow. ".repeat(100)
    ));
    assert!(query(&long).chars().count() <= 200);
    assert_eq!(query(&claim(CLAIM)), "crime marlow rose 12 percent 2025 police register shows");
}

fn evidence_in(answer: &str) -> Result<Vec<Evidence>, Unreadable> {
    super::evidence(answer.as_bytes())
}

const REVIEW: &str = r#"{"@graph": [{"@type": "ClaimReview", "url": "https://facts.example/1", "datePublished": "2026-05-04",
    "claimReviewed": "Crime in Marlow rose by 12 percent in 2025", "author": {"@type": "Organization", "name": "Fact Desk"},
    "reviewBody": "The register shows a fall of 3 percent.", "reviewRating": {"@type": "Rating", "ratingValue": "1", "bestRating": 5, "worstRating": 1, "alternateName": "False"}}]}"#;

#[test]
fn a_claim_review_becomes_evidence() {
    let found = evidence_in(REVIEW).unwrap();
    assert_eq!(
        (found.len(), found[0].stance, found[0].source.as_str()),
        (1, Stance::Refutes, "Fact Desk")
    );
    check(&found, Verdict::Refuted);
}

#[test]
fn a_rating_in_words_is_matched_whole() {
    for (label, stance) in [
        ("True", Stance::Supports),
        ("Mostly true.", Stance::Supports),
        ("Untrue", Stance::Refutes),
        ("Not true", Stance::Refutes),
        ("Half-True", Stance::Mixed),
        ("True colours of spring", Stance::Unclear),
        ("Unreliable, not confirmed", Stance::Unclear),
    ] {
        let json = REVIEW.replace("\"False\"", &format!("\"{label}\""));
        assert_eq!(evidence_in(&json).unwrap()[0].stance, stance, "{label}");
    }
}

#[test]
fn a_number_counts_only_on_the_scale_it_states() {
    let plain = REVIEW.replace(", \"alternateName\": \"False\"", "");
    assert_eq!(evidence_in(&plain).unwrap()[0].stance, Stance::Refutes);
    for (from, to) in [
        ("\"bestRating\": 5, ", ""),
        ("\"bestRating\": 5", "\"bestRating\": 1"),
        ("\"ratingValue\": \"1\"", "\"ratingValue\": 99"),
    ] {
        assert_eq!(
            evidence_in(&plain.replace(from, to)).unwrap()[0].stance,
            Stance::Unclear,
            "{to}"
        );
    }
}

#[test]
fn hostile_answers_end_in_an_error_or_in_nothing() {
    let deep = "[".repeat(100_000);
    assert!(evidence_in(&deep).is_err());
    for json in ["[]", r#"{"results":[]}"#, r#"{"@context":"x","@type":"ClaimReview"}"#] {
        assert_eq!(evidence_in(json), Ok(Vec::new()), "{json}");
    }
    for other in ["", "{}", "null", "3", "<html>", "<script>", r#"{"results":[{}]}"#, "plain text"]
    {
        assert!(evidence_in(other).is_err(), "{other}");
    }
    assert!(super::evidence(b"\xff\xfe").is_err());
}

#[test]
fn a_search_hit_without_stance_is_related_reading() {
    let json = r#"{"results": [{"source": "Gazette", "statement": "Crime in Marlow rose by 12 percent in 2025", "quote": "It rose.", "published": "2026-01-02"}]}"#;
    let found = evidence_in(json).unwrap();
    assert_eq!(check(&found, Verdict::NotChecked).evidence.len(), 1);
}

#[test]
fn a_page_that_embeds_reviews_is_evidence_even_beside_a_damaged_block() {
    let page = format!(
        "<!doctype html><script>let x = \"</b>\";</script><SCRIPT type='application/ld+json'>{{broken</script>\
         <script type=\"application/ld+json\">{REVIEW}</script><p>Text"
    );
    assert_eq!(evidence_in(&page).unwrap().len(), 1);
    assert!(evidence_in("<p>No review here</p>").unwrap_err().to_string().contains("JSON-LD"));
}

#[test]
fn the_same_piece_from_two_sources_counts_once() {
    let piece = evidence("Crime in Marlow rose by 12 percent in 2025.", Stance::Refutes);
    let again = Evidence { via: Some("report r1".into()), ..piece.clone() };
    let result = check(&[piece, again], Verdict::Refuted);
    assert_eq!(
        (result.evidence.len(), result.reason.as_str()),
        (1, "Refuted by one piece of evidence.")
    );
}

#[test]
fn sources_that_do_not_answer_are_no_sources() {
    let asked = Asked { sources: 2, answered: 0 };
    let result = verify([&claim(CLAIM)], &[], asked).remove(0);
    assert_eq!(result.reason, "No evidence source gave an answer.");
}
