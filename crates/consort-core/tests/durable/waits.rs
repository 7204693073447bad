//! Timers, events and children: waited for without memory, across restarts.

use consort_core::{Category, Context, Outcome, RunId, record::RunState};
use serde_json::{Value, json};

use crate::kit::{Flow, SECOND, World, pass};

fn sleeper() -> Flow {
    Flow::new("sleeper", |cx, _| async move {
        cx.sleep(3600 * SECOND).await?;
        Ok(Outcome::succeeded(json!("rested")))
    })
}

fn waiter() -> Flow {
    Flow::new("waiter", |cx, _| async move {
        let said: Value = cx.wait_for("word", Some(3600 * SECOND)).await?;
        Ok(Outcome::succeeded(said))
    })
}

async fn begin(facade: &consort_core::Facade, name: &str) -> (RunId, consort_core::RunHandle) {
    let run = facade.start_run(name, Context::default(), json!(null)).await.unwrap();
    (run.id().unwrap().clone(), run)
}

#[tokio::test(start_paused = true)]
async fn a_waiting_run_costs_no_memory_and_goes_on_in_time() {
    let world = World::new([sleeper()]);
    let facade = world.start().await;
    let (id, run) = begin(&facade, "sleeper").await;
    pass(SECOND).await;
    assert_eq!(facade.in_memory(), 0);
    let summary = facade.report(&id).await.unwrap().summary;
    assert_eq!(summary.state, RunState::Waiting);
    assert!(summary.due.is_some());
    assert_eq!(run.await.unwrap().value(), Some(&json!("rested")));
    assert_eq!(world.flows[0].cleanups(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_wakes_a_parked_run() {
    let world = World::new([waiter()]);
    let facade = world.start().await;
    let (id, run) = begin(&facade, "waiter").await;
    pass(SECOND).await;
    assert_eq!(facade.in_memory(), 0);
    facade.signal(&id, "word".parse().unwrap(), json!("go")).await.unwrap();
    assert_eq!(run.await.unwrap().value(), Some(&json!("go")));
}

#[tokio::test(start_paused = true)]
async fn an_event_may_come_before_anybody_waits_and_the_first_one_counts() {
    let late = Flow::new("late", |cx, _| async move {
        cx.sleep(10 * SECOND).await?;
        let said: Value = cx.wait_for("word", None).await?;
        Ok(Outcome::succeeded(said))
    });
    let world = World::new([late]);
    let facade = world.start().await;
    let (id, run) = begin(&facade, "late").await;
    facade.signal(&id, "word".parse().unwrap(), json!(1)).await.unwrap();
    facade.signal(&id, "word".parse().unwrap(), json!(2)).await.unwrap();
    assert_eq!(run.await.unwrap().value(), Some(&json!(1)));
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_when_its_time_is_up() {
    let world = World::new([waiter()]);
    let facade = world.start().await;
    let (_, run) = begin(&facade, "waiter").await;
    assert_eq!(run.await.unwrap_err().category(), Category::Timeout);
}

#[tokio::test(start_paused = true)]
async fn waiting_runs_survive_a_restart() {
    let mut world = World::new([sleeper(), waiter()]);
    let first = world.start().await;
    let (asleep, _) = begin(&first, "sleeper").await;
    let (waits, _) = begin(&first, "waiter").await;
    pass(SECOND).await;
    let second = world.restart().await;
    assert_eq!(second.in_memory(), 0);
    second.signal(&waits, "word".parse().unwrap(), json!("hi")).await.unwrap();
    let said = second.attach_to(&waits).await.unwrap().await.unwrap();
    assert_eq!(said.value(), Some(&json!("hi")));
    let rested = second.attach_to(&asleep).await.unwrap().await.unwrap();
    assert_eq!(rested.value(), Some(&json!("rested")));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_child_wakes_its_parked_parent() {
    let parent = Flow::new("parent", |cx, _| async move {
        let answer = cx.call_json("sleeper", json!(null)).value().await?;
        Ok(Outcome::succeeded(json!({ "child": answer })))
    });
    let mut world = World::new([parent, sleeper()]);
    let facade = world.start().await;
    let (id, run) = begin(&facade, "parent").await;
    pass(SECOND).await;
    assert_eq!(facade.in_memory(), 0);
    assert_eq!(run.await.unwrap().value(), Some(&json!({"child": "rested"})));

    let (id2, _) = begin(&facade, "parent").await;
    pass(SECOND).await;
    let next = world.restart().await;
    let again = next.attach_to(&id2).await.unwrap().await.unwrap();
    assert_eq!(again.value(), Some(&json!({"child": "rested"})));
    assert_eq!(next.report(&id).await.unwrap().children.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn cancelling_a_run_ends_everything_below_it() {
    let parent = Flow::new("parent", |cx, _| async move {
        cx.call_json("sleeper", json!(null)).value().await?;
        Ok(Outcome::succeeded(json!(null)))
    });
    let world = World::new([parent, sleeper()]);
    let facade = world.start().await;
    let (id, run) = begin(&facade, "parent").await;
    pass(SECOND).await;
    facade.cancel(&id, "enough").await.unwrap();
    let error = run.await.unwrap_err();
    assert_eq!(error.category(), Category::Cancelled);
    assert!(error.causes().iter().any(|cause| cause == "enough"), "{error:?}");
    pass(SECOND).await;
    let report = facade.report(&id).await.unwrap();
    assert_eq!(report.children[0].summary.category, Some(Category::Cancelled));
    assert_eq!((world.flows[0].cleanups(), world.flows[1].cleanups()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_a_parked_run_and_its_children() {
    let parent = Flow::new("parent", |cx, _| async move {
        cx.call_json("sleeper", json!(null)).value().await?;
        Ok(Outcome::succeeded(json!(null)))
    });
    let world = World::new([parent, sleeper()]);
    let facade = world.start().await;
    let cx = Context::default().timeout(60 * SECOND);
    let before = tokio::time::Instant::now();
    let ended = facade.orchestrate("parent", cx, json!(null)).await;
    assert_eq!(ended.unwrap_err().category(), Category::Timeout);
    assert_eq!(before.elapsed().as_secs(), 60);
    pass(SECOND).await;
    assert_eq!(facade.in_memory(), 0);
    assert_eq!(facade.open_roots(), 0);
}
