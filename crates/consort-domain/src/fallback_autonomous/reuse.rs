//! Reuse: a source whose content has not changed is not analysed again.
//!
//! A page must be fetched before anybody knows whether it changed, so this is asked right after.
//! The same report would come out if source, content, options and versions are the same; then the
//! earlier one is the answer. A batch of pages that was interrupted fetches them again, and
//! analyses only what it had not finished.

use std::sync::Arc;

use consort_content::analyse::rule_sets;
use consort_core::{
    Capability, CapabilityDescriptor, Effect, Hash, Loss, Name, Outcome, Request, RunId,
    StepContext, StepError, StepResult, Timestamp, Version, guard::Reach, port::Acquired,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Analyze, Analyzed, recall::Memory, stage_error};

/// Reports looked through, newest first.
const LOOKED_THROUGH: usize = 4096;

/// Asks for a report on the same content that was made in the same way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindReport {
    /// Fingerprint of what such a report was made of: content, options and versions.
    pub work: String,
}

/// The report, if there is one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FoundReport {
    /// None when there is none.
    pub report: Option<Known>,
}

/// A report of an earlier run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Known {
    /// Which run it was, and when.
    pub reused: Reused,
    /// What it answered.
    pub analyzed: Analyzed,
    /// What its report lacks.
    pub losses: Vec<Loss>,
}

impl Known {
    /// The answer of a run that need not make a report. It leaves no digest: the report counts
    /// once.
    pub(super) fn into_outcome(self) -> Outcome<Analyzed> {
        let reused = self.analyzed.reused.unwrap_or(self.reused);
        let analyzed = Analyzed { digest: None, reused: Some(reused), ..self.analyzed };
        Outcome::degraded(analyzed, self.losses)
    }
}

/// The run that made a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reused {
    /// The run.
    pub run: RunId,
    /// When it ended.
    pub ended: Timestamp,
}

impl Request for FindReport {
    const CALLEE: &'static str = "find_report";
    type Response = FoundReport;
}

/// What decides how a report on `acquired` comes out, as one value.
pub(super) fn work(request: &Analyze, acquired: &Acquired) -> String {
    let rules: Vec<_> =
        rule_sets().iter().map(|set| format!("{} {}", set.name, set.hash)).collect();
    let all = json!({
        "source": request.source.locator(),
        "content": acquired.body.hash,
        "media_type": acquired.media_type,
        "url": acquired.url,
        "losses": acquired.losses,
        "depth": request.depth,
        "evidence": request.evidence,
        "rules": rules,
        "version": env!("CARGO_PKG_VERSION"),
    });
    Hash::of(all.to_string().as_bytes()).to_string()
}

pub(super) struct Finder {
    memory: Arc<Memory>,
}

impl Finder {
    pub(super) fn new(memory: Arc<Memory>) -> Self {
        Self { memory }
    }

    async fn known(&self, run: RunId) -> Result<Option<Known>, StepError> {
        let Some(ended) = self.memory.ended(&run).await? else { return Ok(None) };
        let Ok((value, losses)) = ended.result.and_then(Outcome::into_value) else {
            return Ok(None);
        };
        let analyzed = serde_json::from_value(value)
            .map_err(|error| stage_error(&error, "a recorded answer makes no sense"))?;
        Ok(Some(Known { reused: Reused { run, ended: ended.at }, analyzed, losses }))
    }
}

impl Capability for Finder {
    type Request = FindReport;

    fn descriptor(&self) -> CapabilityDescriptor {
        CapabilityDescriptor {
            name: Name::new(FindReport::CALLEE).expect("a valid name"),
            version: Version::new(1, 0, 0),
            effect: Effect::Read,
            recompute: false,
            purpose: "Finds an earlier report on the same content, made in the same way".into(),
        }
    }

    fn reach(&self, _: &FindReport) -> Reach {
        Reach::Here
    }

    async fn invoke(&self, cx: &StepContext, request: FindReport) -> StepResult<FoundReport> {
        let (_, earlier) = self.memory.earlier(cx, LOOKED_THROUGH).await?;
        let same = earlier.into_iter().find(|(_, digest)| digest.is_of(&request.work));
        let report = match same {
            Some((run, _)) => self.known(run).await?,
            None => None,
        };
        Ok(Outcome::succeeded(FoundReport { report }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use consort_content::analyse::Depth;
    use consort_core::{Blob, port::Source};

    fn known_by(url: &str, content: &str, depth: Depth) -> String {
        let request =
            Analyze { source: Source::Url(url.into()), depth, evidence: Vec::new(), again: false };
        let body = Blob::of(content.as_bytes(), "text/html");
        let (media_type, url) = (Some("text/html".into()), Some(url.into()));
        work(&request, &Acquired { body, name: None, media_type, url, losses: Vec::new() })
    }

    #[test]
    fn address_content_and_options_all_count() {
        let first = known_by("https://a.example/", "a", Depth::Standard);
        assert_eq!(first, known_by("https://a.example/", "a", Depth::Standard));
        assert_ne!(first, known_by("https://a.example/", "b", Depth::Standard));
        assert_ne!(first, known_by("https://b.example/", "a", Depth::Standard));
        assert_ne!(first, known_by("https://a.example/", "a", Depth::Quick));
    }
}
