//! How a run can end: declined, failed, panicked, and what `cleanup` has to do with it.

use std::{future::ready, io};

use consort_core::{
    Admission, Category, Context, Durability, Effect, Facade, Outcome, Severity, StepError,
    StepResult, events::Event, journal::RunFilter,
};
use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::fixtures::{
    BOTH, Leaf, OnDrop, Scripted, Witness, World, acme, ask, done, heard, secs, settle, value,
};

async fn run(world: &World, orchestrator: Scripted) -> (Facade, StepResult<Value>) {
    let facade = world.facade();
    facade.start(true).await.unwrap();
    facade.register(orchestrator).await.unwrap();
    let result = facade.orchestrate("subject", acme(), json!(7)).await;
    (facade, result)
}

fn subject(durability: Durability) -> Scripted {
    Scripted::either(durability, "subject", |_, request| async { done(request) })
}

async fn recorded(facade: &Facade) -> usize {
    facade.runs(RunFilter::default()).await.unwrap().len()
}

#[tokio::test(start_paused = true)]
async fn declining_is_a_skipped_outcome_and_no_cleanup_is_owed() {
    for durability in BOTH {
        let witness = Witness::default();
        let declines = subject(durability)
            .asked(|_, _| ready(Ok(Admission::Decline("not on Sundays".into()))).boxed())
            .cleans(&witness);
        let (facade, result) = run(&World::new(), declines).await;
        assert_eq!(result.unwrap(), Outcome::skipped("not on Sundays"));
        assert_eq!(witness.all(), [""; 0]);
        assert_eq!(recorded(&facade).await, 0, "no run was started");
        assert_eq!(facade.open_roots(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_declined_child_is_a_skipped_step() {
    let world = World::new();
    let facade = world.facade();
    facade.start(true).await.unwrap();
    let declines = subject(Durability::Durable)
        .asked(|_, _| ready(Ok(Admission::Decline("busy".into()))).boxed());
    facade.register(declines).await.unwrap();
    let parent = |cx, _| async move {
        let outcome = ask(&cx, "subject", 1).await?;
        assert_eq!(outcome, Outcome::skipped("busy"));
        ask(&cx, "subject", 2).value().await.map(Outcome::succeeded)
    };
    facade.register(Scripted::durable("parent", parent)).await.unwrap();
    let error = facade.orchestrate("parent", acme(), json!(null)).await.unwrap_err();
    assert_eq!(error.category(), Category::DependencySkipped);
    assert_eq!(error.causes(), ["busy"]);
    assert_eq!(recorded(&facade).await, 1, "the parent alone");
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_can_orchestrate_is_contained() {
    for durability in BOTH {
        let witness = Witness::default();
        let fails = subject(durability)
            .asked(|_, _| ready(Err(StepError::new(Category::Unavailable, "nobody knows"))).boxed())
            .cleans(&witness);
        let (facade, result) = run(&World::new(), fails).await;
        let error = result.unwrap_err();
        assert_eq!(error.category(), Category::Unavailable);
        assert_eq!(error.operation(), Some("can_orchestrate"));
        assert_eq!(error.component().unwrap().as_str(), "subject");
        assert_eq!((witness.all().len(), recorded(&facade).await), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_can_orchestrate_is_contained_before_and_after_its_first_poll() {
    for durability in BOTH {
        for early in [true, false] {
            let witness = Witness::default();
            let panics = subject(durability)
                .asked(move |_, _| {
                    assert!(!early, "asked too much");
                    async { panic!("asked too much") }.boxed()
                })
                .cleans(&witness);
            let (facade, result) = run(&World::new(), panics).await;
            let error = result.unwrap_err();
            assert_eq!(error.category(), Category::Internal);
            assert_eq!(error.causes(), ["asked too much"]);
            assert_eq!((witness.all().len(), recorded(&facade).await), (0, 0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_keeps_its_whole_cause_chain_and_cleanup_runs() {
    for durability in BOTH {
        let (world, witness) = (World::new(), Witness::default());
        let facade = world.facade();
        facade.start(true).await.unwrap();
        let fetch = Leaf::new("fetch", Effect::Once, |_, _| async {
            let reset = io::Error::new(io::ErrorKind::ConnectionReset, "reset by peer");
            let broke = io::Error::other(reset);
            Err(StepError::new(Category::Network, "fetch broke").because(&broke))
        });
        facade.register_capability(fetch).unwrap();
        let middle = |cx, _| async move {
            let page = ask(&cx, "fetch", "https://example.org").value().await;
            let failed = StepError::new(Category::DependencyFailed, "no page");
            page.map(Outcome::succeeded).map_err(|cause| failed.caused_by(cause))
        };
        let top = |cx, _| async move {
            let text = ask(&cx, "middle", json!(null)).value().await;
            let failed = StepError::new(Category::DependencyFailed, "no report");
            text.map(Outcome::succeeded).map_err(|cause| failed.caused_by(cause))
        };
        for orchestrator in [
            Scripted::either(durability, "middle", middle).cleans(&witness),
            Scripted::either(durability, "subject", top).cleans(&witness),
        ] {
            facade.register(orchestrator).await.unwrap();
        }
        let error = facade.orchestrate("subject", acme(), json!(null)).await.unwrap_err();
        assert_eq!((error.category(), error.message()), (Category::DependencyFailed, "no report"));
        let chain = ["`middle`: no page", "`fetch`: fetch broke", "reset by peer"];
        assert_eq!(error.causes(), chain);
        assert_eq!(error.related().len(), 2, "the ids of both failures below");
        settle().await;
        assert_eq!(witness.all(), ["cleanup middle", "cleanup subject"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_internal_and_critical_and_the_process_lives() {
    for durability in BOTH {
        let witness = Witness::default();
        let panics = Scripted::either(durability, "subject", |_, request| async move {
            if request == 7 {
                panic!("index {} out of range", 7);
            }
            done(request)
        });
        let (facade, result) = run(&World::new(), panics.cleans(&witness)).await;
        let error = result.unwrap_err();
        assert_eq!((error.category(), error.severity()), (Category::Internal, Severity::Critical));
        assert_eq!(error.causes(), ["index 7 out of range"]);
        assert_eq!(witness.take(), ["cleanup subject"]);
        assert_eq!(value(facade.orchestrate("subject", acme(), json!(8)).await), 8);
        assert_eq!(witness.take(), ["cleanup subject"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_capability_fails_its_step_alone() {
    for durability in BOTH {
        let (world, witness) = (World::new(), Witness::default());
        let facade = world.facade();
        facade.start(true).await.unwrap();
        let noted = witness.clone();
        let broken = Leaf::new("broken", Effect::Read, move |_, _| {
            noted.note("invoked");
            async { panic!("bad luck") }
        });
        facade.register_capability(broken).unwrap();
        let copes = |cx, _| async move {
            let error = ask(&cx, "broken", 1).await.unwrap_err();
            assert_eq!(
                (error.category(), error.causes()),
                (Category::Internal, &["bad luck".to_owned()][..])
            );
            done("coped")
        };
        facade.register(Scripted::either(durability, "subject", copes)).await.unwrap();
        let result = facade.orchestrate("subject", acme(), json!(null)).await;
        assert_eq!(value(result), "coped");
        assert_eq!(witness.count("invoked"), 1, "a bug is not tried again");
    }
}

/// Runs a subject with this `cleanup`; returns why it was reported, and how long the call took.
async fn with_cleanup<Fut>(
    durability: Durability,
    clean_up: impl Fn(Context) -> Fut + Send + Sync + 'static,
) -> (Vec<String>, std::time::Duration)
where
    Fut: Future<Output = Result<(), StepError>> + Send + 'static,
{
    let facade = World::new().facade();
    facade.start(true).await.unwrap();
    facade.register(subject(durability).clean_up(clean_up)).await.unwrap();
    let (mut events, began) = (facade.events(), Instant::now());
    let result = facade.orchestrate("subject", acme(), json!(7)).await;
    assert_eq!(value(result), 7, "the outcome stands");
    let took = began.elapsed();
    let failed = heard(&mut events).into_iter().filter_map(|event| match event {
        Event::CleanupFailed { why, .. } => Some(why),
        _ => None,
    });
    (failed.collect(), took)
}

#[tokio::test(start_paused = true)]
async fn a_cleanup_that_fails_is_a_warning() {
    for durability in BOTH {
        let refuses = |_| ready(Err(StepError::new(Category::Internal, "stuck").cause("rust")));
        let (why, _) = with_cleanup(durability, refuses).await;
        assert_eq!(why, ["stuck: rust"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cleanup_that_panics_is_a_warning() {
    for durability in BOTH {
        let early = |_| -> std::future::Ready<Result<(), StepError>> { panic!("at once") };
        let (why, _) = with_cleanup(durability, early).await;
        assert_eq!(why, ["panicked: at once"]);
        let (why, _) = with_cleanup(durability, |_| async { panic!("later") }).await;
        assert_eq!(why, ["panicked: later"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cleanup_that_hangs_is_bounded() {
    for durability in BOTH {
        let (why, took) = with_cleanup(durability, |_| std::future::pending()).await;
        assert_eq!(why, ["took longer than 5s"]);
        assert_eq!(took, secs(5));
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_run_held_is_gone_before_cleanup() {
    for durability in BOTH {
        let witness = Witness::default();
        let held = witness.clone();
        let fails = Scripted::either(durability, "subject", move |cx, _| {
            let held = OnDrop(held.clone(), "let go");
            async move {
                let _held = held;
                cx.sleep(secs(3600)).await?;
                done(1)
            }
        });
        let facade = World::new().facade();
        facade.start(true).await.unwrap();
        facade.register(fails.cleans(&witness)).await.unwrap();
        let cx = acme().timeout(secs(1));
        let error = facade.orchestrate("subject", cx, json!(null)).await.unwrap_err();
        assert_eq!(error.category(), Category::Timeout);
        settle().await;
        assert_eq!(witness.all(), ["let go", "cleanup subject"]);
    }
}
