//! Lays out Markdown: wrapping, escaping, terminal styles.

use super::Style;

/// A page in the making.
pub(super) struct Page {
    out: String,
    style: Style,
}

impl Page {
    pub(super) fn new(style: Style) -> Self {
        Self { out: String::new(), style }
    }

    pub(super) fn title(&mut self, text: &str) {
        let text = self.plain(text);
        self.styled("# ", &text, "1;4");
        self.out.push('\n');
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.out.push('\n');
        self.styled("## ", text, "1;36");
        self.out.push('\n');
    }

    fn styled(&mut self, mark: &str, text: &str, code: &str) {
        if self.style.ansi {
            self.out.push_str(&format!("\u{1b}[{code}m{text}\u{1b}[0m\n"));
        } else {
            self.out.push_str(&format!("{mark}{text}\n"));
        }
    }

    /// A named value from the source.
    pub(super) fn fact(&mut self, name: &str, value: &str) {
        let (name, value) = (self.plain(name), self.plain(value));
        self.item("-", &format!("{name}: {value}"));
    }

    /// A named value that is already plain.
    pub(super) fn fact_plain(&mut self, name: &str, value: &str) {
        let name = self.plain(name);
        self.item("-", &format!("{name}: {value}"));
    }

    /// One list entry, wrapped with a hanging indent. `text` must be plain.
    pub(super) fn item(&mut self, mark: &str, text: &str) {
        self.wrapped(0, mark, text);
    }

    /// A remark under the entry before.
    pub(super) fn sub(&mut self, text: &str) {
        self.wrapped(3, "-", text);
    }

    fn wrapped(&mut self, margin: usize, mark: &str, text: &str) {
        let indent = margin + mark.chars().count() + 1;
        let mut column = indent;
        let mut first = true;
        self.out.push_str(&" ".repeat(margin));
        self.out.push_str(mark);
        for word in text.split_whitespace() {
            let width = word.chars().count();
            if !first && column + width + 1 > self.style.width {
                self.out.push('\n');
                self.out.push_str(&" ".repeat(indent));
                column = indent;
            } else {
                self.out.push(' ');
                column += usize::from(!first);
            }
            self.out.push_str(word);
            column += width;
            first = false;
        }
        self.out.push('\n');
    }

    /// The entries of a list that are shown.
    pub(super) fn shown<'l, T>(&self, list: &'l [T]) -> &'l [T] {
        &list[..list.len().min(self.style.entries)]
    }

    /// Counts the entries that are not.
    pub(super) fn more(&mut self, total: usize) {
        if total > self.style.entries {
            self.item(
                "-",
                &format!("… and {} more in the JSON and HTML reports", total - self.style.entries),
            );
        }
    }

    /// A sign whose height tells a score from -1 to 1.
    pub(super) fn bar(&self, score: f64) -> char {
        let bars = if self.style.ascii {
            ['_', '.', ',', '-', '=', '+', '*', '#']
        } else {
            ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
        };
        let step = ((score + 1.0) / 2.0 * 7.0).round().clamp(0.0, 7.0);
        bars[step as usize]
    }

    /// Text of the source for this page: one line, without control characters or marks that reorder text; in a
    /// Markdown file with its markup escaped.
    pub(super) fn plain(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' if !self.style.ansi => {
                    out.push('\\');
                    out.push(c);
                }
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.push(' '),
                _ if c.is_control() => out.push(' '),
                _ => out.push(c),
            }
        }
        out
    }

    pub(super) fn finish(self) -> String {
        if !self.style.ascii {
            return self.out;
        }
        let plain = |c| match c {
            '\u{201c}' | '\u{201d}' => '"',
            '\u{2018}' | '\u{2019}' => '\'',
            '\u{2013}' | '\u{2014}' => '-',
            '\u{2026}' => '~',
            '\u{a0}' | '\u{202f}' => ' ',
            c => c,
        };
        self.out.chars().map(plain).collect()
    }
}
