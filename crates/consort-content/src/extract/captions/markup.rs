//! The inside of a cue: tags, entities, sound descriptions and speaker marks.

/// A cue's words without markup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cleaned {
    /// From a voice tag (`<v Name>`).
    pub(super) speaker: Option<String>,
    /// Lines with words on them.
    pub(super) lines: Vec<String>,
    /// Sound descriptions removed.
    pub(super) sounds: usize,
    /// A mark says that somebody else speaks from here (`>>`, or a leading dash).
    pub(super) turn: bool,
}

/// Longest tag or bracket looked at: bounds the search for its end.
const REACH: usize = 120;

/// Removes markup from a cue's lines.
pub(super) fn clean<'a>(lines: impl Iterator<Item = &'a String>) -> Cleaned {
    let mut cleaned = Cleaned::default();
    for line in lines {
        let line = strip_tags(line, &mut cleaned.speaker);
        let line = entities(&line);
        let line = strip_sounds(&line, &mut cleaned.sounds);
        let mut words = line.trim();
        if let Some(rest) = words.strip_prefix(">>") {
            cleaned.turn |= cleaned.lines.is_empty();
            words = rest.trim_start_matches(['>', ' ']);
        } else if let Some(rest) = words.strip_prefix(['-', '\u{2013}', '\u{2014}'])
            && rest.trim_start().starts_with(char::is_alphabetic)
        {
            cleaned.turn |= cleaned.lines.is_empty();
            words = rest.trim_start();
        }
        if !words.is_empty() {
            cleaned.lines.push(words.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
    cleaned
}

fn strip_tags(line: &str, speaker: &mut Option<String>) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(['<', '{']) {
        out.push_str(&rest[..at]);
        let tail = &rest[at..];
        let close = if tail.starts_with('<') { '>' } else { '}' };
        let end = tail.char_indices().take(REACH).find(|(_, c)| *c == close).map(|(end, _)| end);
        let inner = end.map(|end| &tail[1..end]).filter(|inner| is_tag(inner, close));
        match (inner, end) {
            (Some(inner), Some(end)) => {
                if let Some(name) = voice(inner) {
                    *speaker = Some(name.to_owned());
                }
                rest = &tail[end + 1..];
            }
            _ => {
                out.push_str(&tail[..1]);
                rest = &tail[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// `<i>`, `</c>`, `<00:01.2>`, `<font …>` and `{\an8}` are tags; `a < b` is not.
fn is_tag(inner: &str, close: char) -> bool {
    let first = inner.bytes().next().unwrap_or(b' ');
    match close {
        '}' => first == b'\\',
        _ => first.is_ascii_alphabetic() || first == b'/' || first.is_ascii_digit(),
    }
}

fn voice(inner: &str) -> Option<&str> {
    let rest = inner.strip_prefix('v')?;
    let name = rest
        .strip_prefix('.')
        .map_or(rest, |classes| classes.find(char::is_whitespace).map_or("", |at| &classes[at..]));
    let spaced = name.starts_with(char::is_whitespace);
    Some(name.trim()).filter(|name| spaced && !name.is_empty())
}

fn entities(line: &str) -> String {
    if !line.contains('&') {
        return line.to_owned();
    }
    // `&amp;` last: `&amp;lt;` means the four characters `&lt;`.
    let pairs = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&apos;", "'"),
        ("&nbsp;", " "),
        ("&lrm;", ""),
        ("&rlm;", ""),
        ("&amp;", "&"),
    ];
    pairs.iter().fold(line.to_owned(), |line, (from, to)| line.replace(from, to))
}

/// Removes `[Music]`, `(LAUGHTER)` and note signs; keeps `[sic]`-like words inside speech.
fn strip_sounds(line: &str, sounds: &mut usize) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(['[', '(', '\u{266A}', '\u{266B}']) {
        out.push_str(&rest[..at]);
        let tail = &rest[at..];
        let Some(open) = tail.chars().next() else { break };
        let close = match open {
            '[' => ']',
            '(' => ')',
            _ => {
                rest = &tail[open.len_utf8()..];
                continue;
            }
        };
        let end = tail.char_indices().take(REACH).find(|(_, c)| *c == close).map(|(end, _)| end);
        match end.filter(|end| is_sound(&tail[1..*end], open, tail.len() == line.trim().len())) {
            Some(end) => {
                *sounds += 1;
                rest = &tail[end + 1..];
            }
            None => {
                out.push(open);
                rest = &tail[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn is_sound(inner: &str, open: char, whole_line: bool) -> bool {
    let letters = inner.chars().filter(|c| c.is_alphabetic()).count();
    let lower = inner.chars().any(char::is_lowercase);
    let plain = inner.chars().all(|c| c.is_alphanumeric() || " '-_,.&\u{2019}".contains(c));
    plain && letters > 2 && (open == '[' || !lower || whole_line)
}
