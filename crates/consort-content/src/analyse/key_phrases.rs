//! Key phrases of one to three words by YAKE (Campos et al., Information Sciences 509, 2020),
//! after the MIT-licensed crate `yake-rust`, computed on the shared index in linear time.

use foldhash::{HashMap, HashMapExt as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::index::{Case, Index, Kind, Token};
use super::lexicon::Class;
use super::limits::Limits;
use super::place::Place;
use crate::document::Span;

/// A phrase that tells what the text is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KeyPhrase {
    /// The phrase as it stands in the text at its first place.
    pub text: String,
    /// YAKE's score; above 0, the lower the more characteristic. Comparable within one text only.
    pub score: f64,
    /// Occurrences.
    pub count: u32,
    /// The first few occurrences.
    pub places: Vec<Place>,
}

/// Words per phrase at most.
const MAX_WORDS: usize = 3;
/// Letters per phrase at least.
const MIN_CHARS: usize = 3;
/// Phrases at least this similar (by edit distance) to a better one are dropped.
const SAME: f64 = 0.9;
/// Candidates kept for each phrase wanted: the others are too similar to a better one.
const SIMILAR: usize = 100;
/// Occurrences listed per phrase.
const MAX_PLACES: usize = 12;
/// A term that breaks phrases.
const NO_TERM: u32 = u32::MAX;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tag {
    Digit,
    Punctuation,
    Unparsable,
    Acronym,
    Upper,
    Plain,
}

impl Tag {
    fn of(index: &Index<'_>, token: &Token, starts_sentence: bool) -> Self {
        let raw = index.raw(token);
        match token.kind {
            Kind::Number if raw.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b',')) => {
                Self::Digit
            }
            Kind::Mark if raw.is_ascii() => Self::Punctuation,
            Kind::Number | Kind::Mark | Kind::Address => Self::Unparsable,
            Kind::Word if is_unparsable(raw) => Self::Unparsable,
            Kind::Word if raw.chars().all(char::is_uppercase) => Self::Acronym,
            Kind::Word if token.case == Case::Title && !starts_sentence => Self::Upper,
            Kind::Word => Self::Plain,
        }
    }

    const fn breaks(self) -> bool {
        matches!(self, Self::Digit | Self::Punctuation | Self::Unparsable)
    }
}

/// Letters mixed with digits, or two different signs inside.
fn is_unparsable(raw: &str) -> bool {
    let signs =
        [b'\'', b'-', b'.', b'&', b'_'].iter().filter(|sign| raw.as_bytes().contains(sign)).count();
    signs > 1 || raw.bytes().any(|b| b.is_ascii_digit())
}

/// One token as YAKE sees it.
#[derive(Clone, Copy)]
struct Unit {
    token: u32,
    /// The word without a plural `s`; [`NO_TERM`] for punctuation.
    term: u32,
    tag: Tag,
    stop: bool,
}

#[derive(Clone, Default)]
struct Stats {
    count: f64,
    acronym: f64,
    upper: f64,
    sentences: Vec<u32>,
    left: (f64, f64),
    right: (f64, f64),
    score: f64,
    stop: bool,
}

/// The best phrases, best first.
pub(crate) fn find(index: &Index<'_>, limits: &Limits) -> Vec<KeyPhrase> {
    let terms = Terms::new(index);
    let units = units(index, &terms);
    let mut stats = count(index, &units, terms.count);
    let pairs = neighbours(&units, &mut stats);
    score_terms(&mut stats, index.len());
    let score = |candidate: &Candidate| weigh(candidate, &units, &stats, &pairs);
    let candidates = candidates(index, &units, limits.key_phrases * SIMILAR, score);
    best(index, &units, &candidates, limits.key_phrases)
}

/// Numbers of the terms behind the words: `cats` and `cat` are one term.
struct Terms {
    of_word: Vec<u32>,
    stop: Vec<bool>,
    count: usize,
}

impl Terms {
    fn new(index: &Index<'_>) -> Self {
        let mut numbers: HashMap<&str, u32> = HashMap::with_capacity(index.vocabulary.len());
        let mut of_word = Vec::with_capacity(index.vocabulary.len());
        let mut stop = Vec::with_capacity(index.vocabulary.len());
        let stops: std::collections::HashSet<&str> = index
            .vocabulary
            .iter()
            .filter(|e| e.class.intersects(Class::STOP))
            .map(|e| &*e.text)
            .collect();
        for entry in &index.vocabulary {
            let single = singular(&entry.text);
            let next = numbers.len() as u32;
            of_word.push(*numbers.entry(single).or_insert(next));
            let letters = single.chars().filter(|c| !c.is_ascii_punctuation()).count();
            stop.push(entry.class.intersects(Class::STOP) || stops.contains(single) || letters < 3);
        }
        Self { of_word, stop, count: numbers.len() }
    }
}

fn singular(word: &str) -> &str {
    let long = word.chars().nth(3).is_some();
    if long { word.strip_suffix('s').unwrap_or(word) } else { word }
}

/// The tokens of every sentence, each sentence closed by punctuation.
fn units(index: &Index<'_>, terms: &Terms) -> Vec<Unit> {
    let mut units = Vec::with_capacity(index.tokens.len() + index.len());
    for id in 0..index.len() {
        let mut first = true;
        for at in index.range(id) {
            let token = &index.tokens[at];
            if token.kind == Kind::Mark
                && token.end - token.start > 1
                && index.lower(token).starts_with('\'')
            {
                continue;
            }
            let tag = Tag::of(index, token, first);
            first = false;
            let term =
                if tag == Tag::Punctuation { NO_TERM } else { terms.of_word[token.word as usize] };
            units.push(Unit { token: at as u32, term, tag, stop: terms.stop[token.word as usize] });
        }
        units.push(Unit { token: u32::MAX, term: NO_TERM, tag: Tag::Punctuation, stop: true });
    }
    units
}

fn count(index: &Index<'_>, units: &[Unit], terms: usize) -> Vec<Stats> {
    let mut stats = vec![Stats::default(); terms];
    let mut sentence = 0_u32;
    for unit in units {
        if unit.token == u32::MAX {
            sentence += 1;
        }
        if unit.term == NO_TERM {
            continue;
        }
        let seen = &mut stats[unit.term as usize];
        seen.count += 1.0;
        seen.acronym += f64::from(u8::from(unit.tag == Tag::Acronym));
        seen.upper += f64::from(u8::from(unit.tag == Tag::Upper));
        seen.stop = unit.stop;
        if seen.sentences.last() != Some(&sentence) {
            seen.sentences.push(sentence);
        }
    }
    debug_assert_eq!(sentence as usize, index.len());
    stats
}

/// How often each term follows each other, sorted by pair; fills the terms' dispersion on both sides.
fn neighbours(units: &[Unit], stats: &mut [Stats]) -> Vec<(u64, u32)> {
    let is_term = |unit: &Unit| !unit.tag.breaks();
    let mut pairs: Vec<u64> = units
        .windows(2)
        .filter(|pair| is_term(&pair[0]) && is_term(&pair[1]))
        .map(|pair| u64::from(pair[0].term) << 32 | u64::from(pair[1].term))
        .collect();
    pairs.sort_unstable();
    let counted: Vec<(u64, u32)> =
        pairs.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as u32)).collect();
    for &(pair, times) in &counted {
        let (left, right) = ((pair >> 32) as usize, (pair & 0xffff_ffff) as usize);
        stats[left].right.0 += 1.0;
        stats[left].right.1 += f64::from(times);
        stats[right].left.0 += 1.0;
        stats[right].left.1 += f64::from(times);
    }
    counted
}

fn score_terms(stats: &mut [Stats], sentences: usize) {
    let telling: Vec<f64> =
        stats.iter().filter(|s| !s.stop && s.count > 0.0).map(|s| s.count).collect();
    let number = telling.len().max(1) as f64;
    let mean = telling.iter().sum::<f64>() / number;
    let deviation =
        (telling.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / number).sqrt();
    let most = stats.iter().map(|s| s.count).fold(1.0, f64::max);
    for term in stats.iter_mut().filter(|term| term.count > 0.0) {
        let casing = term.acronym.max(term.upper) / (1.0 + term.count.ln());
        let position = (3.0 + median(&term.sentences)).ln().ln();
        let frequency = term.count / (mean + deviation);
        let dispersion =
            |(distinct, total): (f64, f64)| if total == 0.0 { 0.0 } else { distinct / total };
        let relatedness =
            1.0 + (dispersion(term.left) + dispersion(term.right)) * (term.count / most);
        let spread = term.sentences.len() as f64 / sentences as f64;
        term.score =
            relatedness * position / (casing + frequency / relatedness + spread / relatedness);
    }
}

fn median(sorted: &[u32]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        return f64::from(sorted[middle]);
    }
    f64::midpoint(f64::from(sorted[middle - 1]), f64::from(sorted[middle]))
}

/// A phrase that may be told, counted and weighed.
struct Candidate {
    /// Position of the first occurrence among the units.
    first: u32,
    words: u8,
    count: u32,
    score: f64,
}

/// An occurrence of a candidate: its words, and the position of the first among the units.
type Occurrence = ([u32; MAX_WORDS], u32);

/// Every run of up to three words that neither starts nor ends with a stop word, weighed; of each length only the
/// best `most`. One length after the other: nearly every run of three is new, and they are many.
fn candidates(
    index: &Index<'_>,
    units: &[Unit],
    most: usize,
    score: impl Fn(&Candidate) -> f64,
) -> Vec<Candidate> {
    let chars: Vec<u32> =
        index.vocabulary.iter().map(|entry| entry.text.chars().count() as u32).collect();
    let mut found: Vec<Candidate> = Vec::new();
    for length in 1..=MAX_WORDS {
        let mut occurrences: Vec<Occurrence> = (0..units.len())
            .filter_map(|start| Some((words(index, units, &chars, start, length)?, start as u32)))
            .collect();
        occurrences.sort_unstable();
        let all = occurrences.chunk_by(|a, b| a.0 == b.0).map(|run| {
            let (first, count) = (run[0].1, run.len() as u32);
            let candidate = Candidate { first, words: length as u8, count, score: 0.0 };
            Candidate { score: score(&candidate), ..candidate }
        });
        found.extend(top(all, most));
    }
    found.sort_by(better);
    found
}

/// The words of the candidate of `length` words at `start`, if there is one.
fn words(
    index: &Index<'_>,
    units: &[Unit],
    chars: &[u32],
    start: usize,
    length: usize,
) -> Option<[u32; MAX_WORDS]> {
    let run = units.get(start..start + length)?;
    let (first, last) = (run.first()?, run.last()?);
    if first.stop || last.stop || run.iter().any(|unit| unit.tag.breaks()) {
        return None;
    }
    let mut key = [u32::MAX; MAX_WORDS];
    let mut letters = 0;
    for (word, unit) in key.iter_mut().zip(run) {
        *word = index.tokens[unit.token as usize].word;
        letters += chars[*word as usize] as usize;
    }
    (letters >= MIN_CHARS).then_some(key)
}

/// The best `most`, in any order, without holding all of them.
fn top(all: impl Iterator<Item = Candidate>, most: usize) -> Vec<Candidate> {
    let mut kept: Vec<Candidate> = Vec::new();
    for candidate in all {
        kept.push(candidate);
        if kept.len() >= 2 * most {
            kept.select_nth_unstable_by(most, better);
            kept.truncate(most);
        }
    }
    kept
}

/// Best score first, then text order.
fn better(a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
    a.score.total_cmp(&b.score).then(a.first.cmp(&b.first)).then(a.words.cmp(&b.words))
}

fn weigh(candidate: &Candidate, units: &[Unit], stats: &[Stats], pairs: &[(u64, u32)]) -> f64 {
    let words =
        &units[candidate.first as usize..candidate.first as usize + candidate.words as usize];
    let follows = |left: u32, right: u32| {
        let key = u64::from(left) << 32 | u64::from(right);
        pairs.binary_search_by_key(&key, |pair| pair.0).map_or(0.0, |at| f64::from(pairs[at].1))
    };
    let (mut product, mut sum) = (1.0, 0.0);
    for (at, unit) in words.iter().enumerate() {
        if !unit.stop {
            product *= stats[unit.term as usize].score;
            sum += stats[unit.term as usize].score;
            continue;
        }
        // A stop word inside counts by how firmly it binds its neighbours.
        let (before, after) = (words[at - 1].term, words[at + 1].term);
        let binds = follows(before, unit.term) / stats[before as usize].count
            * (follows(unit.term, after) / stats[after as usize].count);
        product *= 2.0 - binds;
        sum -= 1.0 - binds;
    }
    if sum == -1.0 {
        sum = 0.999_999_999;
    }
    product / (f64::from(candidate.count) * (1.0 + sum))
}

/// Takes candidates in order, leaving out those nearly equal to a better one.
fn best(
    index: &Index<'_>,
    units: &[Unit],
    candidates: &[Candidate],
    limit: usize,
) -> Vec<KeyPhrase> {
    let mut taken: Vec<(String, &Candidate)> = Vec::new();
    for candidate in candidates {
        if taken.len() == limit {
            break;
        }
        let text = span(index, units, candidate.first, candidate.words).of(&index.doc.text);
        let lower = text.to_lowercase();
        if taken.iter().all(|(other, _)| similarity(other, &lower) <= SAME) {
            taken.push((lower, candidate));
        }
    }
    let chosen: Vec<&Candidate> = taken.into_iter().map(|(_, candidate)| candidate).collect();
    let places = places(index, units, &chosen);
    let phrase = |(candidate, places): (&Candidate, Vec<Place>)| {
        let text = span(index, units, candidate.first, candidate.words).of(&index.doc.text);
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        KeyPhrase { text, score: candidate.score, count: candidate.count, places }
    };
    chosen.into_iter().zip(places).map(phrase).collect()
}

fn span(index: &Index<'_>, units: &[Unit], start: u32, words: u8) -> Span {
    let last = start as usize + words as usize - 1;
    index.span(units[start as usize].token as usize, units[last].token as usize)
}

/// The first few occurrences of each of `chosen`.
fn places(index: &Index<'_>, units: &[Unit], chosen: &[&Candidate]) -> Vec<Vec<Place>> {
    let word = |at: usize| match units[at].token {
        u32::MAX => u32::MAX,
        token => index.tokens[token as usize].word,
    };
    let key = |start: usize, words: u8| {
        let mut key = [u32::MAX; MAX_WORDS];
        key.iter_mut().enumerate().take(words.into()).for_each(|(n, at)| *at = word(start + n));
        key
    };
    let mut by_first: HashMap<u32, Vec<usize>> = HashMap::new();
    for (number, candidate) in chosen.iter().enumerate() {
        by_first.entry(word(candidate.first as usize)).or_default().push(number);
    }
    let mut places = vec![Vec::new(); chosen.len()];
    for start in 0..units.len() {
        let Some(numbers) = by_first.get(&word(start)) else { continue };
        for &number in numbers {
            let Candidate { first, words, .. } = *chosen[number];
            let run = units.get(start..start + words as usize);
            let whole = run.is_some_and(|run| run.iter().all(|unit| !unit.tag.breaks()));
            if places[number].len() < MAX_PLACES
                && whole
                && key(start, words) == key(first as usize, words)
            {
                let span = span(index, units, start as u32, words);
                places[number].push(index.place(span, index.sentence_at(span.start)));
            }
        }
    }
    places
}

/// 1 minus the edit distance over the longer length; 1 for equal texts.
fn similarity(a: &str, b: &str) -> f64 {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let longer = a.len().max(b.len());
    // The distance is at least the difference in length: most pairs are decided here.
    if longer == 0 || (longer - a.len().min(b.len())) as f64 >= (1.0 - SAME) * longer as f64 {
        return if longer == 0 { 1.0 } else { 0.0 };
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let kept = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = kept.min(corner + 1).min(row[j] + 1);
        }
    }
    1.0 - row[b.len()] as f64 / longer as f64
}
