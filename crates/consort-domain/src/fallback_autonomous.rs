//! `fallback_autonomous`: turns a page, file or transcript into an evidence-backed report with no
//! model and no network needed. What the whole system degrades to when no model is configured.

pub mod plan;
pub mod stages;

use consort_content::{
    analyse::{Depth, Part},
    gate::{Consequence, GateReport},
};
use consort_core::{
    Blob, Context, Descriptor, Durability, Kind, Layer, Loss, Name, Orchestrator, Outcome, Request,
    StepError, StepResult, Version,
    port::{Acquire, Source},
};
use futures_util::future::try_join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stages::{AnalyseParts, CheckGate, Compose, Extract};

/// What is to be reported on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Analyze {
    /// The page, file or transcript.
    pub source: Source,
    /// How deep to go. Default `standard`.
    #[serde(default)]
    pub depth: Depth,
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
            version: Version::new(1, 0, 0),
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
        for why in &acquired.losses {
            cx.lose(Loss::new("part of the source", why));
        }

        cx.progress(2, STAGES, "extract the text");
        let content_hash = acquired.body.hash;
        let extracted = cx.call(Extract::from(acquired)).value().await?;
        let document = extracted.document.clone();

        cx.progress(3, STAGES, "check whether it is worth analysing");
        let gate = cx.call(CheckGate { document: document.clone() }).value().await?;
        let stopped = stop_reason(&gate);

        cx.progress(4, STAGES, "analyse");
        let parts = if stopped.is_some() { Vec::new() } else { plan::groups(Part::ALL) };
        let found = try_join_all(parts.into_iter().map(|parts| {
            cx.call(AnalyseParts { document: document.clone(), parts, depth: request.depth })
                .value()
        }))
        .await?;

        cx.progress(5, STAGES, "write the report");
        let run = cx.run_id().map(ToString::to_string);
        let finished = cx.now()?;
        let composed = cx
            .call(Compose {
                locator: request.source.locator().to_owned(),
                document,
                gate,
                found: found.into_iter().map(|found| found.found).collect(),
                depth: request.depth,
                content_hash: format!("blake3:{content_hash}"),
                run,
                started: began.to_string(),
                finished: finished.to_string(),
            })
            .value()
            .await?;
        for lost in &composed.lost {
            cx.lose(Loss::new("report", lost));
        }
        match stopped {
            Some(reason) => Ok(Outcome::skipped(reason)),
            None => Ok(Outcome::succeeded(Analyzed {
                report: composed.report,
                title: extracted.title,
                words: composed.words,
                claims: composed.claims,
            })),
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
