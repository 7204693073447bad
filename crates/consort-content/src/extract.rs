//! Bytes to a [`Document`]: what kind of source it is, and the parser of that kind.

mod build;
mod captions;
#[cfg(any(test, feature = "pdf"))]
pub(crate) mod columns;
mod feed;
mod html;
pub(crate) mod json;
mod kind;
mod markdown;
#[cfg(any(test, feature = "pdf"))]
pub(crate) mod pages;
#[cfg(feature = "pdf")]
mod pdf;
mod plain;
mod timed;
mod transcript;
mod turns;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decode;
use crate::document::{Document, Kind, Method};

pub use feed::{Entry, Feed, feed};
pub use kind::sniff;
#[cfg(feature = "pdf")]
pub use pdf::pdf;

/// What the caller knows about a source besides its bytes. All of it may be missing or wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hint {
    /// The kind, when somebody chose it. Nothing else is consulted then.
    pub kind: Option<Kind>,
    /// Media type as a server sent it, parameters included.
    pub media_type: Option<String>,
    /// File name or path; only its extension matters.
    pub name: Option<String>,
    /// The source's own address, which relative links are resolved against.
    pub url: Option<String>,
    /// How to choose the text of a web page, when somebody decided. Where the page has nothing
    /// that this way would find, the usual rule applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
}

/// How much one extraction may take in and give out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of source accepted, also the most text produced. Default 64 MiB.
    pub max_bytes: usize,
    /// Bytes of text kept; what follows is left out, and [`Document::beyond`] counts it. Default 64 MiB.
    pub max_text: usize,
    /// Bytes of a web page: its tree takes many times its size. Default 16 MiB.
    pub max_page_bytes: usize,
    /// Nesting of a page's or feed's elements. Default 512.
    pub max_depth: usize,
    /// Elements of a page. Default 400,000.
    pub max_elements: usize,
    /// Cues or segments of a transcript. Default 400,000.
    pub max_cues: usize,
    /// Values of a JSON source, where an object counts as 20: a tree of them takes many times its size. Default
    /// 3,000,000, about 100 MB.
    pub max_values: usize,
    /// Links kept per document; the rest are counted as a loss. Default 2,000.
    pub max_links: usize,
    /// Entries kept of a feed; the rest are counted as a loss. Default 1,000.
    pub max_entries: usize,
    /// Pages read of a PDF; the rest are counted as a loss. Default 2,000.
    pub max_pages: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 64 * 1024 * 1024,
            max_text: 64 * 1024 * 1024,
            max_page_bytes: 16 * 1024 * 1024,
            max_depth: 512,
            max_elements: 400_000,
            max_cues: 400_000,
            max_values: 3_000_000,
            max_links: 2_000,
            max_entries: 1_000,
            max_pages: 2_000,
        }
    }
}

/// Why nothing could be extracted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtractError {
    /// More than a limit allows. The message names both numbers.
    #[error("too large: {size} {unit}, the limit is {limit}")]
    TooLarge {
        /// What was found; a lower bound when counting stopped early.
        size: usize,
        /// The limit that it passed.
        limit: usize,
        /// What is counted, such as `bytes` or `cues`.
        unit: &'static str,
    },
    /// Elements nested deeper than [`Limits::max_depth`]; parsing was not begun.
    #[error("elements nested {depth} deep, the limit is {limit}")]
    TooDeep {
        /// Depth at which the scan stopped.
        depth: usize,
        /// The limit that it passed.
        limit: usize,
    },
    /// The bytes are not text in any form read here.
    #[error("not text: {what}")]
    NotText {
        /// What the bytes look like instead.
        what: &'static str,
    },
    /// This kind is only parsed by a separate process with limits of its own.
    #[error("`{}` is only read by a worker process", .kind.name())]
    NeedsWorker {
        /// The kind that was recognised.
        kind: Kind,
    },
    /// The source breaks the format that it claims.
    #[error("not a readable `{}`: {reason}", .kind.name())]
    Malformed {
        /// The format claimed.
        kind: Kind,
        /// What the parser said.
        reason: String,
    },
}

/// Extracts the text of one source.
///
/// The kind comes from `hint.kind`, else from the bytes' own signature, else from media type and
/// extension, else from the look of the text. Time and memory are linear in `bytes`.
///
/// # Errors
///
/// See [`ExtractError`]. An empty source is no error: it gives an empty document, which the gate
/// refuses by its length.
pub fn extract(bytes: &[u8], hint: &Hint, limits: &Limits) -> Result<Document, ExtractError> {
    if bytes.len() > limits.max_bytes {
        return Err(ExtractError::TooLarge {
            size: bytes.len(),
            limit: limits.max_bytes,
            unit: "bytes",
        });
    }
    let kind = match hint.kind {
        Some(kind) => kind,
        None => sniff(bytes, hint)?,
    };
    let (bytes, beyond) = head(bytes, kind, limits.max_text);
    let url = hint.url.as_deref();
    let parse: &dyn Fn(&str) -> Result<Document, ExtractError> = match kind {
        Kind::Pdf => return Err(ExtractError::NeedsWorker { kind }),
        Kind::Feed => {
            let mut document = feed(bytes, hint, limits)?.into_document(limits);
            document.keep(limits.max_text);
            return Ok(document);
        }
        Kind::Text => &|text| plain::parse(text, limits),
        Kind::Markdown => &|text| markdown::parse(text, limits),
        Kind::Html => &|text| html::parse(text, url, hint.method, limits),
        Kind::Srt | Kind::Vtt => &|text| captions::parse(text, kind, limits),
        Kind::TranscriptJson => &|text| transcript::parse(text, limits),
    };
    let mut declared = hint.media_type.as_deref().and_then(decode::charset).map(str::to_owned);
    if declared.is_none() && kind == Kind::Html {
        declared = html::declared_encoding(bytes);
    }
    let clean = build::clean(decode::decode(bytes, declared.as_deref()))?;
    let mut document = parse(&clean.text)?;
    document.kind = kind;
    document.encoding = Some(clean.encoding.to_owned());
    document.losses.splice(0..0, clean.losses);
    document.beyond = beyond;
    document.keep(limits.max_text);
    Ok(document)
}

/// Bytes before a cut in which the end of a line or word is looked for.
const SEARCHED: usize = 4096;

/// The beginning of a source that holds `max_text` bytes of text, and how many bytes follow it.
///
/// Only of kinds whose beginning is a source of the same kind, so that a long one costs no more than it gives.
fn head(bytes: &[u8], kind: Kind, max_text: usize) -> (&[u8], usize) {
    let by_line = matches!(kind, Kind::Text | Kind::Markdown | Kind::Srt | Kind::Vtt);
    // A tree of Markdown takes up to forty times its size.
    let max_text = if kind == Kind::Markdown { max_text / 2 } else { max_text };
    if !by_line || bytes.len() <= max_text {
        return (bytes, 0);
    }
    // At an even place, which is between characters of UTF-16; in other encodings the space before it is one byte.
    let places = (max_text.saturating_sub(SEARCHED)..=max_text).rev().filter(|at| at % 2 == 0);
    let found = |sign: u8| places.clone().find(|&at| bytes[at] == sign);
    let end = found(b'\n').or_else(|| found(b' ')).unwrap_or(max_text & !1);
    let end = match std::str::from_utf8(&bytes[..end]) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => end,
    };
    (&bytes[..end], bytes.len() - end)
}

#[cfg(test)]
mod tests;
