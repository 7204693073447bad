//! When two analyses are the same one: same content, format, depth and versions.

use consort::{
    Consort,
    content::analyse::{Depth, rule_sets},
    core::{Category, Hash, IdempotencyKey, StepError},
};
use serde_json::{Value, json};

/// Everything that decides what a report says, except the content.
#[derive(Debug)]
pub(super) struct Versions(String);

impl Versions {
    pub(super) fn of(consort: &Consort) -> Self {
        let facade = consort.facade();
        let orchestrators =
            facade.list().into_iter().map(|one| format!("{} {}", one.name, one.version));
        let capabilities =
            facade.capabilities().into_iter().map(|one| format!("{} {}", one.name, one.version));
        let rules = rule_sets().into_iter().map(|set| format!("{} {}", set.name, set.hash));
        let build = format!("consort {}", env!("CARGO_PKG_VERSION"));
        let all: Vec<String> =
            orchestrators.chain(capabilities).chain(rules).chain([build]).collect();
        Self(all.join("\n"))
    }
}

/// What the user wants of a report.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    pub(super) depth: Depth,
    /// What tells the sources of evidence from others, in their order.
    pub(super) evidence: Vec<Value>,
}

/// What is analysed, up to its name.
#[derive(Debug)]
pub(super) struct Work(Hash);

impl Work {
    pub(super) fn new(content: Hash, ending: &str, options: &Options, versions: &Versions) -> Self {
        let all = json!({
            "content": content,
            "ending": ending,
            "depth": options.depth,
            "evidence": options.evidence,
            "versions": versions.0,
        });
        Self(Hash::of(all.to_string().as_bytes()))
    }

    /// The key of its attempt number `attempt`, counted from 0.
    pub(super) fn key(&self, attempt: u32) -> Result<IdempotencyKey, StepError> {
        IdempotencyKey::new(format!("analyze:{}:{attempt}", self.0))
            .map_err(|error| StepError::new(Category::Internal, error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ending_options_and_versions_all_count() {
        let key = |content: &str, ending: &str, options: &Options, versions: &str| {
            let versions = Versions(versions.to_owned());
            let work = Work::new(Hash::of(content.as_bytes()), ending, options, &versions);
            work.key(0).unwrap()
        };
        let standard = Options::default();
        let quick = Options { depth: Depth::Quick, ..Options::default() };
        let checked = Options { evidence: vec![json!("https://a.example")], ..Options::default() };
        let first = key("a", "txt", &standard, "1");
        assert_eq!(first, key("a", "txt", &standard, "1"));
        assert_ne!(first, key("b", "txt", &standard, "1"));
        assert_ne!(first, key("a", "vtt", &standard, "1"));
        assert_ne!(first, key("a", "txt", &quick, "1"));
        assert_ne!(first, key("a", "txt", &checked, "1"));
        assert_ne!(first, key("a", "txt", &standard, "2"));
    }
}
