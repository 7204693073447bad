//! PDF text, for the worker process that is allowed to hang or die over it.

use pdf_oxide::PdfDocument;
use pdf_oxide::object::Object;

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
        match file.extract_text(page) {
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
        document
            .losses
            .push(format!("{} damaged and not read.", super::build::counted(unread, "page")));
    }
    if count > limits.max_pages {
        let beyond = super::build::counted(count - limits.max_pages, "page");
        document.losses.push(format!("{beyond} beyond the first {} not read.", limits.max_pages));
    }
    document.title = information(&file, "Title");
    document.byline = information(&file, "Author");
    document.published = information(&file, "CreationDate").and_then(|date| day(&date));
    Ok(document)
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
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (!words.is_empty()).then_some(words)
}

/// `D:20310304…` as `2031-03-04`.
fn day(date: &str) -> Option<String> {
    let digits = date.strip_prefix("D:").unwrap_or(date).get(..8)?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| format!("{}-{}-{}", &digits[..4], &digits[4..6], &digits[6..]))
}
