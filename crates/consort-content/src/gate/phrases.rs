//! Phrases that mark promotion and page furniture, from the lists beside this file.

use std::sync::LazyLock;

use foldhash::HashMap;

use super::words;
use crate::document::Document;

/// Phrases by their first word; each phrase is the words after it.
type Phrases = HashMap<&'static str, Vec<Box<[&'static str]>>>;

static PROMOTION: LazyLock<Phrases> = LazyLock::new(|| read(include_str!("promotion.txt")));
static FURNITURE: LazyLock<Phrases> = LazyLock::new(|| read(include_str!("furniture.txt")));

/// A paragraph with more words than this is prose, whatever phrase stands in it.
const SHORT: usize = 25;

/// One phrase per line; lines opening with `#` are comments.
fn read(list: &'static str) -> Phrases {
    let mut phrases = Phrases::default();
    for line in list.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        if let Some(first) = words.next() {
            phrases.entry(first).or_default().push(words.collect());
        }
    }
    phrases
}

/// Counts the words that belong to phrases of a list.
#[derive(Clone, Debug)]
pub(super) struct Counter {
    phrases: &'static Phrases,
    /// Phrases that have begun, the earliest first, each with how many words after its first have come.
    begun: Vec<(&'static [&'static str], usize)>,
    covered: usize,
}

impl Counter {
    fn new(phrases: &'static Phrases) -> Self {
        Self { phrases, begun: Vec::new(), covered: 0 }
    }

    /// Counts promotional phrases.
    pub(super) fn promotion() -> Self {
        Self::new(&PROMOTION)
    }

    /// Takes the next word, in lower case.
    pub(super) fn word(&mut self, word: &str) {
        self.begun.retain_mut(|(ending, come)| {
            *come += 1;
            ending[*come - 1] == word
        });
        if let Some(endings) = self.phrases.get(word) {
            self.begun.extend(endings.iter().map(|ending| (&**ending, 0)));
        }
        // Of phrases that end here the earliest begun is the longest; words count for one phrase only.
        if let Some((ending, _)) = self.begun.iter().find(|(ending, come)| ending.len() == *come) {
            self.covered += 1 + ending.len();
            self.begun.clear();
        }
    }

    /// Ends any phrase that has begun.
    pub(super) fn gap(&mut self) {
        self.begun.clear();
    }

    /// Words inside phrases so far.
    pub(super) const fn covered(&self) -> usize {
        self.covered
    }
}

/// Words in paragraphs that are page furniture: short, and at least half of them from such phrases.
pub(super) fn furniture(document: &Document) -> usize {
    let mut total = 0;
    for span in &document.paragraphs {
        let paragraph = span.of(&document.text);
        // Bounds the cost of looking twice at long paragraphs.
        if paragraph.len() > SHORT * 16
            || paragraph.split_ascii_whitespace().nth(SHORT * 2).is_some()
        {
            continue;
        }
        let mut counter = Counter::new(&FURNITURE);
        let mut count = 0;
        words::each(paragraph, |word| {
            count += 1;
            counter.word(word.lower);
        });
        if count <= SHORT && counter.covered() * 2 >= count {
            total += count;
        }
    }
    total
}
