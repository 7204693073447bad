//! What goes on can be seen from outside: what a waiting run waits for, and what became of the
//! requests of other processes.

use consort_core::{
    Admission, Category, Context, Outcome, RequestId, RunId, StepResult,
    events::Event,
    journal::{Journal, Message, StartRequest},
    record::{Record, RunEnded, RunState},
};
use futures_util::{FutureExt, join};
use serde_json::{Value, json};

use crate::fixtures::{Scripted, World, acme, done, heard, secs};

#[tokio::test(start_paused = true)]
async fn a_waiting_run_names_the_events_that_it_waits_for() {
    let world = World::new();
    let facade = world.facade();
    let wait = |cx: Context, _| async move {
        let (one, two, again) = join!(
            cx.wait_for::<Value>("two", None),
            cx.wait_for::<Value>("one", Some(secs(600))),
            cx.wait_for::<Value>("two", None)
        );
        done(json!([one?, two?, again?]))
    };
    facade.register(Scripted::durable("wait", wait)).await.unwrap();
    facade.start(true).await.unwrap();
    let run = facade.start_run("wait", acme(), json!(null)).await.unwrap();
    let id = run.id().unwrap().clone();
    tokio::time::sleep(secs(2)).await;

    assert_eq!(awaited(&world, &id).await, ["one", "two"]);
    facade.signal(&id, "two".parse().unwrap(), json!(2)).await.unwrap();
    tokio::time::sleep(secs(2)).await;
    assert_eq!(awaited(&world, &id).await, ["one"]);
    facade.signal(&id, "one".parse().unwrap(), json!(1)).await.unwrap();
    assert_eq!(run.await.unwrap().value(), Some(&json!([2, 1, 2])));
}

async fn awaited(world: &World, run: &RunId) -> Vec<String> {
    let records = world.history(run).await.records;
    let Some(Record::Parked { awaits, .. }) = records.last() else {
        panic!("not parked: {records:?}")
    };
    awaits.iter().map(ToString::to_string).collect()
}

/// What another process finds in the store after it has asked for a run.
async fn asked(name: &str, request: Value) -> (RunEnded, usize) {
    let world = World::new();
    let facade = world.facade();
    let strict = |_, request: Value| async move { done(request) };
    let strict = Scripted::durable("picky", strict).asked(|_, request| {
        async move {
            let fits = request == json!("please");
            Ok(if fits { Admission::Accept } else { Admission::Decline("ask nicely".into()) })
        }
        .boxed()
    });
    facade.register(strict).await.unwrap();
    let brief = |_, request: Value| async move { done(request) };
    facade.register(Scripted::ephemeral("brief", brief)).await.unwrap();
    facade.start(true).await.unwrap();
    let mut events = facade.events();
    let id = RunId::root(1, 1);
    world.journal.post(Message::Start(Box::new(StartRequest {
        id: id.clone(),
        orchestrator: name.parse().unwrap(),
        request,
        tenant: acme().tenant().clone(),
        request_id: RequestId::new("r-1").unwrap(),
        deadline: None,
        budget: None,
        idempotency_key: Some("key".parse().unwrap()),
        metadata: [].into(),
    })));
    tokio::time::sleep(secs(1)).await;
    assert_eq!(world.journal.inbox().await.unwrap(), []);
    let runs = facade.runs(Default::default()).await.unwrap();
    assert_eq!((runs.len(), runs[0].state), (1, RunState::Ended));
    let refused = heard(&mut events);
    let refused = refused.iter().filter(|e| matches!(e, Event::MessageRefused { .. })).count();
    (world.history(&id).await.ended.unwrap(), refused)
}

fn value(result: StepResult<Value>) -> Option<Value> {
    result.ok().and_then(|outcome| outcome.value().cloned())
}

#[tokio::test(start_paused = true)]
async fn what_another_process_asks_for_is_followed_under_the_id_that_it_chose() {
    let (ended, refused) = asked("picky", json!("please")).await;
    assert_eq!((value(ended.result), refused), (Some(json!("please")), 0));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_the_owner_refuses_is_recorded_as_a_failed_run() {
    for (name, category) in [("nobody", Category::NotFound), ("brief", Category::InvalidRequest)] {
        let (ended, refused) = asked(name, json!(1)).await;
        assert_eq!(ended.result.unwrap_err().category(), category);
        assert_eq!(refused, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_declined_is_recorded_as_skipped() {
    let (ended, refused) = asked("picky", json!("now")).await;
    assert_eq!((ended.result.unwrap(), refused), (Outcome::skipped("ask nicely"), 0));
}
