//! Rules about the inbox: what other processes ask of the owner happens exactly once.

use std::sync::Arc;

use consort_core::{
    EventName, RequestId, TenantId,
    journal::{Batch, Journal, JournalErrorKind, Message, StartRequest},
};
use serde_json::json;

use super::{
    Store,
    sample::{NOW, name, open, refuse, root, started, step, text},
};

fn samples() -> Vec<Message> {
    let start = StartRequest {
        id: root(9),
        orchestrator: name("worker"),
        request: json!({"page": text(200_000, 3), "share": 0.1 + 0.2}),
        tenant: TenantId::default(),
        request_id: RequestId::new("r-9").expect("valid"),
        deadline: Some(NOW),
        budget: None,
        idempotency_key: None,
        metadata: [("a".to_owned(), json!([1]))].into(),
    };
    vec![
        Message::Start(Box::new(start)),
        Message::Cancel { run: root(1), reason: "no longer needed".into() },
        Message::Event {
            run: root(1),
            event: EventName::new("go").expect("valid"),
            data: json!(1),
        },
        Message::Resume { run: root(1) },
        Message::Custom { orchestrator: name("feedback"), request: json!({"up": true}) },
    ]
}

async fn waiting(journal: &Arc<dyn Journal>) -> Vec<Message> {
    let inbox = journal.inbox().await.expect("the inbox is readable");
    assert!(inbox.windows(2).all(|pair| pair[0].0 < pair[1].0), "ids grow");
    inbox.into_iter().map(|(_, message)| message).collect()
}

/// They are applied by the same change that does what they ask.
pub async fn messages_wait_in_order_until_they_are_applied(store: &impl Store) {
    let (journal, _) = open(store).await;
    for message in samples() {
        store.post(message).await.expect("the message is taken");
    }
    assert_eq!(waiting(&journal).await, samples());
    let ids: Vec<_> =
        journal.inbox().await.expect("readable").into_iter().map(|(id, _)| id).collect();
    let change = Batch {
        entries: vec![(root(9), started(&root(9)))],
        applied: vec![ids[0], ids[2]],
        ..Batch::default()
    };
    journal.commit(change).await.expect("the change is accepted");
    let left = [1, 3, 4].map(|index| samples()[index].clone());
    assert_eq!(waiting(&journal).await, left);

    let change = Batch { applied: vec![ids[1], ids[3], ids[4]], ..Batch::default() };
    journal.commit(change).await.expect("the change is accepted");
    assert_eq!(waiting(&journal).await, []);
    store.post(samples()[1].clone()).await.expect("the message is taken");
    let next = journal.inbox().await.expect("readable")[0].0;
    assert!(next > ids[4], "an id is never used again");
}

/// They will be offered again.
pub async fn a_refused_change_leaves_its_messages(store: &impl Store) {
    let (journal, _) = open(store).await;
    store.post(samples()[1].clone()).await.expect("the message is taken");
    let id = journal.inbox().await.expect("readable")[0].0;
    let change = Batch { applied: vec![id], ..Batch::entry(root(1), step(0)) };
    refuse(&journal, change, JournalErrorKind::NoSuchRun).await;
    assert_eq!(waiting(&journal).await.len(), 1);
}

/// Within the delay that the adapter declares, whether or not anybody listened already.
pub async fn the_bell_rings_for_a_message(store: &impl Store) {
    let (journal, _) = open(store).await;
    let patience = journal.inbox_delay() * 10;
    for round in 1..=3 {
        let rang = journal.rang();
        store.post(samples()[1].clone()).await.expect("the message is taken");
        let seen = async {
            rang.await;
            // A bell may ring early or once too often; it must not stay silent.
            while waiting(&journal).await.len() < round {
                journal.rang().await;
            }
        };
        tokio::time::timeout(patience, seen).await.expect("the bell rings in time");
    }
    store.post(samples()[1].clone()).await.expect("the message is taken");
    let seen = async {
        while waiting(&journal).await.len() < 4 {
            journal.rang().await;
        }
    };
    tokio::time::timeout(patience, seen).await.expect("the bell rings in time");
}

/// The next owner finds them.
pub async fn messages_may_be_sent_to_a_journal_nobody_has_open(store: &impl Store) {
    let (journal, _) = open(store).await;
    journal.close().await.expect("the journal closes");
    drop(journal);
    for message in samples() {
        store.post(message).await.expect("the message is taken");
    }
    let (journal, _) = open(store).await;
    assert_eq!(waiting(&journal).await, samples());
}
