//! Which kind of source some bytes are.

use super::{ExtractError, Hint};
use crate::document::Kind;

impl Kind {
    /// The kind's name in messages and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Pdf => "pdf",
            Self::Srt => "srt",
            Self::Vtt => "vtt",
            Self::TranscriptJson => "transcript_json",
            Self::Feed => "feed",
        }
    }
}

/// Signatures of common formats that hold no text for us.
const BINARY: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "a ZIP archive or office document"),
    (b"\x1F\x8B", "gzip data"),
    (b"BZh", "bzip2 data"),
    (b"\xFD7zXZ\0", "xz data"),
    (b"7z\xBC\xAF\x27\x1C", "a 7-Zip archive"),
    (b"Rar!\x1A\x07", "a RAR archive"),
    (b"\x28\xB5\x2F\xFD", "zstd data"),
    (b"\x89PNG\r\n\x1A\n", "a PNG image"),
    (b"\xFF\xD8\xFF", "a JPEG image"),
    (b"GIF87a", "a GIF image"),
    (b"GIF89a", "a GIF image"),
    (b"ID3", "an MP3 recording"),
    (b"\xFF\xFB", "an MP3 recording"),
    (b"OggS", "an Ogg recording"),
    (b"fLaC", "a FLAC recording"),
    (b"\x1A\x45\xDF\xA3", "a Matroska or WebM recording"),
    (b"\x7FELF", "a program"),
    (b"MZ\x90\0", "a program"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "an old office document"),
    (b"wOFF", "a font"),
    (b"wOF2", "a font"),
];

/// Decides what `bytes` are, by signature first, then by `hint`, then by the look of the text.
///
/// # Errors
///
/// [`ExtractError::NotText`] for archives, images, recordings, programs and the like.
pub fn sniff(bytes: &[u8], hint: &Hint) -> Result<Kind, ExtractError> {
    if let Some((_, what)) = BINARY.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(ExtractError::NotText { what });
    }
    if bytes.get(4..8) == Some(b"ftyp") {
        return Err(ExtractError::NotText { what: "an MP4 recording" });
    }
    if bytes.starts_with(b"RIFF") {
        return Err(ExtractError::NotText { what: "a WAV, AVI or WebP file" });
    }
    let head = &bytes[..bytes.len().min(1024)];
    if head.windows(5).any(|five| five == b"%PDF-") {
        return Ok(Kind::Pdf);
    }
    let look = look(bytes);
    let told = hint.media_type.as_deref().and_then(by_media_type);
    let told = told.or_else(|| hint.name.as_deref().and_then(by_extension));
    let told = told.or_else(|| hint.url.as_deref().and_then(by_url));
    Ok(match (told, look) {
        // Servers call everything text/plain, and generic XML or JSON says nothing.
        (None | Some(Told::Vague | Told::Exactly(Kind::Text)), Some(look)) => look,
        // A file named .srt that opens with WEBVTT is WebVTT, and the other way round.
        (Some(Told::Exactly(Kind::Srt)), Some(Kind::Vtt)) => Kind::Vtt,
        (Some(Told::Exactly(Kind::Html)), Some(Kind::Feed)) => Kind::Feed,
        (Some(Told::Exactly(kind)), _) => kind,
        (None | Some(Told::Vague), None) => Kind::Text,
    })
}

/// What a name or media type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// One of our kinds.
    Exactly(Kind),
    /// A container format such as JSON: the content decides.
    Vague,
}

fn by_media_type(media_type: &str) -> Option<Told> {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Some(match essence.as_str() {
        "text/html" | "application/xhtml+xml" => Told::Exactly(Kind::Html),
        "text/markdown" | "text/x-markdown" => Told::Exactly(Kind::Markdown),
        "text/vtt" => Told::Exactly(Kind::Vtt),
        "application/x-subrip" | "text/srt" | "application/srt" => Told::Exactly(Kind::Srt),
        "application/rss+xml" | "application/atom+xml" | "application/feed+json" => {
            Told::Exactly(Kind::Feed)
        }
        "application/json" | "text/json" | "application/xml" | "text/xml" | "text/plain" => {
            Told::Vague
        }
        _ => return None,
    })
}

fn by_extension(name: &str) -> Option<Told> {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let (_, extension) = file.rsplit_once('.')?;
    Some(match extension.to_ascii_lowercase().as_str() {
        "txt" | "text" | "log" => Told::Exactly(Kind::Text),
        "md" | "markdown" | "mdown" | "mkd" => Told::Exactly(Kind::Markdown),
        "html" | "htm" | "xhtml" | "shtml" => Told::Exactly(Kind::Html),
        "srt" => Told::Exactly(Kind::Srt),
        "vtt" | "webvtt" => Told::Exactly(Kind::Vtt),
        "rss" | "atom" => Told::Exactly(Kind::Feed),
        "json" | "xml" | "json3" => Told::Vague,
        _ => return None,
    })
}

fn by_url(url: &str) -> Option<Told> {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    // Without a path, what follows the last dot is a domain, not an extension.
    let (_, rest) = path.split_once("://").unwrap_or(("", path));
    rest.contains('/').then(|| by_extension(rest)).flatten()
}

/// The kind that the text itself shows, from its first bytes.
fn look(bytes: &[u8]) -> Option<Kind> {
    let decoded = crate::decode::decode(&bytes[..bytes.len().min(4096)], None);
    let head = decoded.text.trim_start_matches(['\u{FEFF}', ' ', '\t', '\r', '\n']);
    if head.starts_with("WEBVTT") {
        return Some(Kind::Vtt);
    }
    if head.starts_with('<') {
        return markup(head);
    }
    if head.starts_with(['{', '[']) {
        return json(head);
    }
    let mut lines = head.lines().map(str::trim).filter(|line| !line.is_empty());
    let (first, second) = (lines.next()?, lines.next().unwrap_or_default());
    let numbered = first.bytes().all(|byte| byte.is_ascii_digit());
    if first.contains("-->") || (numbered && second.contains("-->")) {
        return Some(Kind::Srt);
    }
    None
}

fn markup(head: &str) -> Option<Kind> {
    let lower = head.to_ascii_lowercase();
    let tag = |name: &str| {
        lower.match_indices(name).any(|(at, _)| {
            !lower[at + name.len()..].starts_with(|next: char| next.is_ascii_alphanumeric())
        })
    };
    if tag("<!doctype html") || tag("<html") {
        Some(Kind::Html)
    } else if tag("<rss") || tag("<feed") || tag("<rdf:rdf") {
        Some(Kind::Feed)
    } else if ["<head", "<body", "<div", "<p", "<article", "<main", "<title", "<h1"]
        .iter()
        .any(|name| tag(name))
    {
        Some(Kind::Html)
    } else {
        None
    }
}

fn json(head: &str) -> Option<Kind> {
    if head.contains("https://jsonfeed.org/version/") || head.contains("https:\\/\\/jsonfeed.org") {
        return Some(Kind::Feed);
    }
    let keys =
        ["\"segments\"", "\"transcription\"", "\"events\"", "\"utterances\"", "\"tStartMs\""];
    let timed = head.contains("\"start\"") && head.contains("\"text\"");
    (timed || keys.iter().any(|key| head.contains(key))).then_some(Kind::TranscriptJson)
}
