//! One seeded bug per test: the explorer must find it, by the right name.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use consort_core::{Category, Context, Effect, StepResult};
use consort_testkit::explore::{Kind, Report, Scenario};
use futures_util::{FutureExt, future::BoxFuture};
use serde_json::json;

use super::sample::{Buy, Charge, List, Look, Mail, Pack, Packer, Post, Price, Shelf, Shop, Till};

/// The whole shop, with an honest till of this class.
fn shop(class: Effect) -> Scenario {
    till(class, true)
}

fn till(class: Effect, honest: bool) -> Scenario {
    Scenario::new()
        .capability(move |world| Till { world: world.clone(), class, honest })
        .capability(|world| Post { world: world.clone(), failures: 0 })
        .capability(|_| List::default())
        .capability(|_| Shelf)
}

fn buy(scenario: Scenario) -> Report {
    scenario.request(Buy { order: "tea".into() }).explore()
}

fn charge(
    cx: &Context,
    cents: u64,
) -> impl Future<Output = Result<String, consort_core::StepError>> + use<> {
    cx.call(Charge { order: "tea".into(), cents }).value()
}

/// Takes money and says so: correct, and the base of most bugs below.
fn honest<'a>(_: &'a Shop, cx: &'a Context, _: Buy) -> BoxFuture<'a, StepResult<String>> {
    async move {
        let receipt = charge(cx, 5).await?;
        cx.call(Mail { to: "you".into(), text: receipt }).value().await.map(Into::into)
    }
    .boxed()
}

#[track_caller]
fn check(report: &Report, kind: Kind, subject: &str) {
    let found = report.findings.iter().any(|f| f.kind == kind && f.subject == subject);
    assert!(found, "no {kind} of {subject}: {report}");
}

#[test]
fn random_numbers_from_outside_the_context() {
    let report = buy(shop(Effect::Idempotent).orchestrator(|world| {
        Shop::new(world, |_, cx, _| {
            async move {
                let cents = fastrand::u64(..);
                charge(cx, cents).await.map(Into::into)
            }
            .boxed()
        })
    }));
    check(&report, Kind::ChangedRequest, "charge");
    check(&report, Kind::DivergentReplay, "buy");
}

#[test]
fn time_from_outside_the_context() {
    let report = buy(shop(Effect::Idempotent).orchestrator(|world| {
        Shop::new(world, |_, cx, _| {
            async move {
                #[expect(clippy::disallowed_methods, reason = "the seeded bug")]
                let now = std::time::SystemTime::now();
                let age = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
                charge(cx, age as u64).await.map(Into::into)
            }
            .boxed()
        })
    }));
    check(&report, Kind::DivergentReplay, "buy");
}

#[test]
fn the_iteration_order_of_a_hash_map() {
    let report = buy(shop(Effect::Idempotent).orchestrator(|world| {
        Shop::new(world, |_, cx, _| {
            async move {
                let items: HashMap<String, u64> =
                    (0..8).map(|n| (format!("item {n}"), n)).collect();
                let mut sum = 0;
                for item in items.into_keys() {
                    sum += cx.call(Look { item }).value().await?;
                }
                Ok(sum.to_string().into())
            }
            .boxed()
        })
    }));
    check(&report, Kind::DivergentReplay, "buy");
}

#[test]
fn an_effect_outside_a_capability() {
    let report = buy(shop(Effect::Idempotent).orchestrator(|world| {
        Shop::new(world, |shop, cx, _| {
            async move {
                shop.world.effect("wrote a file");
                charge(cx, 5).await.map(Into::into)
            }
            .boxed()
        })
    }));
    check(&report, Kind::RepeatedEffect, "wrote a file");
}

#[test]
fn an_effect_that_only_the_first_process_knows_of() {
    let report = buy(shop(Effect::Idempotent).orchestrator(|world| {
        Shop::new(world, |shop, cx, _| {
            async move {
                let receipt = charge(cx, 5).await?;
                // As when a hook was set up in memory, before the run began.
                if shop.world.process() == 1 {
                    shop.world.effect("printed a receipt");
                }
                Ok(receipt.into())
            }
            .boxed()
        })
    }));
    check(&report, Kind::LostEffect, "printed a receipt");
}

#[test]
fn a_foreign_await() {
    let report = buy(shop(Effect::Idempotent).orchestrator(|world| {
        Shop::new(world, |_, cx, _| {
            async move {
                tokio::time::sleep(Duration::from_millis(5)).await;
                charge(cx, 5).await.map(Into::into)
            }
            .boxed()
        })
    }));
    check(&report, Kind::ForeignAwait, "buy");
}

#[test]
fn a_capability_that_is_not_idempotent_as_declared() {
    let report = buy(till(Effect::Idempotent, false).orchestrator(|w| Shop::new(w, honest)));
    check(&report, Kind::RepeatedEffect, "charged tea");
}

#[test]
fn a_capability_that_is_not_pure_as_declared() {
    let scenario = Scenario::new()
        .capability(|_| List { moody: true, ..List::default() })
        .orchestrator(|world| {
            Shop::new(world, |_, cx, _| {
                async move {
                    let one = cx.call(Price { item: "tea".into() }).value().await?;
                    let two = cx.call(Price { item: "tea".into() }).value().await?;
                    Ok(format!("{one} {two}").into())
                }
                .boxed()
            })
        });
    check(&buy(scenario), Kind::NotPure, "price");
}

#[test]
fn an_uncertain_step_called_again() {
    let report = buy(till(Effect::Once, false).orchestrator(|world| {
        Shop::new(world, |_, cx, _| {
            async move {
                match charge(cx, 5).await {
                    Err(error) if error.category() == Category::DependencyUncertain => {
                        charge(cx, 5).await.map(Into::into)
                    }
                    receipt => receipt.map(Into::into),
                }
            }
            .boxed()
        })
    }));
    check(&report, Kind::RepeatedEffect, "charged tea");
    check(&report, Kind::RepeatedEffect, "charge");
}

#[test]
fn a_cleanup_that_does_harm_when_it_runs_twice() {
    let report = buy(shop(Effect::Idempotent).orchestrator(|world| {
        let tidy = |world: &consort_testkit::explore::World, _: &Context| {
            world.effect("gave a seat back");
        };
        Shop { tidy, ..Shop::new(world, honest) }
    }));
    check(&report, Kind::RepeatedEffect, "gave a seat back");
}

#[test]
fn code_that_changes_under_an_open_run() {
    let scenario = shop(Effect::Idempotent)
        .orchestrator(|world| Shop::new(world, honest))
        .request(Buy { order: "tea".into() })
        .after_restart()
        .capability(|world| Till { world: world.clone(), class: Effect::Idempotent, honest: true })
        .capability(|world| Post { world: world.clone(), failures: 0 })
        .orchestrator(|world| {
            Shop::new(world, |_, cx, _| {
                async move {
                    let text = "we are about to charge you".into();
                    cx.call(Mail { to: "you".into(), text }).value().await?;
                    charge(cx, 5).await.map(Into::into)
                }
                .boxed()
            })
        });
    check(&scenario.explore(), Kind::DivergentReplay, "buy");
}

#[test]
fn a_version_that_is_taken_away_from_an_open_run() {
    let scenario = shop(Effect::Idempotent)
        .orchestrator(|world| Shop::new(world, honest))
        .request(Buy { order: "tea".into() })
        .after_restart()
        .capability(|world| Till { world: world.clone(), class: Effect::Idempotent, honest: true })
        .capability(|world| Post { world: world.clone(), failures: 0 })
        .orchestrator(|world| Shop { version: 2, ..Shop::new(world, honest) });
    check(&scenario.explore(), Kind::Blocked, "buy");
}

#[test]
fn state_in_memory_that_the_next_process_lacks() {
    let scenario = shop(Effect::Idempotent).orchestrator(|world| {
        Shop::new(world, |shop, cx, request| {
            async move {
                let visit = shop.memory.fetch_add(1, Ordering::SeqCst);
                if request.order == "milk" {
                    cx.sleep(Duration::from_secs(60)).await?;
                }
                Ok(format!("customer {visit}").into())
            }
            .boxed()
        })
    });
    let report = buy(scenario.request(Buy { order: "milk".into() }));
    check(&report, Kind::DifferentResult, "buy");
}

#[test]
fn an_event_that_waits_for_the_process_that_is_gone() {
    // Somebody in memory answers the question that a step has put. The next process has nobody.
    type Board = Arc<Mutex<Option<String>>>;
    fn ask(board: &Board, shop: &Shop) {
        if shop.world.process() == 1 {
            *board.lock().unwrap() = Some("yes".into());
        }
    }
    let report = buy(shop(Effect::Idempotent).orchestrator(|world| {
        Shop::new(world, |shop, cx, _| {
            async move {
                charge(cx, 5).await?;
                let board = Board::default();
                ask(&board, shop);
                let answered = board.lock().unwrap().is_some();
                if !answered {
                    cx.wait_for::<String>("answer", None).await?;
                }
                Ok("done".to_owned().into())
            }
            .boxed()
        })
    }));
    check(&report, Kind::Hang, "buy");
}

#[test]
fn a_branch_on_chance_adds_steps_to_a_child() {
    let scenario = shop(Effect::Idempotent).orchestrator(|_| Packer).orchestrator(|world| {
        Shop::new(world, |_, cx, request| {
            async move {
                let packed = cx.call(Pack { order: request.order }).value().await?;
                let mut text = packed;
                while fastrand::u8(..) > 100 {
                    text = cx.call(Mail { to: "you".into(), text }).value().await?;
                }
                charge(cx, 1).await.map(Into::into)
            }
            .boxed()
        })
    });
    let report = buy(scenario);
    assert!(!report.findings.is_empty(), "{report}");
}

#[test]
fn a_report_names_the_point_and_what_to_look_for() {
    let report = buy(till(Effect::Idempotent, false).orchestrator(|w| Shop::new(w, honest)));
    let text = report.to_string();
    assert!(text.contains("repeated effect: charged tea: 2 times instead of 1"), "{text}");
    assert!(text.contains("stopped before commit 2 (step 0 `charge`)"), "{text}");
    assert!(text.contains("a capability that ignores its idempotency key"), "{text}");
    assert_eq!(
        report.results[0].clone().unwrap().unwrap().value(),
        Some(&json!("receipt for 5 of tea"))
    );
}
