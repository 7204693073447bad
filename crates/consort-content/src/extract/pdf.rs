//! PDF text, for the worker process that is allowed to hang or die over it.

use pdf_oxide::PdfDocument;
use pdf_oxide::geometry::Rect;
use pdf_oxide::layout::RectFilterMode;
use pdf_oxide::object::Object;

use super::build;
use super::columns::{self, Area, Run};
use super::pages;
use super::{ExtractError, Limits};
use crate::decode;
use crate::document::{Document, Kind};

/// Extracts the text of a PDF file.
///
/// Call it only in a process with limits on time and memory that may be killed: PDF is a format in
/// which small files describe endless work, and no parser of it has proven otherwise.
///
/// # Errors
///
/// [`ExtractError::TooLarge`] beyond `limits.max_bytes`; [`ExtractError::Malformed`] for what is no
/// PDF, is damaged beyond reading, or needs a password.
pub fn pdf(bytes: &[u8], limits: &Limits) -> Result<Document, ExtractError> {
    if bytes.len() > limits.max_bytes {
        return Err(ExtractError::TooLarge {
            size: bytes.len(),
            limit: limits.max_bytes,
            unit: "bytes",
        });
    }
    let malformed = |error: pdf_oxide::Error| ExtractError::Malformed {
        kind: Kind::Pdf,
        reason: match error {
            pdf_oxide::Error::EncryptedPdf => "it needs a password".to_owned(),
            other => other.to_string(),
        },
    };
    let file = PdfDocument::from_bytes(bytes.to_vec()).map_err(malformed)?;
    let count = file.page_count().map_err(malformed)?;
    if file.is_encrypted() && !file.is_authenticated() {
        return Err(malformed(pdf_oxide::Error::EncryptedPdf));
    }
    let mut texts = Vec::new();
    let (mut unread, mut size) = (0, 0);
    for page in 0..count.min(limits.max_pages) {
        match page_text(&file, page) {
            Ok(text) => {
                size += text.len();
                texts.push(text);
            }
            Err(_) => unread += 1,
        }
        if size > limits.max_bytes {
            return Err(ExtractError::TooLarge {
                size,
                limit: limits.max_bytes,
                unit: "bytes of text",
            });
        }
    }
    if texts.is_empty() {
        return Err(ExtractError::Malformed {
            kind: Kind::Pdf,
            reason: "no page could be read".to_owned(),
        });
    }
    let mut document = pages::assemble(&texts, limits);
    if unread > 0 {
        document.losses.push(format!("{} damaged and not read.", build::counted(unread, "page")));
    }
    if count > limits.max_pages {
        let beyond = build::counted(count - limits.max_pages, "page");
        document.losses.push(format!("{beyond} beyond the first {} not read.", limits.max_pages));
    }
    document.title = information(&file, "Title");
    document.byline = information(&file, "Author");
    document.published = information(&file, "CreationDate").and_then(|date| day(&date));
    Ok(document)
}

/// The text of a page, one column after another.
fn page_text(file: &PdfDocument, page: usize) -> Result<String, pdf_oxide::Error> {
    let spans = file.extract_spans(page)?;
    let runs: Vec<Run> = spans
        .iter()
        .filter(|span| !span.text.trim().is_empty())
        .map(|span| Run {
            area: Area {
                left: span.bbox.x,
                right: span.bbox.x + span.bbox.width,
                bottom: span.bbox.y,
                top: span.bbox.y + span.bbox.height,
            },
            chars: span.text.chars().count(),
        })
        .collect();
    let parts = columns::parts(&runs);
    if parts.len() < 2 {
        return file.extract_text(page);
    }
    let mut text = String::new();
    for part in parts {
        let Area { left, right, bottom, top } = part.area;
        // Half a point for what rounding took.
        let area = Rect::new(left - 0.5, bottom - 0.5, right - left + 1.0, top - bottom + 1.0);
        let words = file.extract_text_in_rect(page, area, RectFilterMode::FullyContained)?;
        let ended = text.ends_with(['.', '!', '?', '"', '\u{201d}', ')']);
        text.push_str(if part.beside && !ended { "\n" } else { "\n\n" });
        text.push_str(words.trim());
    }
    Ok(text)
}

/// An entry of the file's information dictionary.
fn information(file: &PdfDocument, key: &str) -> Option<String> {
    let resolve = |object: &Object| match object.as_reference() {
        Some(reference) => file.load_object(reference).ok(),
        None => Some(object.clone()),
    };
    let information = resolve(file.trailer().as_dict()?.get("Info")?)?;
    let value = resolve(information.as_dict()?.get(key)?)?;
    // A byte order mark announces UTF-16; else PDF's own encoding, which is Latin-1 in what matters.
    let text = decode::decode(value.as_string()?, Some("windows-1252")).text;
    let words = build::scrub(&text).split_whitespace().collect::<Vec<_>>().join(" ");
    (!words.is_empty()).then_some(words)
}

/// `D:20310304…` as `2031-03-04`.
fn day(date: &str) -> Option<String> {
    let digits = date.strip_prefix("D:").unwrap_or(date).get(..8)?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| format!("{}-{}-{}", &digits[..4], &digits[4..6], &digits[6..]))
}
