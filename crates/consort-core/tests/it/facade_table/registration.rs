//! Names, versions, and leaving.

use consort_core::{Category, Effect, Facade};
use serde_json::json;

use crate::fixtures::{
    BOTH, Leaf, OnDrop, Scripted, Witness, World, acme, ask, category, done, heard, millis, name,
    secs, settle, value, version,
};

fn versioned(text: &'static str) -> Scripted {
    Scripted::durable("report", move |_, _| async move { done(text) }).version(text)
}

async fn started(world: &World) -> Facade {
    let facade = world.facade();
    facade.start(true).await.unwrap();
    facade
}

#[tokio::test(start_paused = true)]
async fn an_unknown_name_fails_and_suggests_the_nearest() {
    let facade = started(&World::new()).await;
    let typo = |cx, _| async move { ask(&cx, "serch", json!(1)).await };
    facade.register(Scripted::durable("summarise", typo)).await.unwrap();
    facade
        .register_capability(Leaf::new("search", Effect::Read, |_, v| async { done(v) }))
        .unwrap();

    let error = facade.orchestrate("sumarise", acme(), json!(1)).await.unwrap_err();
    assert_eq!(error.category(), Category::NotFound);
    assert_eq!(error.message(), "nothing is called `sumarise`");
    assert_eq!(error.suggested_actions(), ["did you mean `summarise`?"]);

    let inside = facade.orchestrate("summarise", acme(), json!(1)).await.unwrap_err();
    assert_eq!(inside.category(), Category::NotFound);
    assert_eq!(inside.suggested_actions(), ["did you mean `search`?"]);

    let error = facade.orchestrate("zzz", acme(), json!(1)).await.unwrap_err();
    assert_eq!(error.suggested_actions(), [Category::NotFound.facts().remedy]);
}

#[tokio::test(start_paused = true)]
async fn a_second_registration_of_a_version_is_refused_by_name() {
    let facade = started(&World::new()).await;
    let witness = Witness::default();
    facade.register(versioned("1.0.0")).await.unwrap();
    let error = facade.register(versioned("1.0.0").lives(&witness)).await.unwrap_err();
    assert_eq!(error.category(), Category::Conflict);
    assert!(error.message().contains("`report 1.0.0`"), "{error}");
    assert_eq!(witness.all(), [""; 0], "nothing was started in vain");

    facade.register_capability(Leaf::echo("search", &witness)).unwrap();
    for taken in ["search", "report"] {
        let error = facade.register_capability(Leaf::echo(taken, &witness)).unwrap_err();
        assert_eq!(error.category(), Category::Conflict);
        assert!(error.message().contains(&format!("`{taken}`")), "{error}");
    }
    let same = Scripted::durable("search", |_, v| async { done(v) });
    assert_eq!(category(&facade.register(same).await), Category::Conflict);
}

#[tokio::test(start_paused = true)]
async fn unregistering_what_is_not_there_names_it() {
    let facade = started(&World::new()).await;
    facade.register(versioned("1.0.0")).await.unwrap();
    let unknown = facade.unregister(&name("repot"), &version("1.0.0")).await.unwrap_err();
    assert_eq!(unknown.category(), Category::NotFound);
    assert!(unknown.message().contains("`repot`"), "{unknown}");
    assert_eq!(unknown.suggested_actions(), ["did you mean `report`?"]);

    let other = facade.unregister(&name("report"), &version("2.0.0")).await.unwrap_err();
    assert_eq!(other.category(), Category::NotFound);
    assert!(other.message().contains("`report 2.0.0`"), "{other}");
    assert!(other.suggested_actions()[0].contains("1.0.0"), "{other:?}");

    let leaf = facade.unregister_capability(&name("search")).unwrap_err();
    assert_eq!(leaf.category(), Category::NotFound);
    assert!(leaf.message().contains("`search`"), "{leaf}");
}

#[tokio::test(start_paused = true)]
async fn versions_live_side_by_side_and_new_runs_take_the_highest() {
    let facade = started(&World::new()).await;
    for text in ["1.2.0", "1.10.0", "1.9.0"] {
        facade.register(versioned(text)).await.unwrap();
    }
    let listed: Vec<String> = facade.list().iter().map(|d| d.version.to_string()).collect();
    assert_eq!(listed, ["1.2.0", "1.9.0", "1.10.0"]);
    assert_eq!(facade.get(&name("report")).unwrap().version, version("1.10.0"));
    let run = || facade.orchestrate("report", acme(), json!(null));
    assert_eq!(value(run().await), "1.10.0");
    facade.unregister(&name("report"), &version("1.10.0")).await.unwrap();
    assert_eq!(value(run().await), "1.9.0");
}

#[tokio::test(start_paused = true)]
async fn unregister_takes_no_new_runs_and_waits_for_open_ones() {
    for durability in BOTH {
        let (facade, witness) = (started(&World::new()).await, Witness::default());
        let noted = witness.clone();
        let work = move |cx: consort_core::Context, _| {
            let noted = noted.clone();
            async move {
                cx.sleep(millis(500)).await?;
                noted.note("end");
                done(1)
            }
        };
        let slow = Scripted::either(durability, "slow", work).cleans(&witness).lives(&witness);
        facade.register(slow).await.unwrap();

        let open = facade.orchestrate("slow", acme(), json!(null));
        let (result, ()) = tokio::join!(open, async {
            settle().await;
            let (left, slow) = (facade.clone(), name("slow"));
            let leaving = async move { left.unregister(&slow, &version("1.0.0")).await };
            let (gone, new) = tokio::join!(leaving, async {
                settle().await;
                facade.orchestrate("slow", acme(), json!(null)).await
            });
            gone.unwrap();
            assert_eq!(category(&new), Category::NotFound);
        });
        assert_eq!(value(result), 1);
        assert_eq!(witness.all(), ["start slow", "end", "cleanup slow", "stop slow"]);
    }
}

#[tokio::test(start_paused = true)]
async fn unregister_cancels_what_outlives_the_grace_period_and_then_stops() {
    for durability in BOTH {
        let (facade, witness) = (started(&World::new()).await, Witness::default());
        let began = tokio::time::Instant::now();
        facade.register_capability(Leaf::stuck("forever", &witness)).unwrap();
        let work = |cx, _| async move { ask(&cx, "forever", json!(null)).await };
        let stuck = Scripted::either(durability, "stuck", work).cleans(&witness).lives(&witness);
        facade.register(stuck).await.unwrap();

        let open = facade.orchestrate("stuck", acme(), json!(null));
        let (result, ()) = tokio::join!(open, async {
            settle().await;
            facade.unregister(&name("stuck"), &version("1.0.0")).await.unwrap();
        });
        assert_eq!(category(&result), Category::Cancelled);
        assert_eq!(began.elapsed(), secs(10), "the default grace period");
        let all = ["start stuck", "begun", "dropped", "cleanup stuck", "stop stuck"];
        assert_eq!(witness.all(), all);
    }
}

#[tokio::test(start_paused = true)]
async fn background_tasks_have_ended_before_stop() {
    let (facade, witness) = (started(&World::new()).await, Witness::default());
    let noted = witness.clone();
    let work =
        Scripted::ephemeral("tidy", |_, v| async { done(v) }).lives(&witness).start(move |tasks| {
            let noted = noted.clone();
            tasks.spawn("poll", move |stop| {
                let ended = OnDrop(noted.clone(), "task ended");
                async move {
                    let _ended = ended;
                    stop.cancelled().await;
                }
            });
            Ok(())
        });
    facade.register(work).await.unwrap();
    settle().await;
    facade.unregister(&name("tidy"), &version("1.0.0")).await.unwrap();
    assert_eq!(witness.all(), ["task ended", "stop tidy"]);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_leaves_nothing_registered() {
    let world = World::new();
    let broken = || {
        Scripted::ephemeral("broken", |_, v| async { done(v) }).start(|_| panic!("no such socket"))
    };
    let facade = started(&world).await;
    let error = facade.register(broken()).await.unwrap_err();
    assert_eq!((error.category(), error.operation()), (Category::Internal, Some("start")));
    assert_eq!(error.causes(), ["no such socket"]);
    assert!(facade.list().is_empty());

    // The same while the facade itself starts: those before it are stopped again, last first.
    let (facade, witness) = (world.facade(), Witness::default());
    for (at, text) in ["first", "second"].into_iter().enumerate() {
        let fine = Scripted::ephemeral(text, |_, v| async { done(v) }).lives(&witness);
        facade.register(fine).await.unwrap();
        assert_eq!(facade.list().len(), at + 1);
    }
    facade.register(broken()).await.unwrap();
    assert_eq!(category(&facade.start(true).await), Category::Internal);
    assert_eq!(witness.all(), ["start first", "start second", "stop second", "stop first"]);
}

#[tokio::test(start_paused = true)]
async fn an_event_is_sent_for_what_happens_to_a_run() {
    let facade = started(&World::new()).await;
    facade.register(versioned("1.0.0")).await.unwrap();
    let mut events = facade.events();
    value(facade.orchestrate("report", acme(), json!(null)).await);
    let names: Vec<String> = heard(&mut events)
        .iter()
        .map(|event| serde_json::to_value(event).unwrap()["event"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["run_started", "run_ended"]);
}
