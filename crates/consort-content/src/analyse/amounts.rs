//! Money and measured quantities: numbers with what they count.

use std::ops::Range;

use super::index::{Index, Kind, Token};
use super::lexicon::Class;

/// A number with its unit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Amount {
    /// Positions among the document's tokens.
    pub(crate) tokens: Range<usize>,
    /// Value with the scale applied; none when the number is written in a way that has no single value.
    pub(crate) value: Option<f64>,
    /// What is counted: a currency as written, a unit, or the noun after the number.
    pub(crate) unit: String,
    pub(crate) money: bool,
}

/// Amounts of sentence `id`, in order, without those tokens that `taken` says belong to a date.
pub(crate) fn find(index: &Index<'_>, id: usize, taken: &dyn Fn(usize) -> bool) -> Vec<Amount> {
    let range = index.range(id);
    let mut found = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let free = !taken(at) && is_number(index, &index.tokens[at]);
        match free.then(|| amount(index, &range, at)).flatten() {
            Some(amount) => {
                at = amount.tokens.end;
                found.push(amount);
            }
            None => at += 1,
        }
    }
    found
}

fn is_number(index: &Index<'_>, token: &Token) -> bool {
    let spelt = || {
        let word = index.lower(token);
        index.is(token, Class::NUMBER_WORD)
            || (word.contains('-') && number(word).is_some())
            || matches!(word, "zero" | "mn" | "bn")
    };
    token.kind == Kind::Number || (token.kind == Kind::Word && spelt())
}

fn amount(index: &Index<'_>, range: &Range<usize>, at: usize) -> Option<Amount> {
    let token = |at: usize| (at < range.end).then(|| &index.tokens[at]);
    let mut end = at + 1;
    let mut value = number(index.lower(&index.tokens[at]));
    while let Some(next) = token(end)
        .filter(|next| index.is(next, Class::NUMBER_WORD) || scale(index.lower(next)).is_some())
    {
        let factor = scale(index.lower(next));
        value = match (value, factor) {
            (Some(value), Some(factor)) => Some(scaled(value, factor)),
            _ => None,
        };
        end += 1;
    }
    let before = at.checked_sub(1).filter(|&before| before >= range.start);
    if let Some(before) =
        before.filter(|&before| is_currency_sign(index.raw(&index.tokens[before])))
    {
        let sign = index.raw(&index.tokens[before]).to_owned();
        // `US$`, `A$`: the letters belong to the sign.
        let lettered =
            before > range.start && index.tokens[before - 1].end == index.tokens[before].start;
        let (start, unit) = if lettered {
            (before - 1, format!("{}{sign}", index.raw(&index.tokens[before - 1])))
        } else {
            (before, sign)
        };
        return Some(Amount { tokens: start..end, value, unit, money: true });
    }
    let next = token(end)?;
    if is_currency_sign(index.raw(next)) || index.is(next, Class::CURRENCY) {
        let unit = index.lower(next).to_owned();
        return Some(Amount { tokens: at..end + 1, value, unit, money: true });
    }
    let per_cent = index.lower(next) == "per"
        && token(end + 1).is_some_and(|cent| index.lower(cent) == "cent");
    if per_cent || matches!(index.lower(next), "%" | "percent") {
        let end = if per_cent { end + 2 } else { end + 1 };
        return Some(Amount { tokens: at..end, value, unit: "%".to_owned(), money: false });
    }
    // A bare `one` or `half` counts nothing in particular.
    let vague = index.tokens[at].kind == Kind::Word
        && end == at + 1
        && matches!(index.lower(&index.tokens[at]), "one" | "half" | "twice" | "third" | "quarter");
    let is_ordinal = index.raw(&index.tokens[at]).ends_with(|c: char| c.is_alphabetic())
        && index.tokens[at].kind == Kind::Number;
    let noun = if vague || is_ordinal { None } else { counted(index, end..range.end, value) };
    noun.map(|noun| Amount {
        tokens: at..noun + 1,
        value,
        unit: index.span(end, noun).of(&index.doc.text).to_lowercase(),
        money: false,
    })
}

/// Adjectives between a number and its noun.
const ADJECTIVES: usize = 2;

/// The last token of what is counted: the first of `tokens` that is a unit or a plural, with up to
/// two words before it. `six outer cables` counts cables; `seven tomorrow` counts nothing.
fn counted(index: &Index<'_>, tokens: Range<usize>, value: Option<f64>) -> Option<usize> {
    for at in tokens.clone().take(ADJECTIVES + 1) {
        let token = &index.tokens[at];
        let apart = token.start - index.tokens[at - 1].end;
        let closed = Class::STOP.union(Class::REPORT);
        if token.kind != Kind::Word
            || index.is(token, closed) && !is_unit(index, token)
            || apart > 1
        {
            return None;
        }
        let word = index.lower(token);
        if is_unit(index, token) || is_plural(word) || (value == Some(1.0) && at == tokens.start) {
            return Some(at);
        }
    }
    None
}

/// A unit of measure; one letter is a unit only as it is written in tables: `90 s`, `4.55 m`.
fn is_unit(index: &Index<'_>, token: &Token) -> bool {
    index.is(token, Class::UNIT) || matches!(index.raw(token), "m" | "g" | "s" | "h" | "l" | "t")
}

fn is_plural(word: &str) -> bool {
    let regular = word.len() > 3 && word.ends_with('s') && !word.ends_with("ss");
    let singular = word.ends_with("ous") || word.ends_with("sis") || word.ends_with("'s");
    (regular && !singular)
        || word.ends_with("men")
        || word.ends_with("people")
        || word.ends_with("children")
        || IRREGULAR.contains(&word)
}

/// Plurals without an `s`.
const IRREGULAR: &[&str] = &[
    "aircraft",
    "bacteria",
    "cattle",
    "cod",
    "crew",
    "criteria",
    "data",
    "dead",
    "deer",
    "feet",
    "fish",
    "geese",
    "homeless",
    "horsepower",
    "injured",
    "media",
    "mice",
    "offspring",
    "oxen",
    "percentage",
    "personnel",
    "phenomena",
    "police",
    "poultry",
    "salmon",
    "sheep",
    "spacecraft",
    "staff",
    "swine",
    "teeth",
    "trout",
    "wounded",
];

/// `value` times a power of ten, without the noise that binary fractions add.
fn scaled(value: f64, factor: f64) -> f64 {
    format!("{:.11e}", value * factor).parse().unwrap_or(value * factor)
}

fn is_currency_sign(raw: &str) -> bool {
    let mut chars = raw.chars();
    matches!(
        (chars.next(), chars.next()),
        (Some('$' | '€' | '£' | '¥' | '₹' | '₽' | '₩' | '₺' | '₴' | '₦' | '₫' | '₪'), None)
    )
}

/// The value of a written number. Commas group thousands, the point parts decimals, as in English.
fn number(word: &str) -> Option<f64> {
    if let Some(at) = ONES.iter().position(|known| *known == word) {
        return Some(at as f64);
    }
    let tens = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    if let Some((head, tail)) = word.split_once('-') {
        return Some(number(head)? + number(tail).filter(|ones| *ones < 10.0)?);
    }
    if let Some(at) = tens.iter().position(|known| *known == word) {
        return Some((at + 2) as f64 * 10.0);
    }
    match word {
        "half" => return Some(0.5),
        "dozen" => return Some(12.0),
        _ => {}
    }
    if let Some(factor) = scale(word) {
        return Some(factor);
    }
    let groups_ok = word
        .split(',')
        .skip(1)
        .all(|group| group.split('.').next().is_some_and(|digits| digits.len() == 3));
    let (digits, factor) = match word.strip_suffix(['k', 'm']) {
        Some(digits) if word.ends_with('k') => (digits, 1e3),
        Some(digits) => (digits, 1e6),
        None => (word, 1.0),
    };
    if !groups_ok
        || digits.is_empty()
        || !digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b',' | b'.'))
    {
        return None;
    }
    digits.replace(',', "").parse::<f64>().ok().map(|value| value * factor)
}

const ONES: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];

fn scale(word: &str) -> Option<f64> {
    Some(match word {
        "hundred" => 1e2,
        "thousand" => 1e3,
        "million" | "mn" => 1e6,
        "billion" | "bn" => 1e9,
        "trillion" => 1e12,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyse::tests::document;
    use crate::sentence::sentences;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, Option<f64>, &str)]) {
        let doc = document(text);
        let sentences = sentences(&doc);
        let index = Index::new(&doc, &sentences, true, &[]);
        let found = find(&index, 0, &|_| false);
        let seen: Vec<(&str, Option<f64>, &str)> = found
            .iter()
            .map(|a| {
                (index.span(a.tokens.start, a.tokens.end - 1).of(text), a.value, a.unit.as_str())
            })
            .collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn money_keeps_its_scale_and_sign() {
        check(
            "It cost $3.2 million or 1.17 billion euros.",
            &[("$3.2 million", Some(3.2e6), "$"), ("1.17 billion euros", Some(1.17e9), "euros")],
        );
    }

    #[test]
    fn quantities_take_the_noun_they_count() {
        check(
            "About 14,000 vehicles drove twenty-one miles, 11 percent more.",
            &[
                ("14,000 vehicles", Some(14_000.0), "vehicles"),
                ("twenty-one miles", Some(21.0), "miles"),
                ("11 percent", Some(11.0), "%"),
            ],
        );
    }

    #[test]
    fn adjectives_belong_to_the_noun_behind_them() {
        check(
            "The two outer cables hold 22 battery-electric trains and forty thousand cubic metres.",
            &[
                ("two outer cables", Some(2.0), "outer cables"),
                ("22 battery-electric trains", Some(22.0), "battery-electric trains"),
                ("forty thousand cubic metres", Some(40_000.0), "cubic metres"),
            ],
        );
    }

    #[test]
    fn a_number_without_a_noun_counts_nothing() {
        check("They sail at seven tomorrow, or at ten o'clock, from 4 large.", &[]);
    }

    #[test]
    fn decimal_fractions_keep_their_value_when_scaled() {
        check("It cost 4.1 billion kronor.", &[("4.1 billion kronor", Some(4.1e9), "kronor")]);
    }

    #[test]
    fn ordinals_and_bare_ones_count_nothing() {
        check("The 20th man took one look.", &[]);
    }

    #[test]
    fn badly_grouped_digits_have_no_value() {
        check("They sold 1,50 apples.", &[("1,50 apples", None, "apples")]);
    }
}
