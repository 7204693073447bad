//! The rule sets behind a report, by name and hash, so that a report can say which rules made it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fingerprint::fnv1a;
use super::{claims, lexicon, rhetoric, topics};

/// A rule file or word list that the analysis reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleSet {
    /// File name under `rules`.
    pub name: String,
    /// FNV-1a (64 bit) of its content, 16 hexadecimal digits: tells versions apart, proves nothing.
    pub hash: String,
}

/// Every rule set, the word lists as one.
#[must_use]
pub fn rule_sets() -> Vec<RuleSet> {
    let set =
        |name: &str, hash: u64| RuleSet { name: name.to_owned(), hash: format!("{hash:016x}") };
    let lists: String =
        lexicon::LISTS.iter().flat_map(|(name, _, content)| [*name, "\n", *content]).collect();
    vec![
        set("english/*.txt", fnv1a(lists.as_bytes())),
        set("english/claims.toml", fnv1a(claims::RULES.as_bytes())),
        set("english/rhetoric.toml", fnv1a(rhetoric::RULES.as_bytes())),
        set("english/topics.toml", fnv1a(topics::TAXONOMY.as_bytes())),
    ]
}
