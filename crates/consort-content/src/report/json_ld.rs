//! Claims and verdicts as schema.org JSON-LD.

use serde_json::{Value, json};

use super::Report;
use crate::analyse::Claim;
use crate::analyse::verify::{Verdict, Verification};

/// The report's claims as JSON-LD: a `ClaimReview` for each with a verdict, a plain `Claim` for the others. A claim that was
/// not checked never gets a rating.
#[must_use]
pub fn claim_review(report: &Report) -> Value {
    let checked = |claim: &Claim| report.verification.iter().find(|check| check.claim == claim.id);
    let graph: Vec<Value> = report
        .findings
        .claims
        .iter()
        .map(|claim| match checked(claim).and_then(|check| Some((check, rating(check.verdict)?))) {
            Some((check, rating)) => review(report, claim, check, &rating),
            None => itself(report, claim),
        })
        .collect();
    json!({ "@context": "https://schema.org", "@graph": graph })
}

fn review(report: &Report, claim: &Claim, check: &Verification, rating: &Value) -> Value {
    let evidence: Vec<Value> = check
        .evidence
        .iter()
        .filter(|piece| piece.counted)
        .map(|piece| {
            let piece = &piece.evidence;
            json!({ "@type": "CreativeWork", "publisher": { "@type": "Organization", "name": piece.source }, "url": piece.url, "text": piece.quote, "datePublished": piece.published })
        })
        .collect();
    json!({
        "@type": "ClaimReview",
        "claimReviewed": claim.text,
        "itemReviewed": itself(report, claim),
        "reviewRating": rating,
        "reviewBody": check.reason,
        "citation": evidence,
        "author": { "@type": "Organization", "name": format!("Consort {}", report.provenance.version).trim() },
        "datePublished": report.provenance.finished,
    })
}

fn itself(report: &Report, claim: &Claim) -> Value {
    let work = json!({ "@type": "CreativeWork", "url": report.source.locator, "name": report.source.title, "datePublished": report.source.published });
    let mut value = json!({ "@type": "Claim", "identifier": claim.id, "text": claim.text, "appearance": [work] });
    if let Some(speaker) = &claim.speaker {
        value["author"] = json!({ "@type": "Person", "name": speaker });
    }
    value
}

fn rating(verdict: Verdict) -> Option<Value> {
    let value = match verdict {
        Verdict::Supported => 5,
        Verdict::Mixed | Verdict::Disputed => 3,
        Verdict::Refuted => 1,
        Verdict::NotChecked => return None,
    };
    Some(
        json!({ "@type": "Rating", "ratingValue": value, "bestRating": 5, "worstRating": 1, "alternateName": verdict.to_string() }),
    )
}
