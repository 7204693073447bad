//! Rules about what is kept: as it was, once, and as long as it is needed.

use std::sync::Arc;

use consort_core::{
    Blob, Budget, Category, EventName, Hash, Outcome, Spend, StepError, Timestamp,
    guard::Fired,
    journal::{Batch, Journal},
    record::{Record, StepKind},
};
use serde_json::{Value, json};

use super::{
    Store,
    sample::{HOUR, NOW, accept, answered, ended, failed, history, key, local, name, open},
    sample::{positions, put, root, started, started_as, step, step_as, tenant, text},
};

/// Field by field, also after closing and opening again.
pub async fn every_kind_of_entry_comes_back_as_it_was(store: &impl Store) {
    let (journal, _) = open(store).await;
    let run = root(5).child(2).child(4_294_967_295);
    let born = started_as(&run, |started| {
        started.deadline = Some(NOW);
        started.budget = Some(Budget { money: Some(5), ..Budget::UNLIMITED });
        started.depth = 2;
        started.caused_by = Some(root(4));
        started.forked_from = Some((root(3), 7));
        started.idempotency_key = Some(key("a/b"));
        started.metadata = [("ключ".to_owned(), json!({"a": [1, null]}))].into();
    });
    let error = StepError::new(Category::RateLimited, "slow \"down\"\u{0}\u{1F600}").cause("429");
    let records = vec![
        step(0),
        local(1),
        Record::Intent { position: 2, at: NOW },
        step_as(2, |step| {
            step.kind = StepKind::Wait;
            step.result = Err(error.clone());
            step.spend = Spend { money: 1, tokens: u64::MAX >> 12, calls: 3 };
            step.guards = vec![Fired::new("retry", "2 attempts failed before")];
        }),
        step_as(3, |step| step.result = Ok(Outcome::uncertain("who knows"))),
        step_as(4, |step| step.result = Ok(Outcome::skipped(""))),
        Record::Timer { position: 5, set: NOW, due: Timestamp(u64::MAX >> 1) },
        Record::Event {
            event: EventName::new("a/b:c").expect("valid"),
            data: json!([{}]),
            at: NOW,
        },
        Record::Nudge { position: u32::MAX },
        Record::Parked {
            due: None,
            seen: 3,
            awaits: vec![EventName::new("editor").expect("valid")],
        },
        Record::Cancel { reason: String::new(), at: Timestamp(0) },
    ];
    accept(&journal, [(run.clone(), born.clone())]).await;
    accept(&journal, records.iter().map(|record| (run.clone(), record.clone()))).await;
    accept(&journal, [(run.clone(), failed(NOW, Category::Timeout))]).await;
    let check = async |journal: &Arc<dyn Journal>| {
        let history = history(journal, &run).await;
        assert_eq!(Record::Started(Box::new(history.started)), born);
        assert_eq!(history.records, records);
        let last = Record::Ended(Box::new(history.ended.expect("the run has ended")));
        assert_eq!(last, failed(NOW, Category::Timeout));
    };
    check(&journal).await;
    journal.close().await.expect("the journal closes");
    drop(journal);
    check(&open(store).await.0).await;
}

/// A replayed run computes from what it reads back, so the last bit counts.
pub async fn numbers_come_back_exactly(store: &impl Store) {
    let (journal, _) = open(store).await;
    let run = root(1);
    let mut numbers = vec![json!(u64::MAX), json!(i64::MIN), json!(-0.0), json!(5e-324)];
    let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
    while numbers.len() < 2_000 {
        bits = bits.wrapping_mul(0xd129_0d3b_3b31_4d6d).rotate_left(23) ^ 0x5851_f42d_4c95_7f2d;
        numbers.extend(serde_json::Number::from_f64(f64::from_bits(bits)).map(Value::Number));
    }
    let record = answered(0, Value::Array(numbers));
    accept(&journal, [(run.clone(), started(&run)), (run.clone(), record.clone())]).await;
    assert_eq!(history(&journal, &run).await.records, [record]);
}

/// Whether they stand in requests, results, events or errors, alone or many times.
pub async fn large_texts_come_back_as_they_were(store: &impl Store) {
    let (journal, _) = open(store).await;
    let run = root(1);
    let large = text(1_000_000, 1);
    let born = started_as(&run, |started| {
        started.request = json!({"text": text(100_000, 2), "$consort:text": "mine"});
    });
    let mut records: Vec<Record> =
        (0..10).map(|n| answered(n, json!({"n": n, "text": large}))).collect();
    records.push(Record::Event {
        event: EventName::new("paper").expect("valid"),
        data: json!([large, text(70_000, 3)]),
        at: NOW,
    });
    records.push(step_as(10, |step| {
        step.result = Err(StepError::new(Category::Internal, text(80_000, 4)));
    }));
    accept(&journal, [(run.clone(), born.clone())]).await;
    accept(&journal, records.iter().map(|record| (run.clone(), record.clone()))).await;
    let history = history(&journal, &run).await;
    assert_eq!(Record::Started(Box::new(history.started)), born);
    assert!(history.records == records, "the texts differ");
}

/// Whatever the bytes are, and however often they are put.
pub async fn content_is_kept_once_and_given_back(store: &impl Store) {
    let (journal, _) = open(store).await;
    let noise: Vec<u8> =
        (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let samples = [Vec::new(), b"small".to_vec(), text(300_000, 5).into_bytes(), noise];
    for bytes in &samples {
        for _ in 0..2 {
            journal.commit(put(bytes).1).await.expect("the content is accepted");
        }
    }
    for bytes in &samples {
        let stored = journal.blob(Hash::of(bytes)).await.expect("readable");
        assert!(stored.as_deref() == Some(bytes), "{} bytes differ", bytes.len());
    }
    assert_eq!(journal.blob(Hash::of(b"unknown")).await.expect("readable"), None);
}

/// Whole trees, with their idempotency keys; the others stay.
pub async fn retention_removes_trees_that_ended_before(store: &impl Store) {
    let (journal, _) = open(store).await;
    let hours = |n: u64| Timestamp(NOW.0 + n * HOUR);
    for n in 0..4 {
        let (run, child) = (root(n), root(n).child(0));
        let born = started_as(&run, |s| s.idempotency_key = Some(key(&format!("k{n}"))));
        accept(&journal, [(run.clone(), born), (child.clone(), started(&child))]).await;
        accept(&journal, [(child.clone(), ended(hours(n)))]).await;
        accept(&journal, [(run.clone(), step(0)), (run, ended(hours(n)))]).await;
    }
    let removed = journal.retain(hours(2)).await.expect("retention works");
    assert_eq!(removed.runs, 2);
    for n in 0..4 {
        for run in [root(n), root(n).child(0)] {
            let history = journal.history(&run).await.expect("readable");
            assert_eq!(history.is_some(), n >= 2, "{run}");
        }
        let default = tenant("default");
        let found = journal.find(&default, &name("worker"), &key(&format!("k{n}"))).await;
        assert_eq!(found.expect("readable").is_some(), n >= 2);
    }
    let again = started_as(&root(9), |s| s.idempotency_key = Some(key("k0")));
    accept(&journal, [(root(9), again)]).await;
    assert_eq!(positions(&journal, &root(3)).await, [0]);
    assert_eq!(journal.retain(hours(2)).await.expect("retention works").runs, 0);
}

/// Content goes with the last run that names it, and not while it is young.
pub async fn retention_keeps_what_is_referred_to(store: &impl Store) {
    let (journal, clock) = open(store).await;
    let hours = |n: u64| Timestamp(NOW.0 + n * HOUR);
    let (old, shared, loose, young) = (b"only old", b"shared", b"loose", b"young");
    for bytes in [&old[..], shared, loose] {
        journal.commit(put(bytes).1).await.expect("the content is accepted");
    }
    let names = |bytes: &[u8]| json!({"page": Blob::of(bytes, "text/plain")});
    for (n, content) in [(1, vec![names(old), names(shared)]), (5, vec![names(shared)])] {
        let run = root(n);
        accept(
            &journal,
            [(run.clone(), started(&run)), (run.clone(), answered(0, json!(content)))],
        )
        .await;
        accept(&journal, [(run, ended(hours(n)))]).await;
    }
    clock.set(hours(6));
    journal.commit(put(young).1).await.expect("the content is accepted");
    let has = async |bytes: &[u8]| journal.blob(Hash::of(bytes)).await.expect("readable").is_some();

    assert_eq!(journal.retain(hours(3)).await.expect("retention works").runs, 1);
    assert!(!has(old).await && has(shared).await, "content goes with its last run");
    assert!(!has(loose).await && has(young).await, "loose content goes when it is old");
    journal.commit(put(shared).1).await.expect("the content is accepted");
    assert_eq!(journal.retain(hours(6)).await.expect("retention works").runs, 1);
    assert!(has(shared).await, "content that was put again is young again");
    journal.retain(hours(7)).await.expect("retention works");
    assert!(!has(shared).await && !has(young).await);
    journal.commit(put(old).1).await.expect("the content is accepted");
    assert!(has(old).await, "what was removed may come back");
}

/// However long ago they began.
pub async fn retention_leaves_unfinished_trees_alone(store: &impl Store) {
    let (journal, _) = open(store).await;
    let run = root(1);
    let large = text(100_000, 6);
    let change = Batch {
        entries: vec![
            (run.clone(), started(&run)),
            (run.clone(), answered(0, json!(large))),
            (run.child(1), started(&run.child(1))),
            (run.child(1), ended(NOW)),
        ],
        ..Batch::default()
    };
    journal.commit(change).await.expect("the change is accepted");
    let removed = journal.retain(Timestamp(NOW.0 + 1000 * HOUR)).await.expect("retention works");
    assert_eq!(removed.runs, 0);
    assert_eq!(history(&journal, &run).await.records, [answered(0, json!(large))]);
    assert!(history(&journal, &run.child(1)).await.ended.is_some());
}
