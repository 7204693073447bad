//! Shutdown suspends what can go on later, and has an order.

use consort_core::{
    Category, Closed, Context, EventName, Facade, journal::RunFilter, record::RunState,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::fixtures::{
    Leaf, Scripted, Witness, World, acme, ask, category, done, millis, secs, settle, value,
};

/// A step, a long capability, a step.
async fn process(world: &World, witness: &Witness, forever: bool) -> Facade {
    let facade = world.facade();
    facade.register_capability(Leaf::echo("echo", witness)).unwrap();
    let slow = match forever {
        true => Leaf::stuck("slow", witness),
        false => Leaf::echo("slow", witness),
    };
    facade.register_capability(slow).unwrap();
    let work = |cx, _| async move {
        ask(&cx, "echo", 1).value().await?;
        ask(&cx, "slow", 2).value().await?;
        ask(&cx, "echo", 3).await
    };
    facade.register(Scripted::durable("work", work).cleans(witness)).await.unwrap();
    facade.start(true).await.unwrap();
    facade
}

#[tokio::test(start_paused = true)]
async fn shutdown_suspends_a_run_and_the_next_start_goes_on_with_it() {
    let (mut world, witness) = (World::new(), Witness::default());
    let facade = process(&world, &witness, true).await;
    let handle = facade.start_run("work", acme(), json!(null)).await.unwrap();
    let run = handle.id().unwrap().clone();
    settle().await;
    let began = Instant::now();
    let closed = facade.close(secs(2)).await.unwrap();
    assert_eq!(closed, Closed { suspended: 1, aborted: 0 });
    assert_eq!(began.elapsed(), secs(2));
    assert_eq!(category(&handle.await), Category::ShuttingDown);
    assert_eq!(witness.take(), ["echo 1", "begun", "dropped"], "no `cleanup`");
    world.kill();
    let history = world.history(&run).await;
    assert!(history.ended.is_none(), "no terminal record");

    let facade = process(&world, &witness, false).await;
    assert_eq!(value(facade.attach_to(&run).await.unwrap().await), 3);
    assert_eq!(witness.all(), ["slow 2", "echo 3", "cleanup work"]);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_run_survives_a_shutdown_without_holding_it_up() {
    let mut world = World::new();
    let waits = || {
        Scripted::durable("waits", |cx: Context, _| async move {
            let event: Value = cx.wait_for("go", None).await?;
            done(event)
        })
    };
    let facade = world.facade();
    facade.register(waits()).await.unwrap();
    facade.start(true).await.unwrap();
    let handle = facade.start_run("waits", acme(), json!(null)).await.unwrap();
    let run = handle.id().unwrap().clone();
    tokio::time::sleep(secs(2)).await;
    let began = Instant::now();
    assert_eq!(facade.close(secs(60)).await.unwrap(), Closed::default());
    assert_eq!(began.elapsed(), secs(0));
    world.kill();

    let facade = world.facade();
    facade.register(waits()).await.unwrap();
    facade.start(true).await.unwrap();
    let runs = facade.runs(RunFilter::default()).await.unwrap();
    assert_eq!((runs[0].state, facade.in_memory()), (RunState::Waiting, 0));
    facade.signal(&run, EventName::new("go").unwrap(), json!("gone")).await.unwrap();
    assert_eq!(value(facade.attach_to(&run).await.unwrap().await), "gone");
}

#[tokio::test(start_paused = true)]
async fn a_closing_facade_admits_nothing_new() {
    let (world, witness) = (World::new(), Witness::default());
    let facade = process(&world, &witness, true).await;
    let answers = Scripted::ephemeral("answers", |_, v| async { done(v) });
    facade.register(answers).await.unwrap();
    let run = facade.start_run("work", acme(), json!(null)).await.unwrap();
    let (closed, ()) = tokio::join!(facade.close(secs(2)), async {
        settle().await;
        for callee in ["answers", "work", "echo"] {
            let refused = facade.orchestrate(callee, acme(), json!(1)).await;
            assert_eq!(category(&refused), Category::ShuttingDown, "{callee}");
        }
        let refused = facade.start_run("work", acme(), json!(1)).await;
        assert_eq!(category(&refused), Category::ShuttingDown);
    });
    assert_eq!(closed.unwrap().suspended, 1);
    drop(run);
}

#[tokio::test(start_paused = true)]
async fn open_runs_may_still_call_while_they_drain() {
    let facade = World::new().facade();
    let child = |_, v| async move { done(v) };
    facade.register(Scripted::durable("durable_child", child)).await.unwrap();
    facade.register(Scripted::ephemeral("ephemeral_child", child)).await.unwrap();
    let parent = |cx: Context, _| async move {
        cx.sleep(millis(300)).await?;
        let one = ask(&cx, "durable_child", 1).value().await?;
        let two = ask(&cx, "ephemeral_child", 2).value().await?;
        done(json!([one, two]))
    };
    facade.register(Scripted::durable("durable", parent)).await.unwrap();
    facade.register(Scripted::ephemeral("ephemeral", parent)).await.unwrap();
    facade.start(true).await.unwrap();
    let (one, two, closed) = tokio::join!(
        facade.orchestrate("durable", acme(), json!(null)),
        facade.orchestrate("ephemeral", acme(), json!(null)),
        async {
            settle().await;
            facade.close(secs(5)).await.unwrap()
        }
    );
    assert_eq!((value(one), value(two)), (json!([1, 2]), json!([1, 2])));
    assert_eq!(closed, Closed::default());
}

#[tokio::test(start_paused = true)]
async fn ephemeral_runs_that_outlive_the_grace_period_are_ended_with_cleanup() {
    let (facade, witness) = (World::new().facade(), Witness::default());
    let forever = |_, _| std::future::pending();
    let stuck = Scripted::ephemeral("stuck", forever).cleans(&witness).lives(&witness);
    facade.register(stuck).await.unwrap();
    facade.start(true).await.unwrap();
    let (result, closed) = tokio::join!(facade.orchestrate("stuck", acme(), json!(null)), async {
        settle().await;
        facade.close(secs(3)).await
    });
    assert_eq!(category(&result), Category::ShuttingDown);
    closed.unwrap();
    assert_eq!(witness.all(), ["start stuck", "cleanup stuck", "stop stuck"]);
}

#[tokio::test(start_paused = true)]
async fn shutdown_drains_then_suspends_then_stops_in_reverse_order_of_start() {
    let (world, witness) = (World::new(), Witness::default());
    let facade = world.facade();
    facade.register_capability(Leaf::stuck("forever", &witness)).unwrap();
    let noted = witness.clone();
    let short = move |cx: Context, _| {
        let noted = noted.clone();
        async move {
            cx.sleep(secs(1)).await?;
            noted.note("drained");
            done(1)
        }
    };
    let long = |cx, _| async move { ask(&cx, "forever", 1).await };
    let idle = |_, v| async move { done(v) };
    for orchestrator in [
        Scripted::durable("a_short", short).lives(&witness),
        Scripted::durable("b_long", long).lives(&witness),
        Scripted::ephemeral("c_idle", idle).lives(&witness),
    ] {
        facade.register(orchestrator).await.unwrap();
    }
    facade.start(true).await.unwrap();
    facade.register(Scripted::ephemeral("late", idle).lives(&witness)).await.unwrap();
    let short = facade.start_run("a_short", acme(), json!(1)).await.unwrap();
    let long = facade.start_run("b_long", acme(), json!(1)).await.unwrap();
    settle().await;
    assert_eq!(facade.close(secs(3)).await.unwrap().suspended, 1);
    assert_eq!(value(short.await), 1);
    assert_eq!(category(&long.await), Category::ShuttingDown);
    let all = [
        "start a_short",
        "start b_long",
        "start c_idle",
        "start late",
        "begun",
        "drained",
        "dropped",
        "stop late",
        "stop c_idle",
        "stop b_long",
        "stop a_short",
    ];
    assert_eq!(witness.all(), all);
}
