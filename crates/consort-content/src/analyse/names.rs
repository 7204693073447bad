//! Runs of capitalised words that look like names.

use std::ops::Range;

use super::index::{Case, Index, Kind, Token};
use super::lexicon::{self, Class};
use super::sentiment;

/// A name where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Sentence that holds it.
    pub(crate) sentence: usize,
    /// Positions among the document's tokens, titles in front left out.
    pub(crate) tokens: Range<usize>,
    /// True when a title such as `Dr` or `President` stood in front.
    pub(crate) titled: bool,
}

/// Most words of one name.
const MAX_WORDS: usize = 8;

/// How often each word is written small, and capitalised inside a sentence.
struct Forms {
    small: Vec<u32>,
    inside: Vec<u32>,
}

impl Forms {
    fn new(index: &Index<'_>) -> Self {
        let mut forms = Self {
            small: vec![0; index.vocabulary.len()],
            inside: vec![0; index.vocabulary.len()],
        };
        for id in 0..index.len() {
            if is_title_case(index, id) {
                continue;
            }
            let mut first = true;
            for token in index.tokens_of(id) {
                if token.kind != Kind::Word {
                    first |= opens(index, token);
                    continue;
                }
                match token.case {
                    Case::Lower => forms.small[token.word as usize] += 1,
                    _ if !first => forms.inside[token.word as usize] += 1,
                    _ => {}
                }
                first = false;
            }
        }
        forms
    }
}

/// Every run of the document, in text order.
pub(crate) fn find(index: &Index<'_>) -> Vec<Run> {
    let forms = Forms::new(index);
    let mut found = Vec::new();
    for sentence in 0..index.len() {
        if is_title_case(index, sentence) {
            continue;
        }
        let range = index.range(sentence);
        let mut at = range.start;
        let mut first = true;
        while at < range.end {
            let token = &index.tokens[at];
            let known = is_name(index, token) || leads_place(index, &range, at);
            if !known || (first && !starts_name(index, &forms, &range, at)) {
                first = (first && token.kind != Kind::Word) || opens(index, token);
                at += 1;
                continue;
            }
            first = false;
            let end = run_end(index, &range, at);
            found.extend(trimmed(index, sentence, at..end));
            at = end;
        }
    }
    found
}

/// True for marks behind which a capital says as little as at the start of a sentence: an opening
/// quotation mark, a colon, the edge of a table's cell.
fn opens(index: &Index<'_>, token: &Token) -> bool {
    let spaced = index.doc.text[..token.start as usize].ends_with(char::is_whitespace);
    match index.raw(token) {
        "|" | ":" | "\u{2022}" | "\u{201c}" | "\u{ab}" | "\u{201e}" => true,
        "\"" | "\u{2018}" | "(" => spaced,
        _ => false,
    }
}

/// A heading in which nearly every word is capitalised says nothing about names.
fn is_title_case(index: &Index<'_>, id: usize) -> bool {
    let words = index
        .tokens_of(id)
        .iter()
        .filter(|token| token.kind == Kind::Word && !index.is(token, Class::STOP));
    let (mut capital, mut total) = (0_usize, 0_usize);
    for word in words {
        total += 1;
        capital += usize::from(word.case != Case::Lower);
    }
    total >= 4 && capital * 10 >= total * 8
}

/// A capitalised word that is not a function word, a day or a month.
fn is_name(index: &Index<'_>, token: &Token) -> bool {
    let dated = Class::MONTH.union(Class::WEEKDAY);
    match token.case {
        _ if token.kind != Kind::Word || index.is(token, dated) => false,
        Case::Lower => false,
        // A word of feeling in capitals is shouted, not an acronym.
        Case::Upper => !sentiment::is_charged(index.raw(token)),
        Case::Mixed => token.end - token.start > 1,
        Case::Title => !index.is(token, Class::STOP.union(Class::FIRST_PERSON)),
    }
}

/// `Lower` of `Lower Town`: a common word that is part of the name because of what follows.
fn leads_place(index: &Index<'_>, range: &Range<usize>, at: usize) -> bool {
    let leads = matches!(
        index.lower(&index.tokens[at]),
        "lower"
            | "upper"
            | "new"
            | "old"
            | "great"
            | "little"
            | "north"
            | "south"
            | "east"
            | "west"
    );
    let next = (at + 1 < range.end).then(|| &index.tokens[at + 1]);
    leads
        && index.tokens[at].case == Case::Title
        && next.is_some_and(|next| {
            let known = index.is(next, Class::PLACE_HEAD.union(Class::PLACE))
                || lexicon::is_place(&index.span(at, at + 1).of(&index.doc.text).to_lowercase());
            next.case == Case::Title && is_name(index, next) && known
        })
}

/// The first word of a sentence is capitalised anyway: it is a name only on further evidence.
fn starts_name(index: &Index<'_>, forms: &Forms, range: &Range<usize>, at: usize) -> bool {
    let token = &index.tokens[at];
    if token.case != Case::Title {
        return true;
    }
    let known =
        Class::GIVEN_NAME.union(Class::PLACE).union(Class::PERSON_TITLE).union(Class::ORG_HEAD);
    let next = (at + 1 < range.end).then(|| &index.tokens[at + 1]);
    let leads = next.is_some_and(|next| is_name(index, next) && next.case == Case::Title);
    let small = forms.small[token.word as usize];
    let inside = forms.inside[token.word as usize];
    if small > 0 && !leads {
        return inside > small;
    }
    inside > 0
        || index.is(token, Class::PLACE.union(Class::GIVEN_NAME))
        || (leads && (small == 0 || index.is(token, known)))
}

/// Where the name that starts at `at` ends: it goes on over capitalised words and over the small
/// words that join them.
fn run_end(index: &Index<'_>, range: &Range<usize>, at: usize) -> usize {
    let mut end = at + 1;
    while end < range.end && end - at < MAX_WORDS {
        let token = &index.tokens[end];
        if is_name(index, token) && is_near(index, end) {
            end += 1;
            continue;
        }
        let Some(width) = joiner(index, range, at, end) else { break };
        end += width;
    }
    end
}

/// True when only spaces part token `at` from the one before it.
fn is_near(index: &Index<'_>, at: usize) -> bool {
    let gap = &index.doc.text[index.tokens[at - 1].end as usize..index.tokens[at].start as usize];
    gap.len() <= 3 && !gap.contains('\n')
}

/// True when nothing parts token `at` from the one before it.
fn is_touching(index: &Index<'_>, at: usize) -> bool {
    index.tokens[at - 1].end == index.tokens[at].start
}

/// Words such as `van` inside a person's name, or `of the` inside an institution's, with the name that follows.
fn joiner(index: &Index<'_>, range: &Range<usize>, start: usize, at: usize) -> Option<usize> {
    let name_at = |at: usize| at < range.end && is_name(index, &index.tokens[at]);
    let word = index.lower(&index.tokens[at]);
    let heads = Class::ORG_HEAD.union(Class::PLACE_HEAD);
    match word {
        "van" | "von" | "de" | "del" | "della" | "di" | "da" | "dos" | "du" | "bin" | "ibn"
        | "al" | "el" | "y" | "der" | "den" | "la" | "le" => {
            let width = (1..=2).find(|&width| name_at(at + width))?;
            Some(width + 1)
        }
        "of" | "for" if (start..at).any(|at| index.is(&index.tokens[at], heads)) => {
            let the =
                usize::from(at + 1 < range.end && index.lower(&index.tokens[at + 1]) == "the");
            name_at(at + 1 + the).then_some(2 + the)
        }
        "&" => name_at(at + 1).then_some(2),
        // `King's Cross`, `St Mary's Hospital`: what belongs to somebody, and is named for it.
        "'s" if is_touching(index, at) => {
            let named = at + 1 < range.end && index.is(&index.tokens[at + 1], heads);
            (named && name_at(at + 1)).then_some(2)
        }
        _ => None,
    }
}

/// The run without titles in front; nothing when only titles or adjectives of nations are left.
fn trimmed(index: &Index<'_>, sentence: usize, tokens: Range<usize>) -> Option<Run> {
    let titles =
        tokens.clone().take_while(|&at| index.is(&index.tokens[at], Class::PERSON_TITLE)).count();
    let rest = tokens.start + titles..tokens.end;
    if rest.is_empty() {
        return None;
    }
    let is = |at: usize, class: Class| index.is(&index.tokens[at], class);
    // `Harbour Commissioner` is an office, `YOU HAVE WON` is shouted.
    let office = titles == 0
        && rest.len() > 1
        && is(rest.end - 1, Class::PERSON_TITLE)
        && !is(rest.start, Class::GIVEN_NAME);
    let long = |at: usize| index.tokens[at].end - index.tokens[at].start > 8;
    let capitals = rest.clone().all(|at| index.tokens[at].case == Case::Upper);
    let shouted = capitals
        && !is(rest.start, Class::GIVEN_NAME.union(Class::PLACE))
        && (rest.len() > 1 || long(rest.start))
        && !is_dateline(index, sentence, &rest);
    if office || shouted {
        return None;
    }
    let only_nation = rest.clone().all(|at| {
        index.is(&index.tokens[at], Class::NATION) && !index.is(&index.tokens[at], Class::PLACE)
    });
    (!only_nation).then_some(Run { sentence, tokens: rest, titled: titles > 0 })
}

/// `LULEHAMN, 14 October – `: where a report was written, in capitals at its start.
pub(crate) fn is_dateline(index: &Index<'_>, sentence: usize, tokens: &Range<usize>) -> bool {
    let range = index.range(sentence);
    let dash =
        |at: usize| matches!(index.raw(&index.tokens[at]), "\u{2013}" | "\u{2014}" | "-" | ")");
    let near = tokens.end..range.end.min(tokens.end + 6);
    tokens.start == range.start
        && tokens.clone().all(|at| index.tokens[at].case == Case::Upper)
        && near.clone().any(dash)
}

impl Run {
    /// The name as written, with single spaces.
    pub(crate) fn text(&self, index: &Index<'_>) -> String {
        let written = index.span(self.tokens.start, self.tokens.end - 1).of(&index.doc.text);
        written.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}
