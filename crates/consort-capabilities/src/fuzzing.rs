//! Fuzz targets: plain functions over bytes that panic when a promise of this crate is broken.
//!
//! `cargo test` runs them on stable with a seeded mutator; a coverage-guided fuzzer calls the same
//! functions with the feature `fuzzing`.

use url::Url;

use crate::{egress, fetch};

/// A target: its name and what it does with some bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of this crate.
pub const TARGETS: &[Target] =
    &[("robots", fuzz_robots), ("address", fuzz_address), ("redirect", fuzz_redirect)];

/// Any `robots.txt` is read and gives an answer; itself it never forbids.
pub fn fuzz_robots(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let path = text.lines().last().unwrap_or_default();
    let Ok(base) = Url::parse("https://site.example/robots.txt") else { return };
    assert!(fetch::allowed(&text, &base), "robots.txt itself may be read");
    if let Ok(page) = base.join(path) {
        fetch::allowed(&text, &page);
    }
}

/// An address that passes is one of the web, with a host, and carries no name or password.
pub fn fuzz_address(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(gate) = egress::Gate::new(egress::Config::default()) else { return };
    if let Ok(address) = gate.address(&text) {
        check(address.url());
    }
    drop(gate.target(&text));
}

/// Nor does a redirect lead anywhere else.
pub fn fuzz_redirect(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(gate) = egress::Gate::new(egress::Config::default()) else { return };
    let Ok(base) = gate.address("https://site.example/a/b?c") else { return };
    if let Ok(address) = gate.join(&base, &text) {
        check(address.url());
    }
}

fn check(url: &Url) {
    assert!(matches!(url.scheme(), "http" | "https"), "{url}");
    assert!(url.has_host() && url.username().is_empty() && url.password().is_none(), "{url}");
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEDS: &[&str] = &[
        "User-agent: *\nDisallow: /*.pdf$\nAllow: /a/b\n\nUser-agent: consort\nDisallow: /k%C3%A4se*x\n/a/b.pdf",
        "https://user:secret@site.example:8443/a/../b?c=d#e",
        "http://0x7f.1:80/\u{e9}",
        "//other.example/\\x",
        "http://[::ffff:7f00:1]:1/",
        "site.example:443",
        "file:///etc/passwd",
    ];
    const TOKENS: &[&str] = &[
        "*",
        "$",
        "#",
        ":",
        "\n",
        "/",
        "//",
        "@",
        "[",
        "]",
        "%",
        "%00",
        "\\",
        "\0",
        "\t",
        " ",
        "..",
        "?",
        "0x",
        "127.1",
        "http://",
        "file:",
        "Disallow:",
        "User-agent: consort",
        "\u{3002}",
        "\u{ff0f}",
        "xn--",
        "65536",
    ];

    /// `SplitMix64`: small, seeded, the same everywhere.
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: usize) -> usize {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((mixed ^ (mixed >> 31)) % end.max(1) as u64) as usize
        }

        fn mutated(&mut self) -> Vec<u8> {
            let mut data = SEEDS[self.below(SEEDS.len())].as_bytes().to_vec();
            for _ in 0..=self.below(6) {
                let at = self.below(data.len() + 1);
                let end = (at + self.below(12)).min(data.len());
                let token = TOKENS[self.below(TOKENS.len())].repeat(1 + self.below(4));
                match self.below(4) {
                    0 if at < data.len() => data[at] ^= 1 << self.below(8),
                    1 => drop(data.drain(at..end)),
                    2 => data.truncate(at),
                    _ => drop(data.splice(at..at, token.bytes())),
                }
            }
            data
        }
    }

    /// `CONSORT_FUZZ_ROUNDS` sets how many inputs each target gets.
    #[test]
    fn mutated_input_keeps_every_promise() {
        let rounds = std::env::var_os("CONSORT_FUZZ_ROUNDS")
            .and_then(|rounds| rounds.to_str()?.parse().ok());
        for (index, (_, target)) in TARGETS.iter().enumerate() {
            let mut random = Random(index as u64);
            for _ in 0..rounds.unwrap_or(2_000_u64) {
                target(&random.mutated());
            }
        }
    }
}
