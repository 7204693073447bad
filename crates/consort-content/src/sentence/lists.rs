//! The word lists beside this file.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// What may follow an abbreviation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Always more of the same sentence.
    Never,
    /// A new sentence only if a word follows that opens sentences.
    Opener,
    /// A new sentence unless what follows opens in lower case.
    Upper,
    /// More of the same sentence if a number follows, else nothing is known.
    Number,
}

#[derive(Debug, Default)]
struct Lists {
    any_case: HashMap<&'static str, After>,
    capital: HashMap<&'static str, After>,
    sets: HashMap<&'static str, HashSet<&'static str>>,
}

static LISTS: LazyLock<Lists> = LazyLock::new(|| {
    let mut lists = Lists::default();
    let mut section = "";
    for line in include_str!("abbreviations.txt").lines().filter(|line| !line.starts_with('#')) {
        if let Some((name, _)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            section = name;
            continue;
        }
        let after = match section {
            "never" => Some(After::Never),
            "starter" => Some(After::Opener),
            "upper" => Some(After::Upper),
            "number" => Some(After::Number),
            _ => None,
        };
        for word in line.split_whitespace() {
            match after {
                Some(after) if word.starts_with(char::is_uppercase) => {
                    lists.capital.insert(word, after);
                }
                Some(after) => {
                    lists.any_case.insert(word, after);
                }
                None => {
                    lists.sets.entry(section).or_default().insert(word);
                }
            }
        }
    }
    lists
});

/// What may follow `word`, when it is a known abbreviation. Written without its last full stop.
pub(super) fn abbreviation(word: &str) -> Option<After> {
    let lists = &*LISTS;
    lists
        .capital
        .get(word)
        .or_else(|| {
            // In capitals throughout, the case says nothing.
            let shouted = word.len() > 1 && !word.chars().any(char::is_lowercase);
            let lower = word.to_lowercase();
            let titled = || {
                let mut letters = lower.chars();
                let first = letters
                    .next()
                    .map(|c| c.to_uppercase().collect::<String>())
                    .unwrap_or_default();
                lists.capital.get((first + letters.as_str()).as_str())
            };
            lists.any_case.get(lower.as_str()).or_else(|| if shouted { titled() } else { None })
        })
        .copied()
}

/// True when `word` is on the list called `name`.
pub(super) fn has(name: &str, word: &str) -> bool {
    LISTS.sets.get(name).is_some_and(|set| set.contains(word))
}
