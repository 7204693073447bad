//! Small records to fill a journal with. Times are milliseconds since 1970.

use std::sync::Arc;

use consort_core::{
    Category, Hash, IdempotencyKey, Layer, Name, Outcome, RequestId, RunId, Spend, StepError,
    TenantId, Timestamp, TraceId, Version,
    journal::{Batch, Journal, JournalErrorKind},
    record::{
        Fingerprint, History, LocalKind, LocalRecord, Record, RunEnded, RunStarted, StepKind,
        StepRecord,
    },
};
use serde_json::{Value, json};

use super::Store;
use crate::clock::ManualClock;

/// When the suite plays: early 2026, a full hour.
pub const NOW: Timestamp = Timestamp(1_770_000_000_000 / HOUR * HOUR);

/// Milliseconds in an hour.
pub const HOUR: u64 = 3_600_000;

/// A root id; a larger number is newer.
pub fn root(number: u64) -> RunId {
    RunId::root(NOW.0 + number, u128::from(number))
}

/// A name known to be valid.
pub fn name(text: &str) -> Name {
    Name::new(text).expect("the sample name is valid")
}

/// A tenant known to be valid.
pub fn tenant(text: &str) -> TenantId {
    TenantId::new(text).expect("the sample tenant is valid")
}

/// A key known to be valid.
pub fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::new(text).expect("the sample key is valid")
}

/// The start of a run of orchestrator `worker` for the default tenant at [`NOW`].
pub fn birth(run: &RunId) -> RunStarted {
    RunStarted {
        id: run.clone(),
        orchestrator: name("worker"),
        version: Version::new(1, 2, 3),
        tenant: TenantId::default(),
        request: json!({"n": 1}),
        request_id: RequestId::new("request-1").expect("the sample id is valid"),
        trace: TraceId::from_random(7),
        origin: Layer::Application,
        depth: 0,
        deadline: None,
        budget: None,
        metadata: [("why".to_owned(), json!(null))].into(),
        caused_by: None,
        idempotency_key: None,
        forked_from: None,
        at: NOW,
    }
}

/// [`birth`] as an entry, after `change`.
pub fn started_as(run: &RunId, change: impl FnOnce(&mut RunStarted)) -> Record {
    let mut started = birth(run);
    change(&mut started);
    Record::Started(Box::new(started))
}

/// [`birth`] as an entry.
pub fn started(run: &RunId) -> Record {
    started_as(run, |_| {})
}

/// A finished call of capability `fetch` that ended at [`NOW`], after `change`.
pub fn step_as(position: u32, change: impl FnOnce(&mut StepRecord)) -> Record {
    let request = json!({"position": position});
    let mut step = StepRecord {
        position,
        kind: StepKind::Call,
        callee: "fetch".into(),
        fingerprint: Fingerprint::of(&request),
        request,
        result: Ok(Outcome::succeeded(json!({"ok": position}))),
        attempts: 1,
        began: NOW,
        ended: NOW,
        spend: Spend::ZERO,
        guards: Vec::new(),
    };
    change(&mut step);
    Record::Step(Box::new(step))
}

/// A finished call.
pub fn step(position: u32) -> Record {
    step_as(position, |_| {})
}

/// A finished call that cost `spend` and ended at `at`.
pub fn costly(position: u32, at: Timestamp, spend: Spend) -> Record {
    step_as(position, |step| (step.ended, step.spend) = (at, spend))
}

/// A finished call that answered with `value`.
pub fn answered(position: u32, value: Value) -> Record {
    step_as(position, |step| step.result = Ok(Outcome::succeeded(value)))
}

/// A random number was drawn.
pub fn local(position: u32) -> Record {
    Record::Local(LocalRecord {
        position,
        kind: LocalKind::Random,
        fingerprint: Fingerprint::of(&Value::Null),
        value: json!(position),
    })
}

/// The run succeeded at `at`.
pub fn ended(at: Timestamp) -> Record {
    Record::Ended(Box::new(RunEnded {
        result: Ok(Outcome::succeeded(json!("done"))),
        spend: Spend::ZERO,
        overrun: Spend::ZERO,
        guards: Vec::new(),
        at,
    }))
}

/// The run failed at `at`.
pub fn failed(at: Timestamp, category: Category) -> Record {
    Record::Ended(Box::new(RunEnded {
        result: Err(StepError::new(category, "it broke")),
        spend: Spend::CALL,
        overrun: Spend::ZERO,
        guards: Vec::new(),
        at,
    }))
}

/// Text of at least `length` bytes that compresses about as well as prose; the same every time.
pub fn text(length: usize, seed: u64) -> String {
    let words = ["orchestra", "of", "many", "voices", "the", "grüße", "\"quoted\"", "line\n"];
    let (mut state, mut text) = (seed | 1, String::with_capacity(length + 16));
    while text.len() < length {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        text.push_str(words[(state >> 60) as usize % words.len()]);
        text.push_str(&(state >> 40 & 0xff).to_string());
        text.push(' ');
    }
    text
}

/// A change with entries only.
pub fn batch(entries: impl IntoIterator<Item = (RunId, Record)>) -> Batch {
    Batch { entries: entries.into_iter().collect(), ..Batch::default() }
}

/// A change that only puts content.
pub fn put(bytes: &[u8]) -> (Hash, Batch) {
    let hash = Hash::of(bytes);
    (hash, Batch { blobs: vec![(hash, bytes.into())], ..Batch::default() })
}

/// Opens the store with a clock that stands at [`NOW`].
pub async fn open(store: &impl Store) -> (Arc<dyn Journal>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(NOW));
    let journal = store.open(clock.clone()).await.expect("the store opens");
    (journal, clock)
}

/// Commits entries that the journal must accept.
pub async fn accept(
    journal: &Arc<dyn Journal>,
    entries: impl IntoIterator<Item = (RunId, Record)>,
) {
    journal.commit(batch(entries)).await.expect("the change is accepted");
}

/// Commits a change that the journal must refuse with `kind`.
pub async fn refuse(journal: &Arc<dyn Journal>, change: Batch, kind: JournalErrorKind) {
    let refused = journal.commit(change).await.expect_err("the change is refused");
    assert_eq!(refused.kind(), kind, "{refused}");
}

/// The history of a run that must be there.
pub async fn history(journal: &Arc<dyn Journal>, run: &RunId) -> History {
    let history = journal.history(run).await.expect("the history is readable");
    history.unwrap_or_else(|| unreachable!("{run} is in the journal"))
}

/// The positions that a run's entries concern, in order.
pub async fn positions(journal: &Arc<dyn Journal>, run: &RunId) -> Vec<u32> {
    history(journal, run).await.records.iter().filter_map(Record::position).collect()
}
