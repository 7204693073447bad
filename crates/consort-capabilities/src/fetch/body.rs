//! The body of an answer under limits, as it comes and as it unfolds.

use std::io::{self, Read};

use consort_core::{Category, StepError};
use hyper::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_LENGTH},
};

use super::text;
use crate::egress::http::Response;

/// What to do about a page that is too large.
const SAVE: &str = "save what matters of it to a file and give that";

/// How a body is packed for the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Plain,
    Gzip,
    Brotli,
    Zstd,
}

impl Encoding {
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, StepError> {
        let named = text(headers, CONTENT_ENCODING).unwrap_or_default().to_ascii_lowercase();
        match named.trim() {
            "" | "identity" => Ok(Self::Plain),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "br" => Ok(Self::Brotli),
            "zstd" => Ok(Self::Zstd),
            other => {
                let message = format!("the answer is packed as `{other}`, which was not asked for");
                Err(StepError::new(Category::ParseFailed, message))
            }
        }
    }
}

/// Reads a whole body of at most `limit` bytes.
pub(crate) async fn collect(
    url: &str,
    mut response: Response,
    limit: u64,
) -> Result<Vec<u8>, StepError> {
    let declared = text(&response.headers, CONTENT_LENGTH).and_then(|length| length.parse().ok());
    if declared.is_some_and(|length: u64| length > limit) {
        return Err(too_large(url, limit));
    }
    // A declared length is believed only as far as a page usually goes.
    let room = declared.unwrap_or(0).min(1 << 20) as usize;
    let mut bytes = Vec::with_capacity(room);
    while let Some(chunk) = response.body.chunk().await? {
        if bytes.len() as u64 + chunk.len() as u64 > limit {
            return Err(too_large(url, limit));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Reads the beginning of a body, up to `limit` bytes.
pub(super) async fn beginning(mut response: Response, limit: usize) -> Result<Vec<u8>, StepError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.body.chunk().await? {
        let room = limit - bytes.len();
        bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if bytes.len() == limit {
            break;
        }
    }
    Ok(bytes)
}

fn too_large(url: &str, limit: u64) -> StepError {
    StepError::new(Category::PayloadTooLarge, format!("`{url}` is larger than {}", size(limit)))
        .hint(SAVE)
}

/// Bytes for a reader.
pub(crate) fn size(bytes: u64) -> String {
    if bytes >= 1 << 20 { format!("{} MiB", bytes >> 20) } else { format!("{bytes} bytes") }
}

/// Unpacks a body. Stops as soon as more than `limit` bytes come out. Holds a processor.
///
/// # Errors
///
/// `payload_too_large` for what unfolds beyond the limit, `parse_failed` for what is damaged.
pub(crate) fn decompress(
    bytes: Vec<u8>,
    encoding: Encoding,
    limit: u64,
) -> Result<Vec<u8>, StepError> {
    if encoding == Encoding::Plain {
        return Ok(bytes);
    }
    let mut out = Vec::new();
    match unpack(&bytes, encoding, limit, &mut out) {
        _ if out.len() as u64 > limit => {
            let message = format!("the page unfolds to more than {}", size(limit));
            Err(StepError::new(Category::PayloadTooLarge, message).hint(SAVE))
        }
        Err(error) => {
            let message = "the page is damaged: it cannot be unpacked";
            Err(StepError::new(Category::ParseFailed, message).because(&error))
        }
        Ok(_) => Ok(out),
    }
}

/// As much as can be unpacked, up to `limit` bytes.
pub(super) fn lossy(bytes: Vec<u8>, encoding: Encoding, limit: usize) -> Vec<u8> {
    if encoding == Encoding::Plain {
        return bytes;
    }
    let mut out = Vec::new();
    // What came out before the damage or the limit is what is wanted.
    let _ = unpack(&bytes, encoding, limit as u64, &mut out);
    out.truncate(limit);
    out
}

/// One byte more than the limit shows that there is more.
fn unpack(bytes: &[u8], encoding: Encoding, limit: u64, out: &mut Vec<u8>) -> io::Result<usize> {
    let most = limit.saturating_add(1);
    match encoding {
        Encoding::Plain => bytes.take(most).read_to_end(out),
        Encoding::Gzip => flate2::read::MultiGzDecoder::new(bytes).take(most).read_to_end(out),
        Encoding::Brotli => {
            brotli_decompressor::Decompressor::new(bytes, 16 * 1024).take(most).read_to_end(out)
        }
        Encoding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::new(bytes)?;
            // 8 MiB, which RFC 9659 makes the most for the web.
            decoder.window_log_max(23)?;
            decoder.take(most).read_to_end(out)
        }
    }
}
