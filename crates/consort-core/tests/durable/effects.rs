//! What is never repeated, and what is said of an effect in doubt.

use consort_core::{Category, Component, Context, Outcome};
use futures_util::future::join_all;
use serde_json::json;

use crate::kit::{Flow, SECOND, World, pass};

#[tokio::test(start_paused = true)]
async fn a_finished_step_is_not_repeated_after_a_kill() {
    let flow = Flow::new("two", |cx, _| async move {
        let quick = cx.call_json("echo", json!(1)).value().await?;
        let slow = cx.call_json("slow", json!(2)).value().await?;
        Ok(Outcome::succeeded(json!([quick, slow])))
    });
    let mut world = World::new([flow]);
    let first = world.start().await;
    let run = first.start_run("two", Context::default(), json!(null)).await.unwrap();
    let id = run.id().unwrap().clone();
    pass(SECOND).await;
    let second = world.restart().await;
    let outcome = second.attach_to(&id).await.unwrap().await.unwrap();
    assert_eq!(outcome.value(), Some(&json!([1, 2])));
    let effects = world.witness.effects();
    assert_eq!(effects[&format!("{id}/0")], 1);
    assert_eq!(effects[&format!("{id}/1")], 2, "in flight at the kill: again, under the same key");
}

#[tokio::test(start_paused = true)]
async fn an_effect_that_must_happen_once_is_in_doubt_and_not_repeated() {
    let flow = Flow::new("pay", |cx, _| async move {
        match cx.call_json("once", json!(1)).value().await {
            Ok(value) => Ok(Outcome::succeeded(value)),
            Err(error) => Ok(Outcome::uncertain(error.category().name())),
        }
    });
    let mut world = World::new([flow]);
    let first = world.start().await;
    let run = first.start_run("pay", Context::default(), json!(null)).await.unwrap();
    let id = run.id().unwrap().clone();
    pass(SECOND).await;
    let second = world.restart().await;
    let outcome = second.attach_to(&id).await.unwrap().await.unwrap();
    assert_eq!(outcome, Outcome::uncertain("dependency_uncertain"));
    assert_eq!(world.witness.total(), 1);
}

#[tokio::test(start_paused = true)]
async fn choices_times_and_random_numbers_are_the_same_after_a_restart() {
    let flow = Flow::new("local", |cx, _| async move {
        let now = cx.now()?;
        let random = cx.random()?;
        let arms = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let decision = cx.decide(Component::Model, "test", &arms, &[("x", 0.5)])?;
        let told = json!([now, random, decision.choice(), decision.propensity()]);
        let before = cx.call_json("echo", told.clone()).value().await?;
        cx.call_json("slow", json!(null)).value().await?;
        Ok(Outcome::succeeded(json!([before, told])))
    });
    let mut world = World::new([flow]);
    let first = world.start().await;
    let run = first.start_run("local", Context::default(), json!(null)).await.unwrap();
    let id = run.id().unwrap().clone();
    pass(SECOND).await;
    let second = world.restart().await;
    let outcome = second.attach_to(&id).await.unwrap().await.unwrap();
    let pair = outcome.value().unwrap();
    assert_eq!(pair[0], pair[1]);
}

#[tokio::test(start_paused = true)]
async fn forty_steps_run_side_by_side() {
    let flow = Flow::new("fan", |cx, _| async move {
        let calls = (0..40).map(|i| cx.call_json("slow", json!(i)).value());
        let all: Result<Vec<_>, _> = join_all(calls).await.into_iter().collect();
        Ok(Outcome::succeeded(json!(all?.len())))
    });
    let world = World::new([flow]);
    let facade = world.start().await;
    let before = tokio::time::Instant::now();
    let outcome = facade.orchestrate("fan", Context::default(), json!(null)).await.unwrap();
    assert_eq!(outcome.value(), Some(&json!(40)));
    assert_eq!(before.elapsed(), 10 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn awaiting_something_that_is_not_a_step_fails_at_once() {
    let alone = Flow::new("alone", |_, _| async move {
        tokio::time::sleep(SECOND).await;
        Ok(Outcome::succeeded(json!(null)))
    });
    let beside = Flow::new("beside", |cx, _| async move {
        let step = cx.call_json("slow", json!(1)).value();
        let both = futures_util::future::join(step, tokio::time::sleep(SECOND)).await;
        Ok(Outcome::succeeded(both.0?))
    });
    let world = World::new([alone, beside]);
    let facade = world.start().await;
    for name in ["alone", "beside"] {
        let ended = facade.orchestrate(name, Context::default(), json!(null)).await;
        assert_eq!(ended.unwrap_err().category(), Category::ForeignAwait, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn code_that_changed_under_an_open_run_is_named() {
    let flow = |callee: &'static str| {
        Flow::new("changing", move |cx, _| async move {
            cx.call_json(callee, json!(1)).value().await?;
            cx.call_json("slow", json!(2)).value().await?;
            Ok(Outcome::succeeded(json!(null)))
        })
    };
    let mut world = World::new([flow("echo")]);
    let first = world.start().await;
    let run = first.start_run("changing", Context::default(), json!(null)).await.unwrap();
    let id = run.id().unwrap().clone();
    pass(SECOND).await;
    world.flows = vec![flow("slow")];
    let second = world.restart().await;
    let error = second.attach_to(&id).await.unwrap().await.unwrap_err();
    assert_eq!(error.category(), Category::JournalMismatch);
    assert!(error.message().contains("`slow`") && error.message().contains("`echo`"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_same_idempotency_key_is_the_same_run() {
    let flow = Flow::new("keyed", |cx, request| async move {
        Ok(Outcome::succeeded(cx.call_json("slow", request).value().await?))
    });
    let world = World::new([flow]);
    let facade = world.start().await;
    let cx = || Context::default().idempotency_key("order-7".parse().unwrap());
    let one = facade.start_run("keyed", cx(), json!(1)).await.unwrap();
    let two = facade.start_run("keyed", cx(), json!(2)).await.unwrap();
    assert_eq!(one.id(), two.id());
    assert_eq!(
        (one.await.unwrap(), two.await.unwrap().value()),
        (Outcome::succeeded(json!(1)), Some(&json!(1)))
    );
    let three = facade.orchestrate("keyed", cx(), json!(3)).await.unwrap();
    assert_eq!((three.value(), world.witness.total()), (Some(&json!(1)), 1));
}
