//! Links of the source, addresses in the text, and the sources that the text says it rests on.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::index::{Index, Kind};
use super::limits::Limits;
use super::place::Place;
use super::quotes::{Basis, Quote};
use crate::document::Span;

/// Where the source points to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Links {
    /// Link targets, each once, in order of appearance.
    pub targets: Vec<LinkTarget>,
    /// How many links go to each host, the most linked first.
    pub hosts: Vec<Host>,
    /// Whom the text names as a source, the most often named first.
    pub sources: Vec<CitedSource>,
}

/// One target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LinkTarget {
    /// The address as written.
    pub url: String,
    /// Words of the first link to it; empty for a bare address.
    pub text: String,
    /// Links to it.
    pub count: u32,
    /// Where the first link stands, when it is part of the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// Links to one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// Lower-case host name, without `www.`.
    pub name: String,
    /// Links to it.
    pub count: u32,
}

/// Somebody whom the text credits with statements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CitedSource {
    /// Name as first written.
    pub name: String,
    /// Statements credited to it.
    pub count: u32,
    /// Those statements, the first few.
    pub places: Vec<Place>,
}

/// Links and cited sources.
pub(crate) fn find(index: &Index<'_>, quotes: &[Quote], limits: &Limits) -> (Links, usize) {
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut targets: Vec<LinkTarget> = Vec::new();
    let mut add = |url: &str, text: &str, span: Option<Span>| {
        let at = *numbers.entry(url.to_owned()).or_insert(targets.len());
        if at == targets.len() {
            let inside = span.filter(|_| !index.sentences.is_empty());
            let place = inside.map(|span| index.place(span, index.sentence_at(span.start)));
            targets.push(LinkTarget {
                url: url.to_owned(),
                text: text.to_owned(),
                count: 0,
                place,
            });
        }
        targets[at].count += 1;
    };
    for link in &index.doc.links {
        add(&link.url, &link.text, link.span);
    }
    let linked: Vec<Span> = index.doc.links.iter().filter_map(|link| link.span).collect();
    for token in index.tokens.iter().filter(|token| token.kind == Kind::Address) {
        let raw = index.raw(token);
        let next = linked.partition_point(|span| span.end <= token.start as usize);
        let known = linked.get(next).is_some_and(|span| span.overlaps(token.span()));
        if !known && (raw.contains("://") || raw.starts_with("www.")) {
            add(raw, "", Some(token.span()));
        }
    }
    let hosts = hosts(&targets);
    let total = targets.len();
    targets.truncate(limits.links);
    (Links { targets, hosts, sources: sources(quotes) }, total)
}

fn hosts(targets: &[LinkTarget]) -> Vec<Host> {
    let mut counts: HashMap<String, u32> = HashMap::new();
    for target in targets {
        if let Some(host) = host(&target.url) {
            *counts.entry(host).or_default() += target.count;
        }
    }
    let mut hosts: Vec<Host> =
        counts.into_iter().map(|(name, count)| Host { name, count }).collect();
    hosts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    hosts
}

/// Host of an http address.
fn host(url: &str) -> Option<String> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or(url);
    if rest.len() == url.len() && !url.starts_with("www.") {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    // A port follows the last colon, unless the colon belongs to an IPv6 address in brackets.
    let host = if host.ends_with(']') {
        host
    } else {
        host.rsplit_once(':').map_or(host, |(name, _)| name)
    };
    let host = host.to_lowercase();
    let host = host.strip_prefix("www.").unwrap_or(&host);
    (!host.is_empty()).then(|| host.to_owned())
}

/// Most places listed per source.
const MAX_PLACES: usize = 12;

fn sources(quotes: &[Quote]) -> Vec<CitedSource> {
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut found: Vec<CitedSource> = Vec::new();
    for quote in quotes {
        let Some(by) =
            quote.by.as_ref().filter(|by| matches!(by.basis, Basis::Named | Basis::AccordingTo))
        else {
            continue;
        };
        let at = *numbers.entry(by.name.to_lowercase()).or_insert(found.len());
        if at == found.len() {
            found.push(CitedSource { name: by.name.clone(), count: 0, places: Vec::new() });
        }
        found[at].count += 1;
        if found[at].places.len() < MAX_PLACES {
            found[at].places.push(quote.place);
        }
    }
    found.sort_by_key(|source| std::cmp::Reverse(source.count));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_as_browsers_read_them() {
        for (url, expected) in [
            ("https://www.Example.org/a?b", Some("example.org")),
            ("http://user@evil.example:8080/x", Some("evil.example")),
            ("http://good.example@evil.example/", Some("evil.example")),
            ("https://[::1]/", Some("[::1]")),
            ("mailto:a@b.example", None),
            ("/local/path", None),
            ("www.example.org", Some("example.org")),
        ] {
            assert_eq!(host(url).as_deref(), expected, "{url}");
        }
    }
}
