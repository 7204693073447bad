//! Word patterns of the rule files, and finding them in a sentence.
//!
//! A pattern is a row of items parted by spaces. An item is one or more tests joined by `|`:
//! `word` (any case), `prefix*`, `@class` (a word list), `#number`, `#capital`; `!` before an item negates it,
//! `?` after it makes it optional. `_` is any token, `..` up to three words without punctuation,
//! `...` up to twelve tokens of any kind. `^` and `$` are the ends of the sentence, its quotation marks and
//! closing punctuation aside. Punctuation is written as a word of its own, `'s` included.

use std::collections::HashMap;
use std::ops::Range;

use super::index::{Index, Kind, Token};
use super::lexicon::{self, Class};

/// Why a pattern cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pattern `{pattern}`: {problem}")]
pub(crate) struct Unreadable {
    pattern: String,
    problem: String,
}

#[derive(Clone, Debug)]
enum Test {
    Word(Box<str>),
    Prefix(Box<str>),
    Class(Class),
    Number,
    Capital,
    Any,
}

#[derive(Clone, Debug)]
enum Item {
    One { tests: Vec<Test>, negated: bool, optional: bool },
    Gap { most: usize, punctuation: bool },
    Start,
    End,
}

/// One compiled pattern.
#[derive(Clone, Debug)]
struct Pattern {
    items: Vec<Item>,
    /// The item that is looked up first; every item before it takes exactly one token or none.
    anchor: usize,
}

/// Many patterns, found in one pass.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    all: Vec<Pattern>,
    /// Who owns each pattern, as given to [`Patterns::add`].
    owners: Vec<u32>,
    words: HashMap<Box<str>, Vec<u32>>,
    prefixes: Vec<(Box<str>, u32)>,
    classes: Vec<(Class, u32)>,
}

/// A pattern found in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    /// Owner of the pattern.
    pub(crate) owner: u32,
    /// Sentence in which it was found.
    pub(crate) sentence: usize,
    /// Positions among the document's tokens.
    pub(crate) tokens: Range<usize>,
}

impl Patterns {
    /// Compiles `pattern` for `owner`.
    pub(crate) fn add(&mut self, owner: u32, pattern: &str) -> Result<(), Unreadable> {
        let compiled = compile(pattern).map_err(|problem| Unreadable {
            pattern: pattern.to_owned(),
            problem: problem.to_owned(),
        })?;
        let id = self.all.len() as u32;
        if let Item::One { tests, .. } = &compiled.items[compiled.anchor] {
            for test in tests {
                match test {
                    Test::Word(word) => self.words.entry(word.clone()).or_default().push(id),
                    Test::Prefix(prefix) => self.prefixes.push((prefix.clone(), id)),
                    Test::Class(class) => self.classes.push((*class, id)),
                    Test::Number | Test::Capital | Test::Any => {}
                }
            }
        }
        self.all.push(compiled);
        self.owners.push(owner);
        Ok(())
    }

    /// Every place where a pattern matches, in text order.
    pub(crate) fn find(&self, index: &Index<'_>) -> Vec<Match> {
        let by_word: Vec<Vec<u32>> =
            index.vocabulary.iter().map(|entry| self.starting(&entry.text, entry.class)).collect();
        let mut found = Vec::new();
        for sentence in 0..index.len() {
            let range = index.range(sentence);
            let bounds = Bounds::new(index, range.clone());
            for at in range {
                for &id in &by_word[index.tokens[at].word as usize] {
                    let pattern = &self.all[id as usize];
                    if let Some(tokens) = pattern.match_at(index, &bounds, at) {
                        found.push(Match { owner: self.owners[id as usize], sentence, tokens });
                    }
                }
            }
        }
        found
    }

    /// Patterns whose anchor accepts this word.
    fn starting(&self, word: &str, class: Class) -> Vec<u32> {
        let mut ids = self.words.get(word).cloned().unwrap_or_default();
        ids.extend(
            self.prefixes
                .iter()
                .filter(|(prefix, _)| word.starts_with(&**prefix))
                .map(|(_, id)| *id),
        );
        ids.extend(
            self.classes.iter().filter(|(wanted, _)| class.intersects(*wanted)).map(|(_, id)| *id),
        );
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

fn compile(pattern: &str) -> Result<Pattern, &'static str> {
    let items = pattern.split_whitespace().map(item).collect::<Result<Vec<Item>, _>>()?;
    // The longest word in front of the first item of unknown width is likely the rarest one.
    let gap = |item: &Item| matches!(item, Item::Gap { .. });
    let loose = |item: &Item| gap(item) || matches!(item, Item::One { optional: true, .. });
    let reach = |stops: &dyn Fn(&Item) -> bool| items.iter().position(stops).unwrap_or(items.len());
    let rarity = |item: &Item| match item {
        Item::One { tests, negated: false, optional: false } => {
            tests.iter().map(test_rarity).min().unwrap_or(0)
        }
        _ => 0,
    };
    let rarest = |reach: usize| {
        let best = (0..reach).max_by_key(|&at| rarity(&items[at]));
        best.filter(|&at| rarity(&items[at]) > 0)
    };
    let anchor = rarest(reach(&loose)).or_else(|| rarest(reach(&gap)));
    let anchor = anchor.ok_or("needs a word or class before its first gap")?;
    Ok(Pattern { items, anchor })
}

fn test_rarity(test: &Test) -> usize {
    match test {
        Test::Word(word) => word.len(),
        Test::Prefix(prefix) => prefix.len() + 1,
        Test::Class(_) => 6,
        Test::Number | Test::Capital | Test::Any => 0,
    }
}

fn item(text: &str) -> Result<Item, &'static str> {
    match text {
        "^" => return Ok(Item::Start),
        "$" => return Ok(Item::End),
        ".." => return Ok(Item::Gap { most: 3, punctuation: false }),
        "..." => return Ok(Item::Gap { most: 12, punctuation: true }),
        _ => {}
    }
    let (negated, rest) = text
        .strip_prefix('!')
        .filter(|rest| !rest.is_empty())
        .map_or((false, text), |rest| (true, rest));
    let (optional, rest) = rest
        .strip_suffix('?')
        .filter(|rest| !rest.is_empty())
        .map_or((false, rest), |rest| (true, rest));
    let tests = rest.split('|').map(test).collect::<Result<Vec<Test>, _>>()?;
    Ok(Item::One { tests, negated, optional })
}

fn test(text: &str) -> Result<Test, &'static str> {
    if let Some(name) = text.strip_prefix('@') {
        return lexicon::by_name(name).map(Test::Class).ok_or("names a class that has no list");
    }
    if let Some(prefix) = text.strip_suffix('*') {
        return Ok(Test::Prefix(prefix.into()));
    }
    match text {
        "" => Err("has an empty alternative"),
        "#number" => Ok(Test::Number),
        "#capital" => Ok(Test::Capital),
        "_" => Ok(Test::Any),
        word if word.chars().any(char::is_uppercase) => Err("words are written in lower case"),
        word => Ok(Test::Word(word.into())),
    }
}

impl Pattern {
    /// The tokens matched when the anchor stands at `at`, inside the sentence of these bounds.
    fn match_at(&self, index: &Index<'_>, bounds: &Bounds, at: usize) -> Option<Range<usize>> {
        let mut first = at;
        for item in self.items[..self.anchor].iter().rev() {
            match item {
                Item::Start if first <= bounds.first_word => {}
                Item::One { .. }
                    if first > bounds.tokens.start
                        && item.accepts(index, &index.tokens[first - 1]) =>
                {
                    first -= 1;
                }
                Item::One { optional: true, .. } => {}
                _ => return None,
            }
        }
        let end = rest(&self.items[self.anchor..], index, bounds, at)?;
        Some(first..end)
    }
}

/// Matches `items` from token `at` on; the position after the last one.
fn rest(items: &[Item], index: &Index<'_>, bounds: &Bounds, at: usize) -> Option<usize> {
    let Some((item, others)) = items.split_first() else { return Some(at) };
    match item {
        Item::Start => (at <= bounds.first_word).then(|| rest(others, index, bounds, at)).flatten(),
        Item::End => (at >= bounds.words_end).then(|| rest(others, index, bounds, at)).flatten(),
        Item::One { optional, .. } => {
            let here = at < bounds.tokens.end && item.accepts(index, &index.tokens[at]);
            let taken = here.then(|| rest(others, index, bounds, at + 1)).flatten();
            taken.or_else(|| optional.then(|| rest(others, index, bounds, at)).flatten())
        }
        Item::Gap { most, punctuation } => {
            for skipped in 0..=*most {
                if let Some(end) = rest(others, index, bounds, at + skipped) {
                    return Some(end);
                }
                let next = index.tokens[..bounds.tokens.end].get(at + skipped)?;
                if !punctuation
                    && next.kind == Kind::Mark
                    && !index.raw(next).starts_with(['\'', '\u{2019}'])
                {
                    return None;
                }
            }
            None
        }
    }
}

impl Item {
    fn accepts(&self, index: &Index<'_>, token: &Token) -> bool {
        let Self::One { tests, negated, .. } = self else { return false };
        let any = tests.iter().any(|test| match test {
            Test::Word(word) => index.lower(token) == &**word,
            Test::Prefix(prefix) => index.lower(token).starts_with(&**prefix),
            Test::Class(class) => index.is(token, *class),
            Test::Number => token.kind == Kind::Number,
            Test::Capital => {
                token.kind == Kind::Word && !matches!(token.case, super::index::Case::Lower)
            }
            Test::Any => true,
        });
        any != *negated
    }
}

/// A sentence's tokens, and where its words begin and end.
struct Bounds {
    tokens: Range<usize>,
    first_word: usize,
    words_end: usize,
}

impl Bounds {
    fn new(index: &Index<'_>, tokens: Range<usize>) -> Self {
        let is_word = |at: &usize| index.tokens[*at].kind != Kind::Mark;
        let first_word = tokens.clone().find(is_word).unwrap_or(tokens.end);
        let words_end = tokens.clone().rev().find(is_word).map_or(tokens.start, |at| at + 1);
        Self { tokens, first_word, words_end }
    }
}

#[cfg(test)]
mod tests;
