//! SRT and WebVTT, read leniently: whatever carries a timing line yields its words.

use super::timed::{self, Piece};
use super::{ExtractError, Limits};
use crate::document::{Document, Kind};

mod markup;

use markup::{Cleaned, clean};

/// Parses subtitles of either format; they differ less than real files differ from both.
///
/// # Errors
///
/// [`ExtractError::Malformed`] when text is there but no timing line; [`ExtractError::TooLarge`]
/// for more cues than `limits.max_cues`.
pub(super) fn parse(text: &str, kind: Kind, limits: &Limits) -> Result<Document, ExtractError> {
    let mut reader = Reader { vtt: kind == Kind::Vtt, ..Reader::default() };
    for line in text.lines() {
        reader.line(line);
        if reader.cues.len() > limits.max_cues {
            let (size, limit) = (reader.cues.len(), limits.max_cues);
            return Err(ExtractError::TooLarge { size, limit, unit: "cues" });
        }
    }
    reader.end_of_cue(false);
    let header_only = reader.vtt && text.trim_start().starts_with("WEBVTT");
    if reader.cues.is_empty() && !text.trim().is_empty() && !header_only {
        let reason = "no line with start and end time".to_owned();
        return Err(ExtractError::Malformed { kind, reason });
    }
    let mut losses = reader.losses();
    let (language, title) = (reader.language.take(), reader.title.take());
    let mut document = timed::assemble(reader.cues, limits);
    losses.append(&mut document.losses);
    Ok(Document { losses, title, declared_language: language, ..document })
}

/// Reads `HH:MM:SS,mmm`, `MM:SS.mmm` or `H:MM:SS` as milliseconds.
pub(super) fn clock(written: &str) -> Option<u64> {
    let mut total = 0_u64;
    let (whole, fraction) = written.trim().split_once([',', '.']).unwrap_or((written.trim(), ""));
    let mut parts = 0;
    for part in whole.split(':') {
        parts += 1;
        let digits = part.trim();
        if parts > 3 || digits.is_empty() || digits.len() > 4 {
            return None;
        }
        total = total * 60 + digits.parse::<u64>().ok()?;
    }
    if parts < 2 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let millis = fraction.bytes().chain(*b"000").take(3);
    Some(total * 1000 + millis.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

#[derive(Debug, Default)]
struct Reader {
    vtt: bool,
    cues: Vec<Piece>,
    /// Lines since the last timing line, with whether a blank line stood before each.
    pending: Vec<(String, bool)>,
    /// Times of the open cue.
    open: Option<(u64, u64)>,
    after_blank: bool,
    /// Inside a NOTE, STYLE or REGION block, until a blank line.
    in_block: bool,
    language: Option<String>,
    title: Option<String>,
    backwards: usize,
    reversed: usize,
    stray: usize,
    sounds: usize,
}

impl Reader {
    fn line(&mut self, line: &str) {
        let line = line.trim();
        if line.is_empty() {
            (self.after_blank, self.in_block) = (true, false);
            return;
        }
        if let Some(times) = timing(line) {
            self.in_block = false;
            self.end_of_cue(true);
            self.open = Some(self.check(times));
        } else if self.vtt && self.starts_block(line) {
            self.in_block = true;
        } else if !self.in_block && !self.header(line) {
            self.pending.push((line.to_owned(), self.after_blank));
        }
        self.after_blank = false;
    }

    fn starts_block(&self, line: &str) -> bool {
        let word = line.split_whitespace().next().unwrap_or_default();
        let named = matches!(word, "NOTE" | "STYLE" | "REGION");
        // Inside a cue's own lines these are words that somebody says.
        named && (self.after_blank || self.open.is_none())
    }

    /// Consumes `WEBVTT` and the `Kind: captions` lines after it.
    fn header(&mut self, line: &str) -> bool {
        if !self.vtt || self.open.is_some() || !self.cues.is_empty() {
            return false;
        }
        if let Some(language) = line.strip_prefix("Language:") {
            self.language = Some(language.trim().to_owned()).filter(|tag| !tag.is_empty());
            return true;
        }
        if let Some(title) = line.strip_prefix("WEBVTT") {
            let title = title.trim().trim_start_matches(['-', '\u{2013}', '\u{2014}']).trim();
            self.title = Some(title.to_owned()).filter(|title| !title.is_empty());
            return true;
        }
        line.starts_with("Kind:") || line.starts_with("X-TIMESTAMP")
    }

    fn check(&mut self, (start, end): (u64, Option<u64>)) -> (u64, u64) {
        if self.cues.last().is_some_and(|last| start < last.start_ms) {
            self.backwards += 1;
        }
        let end = end.unwrap_or(start);
        if end < start {
            self.reversed += 1;
        }
        (start, end.max(start))
    }

    /// Closes the open cue. What stands right before a timing line may be its number or name.
    fn end_of_cue(&mut self, before_timing: bool) {
        if before_timing && let Some((last, blank_before)) = self.pending.last() {
            let adjacent = !self.after_blank;
            let number = last.parse::<usize>().ok();
            // A number that stands apart from the times is only taken for one if it counts on.
            let counts = number.is_some_and(|n| adjacent || n == self.cues.len() + 2);
            if counts || (adjacent && (*blank_before || self.open.is_none())) {
                self.pending.pop();
            }
        }
        let mut lines = std::mem::take(&mut self.pending);
        // The number of a cue that never came.
        let next = self.cues.len() + 1;
        lines.retain(|(line, after_blank)| {
            let number = line.parse::<usize>().ok().filter(|_| *after_blank && self.open.is_some());
            number.is_none_or(|number| number.abs_diff(next) > 2)
        });
        let Some((start_ms, end_ms)) = self.open.take() else {
            self.stray += lines.len();
            return;
        };
        let Cleaned { speaker, lines, sounds, turn } = clean(lines.iter().map(|(line, _)| line));
        self.sounds += sounds;
        self.cues.push(Piece { start_ms, end_ms, speaker, lines, turn });
    }

    fn losses(&self) -> Vec<String> {
        use super::build::counted;
        let told = [
            (self.stray, "line", "outside any cue dropped"),
            (self.sounds, "sound description", "such as `[Music]` dropped"),
            (self.reversed, "cue", "ending before the start given no length"),
            (self.backwards, "step", "back in time between cues kept in file order"),
        ];
        let told = told.iter().filter(|(count, ..)| *count > 0);
        told.map(|(count, noun, what)| format!("{} {what}.", counted(*count, noun))).collect()
    }
}

/// Start and end of a timing line; the end may be unreadable.
fn timing(line: &str) -> Option<(u64, Option<u64>)> {
    let arrows = ["-->", "->", "\u{2014}>", "\u{2013}>", "\u{2192}"];
    let (left, right) = arrows.iter().find_map(|arrow| line.split_once(arrow))?;
    let start = clock(left.trim())?;
    let end = right.trim_start_matches(['-', '>', ' ']).split_whitespace().next().and_then(clock);
    Some((start, end))
}
