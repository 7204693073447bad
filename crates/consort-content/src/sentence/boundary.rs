//! Is this the end of a sentence? Decided from the marks, the word before and the word after.
//!
//! Every look back or ahead is bounded, so splitting is linear in the text whatever it holds.

use super::{lists, stop};

/// Longest word looked at, in bytes: beyond it, no list knows the word.
const WORD: usize = 48;
/// How far ahead a quotation's speaker is looked for, in bytes.
const SPEAKER: usize = 80;

/// A run of end marks and what belongs to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    /// Where the run begins.
    pub(super) start: usize,
    /// Where the sentence would end: after closing quotes, brackets and note numbers.
    pub(super) end: usize,
    pub(super) kind: Kind,
    /// Closing quotes follow the run.
    pub(super) quoted: bool,
    /// Closing brackets follow the run.
    pub(super) bracketed: bool,
}

/// What ends the sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One full stop.
    Stop,
    /// Several, or `…`.
    Dots,
    /// `!` or `?`, alone or in company.
    Cry,
    /// A mark that ends sentences and nothing else, such as `。`, `।`, `؟`.
    Full,
    /// A pictograph where a mark would stand.
    Picture,
}

pub(super) const fn is_cjk(c: char) -> bool {
    matches!(c, '\u{3000}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{FF00}'..='\u{FFEF}')
}

const fn is_full(c: char) -> bool {
    matches!(
        c,
        '\u{3002}'
            | '\u{FF01}'
            | '\u{FF1F}'
            | '\u{FF61}'
            | '\u{61F}'
            | '\u{6D4}'
            | '\u{964}'
            | '\u{965}'
            | '\u{589}'
            | '\u{1362}'
            | '\u{1367}'
            | '\u{203D}'
            | '\u{2047}'
            | '\u{2048}'
            | '\u{2049}'
            | '\u{104A}'
            | '\u{104B}'
            | '\u{17D4}'
            | '\u{17D5}'
    )
}

const fn is_quote(c: char) -> bool {
    matches!(
        c,
        '"' | '\''
            | '\u{201C}'
            | '\u{201D}'
            | '\u{2018}'
            | '\u{2019}'
            | '\u{201E}'
            | '\u{AB}'
            | '\u{BB}'
            | '\u{300C}'..='\u{300F}' | '\u{2039}' | '\u{203A}'
    )
}

const fn is_close_bracket(c: char) -> bool {
    matches!(c, ')' | ']' | '}' | '\u{FF09}' | '\u{3011}')
}

/// Pictographs that people put where a full stop would stand.
pub(super) const fn is_emoji(c: char) -> bool {
    matches!(c, '\u{1F300}'..='\u{1FAFF}' | '\u{2600}'..='\u{27BF}' | '\u{FE0F}' | '\u{200D}' | '\u{2B50}' | '\u{2B55}')
}

/// Reads the run of end marks at `at`, if there is one.
pub(super) fn mark(text: &str, at: usize) -> Option<Mark> {
    let first = text[at..].chars().next()?;
    let mut kind = match first {
        '.' | '\u{FF0E}' => Kind::Stop,
        '\u{2026}' => Kind::Dots,
        '!' | '?' => Kind::Cry,
        ';' | '\u{37E}' if greek_before(text, at) => Kind::Full,
        c if is_full(c) => Kind::Full,
        // Cut off in mid-word: `“Wait —”`.
        '"' | '\u{201D}' if text[..at].ends_with(['\u{2014}', '\u{2013}']) => {
            return Some(Mark {
                start: at,
                end: at + first.len_utf8(),
                kind: Kind::Dots,
                quoted: true,
                bracketed: false,
            });
        }
        c if is_emoji(c) => {
            let end = text.len() - text[at..].trim_start_matches(is_emoji).len();
            return Some(Mark {
                start: at,
                end,
                kind: Kind::Picture,
                quoted: false,
                bracketed: false,
            });
        }
        _ => return None,
    };
    let mut end = at + first.len_utf8();
    while let Some(c) = text[end..].chars().next() {
        // `. . .` is one ellipsis.
        let spaced = c == ' '
            && kind != Kind::Cry
            && text[end + 1..].starts_with('.')
            && text[..end].ends_with('.');
        match c {
            '.' | '\u{2026}' if matches!(kind, Kind::Stop | Kind::Dots) => kind = Kind::Dots,
            _ if spaced => {}
            '!' | '?' => kind = Kind::Cry,
            '.' | '\u{2026}' => {}
            c if is_full(c) => kind = Kind::Full,
            _ => break,
        }
        end += c.len_utf8();
    }
    let mut mark = Mark { start: at, end, kind, quoted: false, bracketed: false };
    close(text, &mut mark);
    Some(mark)
}

/// Extends a mark over closing quotes, brackets, note numbers and pictographs.
fn close(text: &str, mark: &mut Mark) {
    loop {
        let rest = &text[mark.end..];
        let Some(c) = rest.chars().next() else { return };
        if is_quote(c) {
            // In scripts without spaces an opening quote may follow at once.
            if matches!(c, '\u{300C}' | '\u{300E}') || (c == '\u{201C}' && mark.kind == Kind::Full)
            {
                return;
            }
            mark.quoted = true;
            mark.end += c.len_utf8();
        } else if is_close_bracket(c) {
            mark.bracketed = true;
            mark.end += c.len_utf8();
        } else if let Some(length) = note(rest) {
            mark.end += length;
        } else if let Some(after) = rest
            .strip_prefix([' ', '\u{A0}', '\u{202F}'])
            .filter(|after| after.starts_with('\u{BB}'))
        {
            // French puts a space before its closing quote.
            mark.quoted = true;
            mark.end = text.len() - after.len() + '\u{BB}'.len_utf8();
        } else if rest.trim_start_matches(' ').starts_with(is_emoji) && mark.kind != Kind::Dots {
            let after = rest.trim_start_matches(' ').trim_start_matches(is_emoji);
            mark.end = text.len() - after.len();
        } else {
            return;
        }
    }
}

/// `[12]` or superscript digits: a note belongs to the sentence before it.
fn note(rest: &str) -> Option<usize> {
    let raised = rest.len()
        - rest
            .trim_start_matches([
                '\u{B9}', '\u{B2}', '\u{B3}', '\u{2070}', '\u{2074}', '\u{2075}', '\u{2076}',
                '\u{2077}', '\u{2078}', '\u{2079}',
            ])
            .len();
    if raised > 0 {
        return Some(raised);
    }
    let inner = rest.strip_prefix('[')?;
    let digits = inner.bytes().take(4).take_while(u8::is_ascii_digit).count();
    (digits > 0 && inner[digits..].starts_with(']')).then_some(digits + 2)
}

fn greek_before(text: &str, at: usize) -> bool {
    text[..at]
        .chars()
        .next_back()
        .is_some_and(|c| matches!(c, '\u{370}'..='\u{3FF}' | '\u{1F00}'..='\u{1FFF}'))
}

/// True when `mark` ends a sentence of `text` that began at `start`.
pub(super) fn ends(text: &str, start: usize, mark: Mark) -> bool {
    let rest = &text[mark.end..];
    let after = rest.trim_start();
    let Some(next) = after.chars().next() else { return true };
    let apart = after.len() < rest.len();
    if mark.kind == Kind::Full {
        return !mark.quoted || (!next.is_lowercase() && !continues(text, start, after));
    }
    let before = Before::new(text, start, mark.start);
    let follower = follower(after);
    if mark.kind == Kind::Picture {
        return apart && lists::has("opener", &titled(follower));
    }
    if !apart {
        return mark.kind != Kind::Dots
            && !mark.quoted
            && glued(text, mark, before, next, follower);
    }
    // A dash goes on with the sentence: `“Who is there?” — he asked`.
    let undashed = after.trim_start_matches(['\u{2014}', '\u{2013}', '-', ' ']);
    if undashed.len() < after.len() && undashed.starts_with(char::is_lowercase) && !is_item(after) {
        return false;
    }
    let lower = next.is_lowercase();
    if mark.quoted || mark.bracketed {
        return !(lower || mark.quoted && names_speaker(after));
    }
    match mark.kind {
        Kind::Cry => {
            !lower || !(before.is_title() || lists::has("exclaimed", &before.word.to_lowercase()))
        }
        Kind::Stop => stop::ends(before, next, follower),
        Kind::Dots | Kind::Full | Kind::Picture => !lower,
    }
}

/// The word before a mark.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before<'a> {
    /// Back to white space, without opening quotes and brackets. Empty when over-long.
    pub(super) word: &'a str,
    /// The word before that, with its own punctuation.
    pub(super) prior: &'a str,
    /// It opens the sentence or its line.
    pub(super) first: bool,
    /// The sentence opens in lower case, so case says little here.
    pub(super) casual: bool,
}

impl<'a> Before<'a> {
    fn new(text: &'a str, start: usize, end: usize) -> Self {
        let (from, word) = last_word(&text[start..end]);
        let from = start + from;
        let (_, prior) = last_word(text[start..from].trim_end());
        let line = text[start..from]
            .chars()
            .rev()
            .take_while(|c| *c != '\n')
            .take(WORD)
            .any(|c| !c.is_whitespace());
        let opening = text[start..end].chars().take(WORD).find(|c| c.is_alphabetic());
        Self { word, prior, first: !line, casual: opening.is_some_and(char::is_lowercase) }
    }

    /// Capitalised in the middle of a sentence: part of a name or title.
    fn is_title(self) -> bool {
        !self.first && self.word.starts_with(char::is_uppercase) && self.word != "I"
    }
}

/// The last run of visible characters, and where it begins.
fn last_word(text: &str) -> (usize, &str) {
    let floor = text.floor_char_boundary(text.len().saturating_sub(WORD));
    let from = text[floor..].rfind(char::is_whitespace).map(|at| {
        let at = floor + at;
        at + text[at..].chars().next().map_or(1, char::len_utf8)
    });
    match from {
        Some(from) => {
            let word = &text[from..];
            let bare = word.trim_start_matches(|c| {
                is_quote(c) || matches!(c, '(' | '[' | '{' | '\u{BF}' | '\u{A1}' | '*')
            });
            (text.len() - bare.len(), bare)
        }
        None if floor == 0 => {
            let bare = text.trim_start_matches(|c| {
                is_quote(c) || matches!(c, '(' | '[' | '\u{BF}' | '\u{A1}' | '*')
            });
            (text.len() - bare.len(), bare)
        }
        None => (text.len(), ""),
    }
}

/// The word after a mark, without opening quotes and brackets.
fn follower(after: &str) -> &str {
    let bare = after
        .trim_start_matches(|c: char| is_quote(c) || matches!(c, '(' | '[' | '\u{BF}' | '\u{A1}'));
    let end = bare.char_indices().take(WORD).find(|(_, c)| !c.is_alphanumeric()).map(|(at, _)| at);
    &bare[..end.unwrap_or_else(|| bare.floor_char_boundary(WORD.min(bare.len())))]
}

/// `WORD` as `Word`; anything else as it is.
pub(super) fn titled(word: &str) -> std::borrow::Cow<'_, str> {
    let mut letters = word.chars();
    match letters.next() {
        Some(first) if word.len() > 1 && !word.chars().any(char::is_lowercase) => {
            (first.to_string() + &letters.as_str().to_lowercase()).into()
        }
        _ => word.into(),
    }
}

/// Marks without a space after them end a sentence only between two plain words: `over.The`.
fn glued(text: &str, mark: Mark, before: Before<'_>, next: char, follower: &str) -> bool {
    if is_cjk(next) {
        return !before.word.ends_with(|c: char| c.is_ascii_digit());
    }
    let plain =
        before.word.chars().count() >= 3 && before.word.chars().skip(1).all(char::is_lowercase);
    let opens = next.is_uppercase()
        && follower.len() > 1
        && follower.chars().skip(1).all(char::is_lowercase);
    let behind = text[mark.end..].get(follower.len()..).unwrap_or_default();
    let ended = behind.is_empty()
        || behind.starts_with(char::is_whitespace)
        || behind.starts_with([',', ';']);
    plain && opens && ended && (mark.kind == Kind::Cry || !before.is_title())
}

/// `Mr. Brandt told`, `Maria said`: capitalised words and then a verb of speech.
fn names_speaker(after: &str) -> bool {
    let near = &after[..after.floor_char_boundary(SPEAKER.min(after.len()))];
    for (names, word) in near.split_whitespace().take(5).enumerate() {
        if lists::has("speech", word.trim_end_matches([',', '.', ':'])) {
            return names > 0;
        }
        if !word.starts_with(char::is_uppercase) || lists::has("opener", word) {
            return false;
        }
    }
    false
}

/// What follows a closing quotation in a script without spaces and still belongs to it.
fn continues(text: &str, start: usize, after: &str) -> bool {
    // Japanese marks a quotation by a particle.
    if after.starts_with(['\u{3068}', '\u{3063}']) {
        return true;
    }
    // Chinese names the speaker after a quotation that opens the sentence.
    let opens = text[start..].trim_start().starts_with(is_quote);
    let clause = after.char_indices().take(12).find(|(_, c)| is_full(*c));
    let verbs = [
        '\u{8BF4}', '\u{9053}', '\u{95EE}', '\u{558A}', '\u{53EB}', '\u{7B54}', '\u{5199}',
        '\u{7B11}', '\u{8AAA}', '\u{554F}',
    ];
    opens && clause.is_some_and(|(at, _)| after[..at].ends_with(verbs))
}

/// True when a line opens with a bullet, `1.`, `2)`, `a)` or `iv.`.
pub(super) fn is_item(line: &str) -> bool {
    let Some(first) = line.chars().next() else { return false };
    let spaced = |rest: &str| rest.starts_with([' ', '\t']);
    if matches!(
        first,
        '-' | '*'
            | '\u{2022}'
            | '\u{2023}'
            | '\u{25E6}'
            | '\u{2013}'
            | '\u{2014}'
            | '\u{25AA}'
            | '+'
    ) {
        return spaced(&line[first.len_utf8()..]);
    }
    let label = line.bytes().take(6).take_while(u8::is_ascii_alphanumeric).count();
    let (name, rest) = line.split_at(label);
    let Some(rest) = rest.strip_prefix(['.', ')']).filter(|rest| spaced(rest)) else {
        return false;
    };
    let number = name.len() <= 3 && name.bytes().all(|byte| byte.is_ascii_digit());
    let roman = name.bytes().all(|byte| matches!(byte, b'i' | b'v' | b'x'));
    let letter = name.len() == 1 && line[label..].starts_with(')') && !rest.is_empty();
    !name.is_empty() && (number || roman || letter)
}
