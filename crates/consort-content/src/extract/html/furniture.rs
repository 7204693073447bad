//! Which parts of a page are furniture: menus, consent notices, sharing, related links, comments.

use super::tree::{Tag, Tree};

/// Words in `class` or `id` that name furniture. Written for this project.
const NAMES: &[&str] = &[
    "ad",
    "adbox",
    "ads",
    "adslot",
    "advert",
    "advertisement",
    "advertising",
    "affiliate",
    "autor",
    "banner",
    "bio",
    "breadcrumb",
    "breadcrumbs",
    "byline",
    "catlinks",
    "comment",
    "commentlist",
    "comments",
    "consent",
    "cookie",
    "cookies",
    "cta",
    "disqus",
    "download",
    "downloads",
    "editsection",
    "etiquetas",
    "feedback",
    "firma",
    "follow",
    "footer",
    "gdpr",
    "infobar",
    "kicker",
    "login",
    "masthead",
    "menu",
    "menus",
    "meta",
    "modal",
    "mostread",
    "nav",
    "navbar",
    "navbox",
    "navigation",
    "newsletter",
    "noprint",
    "notification",
    "outbrain",
    "pager",
    "pagination",
    "paywall",
    "popup",
    "postmeta",
    "promo",
    "promotion",
    "promoted",
    "rail",
    "ranking",
    "rating",
    "recirc",
    "recommendations",
    "recommended",
    "related",
    "relatedposts",
    "review",
    "reviews",
    "share",
    "sharedaddy",
    "sharing",
    "sidebar",
    "sidenav",
    "signup",
    "skip",
    "skyscraper",
    "sns",
    "social",
    "sponsor",
    "sponsored",
    "subscribe",
    "subscription",
    "survey",
    "taboola",
    "tagcloud",
    "taglist",
    "tags",
    "teaser",
    "teasers",
    "teilen",
    "toc",
    "toolbar",
    "tooltip",
    "trending",
    "upsell",
    "vote",
    "votes",
    "widget",
];

/// A part that holds more than this share of the page's text is no furniture, whatever its name.
const MOST: f64 = 0.3;

/// Text of a block that is links, from which on it is a menu or a list of other pages.
const LINKED: f64 = 0.6;

/// Marks the nodes that are furniture, each with everything inside.
pub(super) fn mark(tree: &Tree) -> Vec<bool> {
    let counts = Counts::new(tree);
    let all = counts.chars(0, tree.nodes.len());
    let mut dropped = vec![false; tree.nodes.len()];
    let mut in_landmark_until = 0;
    let mut index = 0;
    while index < tree.nodes.len() {
        let node = &tree.nodes[index];
        if matches!(node.tag, Tag::Article | Tag::Main) {
            in_landmark_until = in_landmark_until.max(node.end);
        }
        let (chars, linked) = (counts.chars(index, node.end), counts.linked(index, node.end));
        let small = chars as f64 <= MOST * all as f64;
        let named = || node.names.as_ref().is_some_and(|names| is_named(&names.class));
        let furniture = match node.tag {
            Tag::Furniture => small || linked * 2 > chars,
            Tag::Header => index >= in_landmark_until && small,
            Tag::Form => small,
            Tag::Text
            | Tag::Article
            | Tag::Main
            | Tag::Body
            | Tag::Link
            | Tag::Break
            | Tag::Heading(_) => false,
            Tag::Unseen => true,
            Tag::Time => !inside_words(tree, index),
            Tag::Inline | Tag::Cell | Tag::Row | Tag::Preformatted => small && named(),
            Tag::Block | Tag::List | Tag::Item | Tag::Paragraph => {
                let menu = linked as f64 > LINKED * chars as f64 && chars > 0;
                small && (named() || menu)
            }
        };
        if furniture {
            dropped[index..node.end].fill(true);
            index = node.end;
        } else {
            index += 1;
        }
    }
    dropped
}

/// True when a word of `class` is on the list, `hyphen-ated`, `snake_case` and `camelCase` taken apart.
fn is_named(class: &str) -> bool {
    let mut word = String::new();
    let mut lower_before = false;
    for c in class.chars().chain([' ']) {
        let boundary = !c.is_ascii_alphabetic() || (c.is_ascii_uppercase() && lower_before);
        if boundary {
            if NAMES.contains(&word.as_str()) {
                return true;
            }
            word.clear();
        }
        if c.is_ascii_alphabetic() {
            word.push(c.to_ascii_lowercase());
        }
        lower_before = c.is_ascii_lowercase();
    }
    false
}

/// True for a `<time>` that is part of a sentence rather than a line of its own.
fn inside_words(tree: &Tree, index: usize) -> bool {
    let parent = (0..index).rev().find(|at| tree.nodes[*at].end > index);
    parent.is_some_and(|at| {
        matches!(
            tree.nodes[at].tag,
            Tag::Paragraph | Tag::Item | Tag::Cell | Tag::Inline | Tag::Link
        )
    })
}

/// Visible characters before each node, so that any range is one subtraction.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    chars: Vec<usize>,
    linked: Vec<usize>,
}

impl Counts {
    pub(super) fn new(tree: &Tree) -> Self {
        Self::of(tree, &vec![false; tree.nodes.len()])
    }

    /// Counts without the nodes marked in `dropped`.
    pub(super) fn of(tree: &Tree, dropped: &[bool]) -> Self {
        let mut counts = Self { chars: vec![0], linked: vec![0] };
        let (mut chars, mut linked, mut link_until) = (0, 0, 0);
        for (index, node) in tree.nodes.iter().enumerate() {
            if node.tag == Tag::Link {
                link_until = link_until.max(node.end);
            }
            if node.tag == Tag::Text && !dropped[index] {
                let visible = node.text.chars().filter(|c| !c.is_whitespace()).count();
                chars += visible;
                linked += if index < link_until { visible } else { 0 };
            }
            counts.chars.push(chars);
            counts.linked.push(linked);
        }
        counts
    }

    pub(super) fn chars(&self, from: usize, to: usize) -> usize {
        self.chars[to] - self.chars[from]
    }

    pub(super) fn linked(&self, from: usize, to: usize) -> usize {
        self.linked[to] - self.linked[from]
    }
}
