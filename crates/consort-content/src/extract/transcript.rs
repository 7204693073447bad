//! JSON segments as speech recognisers write them.

use serde_json::Value;

use super::timed::{self, Piece};
use super::{ExtractError, Limits};
use crate::document::{Document, Kind};

/// Parses segments of whisper (`segments`, seconds), whisper.cpp (`transcription`, milliseconds),
/// services with `utterances` (milliseconds), and the `events` of timed-text JSON.
///
/// # Errors
///
/// [`ExtractError::Malformed`] when it is no JSON or none of these; [`ExtractError::TooLarge`] for
/// more segments than `limits.max_cues`, or more values than `limits.max_values`.
pub(super) fn parse(text: &str, limits: &Limits) -> Result<Document, ExtractError> {
    let malformed = |reason: String| ExtractError::Malformed { kind: Kind::TranscriptJson, reason };
    if text.trim().is_empty() {
        return Ok(Document::default());
    }
    super::json::check(text, limits)?;
    let value: Value = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
    let (segments, unit) = segments(&value).ok_or_else(|| {
        malformed("no `segments`, `transcription`, `utterances` or `events`".into())
    })?;
    if segments.len() > limits.max_cues {
        let (size, limit) = (segments.len(), limits.max_cues);
        return Err(ExtractError::TooLarge { size, limit, unit: "segments" });
    }
    let pieces: Vec<Piece> = segments.iter().filter_map(|segment| piece(segment, unit)).collect();
    let unread = segments.len() - pieces.len();
    let mut document = timed::assemble(pieces, limits);
    if unread > 0 {
        let told = super::build::counted(unread, "segment");
        document.losses.push(format!("{told} without words or start time dropped."));
    }
    let language = value.get("language").or_else(|| value.pointer("/result/language"));
    document.declared_language = language.and_then(Value::as_str).map(str::to_owned);
    Ok(document)
}

/// What a segment's numbers count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Seconds,
    Millis,
}

fn segments(value: &Value) -> Option<(&Vec<Value>, Unit)> {
    let list = |name: &str| value.get(name).and_then(Value::as_array);
    if let Some(list) = value.as_array() {
        return list.iter().all(Value::is_object).then_some((list, Unit::Seconds));
    }
    list("segments")
        .map(|list| (list, Unit::Seconds))
        .or_else(|| list("transcription").map(|list| (list, Unit::Millis)))
        .or_else(|| list("utterances").map(|list| (list, Unit::Millis)))
        .or_else(|| list("events").map(|list| (list, Unit::Millis)))
}

fn piece(segment: &Value, unit: Unit) -> Option<Piece> {
    let words = match segment.get("segs").and_then(Value::as_array) {
        Some(parts) => parts
            .iter()
            .filter_map(|part| part.get("utf8").and_then(Value::as_str))
            .collect::<String>(),
        None => segment.get("text").and_then(Value::as_str)?.to_owned(),
    };
    let lines: Vec<String> = words
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .collect();
    if lines.is_empty() {
        return None;
    }
    let at = |pointers: &[&str]| {
        pointers.iter().find_map(|pointer| time(segment.pointer(pointer)?, unit))
    };
    let start_ms = at(&["/start", "/offsets/from", "/tStartMs", "/timestamps/from"])?;
    let end_ms = at(&["/end", "/offsets/to", "/timestamps/to"]);
    let lasts = || segment.get("dDurationMs").or_else(|| segment.get("duration"));
    let end_ms = end_ms.or_else(|| Some(start_ms.saturating_add(time(lasts()?, unit)?)));
    let speaker = segment.get("speaker").and_then(|speaker| match speaker {
        Value::String(name) => Some(name.clone()),
        Value::Number(number) => Some(format!("Speaker {number}")),
        _ => None,
    });
    let speaker = speaker.filter(|name| !name.trim().is_empty());
    let end_ms = end_ms.unwrap_or(start_ms).max(start_ms);
    Some(Piece { start_ms, end_ms, speaker, lines, turn: false })
}

/// Longest time believed: a year. Anything beyond is a wrong unit or an attack on arithmetic.
const YEAR_MS: f64 = 366.0 * 24.0 * 3600.0 * 1000.0;

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked against 0 and a year just before"
)]
fn time(value: &Value, unit: Unit) -> Option<u64> {
    if let Some(written) = value.as_str() {
        return super::captions::clock(written);
    }
    let number = value.as_f64()?;
    let millis = if unit == Unit::Seconds { number * 1000.0 } else { number };
    (0.0..=YEAR_MS).contains(&millis).then(|| millis.round() as u64)
}
