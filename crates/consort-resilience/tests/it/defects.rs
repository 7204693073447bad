//! What went wrong in the resilience code this crate replaces, each as a claim that it does not here.
//!
//! | there | here |
//! |---|---|
//! | opened after five failures in total, four hundred successes among them | `failures_scattered_among_successes_do_not_open` |
//! | half-open let everything through | `half_open_lets_through_its_probes_only` |
//! | half-open counted each call twice and never closed | `every_preset_closes_again` |
//! | stuck half-open when more successes were wanted than probes allowed | `more_successes_than_probes_still_close` |
//! | a limit of ten calls at once while closed | `closed_breaker_limits_nothing` |
//! | counted a call as success before it was awaited | `call_counts_when_it_has_ended` |
//! | awaited the fallback under the breaker's lock | `slow_fallback_holds_up_nobody` |
//! | a success of the fallback was one of the callee | `good_fallback_does_not_make_a_callee_healthy` |
//! | fallback fixed when the breaker was made | `each_call_brings_its_own_fallback` |
//! | health over the whole life | `long_good_life_does_not_hide_an_outage` |
//! | breaker strategy failed for want of methods | `value_comes_through_every_guard` |
//! | decorator lost the value | `value_comes_through_every_guard` |
//! | showing health failed as soon as there was a breaker | `open_breaker_can_be_shown` |
//! | list of callees broke when one was added | `callees_can_be_listed_while_others_are_added` |
//! | callees without bound | `memory_is_bounded` |
//! | routing chose nothing and its weights were read by nobody | `routing_leaves_the_failing_endpoint` |
//! | a broken or missing metric broke the call | `broken_metric_does_not_break_the_call` |
//! | a line in the log for every success, a warning for every call | `nothing_is_told_while_all_goes_well` |
//! | retried programming errors | `programming_error_is_not_repeated` |
//! | repeated what must not be | `effect_is_not_repeated` |
//! | jitter over the cap | `no_pause_exceeds_the_cap` |
//! | "jitter" of a fixed five per cent, or in a mode nothing selects | `jitter_is_random_by_default` |
//! | no time budget | `retries_end_in_the_time_they_were_given` |
//! | `Retry-After` ignored | `callee_is_not_asked_before_it_said` |
//! | retried faster as things got worse | `pauses_grow_while_it_fails` |
//! | pauses blocked the thread | `pause_keeps_no_thread` |
//! | no bound on one call | `hung_call_ends_and_counts_as_failure` |
//! | a setting equal to its default was ignored | `override_equal_to_the_default_is_an_override` |
//! | settings renamed without a word | `unknown_setting_is_an_error` |

mod breaker;
mod retry;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use consort_resilience::breaker::State;
use consort_resilience::endpoints::{self, Endpoints};
use consort_resilience::fallback::Fallback;
use consort_resilience::pipeline::{Call, Config, Env, Event, Pipeline, Preset};
use consort_resilience::registry::Registry;
use consort_resilience::{Charge, Clock, Rng, Verdict, adaptive, hedge, rate, shed};
use serde_json::json;

use crate::sim::{CLOCK, pipeline, watched};

/// Every guard there is.
fn all_guards() -> Config {
    Config {
        shed: Some(shed::Config::default()),
        hedge: Some(hedge::Config::default()),
        rate: Some(rate::Config::default()),
        adaptive: Some(adaptive::Config::default()),
        ..Config::default()
    }
}

async fn good(pipeline: &Pipeline) -> Result<u32, &'static str> {
    let outcome =
        pipeline.run(Call::repeatable(), Verdict::of_result, async |_| Ok::<_, &str>(7)).await;
    outcome.result.map_err(|error| error.callee().unwrap_or("stopped"))
}

async fn bad(pipeline: &Pipeline) -> Result<u32, &'static str> {
    let outcome =
        pipeline.run(Call::once(), Verdict::of_result, async |_| Err::<u32, _>("down")).await;
    outcome.result.map_err(|error| error.callee().unwrap_or("stopped"))
}

#[tokio::test(start_paused = true)]
async fn value_comes_through_every_guard() {
    assert_eq!(good(&pipeline("all", all_guards(), 1)).await, Ok(7));
    for preset in Preset::ALL {
        assert_eq!(good(&pipeline("preset", preset.config(), 1)).await, Ok(7), "{preset:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn good_fallback_does_not_make_a_callee_healthy() {
    let pipeline = pipeline("live", Config::default(), 1);
    for _ in 0..5 {
        let answer = Fallback::of(bad(&pipeline).await)
            .or("cache", |_| true, async |_| Ok(1))
            .await
            .answer()
            .unwrap();
        assert_eq!((answer.value, answer.instead), (1, Some("cache")));
    }
    assert_eq!(pipeline.breaker().state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn each_call_brings_its_own_fallback() {
    let pipeline = pipeline("live", Config::default(), 1);
    for value in [1, 2] {
        let answer = Fallback::of(bad(&pipeline).await).or_value("given", |_| true, |_| value);
        assert_eq!(answer.answer().map(|answer| answer.value), Ok(value));
    }
}

#[tokio::test(start_paused = true)]
async fn slow_fallback_holds_up_nobody() {
    let pipeline = pipeline("live", Config::default(), 1);
    let mut slow = Box::pin(async {
        let never = |_| std::future::pending();
        Fallback::of(bad(&pipeline).await).or("stuck", |_| true, never).await
    });
    assert!(futures_util::poll!(&mut slow).is_pending());
    assert_eq!(good(&pipeline).await, Ok(7));
    assert_eq!(pipeline.snapshot().bulkhead.map(|now| now.taken), Some(0));
}

#[tokio::test(start_paused = true)]
async fn open_breaker_can_be_shown() {
    let pipeline = pipeline("shown", Config::default(), 1);
    for _ in 0..5 {
        let _ = bad(&pipeline).await;
    }
    let breaker = pipeline.snapshot().breaker.unwrap();
    assert_eq!((breaker.state, breaker.generation), (State::Open, 1));
    assert!(breaker.rest_left.is_some_and(|rest| !rest.is_zero()));
    assert!(format!("{pipeline:?} {}", pipeline.describe()).contains("breaker"));
}

#[test]
fn callees_can_be_listed_while_others_are_added() {
    let limits = Config::default().validate().unwrap();
    let registry = Registry::new(2_000, move |_| limits.clone(), Env::default());
    std::thread::scope(|scope| {
        scope.spawn(|| (0..1_000).for_each(|n| drop(registry.get(&format!("callee-{n}")))));
        for _ in 0..50 {
            let listed = registry.list();
            assert!(listed.iter().all(|pipeline| pipeline.snapshot().breaker.is_some()));
        }
    });
    assert_eq!(registry.list().len(), 1_000);
}

#[test]
fn memory_is_bounded() {
    let limits = Config::default().validate().unwrap();
    let registry = Registry::new(128, move |_| limits.clone(), Env::default());
    (0..2_000).for_each(|n| drop(registry.get(&format!("callee-{n}"))));
    assert!(registry.len() <= 128);
}

#[test]
fn routing_leaves_the_failing_endpoint() {
    let endpoints = Endpoints::new(endpoints::Limits::default(), Rng::seeded(1));
    let mut now = CLOCK.now();
    endpoints.set([("a", ()), ("b", ()), ("c", ())], now);
    let mut failures = 0;
    for _ in 0..1_000 {
        let lease = endpoints.pick(&[], now).unwrap();
        now += Duration::from_millis(10);
        let charge = if lease.name() == "b" { Charge::Failure } else { Charge::Success };
        failures += u32::from(charge == Charge::Failure);
        lease.report(charge, Duration::from_millis(10), now);
    }
    assert!(failures <= 10, "{failures} of 1000 went to the one that fails");
}

#[tokio::test(start_paused = true)]
async fn broken_metric_does_not_break_the_call() {
    let observer = |_: &Event<'_>| panic!("no such metric");
    let pipeline = watched("unlucky", Config::default(), 1, observer);
    for _ in 0..6 {
        let _ = bad(&pipeline).await;
    }
    assert_eq!(bad(&pipeline).await, Err("stopped"));
    pipeline.breaker().reset(CLOCK.now());
    assert_eq!(good(&pipeline).await, Ok(7));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_while_all_goes_well() {
    let told = Arc::new(AtomicU32::new(0));
    let count = told.clone();
    let observer = move |_: &Event<'_>| {
        count.fetch_add(1, Ordering::Relaxed);
    };
    let pipeline = watched("well", Config::default(), 1, observer);
    for _ in 0..100 {
        assert_eq!(good(&pipeline).await, Ok(7));
    }
    assert_eq!(told.load(Ordering::Relaxed), 0);
}

#[test]
fn override_equal_to_the_default_is_an_override() {
    let preset = Preset::ModelProvider.config();
    let default = Config::default().deadline;
    assert_ne!(preset.deadline, default);
    let changed = preset.with_overrides(&json!({"deadline": "30s"})).unwrap();
    assert_eq!(changed.deadline, default);
}

#[test]
fn unknown_setting_is_an_error() {
    let old = json!({"retry": {"strategy": "retry_with_backoff"}});
    let said = Config::default().with_overrides(&old).unwrap_err().to_string();
    assert!(said.contains("unknown field `strategy`"), "{said}");
}
