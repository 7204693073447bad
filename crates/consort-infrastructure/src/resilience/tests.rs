//! Strategies, health and the operator's hand, through a facade.

mod hostile;

use consort_core::{
    Category, Context, Effect, Outcome, Status,
    events::{Event, Heard},
    record::{Record, RunState},
};
use serde_json::{Value, json};

use crate::{
    Config,
    resilience::events::{BREAKER_MOVED, HEALTH_CHANGED},
    testing::{Bench, Flow, Play, Scripted, pass, secs},
};

fn well(name: &'static str) -> Scripted {
    Scripted::new(name, Effect::Read, |_, _| Play::Answer)
}

fn dead(name: &'static str) -> Scripted {
    Scripted::new(name, Effect::Read, |_, _| Play::Fail(Category::Network))
}

fn execute(callee: &str, strategy: &str, more: Value) -> Value {
    let mut ask = json!({
        "operation": "execute", "callee": callee, "request": {}, "strategy": strategy,
    });
    let (Value::Object(ask_map), Value::Object(more)) = (&mut ask, more) else { panic!() };
    ask_map.extend(more);
    ask
}

async fn bench(parts: &[&Scripted]) -> Bench {
    Bench::new(Config::default(), parts).await
}

fn on(operation: &str, callee: &str) -> Value {
    json!({"operation": operation, "callee": callee})
}

// ===== strategies =====

#[tokio::test(start_paused = true)]
async fn every_strategy_takes_its_name_as_text_and_gives_the_value_back() {
    let part = well("part");
    let bench = bench(&[&part]).await;
    for (strategy, more) in [
        ("fail_fast", json!({})),
        ("retry", json!({})),
        ("circuit_breaker", json!({})),
        ("graceful_degrade", json!({"fallbacks": [{"value": 1}]})),
        ("adaptive_routing", json!({"endpoints": ["part"]})),
    ] {
        let outcome = bench.ask(execute("part", strategy, more)).await.unwrap();
        let Outcome::Succeeded { value } = outcome else { panic!("{strategy}: {outcome:?}") };
        assert_eq!(value["value"], json!({"by": "part"}), "{strategy}");
        assert_eq!(value["strategy"], strategy);
    }
    let error = bench.ask(execute("part", "hope", json!({}))).await.unwrap_err();
    assert_eq!(error.category(), Category::InvalidRequest);
}

#[tokio::test(start_paused = true)]
async fn fail_fast_tries_once_and_retry_as_often_as_the_guards_allow() {
    let (one, three) = (dead("one"), dead("three"));
    let bench = bench(&[&one, &three]).await;
    let error = bench.ask(execute("one", "fail_fast", json!({}))).await.unwrap_err();
    assert_eq!((error.category(), one.calls()), (Category::Network, 1));
    let error = bench.ask(execute("three", "retry", json!({}))).await.unwrap_err();
    assert_eq!((error.category(), three.calls()), (Category::Network, 3));
    assert_eq!(error.guards().len(), 2, "the guards that fired: {:?}", error.guards());
}

#[tokio::test(start_paused = true)]
async fn a_fallback_is_a_degraded_answer_and_a_failure_of_the_callee() {
    let (main, spare) = (dead("main"), well("spare"));
    let bench = bench(&[&main, &spare]).await;
    let fallbacks =
        json!({"fallbacks": [{"call": {"callee": "spare", "request": {}}}, {"value": null}]});
    let outcome = bench.ask(execute("main", "graceful_degrade", fallbacks)).await.unwrap();
    let Outcome::Degraded { value, losses } = outcome else { panic!("{outcome:?}") };
    assert_eq!((&value["by"], &value["value"]), (&json!("spare"), &json!({"by": "spare"})));
    assert!(losses[0].what.contains("`main`") && losses[0].why.contains("script"), "{losses:?}");
    let report = bench.report();
    let main = report.callees.iter().find(|callee| callee.callee == "main").unwrap();
    assert_eq!((main.calls, main.failures), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn fallbacks_are_of_the_call_and_the_last_cause_is_kept() {
    let (main, spare) = (dead("main"), dead("spare"));
    let bench = bench(&[&main, &spare]).await;
    let value = json!({"fallbacks": [{"value": "stale"}]});
    let outcome = bench.ask(execute("main", "graceful_degrade", value)).await.unwrap();
    assert_eq!(outcome.value().unwrap()["value"], "stale");
    let other = json!({"fallbacks": [{"call": {"callee": "spare", "request": {}}}]});
    let error = bench.ask(execute("main", "graceful_degrade", other)).await.unwrap_err();
    assert!(error.causes().iter().any(|cause| cause.contains("instead: `spare`")), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_answers_without_touching_the_callee_and_closes_again() {
    let part = Scripted::new("part", Effect::Read, |number, _| match number {
        1..=5 => Play::Fail(Category::Network),
        _ => Play::Answer,
    });
    let bench = bench(&[&part]).await;
    let ask = || execute("part", "circuit_breaker", json!({"fallbacks": [{"value": 7}]}));
    for _ in 0..5 {
        assert_eq!(bench.ask(ask()).await.unwrap_err().category(), Category::Network);
    }
    for _ in 0..20 {
        let outcome = bench.ask(ask()).await.unwrap();
        assert_eq!(outcome.value().unwrap()["value"], 7);
        assert_eq!(Status::of(&Ok(outcome)), Status::Degraded);
    }
    assert_eq!((part.calls(), bench.state("part").0.as_str()), (5, "open"));
    pass(secs(6)).await;
    for _ in 0..3 {
        let outcome = bench.ask(ask()).await.unwrap();
        assert_eq!(outcome.value().unwrap()["value"], json!({"by": "part"}));
    }
    assert_eq!(bench.state("part").0, "closed");
    pass(secs(1)).await;
    let moves: Vec<String> = bench.ear.heard(BREAKER_MOVED).into_iter().map(|(_, to)| to).collect();
    assert_eq!(moves, ["open", "half_open", "closed"]);
}

#[tokio::test(start_paused = true)]
async fn routing_leaves_the_dead_and_the_slow_alone() {
    let (quick, slow, gone) = (
        Scripted::new("quick", Effect::Read, |_, _| Play::Take(secs(1) / 100)),
        Scripted::new("slow", Effect::Read, |_, _| Play::Take(secs(2))),
        dead("gone"),
    );
    let bench = bench(&[&quick, &slow, &gone]).await;
    let more = json!({"endpoints": ["quick", "slow", "gone"]});
    for _ in 0..200 {
        let outcome = bench.ask(execute("group", "adaptive_routing", more.clone())).await.unwrap();
        assert_ne!(outcome.value().unwrap()["by"], "gone");
    }
    assert!(quick.calls() > 150, "{}", quick.calls());
    assert!(slow.calls() < 40 && gone.calls() < 20, "{} {}", slow.calls(), gone.calls());
}

#[tokio::test(start_paused = true)]
async fn routing_tries_no_endpoint_twice_while_another_is_left() {
    let parts = [dead("a"), dead("b"), dead("c"), dead("d")];
    let bench = bench(&parts.each_ref()).await;
    for tried in 1..=5 {
        let more = json!({"endpoints": ["a", "b", "c", "d"]});
        bench.ask(execute("group", "adaptive_routing", more)).await.unwrap_err();
        let calls: Vec<u32> = parts.iter().map(Scripted::calls).collect();
        assert_eq!(calls.iter().sum::<u32>(), 3 * tried, "{calls:?}");
        assert!(calls.iter().all(|calls| *calls <= tried), "{calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn routing_stays_among_the_endpoints_its_caller_named() {
    let hangs = |name| Scripted::new(name, Effect::Read, |_, _| Play::Hang);
    let (a, b, other) = (hangs("a"), hangs("b"), well("other"));
    let bench = bench(&[&a, &b, &other]).await;
    let one = bench.ask(execute("group", "adaptive_routing", json!({"endpoints": ["a", "b"]})));
    let two = async {
        pass(secs(1)).await;
        bench.ask(execute("group", "adaptive_routing", json!({"endpoints": ["other"]}))).await
    };
    let (one, two) = tokio::join!(one, two);
    assert_eq!(one.unwrap_err().category(), Category::Timeout);
    assert_eq!(two.unwrap().value().unwrap()["by"], "other");
    assert_eq!((a.calls(), b.calls(), other.calls()), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn routing_goes_around_what_an_operator_holds_off() {
    let (a, b) = (well("a"), well("b"));
    let bench = bench(&[&a, &b]).await;
    bench.ask(on("isolate", "a")).await.unwrap();
    for _ in 0..50 {
        let more = json!({"endpoints": ["a", "b"]});
        bench.ask(execute("group", "adaptive_routing", more)).await.unwrap();
    }
    assert_eq!((a.calls(), b.calls()), (0, 50));
}

#[tokio::test(start_paused = true)]
async fn what_must_not_happen_twice_is_not_sent_elsewhere() {
    let fail = |_: u32, _: &Value| Play::Fail(Category::Network);
    let (a, b) = (Scripted::new("a", Effect::Once, fail), Scripted::new("b", Effect::Once, fail));
    let bench = bench(&[&a, &b]).await;
    let more = json!({"endpoints": ["a", "b"]});
    bench.ask(execute("group", "adaptive_routing", more)).await.unwrap_err();
    assert_eq!(a.calls() + b.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_together_is_refused_by_field() {
    let part = well("part");
    let bench = bench(&[&part]).await;
    for (strategy, more, field) in [
        ("adaptive_routing", json!({}), "/endpoints"),
        ("adaptive_routing", json!({"endpoints": ["a", "a"]}), "/endpoints"),
        ("retry", json!({"endpoints": ["part"]}), "/endpoints"),
        ("retry", json!({"fallbacks": [{"value": 1}]}), "/fallbacks"),
        ("graceful_degrade", json!({}), "/fallbacks"),
    ] {
        let error = bench.ask(execute("part", strategy, more)).await.unwrap_err();
        assert_eq!(error.category(), Category::InvalidRequest);
        assert_eq!(error.violations()[0].pointer, field, "{strategy}");
    }
    assert_eq!(part.calls(), 0);
}

// ===== health =====

#[tokio::test(start_paused = true)]
async fn health_is_of_the_last_minute_and_changes_are_told() {
    let part = Scripted::new("part", Effect::Read, |number, _| match number {
        1..=100 => Play::Answer,
        _ => Play::Fail(Category::Internal),
    });
    let bench = bench(&[&part]).await;
    let health = || async {
        let answer = bench.ask(on("health", "part")).await.unwrap();
        let report = answer.value().unwrap()["report"].clone();
        (report["overall"].as_str().unwrap().to_owned(), report["callees"][0].clone())
    };
    assert_eq!(health().await.0, "no_data");
    for _ in 0..100 {
        bench.call("part", json!({})).await.unwrap();
    }
    assert_eq!(health().await.0, "healthy");
    pass(secs(60)).await;
    let (overall, callee) = health().await;
    assert_eq!(overall, "no_data");
    assert_eq!(callee["success_rate"], Value::Null, "no number without data");
    for _ in 0..5 {
        bench.call("part", json!({})).await.unwrap_err();
    }
    let (overall, callee) = health().await;
    assert_eq!((overall.as_str(), &callee["breaker"]["state"]), ("unhealthy", &json!("open")));
    pass(secs(1)).await;
    let told: Vec<String> = bench.ear.heard(HEALTH_CHANGED).into_iter().map(|(_, to)| to).collect();
    assert_eq!(told, ["healthy", "no_data", "unhealthy"]);
}

#[tokio::test(start_paused = true)]
async fn the_background_check_survives_calls_and_ends_with_the_facade() {
    let part = dead("part");
    let bench = bench(&[&part]).await;
    for _ in 0..20 {
        bench.ask(json!({"operation": "health"})).await.unwrap();
    }
    for _ in 0..5 {
        let _ = bench.call("part", json!({})).await;
    }
    pass(secs(5)).await;
    let told = [("part".to_owned(), "unhealthy".to_owned())];
    assert_eq!(bench.ear.heard(HEALTH_CHANGED), told);
    let shown = bench.ear.shown();
    assert_eq!(shown.last().unwrap().callees[0].callee, "part");

    assert_eq!(bench.facade.close(secs(1)).await.unwrap().aborted, 0);
    let after = bench.ear.shown().len();
    bench.layer.guards().reset("part");
    pass(secs(600)).await;
    assert_eq!(bench.ear.heard(HEALTH_CHANGED), told);
    assert_eq!(bench.ear.shown().len(), after);
}

#[tokio::test(start_paused = true)]
async fn an_idle_process_shows_its_state_once() {
    let bench = bench(&[]).await;
    pass(secs(3600)).await;
    assert_eq!(bench.ear.shown().len(), 1);
    assert!(bench.ear.heard(HEALTH_CHANGED).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_call_after_a_long_sleep_is_seen_and_forgotten_in_time() {
    let part = well("part");
    let bench = bench(&[&part]).await;
    pass(secs(3600)).await;
    bench.call("part", json!({})).await.unwrap();
    let calls = || bench.ear.shown().last().unwrap().callees[0].calls;
    pass(secs(1)).await;
    assert_eq!(calls(), 1, "nobody waits for a tick of the clock");
    pass(secs(120)).await;
    assert_eq!(calls(), 0, "while something is remembered the clock goes on");
}

// ===== the operator's hand =====

#[tokio::test(start_paused = true)]
async fn what_is_held_off_is_refused_until_it_is_released() {
    let web = well("web");
    let bench = bench(&[&web]).await;
    let (bad, good) = (json!({"host": "bad"}), json!({"host": "good"}));
    bench.call("web", bad.clone()).await.unwrap();
    let reason = json!({"operation": "isolate", "callee": "web/bad", "reason": "maintenance"});
    bench.ask(reason.clone()).await.unwrap();
    let again = bench.ask(reason).await.unwrap();
    assert_eq!(again.value().unwrap()["already"], true);

    let error = bench.call("web", bad.clone()).await.unwrap_err();
    assert_eq!(error.category(), Category::CircuitOpen);
    assert!(error.message().contains("maintenance"), "{error}");
    assert_eq!(error.suggested_actions(), ["when it is well again: consort release web/bad"]);
    assert_eq!(error.guards()[0].guard, "isolation");
    assert_eq!(bench.ending("web", good).await, "succeeded");
    assert_eq!(bench.state("web/bad"), ("isolated".into(), "isolated"));

    bench.ask(on("release", "web/bad")).await.unwrap();
    assert_eq!(bench.ending("web", bad).await, "succeeded");
    assert_eq!(bench.state("web/bad").0, "half_open", "the first calls are probes");
    let outcome = bench.ask(on("release", "web/bad")).await.unwrap();
    assert_eq!(Status::of(&Ok(outcome)), Status::Skipped);
}

#[tokio::test(start_paused = true)]
async fn holding_a_callee_off_covers_its_endpoints_and_orchestrators_too() {
    let web = well("web");
    let bench = bench(&[&web]).await;
    bench.ask(on("isolate", "web")).await.unwrap();
    assert_eq!(bench.ending("web", json!({"host": "a"})).await, "circuit_open");
    let flow = Flow(std::sync::Arc::new(|_, _| {
        Box::pin(std::future::ready(Ok(Outcome::succeeded(Value::Null))))
    }));
    bench.facade.register(flow).await.unwrap();
    assert_eq!(bench.ending("flow", json!({})).await, "succeeded");
    bench.ask(on("isolate", "flow")).await.unwrap();
    assert_eq!(bench.ending("flow", json!({})).await, "circuit_open");
    bench.ask(on("release", "flow")).await.unwrap();
    assert_eq!(bench.ending("flow", json!({})).await, "succeeded");
}

#[tokio::test(start_paused = true)]
async fn only_what_exists_can_be_held_off_and_never_the_way_back() {
    let part = well("part");
    let bench = bench(&[&part]).await;
    let error = bench.ask(on("isolate", "parts")).await.unwrap_err();
    assert_eq!(error.category(), Category::NotFound);
    for name in ["resilience", "isolation", "isolation/one", "no spaces", "", "part/"] {
        let error = bench.ask(on("isolate", name)).await.unwrap_err();
        assert_eq!(error.category(), Category::InvalidRequest, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_held_off_stays_so_in_the_next_process() {
    let part = well("part");
    let first = bench(&[&part]).await;
    first.ask(on("isolate", "part")).await.unwrap();
    pass(secs(3)).await;
    let second = first.restarted().await;
    assert_eq!(second.ending("part", json!({})).await, "circuit_open");
    assert_eq!(second.report().isolations.len(), 1);
    second.ask(on("release", "part")).await.unwrap();
    let third = second.restarted().await;
    assert_eq!(third.ending("part", json!({})).await, "succeeded");
    let runs = third.facade.runs(Default::default()).await.unwrap();
    assert!(runs.iter().all(|run| run.state == RunState::Ended), "{runs:#?}");
}

#[tokio::test(start_paused = true)]
async fn cancelling_the_record_of_an_isolation_ends_it() {
    let part = well("part");
    let bench = bench(&[&part]).await;
    bench.ask(on("isolate", "part")).await.unwrap();
    let run = bench.report().isolations[0].run.clone();
    pass(secs(5)).await;
    bench.facade.cancel(&run, "by hand").await.unwrap();
    pass(secs(1)).await;
    assert_eq!(bench.ending("part", json!({})).await, "succeeded");
}

#[tokio::test(start_paused = true)]
async fn reset_closes_a_breaker_and_forgets() {
    let part = Scripted::new("part", Effect::Read, |number, _| match number {
        1..=5 => Play::Fail(Category::Network),
        _ => Play::Answer,
    });
    let bench = bench(&[&part]).await;
    for _ in 0..5 {
        let _ = bench.call("part", json!({})).await;
    }
    bench.ask(on("isolate", "part")).await.unwrap();
    let outcome = bench.ask(on("reset", "part")).await.unwrap();
    assert_eq!(outcome.value().unwrap()["pipelines"], 1);
    assert_eq!(bench.state("part"), ("closed".into(), "no_data"));
    assert_eq!(bench.ending("part", json!({})).await, "succeeded");
    let outcome = bench.ask(on("reset", "never_called")).await.unwrap();
    assert_eq!(Status::of(&Ok(outcome)), Status::Skipped);
}

#[tokio::test(start_paused = true)]
async fn configuring_changes_the_guards_and_forgets_nothing() {
    let part = dead("part");
    let bench = bench(&[&part]).await;
    let configure = |callee: &str, guards: Value| {
        bench.ask(json!({"operation": "configure", "callee": callee, "guards": guards}))
    };
    for _ in 0..5 {
        let _ = bench.call("part", json!({})).await;
    }
    assert_eq!(bench.state("part").0, "open");
    let changed = configure("part", json!({"breaker": {"successes": 1}, "hedge": "off"})).await;
    let guards = changed.unwrap().value().unwrap()["guards"].clone();
    assert_eq!((&guards["breaker"]["successes"], &guards["hedge"]), (&json!(1), &json!("off")));
    assert_eq!(guards["bulkhead"]["limit"], 64, "what was not named is as it was");
    assert_eq!(bench.state("part").0, "open");
    // Laid over what it has by now, and an endpoint starts from what its callee has.
    let changed = configure("part/here", json!({"bulkhead": {"limit": 2}})).await;
    let guards = changed.unwrap().value().unwrap()["guards"].clone();
    assert_eq!(guards["breaker"]["successes"], 1);
    assert_eq!(bench.layer.guards().config("part").bulkhead.unwrap().limit, 64);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_configured_is_refused_by_name() {
    let bench = bench(&[&well("part")]).await;
    let before = bench.layer.guards().config("part");
    for (guards, named) in [
        (json!({"braker": {}}), "`braker`"),
        (json!({"breaker": {"colour": 1}}), "`colour`"),
        (json!({"bulkhead": {"limit": 0}}), "`bulkhead.limit`"),
        (json!({"rate": {"tokens": 1, "per": 5}}), "duration with its unit"),
    ] {
        let ask = json!({"operation": "configure", "callee": "part", "guards": guards});
        let error = bench.ask(ask).await.unwrap_err();
        assert_eq!(error.category(), Category::InvalidRequest);
        assert!(error.violations()[0].message.contains(named), "{error:?}");
    }
    let ask = json!({"operation": "configure", "callee": "nobody"});
    assert_eq!(bench.ask(ask).await.unwrap_err().category(), Category::NotFound);
    assert_eq!(bench.layer.guards().config("part"), before);
}

#[tokio::test(start_paused = true)]
async fn describe_tells_the_guards_of_a_callee() {
    let bench = bench(&[&well("part")]).await;
    let outcome = bench.ask(on("describe", "part")).await.unwrap();
    let guards = outcome.value().unwrap()["guards"].as_array().unwrap();
    let names: Vec<&str> = guards.iter().filter_map(|guard| guard["name"].as_str()).collect();
    let order = ["isolation", "deadline", "retry", "breaker", "bulkhead", "attempt_timeout"];
    assert_eq!(names, order);
}

// ===== on record =====

#[tokio::test(start_paused = true)]
async fn guards_that_fired_are_in_the_journal_and_the_events_by_name() {
    let flaky = Scripted::new("flaky", Effect::Read, |number, _| match number % 2 {
        1 => Play::Fail(Category::Network),
        _ => Play::Answer,
    });
    let bench = bench(&[&flaky]).await;
    let flow = Flow(std::sync::Arc::new(|cx: Context, _| {
        Box::pin(async move {
            cx.call_json("flaky", json!({})).value().await?;
            let inside = execute("flaky", "retry", json!({}));
            let value = cx.call_json("resilience", inside).value().await?;
            Ok(Outcome::succeeded(value))
        })
    }));
    bench.facade.register(flow).await.unwrap();
    let mut events = bench.facade.events();
    bench.call("flow", json!({})).await.unwrap();
    let runs = bench.facade.runs(Default::default()).await.unwrap();
    let history = bench.facade.history(&runs[0].id).await.unwrap();
    let mut steps = 0;
    for record in &history.records {
        if let Record::Step(step) = record {
            steps += 1;
            let guards: Vec<&str> = step.guards.iter().map(|fired| &*fired.guard).collect();
            assert_eq!(guards, ["retry"], "{}", step.callee);
        }
    }
    assert_eq!(steps, 2);
    let mut fired = 0;
    while let Some(Heard::Event(event)) = events.try_next() {
        if let Event::GuardFired { fired: guard, .. } = &*event {
            assert_eq!(guard.guard, "retry");
            fired += 1;
        }
    }
    assert_eq!(fired, 2);
}
