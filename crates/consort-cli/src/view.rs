//! A run and everything below it, as `show` and `runs` tell it: the records of the store turned
//! into one entry per line. Pure.

mod entry;

use consort::core::{
    Category, Name, RequestId, RunId, RunReport, Spend, Status, StepError, TenantId, Timestamp,
    TraceId, Version,
    record::{RunState, RunSummary},
};
pub(crate) use entry::{Entry, Fact, Waiting};
use serde::Serialize;
use serde_json::Value;

/// One line about a run.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    pub(crate) run: RunId,
    pub(crate) orchestrator: Name,
    pub(crate) version: Version,
    pub(crate) tenant: TenantId,
    pub(crate) state: RunState,
    pub(crate) status: Option<Status>,
    pub(crate) category: Option<Category>,
    #[serde(serialize_with = "utc")]
    pub(crate) started: Timestamp,
    #[serde(serialize_with = "utc_if_any")]
    pub(crate) ended: Option<Timestamp>,
    pub(crate) took_ms: Option<u64>,
    #[serde(serialize_with = "utc_if_any")]
    pub(crate) due: Option<Timestamp>,
    pub(crate) steps: u64,
    #[serde(serialize_with = "whole_spend")]
    pub(crate) spend: Spend,
}

/// A run with all its entries.
#[derive(Debug, Serialize)]
pub(crate) struct View {
    #[serde(flatten)]
    pub(crate) line: Line,
    pub(crate) request: Value,
    pub(crate) request_id: RequestId,
    pub(crate) trace: TraceId,
    #[serde(serialize_with = "utc_if_any")]
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) forked_from: Option<Fork>,
    pub(crate) caused_by: Option<RunId>,
    pub(crate) entries: Vec<Entry>,
    /// The answer, losses and doubts included, or the error.
    pub(crate) result: Option<Answer>,
}

/// Where a forked run comes from.
#[derive(Debug, Serialize)]
pub(crate) struct Fork {
    pub(crate) run: RunId,
    pub(crate) step: u32,
}

/// How a run or step ended.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    pub(crate) status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) losses: Vec<consort::core::Loss>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) doubt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<StepError>,
}

impl Answer {
    pub(crate) fn new(result: consort::core::StepResult<Value>) -> Self {
        use consort::core::Outcome;
        let status = Status::of(&result);
        let mut answer =
            Self { status, value: None, losses: vec![], doubt: None, reason: None, error: None };
        match result {
            Ok(Outcome::Succeeded { value }) => answer.value = Some(value),
            Ok(Outcome::Degraded { value, losses }) => {
                answer.value = Some(value);
                answer.losses = losses;
            }
            Ok(Outcome::Uncertain { value, doubt }) => {
                answer.value = value;
                answer.doubt = Some(doubt);
            }
            Ok(Outcome::Skipped { reason }) => answer.reason = Some(reason),
            Err(error) => answer.error = Some(error),
        }
        answer
    }

    /// Why it failed, if it did.
    pub(crate) fn category(&self) -> Option<Category> {
        self.error.as_ref().map(StepError::category)
    }
}

impl Line {
    pub(crate) fn new(summary: &RunSummary) -> Self {
        let took = summary.ended.map(|ended| ended.since(summary.started).as_millis());
        Self {
            run: summary.id.clone(),
            orchestrator: summary.orchestrator.clone(),
            version: summary.version.clone(),
            tenant: summary.tenant.clone(),
            state: summary.state,
            status: summary.status,
            category: summary.category,
            started: summary.started,
            ended: summary.ended,
            took_ms: took.map(|millis| u64::try_from(millis).unwrap_or(u64::MAX)),
            due: summary.due,
            steps: summary.steps,
            spend: summary.spend,
        }
    }

    /// Where the run stands, in a word or two.
    pub(crate) fn standing(&self) -> String {
        match (self.state, self.status, self.category) {
            (_, Some(status), Some(category)) => format!("{} ({category})", status.name()),
            (_, Some(status), None) => status.name().to_owned(),
            (RunState::Waiting, None, _) => "waiting".to_owned(),
            (RunState::Open | RunState::Ended, None, _) => "unfinished".to_owned(),
        }
    }
}

impl View {
    pub(crate) fn new(report: RunReport) -> Self {
        let RunReport { summary, history, blocked: _, children } = report;
        let started = history.started;
        let parked = summary.state == RunState::Waiting;
        let children = children.into_iter().map(Self::new).collect();
        Self {
            line: Line::new(&summary),
            request: started.request,
            request_id: started.request_id,
            trace: started.trace,
            deadline: started.deadline,
            forked_from: started.forked_from.map(|(run, step)| Fork { run, step }),
            caused_by: started.caused_by,
            entries: entry::entries(history.records, children, parked),
            result: history.ended.map(|ended| Answer::new(ended.result)),
        }
    }
}

pub(crate) fn utc<S: serde::Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(at)
}

#[expect(clippy::ref_option, reason = "serde asks for a reference to the field")]
pub(crate) fn utc_if_any<S: serde::Serializer>(
    at: &Option<Timestamp>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => to.collect_str(at),
        None => to.serialize_none(),
    }
}

/// With zeros, so that a reader need not know which currencies there are.
pub(crate) fn whole_spend<S: serde::Serializer>(spend: &Spend, to: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Whole {
        money: u64,
        tokens: u64,
        calls: u64,
    }
    Whole { money: spend.money, tokens: spend.tokens, calls: spend.calls }.serialize(to)
}
