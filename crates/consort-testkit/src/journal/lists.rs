//! Rules about lists and sums: in order, in pages, and right.

use std::sync::Arc;

use consort_core::{
    Category, RunId, Spend, Status, TenantId, Timestamp,
    journal::{Batch, Journal, RunFilter},
    record::{Record, RunState, StepKind},
};

use super::{
    Store,
    sample::{HOUR, NOW, accept, costly, ended, failed, local, name, open, root, started},
    sample::{started_as, step, step_as, tenant},
};

async fn list(journal: &Arc<dyn Journal>, filter: RunFilter) -> Vec<RunId> {
    let runs = journal.runs(filter).await.expect("the list is readable");
    runs.into_iter().map(|run| run.id).collect()
}

/// The order of pages, which is also a readable one.
const TAILS: [&str; 7] = ["", "/2", "/2/0", "/2/11", "/9", "/10", "/10/1"];

fn tree(number: u64) -> Vec<RunId> {
    let root = root(number);
    TAILS.iter().map(|tail| RunId::new(format!("{root}{tail}")).expect("valid")).collect()
}

/// Position 2 before position 10.
pub async fn newest_trees_first_and_parents_before_children(store: &impl Store) {
    let (journal, _) = open(store).await;
    for number in [2, 1, 3] {
        let mut runs = tree(number);
        runs.rotate_left(number as usize);
        accept(&journal, runs.iter().map(|run| (run.clone(), started(run)))).await;
    }
    let expected: Vec<RunId> = [3, 2, 1].into_iter().flat_map(tree).collect();
    assert_eq!(list(&journal, RunFilter::default()).await, expected);
}

/// Alone and together.
pub async fn every_filter_holds(store: &impl Store) {
    let (journal, _) = open(store).await;
    for number in 0..24_u64 {
        let run = if number % 4 == 3 { root(number - 1).child(0) } else { root(number) };
        let born = started_as(&run, |started| {
            started.tenant = tenant(if number % 2 == 0 { "even" } else { "odd" });
            started.orchestrator = name(if number % 3 == 0 { "third" } else { "worker" });
        });
        accept(&journal, [(run.clone(), born)]).await;
        match number % 5 {
            0 => accept(&journal, [(run, ended(NOW))]).await,
            1 => {
                accept(&journal, [(run, Record::Parked { due: None, seen: 1, awaits: vec![] })])
                    .await
            }
            _ => {}
        }
    }
    let all = journal.runs(RunFilter::default()).await.expect("readable");
    assert_eq!(all.len(), 24);
    let tenants = [None, Some(tenant("even")), Some(tenant("odd")), Some(tenant("none"))];
    let names = [None, Some(name("third")), Some(name("worker"))];
    let states = [None, Some(RunState::Open), Some(RunState::Waiting), Some(RunState::Ended)];
    let trees = [None, Some(root(2)), Some(root(4))];
    for number in 0..4 * 3 * 4 * 3 * 2 {
        let filter = RunFilter {
            tenant: tenants[number % 4].clone(),
            orchestrator: names[number / 4 % 3].clone(),
            state: states[number / 12 % 4],
            tree: trees[number / 48 % 3].clone(),
            roots: number >= 144,
            ..RunFilter::default()
        };
        let matches = all.iter().filter(|run| {
            filter.tenant.as_ref().is_none_or(|tenant| *tenant == run.tenant)
                && filter.orchestrator.as_ref().is_none_or(|name| *name == run.orchestrator)
                && filter.state.is_none_or(|state| state == run.state)
                && filter.tree.as_ref().is_none_or(|tree| *tree == run.id.tree())
                && (!filter.roots || run.id.parent().is_none())
        });
        let expected: Vec<RunId> = matches.map(|run| run.id.clone()).collect();
        assert_eq!(list(&journal, filter.clone()).await, expected, "{filter:?}");
    }
}

/// Without gaps or repeats, wherever a page ends.
pub async fn pages_follow_each_other(store: &impl Store) {
    let (journal, _) = open(store).await;
    let all: Vec<RunId> = (0..6).rev().flat_map(tree).collect();
    accept(&journal, all.iter().rev().map(|run| (run.clone(), started(run)))).await;
    for limit in [1, 2, 5, 41, 42, 100] {
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let page = list(&journal, RunFilter { before, limit, ..RunFilter::default() }).await;
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            before = Some(last.clone());
            seen.extend(page);
        }
        assert_eq!(seen, all, "pages of {limit}");
    }
    let unknown = RunFilter { before: Some(root(3).child(7)), limit: 2, ..RunFilter::default() };
    assert_eq!(list(&journal, unknown).await, tree(3)[4..6], "the last run may be gone by now");
}

/// So that a list is never endless.
pub async fn a_page_has_a_hundred_runs_by_default(store: &impl Store) {
    let (journal, _) = open(store).await;
    accept(&journal, (0..120).map(|n| (root(n), started(&root(n))))).await;
    assert_eq!(list(&journal, RunFilter::default()).await.len(), 100);
}

/// Steps only: what is answered at once is not a step's worth of work.
pub async fn a_summary_counts_steps_and_spend(store: &impl Store) {
    let (journal, _) = open(store).await;
    let (open_run, failed_run) = (root(1), root(2));
    let cost = Spend { money: 10, tokens: 20, calls: 1 };
    let work = [local(0), costly(1, NOW, cost), step(2), costly(3, NOW, cost)];
    for run in [&open_run, &failed_run] {
        accept(&journal, [(run.clone(), started(run))]).await;
        accept(&journal, work.iter().map(|record| (run.clone(), record.clone()))).await;
    }
    let end = Timestamp(NOW.0 + 9);
    accept(&journal, [(failed_run.clone(), failed(end, Category::Network))]).await;
    let runs = journal.runs(RunFilter::default()).await.expect("readable");
    let [over, going] = &runs[..] else { unreachable!("two runs") };
    assert_eq!((going.steps, going.spend), (3, cost.plus(cost)));
    assert_eq!((going.state, going.status, going.category), (RunState::Open, None, None));
    assert_eq!((over.steps, over.spend), (3, Spend::CALL), "the end tells the whole cost");
    assert_eq!((over.status, over.category), (Some(Status::Failed), Some(Category::Network)));
    assert_eq!((over.state, over.ended, over.started), (RunState::Ended, Some(end), NOW));
    assert_eq!(over.version.to_string(), "1.2.3");
}

async fn spent(journal: &Arc<dyn Journal>, who: &str, since: u64) -> u64 {
    let spend = journal.spent(&tenant(who), Timestamp(since)).await.expect("readable");
    assert_eq!((spend.tokens, spend.calls), (spend.money * 2, spend.money * 3));
    spend.money
}

fn cost(money: u64) -> Spend {
    Spend { money, tokens: money * 2, calls: money * 3 }
}

/// Per tenant, by the time at which a step ended, steps and ephemeral runs alike.
pub async fn spend_is_kept_by_the_hour(store: &impl Store) {
    let (journal, _) = open(store).await;
    let run = root(1);
    let born = started_as(&run, |started| started.tenant = tenant("a"));
    accept(&journal, [(run.clone(), born)]).await;
    let at = |hours: u64, more: u64| Timestamp(NOW.0 + hours * HOUR + more);
    accept(
        &journal,
        [
            (run.clone(), costly(0, at(0, 0), cost(1))),
            (run.clone(), costly(1, at(0, HOUR - 1), cost(10))),
            (run.clone(), costly(2, at(1, 0), cost(100))),
        ],
    )
    .await;
    let loose = [("a", at(2, 5), 1000), ("b", at(0, 0), 7), ("a", at(0, 1), 10_000)];
    let spends = loose.map(|(who, at, money)| (tenant(who), at, cost(money)));
    let change = Batch { spent: spends.into(), ..Batch::default() };
    journal.commit(change).await.expect("the change is accepted");

    assert_eq!(spent(&journal, "a", 0).await, 11_111);
    assert_eq!(spent(&journal, "a", NOW.0).await, 11_111);
    assert_eq!(spent(&journal, "a", NOW.0 + HOUR - 1).await, 11_111, "rounded down to the hour");
    assert_eq!(spent(&journal, "a", NOW.0 + HOUR).await, 1_100);
    assert_eq!(spent(&journal, "a", NOW.0 + 2 * HOUR).await, 1_000);
    assert_eq!(spent(&journal, "a", NOW.0 + 3 * HOUR).await, 0);
    assert_eq!(spent(&journal, "b", 0).await, 7);
    assert_eq!(spent(&journal, "nobody", 0).await, 0);
}

/// With the child that spent it, not again with the step that stands for the child.
pub async fn a_childs_spend_is_counted_once(store: &impl Store) {
    let (journal, _) = open(store).await;
    let (run, child) = (root(1), root(1).child(0));
    let stands_for_child = step_as(0, |step| {
        (step.kind, step.spend) = (StepKind::Child, cost(5));
    });
    accept(&journal, [(run.clone(), started(&run)), (child.clone(), started(&child))]).await;
    accept(&journal, [(child.clone(), costly(0, NOW, cost(5))), (child, ended(NOW))]).await;
    accept(&journal, [(run.clone(), stands_for_child)]).await;
    assert_eq!(spent(&journal, "default", 0).await, 5);
    let runs = journal.runs(RunFilter { roots: true, ..RunFilter::default() }).await;
    assert_eq!(runs.expect("readable")[0].spend, cost(5), "the parent's line has it too");
}

/// A quota counts what was spent in its window, whatever became of the runs.
pub async fn spend_outlives_its_runs(store: &impl Store) {
    let (journal, _) = open(store).await;
    let run = root(1);
    accept(&journal, [(run.clone(), started(&run)), (run.clone(), costly(0, NOW, cost(3)))]).await;
    accept(&journal, [(run, ended(NOW))]).await;
    let removed = journal.retain(Timestamp(NOW.0 + 1)).await.expect("retention works");
    assert_eq!((removed.runs, spent(&journal, "default", NOW.0).await), (1, 3));
    journal.close().await.expect("the journal closes");
    drop(journal);
    let (journal, _) = open(store).await;
    assert_eq!(spent(&journal, TenantId::default().as_str(), NOW.0).await, 3);
}
