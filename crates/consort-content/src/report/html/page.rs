//! Writes HTML so that text cannot become markup.

use std::fmt::Write;

use crate::analyse::Place;
use crate::report::clock;

/// A page in the making.
#[derive(Debug, Default)]
pub(super) struct Page {
    out: String,
    /// Id and heading of each section so far.
    sections: Vec<(&'static str, &'static str)>,
}

impl Page {
    /// Markup: only literals of this crate have this type's lifetime.
    pub(super) fn raw(&mut self, markup: &'static str) {
        self.out.push_str(markup);
    }

    /// Text, escaped. Control characters and characters that reorder text are shown as spaces.
    pub(super) fn text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                '\'' => self.out.push_str("&#39;"),
                '\n' => self.out.push('\n'),
                _ if c.is_control() || is_reordering(c) => self.out.push(' '),
                _ => self.out.push(c),
            }
        }
    }

    /// ` name="value"`, escaped.
    pub(super) fn attribute(&mut self, name: &'static str, value: &str) {
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        self.text(value);
        self.out.push('"');
    }

    /// A whole number.
    pub(super) fn number(&mut self, value: impl Into<u64>) {
        let _ = write!(self.out, "{}", value.into());
    }

    /// A number with this many decimals.
    pub(super) fn decimal(&mut self, value: f64, places: usize) {
        let _ = write!(self.out, "{value:.places$}");
    }

    /// A percentage without decimals, with its sign.
    pub(super) fn percent(&mut self, share: f64) {
        let _ = write!(self.out, "{:.0}\u{202f}%", share * 100.0);
    }

    /// A link when `url` is a web address, else just its words.
    pub(super) fn link(&mut self, url: &str, words: &str) {
        let web = ["https://", "http://"].iter().any(|scheme| {
            url.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme))
        });
        if !web {
            self.text(words);
            return;
        }
        self.raw("<a rel=\"noopener noreferrer nofollow\"");
        self.attribute("href", url);
        self.raw(">");
        self.text(words);
        self.raw("</a>");
    }

    /// A link to a place in the text, marked with its time or its sentence.
    pub(super) fn jump(&mut self, place: &Place) {
        self.raw("<a class=\"jump\" title=\"Show in the text\" href=\"#b");
        self.number(place.span.start as u64);
        self.raw("\">");
        match place.time_ms {
            Some(time) => self.text(&clock(time)),
            None => {
                self.raw("§");
                self.number(place.sentence);
            }
        }
        self.raw("</a>");
    }

    /// A section with its heading and the number of its entries.
    pub(super) fn section(
        &mut self,
        id: &'static str,
        heading: &'static str,
        count: Option<usize>,
    ) {
        self.sections.push((id, heading));
        self.raw("<section id=\"");
        self.raw(id);
        self.raw("\">\n<h2>");
        self.raw(heading);
        if let Some(count) = count {
            self.raw(" <small>");
            self.number(count as u64);
            self.raw("</small>");
        }
        self.raw("</h2>\n");
    }

    /// Links to the sections of `body`, and to the text.
    pub(super) fn nav(&mut self, body: &Self) {
        self.raw("<nav aria-label=\"Sections\">");
        for (id, heading) in body.sections.iter().chain(&[("text", "The text")]) {
            self.raw("<a href=\"#");
            self.raw(id);
            self.raw("\">");
            self.raw(heading);
            self.raw("</a>");
        }
        self.raw("</nav>\n");
    }

    /// Takes over what another page has so far.
    pub(super) fn append(&mut self, other: Self) {
        self.out.push_str(&other.out);
    }

    pub(super) fn finish(self) -> String {
        self.out
    }
}

/// Marks that make text run the other way: they could show an address or a name as another one.
const fn is_reordering(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
