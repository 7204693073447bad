//! Deadlines, cancellation, and callers that go away.

use consort_core::{Category, Context, Effect, RunId, Status, events::Event, journal::RunFilter};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::fixtures::{
    BOTH, Leaf, Scripted, Witness, World, acme, ask, category, done, heard, millis, secs, settle,
    value,
};

/// A parent that waits for a child that waits for a capability that never answers.
async fn family(
    world: &World,
    durability: consort_core::Durability,
) -> (consort_core::Facade, Witness) {
    let (facade, witness) = (world.facade(), Witness::default());
    facade.start(true).await.unwrap();
    facade.register_capability(Leaf::stuck("forever", &witness)).unwrap();
    let child = |cx, _| async move { ask(&cx, "forever", json!(null)).await };
    let parent = |cx, _| async move { ask(&cx, "child", json!(null)).await };
    for orchestrator in [
        Scripted::either(durability, "child", child).cleans(&witness),
        Scripted::either(durability, "parent", parent).cleans(&witness),
    ] {
        facade.register(orchestrator).await.unwrap();
    }
    (facade, witness)
}

fn sorted(witness: &Witness) -> Vec<String> {
    let mut all = witness.all();
    all.sort();
    all
}

#[tokio::test(start_paused = true)]
async fn a_passed_deadline_is_a_timeout_for_everybody_below_and_cleanup_runs() {
    for durability in BOTH {
        let world = World::new();
        let (facade, witness) = family(&world, durability).await;
        let began = Instant::now();
        let result = facade.orchestrate("parent", acme().timeout(millis(1500)), json!(1)).await;
        assert_eq!(category(&result), Category::Timeout);
        assert_eq!(began.elapsed(), millis(1500), "no later, whatever `cleanup` takes");
        settle().await;
        assert_eq!(sorted(&witness), ["begun", "cleanup child", "cleanup parent", "dropped"]);
        assert_eq!((facade.in_memory(), facade.open_roots()), (0, 0));
        for run in facade.runs(RunFilter::default()).await.unwrap() {
            assert_eq!(run.status, Some(Status::Failed), "{run:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cleanup_that_hangs_does_not_hold_back_the_answer_at_the_deadline() {
    for durability in BOTH {
        let facade = World::new().facade();
        facade.start(true).await.unwrap();
        let slow = |cx: Context, _| async move {
            cx.sleep(secs(60)).await?;
            done(1)
        };
        let hangs = Scripted::either(durability, "slow", slow);
        facade.register(hangs.clean_up(|_| std::future::pending())).await.unwrap();
        let began = Instant::now();
        let result = facade.orchestrate("slow", acme().timeout(secs(2)), json!(1)).await;
        assert_eq!(category(&result), Category::Timeout);
        assert_eq!(began.elapsed(), secs(2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_cleanup_that_passes_the_deadline_goes_on_without_the_caller() {
    let (facade, witness) = (World::new().facade(), Witness::default());
    facade.start(true).await.unwrap();
    let noted = witness.clone();
    let quick = Scripted::ephemeral("quick", |_, v| async { done(v) });
    let slow = quick.clean_up(move |_| {
        let noted = noted.clone();
        async move {
            noted.note("cleanup begins");
            tokio::time::sleep(secs(3)).await;
            noted.note("cleanup ends");
            Ok(())
        }
    });
    facade.register(slow).await.unwrap();
    let began = Instant::now();
    assert_eq!(value(facade.orchestrate("quick", acme().timeout(secs(2)), json!(1)).await), 1);
    assert_eq!(began.elapsed(), secs(2));
    tokio::time::sleep(secs(5)).await;
    assert_eq!(witness.all(), ["cleanup begins", "cleanup ends"]);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_run_that_has_left_memory_answers_at_its_deadline() {
    let (facade, witness) = (World::new().facade(), Witness::default());
    facade.start(true).await.unwrap();
    let waits = |cx: Context, _| async move {
        cx.wait_for::<Value>("never", None).await?;
        done(1)
    };
    facade.register(Scripted::durable("waits", waits).cleans(&witness)).await.unwrap();
    let began = Instant::now();
    let call = facade.orchestrate("waits", acme().timeout(secs(600)), json!(1));
    let (result, ()) = tokio::join!(call, async {
        tokio::time::sleep(secs(5)).await;
        assert_eq!(facade.in_memory(), 0);
    });
    assert_eq!(category(&result), Category::Timeout);
    assert_eq!(began.elapsed(), secs(600));
    settle().await;
    assert_eq!(witness.all(), ["cleanup waits"]);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_while_no_process_lives_is_a_timeout_at_the_next_start() {
    let mut world = World::new();
    let waits = || {
        Scripted::durable("waits", |cx: Context, _| async move {
            cx.wait_for::<Value>("never", None).await?;
            done(1)
        })
    };
    let facade = world.facade();
    facade.start(true).await.unwrap();
    facade.register(waits()).await.unwrap();
    let run = facade.start_run("waits", acme().timeout(secs(60)), json!(1)).await.unwrap();
    let id = run.id().unwrap().clone();
    settle().await;
    world.kill();
    tokio::time::sleep(secs(120)).await;

    let (facade, witness) = (world.facade(), Witness::default());
    facade.register(waits().cleans(&witness)).await.unwrap();
    facade.start(true).await.unwrap();
    let result = facade.attach_to(&id).await.unwrap().await;
    assert_eq!(category(&result), Category::Timeout);
    settle().await;
    assert_eq!(witness.all(), ["cleanup waits"]);
}

#[tokio::test(start_paused = true)]
async fn a_childs_deadline_is_never_later_than_its_parents() {
    for durability in BOTH {
        let facade = World::new().facade();
        facade.start(true).await.unwrap();
        let seen = |cx: Context, _| async move { done(cx.deadline().unwrap().utc.0) };
        facade.register(Scripted::either(durability, "child", seen)).await.unwrap();
        let parent = |cx: Context, _| async move {
            let own = cx.deadline().unwrap().utc.0;
            let later = ask(&cx, "child", 1).timeout(secs(600)).value().await?;
            let sooner = ask(&cx, "child", 1).timeout(secs(6)).value().await?;
            assert_eq!(later, own);
            assert_eq!(sooner, own - 54_000);
            done(1)
        };
        facade.register(Scripted::either(durability, "parent", parent)).await.unwrap();
        value(facade.orchestrate("parent", acme().timeout(secs(60)), json!(1)).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_capability_called_from_outside_answers_by_the_callers_deadline() {
    let (facade, witness) = (World::new().facade(), Witness::default());
    facade.start(true).await.unwrap();
    facade.register_capability(Leaf::stuck("forever", &witness)).unwrap();
    let began = Instant::now();
    let result = facade.orchestrate("forever", acme().timeout(secs(2)), json!(1)).await;
    assert_eq!(category(&result), Category::DeadlineExceeded);
    assert_eq!(began.elapsed(), secs(2));
}

#[tokio::test(start_paused = true)]
async fn an_ephemeral_call_that_is_cancelled_ends_with_its_children_and_cleanup() {
    let world = World::new();
    let (facade, witness) = family(&world, consort_core::Durability::Ephemeral).await;
    let mut events = facade.events();
    let token = CancellationToken::new();
    let call = facade.orchestrate("parent", acme().cancel_with(&token), json!(1));
    let (result, ()) = tokio::join!(call, async {
        settle().await;
        token.cancel();
    });
    assert_eq!(category(&result), Category::Cancelled);
    settle().await;
    assert_eq!(sorted(&witness), ["begun", "cleanup child", "cleanup parent", "dropped"]);
    assert_eq!(cancelled(heard(&mut events)), 2);
}

#[tokio::test(start_paused = true)]
async fn dropping_an_ephemeral_call_cancels_it_with_its_children_and_cleanup() {
    let world = World::new();
    let (facade, witness) = family(&world, consort_core::Durability::Ephemeral).await;
    let mut events = facade.events();
    {
        let call = facade.orchestrate("parent", acme(), json!(1));
        let mut call = std::pin::pin!(call);
        tokio::select! {
            biased;
            _ = &mut call => panic!("it never answers"),
            () = settle() => {}
        }
    }
    settle().await;
    assert_eq!(sorted(&witness), ["begun", "cleanup child", "cleanup parent", "dropped"]);
    assert_eq!(cancelled(heard(&mut events)), 2);
    assert_eq!(facade.open_roots(), 0);
}

fn cancelled(events: Vec<Event>) -> usize {
    let ended = |event: &Event| {
        matches!(event, Event::RunEnded { category: Some(Category::Cancelled), .. })
    };
    events.into_iter().filter(ended).count()
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_during_cleanup_does_not_cause_a_second_one() {
    let (facade, witness) = (World::new().facade(), Witness::default());
    facade.start(true).await.unwrap();
    let noted = witness.clone();
    let quick = Scripted::ephemeral("quick", |_, v| async { done(v) });
    let slow = quick.clean_up(move |_| {
        let noted = noted.clone();
        async move {
            noted.note("cleanup begins");
            tokio::time::sleep(secs(1)).await;
            noted.note("cleanup ends");
            Ok(())
        }
    });
    facade.register(slow).await.unwrap();
    let call = facade.orchestrate("quick", acme(), json!(1));
    assert!(tokio::time::timeout(millis(500), call).await.is_err());
    tokio::time::sleep(secs(5)).await;
    assert_eq!(witness.all(), ["cleanup begins", "cleanup ends"]);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_handle_of_a_durable_run_detaches_from_it() {
    let (facade, witness) = (World::new().facade(), Witness::default());
    facade.start(true).await.unwrap();
    let naps = |cx: Context, _| async move {
        cx.sleep(secs(30)).await?;
        done("rested")
    };
    facade.register(Scripted::durable("naps", naps).cleans(&witness)).await.unwrap();
    let handle = facade.start_run("naps", acme(), json!(1)).await.unwrap();
    let id: RunId = handle.id().unwrap().clone();
    drop(handle);
    // The same for a call that waits.
    let call = facade.orchestrate("naps", acme(), json!(2));
    assert!(tokio::time::timeout(secs(10), call).await.is_err());
    assert_eq!(value(facade.attach_to(&id).await.unwrap().await), "rested");
    tokio::time::sleep(secs(30)).await;
    assert_eq!(witness.all(), ["cleanup naps", "cleanup naps"]);
    for run in facade.runs(RunFilter::default()).await.unwrap() {
        assert_eq!(run.status, Some(Status::Succeeded));
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_token_ends_a_durable_run_as_well() {
    let world = World::new();
    let (facade, witness) = family(&world, consort_core::Durability::Durable).await;
    let token = CancellationToken::new();
    let call = facade.orchestrate("parent", acme().cancel_with(&token), json!(1));
    let (result, ()) = tokio::join!(call, async {
        settle().await;
        token.cancel();
    });
    assert_eq!(category(&result), Category::Cancelled);
    settle().await;
    assert_eq!(sorted(&witness), ["begun", "cleanup child", "cleanup parent", "dropped"]);
}

#[tokio::test(start_paused = true)]
async fn cancelling_a_durable_run_by_id_ends_it_with_its_children_and_cleanup() {
    let world = World::new();
    let (facade, witness) = family(&world, consort_core::Durability::Durable).await;
    let run = facade.start_run("parent", acme(), json!(1)).await.unwrap();
    let id = run.id().unwrap().clone();
    settle().await;
    facade.cancel(&id, "no longer needed").await.unwrap();
    let error = run.await.unwrap_err();
    assert_eq!(
        (error.category(), error.causes()),
        (Category::Cancelled, &["no longer needed".to_owned()][..])
    );
    settle().await;
    assert_eq!(sorted(&witness), ["begun", "cleanup child", "cleanup parent", "dropped"]);
    let again = facade.cancel(&id, "twice").await;
    assert_eq!(category(&again), Category::Conflict);
}

#[tokio::test(start_paused = true)]
async fn a_steps_own_time_out_leaves_the_run_alone() {
    for durability in BOTH {
        let (facade, witness) = (World::new().facade(), Witness::default());
        facade.start(true).await.unwrap();
        facade.register_capability(Leaf::stuck("forever", &witness)).unwrap();
        facade
            .register_capability(Leaf::new("quick", Effect::Read, |_, v| async { done(v) }))
            .unwrap();
        let copes = |cx, _| async move {
            let slow = ask(&cx, "forever", 1).timeout(secs(3)).await;
            assert_eq!(category(&slow), Category::Timeout);
            ask(&cx, "quick", 2).await
        };
        facade.register(Scripted::either(durability, "copes", copes)).await.unwrap();
        let began = Instant::now();
        let cx = acme().timeout(secs(60));
        assert_eq!(value(facade.orchestrate("copes", cx, json!(1)).await), 2);
        assert_eq!(began.elapsed(), secs(3));
        assert_eq!(witness.all(), ["begun", "dropped"]);
    }
}
