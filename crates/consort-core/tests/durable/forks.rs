//! Ended runs taken up from a chosen step, and versions side by side.

use consort_core::{Category, Context, Outcome, Version};
use serde_json::json;

use crate::kit::{Flow, SECOND, World, pass};

fn sum() -> Flow {
    Flow::new("sum", |cx, _| async move {
        let one = cx.call_json("echo", json!(1)).value().await?;
        let two = cx.call_json("echo", json!(2)).value().await?;
        Ok(Outcome::succeeded(json!([one, two])))
    })
}

#[tokio::test(start_paused = true)]
async fn a_fork_repeats_only_what_comes_after_the_chosen_step() {
    let world = World::new([sum()]);
    let facade = world.start().await;
    let run = facade.start_run("sum", Context::default(), json!(null)).await.unwrap();
    let id = run.id().unwrap().clone();
    run.await.unwrap();
    let fork = facade.fork(&id, 1, None).await.unwrap();
    let forked = fork.id().unwrap().clone();
    assert_eq!(fork.await.unwrap().value(), Some(&json!([1, 2])));
    let effects = world.witness.effects();
    assert!(!effects.contains_key(&format!("{forked}/0")), "{effects:?}");
    assert_eq!(effects[&format!("{forked}/1")], 1);
    let history = facade.history(&forked).await.unwrap();
    assert_eq!(history.started.forked_from, Some((id.clone(), 1)));
    let missing = facade.fork(&id, 9, None).await.unwrap_err();
    assert_eq!(missing.category(), Category::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_failed_run_goes_on_under_another_version() {
    let broken = Flow::new("job", |cx, _| async move {
        cx.call_json("echo", json!(1)).value().await?;
        cx.call_json("missing", json!(2)).value().await?;
        Ok(Outcome::succeeded(json!(null)))
    });
    let mended = Flow::new("job", |cx, _| async move {
        cx.call_json("echo", json!(1)).value().await?;
        Ok(Outcome::succeeded(cx.call_json("echo", json!(3)).value().await?))
    });
    let world = World::new([broken, mended.version(2)]);
    let facade = world.start().await;
    facade.unregister(&"job".parse().unwrap(), &Version::new(2, 0, 0)).await.unwrap();
    let run = facade.start_run("job", Context::default(), json!(null)).await.unwrap();
    let id = run.id().unwrap().clone();
    assert_eq!(run.await.unwrap_err().category(), Category::NotFound);
    facade.register(world.flows[1].clone()).await.unwrap();
    let fork = facade.fork(&id, 1, Some(&Version::new(2, 0, 0))).await.unwrap();
    assert_eq!(fork.await.unwrap().value(), Some(&json!(3)));
    assert_eq!(world.witness.total(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_version_is_gone_is_blocked_until_it_is_back() {
    let slow = Flow::new("job", |cx, _| async move {
        Ok(Outcome::succeeded(cx.call_json("slow", json!(1)).value().await?))
    });
    let mut world = World::new([slow.clone()]);
    let first = world.start().await;
    let run = first.start_run("job", Context::default(), json!(null)).await.unwrap();
    let id = run.id().unwrap().clone();
    pass(SECOND).await;
    world.flows = vec![slow.clone().version(2)];
    let second = world.restart().await;
    pass(60 * SECOND).await;
    assert_eq!(second.blocked().first().map(|(id, ..)| id.clone()), Some(id.clone()));
    assert_eq!(second.attach_to(&id).await.unwrap_err().category(), Category::RunBlocked);
    assert_eq!(world.witness.total(), 1, "never run on other code");
    second.register(slow).await.unwrap();
    let outcome = second.attach_to(&id).await.unwrap().await.unwrap();
    assert_eq!(outcome.value(), Some(&json!(1)));
}
