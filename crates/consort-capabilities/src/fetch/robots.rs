//! `robots.txt` by RFC 9309, and what is known of each host.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use consort_core::StepError;
use tokio::{sync::OnceCell, time::Instant};
use url::{Position, Url};

/// How much of a file is read. RFC 9309 asks for at least 500 KiB.
pub(super) const MAX_BYTES: usize = 512 * 1024;
/// Rules kept of one file.
const MAX_RULES: usize = 10_000;
/// Hosts remembered.
const MAX_HOSTS: usize = 256;
/// How long a file counts.
const FRESH: Duration = Duration::from_secs(3600);
/// Our name in the file.
const TOKEN: &str = "consort";

/// What a host allows us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rules(Vec<Rule>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    allow: bool,
    pattern: String,
}

impl Rules {
    /// The rules of the groups that name us, or else of those for everyone.
    pub(super) fn parse(text: &str) -> Self {
        let (mut ours, mut everyones) = (Vec::new(), Vec::new());
        let (mut named_us, mut for_us, mut for_all, mut in_agents) = (false, false, false, false);
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let Some((key, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "user-agent" => {
                    if !in_agents {
                        (for_us, for_all, in_agents) = (false, false, true);
                    }
                    for_all |= value == "*";
                    for_us |= token(value).eq_ignore_ascii_case(TOKEN);
                    named_us |= for_us;
                }
                key @ ("allow" | "disallow") => {
                    in_agents = false;
                    if value.is_empty() {
                        continue;
                    }
                    let rule = Rule { allow: key == "allow", pattern: normal(value) };
                    if for_us && ours.len() < MAX_RULES {
                        ours.push(rule);
                    } else if for_all && everyones.len() < MAX_RULES {
                        everyones.push(rule);
                    }
                }
                // Others, such as `sitemap`, belong to no group and do not end one.
                _ => {}
            }
        }
        Self(if named_us { ours } else { everyones })
    }

    /// The longest pattern that matches decides; a tie is decided for us.
    pub(super) fn allow(&self, url: &Url) -> bool {
        let path = &url[Position::BeforePath..Position::AfterQuery];
        let decides = self
            .0
            .iter()
            .filter(|rule| matches(&rule.pattern, path))
            .max_by_key(|rule| (rule.pattern.len(), rule.allow));
        path == "/robots.txt" || decides.is_none_or(|rule| rule.allow)
    }
}

/// The part of an agent's name that is compared.
fn token(value: &str) -> &str {
    let end = value.find(|c: char| !(c.is_ascii_alphabetic() || matches!(c, '-' | '_')));
    &value[..end.unwrap_or(value.len())]
}

/// A pattern in the spelling that addresses have: characters beyond ASCII percent-encoded.
fn normal(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    for byte in pattern.bytes() {
        match byte {
            b'!'..=b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// `*` is any run of characters, `$` at the end is the end; otherwise a prefix. Linear: the first
/// place where a piece fits is as good as any later one.
fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, to_end) = match pattern.strip_suffix('$') {
        Some(pattern) => (pattern, true),
        None => (pattern, false),
    };
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = path.strip_prefix(first) else { return false };
    let mut last = None;
    for piece in pieces {
        if let Some(piece) = last.replace(piece) {
            let Some(at) = rest.find(piece) else { return false };
            rest = &rest[at + piece.len()..];
        }
    }
    match (last, to_end) {
        (None, true) => rest.is_empty(),
        (None, false) => true,
        (Some(piece), true) => rest.ends_with(piece),
        (Some(piece), false) => rest.contains(piece),
    }
}

/// The rules of the hosts seen lately.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashMap<String, Entry>>);

#[derive(Clone, Debug)]
struct Entry {
    rules: Arc<OnceCell<Rules>>,
    since: Instant,
}

impl Known {
    /// The rules of `origin`, asked for with `ask` once among all who want them now. A failure is
    /// not remembered.
    pub(super) async fn get<F>(
        &self,
        origin: &str,
        ask: impl FnOnce() -> F,
    ) -> Result<Rules, StepError>
    where
        F: Future<Output = Result<Rules, StepError>>,
    {
        let cell = self.entry(origin).rules;
        cell.get_or_try_init(ask).await.cloned()
    }

    fn entry(&self, origin: &str) -> Entry {
        let now = Instant::now();
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.retain(|_, entry| now.duration_since(entry.since) < FRESH);
        if hosts.len() >= MAX_HOSTS
            && !hosts.contains_key(origin)
            && let Some(oldest) =
                hosts.iter().min_by_key(|(_, entry)| entry.since).map(|(host, _)| host.clone())
        {
            hosts.remove(&oldest);
        }
        let new = || Entry { rules: Arc::default(), since: now };
        hosts.entry(origin.to_owned()).or_insert_with(new).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(file: &str, path: &str) -> bool {
        Rules::parse(file).allow(&Url::parse(&format!("https://a.example{path}")).unwrap())
    }

    #[test]
    fn without_rules_everything_is_open() {
        assert!(allow("", "/a"));
        assert!(allow("<html>not a robots file</html>", "/a"));
        assert!(allow("User-agent: *\nDisallow:", "/a"));
    }

    #[test]
    fn our_own_group_counts_and_not_everyones() {
        let file = "User-agent: *\nDisallow: /\n\nuser-agent: other\nUser-Agent: Consort/9\nDisallow: /private # x";
        assert!(allow(file, "/a"));
        assert!(!allow(file, "/private/a"));
        assert!(!allow("User-agent: *\nDisallow: /", "/a"));
        assert!(allow("User-agent: consortium\nDisallow: /", "/a"));
        assert!(allow("User-agent: *\nDisallow: /\nUser-agent: consort", "/a"));
    }

    #[test]
    fn groups_of_the_same_name_are_one() {
        let file =
            "User-agent: consort\nDisallow: /a\nSitemap: x\n\nUser-agent: consort\nDisallow: /b";
        assert!(!allow(file, "/a"));
        assert!(!allow(file, "/b"));
    }

    #[test]
    fn the_longest_match_decides_and_a_tie_opens() {
        let file = "User-agent: *\nDisallow: /shop\nAllow: /shop/open\nDisallow: /x\nAllow: /x";
        assert!(!allow(file, "/shop/cart"));
        assert!(allow(file, "/shop/open/1"));
        assert!(allow(file, "/x"));
    }

    #[test]
    fn patterns_know_any_run_and_the_end() {
        let file = "User-agent: *\nDisallow: /*.pdf$\nDisallow: /*?print=\nDisallow: /käse";
        assert!(!allow(file, "/a/b.pdf"));
        assert!(allow(file, "/a/b.pdf.html"));
        assert!(!allow(file, "/a?print=1"));
        assert!(!allow(file, "/k%C3%A4se"));
        assert!(matches("/a*b*c", "/axxbxxcyy"));
        assert!(!matches("/a*b*c$", "/axxbxxcyy"));
        assert!(matches("/a*$", "/abc"));
        assert!(!matches("/abc$", "/abcd"));
    }

    #[test]
    fn many_stars_cost_no_time() {
        let pattern = format!("/{}b", "*a".repeat(2_000));
        assert!(!matches(&pattern, &format!("/{}", "a".repeat(100_000))));
    }

    #[tokio::test]
    async fn a_host_is_asked_once_and_a_failure_is_forgotten() {
        let known = Known::default();
        let fails = || async { Err(StepError::new(consort_core::Category::Network, "down")) };
        known.get("a", fails).await.unwrap_err();
        let one = Rules::parse("User-agent: *\nDisallow: /1");
        assert_eq!(known.get("a", || async { Ok(one.clone()) }).await.unwrap(), one);
        assert_eq!(known.get("a", fails).await.unwrap(), one);
    }

    #[test]
    fn so_many_hosts_are_remembered_and_no_more() {
        let known = Known::default();
        for host in 0..MAX_HOSTS + 10 {
            known.entry(&host.to_string());
        }
        assert_eq!(known.0.lock().unwrap().len(), MAX_HOSTS);
    }
}
