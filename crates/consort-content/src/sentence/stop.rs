//! Does a full stop end a sentence, or an abbreviation, an initial, a number?

use super::boundary::{Before, titled};
use super::lists::{self, After};

/// Decides for a full stop with white space after it. `next` is the first character after that
/// space, `follower` the first word.
pub(super) fn ends(before: Before<'_>, next: char, follower: &str) -> bool {
    let word = before.word;
    if word.is_empty() {
        return !next.is_lowercase();
    }
    let follows = Follows {
        lower: next.is_lowercase(),
        digit: next.is_numeric(),
        opener: lists::has("opener", &titled(follower)),
        word: follower,
        next,
    };
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        return number(before, follows);
    }
    if before.first
        && word.len() <= 4
        && word.bytes().all(|byte| matches!(byte, b'i' | b'v' | b'x'))
    {
        // `iv. Results`
        return false;
    }
    if word.eq_ignore_ascii_case("no") && follows.digit {
        // `No. 4` against `The answer is no. 5 people left.`
        return ["is", "was", "said", "says", "say", "voted", "answered"].contains(&before.prior);
    }
    let mut letters = word.chars();
    if let (Some(letter), None) = (letters.next(), letters.next()) {
        if letter.is_uppercase() {
            return initial(before, follows);
        }
        if letter.is_lowercase() {
            return small_letter(before, follows);
        }
    }
    if let Some(after) = lists::abbreviation(word) {
        return match after {
            After::Never => false,
            After::Opener => follows.opener,
            After::Upper if word.ends_with(['m', 'M']) && lists::has("after_time", follower) => {
                false
            }
            After::Upper => !follows.lower,
            After::Number => !follows.digit && ordinary(before, follows),
        };
    }
    if lists::has("et", word) && before.prior == "et" {
        return follows.opener;
    }
    if is_acronym(word) {
        return follows.opener || matches!(next, '"' | '\u{201C}' | '\u{AB}' | '\u{201E}');
    }
    ordinary(before, follows)
}

/// What comes after the full stop.
#[derive(Clone, Copy, Debug)]
struct Follows<'a> {
    lower: bool,
    digit: bool,
    opener: bool,
    word: &'a str,
    next: char,
}

fn number(before: Before<'_>, follows: Follows<'_>) -> bool {
    let short = before.word.len() <= 3;
    if before.first && short {
        // `1. Open the box.`
        return false;
    }
    if follows.lower {
        return before.casual && !short;
    }
    let ordinal = before.word.len() <= 2 && lists::has("ordinal", &before.prior.to_lowercase());
    !(ordinal && !follows.opener && follows.next.is_alphabetic())
}

fn initial(before: Before<'_>, follows: Follows<'_>) -> bool {
    let prior = before.prior;
    // A chain such as `z. B.` stays whole.
    let chained = prior.len() == 2
        && prior.ends_with('.')
        && prior.starts_with(|c: char| c.is_ascii_lowercase());
    if before.first || follows.lower || chained {
        return false;
    }
    let labelled = lists::has("labelled", &prior.to_lowercase());
    labelled || follows.opener || !follows.next.is_alphabetic()
}

fn small_letter(before: Before<'_>, follows: Follows<'_>) -> bool {
    let prior = before.prior;
    if prior.ends_with(|c: char| c.is_numeric()) {
        // A unit or `2019 г.`
        return !follows.lower;
    }
    let mut letters = prior.trim_end_matches('.').chars();
    let chained = prior.ends_with('.') && letters.next().is_some() && letters.next().is_none();
    if chained && matches!(before.word, "д" | "п") {
        // `и т. д.` may end a sentence.
        return !follows.lower;
    }
    !chained
        && follows.opener
        && lists::abbreviation(before.word).is_none_or(|after| after != After::Never)
}

/// Single letters, or pairs, with stops between them: `U.S`, `J.P`, `EE` before `UU`.
fn is_acronym(word: &str) -> bool {
    let dotted = word.contains('.')
        && word.split('.').all(|part| {
            let mut letters = part.chars();
            letters.next().is_some_and(char::is_alphabetic) && letters.count() <= 1
        });
    let mut letters = word.chars();
    let doubled = match (letters.next(), letters.next(), letters.next()) {
        (Some(one), Some(two), None) => one == two && one.is_uppercase(),
        _ => false,
    };
    dotted || doubled
}

/// A word on no list.
fn ordinary(before: Before<'_>, follows: Follows<'_>) -> bool {
    if !follows.lower {
        return true;
    }
    let word = before.word;
    let branded = follows.word.chars().skip(1).any(char::is_uppercase);
    if branded {
        return true;
    }
    let small =
        word.chars().all(|c| c.is_ascii_lowercase() || c == '\'' || c == '\u{2019}' || c == '-');
    let vowel = word.contains(['a', 'e', 'i', 'o', 'u', 'y']);
    small && vowel && word.len() >= if before.casual { 2 } else { 3 }
}
