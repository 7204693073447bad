//! `fallback_autonomous`: turns a page, file or transcript into an evidence-backed report with no
//! model and no network needed. What the whole system degrades to when no model is configured.

pub mod choices;
pub mod evidence;
pub mod plan;
pub mod recall;
pub mod reuse;
pub mod stages;

use consort_content::{
    analyse::{Depth, Part},
    gate::{Consequence, GateReport},
};
use consort_core::{
    Blob, Context, Descriptor, Durability, Kind, Layer, Loss, Name, Orchestrator, Outcome, Request,
    StepError, StepResult, Timestamp, Version,
    port::{Acquire, Acquired, ReadPdf, Source},
};
use evidence::{EvidenceSource, GatherEvidence, Gathered};
use futures_util::future::{try_join, try_join_all};
use recall::{Recall, Recalled};
use reuse::{FindReport, Known, Reused};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stages::{AnalyseParts, CheckGate, Compose, Extract, Extracted, Survey, Text};

/// What is to be reported on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Analyze {
    /// The page, file or transcript.
    pub source: Source,
    /// How deep to go. Default `standard`.
    #[serde(default)]
    pub depth: Depth,
    /// Where evidence on claims is looked up, besides earlier reports. Default: nowhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub evidence: Vec<EvidenceSource>,
    /// Analyse a source even when a report on the same content was made in the same way. Default
    /// no: that report is the answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

/// A finished report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Analyzed {
    /// The report as JSON, in the form of `consort_content::report::Report`.
    pub report: Blob,
    /// Title as the source states it.
    pub title: Option<String>,
    /// Words and numbers in the text.
    pub words: u64,
    /// Claims found.
    pub claims: u64,
    /// What later reports may want to know of this one.
    #[serde(default)]
    pub digest: Option<Blob>,
    /// What a feed announces, newest first where the feed is; its own report is on the texts in
    /// the feed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Item>,
    /// The earlier run whose report this is, if none had to be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused: Option<Reused>,
}

/// A page that a feed announces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    /// Its address.
    pub url: String,
    /// Its title.
    pub title: Option<String>,
}

impl Request for Analyze {
    const CALLEE: &'static str = "fallback_autonomous";
    type Response = Analyzed;
}

/// The orchestrator. Stateless.
#[derive(Clone, Copy, Debug, Default)]
pub struct FallbackAutonomous;

const STAGES: u32 = 5;

impl Orchestrator for FallbackAutonomous {
    type Request = Analyze;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: Name::new(Analyze::CALLEE).expect("a valid name"),
            version: Version::new(1, 2, 0),
            layer: Layer::Domain,
            kind: Kind::Sequential,
            durability: Durability::Durable,
            purpose:
                "Turns a page, file or transcript into an evidence-backed report, without a model"
                    .into(),
        }
    }

    async fn orchestrate(&self, cx: &Context, request: Analyze) -> StepResult<Analyzed> {
        let began = cx.now()?;
        cx.progress(1, STAGES, format!("acquire {}", request.source.locator()));
        let acquired = cx.call(Acquire { source: request.source.clone() }).value().await?;
        lose_all(cx, "part of the source", &acquired.losses);
        let work = is_outside(&request.source).then(|| reuse::work(&request, &acquired));
        if let Some(known) = find(cx, &request, work.as_ref()).await? {
            return Ok(known.into_outcome());
        }

        cx.progress(2, STAGES, "extract the text");
        let content_hash = acquired.body.hash;
        let Text { document, title, items, shape, .. } =
            extract(cx, acquired, request.depth).await?;
        let gate = cx.call(CheckGate { document: document.clone() }).value().await?;
        let stopped = stop_reason(&gate);

        cx.progress(3, STAGES, "analyse");
        let parts =
            if stopped.is_some() { Vec::new() } else { plan::groups(Part::ALL, document.length) };
        let shape = shape.filter(|_| stopped.is_none());
        let style = shape.map(|shape| choices::summary(cx, &shape)).transpose()?;
        let summary = style.as_ref().map(|(_, style)| *style).unwrap_or_default();
        let analysed = try_join_all(parts.into_iter().map(|parts| {
            let (document, depth) = (document.clone(), request.depth);
            cx.call(AnalyseParts { document, parts, depth, summary }).value()
        }))
        .await?;
        let queries: Vec<String> =
            analysed.iter().flat_map(|part| part.queries.iter().cloned()).collect();
        let found: Vec<Blob> = analysed.into_iter().map(|part| part.found).collect();

        cx.progress(4, STAGES, "compare and verify");
        let (recalled, gathered) = if stopped.is_some() {
            (None, None)
        } else {
            let (recalled, gathered) = verify(cx, &request, &found, &queries, began).await?;
            (Some(recalled), Some(gathered))
        };

        cx.progress(5, STAGES, "write the report");
        let run = cx.run_id().map(ToString::to_string);
        let finished = cx.now()?;
        let composed = cx
            .call(Compose {
                locator: request.source.locator().to_owned(),
                document,
                gate,
                found,
                recalled,
                gathered,
                depth: request.depth,
                work,
                content_hash: format!("blake3:{content_hash}"),
                run,
                started: began.to_string(),
                finished: finished.to_string(),
            })
            .value()
            .await?;
        if let Some((decision, _)) = &style {
            choices::reward(cx, decision, composed.fidelity)?;
        }
        lose_all(cx, "report", &composed.lost);
        match stopped {
            // What a feed announces may be worth more than the feed's own words.
            Some(reason) if !items.is_empty() => cx.lose(Loss::new("the feed's own text", reason)),
            Some(reason) => return Ok(Outcome::skipped(reason)),
            None => {}
        }
        Ok(Outcome::succeeded(Analyzed {
            report: composed.report,
            digest: Some(composed.digest),
            title,
            words: composed.words,
            claims: composed.claims,
            items,
            reused: None,
        }))
    }
}

fn lose_all(cx: &Context, what: &str, reasons: &[String]) {
    for why in reasons {
        cx.lose(Loss::new(what, why));
    }
}

/// What is in the store is known to whoever asks; anything else only after it was acquired.
fn is_outside(source: &Source) -> bool {
    !matches!(source, Source::Stored { .. })
}

/// The report of the same work, unless a new one is asked for.
async fn find(
    cx: &Context,
    request: &Analyze,
    work: Option<&String>,
) -> Result<Option<Known>, StepError> {
    match work {
        Some(work) if !request.again => {
            Ok(cx.call(FindReport { work: work.clone() }).value().await?.report)
        }
        _ => Ok(None),
    }
}

/// What earlier reports and the sources of evidence have on the findings.
async fn verify(
    cx: &Context,
    request: &Analyze,
    found: &[Blob],
    queries: &[String],
    at: Timestamp,
) -> Result<(Recalled, Gathered), StepError> {
    let (found, depth) = (found.to_vec(), request.depth);
    let recall = cx.call(Recall { found: found.clone(), depth }).value();
    let (recalled, answers) =
        try_join(recall, evidence::look_up(cx, &request.evidence, queries)).await?;
    let gather = GatherEvidence {
        found,
        depth,
        sources: request.evidence.iter().map(|source| source.locator().to_owned()).collect(),
        answers,
        earlier: recalled.evidence.clone(),
        at: at.to_string(),
    };
    let gathered = cx.call(gather).value().await?;
    Ok((recalled, gathered))
}

/// Finds the text; how that is done on a web page is a decision, and its outcome a reward.
async fn extract(cx: &Context, acquired: Acquired, depth: Depth) -> Result<Text, StepError> {
    let mut extract = Extract { depth, ..Extract::from(acquired) };
    let survey = Survey { body: extract.body.clone(), hint: extract.hint.clone() };
    let page = cx.call(survey).value().await?;
    let Some((decision, method)) = choices::extraction(cx, &page)? else {
        return read(cx, extract).await;
    };
    extract.hint.method = method;
    match read(cx, extract).await {
        Ok(text) => {
            let measured = text.prose.and_then(|(chosen, page)| chosen.quality(page));
            choices::reward(cx, &decision, measured)?;
            Ok(text)
        }
        Err(error) => {
            choices::failed(cx, &decision, error.category())?;
            Err(error)
        }
    }
}

/// The text of what was acquired; of a PDF from its own process.
async fn read(cx: &Context, extract: Extract) -> Result<Text, StepError> {
    match cx.call(extract).value().await? {
        Extracted::Text(text) => Ok(text),
        Extracted::Pdf(body) => {
            let read = cx.call(ReadPdf { body }).value().await?;
            let (document, title) = (read.document, read.title);
            Ok(Text { document, title, items: Vec::new(), shape: None, prose: None })
        }
    }
}

/// Which check stopped the run, with its value and limit.
fn stop_reason(gate: &GateReport) -> Option<String> {
    let check = gate.reason().filter(|check| check.verdict == Some(Consequence::Skip))?;
    let (name, value, limit) = (&check.name, check.value, check.limit);
    Some(format!("gate `{name}`: {} (value {value}, limit {limit})", check.because))
}

/// Names the stage in a failure of pure work.
pub(crate) fn stage_error(error: &(dyn std::error::Error + 'static), what: &str) -> StepError {
    StepError::new(consort_core::Category::ParseFailed, what).because(error)
}
