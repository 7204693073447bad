//! One pass over the text that every analysis shares: tokens, an interned vocabulary, sentences.

use std::ops::Range;

use foldhash::{HashMap, HashMapExt as _};

use super::lexicon::{self, Class};
use crate::document::{Document, Sentence, Span};

/// Number of a word in the vocabulary; equal numbers are equal words, case aside.
pub(crate) type WordId = u32;

/// What a token is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Letters, with inner apostrophes, hyphens and abbreviation points.
    Word,
    /// Starts with a digit: `1,250.5`, `20th`, `2026-11-22`.
    Number,
    /// A web or e-mail address.
    Address,
    /// One character that is none of the above.
    Mark,
}

/// How a word is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// No capital.
    Lower,
    /// First letter only.
    Title,
    /// Every letter, two at least.
    Upper,
    /// Anything else with a capital, single capital letters included.
    Mixed,
}

/// A piece of text that is not white space.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) word: WordId,
    pub(crate) kind: Kind,
    pub(crate) case: Case,
}

/// What is known of a word wherever it stands.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Lower-cased, with straight apostrophes.
    pub(crate) text: Box<str>,
    /// Lexicon classes of the word; empty for languages without a lexicon.
    pub(crate) class: Class,
    /// First word seen with the same stem.
    pub(crate) stem: WordId,
}

/// The text, cut into tokens and sentences.
#[derive(Debug)]
pub(crate) struct Index<'a> {
    pub(crate) doc: &'a Document,
    pub(crate) sentences: &'a [Sentence],
    pub(crate) tokens: Vec<Token>,
    pub(crate) vocabulary: Vec<Entry>,
    /// Tokens of each sentence.
    ranges: Vec<Range<u32>>,
    /// Words of passages in other languages, which have no tokens.
    foreign_words: usize,
}

impl<'a> Index<'a> {
    /// Cuts `doc` into tokens. Words get lexicon classes and stems only in English.
    ///
    /// Sentences of the paragraphs in `foreign` get no tokens: rules made for one language find only
    /// nonsense in another.
    pub(crate) fn new(
        doc: &'a Document,
        sentences: &'a [Sentence],
        english: bool,
        foreign: &[u32],
    ) -> Self {
        let mut words = Interner::default();
        let mut foreign_words = 0;
        let mut tokens = Vec::with_capacity(doc.text.len() / 5);
        let mut ranges = Vec::with_capacity(sentences.len());
        for sentence in sentences {
            let first = tokens.len() as u32;
            if foreign.binary_search(&sentence.paragraph).is_ok() {
                foreign_words += sentence.span.of(&doc.text).split_whitespace().count();
                ranges.push(first..first);
                continue;
            }
            tokenise(&doc.text, sentence.span, &mut words, &mut tokens);
            ranges.push(first..tokens.len() as u32);
        }
        let vocabulary = words.into_vocabulary(english);
        Self { doc, sentences, tokens, vocabulary, ranges, foreign_words }
    }

    /// Number of sentences.
    pub(crate) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Positions in `tokens` of sentence `id`.
    pub(crate) fn range(&self, id: usize) -> Range<usize> {
        let range = &self.ranges[id];
        range.start as usize..range.end as usize
    }

    /// True for a row of a table, whose cells extraction parts by bars: it holds facts but states nothing.
    pub(crate) fn is_row(&self, id: usize) -> bool {
        self.sentences[id].span.of(&self.doc.text).contains(" | ")
    }

    /// The tokens of sentence `id`.
    pub(crate) fn tokens_of(&self, id: usize) -> &[Token] {
        &self.tokens[self.range(id)]
    }

    /// The vocabulary entry of `token`.
    pub(crate) fn entry(&self, token: &Token) -> &Entry {
        &self.vocabulary[token.word as usize]
    }

    /// `token` as it stands in the text.
    pub(crate) fn raw(&self, token: &Token) -> &'a str {
        &self.doc.text[token.start as usize..token.end as usize]
    }

    /// `token` lower-cased.
    pub(crate) fn lower(&self, token: &Token) -> &str {
        &self.entry(token).text
    }

    /// True when `token`'s word belongs to `class`.
    pub(crate) fn is(&self, token: &Token, class: Class) -> bool {
        self.entry(token).class.intersects(class)
    }

    /// Number of words and numbers, marks and addresses left out.
    pub(crate) fn words(&self) -> usize {
        self.tokens.iter().filter(|token| token.is_wordlike()).count()
    }

    /// Words of passages in other languages.
    pub(crate) const fn foreign_words(&self) -> usize {
        self.foreign_words
    }

    /// The text between two tokens, both included.
    pub(crate) fn span(&self, first: usize, last: usize) -> Span {
        Span::new(self.tokens[first].start as usize, self.tokens[last].end as usize)
    }
}

impl Token {
    /// A word or a number.
    pub(crate) fn is_wordlike(self) -> bool {
        matches!(self.kind, Kind::Word | Kind::Number)
    }

    /// Where the token stands in the text.
    pub(crate) fn span(self) -> Span {
        Span::new(self.start as usize, self.end as usize)
    }
}

#[derive(Default)]
struct Interner {
    ids: HashMap<Box<str>, WordId>,
    scratch: String,
}

impl Interner {
    fn intern(&mut self, raw: &str) -> WordId {
        self.scratch.clear();
        if raw.is_ascii() {
            self.scratch.push_str(raw);
            self.scratch.make_ascii_lowercase();
        } else {
            let straight = raw.chars().map(|c| if c == '\u{2019}' { '\'' } else { c });
            self.scratch.extend(straight.flat_map(char::to_lowercase));
        }
        if let Some(&id) = self.ids.get(self.scratch.as_str()) {
            return id;
        }
        let id = self.ids.len() as WordId;
        self.ids.insert(self.scratch.as_str().into(), id);
        id
    }

    fn into_vocabulary(self, english: bool) -> Vec<Entry> {
        let mut texts: Vec<Box<str>> = vec![Box::default(); self.ids.len()];
        for (text, id) in self.ids {
            texts[id as usize] = text;
        }
        let lexicon = lexicon::english();
        let stemmer = rust_stemmers::Stemmer::create(rust_stemmers::Algorithm::English);
        let mut stems: HashMap<String, WordId> = HashMap::new();
        let mut vocabulary = Vec::with_capacity(texts.len());
        for (id, text) in texts.into_iter().enumerate() {
            let id = id as WordId;
            let (class, stem) = if english {
                let stem = *stems.entry(stemmer.stem(&text).into_owned()).or_insert(id);
                (lexicon.class(&text), stem)
            } else {
                (Class::empty(), id)
            };
            vocabulary.push(Entry { text, class, stem });
        }
        vocabulary
    }
}

fn tokenise(text: &str, span: Span, words: &mut Interner, out: &mut Vec<Token>) {
    let bytes = text.as_bytes();
    let mut at = span.start;
    while at < span.end {
        let (c, width) = char_at(text, at);
        if c.is_whitespace() || c.is_control() {
            at += width;
            continue;
        }
        let (kind, end) = if is_unspaced(c) {
            (Kind::Word, at + width)
        } else if c.is_alphabetic() {
            word_end(text, at, span.end)
        } else if c.is_numeric() {
            (Kind::Number, number_end(text, at, span.end))
        } else if c == '\'' || c == '\u{2019}' {
            clitic(bytes, at, width, span.end)
        } else {
            (Kind::Mark, at + width)
        };
        let raw = &text[at..end];
        let case = if kind == Kind::Word { case_of(raw) } else { Case::Lower };
        out.push(Token { start: at as u32, end: end as u32, word: words.intern(raw), kind, case });
        at = end;
    }
}

/// An ending such as `'s` right after a word counts as a mark of its own.
fn clitic(bytes: &[u8], at: usize, width: usize, limit: usize) -> (Kind, usize) {
    let after_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] >= 0x80);
    let s = at + width;
    let ends = s < limit
        && matches!(bytes[s], b's' | b'S')
        && bytes.get(s + 1).is_none_or(|b| !b.is_ascii_alphanumeric() && *b < 0x80);
    if after_word && ends { (Kind::Mark, s + 1) } else { (Kind::Mark, s) }
}

fn word_end(text: &str, start: usize, limit: usize) -> (Kind, usize) {
    let bytes = text.as_bytes();
    let mut at = start;
    while at < limit {
        let (c, width) = char_at(text, at);
        if (c.is_alphanumeric() && !is_unspaced(c)) || c == '_' || is_joining(c) {
            at += width;
            continue;
        }
        let next = at + width;
        let follower = if next < limit { char_at(text, next).0 } else { ' ' };
        let joins = match c {
            '\'' | '\u{2019}' => {
                follower.is_alphabetic()
                    && !matches!(clitic(bytes, at, width, limit), (_, end) if end > next)
            }
            '-' | '\u{2010}' | '\u{2011}' => follower.is_alphanumeric() && !is_unspaced(follower),
            '.' => is_initialism(bytes, start, at, limit),
            '&' => follower.is_uppercase() && bytes[at - 1].is_ascii_uppercase(),
            ':' if text[next..limit].starts_with("//") => {
                return (Kind::Address, address_end(bytes, at, limit));
            }
            '@' if follower.is_alphanumeric() => {
                return (Kind::Address, address_end(bytes, at, limit));
            }
            _ => false,
        };
        if !joins {
            break;
        }
        at = next;
    }
    if at < limit && bytes[at] == b'.' && text[start..at].eq_ignore_ascii_case("www") {
        return (Kind::Address, address_end(bytes, at, limit));
    }
    (Kind::Word, at)
}

/// True for the points of `U.S.`, `e.g.`, `J.R.R.`: single letters, each followed by a point.
fn is_initialism(bytes: &[u8], start: usize, point: usize, limit: usize) -> bool {
    let single = |at: usize| {
        at >= start && bytes[at].is_ascii_alphabetic() && (at == start || bytes[at - 1] == b'.')
    };
    if !single(point - 1) {
        return false;
    }
    let followed =
        point + 2 < limit && bytes[point + 1].is_ascii_alphabetic() && bytes[point + 2] == b'.';
    let closes = point >= start + 3;
    followed || closes
}

fn number_end(text: &str, start: usize, limit: usize) -> usize {
    let mut at = start;
    while at < limit {
        let (c, width) = char_at(text, at);
        let next = at + width;
        let follower = || if next < limit { char_at(text, next).0 } else { ' ' };
        let joins = (c.is_alphanumeric() && !is_unspaced(c))
            || (matches!(c, '.' | ',' | ':' | '/') && follower().is_ascii_digit())
            || (c == '-' && follower().is_alphanumeric());
        if !joins {
            break;
        }
        at = next;
    }
    at
}

fn address_end(bytes: &[u8], mut at: usize, limit: usize) -> usize {
    let stops = |b: u8| {
        b.is_ascii_whitespace() || matches!(b, b'"' | b'<' | b'>' | b')' | b']' | b'}' | b'|')
    };
    while at < limit && !stops(bytes[at]) && bytes[at] < 0x80 {
        at += 1;
    }
    while matches!(bytes[at - 1], b'.' | b',' | b';' | b':' | b'!' | b'?' | b'\'') {
        at -= 1;
    }
    at
}

fn case_of(raw: &str) -> Case {
    let mut letters = raw.chars().filter(|c| c.is_alphabetic());
    let Some(first) = letters.next() else { return Case::Lower };
    let (mut upper, mut total) = (0, 0);
    for c in letters {
        total += 1;
        upper += usize::from(c.is_uppercase());
    }
    match (first.is_uppercase(), upper) {
        (false, 0) => Case::Lower,
        (true, 0) if total > 0 => Case::Title,
        (true, n) if n == total && n > 0 => Case::Upper,
        _ => Case::Mixed,
    }
}

fn char_at(text: &str, at: usize) -> (char, usize) {
    let byte = text.as_bytes()[at];
    if byte < 0x80 {
        return (byte as char, 1);
    }
    text[at..].chars().next().map_or(('\u{fffd}', 1), |c| (c, c.len_utf8()))
}

/// Scripts written without spaces, where each character is a token of its own.
pub(crate) fn is_unspaced(c: char) -> bool {
    matches!(c as u32, 0x0e00..=0x0eff | 0x1000..=0x109f | 0x1780..=0x17ff | 0x3040..=0x30ff | 0x3400..=0x9fff | 0xf900..=0xfaff | 0x20000..=0x3ffff)
}

/// Signs that belong to the letter before them.
fn is_joining(c: char) -> bool {
    matches!(c as u32, 0x00ad | 0x0300..=0x036f | 0x0483..=0x0489 | 0x0591..=0x05bd | 0x0610..=0x061a | 0x064b..=0x065f
        | 0x06d6..=0x06ed | 0x0900..=0x0963 | 0x0966..=0x0dff | 0x200c..=0x200d)
}
