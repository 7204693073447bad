//! Days of the Gregorian calendar, as far as relative dates need them.

/// A day, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day(i64);

impl Day {
    /// Reads `2026-11-03`, anything after the tenth character aside, or `3 November 2026`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(head) = text.get(..10).filter(|head| head.as_bytes()[4] == b'-') {
            let mut parts = head.split('-').map(str::parse::<i64>);
            let (year, month, day) =
                (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
            return Self::new(year, month, day);
        }
        let words: Vec<String> =
            text.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
        let months =
            ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
        let month_of = |word: &str| {
            word.get(..3).and_then(|head| months.iter().position(|month| *month == head))
        };
        let month = words.iter().find_map(|word| month_of(word))? as i64 + 1;
        let mut numbers = words.iter().filter_map(|word| word.parse::<i64>().ok());
        let day = numbers.next().filter(|day| (1..=31).contains(day))?;
        let year = numbers.find(|year| (1000..=2199).contains(year))?;
        Self::new(year, month, day)
    }

    /// The day of this date, if there is one.
    fn new(year: i64, month: i64, day: i64) -> Option<Self> {
        if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
            return None;
        }
        // Howard Hinnant, "chrono-compatible low-level date algorithms", days_from_civil.
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let of_era = year - era * 400;
        let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
        Some(Self(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468))
    }

    /// Year, month and day.
    fn civil(self) -> (i64, i64, i64) {
        let days = self.0 + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days - era * 146_097;
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        (
            year_of_era + era * 400 + i64::from(month <= 2),
            month,
            of_year - (153 * shifted + 2) / 5 + 1,
        )
    }

    /// 0 for Monday to 6 for Sunday.
    fn weekday(self) -> i64 {
        (self.0 + 3).rem_euclid(7)
    }

    fn iso(self) -> String {
        let (year, month, day) = self.civil();
        format!("{year:04}-{month:02}-{day:02}")
    }
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// What relative words such as `last year` or `two weeks ago` mean in a text of that day, as precisely
/// as the words are; nothing when they are too vague.
pub(crate) fn resolve(published: Day, words: &[String]) -> Option<String> {
    let (year, month, _) = published.civil();
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let months = |offset: i64| {
        let counted = year * 12 + month - 1 + offset;
        format!("{:04}-{:02}", counted.div_euclid(12), counted.rem_euclid(12) + 1)
    };
    let step = match word(0) {
        "yesterday" => return Some(Day(published.0 - 1).iso()),
        "today" => return Some(published.iso()),
        "tomorrow" => return Some(Day(published.0 + 1).iso()),
        "last" => -1,
        "next" => 1,
        "this" => 0,
        _ if words.len() == 3 => -count(word(0))?,
        day => return weekday(day).map(|day| recent(published, day)),
    };
    match word(1).trim_end_matches('s') {
        "year" => Some(format!("{:04}", year + step)),
        "decade" => None,
        "month" => Some(months(step)),
        "week" if words.len() == 2 => None,
        "week" => Some(Day(published.0 + 7 * step).iso()),
        "day" => Some(Day(published.0 + step).iso()),
        _ => weekday(word(1)).map(|day| match step {
            1 => Day(published.0 + 1 + (day - published.weekday() - 1).rem_euclid(7)).iso(),
            _ => recent(published, day),
        }),
    }
}

/// The last such weekday up to the day of publication, which is how news writes of the past week.
fn recent(published: Day, weekday: i64) -> String {
    Day(published.0 - (published.weekday() - weekday).rem_euclid(7)).iso()
}

fn weekday(name: &str) -> Option<i64> {
    let names = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    names.iter().position(|known| *known == name).map(|at| at as i64)
}

fn count(word: &str) -> Option<i64> {
    let names = [
        "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
        "twelve",
    ];
    match word {
        "a" | "an" => Some(1),
        _ => names
            .iter()
            .position(|known| *known == word)
            .map(|at| at as i64 + 1)
            .or_else(|| word.parse().ok())
            .filter(|count| *count < 10_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_agree_over_centuries() {
        for days in (-200_000..200_000).step_by(97) {
            let (year, month, day) = Day(days).civil();
            assert_eq!(Day::new(year, month, day), Some(Day(days)));
        }
        assert_eq!(Day::parse("2026-11-22"), Some(Day(20_779)));
        assert_eq!(Day(20_779).weekday(), 6);
    }

    #[test]
    fn publication_dates_are_read_in_the_usual_forms() {
        let day = Day::parse("2026-11-03");
        assert_eq!(Day::parse("2026-11-03T10:00:00Z"), day);
        assert_eq!(Day::parse("3 November 2026"), day);
        assert_eq!(Day::parse("November 3, 2026"), day);
        for wrong in ["", "soon", "2026-13-01", "2026-02-30", "März 2026"] {
            assert_eq!(Day::parse(wrong), None, "{wrong}");
        }
    }
}
