//! RSS, Atom and JSON feeds: their entries, each with its text and links.

use feed_rs::model;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::build::{Builder, counted};
use super::html::{Syntax, check, resolve, write_fragment};
use super::{ExtractError, Hint, Limits};
use crate::decode;
use crate::document::{Document, Heading, Kind, Link, Method, Span};

/// A feed with its entries in source order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Feed {
    /// The feed's own title.
    pub title: Option<String>,
    /// Language that the feed declares.
    pub language: Option<String>,
    /// Name of the character encoding that was decoded.
    pub encoding: Option<String>,
    /// Entries, up to [`Limits::max_entries`].
    pub entries: Vec<Entry>,
    /// What was dropped and why.
    pub losses: Vec<String>,
}

/// One entry of a feed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// The entry's title, plain text.
    pub title: Option<String>,
    /// The page that it announces.
    pub url: Option<String>,
    /// Its author, where named.
    pub byline: Option<String>,
    /// Publication time, RFC 3339.
    pub published: Option<String>,
    /// Its text in the feed: often a summary, not the page's own text.
    pub text: String,
    /// Paragraphs of `text`.
    pub paragraphs: Vec<Span>,
    /// Links in `text`.
    pub links: Vec<Link>,
    /// Addresses of its recordings and files.
    pub media: Vec<String>,
    /// Addresses of its transcripts.
    pub transcripts: Vec<String>,
}

/// Reads a feed.
///
/// # Errors
///
/// [`ExtractError::TooLarge`], [`ExtractError::TooDeep`] before parsing, and
/// [`ExtractError::Malformed`] when it is none of RSS, Atom and JSON Feed.
pub fn feed(bytes: &[u8], hint: &Hint, limits: &Limits) -> Result<Feed, ExtractError> {
    if bytes.len() > limits.max_page_bytes {
        let (size, limit) = (bytes.len(), limits.max_page_bytes);
        return Err(ExtractError::TooLarge { size, limit, unit: "bytes" });
    }
    let decoded = decode::decode(bytes, super::html::declared_encoding(bytes).as_deref());
    let json = decoded.text.trim_start().starts_with('{');
    if json {
        super::json::check(&decoded.text, limits)?;
    } else {
        // The parser's entries take more room than elements of a page.
        let limits = Limits { max_elements: limits.max_elements / 2, ..*limits };
        check(&decoded.text, Syntax::Xml, &limits)?;
    }
    let base = hint.url.as_deref().and_then(|url| Url::parse(url).ok());
    let parser = feed_rs::parser::Builder::new()
        .base_uri(base.as_ref().map(Url::as_str))
        // Identifiers are not used here; the default for a missing one is random.
        .id_generator(|_, _, _| String::new())
        .build();
    let malformed = |reason: String| ExtractError::Malformed { kind: Kind::Feed, reason };
    let parsed = parser.parse(bytes).map_err(|error| malformed(error.to_string()))?;
    let total = parsed.entries.len();
    let encoding = decoded.encoding;
    let mut found = Feed {
        encoding: Some(encoding.to_owned()),
        title: parsed.title.and_then(|title| plain(&title, limits)),
        language: parsed.language,
        ..Feed::default()
    };
    for source in parsed.entries.into_iter().take(limits.max_entries) {
        match entry(source, base.as_ref(), limits) {
            Ok(entry) => found.entries.push(entry),
            Err(error) => found.losses.push(format!("An entry could not be read: {error}.")),
        }
    }
    if total > limits.max_entries {
        let beyond = total - limits.max_entries;
        found.losses.push(format!(
            "{beyond} more entries than the limit of {} not read.",
            limits.max_entries
        ));
    }
    Ok(found)
}

impl Feed {
    /// All entries one after another, each under its title as a heading.
    #[must_use]
    pub fn into_document(self, limits: &Limits) -> Document {
        let size = self.entries.iter().map(|entry| entry.text.len() + 80).sum();
        let mut all =
            Document { kind: Kind::Feed, method: Method::FeedEntries, ..Document::default() };
        all.text.reserve(size);
        (all.title, all.declared_language) = (self.title, self.language);
        (all.encoding, all.losses) = (self.encoding, self.losses);
        let mut dropped = 0;
        for entry in self.entries {
            if let Some(title) = &entry.title {
                let span = append(&mut all.text, title);
                all.paragraphs.push(span);
                all.headings.push(Heading { span, level: 2 });
            }
            if let Some(url) = entry.url {
                let span =
                    entry.title.as_ref().and(all.headings.last()).map(|heading| heading.span);
                all.links.push(Link { span, url, text: entry.title.unwrap_or_default() });
            }
            if entry.text.is_empty() {
                continue;
            }
            let start = append(&mut all.text, &entry.text).start;
            let moved = |span: Span| Span::new(span.start + start, span.end + start);
            all.paragraphs.extend(entry.paragraphs.into_iter().map(moved));
            for link in entry.links {
                if all.links.len() < limits.max_links {
                    all.links.push(Link { span: link.span.map(moved), ..link });
                } else {
                    dropped += 1;
                }
            }
        }
        if dropped > 0 {
            all.losses.push(format!("{} not kept.", counted(dropped, "further link")));
        }
        all
    }
}

fn append(text: &mut String, piece: &str) -> Span {
    if !text.is_empty() {
        text.push_str("\n\n");
    }
    let start = text.len();
    text.push_str(piece);
    Span::new(start, text.len())
}

fn entry(source: model::Entry, base: Option<&Url>, limits: &Limits) -> Result<Entry, ExtractError> {
    let alternate = |link: &&model::Link| link.rel.as_deref().is_none_or(|rel| rel == "alternate");
    let url = source.links.iter().find(alternate).or(source.links.first());
    let url = url.and_then(|link| resolve(&link.href, base));
    let body = source.content.as_ref().and_then(|content| content.body.as_deref());
    let body = body.filter(|body| !body.trim().is_empty());
    let summary = source.summary.as_ref().map(|summary| summary.content.as_str());
    let described = source.media.iter().find_map(|media| media.description.as_ref());
    let html = body.or(summary).or(described.map(|text| text.content.as_str())).unwrap_or_default();
    let mut out = Builder::new(html.len(), limits.max_links);
    write_fragment(html, base, limits, &mut out)?;
    let text = out.finish();
    let files =
        source.media.iter().flat_map(|media| &media.content).filter_map(|file| file.url.as_ref());
    let enclosed = source.links.iter().filter(|link| link.rel.as_deref() == Some("enclosure"));
    let media = files.map(|url| url.to_string()).chain(enclosed.map(|link| link.href.clone()));
    let mut media: Vec<String> = media.filter_map(|url| resolve(&url, base)).collect();
    media.dedup();
    let transcripts = source.media.iter().flat_map(|media| &media.transcripts);
    let transcripts =
        transcripts.filter_map(|transcript| resolve(transcript.url.as_str(), base)).collect();
    let author = source.authors.into_iter().find_map(|person| person.name.or(person.email));
    Ok(Entry {
        title: source.title.and_then(|title| plain(&title, limits)),
        url,
        byline: author.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()),
        published: source.published.or(source.updated).map(|time| time.to_rfc3339()),
        text: text.text,
        paragraphs: text.paragraphs,
        links: text.links,
        media,
        transcripts,
    })
}

/// A title without its markup.
fn plain(title: &model::Text, limits: &Limits) -> Option<String> {
    let mut out = Builder::new(title.content.len(), 0);
    let words = match write_fragment(&title.content, None, limits, &mut out) {
        Ok(()) => out.finish().text,
        Err(_) => title.content.clone(),
    };
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    (!words.is_empty()).then_some(words)
}
