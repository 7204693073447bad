//! Orchestrators that keep the rules pass at every point.

use std::time::Duration;

use consort_core::{Category, Component, Effect, Limits, race};
use consort_testkit::explore::{Kind, Scenario};
use futures_util::{FutureExt, StreamExt, future::join_all, stream::FuturesUnordered};
use serde_json::json;

use super::sample::{Buy, Charge, List, Look, Mail, Pack, Packer, Post, Price, Shelf, Shop, Till};

fn shop(class: Effect) -> Scenario {
    Scenario::new()
        .capability(move |world| Till {
            world: world.clone(),
            class,
            honest: class != Effect::Once,
        })
        .capability(|world| Post { world: world.clone(), failures: 2 })
        .capability(|_| List::default())
        .capability(|_| Shelf)
        .orchestrator(|_| Packer)
}

#[test]
fn steps_in_parallel_in_sequence_and_in_a_race() {
    let report = shop(Effect::Idempotent)
        .orchestrator(|world| {
            Shop::new(world, |_, cx, request| {
                async move {
                    let items = ["tea", "milk", "sugar"];
                    let price = |item: &str| cx.call(Price { item: item.into() }).value();
                    let prices = join_all(items.map(price)).await;
                    let cents = prices.into_iter().sum::<Result<u64, _>>()?;
                    let mut looks: FuturesUnordered<_> = items
                        .iter()
                        .map(|item| cx.call(Look { item: (*item).into() }).value())
                        .collect();
                    let mut seen = 0;
                    while let Some(look) = looks.next().await {
                        seen = seen * 10 + look?;
                    }
                    let slow = cx.sleep(Duration::from_secs(60)).map(|_| 0).boxed();
                    let fast = cx.call(Look { item: "tea".into() }).value().map(|_| 1).boxed();
                    let (_, won) = race(vec![slow, fast]).await;
                    let order = request.order;
                    let receipt = cx.call(Charge { order, cents }).value().await?;
                    Ok(format!("{receipt} {seen} {won}").into())
                }
                .boxed()
            })
        })
        .request(Buy { order: "tea".into() })
        .explore();
    report.assert_clean();
    assert!(report.points >= 20, "{report}");
}

#[test]
fn children_timers_waits_retries_decisions_and_blobs() {
    let report = shop(Effect::Idempotent)
        .orchestrator(|world| {
            let tidy = |world: &consort_testkit::explore::World, cx: &consort_core::Context| {
                let key = format!("tidy {}", cx.run_id().unwrap());
                world.effect_once(&key, "gave a seat back");
            };
            let shop = Shop::new(world, |_, cx, request| {
                async move {
                    let dice = cx.random()?;
                    let model = cx.decide(Component::Model, "shop", &["a", "b", "c"], &[])?;
                    let note = cx.put(vec![7; 100_000], "text/plain")?;
                    let packed = cx.call(Pack { order: request.order.clone() }).value().await?;
                    let approval = cx.wait_for::<bool>("approval", Some(Duration::from_secs(9999)));
                    let ok = approval.await?;
                    let late = cx.wait_for::<bool>("never", Some(Duration::from_secs(60))).await;
                    let late = late.unwrap_err().category() == Category::Timeout;
                    let cents = dice % 1000;
                    let receipt = cx.call(Charge { order: request.order, cents }).value().await?;
                    let text = format!("{receipt} {ok} {late} {} {packed}", model.choice());
                    let to = format!("{}", note.hash);
                    cx.call(Mail { to, text }).value().await.map(Into::into)
                }
                .boxed()
            });
            Shop { tidy, ..shop }
        })
        .request(Buy { order: "tea".into() })
        .event(Duration::from_secs(3700), "approval", json!(true))
        .request(Buy { order: "milk".into() })
        .event(Duration::from_secs(10), "approval", json!(false))
        .configure(|builder| {
            let park_after = Duration::from_millis(100);
            builder.limits(Limits { park_after, ..Limits::default() })
        })
        .same(|a, b| a.is_ok() && b.is_ok())
        .explore();
    report.assert_clean();
    assert!(report.points >= 60, "{report}");
}

#[test]
fn a_run_that_draws_numbers_ends_as_it_would_have() {
    let report = shop(Effect::Idempotent)
        .orchestrator(|world| {
            Shop::new(world, |_, cx, request| {
                async move {
                    let mut text = String::new();
                    for n in 0..3 {
                        let model = cx.decide(Component::Model, "shop", &["a", "b", "c"], &[])?;
                        let cents = cx.random()? % 1000;
                        text.push_str(model.choice());
                        let order = format!("{} {n}", request.order);
                        text += &cx.call(Charge { order, cents }).value().await?;
                    }
                    Ok(text.into())
                }
                .boxed()
            })
        })
        .request(Buy { order: "tea".into() })
        .explore();
    report.assert_clean();
}

#[test]
fn an_uncertain_step_is_not_a_fault() {
    let report = shop(Effect::Once)
        .orchestrator(|world| {
            Shop::new(world, |_, cx, request| {
                async move {
                    cx.call(Charge { order: request.order, cents: 5 }).value().await.map(Into::into)
                }
                .boxed()
            })
        })
        .request(Buy { order: "tea".into() })
        .explore();
    report.assert_clean();
}

#[test]
fn a_declared_failure_is_as_good_a_result_as_any() {
    let report = shop(Effect::Idempotent)
        .orchestrator(|world| {
            Shop::new(world, |_, cx, _| {
                async move {
                    cx.call(Look { item: "tea".into() }).value().await?;
                    Err(consort_core::StepError::new(Category::PolicyViolation, "no tea today"))
                }
                .boxed()
            })
        })
        .request(Buy { order: "tea".into() })
        .explore();
    report.assert_clean();
    assert!(report.results[0].as_ref().unwrap().is_err());
}

#[test]
fn a_request_that_is_refused_is_a_finding_not_a_clean_report() {
    let report = shop(Effect::Idempotent).request_json("nobody", json!({})).explore();
    assert!(report.found(Kind::NotStarted), "{report}");
}

#[test]
fn fewer_points_are_spread_over_the_run() {
    let scenario = |points| {
        shop(Effect::Idempotent)
            .orchestrator(|world| {
                Shop::new(world, |_, cx, _| {
                    async move {
                        for n in 0..20 {
                            cx.call(Price { item: "x".repeat(n) }).value().await?;
                        }
                        Ok(String::new().into())
                    }
                    .boxed()
                })
            })
            .request(Buy { order: "tea".into() })
            .at_most(points)
            .explore()
    };
    assert_eq!(scenario(7).points, 7);
    let all = scenario(1000);
    assert_eq!((all.commits, all.points), (22, 44), "{all}");
}

#[tokio::test]
async fn an_exploration_may_start_inside_a_runtime() {
    let report = shop(Effect::Idempotent)
        .orchestrator(|world| {
            Shop::new(world, |_, cx, _| {
                async move {
                    cx.call(Look { item: "tea".into() }).value().await?;
                    Ok(String::new().into())
                }
                .boxed()
            })
        })
        .request(Buy { order: "tea".into() })
        .explore();
    report.assert_clean();
}
