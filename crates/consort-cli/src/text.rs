//! How times, costs and tables read.

use std::time::Duration;

use consort::core::{Spend, Timestamp};

/// A length of time in the two largest units that matter.
pub(crate) fn took(time: Duration) -> String {
    let (millis, seconds) = (time.as_millis(), time.as_secs());
    match seconds {
        0 => format!("{millis} ms"),
        1..=9 => format!("{seconds}.{} s", millis % 1000 / 100),
        10..=59 => format!("{seconds} s"),
        60..=3599 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..=86_399 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// A moment, UTC, to the second.
pub(crate) fn moment(at: Timestamp) -> String {
    at.to_string().chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// What something cost, without what it did not.
pub(crate) fn cost(spend: &Spend) -> String {
    let mut parts = Vec::new();
    if spend.money > 0 {
        parts.push(format!("${}.{:06}", spend.money / 1_000_000, spend.money % 1_000_000));
    }
    if spend.tokens > 0 {
        parts.push(format!("{} tokens", spend.tokens));
    }
    match spend.calls {
        0 => {}
        1 => parts.push("1 call".to_owned()),
        calls => parts.push(format!("{calls} calls")),
    }
    parts.join(", ")
}

/// At most `columns` characters, the last one an ellipsis when something was cut.
pub(crate) fn clip(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    text.chars().take(columns.saturating_sub(1)).chain(['…']).collect()
}

/// Words in lines of at most `columns` characters, each behind `indent`.
pub(crate) fn wrap(text: &str, columns: usize, indent: &str) -> String {
    let mut lines = String::new();
    let mut line = indent.to_owned();
    for word in text.split_whitespace() {
        let fresh = line.len() == indent.len();
        if !fresh && line.chars().count() + 1 + word.chars().count() > columns {
            lines += &line;
            lines.push('\n');
            line = indent.to_owned();
        } else if !fresh {
            line.push(' ');
        }
        line += word;
    }
    lines + &line + "\n"
}

/// Text from outside in which nothing steers the terminal; lines stay lines.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// Columns that line up, two spaces apart. Those named in `right` are flush right.
pub(crate) fn table(rows: &[Vec<String>], right: &[usize]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(column) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
            let space = if column == 0 { "" } else { "  " };
            line += space;
            if right.contains(&column) {
                line += &pad;
                line += cell;
            } else {
                line += cell;
                line += &pad;
            }
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_like_speech() {
        let text = |millis| took(Duration::from_millis(millis));
        assert_eq!(text(84), "84 ms");
        assert_eq!(text(1_250), "1.2 s");
        assert_eq!(text(65_000), "1 min 5 s");
        assert_eq!(text(90_061_000), "1 d 1 h");
    }

    #[test]
    fn columns_line_up_without_trailing_space() {
        let rows = [["a", "1"], ["bcd", "20"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows, &[1]), "a     1\nbcd  20\n");
        assert_eq!(table(&rows, &[]), "a    1\nbcd  20\n");
    }

    #[test]
    fn long_text_is_wrapped_and_clipped_by_characters() {
        assert_eq!(wrap("eins zwei drei", 11, "  "), "  eins zwei\n  drei\n");
        assert_eq!(clip("übermäßig", 5), "über…");
    }

    #[test]
    fn costs_leave_out_what_is_nothing() {
        let spend = Spend { money: 1_200, tokens: 0, calls: 1 };
        assert_eq!(cost(&spend), "$0.001200, 1 call");
    }
}
