//! How findings are shown: Markdown and JSON from one [`Report`].

mod markdown;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use markdown::{Style, markdown};

use crate::analyse::{Depth, Findings, NotDone};
use crate::document::{Document, Kind, Method};
use crate::gate::{Consequence, GateReport};

/// Version of the JSON form of a [`Report`]. Raised when a reader of the old form would err.
pub const SCHEMA: &str = "consort.report/1";

/// An intelligence report on one source: what was found, on what evidence, and what was not done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// [`SCHEMA`] of the build that wrote the report.
    pub schema: String,
    /// What was analysed.
    pub source: Source,
    /// How the run ended.
    pub outcome: Outcome,
    /// What the gate measured, when it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateReport>,
    /// What was found.
    #[serde(flatten)]
    pub findings: Findings,
    /// Where the report comes from.
    pub provenance: Provenance,
}

/// What was analysed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// Path or address as the user gave it.
    pub locator: String,
    /// Title as the source states it.
    pub title: Option<String>,
    /// Author line as the source states it.
    pub byline: Option<String>,
    /// Publication date as the source states it.
    pub published: Option<String>,
    /// What the bytes were taken to be.
    pub kind: Kind,
    /// How the text was chosen among the source's content.
    pub method: Method,
    /// Bytes of the extracted text.
    pub bytes: u64,
    /// What extraction dropped, one sentence each.
    pub losses: Vec<String>,
}

/// How a run ended. Failure has no report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Outcome {
    /// Everything that the depth promises was computed.
    Succeeded,
    /// Less than the depth promises was computed.
    Degraded {
        /// What was lost, one sentence each; never empty.
        lost: Vec<String>,
    },
    /// The text was not analysed.
    Skipped {
        /// Why not.
        reason: String,
    },
}

/// Where a report comes from: enough to compute it again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Provenance {
    /// Id of the run.
    pub run: Option<String>,
    /// Version of the program.
    pub version: String,
    /// Depth of the analysis.
    pub depth: Depth,
    /// Hash of the source's bytes, with the name of its algorithm.
    pub content_hash: Option<String>,
    /// When the run began (RFC 3339), as told by the caller.
    pub started: Option<String>,
    /// When the report was made (RFC 3339), as told by the caller.
    pub finished: Option<String>,
}

impl Report {
    /// A report on `doc`.
    ///
    /// The outcome follows from the facts: a gate that stopped the run makes it skipped, a gate
    /// that warned and a text without a sentence make it degraded.
    #[must_use]
    pub fn new(
        locator: &str,
        doc: &Document,
        gate: Option<GateReport>,
        findings: Findings,
        provenance: Provenance,
    ) -> Self {
        let source = Source {
            locator: locator.to_owned(),
            title: doc.title.clone(),
            byline: doc.byline.clone(),
            published: doc.published.clone(),
            kind: doc.kind,
            method: doc.method,
            bytes: doc.text.len() as u64,
            losses: doc.losses.clone(),
        };
        let outcome = outcome(gate.as_ref(), &findings);
        Self { schema: SCHEMA.to_owned(), source, outcome, gate, findings, provenance }
    }

    /// Everything that is missing: what the analysis left out and what extraction dropped.
    #[must_use]
    pub fn not_done(&self) -> Vec<NotDone> {
        let loss = |loss: &String| NotDone {
            what: "Part of the source".to_owned(),
            why: loss.clone(),
            remedy: None,
        };
        self.findings.not_done.iter().cloned().chain(self.source.losses.iter().map(loss)).collect()
    }
}

fn outcome(gate: Option<&GateReport>, findings: &Findings) -> Outcome {
    let reason = gate.and_then(GateReport::reason).map(|check| check.because.clone());
    match (gate.and_then(GateReport::verdict), reason) {
        (Some(Consequence::Skip), reason) => {
            Outcome::Skipped { reason: reason.unwrap_or_default() }
        }
        (Some(Consequence::Degrade), Some(lost)) => Outcome::Degraded { lost: vec![lost] },
        _ if findings.sentences == 0 => {
            Outcome::Degraded { lost: vec!["The text holds no sentence.".to_owned()] }
        }
        _ => Outcome::Succeeded,
    }
}

/// The report as JSON, in the form that [`schema`] describes.
#[must_use]
pub fn json(report: &Report) -> String {
    serde_json::to_string_pretty(report)
        .unwrap_or_else(|error| serde_json::json!({ "error": error.to_string() }).to_string())
}

/// JSON Schema of [`json`]'s output.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Report).to_value()
}

#[cfg(test)]
mod tests;
