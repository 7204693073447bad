//! Unfinished runs whose version is not registered.

use consort_core::{
    Category, Context, EventName, Facade, RunId, Status, Version, events::Event,
    journal::RunFilter, record::RunState,
};
use serde_json::{Value, json};

use crate::fixtures::{
    Leaf, Scripted, Witness, World, acme, ask, category, done, heard, name, secs, settle, value,
    version,
};

/// Does something, waits for an approval, and says which code went on.
fn publish(text: &'static str, witness: &Witness) -> Scripted {
    let witness = witness.clone();
    let work = move |cx: Context, _| {
        witness.note(&format!("code {text}"));
        async move {
            let draft = ask(&cx, "draft", 1).value().await?;
            let by: Value = cx.wait_for("approval", None).await?;
            done(json!({"draft": draft, "by": by, "code": text}))
        }
    };
    Scripted::durable("publish", work).version(text)
}

async fn process(world: &World, versions: &[&'static str], witness: &Witness) -> Facade {
    let facade = world.facade();
    facade.register_capability(Leaf::echo("draft", witness)).unwrap();
    for text in versions {
        facade.register(publish(text, witness)).await.unwrap();
    }
    facade.start(true).await.unwrap();
    facade
}

/// A process that dies with one run of version 1.0.0 waiting for its approval.
async fn orphaned(world: &mut World, witness: &Witness) -> RunId {
    let facade = process(world, &["1.0.0"], witness).await;
    let run = facade.start_run("publish", acme(), json!(null)).await.unwrap();
    settle().await;
    world.kill();
    assert_eq!(witness.take(), ["code 1.0.0", "draft 1"]);
    run.id().unwrap().clone()
}

fn listed(run: &RunId) -> Vec<(RunId, consort_core::Name, Version)> {
    vec![(run.clone(), name("publish"), version("1.0.0"))]
}

async fn approve(facade: &Facade, run: &RunId) {
    let event = EventName::new("approval").unwrap();
    facade.signal(run, event, json!("ann")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_run_of_a_version_that_is_gone_is_listed_and_never_runs_on_other_code() {
    let (mut world, witness) = (World::new(), Witness::default());
    let run = orphaned(&mut world, &witness).await;
    let facade = world.facade();
    let mut events = facade.events();
    facade.register_capability(Leaf::echo("draft", &witness)).unwrap();
    facade.register(publish("1.0.1", &witness)).await.unwrap();
    assert_eq!(facade.start(true).await.unwrap(), 0);
    assert_eq!(facade.blocked(), listed(&run));
    let told = heard(&mut events).into_iter().any(
        |event| matches!(event, Event::RunBlocked { version: v, .. } if v == version("1.0.0")),
    );
    assert!(told);
    let error = facade.attach_to(&run).await.unwrap_err();
    assert_eq!(error.category(), Category::RunBlocked);
    assert!(error.message().contains("`publish 1.0.0`"), "{error}");
    assert_eq!(category(&facade.resume(&run).await), Category::RunBlocked);

    approve(&facade, &run).await;
    tokio::time::sleep(secs(100)).await;
    assert_eq!(witness.all(), [""; 0], "nothing ran");
    let left = facade.runs(RunFilter::default()).await.unwrap();
    assert_eq!((left.len(), left[0].state == RunState::Ended), (1, false));
    assert!(facade.report(&run).await.unwrap().blocked);
    // New runs go to the version that is there.
    let new = facade.start_run("publish", acme(), json!(null)).await.unwrap();
    approve(&facade, new.id().unwrap()).await;
    assert_eq!(value(new.await)["code"], "1.0.1");
}

#[tokio::test(start_paused = true)]
async fn registering_the_version_takes_the_run_up_again() {
    let (mut world, witness) = (World::new(), Witness::default());
    let run = orphaned(&mut world, &witness).await;
    let facade = process(&world, &["2.0.0"], &witness).await;
    approve(&facade, &run).await;
    facade.register(publish("1.0.0", &witness)).await.unwrap();
    assert_eq!(facade.blocked(), []);
    let result = facade.attach_to(&run).await.unwrap().await;
    assert_eq!(value(result), json!({"draft": 1, "by": "ann", "code": "1.0.0"}));
    assert_eq!(witness.all(), ["code 1.0.0"], "the finished step was not repeated");
}

#[tokio::test(start_paused = true)]
async fn a_blocked_run_can_be_forked_onto_another_version() {
    let (mut world, witness) = (World::new(), Witness::default());
    let run = orphaned(&mut world, &witness).await;
    let facade = process(&world, &["2.0.0"], &witness).await;
    let onto = version("2.0.0");
    let fork = facade.fork(&run, 0, Some(&onto)).await.unwrap();
    approve(&facade, fork.id().unwrap()).await;
    assert_eq!(value(fork.await)["code"], "2.0.0");
    assert_eq!(facade.blocked(), listed(&run), "the original is as it was");
    let gone = version("3.0.0");
    assert_eq!(category(&facade.fork(&run, 0, Some(&gone)).await), Category::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_run_is_listed_as_soon_as_its_version_is_unregistered() {
    let (world, witness) = (World::new(), Witness::default());
    let facade = process(&world, &["1.0.0", "2.0.0"], &witness).await;
    facade.unregister(&name("publish"), &version("2.0.0")).await.unwrap();
    let handle = facade.start_run("publish", acme(), json!(null)).await.unwrap();
    let run = handle.id().unwrap().clone();
    tokio::time::sleep(secs(5)).await;
    assert_eq!(facade.in_memory(), 0, "it waits without being in memory");
    facade.unregister(&name("publish"), &version("1.0.0")).await.unwrap();
    assert_eq!(facade.blocked(), listed(&run));
    assert_eq!(category(&handle.await), Category::RunBlocked, "who waits is told");
    approve(&facade, &run).await;
    facade.register(publish("1.0.0", &witness)).await.unwrap();
    assert_eq!(value(facade.attach_to(&run).await.unwrap().await)["code"], "1.0.0");
    let runs = facade.runs(RunFilter::default()).await.unwrap();
    assert_eq!(runs[0].status, Some(Status::Succeeded));
}

#[tokio::test(start_paused = true)]
async fn a_child_whose_version_is_gone_blocks_alone() {
    let (mut world, witness) = (World::new(), Witness::default());
    let parent = |cx, _| async move { ask(&cx, "publish", json!(null)).await };
    let facade = process(&world, &["1.0.0"], &witness).await;
    facade.register(Scripted::durable("parent", parent)).await.unwrap();
    let run = facade.start_run("parent", acme(), json!(null)).await.unwrap();
    let run = run.id().unwrap().clone();
    settle().await;
    world.kill();

    let facade = process(&world, &["2.0.0"], &witness).await;
    facade.register(Scripted::durable("parent", parent)).await.unwrap();
    tokio::time::sleep(secs(10)).await;
    let child = run.child(0);
    assert_eq!(facade.blocked(), listed(&child));
    approve(&facade, &child).await;
    facade.register(publish("1.0.0", &witness)).await.unwrap();
    assert_eq!(value(facade.attach_to(&run).await.unwrap().await)["code"], "1.0.0");
}
