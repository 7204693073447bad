//! Runs every target over the corpus, over mutations of it, and over bytes of any kind.

use proptest::prelude::*;

use super::*;

/// Pieces that parsers treat specially.
const TOKENS: &[&[u8]] = &[
    b"<",
    b">",
    b"</",
    b"<!--",
    b"-->",
    b"]]>",
    b"<![CDATA[",
    b"<script>",
    b"<table><tr><td>",
    b"<p>",
    b"<svg>",
    b"&amp;",
    b"&#0;",
    b"&#x110000;",
    b"\"",
    b"'",
    b"=",
    b"\0",
    b"\xFF",
    b"\xEF\xBB\xBF",
    b"\xE2\x80\xAE",
    b"\r\n",
    b"\n\n",
    b"\n",
    b" --> ",
    b"00:00:01,000",
    b"99999:99:99.999",
    b"WEBVTT",
    b"NOTE",
    b"<v X>",
    b"1\n",
    b"{\\an8}",
    b"[Music]",
    b">> ",
    b"ANNA: ",
    b"[00:01:02] ",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"1e308",
    b"-1",
    b"\"segments\":",
    b"\"start\":",
    b"null",
    b"# ",
    b"| a | b |\n| - | - |\n",
    b"```",
    b"---\n",
    b"[x](y)",
    b"![x](y)",
    b"> ",
    b"* ",
    b". ",
    b"...",
    b"?! ",
    b"\xE3\x80\x82",
    b"\xE2\x80\x9D",
    b"\xF0\x9F\x98\x80",
    b"Mr. ",
    b"U.S. ",
    b" and ",
    b" or ",
    b"not ",
    b"(",
    b")",
    b"words >= 4",
    b"<rss version=\"2.0\"><channel><item>",
    b"<feed><entry>",
    b"\xC2\xA0",
];

fn seeds() -> Vec<Vec<u8>> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut seeds = Vec::new();
    for directory in ["documents", "pages", "pdf", "sentences"] {
        let entries = std::fs::read_dir(root.join(directory)).expect("the corpus is there");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
        paths.sort();
        seeds.extend(paths.into_iter().map(|path| std::fs::read(path).expect("readable")));
    }
    seeds
}

/// SplitMix64: small, seeded, the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

fn mutate(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut data = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(8) {
        let at = random.below(data.len() + 1);
        let end = (at + random.below(64)).min(data.len());
        match random.below(7) {
            0 if at < data.len() => data[at] ^= 1 << random.below(8),
            1 => drop(data.splice(at..at, TOKENS[random.below(TOKENS.len())].iter().copied())),
            2 => drop(data.drain(at..end)),
            3 => {
                let piece = data[at..end].repeat(1 + random.below(20));
                data.splice(at..at, piece);
            }
            4 => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len() + 1);
                let to = (from + random.below(200)).min(other.len());
                data.splice(at..end, other[from..to].iter().copied());
            }
            5 => data.truncate(at),
            _ => {
                let token = TOKENS[random.below(TOKENS.len())].repeat(1 + random.below(150));
                data.splice(at..at, token);
            }
        }
    }
    data
}

#[test]
fn the_corpus_keeps_every_promise() {
    for seed in seeds() {
        for (_, target) in TARGETS {
            target(&seed);
        }
        let _ =
            extract(&seed, &Hint::default(), &Limits::default()).map(|document| check(&document));
    }
}

/// `CONSORT_FUZZ_ROUNDS` sets how many inputs each target gets; the failing one is printed.
#[test]
fn mutated_corpus_keeps_every_promise() {
    let rounds =
        std::env::var_os("CONSORT_FUZZ_ROUNDS").and_then(|rounds| rounds.to_str()?.parse().ok());
    let seeds = seeds();
    for (index, (name, target)) in TARGETS.iter().enumerate() {
        for round in 0..rounds.unwrap_or(40_u64) {
            let data = mutate(&mut Random(round * 1_000 + index as u64), &seeds);
            if std::panic::catch_unwind(|| target(&data)).is_err() {
                panic!(
                    "target `{name}` broke in round {round} on {:?}",
                    String::from_utf8_lossy(&data)
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_keep_every_promise(data in proptest::collection::vec(any::<u8>(), 0..600)) {
        for (_, target) in TARGETS {
            target(&data);
        }
    }

    #[test]
    fn any_characters_keep_every_promise(data in "\\PC{0,200}") {
        for (_, target) in TARGETS {
            target(data.as_bytes());
        }
    }
}
