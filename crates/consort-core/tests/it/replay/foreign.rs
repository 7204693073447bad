//! Awaiting what is not a step is noticed, live and at replay, with and without steps outstanding.

use std::{future::pending, sync::Arc};

use consort_core::{Category, Context, Seeded, StepResult};
use futures_util::{FutureExt, future::BoxFuture, join};
use serde_json::{Value, json};

use super::{Process, Script, conforms, essence};
use crate::fixtures::{Scripted, World, acme, ask, done, millis, secs};

/// The script fails at once with this cause, and does so at every replay.
async fn noticed(script: Script, cause: &str) {
    let process = Process::new(&World::new(), &Arc::new(Seeded::new(5)));
    process.run(script).await;
    let began = tokio::time::Instant::now();
    let error = process.facade.orchestrate("shape", acme(), json!(1)).await.unwrap_err();
    assert_eq!(error.category(), Category::ForeignAwait);
    assert_eq!(error.causes(), [cause]);
    assert!(began.elapsed() < secs(1), "noticed after {:?}", began.elapsed());
    conforms(script).await;
}

fn boxed<Fut>(work: Fut) -> BoxFuture<'static, StepResult<Value>>
where
    Fut: Future<Output = StepResult<Value>> + Send + 'static,
{
    work.boxed()
}

const NOTHING: &str = "it waits although no step is outstanding";
const OTHER: &str = "something other than a step woke it";

#[tokio::test(start_paused = true)]
async fn nothing_outstanding_and_never_woken() {
    noticed(
        |cx| {
            boxed(async move {
                ask(&cx, "work", 1).value().await?;
                pending::<()>().await;
                done(1)
            })
        },
        NOTHING,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn nothing_outstanding_and_a_foreign_timer() {
    noticed(
        |cx| {
            boxed(async move {
                ask(&cx, "work", 1).value().await?;
                tokio::time::sleep(secs(60)).await;
                done(1)
            })
        },
        NOTHING,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_step_outstanding_and_a_foreign_timer() {
    noticed(
        |cx| {
            boxed(async move {
                ask(&cx, "work", 1).value().await?;
                let (slept, ()) = join!(cx.sleep(millis(500)), tokio::time::sleep(millis(10)));
                slept?;
                done(1)
            })
        },
        OTHER,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_step_outstanding_beside_something_never_woken() {
    noticed(
        |cx| {
            boxed(async move {
                ask(&cx, "work", 1).value().await?;
                let (answer, ()) = join!(ask(&cx, "work", 2).value(), pending::<()>());
                done(answer?)
            })
        },
        NOTHING,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn yielding_to_the_runtime() {
    noticed(
        |cx| {
            boxed(async move {
                ask(&cx, "work", 1).value().await?;
                let (slept, ()) = join!(cx.sleep(millis(500)), tokio::task::yield_now());
                slept?;
                done(1)
            })
        },
        OTHER,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn waking_itself_without_end() {
    let spins = |cx: Context, _| async move {
        ask(&cx, "nobody", 1).await.unwrap_err();
        futures_util::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            std::task::Poll::<()>::Pending
        })
        .await;
        done(1)
    };
    let facade = World::new().facade();
    facade.register(Scripted::durable("spins", spins)).await.unwrap();
    facade.start(true).await.unwrap();
    let result = facade.orchestrate("spins", acme(), json!(1)).await;
    assert_eq!(essence(&result)[2], json!(["it wakes itself without end"]));
}

/// What is ready at its first poll is no wait: futures that only compute are allowed.
#[tokio::test(start_paused = true)]
async fn what_never_waits_is_not_noticed() {
    conforms(|cx| {
        boxed(async move {
            let lock = tokio::sync::Mutex::new(0);
            for round in 0..3 {
                *lock.lock().await += round;
                std::future::ready(()).await;
                ask(&cx, "work", round).value().await?;
            }
            done(*lock.lock().await)
        })
    })
    .await;
}
