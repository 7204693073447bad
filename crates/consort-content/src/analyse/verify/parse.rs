//! Evidence from what sources answer: `ClaimReview` JSON-LD and the search endpoint's JSON.

use serde::Deserialize;
use serde_json::Value;

use super::{Evidence, Stance};

/// Why an answer holds no evidence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an answer of the documented shape: {0}")]
pub struct Unreadable(String);

/// Deepest nesting that is searched for reviews.
const MAX_DEPTH: usize = 16;
/// Reviews taken from one answer.
const MAX_PIECES: usize = 10_000;

/// Every schema.org `ClaimReview` in `json`, wherever it stands: alone, in a list, a `@graph` or a data feed.
///
/// The stance follows from the rating's words (`alternateName`), which are matched whole, and only where there are none
/// from its number on the scale that the rating itself states.
///
/// # Errors
///
/// When `json` is not JSON. A review without a claim or without a usable rating is no error: it is left out, or its stance is
/// [`Stance::Unclear`].
pub fn claim_reviews(json: &str) -> Result<Vec<Evidence>, Unreadable> {
    let value: Value = serde_json::from_str(json).map_err(|error| Unreadable(error.to_string()))?;
    let mut found = Vec::new();
    gather(&value, 0, &mut found);
    Ok(found)
}

fn gather(value: &Value, depth: usize, found: &mut Vec<Evidence>) {
    if depth > MAX_DEPTH || found.len() >= MAX_PIECES {
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| gather(item, depth + 1, found)),
        Value::Object(_) if is_review(value) => found.extend(review(value)),
        Value::Object(fields) => fields.values().for_each(|field| gather(field, depth + 1, found)),
        _ => {}
    }
}

fn is_review(value: &Value) -> bool {
    match &value["@type"] {
        Value::String(name) => name == "ClaimReview",
        Value::Array(names) => names.iter().any(|name| name == "ClaimReview"),
        _ => false,
    }
}

fn review(value: &Value) -> Option<Evidence> {
    let about = text(&value["claimReviewed"])?;
    let rating = &value["reviewRating"];
    let label = text(&rating["alternateName"]).or_else(|| text(&rating["name"]));
    let source = text(&value["author"]["name"])
        .or_else(|| text(&value["author"]))
        .or_else(|| text(&value["publisher"]["name"]));
    let said = text(&value["reviewBody"])
        .or_else(|| text(&value["description"]))
        .or_else(|| text(&value["headline"]));
    Some(Evidence {
        source: source.unwrap_or_default(),
        url: text(&value["url"]),
        about,
        quote: said.or_else(|| label.clone()).unwrap_or_default(),
        stance: label.as_deref().map_or_else(|| on_scale(rating), in_words),
        rating: label.or_else(|| number(&rating["ratingValue"]).map(|value| value.to_string())),
        published: text(&value["datePublished"]),
        retrieved: None,
    })
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn number(value: &Value) -> Option<f64> {
    value
        .as_f64()
        .or_else(|| value.as_str()?.trim().parse().ok())
        .filter(|number: &f64| number.is_finite())
}

/// A rating in words. Only whole, known ratings count: "not true" and "untrue" are not "true".
fn in_words(label: &str) -> Stance {
    const SUPPORTS: &[&str] = &[
        "true",
        "correct",
        "accurate",
        "mostly true",
        "mostly correct",
        "largely true",
        "confirmed",
        "right",
        "verified",
    ];
    const REFUTES: &[&str] = &[
        "false",
        "incorrect",
        "wrong",
        "inaccurate",
        "mostly false",
        "largely false",
        "pants on fire",
        "fake",
        "not true",
        "untrue",
        "fabricated",
        "debunked",
        "hoax",
        "refuted",
        "no evidence",
        "four pinocchios",
        "altered",
        "altered photo",
        "altered video",
        "totally false",
    ];
    const MIXED: &[&str] = &[
        "half true",
        "partly true",
        "partly false",
        "partially true",
        "partially false",
        "mixture",
        "mixed",
        "misleading",
        "missing context",
        "needs context",
        "exaggerated",
        "out of context",
        "lacks context",
        "distorts the facts",
        "spins the facts",
        "outdated",
    ];
    let plain: String =
        label.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let is = |list: &[&str]| list.contains(&plain.as_str());
    if is(SUPPORTS) {
        Stance::Supports
    } else if is(REFUTES) {
        Stance::Refutes
    } else if is(MIXED) {
        Stance::Mixed
    } else {
        Stance::Unclear
    }
}

/// A rating as a number on its own scale: the best fifth supports, the worst fifth refutes.
fn on_scale(rating: &Value) -> Stance {
    let (Some(value), Some(best), Some(worst)) = (
        number(&rating["ratingValue"]),
        number(&rating["bestRating"]),
        number(&rating["worstRating"]),
    ) else {
        return Stance::Unclear;
    };
    let share = (value - worst) / (best - worst);
    if !share.is_finite() || !(0.0..=1.0).contains(&share) {
        Stance::Unclear
    } else if share >= 0.8 {
        Stance::Supports
    } else if share <= 0.2 {
        Stance::Refutes
    } else {
        Stance::Mixed
    }
}

/// What a search endpoint answers.
#[derive(Deserialize)]
struct Answer {
    results: Vec<Hit>,
}

#[derive(Deserialize)]
struct Hit {
    source: String,
    #[serde(default)]
    url: Option<String>,
    statement: String,
    quote: String,
    #[serde(default)]
    stance: Stance,
    #[serde(default)]
    published: Option<String>,
}

/// Evidence from a search endpoint's answer:
/// `{"results": [{"source", "statement", "quote", "url"?, "stance"?: "supports" | "refutes" | "mixed" | "unclear", "published"?}]}`.
///
/// A hit without a stance is related reading, never a verdict.
///
/// # Errors
///
/// When the answer does not have that shape.
pub fn search_results(json: &str) -> Result<Vec<Evidence>, Unreadable> {
    let answer: Answer =
        serde_json::from_str(json).map_err(|error| Unreadable(error.to_string()))?;
    let piece = |hit: Hit| Evidence {
        source: hit.source,
        url: hit.url,
        about: hit.statement,
        quote: hit.quote,
        stance: hit.stance,
        rating: None,
        published: hit.published,
        retrieved: None,
    };
    Ok(answer.results.into_iter().take(MAX_PIECES).map(piece).collect())
}
