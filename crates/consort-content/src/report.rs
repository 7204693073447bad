//! How findings are shown: one [`Report`] as Markdown, JSON, JSON-LD and a self-contained HTML page.

mod html;
mod json_ld;
mod markdown;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use html::html;
pub use json_ld::claim_review;
pub use markdown::{Style, markdown};

use crate::analyse::verify::{Asked, Evidence, Verification, verify};
use crate::analyse::{Depth, Findings, NearDuplicate, NotDone, RuleSet, rule_sets};
use crate::document::{Cue, Document, Heading, Kind, Method, Span, Turn};
use crate::gate::{Consequence, GateReport};

/// Version of the JSON form of a [`Report`]. Raised when a reader of the old form would err.
pub const SCHEMA: &str = "consort.report/1";

/// Bytes of text that a report carries along for reading; spans further down still hold.
pub const MAX_READING: usize = 1 << 20;

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
    /// What was found, and in `not_done` everything that was not, whatever the cause.
    #[serde(flatten)]
    pub findings: Findings,
    /// What the evidence makes of the top claims, in their order.
    pub verification: Vec<Verification>,
    /// Earlier texts that are nearly this one, where earlier reports were compared.
    pub near_duplicates: Vec<NearDuplicate>,
    /// Where the report comes from.
    pub provenance: Provenance,
    /// The rule sets that made it.
    pub rules: Vec<RuleSet>,
    /// The text itself, so that every span can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
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

/// The text of a report, with what a reader needs to find their way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reading {
    /// The extracted text, cut at [`MAX_READING`].
    pub text: String,
    /// Its paragraphs.
    pub paragraphs: Vec<Span>,
    /// Its headings.
    pub headings: Vec<Heading>,
    /// Who speaks where.
    pub turns: Vec<Turn>,
    /// Its timed pieces.
    pub cues: Vec<Cue>,
}

const UNVERIFIED: &str = "Verification of claims";
const UNCOMPARED: &str = "Comparison with earlier reports";

impl Report {
    /// A report on `doc`.
    ///
    /// The outcome follows from the facts: a gate that stopped the run makes it skipped, a gate
    /// that warned and a text without a sentence make it degraded. Claims start as "not checked".
    #[must_use]
    pub fn new(
        locator: &str,
        doc: &Document,
        gate: Option<GateReport>,
        mut findings: Findings,
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
        gaps(&mut findings, doc, &outcome);
        let beyond = beyond(doc, provenance.depth);
        let checked = findings.claims.iter().take(provenance.depth.limits().claims_checked);
        let verification = verify(checked, &[], Asked::default());
        Self {
            schema: SCHEMA.to_owned(),
            source,
            outcome,
            gate,
            findings,
            verification,
            near_duplicates: Vec::new(),
            provenance,
            rules: rule_sets(),
            reading: Some(reading(doc)),
        }
        .without(beyond.into_iter().collect())
    }

    /// The same report with its top claims judged by `evidence`.
    #[must_use]
    pub fn verified(mut self, evidence: &[Evidence], asked: Asked) -> Self {
        let limit = self.provenance.depth.limits().claims_checked;
        self.verification = verify(self.findings.claims.iter().take(limit), evidence, asked);
        if asked.silence().is_none() {
            self.findings.not_done.retain(|gap| gap.what != UNVERIFIED);
        } else if asked.sources > 0 {
            self.lacks("No evidence source gave an answer, so every claim is “not checked”.");
        }
        self
    }

    /// The same report with the earlier texts that are nearly this one.
    #[must_use]
    pub fn compared(mut self, near: Vec<NearDuplicate>) -> Self {
        self.near_duplicates = near;
        self.findings.not_done.retain(|gap| gap.what != UNCOMPARED);
        self
    }

    /// The same report without something that the caller asked for: less than a success.
    #[must_use]
    pub fn without(mut self, gaps: Vec<NotDone>) -> Self {
        for gap in gaps {
            let text = format!("{}: {}", gap.what, gap.why);
            match &mut self.outcome {
                Outcome::Succeeded => self.outcome = Outcome::Degraded { lost: vec![text] },
                Outcome::Degraded { lost } => lost.push(text),
                Outcome::Skipped { .. } => {}
            }
            self.findings.not_done.push(gap);
        }
        self
    }

    /// Tells why no claim was checked.
    fn lacks(&mut self, why: &str) {
        for gap in &mut self.findings.not_done {
            if gap.what == UNVERIFIED {
                why.clone_into(&mut gap.why);
                gap.remedy = None;
            }
        }
    }

    /// The title; for want of one the last part of the path or address.
    #[must_use]
    pub fn title(&self) -> &str {
        let locator = self.source.locator.as_str();
        let name = locator.trim_end_matches('/').rsplit('/').next().unwrap_or(locator);
        self.source.title.as_deref().unwrap_or(name)
    }

    /// Everything that is missing, whatever the cause.
    #[must_use]
    pub fn not_done(&self) -> &[NotDone] {
        &self.findings.not_done
    }
}

/// Adds what is missing from outside the analysis: losses of extraction, and what nobody has done yet.
fn gaps(findings: &mut Findings, doc: &Document, outcome: &Outcome) {
    let mut add = |what: &str, why: &str, remedy: Option<&str>| {
        let gap = NotDone {
            what: what.to_owned(),
            why: why.to_owned(),
            remedy: remedy.map(str::to_owned),
        };
        if !findings.not_done.contains(&gap) {
            findings.not_done.push(gap);
        }
    };
    for loss in &doc.losses {
        add("Part of the source", loss, None);
    }
    if let Outcome::Skipped { reason } = outcome {
        add("The analysis", reason, None);
        return;
    }
    add(
        UNVERIFIED,
        "No evidence source was asked, so every claim is \u{201c}not checked\u{201d}.",
        Some(
            "Name a source of evidence: ClaimReviews in a file, feed or page, or a search endpoint.",
        ),
    );
    add(UNCOMPARED, "No earlier report was compared.", None);
    if doc.kind == Kind::Feed && !doc.links.is_empty() {
        add(
            "The pages that the feed announces",
            "This report is on the texts in the feed itself.",
            Some("Name how many to report on: `consort analyze --items N`."),
        );
    }
    if doc.text.len() > MAX_READING {
        add(
            "Text further down in this report",
            "A report carries the first MiB of the text; findings cover all that was analysed.",
            None,
        );
    }
}

/// What of a long text was not analysed.
fn beyond(doc: &Document, depth: Depth) -> Option<NotDone> {
    let mib = |bytes: usize| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    (doc.beyond > 0).then(|| NotDone {
        what: format!("The text beyond its first {}", mib(doc.text.len())),
        why: format!(
            "Depth `{depth}` analyses {} MiB of text; {} follow.",
            depth.limits().text_mib,
            mib(doc.beyond)
        ),
        remedy: Some("Split the source into smaller files.".to_owned()),
    })
}

fn reading(doc: &Document) -> Reading {
    let end = doc.text.floor_char_boundary(MAX_READING);
    let fits = |span: Span| span.end <= end;
    let clip = |span: &Span| Span::new(span.start, span.end.min(end));
    Reading {
        text: doc.text[..end].to_owned(),
        paragraphs: doc.paragraphs.iter().filter(|span| span.start < end).map(clip).collect(),
        headings: doc.headings.iter().filter(|heading| fits(heading.span)).cloned().collect(),
        turns: doc.turns.iter().filter(|turn| fits(turn.span)).cloned().collect(),
        cues: doc.cues.iter().filter(|cue| fits(cue.span)).cloned().collect(),
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

/// A time as people read it: `3:07`, `1:03:07`.
fn clock(ms: u64) -> String {
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests;
