//! How deep a page nests, found by one scan over its bytes before anything parses it.
//!
//! HTML parsers of the usual kind take time quadratic in the depth (20,000 nested `<div>` hung the
//! main-text library for over a minute), and a parser that has begun cannot be stopped. So this
//! scan follows the nesting that the HTML standard's tree construction would produce, erring
//! towards deeper, and stops at the limit.

use super::super::{ExtractError, Limits};

/// Attributes of one element. Parsers compare each with all before it.
const ATTRIBUTES: usize = 1_000;

/// Elements that never have content.
const VOID: &[&str] = &[
    "area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "img", "input",
    "keygen", "link", "meta", "param", "source", "track", "wbr",
];

/// Elements whose start tag closes the one before, so that leaving out end tags does not nest.
const OPTIONAL_END: &[&str] = &[
    "p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "colgroup", "caption",
    "html", "head", "body",
];

/// Elements whose end tag closes only what is innermost: it never reaches across a block.
const INLINE: &[&str] = &[
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em",
    "font", "i", "ins", "kbd", "label", "mark", "nobr", "q", "rb", "rp", "rt", "rtc", "ruby", "s",
    "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var",
];

/// Elements whose content is text up to their own end tag.
const RAW: &[&str] =
    &["script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"];

/// Which rules a scan follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Syntax {
    /// End tags may be missing, some elements have none.
    Html,
    /// Every element nests; CDATA is text.
    Xml,
}

/// Checks depth, elements and attributes of a page or feed.
///
/// # Errors
///
/// [`ExtractError::TooDeep`] and [`ExtractError::TooLarge`] as soon as a limit is passed.
pub(in super::super) fn check(
    text: &str,
    syntax: Syntax,
    limits: &Limits,
) -> Result<(), ExtractError> {
    let mut open: Vec<&str> = Vec::new();
    let mut elements = 0;
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            let Some(end) = comment.find("-->") else { return Ok(()) };
            rest = &comment[end + 3..];
            continue;
        }
        if let Some(data) = rest.strip_prefix("![CDATA[").filter(|_| syntax == Syntax::Xml) {
            let Some(end) = data.find("]]>") else { return Ok(()) };
            rest = &data[end + 3..];
            continue;
        }
        let closing = rest.starts_with('/');
        let tag = if closing { &rest[1..] } else { rest };
        if !tag.starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        let name_end = tag.find(|c: char| c.is_ascii_whitespace() || matches!(c, '/' | '>'));
        let (name, after) = tag.split_at(name_end.unwrap_or(tag.len()));
        let (inside, after) = attributes(after)?;
        rest = after;
        if closing {
            close(&mut open, name);
            continue;
        }
        elements += 1;
        if elements > limits.max_elements {
            return Err(ExtractError::TooLarge {
                size: elements,
                limit: limits.max_elements,
                unit: "elements",
            });
        }
        if syntax == Syntax::Html && is(RAW, name) {
            // Without its end tag the element swallows the rest of the page.
            let Some(after) = after_raw(rest, name) else { return Ok(()) };
            rest = after;
            continue;
        }
        let self_closing = inside.ends_with('/');
        match syntax {
            Syntax::Html => start(&mut open, name, self_closing),
            Syntax::Xml if self_closing => {}
            Syntax::Xml => open.push(name),
        }
        if open.len() > limits.max_depth {
            return Err(ExtractError::TooDeep { depth: open.len(), limit: limits.max_depth });
        }
    }
    Ok(())
}

fn is(list: &[&str], name: &str) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn foreign(open: &[&str]) -> bool {
    open.iter().any(|name| is(&["svg", "math"], name))
}

fn start<'a>(open: &mut Vec<&'a str>, name: &'a str, self_closing: bool) {
    // The stack is at most the limit deep, so looking through it is a bounded cost.
    if is(VOID, name) || (self_closing && foreign(open)) {
        return;
    }
    if is(OPTIONAL_END, name) && !foreign(open) {
        return;
    }
    if name.eq_ignore_ascii_case("a")
        && let Some(at) = open.iter().rposition(|other| other.eq_ignore_ascii_case("a"))
    {
        // A link inside a link ends the outer one.
        open.remove(at);
    }
    open.push(name);
}

fn close(open: &mut Vec<&str>, name: &str) {
    let found = open.iter().rposition(|other| other.eq_ignore_ascii_case(name));
    let Some(at) = found else { return };
    let reaches = !is(INLINE, name) || open[at + 1..].iter().all(|between| is(INLINE, between));
    if reaches {
        open.truncate(at);
    }
}

/// Splits off a tag's attributes at its `>`, minding quotes.
fn attributes(text: &str) -> Result<(&str, &str), ExtractError> {
    let mut quote = None;
    let mut words = 0;
    let mut apart = true;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Ok((&text[..at], &text[at + 1..])),
            (None, b'"' | b'\'') if text.as_bytes()[..at].last() == Some(&b'=') => {
                quote = Some(byte)
            }
            (Some(open), _) if open == byte => quote = None,
            (None, b' ' | b'\t' | b'\n' | b'\r' | b'\x0C' | b'/') => apart = true,
            (None, _) => {
                words += usize::from(apart);
                apart = false;
            }
            (Some(_), _) => {}
        }
        if words > ATTRIBUTES {
            return Err(ExtractError::TooLarge {
                size: words,
                limit: ATTRIBUTES,
                unit: "attributes",
            });
        }
    }
    Ok((text, ""))
}

/// What follows `</name …>`.
fn after_raw<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = text;
    while let Some(at) = rest.find("</") {
        rest = &rest[at + 2..];
        let ends = rest
            .as_bytes()
            .get(..name.len())
            .is_some_and(|tag| tag.eq_ignore_ascii_case(name.as_bytes()));
        if ends {
            return rest.find('>').map(|end| &rest[end + 1..]);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_depth(page: &str) -> Result<(), ExtractError> {
        check(page, Syntax::Html, &Limits { max_depth: 20, ..Limits::default() })
    }

    #[test]
    fn sloppy_pages_are_not_deep() {
        for page in [
            "<p>x".repeat(1000),
            "<ul>".to_owned() + &"<li><b>x</b>".repeat(1000),
            "<a name=x>text".repeat(1000),
            "<table>".to_owned() + &"<tr><td>x".repeat(1000),
            "<div><b><i>x</b></i></div>".repeat(1000),
            "<div><span>x</div>".repeat(1000),
            "<img><br><hr/>".repeat(1000),
            "<script>if (a < b) document.write('<div><div>')</script>".repeat(1000),
            "<!-- <div> -->".repeat(1000),
        ] {
            assert_eq!(check_depth(&page), Ok(()), "{}", &page[..60]);
        }
    }

    #[test]
    fn deep_pages_are_refused_however_they_hide_it() {
        for page in [
            "<div>".repeat(1000),
            "<div></x>".repeat(1000),
            "<span><div></span>".repeat(1000),
            "<DIV class='>'>".repeat(1000),
            "<svg>".to_owned() + &"<td>".repeat(1000),
            "<b><div></b>".repeat(1000),
            "<font>x".repeat(1000),
            "<x-y>".repeat(1000),
        ] {
            assert!(
                matches!(check_depth(&page), Err(ExtractError::TooDeep { .. })),
                "{}",
                &page[..30]
            );
        }
    }

    #[test]
    fn every_element_of_xml_nests() {
        let limits = Limits { max_depth: 20, ..Limits::default() };
        let deep = check(&"<li>".repeat(30), Syntax::Xml, &limits);
        assert!(matches!(deep, Err(ExtractError::TooDeep { .. })));
        let flat = "<a><br/><![CDATA[<x>]]></a>".repeat(30);
        assert_eq!(check(&flat, Syntax::Xml, &limits), Ok(()));
    }

    #[test]
    fn too_many_elements_or_attributes_are_refused() {
        let many = format!("<p {}>", "a=1 ".repeat(5000));
        assert!(matches!(
            check_depth(&many),
            Err(ExtractError::TooLarge { unit: "attributes", .. })
        ));
        let limits = Limits { max_elements: 10, ..Limits::default() };
        let error = check(&"<p>".repeat(11), Syntax::Html, &limits);
        assert!(matches!(error, Err(ExtractError::TooLarge { unit: "elements", .. })));
    }
}
