//! One line of a run: a step, a child, a decision, a signal, an event, or what it still waits for.

use consort::core::{
    Decision, EventName, Signal, Spend, Timestamp,
    guard::Fired,
    record::{LocalKind, LocalRecord, Record, StepKind, StepRecord},
};
use serde::Serialize;
use serde_json::Value;

use super::{Answer, View, utc, whole_spend};

/// One line.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    /// Where in the run, for what has a place.
    pub(crate) position: Option<u32>,
    #[serde(flatten)]
    pub(crate) fact: Fact,
}

/// What the line says.
#[derive(Debug, Serialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub(crate) enum Fact {
    /// Something finished: a call, a child, a pause, a wait.
    Step(Box<Done>),
    /// A child run that has not told its end.
    Child { run: Box<View> },
    /// Begun, and not known to have finished.
    Pending { waiting: Waiting },
    /// A choice among components.
    Decision(Box<Decision>),
    /// News sent upwards.
    Signal(Signal),
    /// The clock was read, or a number drawn.
    Local { kind: LocalKind, value: Value },
    /// An event arrived.
    Event {
        event: EventName,
        data: Value,
        #[serde(serialize_with = "utc")]
        at: Timestamp,
    },
    /// Somebody asked for the end.
    Cancel {
        reason: String,
        #[serde(serialize_with = "utc")]
        at: Timestamp,
    },
}

/// A finished step.
#[derive(Debug, Serialize)]
pub(crate) struct Done {
    pub(crate) kind: StepKind,
    pub(crate) callee: String,
    #[serde(serialize_with = "utc")]
    pub(crate) began: Timestamp,
    #[serde(serialize_with = "utc")]
    pub(crate) ended: Timestamp,
    pub(crate) took_ms: u64,
    pub(crate) attempts: u32,
    #[serde(serialize_with = "whole_spend")]
    pub(crate) spend: Spend,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) guards: Vec<Fired>,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub(crate) request: Value,
    pub(crate) result: Answer,
    /// The child run, where the step was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<Box<View>>,
}

/// What an unfinished step waits for.
#[derive(Debug, Serialize)]
#[serde(tag = "for", rename_all = "snake_case")]
pub(crate) enum Waiting {
    /// Time.
    Time {
        #[serde(serialize_with = "utc")]
        until: Timestamp,
    },
    /// A call that must not be repeated.
    Once {
        #[serde(serialize_with = "utc")]
        since: Timestamp,
    },
    /// An event from outside.
    Event { event: EventName },
}

/// All lines: in the order of the steps, with what came from outside where it arrived, and at the
/// end the events that a `parked` run waits for.
pub(super) fn entries(records: Vec<Record>, mut children: Vec<View>, parked: bool) -> Vec<Entry> {
    let awaited = match records.last() {
        Some(Record::Parked { awaits, .. }) if parked => awaits.clone(),
        _ => Vec::new(),
    };
    let finished: Vec<u32> = records
        .iter()
        .filter_map(|record| match record {
            Record::Step(step) => Some(step.position),
            _ => None,
        })
        .collect();
    let mut entries: Vec<(u32, Entry)> = Vec::new();
    let mut place = 0;
    for record in records {
        let position = record.position();
        place = position.unwrap_or(place);
        let pending = position.is_some_and(|position| !finished.contains(&position));
        let mut child = |position: u32| {
            let at = children.iter().position(|c| c.line.run.position() == Some(position))?;
            Some(Box::new(children.remove(at)))
        };
        if let Some(fact) = fact(record, pending, &mut child) {
            entries.push((place, Entry { position, fact }));
        }
    }
    for run in children {
        let position = run.line.run.position();
        let place = position.unwrap_or(u32::MAX);
        entries.push((place, Entry { position, fact: Fact::Child { run: Box::new(run) } }));
    }
    for event in awaited {
        let fact = Fact::Pending { waiting: Waiting::Event { event } };
        entries.push((u32::MAX, Entry { position: None, fact }));
    }
    entries.sort_by_key(|(place, _)| *place);
    entries.into_iter().map(|(_, entry)| entry).collect()
}

fn fact(
    record: Record,
    pending: bool,
    child: &mut impl FnMut(u32) -> Option<Box<View>>,
) -> Option<Fact> {
    Some(match record {
        Record::Step(step) => {
            let run = child(step.position);
            Fact::Step(Box::new(done(*step, run)))
        }
        Record::Local(local) => spoken(local),
        Record::Timer { due, .. } if pending => {
            Fact::Pending { waiting: Waiting::Time { until: due } }
        }
        Record::Intent { at, .. } if pending => {
            Fact::Pending { waiting: Waiting::Once { since: at } }
        }
        Record::Event { event, data, at } => Fact::Event { event, data, at },
        Record::Cancel { reason, at } => Fact::Cancel { reason, at },
        Record::Timer { .. }
        | Record::Intent { .. }
        | Record::Nudge { .. }
        | Record::Parked { .. }
        | Record::Started(_)
        | Record::Ended(_) => return None,
    })
}

fn done(step: StepRecord, run: Option<Box<View>>) -> Done {
    let took = step.ended.since(step.began).as_millis();
    Done {
        kind: step.kind,
        callee: step.callee,
        began: step.began,
        ended: step.ended,
        took_ms: u64::try_from(took).unwrap_or(u64::MAX),
        attempts: step.attempts,
        spend: step.spend,
        guards: step.guards,
        request: step.request,
        result: Answer::new(step.result),
        run,
    }
}

/// A local step in its own words; as it stands when they are not ours.
fn spoken(local: LocalRecord) -> Fact {
    let LocalRecord { kind, value, .. } = local;
    match kind {
        LocalKind::Decision => match serde_json::from_value(value.clone()) {
            Ok(decision) => Fact::Decision(Box::new(decision)),
            Err(_) => Fact::Local { kind, value },
        },
        LocalKind::Signal => match serde_json::from_value(value.clone()) {
            Ok(signal) => Fact::Signal(signal),
            Err(_) => Fact::Local { kind, value },
        },
        LocalKind::Now | LocalKind::Random => Fact::Local { kind, value },
    }
}
