//! The pure work of `fallback_autonomous`, as capabilities: texts in and out as blobs, computed
//! away from the threads that answer others.

use consort_content::{
    analyse::{self, Depth, NotDone, Options, Part, PartFindings, SummaryStyle, verify},
    document::{Document, Kind, Method},
    extract::{self, ExtractError, Hint, Limits},
    gate::{self, Consequence, GateReport, GateRules},
    report::{Provenance, Report},
    sentence,
};
use std::sync::Arc;

use consort_core::{
    Blob, Capability, CapabilityDescriptor, Category, Effect, Facade, Name, Outcome, Request,
    StepContext, StepError, StepResult, Version, journal::Journal, port::Acquired,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    Item,
    choices::{self, Prose, Shape, Surveyed},
    evidence::{self, Gathered, Gatherer},
    recall::{Digest, Memory, Recalled, Recaller},
    reuse::Finder,
    stage_error,
};

const JSON: &str = "application/json";

/// Registers the stages. Earlier reports are looked up in `journal`.
///
/// # Errors
///
/// `conflict` when one of the names is taken; `configuration` when the shipped gate is damaged.
pub fn install(facade: &Facade, journal: Arc<dyn Journal>) -> Result<(), StepError> {
    let rules = GateRules::shipped().map_err(|error| {
        StepError::new(Category::Configuration, "the shipped gate cannot be read").because(&error)
    })?;
    facade.register_capability(Surveyor)?;
    facade.register_capability(Extractor)?;
    facade.register_capability(Gate { rules })?;
    facade.register_capability(Analyst)?;
    let memory = Arc::new(Memory::new(journal));
    facade.register_capability(Finder::new(memory.clone()))?;
    facade.register_capability(Recaller::new(memory))?;
    facade.register_capability(Gatherer)?;
    facade.register_capability(Composer)
}

pub(super) fn pure(name: &str, purpose: &str) -> CapabilityDescriptor {
    CapabilityDescriptor {
        name: Name::new(name).expect("a valid name"),
        version: Version::new(1, 0, 0),
        effect: Effect::Pure,
        recompute: false,
        purpose: purpose.into(),
    }
}

pub(super) async fn load<T: DeserializeOwned>(
    cx: &StepContext,
    blob: &Blob,
) -> Result<T, StepError> {
    let bytes = cx.read(blob).await?;
    serde_json::from_slice(&bytes).map_err(|error| stage_error(&error, "stored content is damaged"))
}

/// A document with no more text than `depth` analyses; the reader of PDFs knows of no depth.
async fn text(cx: &StepContext, blob: &Blob, depth: Depth) -> Result<Document, StepError> {
    let mut document: Document = load(cx, blob).await?;
    document.keep(depth.limits().text_bytes());
    Ok(document)
}

pub(super) async fn keep<T: Serialize>(cx: &StepContext, value: &T) -> Result<Blob, StepError> {
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
    /// How deep the analysis goes, which limits the text that is kept.
    #[serde(default)]
    pub depth: Depth,
}

impl From<Acquired> for Extract {
    fn from(acquired: Acquired) -> Self {
        let Acquired { body, name, media_type, url, .. } = acquired;
        let hint = Hint { kind: None, media_type, name, url, method: None };
        Self { body, hint, depth: Depth::default() }
    }
}

/// What was found in the content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Extracted {
    /// A text.
    Text(Text),
    /// A PDF, which is not read in this process.
    Pdf(Blob),
}

/// A text that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Text {
    /// The document as JSON, in the form of `consort_content::document::Document`.
    pub document: Blob,
    /// Title as the source states it.
    pub title: Option<String>,
    /// What it announces, if it is a feed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Item>,
    /// Its shape, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
    /// Of a page: the prose in what was chosen, and on the whole page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prose: Option<(Prose, Prose)>,
}

/// Looks at a source before it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Survey {
    /// The content.
    pub body: Blob,
    /// What is known about its format.
    pub hint: Hint,
}

impl Request for Survey {
    const CALLEE: &'static str = "survey_source";
    type Response = Surveyed;
}

struct Surveyor;

impl Capability for Surveyor {
    type Request = Survey;

    fn descriptor(&self) -> CapabilityDescriptor {
        pure(Survey::CALLEE, "Looks at a source before it is read: its kind and what it is made of")
    }

    async fn invoke(&self, cx: &StepContext, request: Survey) -> StepResult<Surveyed> {
        let bytes = cx.read(&request.body).await?;
        let kind = extract::sniff(&bytes, &request.hint).map_err(|error| refused(&error))?;
        Ok(Outcome::succeeded(cx.blocking(move || Surveyed::of(kind, &bytes)).await?))
    }
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
        let Extract { body, hint, depth } = request;
        let bytes = cx.read(&body).await?;
        let (document, items, prose) =
            match cx.blocking(move || find_text(&bytes, &hint, depth)).await? {
                Ok(found) => found,
                Err(ExtractError::NeedsWorker { kind: Kind::Pdf }) => {
                    return Ok(Outcome::succeeded(Extracted::Pdf(body)));
                }
                Err(error) => return Err(refused(&error)),
            };
        let (title, shape) = (document.title.clone(), Some(Shape::of(&document)));
        let document = keep(cx, &document).await?;
        Ok(Outcome::succeeded(Extracted::Text(Text { document, title, items, shape, prose })))
    }
}

type FoundText = (Document, Vec<Item>, Option<(Prose, Prose)>);

/// The text; of a feed also the pages that it announces, of a page what its choice is judged by.
fn find_text(bytes: &[u8], hint: &Hint, depth: Depth) -> Result<FoundText, ExtractError> {
    let limits = Limits { max_text: depth.limits().text_bytes(), ..Limits::default() };
    if extract::sniff(bytes, hint)? != Kind::Feed {
        let document = extract::extract(bytes, hint, &limits)?;
        let prose = (document.kind == Kind::Html).then(|| prose(bytes, hint, &document, &limits));
        return Ok((document, Vec::new(), prose.flatten()));
    }
    let feed = extract::feed(bytes, hint, &limits)?;
    let items = feed.entries.iter().filter_map(|entry| {
        let url = entry.url.clone().filter(|url| url.starts_with("http"))?;
        Some(Item { url, title: entry.title.clone() })
    });
    let items = items.collect();
    let mut document = feed.into_document(&limits);
    document.keep(limits.max_text);
    Ok((document, items, None))
}

/// The prose in what was chosen and on the whole page: what the choice is judged by.
fn prose(bytes: &[u8], hint: &Hint, chosen: &Document, limits: &Limits) -> Option<(Prose, Prose)> {
    let hint = Hint { method: Some(Method::WholePage), ..hint.clone() };
    let page = extract::extract(bytes, &hint, limits).ok()?;
    Some((Prose::of(chosen), Prose::of(&page)))
}

fn refused(error: &ExtractError) -> StepError {
    let category = match error {
        ExtractError::TooLarge { .. } => Category::PayloadTooLarge,
        _ => Category::ParseFailed,
    };
    StepError::new(category, "no text can be had from the source").because(error)
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
    /// What the summary favours.
    #[serde(default)]
    pub summary: SummaryStyle,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Analysed {
    /// The findings as JSON: a list of `consort_content::analyse::PartFindings`.
    pub found: Blob,
    /// What to ask search endpoints about the top claims, if claims are among the parts.
    pub queries: Vec<String>,
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
        let AnalyseParts { document, parts, depth, summary } = request;
        let document = text(cx, &document, depth).await?;
        let options = Options { depth, summary, ..Options::default() };
        let work = move || {
            let sentences = sentence::sentences(&document);
            analyse::analyse_parts(&parts, &document, &sentences, &options)
        };
        let found = cx.blocking(work).await?;
        let blob = keep(cx, &found).await?;
        let claims = evidence::top_claims(found, depth);
        let queries = claims.iter().map(verify::query).collect();
        Ok(Outcome::succeeded(Analysed { found: blob, queries }))
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
    /// What earlier reports know; none when they were not asked.
    pub recalled: Option<Recalled>,
    /// Evidence on the claims; none when there was nothing to check.
    pub gathered: Option<Gathered>,
    /// How deep the analysis went.
    pub depth: Depth,
    /// What decides how the report comes out, where that can be the same again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<String>,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Composed {
    /// The report as JSON.
    pub report: Blob,
    /// What later reports may want to know of it.
    pub digest: Blob,
    /// Words and numbers in the text.
    pub words: u64,
    /// Claims found.
    pub claims: u64,
    /// What a degraded report lacks.
    pub lost: Vec<String>,
    /// How much of the text its summary keeps, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fidelity: Option<f64>,
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
        let document = text(cx, &request.document, request.depth).await?;
        let mut parts: Vec<PartFindings> = Vec::new();
        for found in &request.found {
            parts.extend(load::<Vec<PartFindings>>(cx, found).await?);
        }
        let evidence = match &request.gathered {
            Some(gathered) => load(cx, &gathered.evidence).await?,
            None => Vec::new(),
        };
        let known_by = request.work.clone();
        let work = move || {
            let report = compose(&document, parts, &evidence, request);
            (choices::fidelity(&document, report.findings.summary.as_ref()), report)
        };
        let (fidelity, report) = cx.blocking(work).await?;
        let lost = match &report.outcome {
            consort_content::report::Outcome::Degraded { lost } => lost.clone(),
            _ => Vec::new(),
        };
        Ok(Outcome::succeeded(Composed {
            words: report.findings.words,
            claims: report.findings.claims.len() as u64,
            lost,
            digest: keep(cx, &Digest::of(&report, known_by)).await?,
            fidelity,
            report: keep(cx, &report).await?,
        }))
    }
}

fn compose(
    document: &Document,
    parts: Vec<PartFindings>,
    evidence: &[verify::Evidence],
    request: Compose,
) -> Report {
    let depth = request.depth;
    let options = Options { depth, ..Options::default() };
    let sentences = sentence::sentences(document);
    let frame = analyse::facts(document, &sentences, &options);
    let stopped = request.gate.verdict() == Some(Consequence::Skip);
    let findings = if stopped { frame } else { analyse::merge(&frame, parts) };
    let provenance = Provenance {
        run: request.run,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        depth,
        content_hash: Some(request.content_hash),
        started: Some(request.started),
        finished: Some(request.finished),
    };
    let mut report =
        Report::new(&request.locator, document, Some(request.gate), findings, provenance);
    if let Some(Recalled { near, full, .. }) = request.recalled {
        report = report.compared(near);
        if full {
            report.findings.not_done.push(older(depth));
        }
    }
    if let Some(Gathered { asked, missing, .. }) = request.gathered {
        report = report.verified(evidence, asked).without(missing);
    }
    report
}

fn older(depth: Depth) -> NotDone {
    let limit = depth.limits().earlier_reports;
    let deeper = (depth != Depth::Deep).then(|| "Depth `deep` compares more.".to_owned());
    NotDone {
        what: "Comparison with older reports".into(),
        why: format!("Depth `{depth}` compares the newest {limit}."),
        remedy: deeper,
    }
}
