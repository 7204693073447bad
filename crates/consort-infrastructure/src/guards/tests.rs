//! What the guards do to steps.

use std::{collections::BTreeMap, time::Duration};

use consort_core::{Category, Context, Effect, Name, Outcome, Status, guard::StepGuards};
use consort_resilience::{Again, Charge};
use serde_json::{Value, json};

use super::*;
use crate::testing::{Bench, Play, Scripted, pass, secs};

fn dead(name: &'static str) -> Scripted {
    Scripted::new(name, Effect::Read, |_, _| Play::Fail(Category::Network))
}

fn described(guards: &Guards, callee: &str, effect: Effect) -> Vec<String> {
    let all = guards.describe(&Name::new(callee).unwrap(), effect);
    all.into_iter().map(|guard| format!("{}: {}", guard.name, guard.settings)).collect()
}

#[test]
fn the_order_of_guards_is_what_describe_says() {
    let guards = Guards::new(Config::default()).unwrap();
    let bound = "the run's deadline or the call's own time-out if earlier";
    let isolation = "isolation: refuses what an operator holds off".to_owned();
    assert_eq!(
        described(&guards, "anything", Effect::Read),
        [
            isolation.clone(),
            format!("deadline: 15m; {bound}"),
            "retry: 3 attempts, 200ms to 10s, full jitter, budget 20% + 1/s".into(),
            "breaker: opens at 5 failures in a row or 50% failed of 20+ calls; rests 5s to 1m"
                .into(),
            "bulkhead: 64 at once, 4096 waiting up to 5m".into(),
            "attempt_timeout: 2m".into(),
        ]
    );
    let site: Vec<String> = described(&guards, "acquire", Effect::Read);
    let names: Vec<&str> = site.iter().filter_map(|line| line.split(':').next()).collect();
    let order =
        ["isolation", "deadline", "retry", "breaker", "rate", "bulkhead", "attempt_timeout"];
    assert_eq!(names, order);
    let local = described(&guards, "extract_text", Effect::Pure);
    assert_eq!(local, [isolation, format!("deadline: {bound}")]);
    let once = described(&guards, "anything", Effect::Once);
    assert_eq!(once[2], "retry: none: the effect must not happen twice");
}

#[test]
fn callees_arrive_while_others_are_configured_and_all_end_up_alike() {
    let guards = Guards::new(Config::default()).unwrap();
    let arrive = |whose: &str| {
        for n in 0..1_000 {
            assert!(guards.0.outside.get(&format!("acquire/{whose}{n}")).is_ok());
            guards.describe(&Name::new("acquire").unwrap(), Effect::Read);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| arrive("a"));
        scope.spawn(|| arrive("b"));
        for limit in 1..=100 {
            let guards_of = json!({"bulkhead": {"limit": limit}});
            let callee = Callee { preset: None, guards: guards_of };
            guards.configure("acquire", &callee).unwrap();
        }
    });
    let all = guards.0.outside.list();
    assert_eq!(all.len(), 2_000);
    let limit = |pipeline: &Pipeline| pipeline.limits().config().bulkhead.map(|one| one.limit);
    assert!(all.iter().all(|pipeline| limit(pipeline) == Some(100)));
}

#[test]
fn which_failures_count_is_what_the_table_says() {
    for category in Category::ALL {
        let facts = category.facts();
        let error = StepError::new(*category, "x");
        let judged = verdict(&Err(error.clone()));
        assert_eq!(judged.charge == Charge::Failure, facts.breaker, "{category}");
        assert_eq!(judged.charge == Charge::Answered, facts.answered, "{category}");
        assert_ne!(judged.charge, Charge::Success, "{category}");
        assert_eq!(judged.again != Again::Never, facts.transient, "{category}");
        let wished = verdict(&Err(error.retry_after(secs(3))));
        assert_eq!(wished.again == Again::After(secs(3)), facts.transient, "{category}");
    }
    assert_eq!(verdict(&Ok(Outcome::succeeded(Value::Null))).charge, Charge::Success);
    assert_eq!(verdict(&Ok(Outcome::uncertain("?"))).charge, Charge::Nothing);
}

#[tokio::test(start_paused = true)]
async fn a_host_without_our_pages_is_no_longer_on_probation() {
    let host = Scripted::new("host", Effect::Read, |number, _| match number {
        1..=5 => Play::Fail(Category::Internal),
        _ => Play::Fail(Category::NotFound),
    });
    let bench = Bench::new(Config::default(), &[&host]).await;
    for _ in 0..5 {
        assert_eq!(bench.ending("host", json!({})).await, "internal");
    }
    assert_eq!(bench.state("host").0, "open");
    pass(secs(60)).await;
    for state in ["half_open", "closed", "closed"] {
        assert_eq!(bench.ending("host", json!({})).await, "not_found");
        assert_eq!(bench.state("host").0, state);
    }
}

#[tokio::test(start_paused = true)]
async fn a_passing_failure_is_retried_and_told_by_name() {
    let flaky = Scripted::new("flaky", Effect::Read, |number, _| match number {
        1 => Play::Fail(Category::Unavailable),
        2 => Play::Hang,
        _ => Play::Answer,
    });
    let bench = Bench::new(Config::default(), &[&flaky]).await;
    let ask =
        json!({"operation": "execute", "callee": "flaky", "request": {}, "strategy": "retry"});
    let outcome = bench.ask(ask).await.unwrap();
    assert_eq!(
        outcome.value().unwrap()["fired"],
        json!([
            {"guard": "retry", "did": "attempt 1 failed: unavailable"},
            {"guard": "retry", "did": "attempt 2 was cut short"},
            {"guard": "attempt_timeout", "did": "cut an attempt short"},
        ])
    );
    assert_eq!(flaky.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_program_or_the_caller_are_not_retried() {
    for category in [Category::Internal, Category::InvalidRequest, Category::ModelFailed] {
        let broken = Scripted::new("broken", Effect::Read, move |_, _| Play::Fail(category));
        let bench = Bench::new(Config::default(), &[&broken]).await;
        assert_eq!(bench.ending("broken", json!({})).await, category.name());
        assert_eq!(broken.calls(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn failures_that_say_nothing_about_the_callee_are_not_charged() {
    let picky = Scripted::new("picky", Effect::Read, |_, _| Play::Fail(Category::NotFound));
    let bench = Bench::new(Config::default(), &[&picky]).await;
    for _ in 0..50 {
        assert_eq!(bench.ending("picky", json!({})).await, "not_found");
    }
    assert_eq!(bench.state("picky"), ("closed".into(), "no_data"));
    let slow = Scripted::new("slow", Effect::Read, |_, _| Play::Hang);
    let bench = Bench::new(Config::default(), &[&slow]).await;
    for _ in 0..50 {
        let cx = Context::default().timeout(Duration::from_millis(5));
        bench.facade.orchestrate("slow", cx, json!({})).await.unwrap_err();
    }
    assert_eq!(bench.state("slow"), ("closed".into(), "no_data"), "the callers had no patience");
}

#[tokio::test(start_paused = true)]
async fn only_failures_in_a_row_or_at_a_high_rate_open_a_breaker() {
    let often = Scripted::new("often", Effect::Read, |number, _| match number % 4 {
        0 => Play::Fail(Category::Internal),
        _ => Play::Answer,
    });
    let bench = Bench::new(Config::default(), &[&often]).await;
    for _ in 0..400 {
        let _ = bench.call("often", json!({})).await;
    }
    assert_eq!(bench.state("often"), ("closed".into(), "degraded"));
    assert_eq!(often.calls(), 400, "a hundred failures, and nobody was refused");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_fails_does_not_hurt_its_neighbours() {
    let web = Scripted::new("web", Effect::Read, |_, request| match request["host"].as_str() {
        Some("bad") => Play::Fail(Category::Network),
        _ => Play::Answer,
    });
    let bench = Bench::new(Config::default(), &[&web]).await;
    for _ in 0..10 {
        let _ = bench.call("web", json!({"host": "bad"})).await;
        assert_eq!(bench.ending("web", json!({"host": "good"})).await, "succeeded");
    }
    assert_eq!(bench.ending("web", json!({"host": "bad"})).await, "circuit_open");
    assert_eq!(bench.state("web/bad"), ("open".into(), "unhealthy"));
    assert_eq!(bench.state("web/good"), ("closed".into(), "healthy"));
}

#[tokio::test(start_paused = true)]
async fn local_work_takes_as_long_as_it_needs() {
    let work = Scripted::new("work", Effect::Pure, |_, _| Play::Take(secs(36_000)));
    let bench = Bench::new(Config::default(), &[&work]).await;
    assert_eq!(bench.ending("work", json!({})).await, "succeeded");
}

#[tokio::test(start_paused = true)]
async fn bad_input_to_local_work_does_not_hurt_other_input() {
    let file = Scripted::new("file", Effect::Read, |_, request| match &request["bad"] {
        Value::Null => Play::Answer,
        _ => Play::Fail(Category::ProcessingFailed),
    });
    let bench = Bench::new(Config::default(), &[&file]).await;
    for _ in 0..20 {
        let bad = json!({"local": true, "bad": true});
        assert_eq!(bench.ending("file", bad).await, "processing_failed");
    }
    assert_eq!(bench.ending("file", json!({"local": true})).await, "succeeded");
}

#[tokio::test(start_paused = true)]
async fn what_must_not_happen_twice_is_in_doubt_when_it_was_cut_short() {
    let pay = Scripted::new("pay", Effect::Once, |_, _| Play::Hang);
    let bench = Bench::new(Config::default(), &[&pay]).await;
    let outcome = bench.call("pay", json!({})).await.unwrap();
    assert_eq!(Status::of(&Ok(outcome)), Status::Uncertain);
    assert_eq!(pay.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_callees_wish_to_be_left_alone_is_kept() {
    let busy = Scripted::new("busy", Effect::Read, |number, _| match number {
        1 => Play::Busy(secs(40)),
        _ => Play::Answer,
    });
    let bench = Bench::new(Config::default(), &[&busy]).await;
    let began = Instant::now();
    assert_eq!(bench.ending("busy", json!({})).await, "succeeded");
    assert!((secs(40)..secs(51)).contains(&began.elapsed()), "{:?}", began.elapsed());
    let long = Scripted::new("long", Effect::Read, |_, _| Play::Busy(secs(3600)));
    let bench = Bench::new(Config::default(), &[&long]).await;
    let error = bench.call("long", json!({})).await.unwrap_err();
    assert_eq!(error.category(), Category::RateLimited);
    assert_eq!(error.retry_after_hint(), Some(secs(3600)), "nobody waits that long for others");
    assert_eq!(long.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_step_ends_by_the_deadline_of_its_run() {
    let slow = Scripted::new("slow", Effect::Read, |_, _| Play::Hang);
    let bench = Bench::new(Config::default(), &[&slow]).await;
    let began = Instant::now();
    let cx = Context::default().timeout(secs(300));
    let error = bench.facade.orchestrate("slow", cx, json!({})).await.unwrap_err();
    assert_eq!(began.elapsed(), secs(300));
    assert_eq!(error.category(), Category::DeadlineExceeded);
    let guards: Vec<&str> = error.guards().iter().map(|fired| &*fired.guard).collect();
    assert_eq!(guards, ["deadline", "retry", "retry", "attempt_timeout"]);
}

#[tokio::test(start_paused = true)]
async fn guards_change_at_run_time_and_nothing_is_forgotten() {
    let part = dead("part");
    let bench = Bench::new(Config::default(), &[&part]).await;
    for _ in 0..5 {
        let _ = bench.call("part", json!({})).await;
    }
    assert_eq!(bench.state("part").0, "open");
    let guards = json!({"retry": "off", "attempt_timeout": "3s"});
    let guards = Callee { preset: Some(Preset::Search), guards };
    bench.layer.guards().configure("part", &guards).unwrap();
    assert_eq!(bench.state("part").0, "open");
    let now = described(bench.layer.guards(), "part", Effect::Read);
    assert!(now.contains(&"attempt_timeout: 3s".to_owned()), "{now:?}");
    assert!(!now.iter().any(|line| line.starts_with("retry")), "{now:?}");
}

#[test]
fn a_bad_setting_is_named_with_its_range() {
    let refused = |name: &str, guards: Value| {
        let callee = Callee { guards, ..Callee::default() };
        let callees = BTreeMap::from([(name.to_owned(), callee)]);
        let error = Guards::new(Config { callees, ..Config::default() }).unwrap_err();
        assert_eq!(error.category(), Category::Configuration);
        error.message().to_owned()
    };
    assert_eq!(
        refused("search", json!({"attempt_timeout": "90h"})),
        "`resilience.callees.search`: `attempt_timeout` must be 1ms to 1day, not 3days 18h"
    );
    let unknown = refused("search", json!({"braker": {}}));
    assert!(unknown.contains("unknown field `braker`"), "{unknown}");
    let small = Config { capacity: 1, ..Config::default() };
    let error = Guards::new(small).unwrap_err();
    assert_eq!(error.message(), "`resilience.capacity` must be 64 to 100000, not 1");
}

#[test]
fn every_preset_makes_sense() {
    for preset in Preset::ALL {
        preset.config().validate().unwrap();
        let text = serde_json::to_value(Callee::from(preset)).unwrap();
        assert_eq!(serde_json::from_value::<Callee>(text).unwrap().preset, Some(preset));
    }
}

#[tokio::test(start_paused = true)]
async fn many_hosts_are_remembered_within_bounds_and_an_open_breaker_always() {
    let web = Scripted::new("web", Effect::Read, |_, request| match request["host"].as_str() {
        Some("bad") => Play::Fail(Category::Network),
        _ => Play::Answer,
    });
    let bench = Bench::new(Config { capacity: 640, ..Config::default() }, &[&web]).await;
    for _ in 0..5 {
        let _ = bench.call("web", json!({"host": "bad"})).await;
    }
    for number in 0..3_000 {
        assert_eq!(bench.ending("web", json!({"host": format!("h{number}")})).await, "succeeded");
    }
    assert!(bench.report().callees.len() <= 640);
    assert_ne!(bench.state("web/bad").0, "closed");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_calls_to_one_site_waits_its_turn_and_none_is_refused() {
    let acquire = Scripted::new("acquire", Effect::Read, |_, _| Play::Answer);
    let bench = Bench::new(Config::default(), &[&acquire]).await;
    let began = Instant::now();
    let calls = (0..100).map(|_| bench.ending("acquire", json!({"host": "one"})));
    let endings = futures_util::future::join_all(calls).await;
    assert!(endings.iter().all(|ending| *ending == "succeeded"), "{endings:?}");
    assert!(began.elapsed() >= secs(20), "four a second: {:?}", began.elapsed());
    pass(secs(1)).await;
}
