//! Claims about the registry.

use std::time::Duration;

use super::*;
use crate::breaker::State;
use crate::pipeline::{Call, Config};
use crate::testing::moment;
use crate::{Charge, Verdict, breaker};

fn registry(capacity: usize) -> Registry {
    let limits = Config {
        breaker: Some(breaker::Config {
            consecutive_failures: Some(1),
            ..breaker::Config::default()
        }),
        ..Config::default()
    };
    let limits = limits.validate().unwrap();
    Registry::new(capacity, move |_| limits.clone(), Env { seed: 1, ..Env::default() })
}

fn break_it(pipeline: &Pipeline) {
    let now = moment();
    pipeline.breaker().admit(now).unwrap().report(Charge::Failure, Duration::ZERO, now);
}

#[test]
fn same_name_is_the_same_pipeline() {
    let registry = registry(100);
    break_it(&registry.get("a").unwrap());
    assert_eq!(registry.get("a").unwrap().breaker().state(), State::Open);
    assert_eq!(registry.get("b").unwrap().breaker().state(), State::Closed);
    let names: Vec<String> = registry.list().iter().map(|p| p.callee().to_owned()).collect();
    assert_eq!(names, ["a", "b"]);
    assert!(registry.find("c").is_none());
}

#[test]
fn memory_is_bounded_and_an_open_breaker_is_never_forgotten() {
    let registry = registry(1_024);
    let broken: Vec<String> = (0..300).map(|n| format!("broken-{n}")).collect();
    broken.iter().for_each(|name| break_it(&registry.get(name).unwrap()));
    for n in 0..20_000 {
        let _ = registry.get(&format!("passing-{n}"));
        assert!(registry.len() <= 1_024);
    }
    for name in &broken {
        assert_eq!(registry.find(name).map(|p| p.breaker().state()), Some(State::Open), "{name}");
    }
}

#[test]
fn isolated_callee_is_never_forgotten() {
    let registry = registry(64);
    registry.get("held").unwrap().breaker().isolate();
    (0..1_000).for_each(|n| drop(registry.get(&format!("c{n}"))));
    assert_eq!(registry.get("held").unwrap().breaker().state(), State::Isolated);
}

#[test]
fn newcomer_is_refused_when_all_must_be_remembered() {
    let registry = registry(64);
    let mut refused = 0;
    for n in 0..2_000 {
        match registry.get(&format!("c{n}")) {
            Ok(pipeline) => break_it(&pipeline),
            Err(full) => {
                assert_eq!(full, Full { capacity: 64 });
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 2_000 - registry.len());
    assert!(registry.len() <= 64);
}

#[tokio::test(start_paused = true)]
async fn callee_with_a_call_under_way_is_not_forgotten() {
    let registry = registry(64);
    let pipeline = registry.get("busy").unwrap();
    let mut call = Box::pin(
        pipeline.run(Call::once(), Verdict::of_result::<(), ()>, |_| std::future::pending()),
    );
    assert!(futures_util::poll!(&mut call).is_pending());
    drop(call);
    let held = pipeline.clone();
    drop(pipeline);
    (0..1_000).for_each(|n| drop(registry.get(&format!("c{n}"))));
    held.breaker().isolate();
    assert_eq!(registry.get("busy").unwrap().breaker().state(), State::Isolated);
}
