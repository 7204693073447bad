//! Defects of the system that this one replaces, C1 to C10, each as a claim that it is gone.

mod api;

use std::{collections::BTreeMap, fs, future::ready, path::Path};

use consort_core::{Admission, Category, Context, Layer, Outcome, Request, StepError};
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::fixtures::{
    BOTH, OnDrop, Scripted, Witness, World, acme, ask, category, done, name, secs, settle, value,
    version,
};

#[tokio::test(start_paused = true)]
async fn c1_an_orchestrator_that_declines_gives_a_skipped_result() {
    for durability in BOTH {
        let facade = World::new().facade();
        facade.start(true).await.unwrap();
        let declines = Scripted::either(durability, "any", |_, v| async { done(v) })
            .asked(|_, _| ready(Ok(Admission::Decline("not mine".into()))).boxed());
        facade.register(declines).await.unwrap();
        let by_name = facade.orchestrate("any", acme(), json!(1)).await;
        let by_type = facade.call(acme(), crate::fixtures::Any(json!(1))).await;
        assert_eq!(by_name.unwrap(), Outcome::skipped("not mine"));
        assert_eq!(by_type.unwrap(), Outcome::skipped("not mine"));
    }
}

#[tokio::test(start_paused = true)]
async fn c2_no_exception_of_can_orchestrate_escapes() {
    for durability in BOTH {
        let facade = World::new().facade();
        facade.start(true).await.unwrap();
        let asked = |_: Context, request: Value| match request.as_u64() {
            Some(1) => async { panic!("no answer") }.boxed(),
            Some(2) => ready(Err(StepError::new(Category::Unavailable, "not now"))).boxed(),
            _ => ready(Ok(Admission::Accept)).boxed(),
        };
        let picky = Scripted::either(durability, "picky", |_, v| async { done(v) }).asked(asked);
        facade.register(picky).await.unwrap();
        for (request, expected) in [(1, Category::Internal), (2, Category::Unavailable)] {
            let result = facade.orchestrate("picky", acme(), json!(request)).await;
            assert_eq!(category(&result), expected);
        }
        assert_eq!(value(facade.orchestrate("picky", acme(), json!(3)).await), 3);
        assert_eq!(facade.open_roots(), 0, "whoever was refused holds nothing");
    }
}

#[tokio::test(start_paused = true)]
async fn c3_cleanup_after_a_call_does_not_end_a_long_lived_orchestrator() {
    for durability in BOTH {
        let (facade, witness) = (World::new().facade(), Witness::default());
        let ticks = witness.clone();
        let monitor = Scripted::either(durability, "monitor", |_, v| async { done(v) })
            .cleans(&witness)
            .start(move |tasks| {
                let ticks = ticks.clone();
                tasks.spawn("watch", move |stop| {
                    let ticks = ticks.clone();
                    async move {
                        while tokio::time::timeout(secs(10), stop.cancelled()).await.is_err() {
                            ticks.note("tick");
                        }
                    }
                });
                Ok(())
            });
        facade.register(monitor).await.unwrap();
        facade.start(true).await.unwrap();
        for round in 1..4 {
            value(facade.orchestrate("monitor", acme(), json!(round)).await);
            tokio::time::sleep(secs(10)).await;
            settle().await;
        }
        assert_eq!((witness.count("cleanup monitor"), witness.count("tick")), (3, 3));
    }
}

#[tokio::test(start_paused = true)]
async fn c4_no_name_of_a_field_or_key_can_break_a_call() {
    let reserved = json!({
        "tenant_id": "other", "request_id": 7, "orchestrator": null, "layer": [], "level": "error",
        "event": {}, "name": "x", "run": "x", "self": true, "message": "x", "target": "consort",
    });
    for durability in BOTH {
        let facade = World::new().facade();
        facade.start(true).await.unwrap();
        let _listens = facade.events();
        facade
            .register(Scripted::either(durability, "echo", |cx: Context, request| async move {
                cx.progress(1, 2, "half-way");
                let seen: BTreeMap<_, _> = cx.all_metadata().clone();
                assert_eq!(json!(seen), request);
                assert_eq!(cx.tenant().as_str(), "acme");
                done(request)
            }))
            .await
            .unwrap();
        let with = |cx: Context, (key, value): (&String, &Value)| cx.metadata(key, value.clone());
        let cx = reserved.as_object().unwrap().iter().fold(acme(), with);
        assert_eq!(value(facade.orchestrate("echo", cx, reserved.clone()).await), reserved);
    }
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Nothing;

impl Request for Nothing {
    const CALLEE: &'static str = "nothing";
    type Response = ();
}

struct Silent;

impl consort_core::Orchestrator for Silent {
    type Request = Nothing;

    fn descriptor(&self) -> consort_core::Descriptor {
        consort_core::Descriptor {
            name: name("nothing"),
            version: version("1.0.0"),
            layer: Layer::Infrastructure,
            kind: consort_core::Kind::Monitoring,
            durability: BOTH[0],
            purpose: "answers nothing".into(),
        }
    }

    async fn orchestrate(&self, _: &Context, _: Nothing) -> consort_core::StepResult<()> {
        Ok(Outcome::succeeded(()))
    }
}

#[tokio::test(start_paused = true)]
async fn c5_a_response_of_nothing_is_a_success_and_not_a_crash() {
    let facade = World::new().facade();
    facade.register(Silent).await.unwrap();
    assert_eq!(facade.call(acme(), Nothing).await.unwrap(), Outcome::succeeded(()));
    let json = facade.orchestrate("nothing", acme(), json!(null)).await.unwrap();
    assert_eq!(json, Outcome::succeeded(Value::Null));
    for durability in BOTH {
        let null = Scripted::either(durability, "null", |_, _| async { done(Value::Null) });
        let facade = World::new().facade();
        facade.start(true).await.unwrap();
        facade.register(null).await.unwrap();
        let asks = |cx, _| async move { ask(&cx, "null", 1).value().await.map(Outcome::succeeded) };
        facade.register(Scripted::either(durability, "asks", asks)).await.unwrap();
        assert_eq!(value(facade.orchestrate("asks", acme(), json!(1)).await), Value::Null);
    }
}

#[tokio::test(start_paused = true)]
async fn c6_lists_are_snapshots() {
    let facade = World::new().facade();
    for text in ["a", "b"] {
        facade.register(Scripted::durable(text, |_, v| async { done(v) })).await.unwrap();
    }
    let (mut all, mut domain) = (facade.list(), facade.by_layer(Layer::Domain));
    all.clear();
    domain[0].name = name("changed");
    drop(domain);
    assert_eq!((facade.list().len(), facade.by_layer(Layer::Domain).len()), (2, 2));
    let before = facade.list();
    facade.unregister(&name("a"), &version("1.0.0")).await.unwrap();
    assert_eq!((before.len(), facade.list().len()), (2, 1));
    assert_eq!(facade.get(&name("b")).unwrap().name, name("b"));
}

#[tokio::test(start_paused = true)]
async fn c7_nested_metadata_of_parent_and_child_never_alias() {
    for durability in BOTH {
        let facade = World::new().facade();
        facade.start(true).await.unwrap();
        let child = |cx: Context, _| async move {
            let mut nested = cx.all_metadata()["nested"].clone();
            nested["list"].as_array_mut().unwrap().push(json!("child"));
            let own = cx.metadata("nested", nested).metadata("only", json!("child"));
            done(json!(own.all_metadata()))
        };
        facade.register(Scripted::either(durability, "child", child)).await.unwrap();
        let parent = |cx: Context, _| async move {
            let before = cx.all_metadata().clone();
            let below = ask(&cx, "child", 1).value().await?;
            assert_eq!(below, json!({"nested": {"list": [1, "child"]}, "only": "child"}));
            assert_eq!(*cx.all_metadata(), before);
            done(json!(before))
        };
        facade.register(Scripted::either(durability, "parent", parent)).await.unwrap();
        let outer = acme().metadata("nested", json!({"list": [1]}));
        let result = facade.orchestrate("parent", outer.clone(), json!(1)).await;
        assert_eq!(value(result), json!({"nested": {"list": [1]}}));
        assert_eq!(json!(outer.all_metadata()), json!({"nested": {"list": [1]}}));
    }
}

#[tokio::test(start_paused = true)]
async fn c8_constructing_an_orchestrator_twice_registers_nothing() {
    let (facade, witness) = (World::new().facade(), Witness::default());
    facade.start(true).await.unwrap();
    let make = || Scripted::durable("hub", |_, v| async { done(v) }).lives(&witness);
    let (first, second) = (make(), make());
    assert!(facade.list().is_empty());
    facade.register(first).await.unwrap();
    assert_eq!(category(&facade.register(second).await), Category::Conflict);
    drop(make());
    assert_eq!(facade.list().len(), 1);
    assert_eq!(witness.all(), ["start hub"]);
    // A facade of its own is as good a place for it.
    let other = World::new().facade();
    other.register(make()).await.unwrap();
    assert_eq!(other.list().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn c9_background_tasks_end_with_their_scope() {
    for closes in [true, false] {
        let (facade, witness) = (World::new().facade(), Witness::default());
        let noted = witness.clone();
        let busy = Scripted::ephemeral("busy", |_, v| async { done(v) }).start(move |tasks| {
            for deaf in [true, false] {
                let noted = noted.clone();
                assert!(tasks.spawn("work", move |stop| {
                    let ended = OnDrop(noted.clone(), "task ended");
                    async move {
                        let _ended = ended;
                        if deaf {
                            std::future::pending::<()>().await;
                        }
                        stop.cancelled().await;
                    }
                }));
            }
            Ok(())
        });
        facade.register(busy).await.unwrap();
        facade.start(true).await.unwrap();
        settle().await;
        if closes {
            assert_eq!(facade.close(secs(1)).await.unwrap().aborted, 1);
        } else {
            facade.unregister(&name("busy"), &version("1.0.0")).await.unwrap();
        }
        assert_eq!(witness.all(), ["task ended", "task ended"]);
    }
}

#[test]
fn c9_nothing_in_the_engine_starts_a_task_without_an_owner() {
    let mut found = Vec::new();
    each_source(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut |path, text| {
        for (number, line) in text.lines().enumerate() {
            let bare = ["tokio::spawn", "task::spawn(", "Handle::current().spawn", "thread::spawn"];
            if bare.iter().any(|call| line.contains(call)) {
                found.push(format!("{path}:{}", number + 1));
            }
        }
    });
    assert_eq!(found, [""; 0]);
}

/// Shows every source file with its path below `src`, sorted.
fn each_source(folder: &Path, show: &mut impl FnMut(&str, &str)) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            each_source(&path, show);
        } else {
            let text = fs::read_to_string(&path).unwrap();
            let (_, below) = path.to_str().unwrap().rsplit_once("/src/").unwrap();
            show(below, &text);
        }
    }
}
