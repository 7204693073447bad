//! Where evidence comes from, and the step that judges claims by it.
//!
//! Evidence is acquired like any other content, through `acquire`: one step for each source, on
//! record and behind the same gate. What came is judged by the pure rules of
//! `consort_content::analyse::verify`.

use consort_content::analyse::{
    Claim, Depth, Found, NotDone, PartFindings,
    verify::{self, Asked, Evidence},
};
use consort_core::{
    Blob, Capability, CapabilityDescriptor, Category, Context, Outcome, Request, StepContext,
    StepError, StepResult,
    port::{Acquire, Source},
};
use futures_util::future::join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stages::{keep, load, pure};

/// Stands for the question in the address of a search endpoint.
pub const QUERY: &str = "{query}";

/// Lookups of one run at once.
const AT_ONCE: usize = 8;

/// A source of evidence about claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceSource {
    /// Read as a whole: schema.org `ClaimReview`s as JSON, or a page that embeds them.
    Whole(Source),
    /// Asked about each of the top claims: an address with [`QUERY`] in it. What it answers,
    /// `consort_content::analyse::verify::evidence` says.
    Search(String),
}

impl EvidenceSource {
    /// The source as a reader would write it.
    pub fn locator(&self) -> &str {
        match self {
            Self::Whole(source) => source.locator(),
            Self::Search(template) => template,
        }
    }
}

/// Something to acquire, and the number of the source that it is for.
struct Lookup {
    number: usize,
    source: Source,
}

fn lookups(sources: &[EvidenceSource], queries: &[String]) -> Vec<Lookup> {
    let one = |(number, source): (usize, &EvidenceSource)| -> Vec<Lookup> {
        match source {
            EvidenceSource::Whole(source) => vec![Lookup { number, source: source.clone() }],
            EvidenceSource::Search(template) => queries
                .iter()
                .map(|query| Lookup { number, source: Source::Endpoint(address(template, query)) })
                .collect(),
        }
    };
    sources.iter().enumerate().flat_map(one).collect()
}

/// The address that puts `query` to an endpoint.
fn address(template: &str, query: &str) -> String {
    let mut encoded = String::new();
    for byte in query.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(byte.into());
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    template.replace(QUERY, &encoded)
}

/// What became of one lookup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It brought this.
    Body(Blob),
    /// It brought nothing, for this reason.
    Nothing(String),
}

/// Looks evidence up: at most [`AT_ONCE`] at a time, each a step. A source that cannot be had is
/// an answer, too; only what concerns the run itself is an error.
pub(super) async fn look_up(
    cx: &Context,
    sources: &[EvidenceSource],
    queries: &[String],
) -> Result<Vec<(usize, Answer)>, StepError> {
    let mut answers = Vec::new();
    for some in lookups(sources, queries).chunks(AT_ONCE) {
        let asked = some.iter().map(|lookup| {
            let call = cx.call(Acquire { source: lookup.source.clone() }).value();
            async move { (lookup.number, call.await) }
        });
        for (number, result) in join_all(asked).await {
            let answer = match result {
                Ok(acquired) => Answer::Body(acquired.body),
                Err(error) if is_about_the_source(error.category()) => {
                    let causes = error.causes().iter().map(|cause| format!(": {cause}"));
                    Answer::Nothing(format!("{}{}", error.message(), causes.collect::<String>()))
                }
                Err(error) => return Err(error),
            };
            answers.push((number, answer));
        }
    }
    Ok(answers)
}

fn is_about_the_source(category: Category) -> bool {
    use Category::*;
    matches!(
        category,
        InvalidRequest
            | PayloadTooLarge
            | NotFound
            | Unauthenticated
            | PermissionDenied
            | PolicyViolation
            | NotConfigured
            | Timeout
            | Network
            | Unavailable
            | EgressDenied
            | RateLimited
            | Overloaded
            | CircuitOpen
            | QuotaExceeded
            | BudgetExhausted
            | DependencyFailed
            | DependencySkipped
            | ParseFailed
            | ProcessingFailed
    )
}

/// Gathers the evidence on the top claims from what the lookups brought.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GatherEvidence {
    /// What the parts of the analysis found.
    pub found: Vec<Blob>,
    /// How deep to go: it decides how many claims are checked.
    pub depth: Depth,
    /// The sources as a reader would write them.
    pub sources: Vec<String>,
    /// What the lookups brought, each with the number of its source.
    pub answers: Vec<(usize, Answer)>,
    /// Evidence that earlier reports had, as JSON: a list of
    /// `consort_content::analyse::verify::Evidence`. None when they had none.
    pub earlier: Option<Blob>,
    /// When the lookups were made (RFC 3339).
    pub at: String,
}

/// Evidence on the top claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gathered {
    /// The evidence that has a relation to a claim, as JSON: a list of
    /// `consort_content::analyse::verify::Evidence`.
    pub evidence: Blob,
    /// How many sources were asked, and answered.
    pub asked: Asked,
    /// Sources that gave nothing, and why.
    pub missing: Vec<NotDone>,
}

impl Request for GatherEvidence {
    const CALLEE: &'static str = "gather_evidence";
    type Response = Gathered;
}

pub(super) struct Gatherer;

impl Capability for Gatherer {
    type Request = GatherEvidence;

    fn descriptor(&self) -> CapabilityDescriptor {
        pure(GatherEvidence::CALLEE, "Gathers the evidence on claims from what sources answered")
    }

    async fn invoke(&self, cx: &StepContext, request: GatherEvidence) -> StepResult<Gathered> {
        let mut gathering = Gathering::new(&request);
        if let Some(earlier) = &request.earlier {
            gathering.evidence = load(cx, earlier).await?;
        }
        let remembered = gathering.evidence.len();
        for (number, answer) in &request.answers {
            match answer {
                Answer::Nothing(why) => gathering.nothing(*number, why),
                Answer::Body(body) => gathering.read(*number, &cx.read(body).await?),
            }
        }
        let mut claims = Vec::new();
        for found in &request.found {
            claims.extend(top_claims(load(cx, found).await?, request.depth));
        }
        let (mut evidence, mut asked, missing) = gathering.end();
        let work = move || {
            let new = evidence.split_off(remembered);
            let known = related(&claims, &evidence);
            (!known.is_empty(), [known, related(&claims, &new)].concat())
        };
        let (known, related) = cx.blocking(work).await?;
        if known {
            // Earlier reports are a source where they have something to say.
            asked.sources += 1;
            asked.answered += 1;
        }
        Ok(Outcome::succeeded(Gathered { evidence: keep(cx, &related).await?, asked, missing }))
    }
}

/// The claims that are worth a lookup at this depth.
pub(super) fn top_claims(parts: Vec<PartFindings>, depth: Depth) -> Vec<Claim> {
    let mut claims = Vec::new();
    for part in parts {
        if let Found::Claims(found) = part.found {
            claims.extend(found);
        }
    }
    claims.truncate(depth.limits().claims_checked);
    claims
}

/// The evidence that the report will show, so that it need not carry a whole feed.
fn related(claims: &[Claim], evidence: &[Evidence]) -> Vec<Evidence> {
    let checks = verify::verify(claims, evidence, Asked::default());
    checks.into_iter().flat_map(|check| check.evidence).map(|weighed| weighed.evidence).collect()
}

/// Evidence in the making.
struct Gathering<'r> {
    request: &'r GatherEvidence,
    evidence: Vec<Evidence>,
    /// For each source, whether it answered and why not.
    sources: Vec<(bool, Option<String>)>,
}

impl<'r> Gathering<'r> {
    fn new(request: &'r GatherEvidence) -> Self {
        let sources = vec![(false, None); request.sources.len()];
        Self { request, evidence: Vec::new(), sources }
    }

    fn nothing(&mut self, number: usize, why: &str) {
        if let Some((_, reason)) = self.sources.get_mut(number) {
            reason.get_or_insert_with(|| why.to_owned());
        }
    }

    fn read(&mut self, number: usize, answer: &[u8]) {
        match verify::evidence(answer) {
            Err(error) => self.nothing(number, &format!("it holds {error}")),
            Ok(found) => {
                if let Some((answered, _)) = self.sources.get_mut(number) {
                    *answered = true;
                }
                let via = self.request.sources.get(number);
                self.evidence.extend(found.into_iter().map(|piece| Evidence {
                    retrieved: Some(self.request.at.clone()),
                    via: via.cloned(),
                    ..piece
                }));
            }
        }
    }

    fn end(self) -> (Vec<Evidence>, Asked, Vec<NotDone>) {
        let answered = self.sources.iter().filter(|(answered, _)| *answered).count();
        let asked = Asked { sources: self.sources.len(), answered };
        let missing = self.request.sources.iter().zip(self.sources);
        let missing = missing.filter_map(|(source, (_, why))| {
            Some(NotDone { what: format!("Evidence from `{source}`"), why: why?, remedy: None })
        });
        (self.evidence, asked, missing.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_cannot_leave_its_place_in_the_address() {
        let template = "https://search.example/api?q={query}&n=5";
        let address = address(template, "bridge & road/é?#");
        assert_eq!(address, "https://search.example/api?q=bridge%20%26%20road%2F%C3%A9%3F%23&n=5");
    }

    #[test]
    fn a_whole_source_is_read_once_and_an_endpoint_is_asked_about_each_claim() {
        let sources = [
            EvidenceSource::Whole(Source::Url("https://facts.example/feed.json".into())),
            EvidenceSource::Search("https://search.example/{query}".into()),
        ];
        let asked = lookups(&sources, &["one".into(), "two".into()]);
        let asked: Vec<(usize, &str)> =
            asked.iter().map(|lookup| (lookup.number, lookup.source.locator())).collect();
        assert_eq!(
            asked,
            [
                (0, "https://facts.example/feed.json"),
                (1, "https://search.example/one"),
                (1, "https://search.example/two"),
            ]
        );
    }

    #[test]
    fn failures_of_the_run_itself_are_not_taken_for_answers() {
        use Category::*;
        for category in [Cancelled, DeadlineExceeded, JournalMismatch, StoreUnavailable, Internal] {
            assert!(!is_about_the_source(category), "{category}");
        }
    }
}
