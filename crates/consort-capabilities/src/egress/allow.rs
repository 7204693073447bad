//! The list of targets that are allowed although they are not public.

use std::net::IpAddr;

use consort_core::{Category, StepError};
use url::Host;

use super::address;

/// One entry of `egress.allow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    whom: Whom,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Whom {
    /// Addresses that share the first bits of this one.
    Block(IpAddr, u8),
    /// A name, whatever it resolves to.
    Name(String),
}

impl Rule {
    /// Reads `HOST`, `HOST:PORT`, `ADDRESS/BITS` or `[IPV6]:PORT`.
    pub(crate) fn parse(text: &str) -> Result<Self, StepError> {
        let wrong = || {
            let message = format!("`{text}` in `egress.allow` is not a host");
            StepError::new(Category::Configuration, message)
                .hint("write a name, an address or a block, such as `localhost:8000`, `10.0.0.7` or `10.0.0.0/8`")
        };
        if let Some((start, bits)) = text.split_once('/') {
            let start: IpAddr = start.parse().map_err(|_| wrong())?;
            let most = if start.is_ipv4() { 32 } else { 128 };
            let bits = bits.parse().ok().filter(|bits| *bits <= most).ok_or_else(wrong)?;
            return Ok(Self { whom: Whom::Block(start, bits), port: None });
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self { whom: Whom::of(address), port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let whom = match Host::parse(host).map_err(|_| wrong())? {
            Host::Domain(name) if is_plain(&name) => Whom::Name(plain(&name)),
            Host::Domain(_) => return Err(wrong()),
            Host::Ipv4(address) => Whom::of(address.into()),
            Host::Ipv6(address) => Whom::of(address.into()),
        };
        Ok(Self { whom, port })
    }

    /// True when it allows `address`, reached under the name `host` if there was one.
    pub(crate) fn allows(&self, host: Option<&str>, address: IpAddr, port: u16) -> bool {
        let whom = match &self.whom {
            Whom::Block(start, bits) => address::within(address, *start, *bits),
            Whom::Name(name) => host.is_some_and(|host| plain(host) == *name),
        };
        whom && self.port.is_none_or(|only| only == port)
    }
}

impl Whom {
    fn of(address: IpAddr) -> Self {
        let address = address::canonical(address);
        Self::Block(address, if address.is_ipv4() { 32 } else { 128 })
    }
}

/// Patterns are not understood, so they must not look as if they were.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

/// Names do not differ by case or by the dot of the root.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(rule: &str, host: Option<&str>, address: &str, port: u16) -> bool {
        Rule::parse(rule).unwrap().allows(host, address.parse().unwrap(), port)
    }

    #[test]
    fn a_rule_allows_what_it_says_and_no_more() {
        assert!(allows("127.0.0.1", None, "127.0.0.1", 80));
        assert!(!allows("127.0.0.1", None, "127.0.0.2", 80));
        assert!(allows("127.0.0.1:8000", None, "127.0.0.1", 8000));
        assert!(!allows("127.0.0.1:8000", None, "127.0.0.1", 8001));
        assert!(allows("10.0.0.0/8", Some("x.example"), "10.9.9.9", 1));
        assert!(!allows("10.0.0.0/8", None, "11.0.0.1", 1));
        assert!(allows("::1", None, "::1", 1));
        assert!(allows("[::1]:8000", None, "::1", 8000));
        assert!(!allows("[::1]:8000", None, "::1", 8001));
        assert!(allows("fd00::/8", None, "fd12::1", 1));
    }

    #[test]
    fn a_name_is_allowed_as_a_name_only() {
        assert!(allows("LocalHost", Some("localhost."), "127.0.0.1", 1));
        assert!(!allows("localhost", None, "127.0.0.1", 1));
        assert!(!allows("localhost", Some("evil.localhost"), "127.0.0.1", 1));
        assert!(allows("wiki.corp:8080", Some("wiki.corp"), "10.0.0.1", 8080));
    }

    #[test]
    fn what_is_no_rule_is_refused_with_examples() {
        for wrong in ["", "10.0.0.0/33", "a/8", "host:port", "host:99999", "*", "http://x"] {
            let error = Rule::parse(wrong).unwrap_err();
            assert_eq!(error.category(), Category::Configuration, "{wrong}");
        }
    }
}
