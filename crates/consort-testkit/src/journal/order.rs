//! Rules about changes: all or nothing, in order, and kept.

use consort_core::{
    RunId, Spend, TenantId,
    journal::{Batch, JournalErrorKind, Message},
};
use futures_util::future::join_all;

use super::{
    Store,
    sample::{NOW, accept, batch, ended, history, local, open, positions, put, refuse, root},
    sample::{started, step},
};

/// One bad entry, and neither entries nor content, spend or messages of the change are there.
pub async fn a_refused_change_leaves_no_trace(store: &impl Store) {
    let (journal, _) = open(store).await;
    store.post(Message::Resume { run: root(1) }).await.expect("the message is taken");
    let message = journal.inbox().await.expect("the inbox is readable")[0].0;
    let (hash, blobs) = put(b"content of a change that is refused");
    let change = Batch {
        entries: vec![(root(1), started(&root(1))), (root(1), step(0)), (root(2), step(0))],
        applied: vec![message],
        spent: vec![(TenantId::default(), NOW, Spend::CALL)],
        ..blobs
    };
    refuse(&journal, change, JournalErrorKind::NoSuchRun).await;

    assert_eq!(journal.history(&root(1)).await.expect("readable"), None);
    assert_eq!(journal.open_runs().await.expect("readable"), []);
    assert_eq!(journal.blob(hash).await.expect("readable"), None);
    let spent = journal.spent(&TenantId::default(), NOW).await.expect("readable");
    assert_eq!(spent, Spend::ZERO);
    assert_eq!(journal.inbox().await.expect("readable").len(), 1);
    accept(&journal, [(root(1), started(&root(1)))]).await;
}

/// Also when the caller does not wait for one commit before the next, and over several runs.
pub async fn entries_come_back_in_the_order_of_commit(store: &impl Store) {
    let (journal, _) = open(store).await;
    let runs: Vec<RunId> = (0..3).map(root).collect();
    let mut commits = Vec::new();
    for run in &runs {
        commits.push(journal.commit(Batch::entry(run.clone(), started(run))));
    }
    for position in 0..200 {
        let entries = runs.iter().map(|run| {
            (run.clone(), if position % 3 == 0 { local(position) } else { step(position) })
        });
        commits.push(journal.commit(batch(entries)));
    }
    for answer in join_all(commits).await {
        answer.expect("the change is accepted");
    }
    for run in &runs {
        assert_eq!(positions(&journal, run).await, (0..200).collect::<Vec<_>>());
    }
}

/// The engine may lose interest, the change may not get lost.
pub async fn a_dropped_commit_still_happens(store: &impl Store) {
    let (journal, _) = open(store).await;
    drop(journal.commit(Batch::entry(root(1), started(&root(1)))));
    drop(journal.commit(Batch::entry(root(1), step(0))));
    accept(&journal, [(root(1), step(1))]).await;
    assert_eq!(positions(&journal, &root(1)).await, [0, 1]);
}

/// Nothing to do is not an error.
pub async fn an_empty_change_is_accepted(store: &impl Store) {
    let (journal, _) = open(store).await;
    journal.commit(Batch::default()).await.expect("the change is accepted");
}

/// Callers do not disturb each other, and each sees its own entries in its own order.
pub async fn commits_of_many_callers_keep_each_callers_order(store: &impl Store) {
    let (journal, _) = open(store).await;
    let caller = |number: u64| {
        let (journal, run) = (journal.clone(), root(number));
        async move {
            accept(&journal, [(run.clone(), started(&run))]).await;
            for position in 0..40 {
                accept(&journal, [(run.clone(), step(position))]).await;
                if position % 10 == 0 {
                    assert_eq!(positions(&journal, &run).await.len(), position as usize + 1);
                }
            }
            accept(&journal, [(run.clone(), ended(NOW))]).await;
        }
    };
    join_all((0..16).map(caller)).await;
    for number in 0..16 {
        let history = history(&journal, &root(number)).await;
        let seen: Vec<_> = history.records.iter().filter_map(|r| r.position()).collect();
        assert_eq!(seen, (0..40).collect::<Vec<_>>());
        assert!(history.ended.is_some());
    }
}

/// Also what nobody waited for. A store that forgets may skip this by being empty.
pub async fn what_was_committed_survives_closing(store: &impl Store) {
    let (journal, _) = open(store).await;
    let run = root(1);
    accept(&journal, [(run.clone(), started(&run))]).await;
    for position in 0..50 {
        drop(journal.commit(Batch::entry(run.clone(), step(position))));
    }
    let before = journal.close();
    before.await.expect("the journal closes");
    drop(journal);
    let (journal, _) = open(store).await;
    assert_eq!(positions(&journal, &run).await, (0..50).collect::<Vec<_>>());
}

/// With a name for the trouble, not with silence.
pub async fn a_closed_journal_refuses(store: &impl Store) {
    let (journal, _) = open(store).await;
    journal.close().await.expect("the journal closes");
    let change = Batch::entry(root(1), started(&root(1)));
    refuse(&journal, change, JournalErrorKind::Unavailable).await;
    journal
        .close()
        .await
        .map_or_else(|error| assert_eq!(error.kind(), JournalErrorKind::Unavailable), |()| ());
}

/// A refused change may share a disk transaction with others; they must not share its fate.
pub async fn a_refusal_does_not_touch_its_neighbours(store: &impl Store) {
    let (journal, _) = open(store).await;
    let good = (0..32).map(|n| journal.commit(Batch::entry(root(n), started(&root(n)))));
    let bad = (100..132).map(|n| journal.commit(Batch::entry(root(n), step(0))));
    let answers = join_all(good.zip(bad).flat_map(|(good, bad)| [good, bad])).await;
    for (index, answer) in answers.into_iter().enumerate() {
        match answer {
            Ok(()) => assert_eq!(index % 2, 0),
            Err(error) => assert_eq!((index % 2, error.kind()), (1, JournalErrorKind::NoSuchRun)),
        }
    }
    assert_eq!(journal.open_runs().await.expect("readable").len(), 32);
}
