//! What earlier reports of the same tenant know: texts that are nearly this one, and evidence.
//!
//! The recorded runs are the only place where this is kept. Each report leaves a digest in the
//! store, its run's answer refers to it, and so it lives and dies with the run.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use consort_content::{
    analyse::{Depth, Fingerprint, Found, NearDuplicate, PartFindings, verify::Evidence},
    report::Report,
};
use consort_core::{
    Blob, Capability, CapabilityDescriptor, Effect, Name, Outcome, Request, RunId, StepContext,
    StepError, StepResult, Version,
    guard::Reach,
    journal::{Journal, RunFilter},
    record::{RunEnded, RunState, RunSummary},
};
use futures_util::{StreamExt, stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Analyze, Analyzed,
    stages::{keep, load},
};

/// Digests kept in memory: as many as the deepest comparison needs, at about 10 kB each.
const KEPT: usize = 4096;
/// Reads of the store at once.
const AT_ONCE: usize = 16;
/// Most near-duplicates that a report names.
const NAMED: usize = 20;

/// Asks what earlier reports know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recall {
    /// What the parts of the analysis found.
    pub found: Vec<Blob>,
    /// How deep to go: it decides how many reports are compared.
    pub depth: Depth,
}

/// What they know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recalled {
    /// Reports that were compared.
    pub compared: u64,
    /// True when as many runs were looked at as the depth allows, so that there may be older ones.
    pub full: bool,
    /// Those on nearly the same text, the most alike first.
    pub near: Vec<NearDuplicate>,
    /// Evidence on which their verdicts rest, as JSON: a list of
    /// `consort_content::analyse::verify::Evidence`. None when there is none.
    pub evidence: Option<Blob>,
}

impl Request for Recall {
    const CALLEE: &'static str = "recall_reports";
    type Response = Recalled;
}

/// What later reports may want to know of this one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Digest {
    /// Of the text.
    fingerprint: Option<Fingerprint>,
    /// Title, else path or address.
    about: String,
    /// When it was made.
    made: Option<String>,
    /// On which its verdicts rest.
    evidence: Vec<Evidence>,
    /// What decided how it came out, where that can be the same again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    work: Option<String>,
}

impl Digest {
    pub(super) fn of(report: &Report, work: Option<String>) -> Self {
        let source = &report.source;
        let weighed = report.verification.iter().flat_map(|check| &check.evidence);
        Self {
            fingerprint: report.findings.fingerprint.clone(),
            about: source.title.clone().unwrap_or_else(|| source.locator.clone()),
            made: report.provenance.finished.clone(),
            evidence: weighed.filter(|one| one.counted).map(|one| one.evidence.clone()).collect(),
            work,
        }
    }

    /// True when the same work would have been done again.
    pub(super) fn is_of(&self, work: &str) -> bool {
        self.work.as_deref() == Some(work)
    }
}

/// Reads digests from recorded runs. Ended runs never change, so each is read once.
pub(super) struct Memory {
    journal: Arc<dyn Journal>,
    known: Mutex<HashMap<RunId, Option<Arc<Digest>>>>,
}

impl Memory {
    pub(super) fn new(journal: Arc<dyn Journal>) -> Self {
        Self { journal, known: Mutex::default() }
    }

    /// How a run ended, if it has.
    pub(super) async fn ended(&self, run: &RunId) -> Result<Option<RunEnded>, StepError> {
        Ok(self.journal.ended(run).await?)
    }

    /// Digests of the newest `limit` reports, newest first, and whether there may be older ones.
    pub(super) async fn earlier(
        &self,
        cx: &StepContext,
        limit: usize,
    ) -> Result<(bool, Vec<(RunId, Arc<Digest>)>), StepError> {
        let filter = RunFilter {
            tenant: Some(cx.tenant().clone()),
            orchestrator: Name::new(Analyze::CALLEE).ok(),
            state: Some(RunState::Ended),
            limit,
            ..RunFilter::default()
        };
        let runs = self.journal.runs(filter).await?;
        let full = runs.len() >= limit;
        let reports = runs.into_iter().filter(|run| run.category.is_none());
        let digests = stream::iter(reports.map(|run| self.digest(cx, run))).buffered(AT_ONCE);
        let digests: Vec<_> = digests.collect().await;
        let digests: Result<_, _> = digests.into_iter().filter_map(Result::transpose).collect();
        Ok((full, digests?))
    }

    async fn digest(
        &self,
        cx: &StepContext,
        run: RunSummary,
    ) -> Result<Option<(RunId, Arc<Digest>)>, StepError> {
        let known = self.lock().get(&run.id).cloned();
        let digest = match known {
            Some(digest) => digest,
            None => {
                let digest = self.read(cx, &run.id).await?;
                let mut known = self.lock();
                if known.len() >= KEPT {
                    known.clear();
                }
                known.insert(run.id.clone(), digest.clone());
                digest
            }
        };
        Ok(digest.map(|digest| (run.id, digest)))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, Option<Arc<Digest>>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None for a run without a report, or from a version that left no digest.
    async fn read(&self, cx: &StepContext, run: &RunId) -> Result<Option<Arc<Digest>>, StepError> {
        let ended = self.ended(run).await?;
        let answer = ended.and_then(|ended| ended.result.ok()?.into_value().ok());
        let analyzed = answer.and_then(|(value, _)| serde_json::from_value::<Analyzed>(value).ok());
        match analyzed.and_then(|analyzed| analyzed.digest) {
            Some(blob) => Ok(Some(Arc::new(load(cx, &blob).await?))),
            None => Ok(None),
        }
    }
}

/// Compares a text with those of earlier reports.
pub(super) struct Recaller {
    memory: Arc<Memory>,
}

impl Recaller {
    pub(super) fn new(memory: Arc<Memory>) -> Self {
        Self { memory }
    }
}

impl Capability for Recaller {
    type Request = Recall;

    fn descriptor(&self) -> CapabilityDescriptor {
        CapabilityDescriptor {
            name: Name::new(Recall::CALLEE).expect("a valid name"),
            version: Version::new(1, 0, 0),
            effect: Effect::Read,
            recompute: false,
            purpose: "Finds near-duplicates and evidence in earlier reports of the tenant".into(),
        }
    }

    fn reach(&self, _: &Recall) -> Reach {
        Reach::Here
    }

    async fn invoke(&self, cx: &StepContext, request: Recall) -> StepResult<Recalled> {
        let (full, earlier) =
            self.memory.earlier(cx, request.depth.limits().earlier_reports).await?;
        let compared = earlier.len() as u64;
        let evidence = evidence(&earlier);
        let mut ours = None;
        for found in &request.found {
            ours = ours.or(fingerprint(load(cx, found).await?));
        }
        let near = match ours {
            Some(ours) => cx.blocking(move || near(&ours, &earlier)).await?,
            None => Vec::new(),
        };
        let evidence = if evidence.is_empty() { None } else { Some(keep(cx, &evidence).await?) };
        Ok(Outcome::succeeded(Recalled { compared, full, near, evidence }))
    }
}

fn fingerprint(parts: Vec<PartFindings>) -> Option<Fingerprint> {
    parts.into_iter().find_map(|part| match part.found {
        Found::Fingerprint(found) => found,
        _ => None,
    })
}

/// The most alike first; among equals the newest.
fn near(ours: &Fingerprint, earlier: &[(RunId, Arc<Digest>)]) -> Vec<NearDuplicate> {
    let mut near: Vec<NearDuplicate> = earlier
        .iter()
        .filter_map(|(run, digest)| {
            Some(NearDuplicate {
                likeness: ours.near(digest.fingerprint.as_ref()?)?,
                report: run.to_string(),
                about: Some(digest.about.clone()),
                made: digest.made.clone(),
            })
        })
        .collect();
    near.sort_by(|a, b| b.likeness.shared.total_cmp(&a.likeness.shared));
    near.truncate(NAMED);
    near
}

/// Evidence of earlier reports. A piece that went through several names the first.
fn evidence(earlier: &[(RunId, Arc<Digest>)]) -> Vec<Evidence> {
    const FROM: &str = "report ";
    let pieces = earlier.iter().flat_map(|(run, digest)| {
        digest.evidence.iter().map(move |piece| {
            let first = piece.via.as_ref().filter(|via| via.starts_with(FROM));
            let via = first.cloned().unwrap_or_else(|| format!("{FROM}{run}"));
            Evidence { via: Some(via), ..piece.clone() }
        })
    });
    pieces.collect()
}
