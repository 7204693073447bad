//! The pure work of `fallback_autonomous`, as capabilities: texts in and out as blobs, computed
//! away from the threads that answer others.

use consort_content::{
    analyse::{self, Depth, Options, Part, PartFindings},
    document::Document,
    extract::{self, ExtractError, Hint, Limits},
    gate::{self, Consequence, GateReport, GateRules},
    report::{Provenance, Report},
    sentence,
};
use consort_core::{
    Blob, Capability, CapabilityDescriptor, Category, Effect, Facade, Name, Outcome, Request,
    StepContext, StepError, StepResult, Version, port::Acquired,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::stage_error;

const JSON: &str = "application/json";

/// Registers the stages.
///
/// # Errors
///
/// `conflict` when one of the names is taken; `configuration` when the shipped gate is damaged.
pub fn install(facade: &Facade) -> Result<(), StepError> {
    let rules = GateRules::shipped().map_err(|error| {
        StepError::new(Category::Configuration, "the shipped gate cannot be read").because(&error)
    })?;
    facade.register_capability(Extractor)?;
    facade.register_capability(Gate { rules })?;
    facade.register_capability(Analyst)?;
    facade.register_capability(Composer)
}

fn pure(name: &str, purpose: &str) -> CapabilityDescriptor {
    CapabilityDescriptor {
        name: Name::new(name).expect("a valid name"),
        version: Version::new(1, 0, 0),
        effect: Effect::Pure,
        recompute: false,
        purpose: purpose.into(),
    }
}

async fn load<T: DeserializeOwned>(cx: &StepContext, blob: &Blob) -> Result<T, StepError> {
    let bytes = cx.read(blob).await?;
    serde_json::from_slice(&bytes).map_err(|error| stage_error(&error, "stored content is damaged"))
}

async fn keep<T: Serialize>(cx: &StepContext, value: &T) -> Result<Blob, StepError> {
    let bytes = serde_json::to_vec(value)
        .map_err(|error| stage_error(&error, "a finding cannot be written as JSON"))?;
    cx.put(bytes, JSON).await
}

/// Finds the text in content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Extract {
    /// The content.
    pub body: Blob,
    /// What is known about its format.
    pub hint: Hint,
}

impl From<Acquired> for Extract {
    fn from(acquired: Acquired) -> Self {
        let Acquired { body, name, media_type, url, .. } = acquired;
        Self { body, hint: Hint { kind: None, media_type, name, url } }
    }
}

/// A text that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Extracted {
    /// The document as JSON, in the form of `consort_content::document::Document`.
    pub document: Blob,
    /// Title as the source states it.
    pub title: Option<String>,
}

impl Request for Extract {
    const CALLEE: &'static str = "extract_text";
    type Response = Extracted;
}

struct Extractor;

impl Capability for Extractor {
    type Request = Extract;

    fn descriptor(&self) -> CapabilityDescriptor {
        pure(Extract::CALLEE, "Finds the text in a page, file or transcript")
    }

    async fn invoke(&self, cx: &StepContext, request: Extract) -> StepResult<Extracted> {
        let bytes = cx.read(&request.body).await?;
        let work = move || extract::extract(&bytes, &request.hint, &Limits::default());
        let document = cx.blocking(work).await?.map_err(|error| refused(&error))?;
        let title = document.title.clone();
        Ok(Outcome::succeeded(Extracted { document: keep(cx, &document).await?, title }))
    }
}

fn refused(error: &ExtractError) -> StepError {
    StepError::new(Category::ParseFailed, "no text can be had from the source").because(error)
}

/// Judges whether a text is worth analysing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckGate {
    /// The document.
    pub document: Blob,
}

impl Request for CheckGate {
    const CALLEE: &'static str = "check_gate";
    type Response = GateReport;
}

struct Gate {
    rules: GateRules,
}

impl Capability for Gate {
    type Request = CheckGate;

    fn descriptor(&self) -> CapabilityDescriptor {
        pure(CheckGate::CALLEE, "Judges whether a text is worth analysing")
    }

    async fn invoke(&self, cx: &StepContext, request: CheckGate) -> StepResult<GateReport> {
        let document: Document = load(cx, &request.document).await?;
        let rules = self.rules.clone();
        Ok(Outcome::succeeded(cx.blocking(move || gate::gate(&document, &rules)).await?))
    }
}

/// Computes parts of the analysis of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnalyseParts {
    /// The document.
    pub document: Blob,
    /// Which parts.
    pub parts: Vec<Part>,
    /// How deep to go.
    pub depth: Depth,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Analysed {
    /// The findings as JSON: a list of `consort_content::analyse::PartFindings`.
    pub found: Blob,
}

impl Request for AnalyseParts {
    const CALLEE: &'static str = "analyse_text";
    type Response = Analysed;
}

struct Analyst;

impl Capability for Analyst {
    type Request = AnalyseParts;

    fn descriptor(&self) -> CapabilityDescriptor {
        pure(AnalyseParts::CALLEE, "Computes parts of the analysis of a text")
    }

    async fn invoke(&self, cx: &StepContext, request: AnalyseParts) -> StepResult<Analysed> {
        let document: Document = load(cx, &request.document).await?;
        let options = Options { depth: request.depth, language: None };
        let work = move || {
            let sentences = sentence::sentences(&document);
            analyse::analyse_parts(&request.parts, &document, &sentences, &options)
        };
        let found = cx.blocking(work).await?;
        Ok(Outcome::succeeded(Analysed { found: keep(cx, &found).await? }))
    }
}

/// Puts findings together into a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Compose {
    /// Path or address as the user gave it.
    pub locator: String,
    /// The document.
    pub document: Blob,
    /// What the gate measured.
    pub gate: GateReport,
    /// What the parts of the analysis found.
    pub found: Vec<Blob>,
    /// How deep the analysis went.
    pub depth: Depth,
    /// Hash of the source's bytes, with the name of its algorithm.
    pub content_hash: String,
    /// The run.
    pub run: Option<String>,
    /// When the run began.
    pub started: String,
    /// When the analysis was complete.
    pub finished: String,
}

/// A report that was put together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Composed {
    /// The report as JSON.
    pub report: Blob,
    /// Words and numbers in the text.
    pub words: u64,
    /// Claims found.
    pub claims: u64,
    /// What a degraded report lacks.
    pub lost: Vec<String>,
}

impl Request for Compose {
    const CALLEE: &'static str = "compose_report";
    type Response = Composed;
}

struct Composer;

impl Capability for Composer {
    type Request = Compose;

    fn descriptor(&self) -> CapabilityDescriptor {
        pure(Compose::CALLEE, "Puts findings together into a report")
    }

    async fn invoke(&self, cx: &StepContext, request: Compose) -> StepResult<Composed> {
        let document: Document = load(cx, &request.document).await?;
        let mut parts: Vec<PartFindings> = Vec::new();
        for found in &request.found {
            parts.extend(load::<Vec<PartFindings>>(cx, found).await?);
        }
        let report = cx.blocking(move || compose(&document, parts, request)).await?;
        let lost = match &report.outcome {
            consort_content::report::Outcome::Degraded { lost } => lost.clone(),
            _ => Vec::new(),
        };
        Ok(Outcome::succeeded(Composed {
            words: report.findings.words,
            claims: report.findings.claims.len() as u64,
            lost,
            report: keep(cx, &report).await?,
        }))
    }
}

fn compose(document: &Document, parts: Vec<PartFindings>, request: Compose) -> Report {
    let options = Options { depth: request.depth, language: None };
    let sentences = sentence::sentences(document);
    let frame = analyse::facts(document, &sentences, &options);
    let stopped = request.gate.verdict() == Some(Consequence::Skip);
    let findings = if stopped { frame } else { analyse::merge(&frame, parts) };
    let provenance = Provenance {
        run: request.run,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        depth: request.depth,
        content_hash: Some(request.content_hash),
        started: Some(request.started),
        finished: Some(request.finished),
    };
    Report::new(&request.locator, document, Some(request.gate), findings, provenance)
}
