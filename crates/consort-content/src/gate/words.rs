//! Words as the gate counts them.

/// One word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<'a> {
    /// As written.
    pub(super) written: &'a str,
    /// In lower case.
    pub(super) lower: &'a str,
}

impl Word<'_> {
    /// True when it has four letters or more.
    pub(super) fn is_long(&self) -> bool {
        self.written.chars().filter(|c| c.is_alphabetic()).take(4).count() == 4
    }

    /// True when its script has upper and lower case, and all its letters are capitals.
    pub(super) fn is_shouted(&self) -> bool {
        // A capital has another lower case, except in a word that has no capital at all.
        self.written != self.lower && !self.written.chars().any(char::is_lowercase)
    }

    /// True for a link, an e-mail address or a bare domain with a path.
    pub(super) fn is_address(&self) -> bool {
        let word = self.lower;
        word.contains("://")
            || word.starts_with("www.")
            || (word.contains('@') && word.contains('.'))
    }
}

/// Calls `visit` for every word of `text`, in order.
///
/// Words are parted by white space and stripped of outer punctuation; every character of a script
/// that is written without spaces is a word of its own.
pub(super) fn each(text: &str, mut visit: impl FnMut(Word<'_>)) {
    let mut lower = String::new();
    for token in text.split_whitespace() {
        let token = token.trim_matches(|c: char| !c.is_alphanumeric());
        if token.is_empty() {
            continue;
        }
        if token.is_ascii() {
            lower.clear();
            lower.push_str(token);
            lower.make_ascii_lowercase();
            visit(Word { written: token, lower: &lower });
            continue;
        }
        let mut rest = token;
        // Addresses and spaced words come in one piece.
        while let Some(at) = rest.find(unspaced) {
            emit(&rest[..at], &mut lower, &mut visit);
            let size = rest[at..].chars().next().map_or(1, char::len_utf8);
            emit(&rest[at..at + size], &mut lower, &mut visit);
            rest = &rest[at + size..];
        }
        emit(rest, &mut lower, &mut visit);
    }
}

fn emit(written: &str, lower: &mut String, visit: &mut impl FnMut(Word<'_>)) {
    if !written.chars().any(char::is_alphanumeric) {
        return;
    }
    lower.clear();
    lower.extend(written.chars().flat_map(char::to_lowercase));
    visit(Word { written, lower });
}

/// True for scripts that put no spaces between words.
const fn unspaced(c: char) -> bool {
    matches!(c,
        '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}'
        | '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}'
        | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}
