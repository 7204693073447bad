//! What extraction produces and analysis reads: text, its parts, and where each came from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was extracted from one source.
///
/// All spans of a document are byte ranges in [`Document::text`], on character boundaries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Document {
    /// What the bytes were taken to be.
    pub kind: Kind,
    /// Title as the source states it, plain text.
    pub title: Option<String>,
    /// Author line as the source states it, plain text.
    pub byline: Option<String>,
    /// Publication date as the source states it, not parsed.
    pub published: Option<String>,
    /// The text that everything later is computed from: valid UTF-8, `\n` line ends, no NUL.
    pub text: String,
    /// Paragraphs in order, without overlap; what lies between them is white space.
    pub paragraphs: Vec<Span>,
    /// Timed pieces of a transcript, in text order. Empty for anything without times.
    pub cues: Vec<Cue>,
    /// Who speaks where, in text order, without overlap. Empty when the source names nobody.
    pub turns: Vec<Turn>,
    /// Links found in the source, in source order.
    pub links: Vec<Link>,
    /// Headings in text order.
    pub headings: Vec<Heading>,
    /// How the text was chosen among the source's content.
    pub method: Method,
    /// What was dropped and why, one plain sentence each, for the reader of a report.
    pub losses: Vec<String>,
    /// Bytes at its end that were left out because that much is not analysed: of the text or, where a kind is cut
    /// before it is read, of the source.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub beyond: usize,
    /// Name of the character encoding that was decoded; none when the bytes carried no text.
    pub encoding: Option<String>,
    /// Language that the source declares (a BCP 47 tag), not checked against the text.
    pub declared_language: Option<String>,
}

/// What the bytes of a source were taken to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Plain text, a plain transcript included.
    #[default]
    Text,
    /// Markdown.
    Markdown,
    /// A web page.
    Html,
    /// A PDF file.
    Pdf,
    /// `SubRip` subtitles.
    Srt,
    /// `WebVTT` subtitles.
    Vtt,
    /// JSON segments as speech recognisers write them.
    TranscriptJson,
    /// An RSS, Atom or JSON feed.
    Feed,
}

/// How the text was chosen among the source's content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Everything was kept.
    #[default]
    Whole,
    /// The readable part of a page, chosen by text and link density.
    Readability,
    /// The text of the page's `<article>` or `<main>` element.
    Landmark,
    /// The whole page as text, furniture included, because nothing narrower held enough of it.
    WholePage,
    /// Timed cues joined, repetition of rolling captions removed.
    Cues,
    /// Text in the reading order of a PDF's pages.
    PdfPages,
    /// Entries of a feed, one after another.
    FeedEntries,
}

/// A byte range in [`Document::text`], always on character boundaries.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// A timed piece of a transcript.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cue {
    /// The words of this cue in the text.
    pub span: Span,
    /// Start in milliseconds from the beginning of the recording.
    pub start_ms: u64,
    /// End in milliseconds; never before `start_ms`.
    pub end_ms: u64,
    /// Speaker's name as the source writes it.
    pub speaker: Option<String>,
}

/// A stretch of text said by one speaker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Turn {
    /// What was said, without the name.
    pub span: Span,
    /// Speaker's name as the source writes it.
    pub speaker: String,
}

/// A link found in the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// Where the link's words stand in the text, when they are part of it.
    pub span: Option<Span>,
    /// Target, absolute where the source's own address was known.
    pub url: String,
    /// The link's words; empty for a bare address.
    pub text: String,
}

/// A heading of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Heading {
    /// The heading's words in the text.
    pub span: Span,
    /// 1 (highest) to 6.
    pub level: u8,
}

/// One sentence of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sentence {
    /// Position among the document's sentences, from 0.
    pub id: u32,
    /// The sentence without surrounding white space.
    pub span: Span,
    /// True when the boundary was guessed from pauses and length, for want of punctuation.
    pub synthetic: bool,
    /// Index in [`Document::paragraphs`].
    pub paragraph: u32,
}

impl Span {
    /// A range; `end` is raised to `start` when it lies before.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end: if end < start { start } else { end } }
    }

    /// Length in bytes.
    #[must_use]
    pub const fn len(self) -> usize {
        self.end - self.start
    }

    /// True for a range of no bytes.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.end == self.start
    }

    /// The bytes of `text` in this range, or the empty string when the range does not fit `text`.
    #[must_use]
    pub fn of(self, text: &str) -> &str {
        text.get(self.start..self.end).unwrap_or_default()
    }

    /// Ends no later than at `end`; false when nothing is left.
    fn clip(&mut self, end: usize) -> bool {
        self.end = self.end.min(end);
        self.start < self.end
    }

    /// True when `other` lies inside this range.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// True when the two ranges share a byte.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Document {
    /// Leaves out what follows the first `limit` bytes of text: from the end of a paragraph or, where the last
    /// one is long, of a word. Everything that lay there goes with it; [`Document::beyond`] counts.
    pub fn keep(&mut self, limit: usize) {
        if self.text.len() <= limit {
            return;
        }
        let head = &self.text[..self.text.floor_char_boundary(limit)];
        let fits = self.paragraphs.partition_point(|span| span.end <= head.len());
        let paragraph = self.paragraphs[..fits].last().map_or(0, |span| span.end);
        let word = head.rfind(char::is_whitespace).unwrap_or(head.len());
        let end = if paragraph * 2 >= limit { paragraph } else { word };
        let end = head[..end].trim_end().len();
        self.beyond += self.text.len() - end;
        self.text.truncate(end);
        self.text.shrink_to_fit();
        self.paragraphs.retain_mut(|span| span.clip(end));
        self.cues.retain_mut(|cue| cue.span.clip(end));
        self.turns.retain_mut(|turn| turn.span.clip(end));
        self.headings.retain(|heading| heading.span.end <= end);
        self.links.retain(|link| link.span.is_none_or(|span| span.end <= end));
    }

    /// The cue that covers byte `at`, found by bisection.
    #[must_use]
    pub fn cue_at(&self, at: usize) -> Option<&Cue> {
        let next = self.cues.partition_point(|cue| cue.span.start <= at);
        self.cues[..next].last().filter(|cue| at < cue.span.end)
    }

    /// The name of who speaks at byte `at`, where the source says so.
    #[must_use]
    pub fn speaker_at(&self, at: usize) -> Option<&str> {
        let next = self.turns.partition_point(|turn| turn.span.start <= at);
        let turn = self.turns[..next].last().filter(|turn| at < turn.span.end);
        turn.map(|turn| turn.speaker.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cues_and_speakers_are_found_by_position() {
        let cue =
            |start, end| Cue { span: Span::new(start, end), start_ms: 0, end_ms: 1, speaker: None };
        let turn =
            |start, end, name: &str| Turn { span: Span::new(start, end), speaker: name.to_owned() };
        let document = Document {
            text: "ab cd ef".into(),
            cues: vec![cue(0, 2), cue(3, 5)],
            turns: vec![turn(0, 2, "A"), turn(3, 8, "B")],
            ..Document::default()
        };
        assert_eq!(document.cue_at(1).map(|cue| cue.span.start), Some(0));
        assert_eq!(document.cue_at(2), None);
        assert_eq!(document.cue_at(6), None);
        assert_eq!(document.speaker_at(4), Some("B"));
        assert_eq!(document.speaker_at(2), None);
    }

    #[test]
    fn a_long_text_is_kept_up_to_a_paragraph_or_a_word() {
        let span = Span::new;
        let document = || Document {
            text: "one two\n\nthree f\u{e9}ur".into(),
            paragraphs: vec![span(0, 7), span(9, 20)],
            turns: vec![Turn { span: span(4, 20), speaker: "A".into() }],
            headings: vec![Heading { span: span(9, 20), level: 1 }],
            links: vec![Link { span: Some(span(9, 14)), url: "u".into(), text: "t".into() }],
            ..Document::default()
        };
        let kept = |limit| {
            let mut document = document();
            document.keep(limit);
            (document.text.clone(), document.paragraphs.len(), document.beyond, document)
        };
        assert_eq!(kept(20).3, document());
        let (text, paragraphs, beyond, rest) = kept(13);
        assert_eq!((text.as_str(), paragraphs, beyond), ("one two", 1, 13));
        assert_eq!((rest.turns[0].span, rest.headings.len(), rest.links.len()), (span(4, 7), 0, 0));
        let (text, paragraphs, beyond, rest) = kept(17);
        assert_eq!((text.as_str(), paragraphs, beyond), ("one two\n\nthree", 2, 6));
        assert_eq!((rest.paragraphs[1], rest.links.len()), (span(9, 14), 1));
        assert_eq!(kept(0).0, "");
    }

    #[test]
    fn spans_never_run_backwards_nor_panic() {
        let span = Span::new(5, 2);
        assert!(span.is_empty());
        assert_eq!(Span::new(1, 9).of("\u{E9}\u{E9}"), "");
        assert!(
            Span::new(0, 9).contains(Span::new(2, 9)) && !Span::new(0, 2).overlaps(Span::new(2, 3))
        );
    }
}
