//! Web pages: the main text, how it was chosen, and what the page says about itself.

mod depth;
mod furniture;
mod tree;
mod walk;

use dom_query::Document as Dom;
use dom_smoothie::{Config, Metadata, Readability};
use url::Url;

use super::build::Builder;
use super::{ExtractError, Limits};
use crate::document::{Document, Kind, Method};
use furniture::Counts;
use tree::{Tag, Tree};

pub(super) use depth::{Syntax, check};
pub(super) use walk::resolve;

/// The main-text library's result is kept when it holds this share of the landmark's text.
const ENOUGH: f64 = 0.6;
/// Without a landmark: this share of the page's text after furniture.
const ENOUGH_OF_PAGE: f64 = 0.5;
/// Elements up to which the main-text library is asked: its scoring is not linear.
const ASKED: usize = 60_000;

/// The encoding that a page's head declares, from its first 4 KiB.
pub(super) fn declared_encoding(bytes: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]).to_ascii_lowercase();
    let after = head.match_indices("charset").map(|(at, word)| &head[at + word.len()..]);
    let after =
        after.chain(head.match_indices("encoding").map(|(at, word)| &head[at + word.len()..]));
    after.filter_map(|rest| rest.trim_start().strip_prefix('=')).find_map(|rest| {
        let value = rest.trim_start().trim_start_matches(['"', '\'']);
        let end = value.find(|c: char| !(c.is_ascii_alphanumeric() || "-_:.".contains(c)));
        let label = &value[..end.unwrap_or(value.len())];
        (!label.is_empty()).then(|| label.to_owned())
    })
}

/// Extracts the main text of a page.
///
/// The readable part found by `dom_smoothie` is kept if it holds at least 60 % of what stands in
/// the page's `<article>` or `<main>`; else that element's text is taken; a page without one gives
/// all its text unless the readable part has half of it. Furniture is dropped in every case.
///
/// # Errors
///
/// [`ExtractError::TooDeep`] and [`ExtractError::TooLarge`] before parsing.
pub(super) fn parse(
    text: &str,
    url: Option<&str>,
    method: Option<Method>,
    limits: &Limits,
) -> Result<Document, ExtractError> {
    if text.len() > limits.max_page_bytes {
        return Err(ExtractError::TooLarge {
            size: text.len(),
            limit: limits.max_page_bytes,
            unit: "bytes",
        });
    }
    check(text, Syntax::Html, limits)?;
    let base = url.and_then(|url| Url::parse(url).ok()).filter(|url| url.has_host());
    let dom = Dom::from(text);
    let page = Tree::new(dom.root());
    let lang = dom.select_single("html").attr("lang").map(|lang| lang.to_string());
    let base = base_of(&dom, base);
    let absolute = base.as_ref().map(Url::as_str);
    let config = Config { keep_classes: true, ..Config::default() };
    let (metadata, readable) = match Readability::with_document(dom, absolute, Some(config)) {
        Ok(mut reader) => {
            let metadata = reader.get_article_metadata(reader.parse_json_ld());
            let asked = page.nodes.len() <= ASKED;
            let article = asked.then(|| reader.parse().ok()).flatten();
            (
                Some(metadata),
                article.map(|article| Tree::new(Dom::fragment(article.content).root())),
            )
        }
        Err(_) => (None, None),
    };
    let about = About::new(metadata, page.headings());
    let asked = Asked { method, title: about.title.as_deref(), base: base.as_ref() };
    let mut document = choose(&page, readable.as_ref(), asked, limits);
    document.declared_language = lang.filter(|lang| !lang.trim().is_empty());
    let About { title, byline, published } = about;
    Ok(Document { kind: Kind::Html, title, byline, published, ..document })
}

/// Writes all text of a piece of HTML, as it stands in feeds.
///
/// # Errors
///
/// As [`parse`].
pub(super) fn write_fragment(
    html: &str,
    base: Option<&Url>,
    limits: &Limits,
    out: &mut Builder,
) -> Result<(), ExtractError> {
    check(html, Syntax::Html, limits)?;
    let tree = Tree::new(Dom::fragment(html).root());
    let dropped = vec![false; tree.nodes.len()];
    walk::write(&tree, 0..tree.nodes.len(), &dropped, None, base, out);
    Ok(())
}

/// What a page says about itself.
struct About {
    title: Option<String>,
    byline: Option<String>,
    published: Option<String>,
}

impl About {
    /// From the page's metadata; of `Story - Site` only what a heading repeats.
    fn new(metadata: Option<Metadata>, headings: Vec<String>) -> Self {
        let plain = |written: String| {
            let words = written.split_whitespace().collect::<Vec<_>>().join(" ");
            (!words.is_empty()).then_some(words)
        };
        let Some(metadata) = metadata else {
            return Self { title: None, byline: None, published: None };
        };
        let title = plain(metadata.title);
        let repeated = |heading: &String| {
            let opens = title.as_ref().is_some_and(|title| title.starts_with(heading.as_str()));
            opens && heading.chars().count() >= 6
        };
        let heading = headings.into_iter().filter_map(plain).find(repeated);
        Self {
            title: heading.or(title),
            byline: metadata.byline.and_then(plain),
            published: metadata.published_time.and_then(plain),
        }
    }
}

fn base_of(dom: &Dom, page: Option<Url>) -> Option<Url> {
    let Some(declared) = dom.base_uri() else { return page };
    match page {
        Some(page) => page.join(&declared).ok().or(Some(page)),
        None => Url::parse(&declared).ok(),
    }
}

/// What the choice of a page's text depends on besides the page.
#[derive(Clone, Copy)]
struct Asked<'a> {
    method: Option<Method>,
    title: Option<&'a str>,
    base: Option<&'a Url>,
}

fn choose(page: &Tree, readable: Option<&Tree>, asked: Asked<'_>, limits: &Limits) -> Document {
    let dropped = furniture::mark(page);
    let kept = Counts::of(page, &dropped);
    let all = kept.chars(0, page.nodes.len());
    let landmark = landmark(page, &kept);
    let readable = readable.map(|tree| (tree, furniture::mark(tree)));
    let found = readable
        .as_ref()
        .map_or(0, |(tree, dropped)| Counts::of(tree, dropped).chars(0, tree.nodes.len()));
    let in_landmark = landmark.map_or(0, |at| kept.chars(at, page.nodes[at].end));
    let needed =
        if in_landmark > 0 { ENOUGH * in_landmark as f64 } else { ENOUGH_OF_PAGE * all as f64 };
    let enough = match asked.method {
        Some(Method::Readability) => true,
        Some(Method::Landmark) => in_landmark == 0 && found as f64 >= needed,
        Some(Method::WholePage) => false,
        _ => found as f64 >= needed,
    };
    let whole = asked.method == Some(Method::WholePage);
    let (tree, range, dropped, method) = match (&readable, landmark) {
        (Some((tree, dropped)), _) if found > 0 && enough => {
            (*tree, 0..tree.nodes.len(), dropped, Method::Readability)
        }
        (_, Some(at)) if in_landmark > 0 && !whole => {
            (page, at..page.nodes[at].end, &dropped, Method::Landmark)
        }
        _ => (page, 0..page.nodes.len(), &dropped, Method::WholePage),
    };
    let mut out = Builder::new(all, limits.max_links);
    walk::write(tree, range, dropped, asked.title, asked.base, &mut out);
    Document { method, ..out.finish() }
}

/// The element that the page itself marks as its content: `<main>` or, if one article is most of
/// it, that `<article>`.
fn landmark(page: &Tree, kept: &Counts) -> Option<usize> {
    let size = |at: usize| kept.chars(at, page.nodes[at].end);
    let tagged = |tag: Tag| (0..page.nodes.len()).filter(move |at| page.nodes[*at].tag == tag);
    let main = tagged(Tag::Main).max_by_key(|at| size(*at));
    let article = tagged(Tag::Article).max_by_key(|at| size(*at));
    match (main, article) {
        (Some(main), Some(article)) if size(article) as f64 >= 0.6 * size(main) as f64 => {
            Some(article)
        }
        (Some(main), _) => Some(main),
        (None, Some(article)) => {
            // One story among many on a front page is no landmark.
            let others: usize = tagged(Tag::Article).map(size).sum();
            (size(article) * 2 > others).then_some(article)
        }
        (None, None) => None,
    }
}
