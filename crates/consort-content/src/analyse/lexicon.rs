//! English word lists, read from the data files under `rules/english`.

use std::collections::HashMap;
use std::sync::LazyLock;

/// A set of word classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Class(u64);

impl Class {
    pub(crate) const STOP: Self = Self(1);
    pub(crate) const FIRST_PERSON: Self = Self(1 << 1);
    pub(crate) const HEDGE: Self = Self(1 << 2);
    pub(crate) const OPINION: Self = Self(1 << 3);
    pub(crate) const REPORT: Self = Self(1 << 4);
    pub(crate) const FUTURE: Self = Self(1 << 5);
    pub(crate) const QUANTIFIER: Self = Self(1 << 6);
    pub(crate) const COMPARATIVE: Self = Self(1 << 7);
    pub(crate) const CAUSAL: Self = Self(1 << 8);
    pub(crate) const CHANGE: Self = Self(1 << 9);
    pub(crate) const NEGATION: Self = Self(1 << 10);

    /// No class.
    pub(crate) const fn empty() -> Self {
        Self(0)
    }

    /// True when the two sets share a class.
    pub(crate) const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Classes of either set.
    pub(crate) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Every list: class, file name, content. The rule-set hash covers them in this order.
pub(crate) const LISTS: &[(Class, &str, &str)] = &[
    (Class::STOP, "english/stop.txt", include_str!("../../rules/english/stop.txt")),
    (
        Class::FIRST_PERSON,
        "english/first_person.txt",
        include_str!("../../rules/english/first_person.txt"),
    ),
    (Class::HEDGE, "english/hedge.txt", include_str!("../../rules/english/hedge.txt")),
    (Class::OPINION, "english/opinion.txt", include_str!("../../rules/english/opinion.txt")),
    (Class::REPORT, "english/report.txt", include_str!("../../rules/english/report.txt")),
    (Class::FUTURE, "english/future.txt", include_str!("../../rules/english/future.txt")),
    (
        Class::QUANTIFIER,
        "english/quantifier.txt",
        include_str!("../../rules/english/quantifier.txt"),
    ),
    (
        Class::COMPARATIVE,
        "english/comparative.txt",
        include_str!("../../rules/english/comparative.txt"),
    ),
    (Class::CAUSAL, "english/causal.txt", include_str!("../../rules/english/causal.txt")),
    (Class::CHANGE, "english/change.txt", include_str!("../../rules/english/change.txt")),
    (Class::NEGATION, "english/negation.txt", include_str!("../../rules/english/negation.txt")),
];

/// Word classes by lower-case word.
#[derive(Debug)]
pub(crate) struct Lexicon {
    classes: HashMap<&'static str, Class>,
}

impl Lexicon {
    fn new(lists: &[(Class, &'static str, &'static str)]) -> Self {
        let mut classes: HashMap<&'static str, Class> = HashMap::new();
        for (class, _, content) in lists {
            let lines = content.lines().filter(|line| !line.starts_with('#'));
            for word in lines.flat_map(str::split_whitespace) {
                let known = classes.entry(word).or_default();
                *known = known.union(*class);
            }
        }
        Self { classes }
    }

    /// The classes of `word`, which must be lower-case.
    pub(crate) fn class(&self, word: &str) -> Class {
        self.classes.get(word).copied().unwrap_or_default()
    }
}

/// The English lexicon, built on first use.
pub(crate) fn english() -> &'static Lexicon {
    static ENGLISH: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::new(LISTS));
    &ENGLISH
}
