//! Evidence from what sources answer: `ClaimReview` JSON-LD, alone or in a page, and the search endpoint's JSON.

use serde::Deserialize;
use serde_json::Value;

use super::{Evidence, Stance};
use crate::extract::{Limits, json};

/// Why an answer holds no evidence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither schema.org ClaimReviews nor search results: {0}")]
pub struct Unreadable(String);

/// Deepest nesting that is searched for reviews.
const MAX_DEPTH: usize = 16;
/// Most pieces taken from one answer; an answer with more is refused, not cut.
const MAX_PIECES: usize = 200_000;

/// The evidence in an answer, whatever its form:
///
/// - JSON with schema.org `ClaimReview`s, wherever they stand: alone, in a list, a `@graph` or a data feed;
/// - a page that embeds such JSON in `<script type="application/ld+json">`;
/// - what a search endpoint answers:
///   `{"results": [{"source", "statement", "quote", "url"?, "stance"?: "supports" | "refutes" | "mixed" | "unclear", "published"?}]}`.
///
/// The stance of a review follows from its rating's words (`alternateName`), which are matched whole, and only where
/// there are none from its number on the scale that the rating itself states. A hit without a stance is related reading,
/// never a verdict. A review without a claim is left out.
///
/// # Errors
///
/// When the answer has none of these forms, or holds more than 200,000 pieces.
pub fn evidence(answer: &[u8]) -> Result<Vec<Evidence>, Unreadable> {
    let text = std::str::from_utf8(answer).map_err(|error| Unreadable(error.to_string()))?;
    let text = text.trim_start_matches('\u{feff}').trim_ascii();
    let found = if text.starts_with('<') { in_page(text)? } else { in_json(text)? };
    if found.len() > MAX_PIECES {
        return Err(Unreadable(format!("it holds more than {MAX_PIECES} pieces")));
    }
    Ok(found)
}

fn in_json(json: &str) -> Result<Vec<Evidence>, Unreadable> {
    let value = value(json)?;
    if value["results"].is_array() {
        return search_results(value);
    }
    let mut found = Vec::new();
    gather(&value, 0, &mut found);
    // An answer may well have nothing to say, but then it has the form of an answer.
    let linked_data =
        value.is_array() || !value["@context"].is_null() || !value["@graph"].is_null();
    if found.is_empty() && !linked_data {
        return Err(Unreadable("it has no `results`, no `@context` and no ClaimReview".into()));
    }
    Ok(found)
}

fn value(text: &str) -> Result<Value, Unreadable> {
    json::check(text, &Limits::default()).map_err(|error| Unreadable(error.to_string()))?;
    serde_json::from_str(text).map_err(|error| Unreadable(error.to_string()))
}

/// Reviews that a page embeds. One damaged block does not hide the others.
fn in_page(page: &str) -> Result<Vec<Evidence>, Unreadable> {
    let lower = page.to_ascii_lowercase();
    let mut found = Vec::new();
    let (mut at, mut blocks) = (0, 0);
    while let Some(start) = lower[at..].find("<script").map(|start| at + start) {
        let Some(open) = lower[start..].find('>').map(|end| start + end) else { break };
        let Some(end) = lower[open..].find("</script").map(|end| open + end) else { break };
        if lower[start..open].contains("application/ld+json")
            && let Ok(value) = value(&page[open + 1..end])
        {
            blocks += 1;
            gather(&value, 0, &mut found);
        }
        at = end;
    }
    match blocks {
        0 => Err(Unreadable("the page embeds no JSON-LD".into())),
        _ => Ok(found),
    }
}

fn gather(value: &Value, depth: usize, found: &mut Vec<Evidence>) {
    if depth > MAX_DEPTH || found.len() > MAX_PIECES {
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
        ..Evidence::default()
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

fn search_results(answer: Value) -> Result<Vec<Evidence>, Unreadable> {
    let answer: Answer =
        serde_json::from_value(answer).map_err(|error| Unreadable(error.to_string()))?;
    let piece = |hit: Hit| Evidence {
        source: hit.source,
        url: hit.url,
        about: hit.statement,
        quote: hit.quote,
        stance: hit.stance,
        published: hit.published,
        ..Evidence::default()
    };
    Ok(answer.results.into_iter().map(piece).collect())
}
