//! Bytes to characters: which encoding a source is in, and its text in UTF-8.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// Bytes shown to the encoding guesser. Enough for a stable guess, small enough to stay cheap.
const GUESS_FROM: usize = 256 * 1024;

/// A declared encoding is believed while at most one byte in this many fails to decode.
const TOLERATED: usize = 200;

/// Text in UTF-8 and how it came to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// The text; borrowed when the bytes already were UTF-8. A leading byte order mark is gone.
    pub text: Cow<'a, str>,
    /// Name of the encoding as the WHATWG Encoding standard spells it, such as `windows-1252`.
    pub encoding: &'static str,
    /// What decided the encoding.
    pub basis: Basis,
    /// Undecodable sequences, each now U+FFFD.
    pub replaced: usize,
}

/// What decided an encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// A byte order mark.
    Mark,
    /// The bytes are valid UTF-8 (plain ASCII included).
    Valid,
    /// The source's own declaration, by HTTP header, `<meta>` or XML declaration.
    Declared,
    /// The statistics of the bytes.
    Guessed,
}

/// Decodes `bytes`; `declared` is an encoding label such as `latin1`, in any case.
///
/// Order: byte order mark; valid UTF-8 (a wrong declaration over valid UTF-8 is the commonest
/// mistake of web servers); UTF-16 without a mark; the declaration, unless more than one byte in
/// 200 contradicts it; the statistical guess of `chardetng`.
#[must_use]
pub fn decode<'a>(bytes: &'a [u8], declared: Option<&str>) -> Decoded<'a> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return with(&bytes[mark..], encoding, Basis::Mark);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        // Escape sequences of ISO-2022-JP are ASCII: there the declaration knows better.
        let escaped = declared.and_then(|label| Encoding::for_label(label.as_bytes()));
        if let Some(encoding) = escaped.filter(|e| *e == encoding_rs::ISO_2022_JP) {
            return with(bytes, encoding, Basis::Declared);
        }
        if unmarked_utf16(bytes).is_none() {
            return Decoded {
                text: Cow::Borrowed(text),
                encoding: UTF_8.name(),
                basis: Basis::Valid,
                replaced: 0,
            };
        }
    }
    if let Some(encoding) = unmarked_utf16(bytes) {
        return with(bytes, encoding, Basis::Guessed);
    }
    let declared = declared.and_then(|label| Encoding::for_label(label.trim().as_bytes()));
    if let Some(encoding) = declared {
        let decoded = with(bytes, encoding, Basis::Declared);
        if decoded.replaced <= bytes.len() / TOLERATED {
            return decoded;
        }
    }
    with(bytes, guess(bytes), Basis::Guessed)
}

/// The encoding label in a media type such as `text/html; charset="utf-8"`.
#[must_use]
pub fn charset(media_type: &str) -> Option<&str> {
    media_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']);
        (name.trim().eq_ignore_ascii_case("charset") && !value.is_empty()).then_some(value)
    })
}

fn with<'a>(bytes: &'a [u8], encoding: &'static Encoding, basis: Basis) -> Decoded<'a> {
    let (text, had_errors) = encoding.decode_without_bom_handling(bytes);
    let replaced = if had_errors { text.matches('\u{FFFD}').count() } else { 0 };
    Decoded { text, encoding: encoding.name(), basis, replaced }
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    // ASCII carries no evidence: a long ASCII head must not use up the sample.
    let first = bytes.iter().position(|byte| !byte.is_ascii()).unwrap_or(0).saturating_sub(64);
    let sample = &bytes[first..bytes.len().min(first + GUESS_FROM)];
    detector.feed(sample, true);
    // UTF-8 that is broken in a few places is still UTF-8.
    let utf8_errors = String::from_utf8_lossy(sample).matches('\u{FFFD}').count();
    let high = sample.iter().filter(|byte| !byte.is_ascii()).count();
    if utf8_errors * 20 <= high {
        return UTF_8;
    }
    detector.guess(None, Utf8Detection::Allow)
}

/// UTF-16 without a byte order mark: one byte of nearly every pair is NUL in Western text.
fn unmarked_utf16(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = &bytes[..bytes.len().min(4096)];
    let pairs = sample.len() / 2;
    if pairs < 4 {
        return None;
    }
    let nuls = |offset: usize| {
        sample.chunks_exact(2).filter(|pair| pair[offset] == 0 && pair[1 - offset] != 0).count()
    };
    let (high, low) = (nuls(0), nuls(1));
    if high * 10 >= pairs * 7 && low * 20 <= pairs {
        Some(UTF_16BE)
    } else if low * 10 >= pairs * 7 && high * 20 <= pairs {
        Some(UTF_16LE)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
