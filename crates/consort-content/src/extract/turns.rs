//! Who speaks: `NAME: words` and `[00:01:02] words` at the start of a line.

use super::build::Builder;
use super::captions::clock;
use super::{ExtractError, Limits};
use crate::document::{Cue, Document, Method, Span, Turn};

/// Capitalised words before a colon that introduce something other than a speaker.
const NOT_NAMES: &[&str] = &[
    "note",
    "warning",
    "example",
    "examples",
    "caution",
    "tip",
    "subject",
    "from",
    "to",
    "cc",
    "date",
    "re",
    "summary",
    "background",
    "contact",
    "contacts",
    "source",
    "sources",
    "update",
    "correction",
    "editor",
    "http",
    "https",
    "email",
    "phone",
    "fax",
    "tel",
    "web",
    "website",
    "address",
    "figure",
    "table",
    "step",
    "chapter",
    "section",
    "part",
    "appendix",
    "references",
    "keywords",
    "abstract",
    "title",
    "author",
    "price",
    "time",
    "place",
    "location",
    "where",
    "when",
    "who",
    "what",
    "why",
    "how",
    "ingredients",
    "method",
    "result",
    "results",
    "conclusion",
    "conclusions",
    "todo",
    "fixed",
    "added",
    "changed",
];

/// A label at the start of a line and where the words after it begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Label<'a> {
    /// Start time in milliseconds, when one was written.
    pub(super) at_ms: Option<u64>,
    /// The speaker, when one was named.
    pub(super) speaker: Option<&'a str>,
    /// The rest of the line.
    pub(super) words: &'a str,
}

/// Reads the label of one line; none when the line has neither time nor speaker.
pub(super) fn label(line: &str) -> Option<Label<'_>> {
    let mut rest = line.trim();
    let mut at_ms = None;
    if let Some((time, after)) = leading_time(rest) {
        (at_ms, rest) = (Some(time), after);
    }
    let speaker = speaker(rest).map(|(name, after)| {
        rest = after;
        name
    });
    if at_ms.is_none()
        && speaker.is_some()
        && let Some((time, after)) = leading_time(rest)
    {
        (at_ms, rest) = (Some(time), after);
    }
    (at_ms.is_some() || speaker.is_some()).then_some(Label { at_ms, speaker, words: rest })
}

/// `[00:01:02]`, `(1:02)` or `00:01:02.500 ` at the start, and what follows.
fn leading_time(line: &str) -> Option<(u64, &str)> {
    let (inner, after) = if let Some(rest) = line.strip_prefix('[') {
        rest.split_once(']')?
    } else if let Some(rest) = line.strip_prefix('(') {
        rest.split_once(')')?
    } else {
        line.split_once(char::is_whitespace).unwrap_or((line, ""))
    };
    let inner = inner.split(['-', '\u{2013}']).next().unwrap_or(inner).trim();
    // A bare number is no time: it needs a colon between its parts.
    if inner.len() > 16 || !inner.contains(':') {
        return None;
    }
    Some((clock(inner)?, after.trim_start_matches(['-', '\u{2013}', ':', ' ', '\t'])))
}

/// `Dr. Ana Silva:`, `MODERATOR (via video):`, `Speaker 1:`, `Q:` and what follows.
pub(super) fn speaker(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start_matches(">>").trim_start();
    let colon = line.char_indices().take(64).find(|(_, c)| matches!(c, ':' | '\u{FF1A}'));
    let (colon, mark) = colon?;
    let after = &line[colon + mark.len_utf8()..];
    // `12:30`, `http://` and `C:\` are not labels; neither is a colon inside a word.
    if !(after.is_empty() || after.starts_with(char::is_whitespace) || mark == '\u{FF1A}') {
        return None;
    }
    let written = line[..colon].trim().trim_matches('*');
    let name = written.split('(').next().unwrap_or(written).trim().trim_matches('*').trim();
    is_name(name).then(|| (name, after.trim_start_matches(['*', ' ', '\t'])))
}

fn is_name(name: &str) -> bool {
    let words: Vec<&str> = name.split_whitespace().collect();
    if words.is_empty() || words.len() > 5 || name.len() > 48 {
        return false;
    }
    if NOT_NAMES.contains(&words[0].trim_end_matches('.').to_lowercase().as_str()) {
        return false;
    }
    let particles =
        ["de", "da", "di", "van", "von", "der", "den", "al", "bin", "la", "le", "of", "the", "el"];
    words.iter().enumerate().all(|(index, word)| {
        let plain = word
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '\'' | '\u{2019}' | '-' | '_'));
        let first = word.chars().next().unwrap_or(' ');
        // Scripts without case have nothing to capitalise.
        let capital = !first.is_lowercase() && (first.is_alphabetic() || index > 0);
        plain && (capital || (index > 0 && particles.contains(word)))
    })
}

/// Parses a transcript in plain text: labelled lines, each followed by its unlabelled rest.
///
/// A text counts as one when two labels occur at least twice each, or timed lines make up half of
/// all lines (three at least); a recipe or an e-mail head passes neither.
///
/// # Errors
///
/// [`ExtractError::TooLarge`] when there are more timed lines than `limits.max_cues`.
pub(super) fn labelled(text: &str, limits: &Limits) -> Result<Option<Document>, ExtractError> {
    if !is_transcript(text) {
        return Ok(None);
    }
    let mut builder = Builder::new(text.len(), limits.max_links);
    let mut turns: Vec<Turn> = Vec::new();
    let mut cues: Vec<Cue> = Vec::new();
    let mut speaker: Option<String> = None;
    let (mut turn_from, mut cue_from) = (0, None::<(usize, u64)>);
    for line in text.lines() {
        let Some(label) = label(line) else {
            if line.trim().is_empty() {
                builder.end_paragraph();
            } else {
                builder.push(line);
                builder.space();
            }
            continue;
        };
        if label.speaker.is_some() || label.at_ms.is_some() {
            builder.end_paragraph();
            close_cue(&mut cues, &builder, cue_from.take(), speaker.as_deref());
        }
        if let Some(name) = label.speaker {
            close_turn(&mut turns, &builder, turn_from, speaker.take());
            (speaker, turn_from) = (Some(name.to_owned()), builder.here());
        }
        if let Some(at_ms) = label.at_ms {
            cue_from = Some((builder.here(), at_ms));
        }
        if cues.len() > limits.max_cues {
            return Err(ExtractError::TooLarge {
                size: cues.len(),
                limit: limits.max_cues,
                unit: "timed lines",
            });
        }
        builder.push(label.words);
        builder.space();
    }
    builder.end_paragraph();
    close_cue(&mut cues, &builder, cue_from, speaker.as_deref());
    close_turn(&mut turns, &builder, turn_from, speaker);
    // A line says when it begins; it lasts until the next one does.
    for index in 1..cues.len() {
        cues[index - 1].end_ms = cues[index].start_ms.max(cues[index - 1].start_ms);
    }
    let document = builder.finish();
    Ok(Some(Document { turns, cues, method: Method::Cues, ..document }))
}

fn is_transcript(text: &str) -> bool {
    let mut names: Vec<(&str, usize)> = Vec::new();
    let (mut timed, mut lines) = (0_usize, 0_usize);
    // The head of a long text decides: what it is does not change half way.
    for line in text.lines().filter(|line| !line.trim().is_empty()).take(400) {
        lines += 1;
        let Some(label) = label(line) else { continue };
        timed += usize::from(label.at_ms.is_some());
        if let Some(name) = label.speaker {
            if let Some((_, count)) = names.iter_mut().find(|(known, _)| *known == name) {
                *count += 1;
            } else if names.len() < 64 {
                names.push((name, 1));
            }
        }
    }
    let repeated = names.iter().filter(|(_, count)| *count >= 2).count();
    repeated >= 2 || (timed >= 3 && timed * 2 >= lines)
}

fn close_turn(turns: &mut Vec<Turn>, builder: &Builder, from: usize, speaker: Option<String>) {
    let span = builder.since(from);
    if let Some(speaker) = speaker.filter(|_| !span.is_empty()) {
        turns.push(Turn { span, speaker });
    }
}

fn close_cue(
    cues: &mut Vec<Cue>,
    builder: &Builder,
    from: Option<(usize, u64)>,
    speaker: Option<&str>,
) {
    let Some((start, at_ms)) = from else { return };
    let span: Span = builder.since(start);
    if !span.is_empty() {
        cues.push(Cue {
            span,
            start_ms: at_ms,
            end_ms: at_ms,
            speaker: speaker.map(str::to_owned),
        });
    }
}
