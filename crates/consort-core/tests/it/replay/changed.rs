//! Code that changed under an open run is told apart from the code that wrote the journal.

use std::sync::Arc;

use consort_core::{Category, Context, Random, Seeded};
use futures_util::FutureExt;
use serde_json::json;

use super::{Process, Script, essence, log, plant};
use crate::fixtures::{World, acme, ask, done, millis};

/// The code as it was. Positions: 0 work, 1 now, 2 work, 3 random, 4 sleep, 5 work.
fn before(
    cx: Context,
) -> futures_util::future::BoxFuture<'static, consort_core::StepResult<serde_json::Value>> {
    async move {
        ask(&cx, "work", "one").value().await?;
        cx.now()?;
        ask(&cx, "work", "two").value().await?;
        cx.random()?;
        cx.sleep(millis(1)).await?;
        ask(&cx, "work", "three").await
    }
    .boxed()
}

/// The code as it is now differs at position `at`, where it asks for `asked` and the journal has
/// `recorded`. Logs that end before go on; all others are refused, and nothing is done.
async fn refused(script: Script, at: u32, asked: &str, recorded: &str) {
    let (mut world, chance) = (World::new(), Arc::new(Seeded::new(3)));
    let first = Process::new(&world, &chance);
    first.run(before).await;
    let handle = first.facade.start_run("shape", acme(), json!(null)).await.unwrap();
    let id = handle.id().unwrap().clone();
    handle.await.unwrap();
    let history = log(&world, &id).await;

    world.kill();
    let mut cuts = Vec::new();
    for number in 0..1_000 {
        let kept = chance.bits() as usize % (history.records.len() + 1);
        let records = &history.records[..kept];
        let differs = records.iter().any(|record| record.position().is_some_and(|p| p >= at));
        cuts.push((plant(&world, number, &history.started, records).await, kept, differs));
    }
    let second = Process::new(&world, &chance);
    second.run(script).await;
    let named =
        |recorded| format!("step {at} is `{asked}` in the code but `{recorded}` in the journal");
    // A step that has not finished left only its timer.
    let named = [named(recorded), named("a timer")];
    for (id, kept, differs) in cuts {
        let result = second.result(&id).await;
        if !differs {
            assert!(result.is_ok(), "cut after {kept}: {result:?}");
            continue;
        }
        let error = result.unwrap_err();
        assert_eq!(error.category(), Category::JournalMismatch, "cut after {kept}: {error:?}");
        let is_named = named.iter().any(|named| error.message().starts_with(named));
        assert!(is_named, "cut after {kept}: {error}");
        assert!(second.begun(&id).is_empty(), "cut after {kept}: something was done");
    }
}

macro_rules! script {
    ($cx:ident => $body:block) => {
        |$cx: Context| async move $body.boxed()
    };
}

#[tokio::test(start_paused = true)]
async fn a_renamed_callee_is_named() {
    let renamed = script!(cx => {
        ask(&cx, "work", "one").value().await?;
        cx.now()?;
        ask(&cx, "brief", "two").value().await?;
        cx.random()?;
        cx.sleep(millis(1)).await?;
        ask(&cx, "work", "three").await
    });
    refused(renamed, 2, "brief", "work").await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_request_is_named() {
    let changed = script!(cx => {
        ask(&cx, "work", "one").value().await?;
        cx.now()?;
        ask(&cx, "work", "another").value().await?;
        cx.random()?;
        cx.sleep(millis(1)).await?;
        ask(&cx, "work", "three").await
    });
    refused(changed, 2, "work", "work").await;
}

#[tokio::test(start_paused = true)]
async fn a_removed_now_is_named() {
    let removed = script!(cx => {
        ask(&cx, "work", "one").value().await?;
        ask(&cx, "work", "two").value().await?;
        cx.random()?;
        cx.sleep(millis(1)).await?;
        ask(&cx, "work", "three").await
    });
    refused(removed, 1, "work", "now").await;
}

#[tokio::test(start_paused = true)]
async fn an_added_now_is_named() {
    let added = script!(cx => {
        cx.now()?;
        ask(&cx, "work", "one").value().await?;
        cx.now()?;
        ask(&cx, "work", "two").value().await?;
        done(1)
    });
    refused(added, 0, "now", "work").await;
}

#[tokio::test(start_paused = true)]
async fn another_local_step_is_named() {
    let swapped = script!(cx => {
        ask(&cx, "work", "one").value().await?;
        cx.random()?;
        ask(&cx, "work", "two").await
    });
    refused(swapped, 1, "random", "now").await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_pause_is_named() {
    let longer = script!(cx => {
        ask(&cx, "work", "one").value().await?;
        cx.now()?;
        ask(&cx, "work", "two").value().await?;
        cx.random()?;
        cx.sleep(millis(2)).await?;
        ask(&cx, "work", "three").await
    });
    refused(longer, 4, "sleep", "sleep").await;
}

#[tokio::test(start_paused = true)]
async fn code_that_ends_before_its_journal_is_named() {
    let shorter = script!(cx => { ask(&cx, "work", "one").await });
    refused(shorter, 1, "nothing", "now").await;
    let without_locals = script!(cx => {
        ask(&cx, "work", "one").value().await?;
        cx.now()?;
        done(1)
    });
    refused(without_locals, 2, "nothing", "work").await;
}

#[tokio::test(start_paused = true)]
async fn the_code_that_wrote_the_journal_is_accepted() {
    let (world, chance) = (World::new(), Arc::new(Seeded::new(3)));
    let process = Process::new(&world, &chance);
    process.run(before).await;
    let result = process.facade.orchestrate("shape", acme(), json!(1)).await;
    assert_eq!(essence(&result), json!({"status": "succeeded", "value": "three"}));
    super::conforms(before).await;
}
