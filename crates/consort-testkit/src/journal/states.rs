//! Rules about where a run stands: started once, parked with care, over for good.

use consort_core::{
    Category, EventName, TenantId, Timestamp,
    journal::{Batch, JournalErrorKind, RunFilter},
    record::{Record, RunState},
};
use serde_json::json;

use super::{
    Store,
    sample::{HOUR, NOW, accept, batch, ended, failed, history, key, local, name, open, positions},
    sample::{refuse, root, started, started_as, step, tenant},
};

/// Whether the first run has ended or not.
pub async fn a_second_start_is_refused(store: &impl Store) {
    let (journal, _) = open(store).await;
    let run = root(1);
    accept(&journal, [(run.clone(), started(&run)), (run.clone(), step(0))]).await;
    let again = || Batch::entry(run.clone(), started(&run));
    refuse(&journal, again(), JournalErrorKind::Exists).await;
    accept(&journal, [(run.clone(), ended(NOW))]).await;
    refuse(&journal, again(), JournalErrorKind::Exists).await;
    assert_eq!(positions(&journal, &run).await, [0]);
}

/// Per tenant and orchestrator, and after the run's end too.
pub async fn an_idempotency_key_belongs_to_one_run(store: &impl Store) {
    let (journal, _) = open(store).await;
    let keyed = |n: u64, who: &'static str, what: &'static str| {
        let record = started_as(&root(n), |started| {
            started.tenant = tenant(who);
            started.orchestrator = name(what);
            started.idempotency_key = Some(key("k-1"));
        });
        Batch::entry(root(n), record)
    };
    journal.commit(keyed(1, "a", "worker")).await.expect("the first is accepted");
    refuse(&journal, keyed(2, "a", "worker"), JournalErrorKind::Exists).await;
    journal.commit(keyed(3, "b", "worker")).await.expect("another tenant's key is another key");
    journal.commit(keyed(4, "a", "other")).await.expect("another orchestrator's key is another");
    accept(&journal, [(root(1), ended(NOW))]).await;
    refuse(&journal, keyed(5, "a", "worker"), JournalErrorKind::Exists).await;

    for (who, what, holder) in [("a", "worker", 1), ("b", "worker", 3), ("a", "other", 4)] {
        let found = journal.find(&tenant(who), &name(what), &key("k-1")).await;
        assert_eq!(found.expect("readable"), Some(root(holder)));
    }
    let found = journal.find(&tenant("b"), &name("other"), &key("k-1")).await;
    assert_eq!(found.expect("readable"), None);
    assert_eq!(journal.history(&root(2)).await.expect("readable"), None);
}

/// The change as a whole is refused.
pub async fn two_starts_under_one_key_in_one_change_are_refused(store: &impl Store) {
    let (journal, _) = open(store).await;
    let keyed =
        |n| (root(n), started_as(&root(n), |started| started.idempotency_key = Some(key("twice"))));
    refuse(&journal, batch([keyed(1), keyed(2)]), JournalErrorKind::Exists).await;
    accept(&journal, [keyed(3)]).await;
}

/// And nothing comes before the start.
pub async fn nothing_follows_the_end(store: &impl Store) {
    let (journal, _) = open(store).await;
    let run = root(1);
    refuse(&journal, Batch::entry(run.clone(), step(0)), JournalErrorKind::NoSuchRun).await;
    refuse(&journal, Batch::entry(run.clone(), ended(NOW)), JournalErrorKind::NoSuchRun).await;
    accept(&journal, [(run.clone(), started(&run)), (run.clone(), step(0))]).await;
    let after_end = batch([(run.clone(), ended(NOW)), (run.clone(), step(1))]);
    refuse(&journal, after_end, JournalErrorKind::NoSuchRun).await;
    accept(&journal, [(run.clone(), ended(NOW))]).await;
    for late in [step(1), local(1), ended(NOW), Record::Nudge { position: 0 }] {
        refuse(&journal, Batch::entry(run.clone(), late), JournalErrorKind::NoSuchRun).await;
    }
    let history = history(&journal, &run).await;
    assert_eq!((history.records.len(), history.ended.is_some()), (1, true));
}

/// Asked alone it is what the history says; a run that goes on, parked or not, and one that never
/// was have none.
pub async fn the_end_alone_is_that_of_the_history(store: &impl Store) {
    let (journal, _) = open(store).await;
    let (over, open, long) = (root(1), root(2), root(3));
    for run in [&over, &open, &long] {
        accept(&journal, [(run.clone(), started(run)), (run.clone(), step(0))]).await;
    }
    for position in 1..100 {
        accept(&journal, [(long.clone(), step(position))]).await;
    }
    for run in [&over, &long] {
        accept(&journal, [(run.clone(), ended(NOW))]).await;
    }
    for run in [&over, &open, &long] {
        let end = journal.ended(run).await.expect("readable");
        assert_eq!(end, history(&journal, run).await.ended);
        assert_eq!(end.is_some(), run != &open);
    }
    assert_eq!(journal.ended(&root(4)).await.expect("readable"), None);
}

/// Compare and set: what arrived while the run was being parked must not be slept over.
pub async fn a_run_parks_only_if_it_has_seen_every_entry(store: &impl Store) {
    let (journal, _) = open(store).await;
    let run = root(1);
    let parked = |seen| Record::Parked { due: Some(Timestamp(NOW.0 + 5)), seen, awaits: vec![] };
    let look = || async {
        let open = journal.open_runs().await.expect("readable");
        (open[0].parked, open[0].due.is_some())
    };
    accept(&journal, [(run.clone(), started(&run)), (run.clone(), step(0))]).await;
    for stale in [0, 1, 3, u64::MAX] {
        accept(&journal, [(run.clone(), parked(stale))]).await;
        assert_eq!(look().await, (false, false), "parked although it had seen {stale}");
        let log = history(&journal, &run).await.records;
        assert_eq!(log.last(), Some(&parked(stale)), "the entry itself is kept");
    }
    accept(&journal, [(run.clone(), parked(6))]).await;
    assert_eq!(look().await, (true, true));

    let other = root(2);
    let at_once = [started(&other), step(0), parked(2)].map(|record| (other.clone(), record));
    accept(&journal, at_once).await;
    let open = journal.open_runs().await.expect("readable");
    assert!(open.iter().all(|run| run.parked), "{open:?}");
}

/// Whatever arrives, the run has to look at it.
pub async fn any_later_entry_unparks(store: &impl Store) {
    let (journal, _) = open(store).await;
    let arrivals = [
        step(0),
        local(0),
        Record::Nudge { position: 0 },
        Record::Intent { position: 0, at: NOW },
        Record::Timer { position: 0, set: NOW, due: NOW },
        Record::Cancel { reason: "enough".into(), at: NOW },
        Record::Event { event: EventName::new("go").expect("valid"), data: json!(1), at: NOW },
        Record::Parked { due: None, seen: 1, awaits: vec![] },
    ];
    for (number, arrival) in (0..).zip(arrivals) {
        let run = root(number);
        let park = Record::Parked { due: None, seen: 1, awaits: vec![] };
        accept(&journal, [(run.clone(), started(&run)), (run.clone(), park)]).await;
        let filter = || RunFilter { tree: Some(run.clone()), ..RunFilter::default() };
        let before = journal.runs(filter()).await.expect("readable");
        assert_eq!(before[0].state, RunState::Waiting);
        accept(&journal, [(run.clone(), arrival.clone())]).await;
        let after = journal.runs(filter()).await.expect("readable");
        assert_eq!(after[0].state, RunState::Open, "still parked after {arrival:?}");
    }
}

/// With what is needed to drive them.
pub async fn open_runs_are_those_not_ended(store: &impl Store) {
    let (journal, _) = open(store).await;
    for n in 0..4 {
        let record = started_as(&root(n), |started| started.tenant = tenant("a"));
        accept(&journal, [(root(n), record)]).await;
    }
    let due = Timestamp(NOW.0 + 60_000);
    accept(&journal, [(root(1), ended(NOW))]).await;
    accept(&journal, [(root(2), failed(NOW, Category::Network))]).await;
    accept(&journal, [(root(3), Record::Parked { due: Some(due), seen: 1, awaits: vec![] })]).await;
    let mut open = journal.open_runs().await.expect("readable");
    open.sort_by(|a, b| a.id.cmp(&b.id));
    let seen: Vec<_> = open.iter().map(|run| (run.id.clone(), run.parked, run.due)).collect();
    assert_eq!(seen, [(root(0), false, None), (root(3), true, Some(due))]);
    assert_eq!(open[0].orchestrator, name("worker"));
    assert_eq!(open[0].version.to_string(), "1.2.3");
    assert_eq!(open[0].tenant, tenant("a"));
}

/// Times are data: an entry older than the one before it is an entry like any other.
pub async fn a_clock_that_jumps_back_loses_nothing(store: &impl Store) {
    let (journal, clock) = open(store).await;
    let run = root(1);
    accept(&journal, [(run.clone(), started(&run)), (run.clone(), step(0))]).await;
    let past = Timestamp(NOW.0 - 1000 * HOUR);
    clock.set(past);
    let child = run.child(1);
    let late = started_as(&child, |started| started.at = past);
    accept(&journal, [(child.clone(), late), (child.clone(), ended(past))]).await;
    accept(&journal, [(run.clone(), step(1)), (run.clone(), ended(past))]).await;
    assert_eq!(positions(&journal, &run).await, [0, 1]);
    let runs = journal.runs(RunFilter::default()).await.expect("readable");
    assert_eq!((runs.len(), runs[0].ended, runs[0].started), (2, Some(past), NOW));
    let spent = journal.spent(&TenantId::default(), past).await;
    assert!(spent.expect("readable").is_zero());
}
