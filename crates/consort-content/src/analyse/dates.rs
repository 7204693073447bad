//! Dates as written and, where that can be told, as calendar dates.

use std::ops::Range;

use super::calendar::{Day, resolve};
use super::index::{Index, Kind};
use super::lexicon::Class;

/// A date mentioned in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DateMention {
    /// Positions among the document's tokens.
    pub(crate) tokens: Range<usize>,
    /// `2026`, `2026-11`, `2026-11-03`, `--11-03` without a year, `1960/1969` for a decade; none when
    /// the words are relative and nothing tells to what.
    pub(crate) value: Option<String>,
    /// True when the value was worked out from the date of publication.
    pub(crate) relative: bool,
}

/// Dates of sentence `id`, in order. `published` gives relative words their meaning.
pub(crate) fn find(index: &Index<'_>, id: usize, published: Option<Day>) -> Vec<DateMention> {
    let range = index.range(id);
    let mut found = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let reader = Reader { index, range: range.clone(), at };
        match reader.absolute().or_else(|| reader.relative(published)) {
            Some(date) => {
                at = date.tokens.end;
                found.push(date);
            }
            None => at += 1,
        }
    }
    found
}

struct Reader<'i, 'a> {
    index: &'i Index<'a>,
    range: Range<usize>,
    at: usize,
}

impl Reader<'_, '_> {
    fn lower(&self, offset: usize) -> &str {
        let at = self.at + offset;
        if at < self.range.end { self.index.lower(&self.index.tokens[at]) } else { "" }
    }

    fn before(&self) -> &str {
        if self.at > self.range.start {
            self.index.lower(&self.index.tokens[self.at - 1])
        } else {
            ""
        }
    }

    fn done(&self, tokens: usize, value: String) -> DateMention {
        DateMention { tokens: self.at..self.at + tokens, value: Some(value), relative: false }
    }

    fn absolute(&self) -> Option<DateMention> {
        let kind = self.index.tokens[self.at].kind;
        match kind {
            Kind::Number => self
                .iso()
                .or_else(|| self.day_first())
                .or_else(|| self.decade())
                .or_else(|| self.year()),
            Kind::Word if self.month(0).is_some() => self.month_first(),
            Kind::Word if matches!(self.lower(0), "spring" | "summer" | "autumn" | "winter") => {
                let skip = usize::from(self.lower(1) == "of");
                let year = year(self.lower(1 + skip))?;
                Some(self.done(2 + skip, format!("{year:04}")))
            }
            _ => None,
        }
    }

    /// `2026-11-03` and `2026/11/03`.
    fn iso(&self) -> Option<DateMention> {
        let mut parts = self.lower(0).split(['-', '/']);
        let year = year(parts.next()?)?;
        let month = parts.next()?.parse::<u8>().ok().filter(|month| (1..=12).contains(month))?;
        let value = match parts.next().map(str::parse::<u8>) {
            None => format!("{year:04}-{month:02}"),
            Some(Ok(day)) if (1..=31).contains(&day) => format!("{year:04}-{month:02}-{day:02}"),
            Some(_) => return None,
        };
        Some(self.done(1, value))
    }

    /// `3 November 2026`, `3rd of November`.
    fn day_first(&self) -> Option<DateMention> {
        let day = day(self.lower(0))?;
        let skip = usize::from(self.lower(1) == "of");
        let month = self.month(1 + skip)?;
        let comma = usize::from(self.lower(2 + skip) == ",");
        Some(match year(self.lower(2 + skip + comma)) {
            Some(year) => self.done(3 + skip + comma, format!("{year:04}-{month:02}-{day:02}")),
            None => self.done(2 + skip, format!("--{month:02}-{day:02}")),
        })
    }

    /// `November 3, 2026`, `November 2026`, `November`.
    fn month_first(&self) -> Option<DateMention> {
        let month = self.month(0)?;
        if let Some(day) = day(self.lower(1)).filter(|_| self.lower(1).len() <= 4) {
            let comma = usize::from(self.lower(2) == ",");
            return Some(match year(self.lower(2 + comma)) {
                Some(year) => self.done(3 + comma, format!("{year:04}-{month:02}-{day:02}")),
                None => self.done(2, format!("--{month:02}-{day:02}")),
            });
        }
        let comma = usize::from(self.lower(1) == ",");
        if let Some(year) = year(self.lower(1 + comma)) {
            return Some(self.done(2 + comma, format!("{year:04}-{month:02}")));
        }
        // `may` and `march` alone are verbs as often as months.
        let sure =
            !matches!(self.lower(0), "may" | "march" | "mar" | "dec" | "sun" | "jan" | "jun")
                || matches!(
                    self.before(),
                    "in" | "since"
                        | "until"
                        | "by"
                        | "last"
                        | "next"
                        | "of"
                        | "from"
                        | "to"
                        | "during"
                        | "before"
                        | "after"
                );
        sure.then(|| self.done(1, format!("--{month:02}")))
    }

    fn decade(&self) -> Option<DateMention> {
        let digits = self.lower(0).strip_suffix('s')?;
        let first = year(digits).filter(|year| year % 10 == 0)?;
        Some(self.done(1, format!("{first:04}/{:04}", first + 9)))
    }

    /// A bare number counts as a year only where a year is likely: after a preposition or in brackets.
    fn year(&self) -> Option<DateMention> {
        let year = year(self.lower(0))?;
        let led = matches!(
            self.before(),
            "in" | "since"
                | "until"
                | "till"
                | "by"
                | "from"
                | "to"
                | "between"
                | "and"
                | "of"
                | "before"
                | "after"
                | "around"
                | "during"
                | "for"
                | "early"
                | "late"
                | "mid"
                | "year"
                | "("
                | "-"
                | "–"
                | "circa"
                | "summer"
                | "winter"
                | "spring"
                | "autumn"
                | "through"
        );
        let counts = self.index.tokens.get(self.at + 1).is_some_and(|next| {
            self.at + 1 < self.range.end
                && next.kind == Kind::Word
                && !self.index.is(next, Class::STOP.union(Class::CHANGE).union(Class::REPORT))
        });
        (led && (!counts || matches!(self.before(), "in" | "since" | "until")))
            .then(|| self.done(1, format!("{year:04}")))
    }

    fn relative(&self, published: Option<Day>) -> Option<DateMention> {
        let (tokens, offset) = self.relative_words()?;
        let value = published.and_then(|day| resolve(day, &offset));
        Some(DateMention { tokens: self.at..self.at + tokens, value, relative: true })
    }

    fn relative_words(&self) -> Option<(usize, Vec<String>)> {
        let words = |count: usize| {
            (count, (0..count).map(|offset| self.lower(offset).to_owned()).collect())
        };
        let at = self.at;
        let is = |offset: usize, class: Class| {
            at + offset < self.range.end && self.index.is(&self.index.tokens[at + offset], class)
        };
        let unit = |offset: usize| {
            matches!(
                self.lower(offset).trim_end_matches('s'),
                "day" | "week" | "month" | "year" | "decade"
            )
        };
        match self.lower(0) {
            "yesterday" | "today" | "tomorrow" => Some(words(1)),
            "last" | "next" | "this" if unit(1) || is(1, Class::WEEKDAY) || is(1, Class::MONTH) => {
                Some(words(2))
            }
            "last" | "next" | "this"
                if matches!(self.lower(1), "spring" | "summer" | "autumn" | "winter") =>
            {
                Some(words(2))
            }
            _ if is(0, Class::WEEKDAY) && !self.lower(0).ends_with("days") => Some(words(1)),
            _ if (is(0, Class::NUMBER_WORD)
                || self.index.tokens[at].kind == Kind::Number
                || matches!(self.lower(0), "a" | "an"))
                && unit(1)
                && self.lower(2) == "ago" =>
            {
                Some(words(3))
            }
            _ => None,
        }
    }

    fn month(&self, offset: usize) -> Option<u8> {
        let at = self.at + offset;
        let token = (at < self.range.end).then(|| &self.index.tokens[at])?;
        let written =
            self.index.is(token, Class::MONTH) && !matches!(token.case, super::index::Case::Lower);
        let head = self.index.lower(token).get(..3)?;
        let months =
            ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
        written
            .then(|| months.iter().position(|month| *month == head))
            .flatten()
            .map(|at| at as u8 + 1)
    }
}

fn year(word: &str) -> Option<u16> {
    let plain = word.len() == 4 && word.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| word.parse::<u16>().ok()).flatten().filter(|year| (1000..=2199).contains(year))
}

fn day(word: &str) -> Option<u8> {
    let digits = ["st", "nd", "rd", "th"]
        .iter()
        .find_map(|suffix| word.strip_suffix(suffix))
        .unwrap_or(word);
    let short = digits.len() <= 2 && digits.bytes().all(|b| b.is_ascii_digit());
    short.then(|| digits.parse::<u8>().ok()).flatten().filter(|day| (1..=31).contains(day))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyse::tests::document;
    use crate::sentence::sentences;

    #[track_caller]
    fn check(text: &str, published: Option<&str>, expected: &[(&str, Option<&str>)]) {
        let doc = document(text);
        let sentences = sentences(&doc);
        let index = Index::new(&doc, &sentences, true, &[]);
        let dates = find(&index, 0, published.and_then(Day::parse));
        let seen: Vec<(&str, Option<&str>)> = dates
            .iter()
            .map(|d| (index.span(d.tokens.start, d.tokens.end - 1).of(text), d.value.as_deref()))
            .collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn calendar_dates_are_read_in_every_usual_order() {
        check(
            "On 3 November 2026 and November 4, 2026 and 2026-11-05.",
            None,
            &[
                ("3 November 2026", Some("2026-11-03")),
                ("November 4, 2026", Some("2026-11-04")),
                ("2026-11-05", Some("2026-11-05")),
            ],
        );
    }

    #[test]
    fn a_date_keeps_the_precision_it_was_written_with() {
        check(
            "In 1931, in April 2023, in the 1960s and on 5 March.",
            None,
            &[
                ("1931", Some("1931")),
                ("April 2023", Some("2023-04")),
                ("1960s", Some("1960/1969")),
                ("5 March", Some("--03-05")),
            ],
        );
    }

    #[test]
    fn numbers_and_verbs_are_not_dates() {
        check("They may march 2000 miles past 14,000 tents.", None, &[]);
    }

    #[test]
    fn relative_words_are_dated_only_when_the_publication_date_is_known() {
        check(
            "It closed on Monday and reopened yesterday.",
            None,
            &[("Monday", None), ("yesterday", None)],
        );
        check(
            "It closed on Monday and reopened yesterday.",
            Some("2026-11-19"),
            &[("Monday", Some("2026-11-16")), ("yesterday", Some("2026-11-18"))],
        );
        check(
            "It was built three years ago, last year it closed.",
            Some("2026-11-19"),
            &[("three years ago", Some("2023")), ("last year", Some("2025"))],
        );
    }
}
