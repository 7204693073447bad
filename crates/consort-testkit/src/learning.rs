//! The conformance suite of the learning log port: every rule that a learner relies on, as one test.
//!
//! An adapter implements [`Place`] for its fixture and writes, in an integration test,
//!
//! ```ignore
//! consort_testkit::learning_conformance!(MyFixture::new());
//! ```

use std::{collections::BTreeMap, sync::Arc};

use consort_core::{
    Component, Decision, Question, TenantId, Timestamp,
    journal::{JournalError, JournalErrorKind},
    learning::{Extent, Feedback, LearningLog, Made, Record, Snapshot, Source, Subject},
};
use futures_util::future::{BoxFuture, join_all};
use serde_json::json;

/// A place for one log at a time, as a test sees it. Each rule gets a new one.
pub trait Place: Send + Sync {
    /// Opens the log, which is empty the first time.
    fn open(&self) -> BoxFuture<'_, Result<Arc<dyn LearningLog>, JournalError>>;
}

/// One `#[tokio::test]` for every rule; the argument makes a new [`Place`].
#[macro_export]
macro_rules! learning_conformance {
    ($place:expr) => {
        $crate::learning_conformance! { $place;
            positions_grow_by_one_and_records_come_back_as_they_were,
            an_append_survives_closing_and_positions_go_on,
            reading_goes_on_where_it_stopped,
            appends_of_many_callers_keep_each_callers_order,
            a_dropped_append_still_happens,
            an_empty_append_is_accepted,
            a_snapshot_replaces_the_one_before,
            nothing_is_trimmed_that_no_snapshot_holds,
            trimmed_positions_are_never_used_again,
            a_closed_log_refuses;
        }
    };
    ($place:expr; $($rule:ident),+ $(,)?;) => {
        $(
            #[::tokio::test]
            async fn $rule() {
                $crate::learning::$rule(&$place).await;
            }
        )+
    };
}

async fn open(place: &impl Place) -> Arc<dyn LearningLog> {
    place.open().await.expect("the log opens")
}

/// A reward; `number` makes it different from others.
pub fn reward(number: u64) -> Record {
    Record::Feedback(Box::new(Feedback {
        id: format!("reward-{number}"),
        tenant: TenantId::default(),
        source: Source::UserExplicit,
        subject: Subject::Decision(format!("decision-{number}")),
        reward: 0.1 + 0.2 * (number % 3) as f64,
        confidence: 1.0 / 3.0,
        category: None,
        at: Timestamp(1_000 + number),
        metadata: json!({"note": "\u{0}\"é", "share": 0.1 + 0.2}),
    }))
}

/// A decision between two candidates.
pub fn made(number: u64) -> Record {
    Record::Made(Box::new(Made {
        tenant: TenantId::default(),
        run: None,
        at: Timestamp(1_000 + number),
        decision: Decision {
            id: format!("decision-{number}"),
            question: Question {
                component: Component::Model,
                domain: "test".into(),
                candidates: vec!["a".into(), "b".into()],
                features: BTreeMap::from([("x".into(), 0.1 + 0.2)]),
            },
            chosen: (number % 2) as usize,
            propensities: vec![1.0 / 3.0, 2.0 / 3.0],
            scores: None,
            policy: "uniform".into(),
            policy_version: 1,
            skipped: Vec::new(),
        },
    }))
}

/// As the name says.
pub async fn positions_grow_by_one_and_records_come_back_as_they_were(place: &impl Place) {
    let log = open(place).await;
    assert_eq!(log.extent().await.expect("the log works"), Extent { first: 1, last: 0 });
    let change = Record::Policy { at: Timestamp(9), change: json!({"rule": [1, 0.1 + 0.2]}) };
    let records = vec![made(1), reward(1), change];
    assert_eq!(log.append(records.clone().into()).await.expect("the log works"), 3);
    assert_eq!(log.append([reward(2)].into()).await.expect("the log works"), 4);
    let read = log.read(0, 100).await.expect("the log works");
    let numbers: Vec<u64> = read.iter().map(|(at, _)| *at).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    let read: Vec<Record> = read.into_iter().map(|(_, record)| record).collect();
    assert_eq!(read[..3], records);
}

/// As the name says.
pub async fn an_append_survives_closing_and_positions_go_on(place: &impl Place) {
    let log = open(place).await;
    log.append([reward(1), reward(2)].into()).await.expect("the log works");
    log.close().await.expect("the log works");
    drop(log);
    let log = open(place).await;
    assert_eq!(log.append([reward(3)].into()).await.expect("the log works"), 3);
    assert_eq!(log.read(0, 9).await.expect("the log works")[1], (2, reward(2)));
}

/// As the name says.
pub async fn reading_goes_on_where_it_stopped(place: &impl Place) {
    let log = open(place).await;
    log.append((1..=10).map(reward).collect()).await.expect("the log works");
    let (mut seen, mut at) = (Vec::new(), 0);
    loop {
        let page = log.read(at, 3).await.expect("the log works");
        let Some((last, _)) = page.last() else { break };
        at = *last;
        seen.extend(page.into_iter().map(|(_, record)| record));
    }
    assert_eq!(seen, (1..=10).map(reward).collect::<Vec<_>>());
}

/// As the name says.
pub async fn appends_of_many_callers_keep_each_callers_order(place: &impl Place) {
    let log = open(place).await;
    let callers = (0..4).map(|caller| {
        let log = log.clone();
        async move {
            let appends = (0..50).map(|n| log.append([reward(caller * 1000 + n)].into()));
            for done in join_all(appends).await {
                done.expect("the log works");
            }
        }
    });
    join_all(callers).await;
    let all = log.read(0, 1000).await.expect("the log works");
    assert_eq!(all.len(), 200);
    for caller in 0..4 {
        let own = |record: &Record| record.at().0 / 1000 == caller + 1;
        let times: Vec<u64> =
            all.iter().filter(|(_, r)| own(r)).map(|(_, record)| record.at().0).collect();
        assert!(times.is_sorted(), "{times:?}");
        assert_eq!(times.len(), 50);
    }
}

/// As the name says.
pub async fn a_dropped_append_still_happens(place: &impl Place) {
    let log = open(place).await;
    drop(log.append([reward(1)].into()));
    assert_eq!(log.append([reward(2)].into()).await.expect("the log works"), 2);
}

/// As the name says.
pub async fn an_empty_append_is_accepted(place: &impl Place) {
    let log = open(place).await;
    assert_eq!(log.append([].into()).await.expect("the log works"), 0);
    log.append([reward(1)].into()).await.expect("the log works");
    assert_eq!(log.append([].into()).await.expect("the log works"), 1);
}

/// As the name says.
pub async fn a_snapshot_replaces_the_one_before(place: &impl Place) {
    let log = open(place).await;
    assert_eq!(log.snapshot().await.expect("the log works"), None);
    log.append([reward(1), reward(2)].into()).await.expect("the log works");
    let snapshot =
        |position: u64| Snapshot { position, state: vec![position as u8; 70_000].into() };
    log.save(snapshot(1)).await.expect("the log works");
    log.save(snapshot(2)).await.expect("the log works");
    assert_eq!(log.snapshot().await.expect("the log works"), Some(snapshot(2)));
    log.close().await.expect("the log works");
    drop(log);
    assert_eq!(open(place).await.snapshot().await.expect("the log works"), Some(snapshot(2)));
}

/// As the name says.
pub async fn nothing_is_trimmed_that_no_snapshot_holds(place: &impl Place) {
    let log = open(place).await;
    log.append((1..=5).map(reward).collect()).await.expect("the log works");
    assert_eq!(log.trim(4).await.expect("the log works"), 0);
    log.save(Snapshot { position: 3, state: vec![1].into() }).await.expect("the log works");
    assert_eq!(log.trim(4).await.expect("the log works"), 3);
    assert_eq!(log.extent().await.expect("the log works"), Extent { first: 4, last: 5 });
    assert_eq!(log.read(0, 9).await.expect("the log works"), [(4, reward(4)), (5, reward(5))]);
}

/// As the name says.
pub async fn trimmed_positions_are_never_used_again(place: &impl Place) {
    let log = open(place).await;
    log.append((1..=5).map(reward).collect()).await.expect("the log works");
    log.save(Snapshot { position: 5, state: vec![1].into() }).await.expect("the log works");
    assert_eq!(log.trim(5).await.expect("the log works"), 5);
    log.close().await.expect("the log works");
    drop(log);
    let log = open(place).await;
    assert_eq!(log.extent().await.expect("the log works"), Extent { first: 6, last: 5 });
    assert_eq!(log.append([reward(6)].into()).await.expect("the log works"), 6);
    assert_eq!(log.read(0, 9).await.expect("the log works"), [(6, reward(6))]);
}

/// As the name says.
pub async fn a_closed_log_refuses(place: &impl Place) {
    let log = open(place).await;
    log.close().await.expect("the log works");
    let refused = log.append([reward(1)].into()).await.expect_err("a closed log");
    assert_eq!(refused.kind(), JournalErrorKind::Unavailable);
    assert!(log.read(0, 1).await.is_err());
}
