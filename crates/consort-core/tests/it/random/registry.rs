//! Threads that register, unregister and call the same names at once.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use consort_core::{
    Category, Context, Durability, Facade, Layer, Limits, Random, Seeded, StepError,
    journal::Journal,
};
use serde_json::{Value, json};
use tokio::{runtime::Runtime, time::timeout};

use crate::fixtures::{Scripted, World, acme, ask, done, name, secs, version};

const NAMES: [&str; 3] = ["a", "b", "c"];
const VERSIONS: [&str; 3] = ["1.0.0", "1.1.0", "2.0.0"];
const ROUNDS: u64 = 300;
/// Longer than anything here can take; a wedged registry would not answer at all.
const BOUND: Duration = secs(60);

fn pick<T: Copy>(chance: &Seeded, all: &[T]) -> T {
    all[chance.bits() as usize % all.len()]
}

/// Calls its neighbour, which may just be leaving, or never have been there.
fn orchestrator(text: &'static str, at: &str, durability: Durability) -> Scripted {
    Scripted::either(durability, text, |cx: Context, request: Value| async move {
        let Some(next) = request.as_u64().filter(|n| *n > 0) else { return done(0) };
        let _ = ask(&cx, NAMES[next as usize % NAMES.len()], next - 1).await;
        done(next)
    })
    .version(at)
}

async fn change(facade: &Facade, chance: &Seeded) -> Result<(), StepError> {
    let (text, at) = (pick(chance, &NAMES), pick(chance, &VERSIONS));
    if chance.bits().is_multiple_of(2) {
        let durability = pick(chance, &[Durability::Durable, Durability::Ephemeral]);
        facade.register(orchestrator(text, at, durability)).await
    } else {
        facade.unregister(&name(text), &version(at)).await
    }
}

async fn look(facade: &Facade, chance: &Seeded) {
    let text = name(pick(chance, &NAMES));
    let _ = facade.describe(&text);
    assert!(facade.list().len() <= NAMES.len() * VERSIONS.len());
    assert!(facade.by_layer(Layer::Domain).iter().all(|one| NAMES.contains(&one.name.as_str())));
}

#[test]
fn the_registry_never_wedges_while_threads_register_unregister_and_call() {
    let runtime = Runtime::new().unwrap();
    let world = World::limited(Limits { grace: secs(1), ..Limits::default() });
    let facade = world.facade();
    runtime.block_on(facade.start(true)).unwrap();
    let (changed, answered) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for seed in 0..2 {
            let (handle, facade, changed) = (runtime.handle(), &facade, &changed);
            scope.spawn(move || {
                let chance = Seeded::new(seed);
                for _ in 0..ROUNDS {
                    let result =
                        handle.block_on(async { timeout(BOUND, change(facade, &chance)).await });
                    match result.expect("the registry is not wedged") {
                        Ok(()) => _ = changed.fetch_add(1, Ordering::Relaxed),
                        Err(error) => {
                            let known = [Category::Conflict, Category::NotFound];
                            assert!(known.contains(&error.category()), "{error:?}");
                        }
                    }
                }
            });
        }
        for seed in 2..5 {
            let (handle, facade, answered) = (runtime.handle(), &facade, &answered);
            scope.spawn(move || {
                let chance = Seeded::new(seed);
                for _ in 0..ROUNDS {
                    let call =
                        facade.orchestrate(pick(&chance, &NAMES), acme(), json!(chance.bits() % 4));
                    let result = handle.block_on(async { timeout(BOUND, call).await });
                    match result.expect("the call is answered") {
                        Ok(_) => _ = answered.fetch_add(1, Ordering::Relaxed),
                        Err(error) => {
                            let known = [
                                Category::NotFound,
                                Category::ShuttingDown,
                                Category::Cancelled,
                                Category::RunBlocked,
                            ];
                            assert!(known.contains(&error.category()), "{error:?}");
                        }
                    }
                    handle.block_on(look(facade, &chance));
                }
            });
        }
    });
    assert!(changed.into_inner() > 50 && answered.into_inner() > 50);

    runtime.block_on(async {
        for one in facade.list() {
            let gone = timeout(BOUND, facade.unregister(&one.name, &one.version)).await;
            gone.expect("the registry is not wedged").unwrap();
        }
        assert_eq!(facade.list(), []);
        facade.register(orchestrator("a", "3.0.0", Durability::Durable)).await.unwrap();
        facade.orchestrate("a", acme(), json!(0)).await.unwrap();
        let open = world.journal.open_runs().await.unwrap();
        let listed = facade.blocked();
        assert!(open.iter().all(|run| listed.iter().any(|(id, ..)| *id == run.id)), "{open:?}");
        facade.close(secs(1)).await.unwrap();
    });
}
