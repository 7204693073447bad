//! English word lists, read from the data files under `rules/english`.

use std::sync::LazyLock;

use foldhash::{HashMap, HashMapExt as _, HashSet};

/// A set of word classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Class(u64);

impl Class {
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

/// One list: its class's name in rule files, the class, the file's content.
type List = (&'static str, Class, &'static str);

/// Declares one class per list; the file name is the class's name in rule files.
macro_rules! classes {
    ($($class:ident = $bit:literal, $name:literal;)*) => {
        impl Class {
            $(pub(crate) const $class: Self = Self(1 << $bit);)*
        }

        /// Every list, in the order in which the rule-set hash covers them.
        pub(crate) const LISTS: &[List] =
            &[$(($name, Class::$class, include_str!(concat!("../../rules/english/", $name, ".txt")))),*];
    };
}

classes! {
    STOP = 0, "stop";
    FIRST_PERSON = 1, "first_person";
    HEDGE = 2, "hedge";
    OPINION = 3, "opinion";
    REPORT = 4, "report";
    FUTURE = 5, "future";
    QUANTIFIER = 6, "quantifier";
    COMPARATIVE = 7, "comparative";
    CAUSAL = 8, "causal";
    CHANGE = 9, "change";
    NEGATION = 10, "negation";
    LOADED = 11, "loaded";
    TARGET = 12, "target";
    INSULT = 13, "insult";
    THREAT = 14, "threat";
    DOOM = 15, "doom";
    NATION = 16, "nation";
    SUPERLATIVE = 17, "superlative";
    SCHOLAR = 18, "scholar";
    ASSERT = 19, "assert";
    EPITHET = 20, "epithet";
    PLACE = 21, "place";
    PLACE_HEAD = 22, "place_head";
    ORG_HEAD = 23, "org_head";
    ORG_SUFFIX = 24, "org_suffix";
    PERSON_TITLE = 25, "person_title";
    GIVEN_NAME = 26, "given_name";
    MONTH = 27, "month";
    WEEKDAY = 28, "weekday";
    NUMBER_WORD = 29, "number_word";
    CURRENCY = 30, "currency";
    UNIT = 31, "unit";
    NEGATIVE = 32, "negative";
    SELF = 33, "self";
    SENSORY = 34, "sensory";
    COGNITIVE = 35, "cognitive";
    IMPERATIVE = 36, "imperative";
    FINDING = 37, "finding";
    RANK = 38, "rank";
    SECOND_PERSON = 39, "second_person";
    PAST = 40, "past";
}

/// Word classes by lower-case word.
#[derive(Debug)]
pub(crate) struct Lexicon {
    classes: HashMap<&'static str, Class>,
}

impl Lexicon {
    fn new(lists: &[List]) -> Self {
        let mut classes: HashMap<&'static str, Class> = HashMap::new();
        for (_, class, content) in lists {
            for word in words(content) {
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

/// The words of a list file.
pub(crate) fn words(content: &str) -> impl Iterator<Item = &str> {
    content.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace)
}

/// The class called `name` in rule files.
pub(crate) fn by_name(name: &str) -> Option<Class> {
    LISTS.iter().find(|(known, ..)| *known == name).map(|(_, class, _)| *class)
}

/// True when `name`, lower-case and of several words, is a place of the gazetteer.
pub(crate) fn is_place(name: &str) -> bool {
    static NAMES: LazyLock<HashSet<String>> = LazyLock::new(|| {
        let lists = LISTS.iter().filter(|(_, class, _)| *class == Class::PLACE);
        lists
            .flat_map(|(.., content)| words(content))
            .filter(|word| word.contains('_'))
            .map(|word| word.replace('_', " "))
            .collect()
    });
    NAMES.contains(name)
}

/// The English lexicon, built on first use.
pub(crate) fn english() -> &'static Lexicon {
    static ENGLISH: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::new(LISTS));
    &ENGLISH
}
