//! Phrases that mark promotion and page furniture, from the lists beside this file.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::words;
use crate::document::Document;

/// Phrases by their first word; each phrase is the words after it.
type Phrases = HashMap<&'static str, Vec<Vec<&'static str>>>;

static PROMOTION: LazyLock<Phrases> = LazyLock::new(|| read(include_str!("promotion.txt")));
static FURNITURE: LazyLock<Phrases> = LazyLock::new(|| read(include_str!("furniture.txt")));

/// Longest phrase in either list, in words.
const LONGEST: usize = 6;
/// A paragraph with more words than this is prose, whatever phrase stands in it.
const SHORT: usize = 25;

/// One phrase per line; lines opening with `#` are comments.
fn read(list: &'static str) -> Phrases {
    let mut phrases = Phrases::new();
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
    /// The last words, newest last.
    recent: Vec<String>,
    covered: usize,
}

impl Counter {
    /// Counts promotional phrases.
    pub(super) fn promotion() -> Self {
        Self { phrases: &PROMOTION, recent: Vec::new(), covered: 0 }
    }

    /// Takes the next word, in lower case.
    pub(super) fn word(&mut self, word: &str) {
        if self.recent.len() == LONGEST {
            self.recent.rotate_left(1);
            self.recent.pop();
        }
        self.recent.push(word.to_owned());
        for from in 0..self.recent.len() {
            let tail = &self.recent[from + 1..];
            let Some(endings) = self.phrases.get(self.recent[from].as_str()) else { continue };
            if endings.iter().any(|ending| ending == tail) {
                self.covered += self.recent.len() - from;
                self.recent.clear();
                return;
            }
        }
    }

    /// Ends any phrase that has begun.
    pub(super) fn gap(&mut self) {
        self.recent.clear();
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
        if paragraph.len() > SHORT * 16 {
            continue;
        }
        let mut counter = Counter { phrases: &FURNITURE, recent: Vec::new(), covered: 0 };
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
