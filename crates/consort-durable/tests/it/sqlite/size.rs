//! A store stays small, and quick when it is large.

use std::{fs, path::Path, time::Instant};

use consort_core::{
    Timestamp,
    journal::{Batch, Journal, RunFilter},
    record::RunState,
};
use consort_durable::sqlite;
use consort_testkit::journal::sample::{
    HOUR, NOW, answered, ended, root, started, step, tenant, text,
};
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Home, accept, thorough};

fn size(path: &Path) -> u64 {
    fs::metadata(path).expect("a file").len()
}

#[tokio::test]
async fn one_megabyte_of_text_used_by_ten_steps_is_stored_once() {
    let home = Home::new();
    let journal = home.own();
    let (run, page) = (root(1), text(1_000_000, 1));
    accept(&journal, [(run.clone(), started(&run))]).await;
    for position in 0..10 {
        accept(&journal, [(run.clone(), answered(position, json!({"page": page})))]).await;
    }
    assert_eq!(journal.history(&run).await.unwrap().unwrap().records.len(), 10);
    journal.close().await.unwrap();
    assert_eq!(sqlite::check(home.store()).unwrap().payloads, 1);
    let size = size(&home.store());
    assert!(size < 700_000, "{size} bytes for one text of 1 MB, compressed");
}

#[expect(clippy::disallowed_methods, reason = "measures real time")]
fn now() -> Instant {
    Instant::now()
}

#[tokio::test]
async fn many_finished_steps_are_listed_quickly_and_retention_shrinks_the_file() {
    const EACH: u64 = 20;
    let home = Home::new();
    let journal = home.own();
    let runs = if thorough() { 1_000_000 } else { 20_000 } / EACH;
    for first in (0..runs).step_by(500) {
        let commits = (first..(first + 500).min(runs)).map(|number| {
            let run = root(number);
            let mut change = Batch::entry(run.clone(), started(&run));
            let work = (0..EACH).map(|position| (run.clone(), step(position as u32)));
            change.entries.extend(work);
            change.entries.push((run, ended(Timestamp(NOW.0 + number))));
            journal.commit(change)
        });
        for answer in join_all(commits).await {
            answer.expect("the change is accepted");
        }
    }
    let begin = now();
    let (mut listed, mut steps, mut before) = (0, 0, None);
    loop {
        let filter =
            RunFilter { before, limit: 1000, state: Some(RunState::Ended), ..RunFilter::default() };
        let page = journal.runs(filter).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id.clone());
        listed += page.len() as u64;
        steps += page.iter().map(|run| run.steps).sum::<u64>();
    }
    let all = begin.elapsed();
    assert_eq!((listed, steps), (runs, runs * EACH));

    let begin = now();
    for roots in [false, true] {
        for tenant in [None, Some(tenant("default")), Some(tenant("nobody"))] {
            let filter = RunFilter { tenant, roots, limit: 100, ..RunFilter::default() };
            journal.runs(filter).await.unwrap();
        }
    }
    assert_eq!(journal.open_runs().await.unwrap(), []);
    let pages = begin.elapsed();
    println!("{listed} runs, {steps} steps: listed in {all:?}, 6 first pages in {pages:?}");

    journal.close().await.unwrap();
    let large = size(&home.store());
    let journal = home.own();
    let begin = now();
    let removed = journal.retain(Timestamp(NOW.0 + HOUR)).await.unwrap();
    println!("{large} bytes, {removed:?} in {:?}", begin.elapsed());
    assert_eq!(removed.runs, runs);
    journal.close().await.unwrap();
    let small = size(&home.store());
    assert!(small < 200_000, "{large} bytes became {small}");
    assert!(removed.freed > large / 2);
}

#[tokio::test]
async fn commits_go_on_while_retention_works() {
    let home = Home::new();
    let journal = home.own();
    for number in 0..300 {
        let run = root(number);
        let work = (0..20).map(|position| (run.clone(), step(position)));
        let entries = [(run.clone(), started(&run))].into_iter().chain(work);
        accept(&journal, entries.chain([(run.clone(), ended(NOW))])).await;
    }
    accept(&journal, [(root(999), started(&root(999)))]).await;
    let mut retention = journal.retain(Timestamp(NOW.0 + HOUR));
    let mut meanwhile = 0;
    while futures_util::FutureExt::now_or_never(&mut retention).is_none() {
        accept(&journal, [(root(999), step(meanwhile))]).await;
        meanwhile += 1;
    }
    assert!(meanwhile > 1, "the retention held all commits up");
    assert_eq!(journal.history(&root(999)).await.unwrap().unwrap().records.len() as u32, meanwhile);
    assert_eq!(journal.runs(RunFilter::default()).await.unwrap().len(), 1);
}
