//! A page as a flat list of nodes in document order, which every later question is a loop over.

use dom_query::{NodeData, NodeRef};

/// What an element is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// Text, not an element.
    Text,
    /// Any element without a role of its own; inline.
    Inline,
    /// Any element that stands on its own lines.
    Block,
    Article,
    Main,
    Body,
    /// `<nav>`, `<aside>`, `<footer>` and their roles.
    Furniture,
    Header,
    Form,
    /// Never shown, or not as text: scripts, controls, drawings.
    Unseen,
    Heading(u8),
    Link,
    Break,
    Cell,
    Row,
    Item,
    List,
    Paragraph,
    Preformatted,
    Time,
}

/// One node.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) tag: Tag,
    /// Index one past the last node inside this one.
    pub(super) end: usize,
    /// Text of a text node.
    pub(super) text: String,
    /// Lower-case `class` and `id` of an element, target of a link.
    pub(super) names: Option<Box<Names>>,
}

/// The attributes that say what an element is for.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub(super) class: String,
    pub(super) href: Option<String>,
}

/// A page or part of one.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
}

impl Tree {
    /// Flattens the tree under `root`, `root` included.
    pub(super) fn new(root: NodeRef<'_>) -> Self {
        let mut tree = Self::default();
        // Nodes whose subtree is still being read, outermost first.
        let mut open: Vec<usize> = Vec::new();
        let mut next = Some(root);
        while let Some(node) = next {
            let index = tree.push(&node);
            if let Some(child) = index.and_then(|_| node.first_child()) {
                open.extend(index);
                next = Some(child);
                continue;
            }
            next = tree.after(node, &mut open, root);
        }
        tree
    }

    /// The node after `node`'s subtree, closing what ends there.
    fn after<'a>(
        &mut self,
        node: NodeRef<'a>,
        open: &mut Vec<usize>,
        root: NodeRef<'a>,
    ) -> Option<NodeRef<'a>> {
        let mut node = node;
        while node.id != root.id {
            if let Some(sibling) = node.next_sibling() {
                return Some(sibling);
            }
            node = node.parent()?;
            if let Some(index) = open.pop() {
                self.nodes[index].end = self.nodes.len();
            }
        }
        None
    }

    /// Adds a node; none for what is never looked into.
    fn push(&mut self, node: &NodeRef<'_>) -> Option<usize> {
        let index = self.nodes.len();
        let made = node.query(|node| match &node.data {
            NodeData::Text { contents } => Some(Node {
                tag: Tag::Text,
                end: index + 1,
                text: contents.to_string(),
                names: None,
            }),
            NodeData::Element(element) => {
                let attribute = |name: &str| {
                    element
                        .attrs
                        .iter()
                        .find(|a| &*a.name.local == name)
                        .map(|a| a.value.to_string())
                };
                let tag = tag(&element.name.local, &attribute);
                let class =
                    [attribute("class"), attribute("id")].map(Option::unwrap_or_default).join(" ");
                let href = if tag == Tag::Link { attribute("href") } else { None };
                let named = !class.trim().is_empty() || href.is_some();
                let names = named.then(|| Box::new(Names { class, href }));
                (tag != Tag::Unseen).then_some(Node {
                    tag,
                    end: index + 1,
                    text: String::new(),
                    names,
                })
            }
            NodeData::Document | NodeData::Fragment => {
                Some(Node { tag: Tag::Block, end: index + 1, text: String::new(), names: None })
            }
            NodeData::Doctype { .. }
            | NodeData::Comment { .. }
            | NodeData::ProcessingInstruction { .. } => None,
        });
        self.nodes.push(made.flatten()?);
        Some(index)
    }
}

fn tag(name: &str, attribute: &dyn Fn(&str) -> Option<String>) -> Tag {
    let style = attribute("style").unwrap_or_default().to_ascii_lowercase();
    let hidden = style.replace(' ', "").contains("display:none")
        || attribute("hidden").is_some()
        || attribute("aria-hidden").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if hidden {
        return Tag::Unseen;
    }
    match attribute("role").unwrap_or_default().to_ascii_lowercase().as_str() {
        "main" => return Tag::Main,
        "article" => return Tag::Article,
        "navigation" | "banner" | "contentinfo" | "complementary" | "search" | "dialog"
        | "alertdialog" | "menu" | "menubar" | "toolbar" | "tablist" => return Tag::Furniture,
        _ => {}
    }
    match name {
        "script" | "style" | "noscript" | "template" | "svg" | "math" | "iframe" | "object"
        | "embed" | "canvas" | "audio" | "video" | "select" | "option" | "button" | "input"
        | "textarea" | "head" | "title" | "map" | "datalist" | "dialog" | "progress" | "meter" => {
            Tag::Unseen
        }
        "nav" | "aside" | "footer" | "menu" => Tag::Furniture,
        "header" => Tag::Header,
        "form" => Tag::Form,
        "body" => Tag::Body,
        "article" => Tag::Article,
        "main" => Tag::Main,
        "h1" => Tag::Heading(1),
        "h2" => Tag::Heading(2),
        "h3" => Tag::Heading(3),
        "h4" => Tag::Heading(4),
        "h5" => Tag::Heading(5),
        "h6" => Tag::Heading(6),
        "a" => Tag::Link,
        "br" => Tag::Break,
        "td" | "th" => Tag::Cell,
        "tr" => Tag::Row,
        "li" | "dt" | "dd" => Tag::Item,
        "ul" | "ol" | "dl" => Tag::List,
        "p" => Tag::Paragraph,
        "pre" => Tag::Preformatted,
        "time" => Tag::Time,
        "address" | "blockquote" | "caption" | "center" | "details" | "div" | "fieldset"
        | "figcaption" | "figure" | "hgroup" | "hr" | "html" | "legend" | "section" | "summary"
        | "table" | "tbody" | "tfoot" | "thead" => Tag::Block,
        _ => Tag::Inline,
    }
}
