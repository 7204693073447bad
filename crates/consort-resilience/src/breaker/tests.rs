//! Claims about the breaker, as scripts.

mod model;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::*;
use crate::testing::moment;

const CALL: Duration = Duration::from_millis(10);

/// Opens after two failures in a row, rests 5 s, needs two good probes, one at a time.
fn small() -> Config {
    Config {
        consecutive_failures: Some(2),
        failure_rate: None,
        rest_growth: 1.0,
        rest_jitter: 0.0,
        ..Config::default()
    }
}

/// Plays `script` and compares the states seen after each word: `C`losed, `O`pen, `H`alf-open,
/// `I`solated.
///
/// `ok`, `fail`, `slow`, `none` make one call with that result if admitted; `ask` admits a call
/// and keeps it out; `ok!`, `fail!`, `none!`, `drop!` end the oldest call that is out; a number
/// waits that many seconds; `isolate`, `release`, `reset` do that.
#[track_caller]
fn check(config: Config, script: &str, expected: &str) {
    let mut now = moment();
    let breaker = Breaker::new(config.validate().unwrap(), Rng::seeded(1), now);
    let mut out = std::collections::VecDeque::new();
    let mut seen = String::new();
    for word in script.split_whitespace() {
        let call = |charge, took| {
            if let Ok(permit) = breaker.admit(now) {
                permit.report(charge, took, now);
            }
        };
        match word {
            "ok" => call(Charge::Success, CALL),
            "fail" => call(Charge::Failure, CALL),
            "slow" => call(Charge::Success, Duration::from_secs(30)),
            "none" => call(Charge::Nothing, CALL),
            "ask" => out.extend(breaker.admit(now).ok()),
            "ok!" => out.pop_front().unwrap().report(Charge::Success, CALL, now),
            "fail!" => out.pop_front().unwrap().report(Charge::Failure, CALL, now),
            "none!" => out.pop_front().unwrap().report(Charge::Nothing, CALL, now),
            "drop!" => drop(out.pop_front().unwrap()),
            "isolate" => breaker.isolate(),
            "release" => breaker.release(now),
            "reset" => breaker.reset(now),
            wait => now += Duration::from_secs_f64(wait.parse().unwrap()),
        }
        seen.push(match breaker.state() {
            State::Closed => 'C',
            State::Open => 'O',
            State::HalfOpen => 'H',
            State::Isolated => 'I',
        });
    }
    assert_eq!(seen, expected, "script: {script}");
}

#[test]
fn only_consecutive_failures_trip() {
    check(small(), "fail ok fail fail", "CCCO");
}

#[test]
fn failures_scattered_among_successes_do_not_trip() {
    let script = ["fail", &"ok ".repeat(80)].join(" ").repeat(5);
    let expected = "C".repeat(script.split_whitespace().count());
    check(Config { consecutive_failures: Some(5), ..Config::default() }, &script, &expected);
}

#[test]
fn neutral_results_neither_trip_nor_heal() {
    check(small(), "fail none fail", "CCO");
    check(small(), "fail fail 5 none ok none ok", "COOHHHC");
}

#[test]
fn open_breaker_lets_nothing_through_until_the_rest_is_over() {
    check(small(), "fail fail ok 4.9 ok 0.1 ok", "COOOOOH");
}

#[test]
fn two_good_probes_close_it() {
    check(small(), "fail fail 5 ok ok", "COOHC");
}

#[test]
fn it_closes_again_with_every_number_of_probes_and_successes() {
    for probes in 1..=5 {
        for successes in 1..=5 {
            let config = Config { probes, successes, ..small() };
            let script = format!("fail fail 5 {}", "ok ".repeat(successes as usize));
            let expected = format!("COO{}C", "H".repeat(successes as usize - 1));
            check(config, &script, &expected);
        }
    }
}

#[test]
fn more_successes_than_probes_do_not_stick_in_half_open() {
    check(Config { probes: 1, successes: 4, ..small() }, "fail fail 5 ok ok ok ok", "COOHHHC");
}

#[test]
fn half_open_admits_no_more_than_its_probes() {
    check(small(), "fail fail 5 ask ok ok ok ok! ok", "COOHHHHHC");
}

#[test]
fn failed_probe_rests_again() {
    check(small(), "fail fail 5 fail ok 5 ok", "COOOOOH");
}

#[test]
fn dropped_probe_frees_its_place() {
    check(small(), "fail fail 5 ask drop! ok ok", "COOHHHC");
}

#[test]
fn late_success_does_not_shorten_the_rest() {
    check(small(), "ask fail fail ok! ok", "CCOOO");
}

#[test]
fn late_failure_does_not_open_a_recovered_breaker() {
    check(small(), "ask ask fail fail 5 ok ok fail! fail!", "CCCOOHCCC");
}

#[test]
fn result_of_an_earlier_probing_does_not_count_in_a_later_one() {
    let config = Config { probes: 2, successes: 1, ..small() };
    check(config, "fail fail 5 ask fail 5 ask ok!", "COOHOOHH");
}

#[test]
fn probes_that_never_answer_count_as_failed() {
    let config = Config { probe_timeout: Duration::from_secs(8), ..small() };
    check(config, "fail fail 5 ask 7.9 ok 0.1 ok 5 ok ok", "COOHHHHOOHC");
}

#[test]
fn isolated_stays_isolated_until_released() {
    check(small(), "isolate 1000 ok release ok ok", "IIIHHC");
    check(small(), "ask isolate ok! reset ok", "CIICC");
    check(small(), "release", "C");
}

#[test]
fn released_breaker_proves_itself_by_probes() {
    check(small(), "isolate release fail 5 ok ok", "IHOOHC");
}

#[test]
fn reset_forgets_failures() {
    check(small(), "fail reset fail ok", "CCCC");
    check(small(), "fail fail reset ok", "COCC");
}

#[test]
fn failure_rate_needs_the_minimum_of_calls() {
    let config =
        Config { consecutive_failures: None, failure_rate: Some(0.5), minimum_calls: 4, ..small() };
    check(config.clone(), "fail fail fail fail", "CCCO");
    check(config.clone(), "ok fail ok fail", "CCCO");
    check(config.clone(), "ok ok ok fail fail", "CCCCC");
    // The rate may pass its mark on a success, when that is the call that makes the minimum.
    check(config, "fail fail fail ok", "CCCO");
}

#[test]
fn calls_leave_the_time_window() {
    let config = Config {
        consecutive_failures: None,
        failure_rate: Some(0.5),
        minimum_calls: 2,
        window: Window::Time(Duration::from_secs(10)),
        ..small()
    };
    check(config.clone(), "fail 10 fail", "CCC");
    check(config.clone(), "fail 8 fail", "CCO");
    check(config, "fail 1000 fail 0.5 fail", "CCCCO");
}

#[test]
fn calls_leave_the_count_window() {
    let config = Config {
        consecutive_failures: None,
        failure_rate: Some(0.5),
        minimum_calls: 2,
        window: Window::Calls(3),
        ..small()
    };
    check(config.clone(), "ok ok fail ok ok fail 9999 fail", "CCCCCCCO");
    check(config, "ok ok fail ok ok ok fail", "CCCCCCC");
}

#[test]
fn slow_calls_trip_even_when_they_succeed() {
    let config =
        Config { consecutive_failures: None, slow_rate: Some(0.5), minimum_calls: 4, ..small() };
    check(config.clone(), "slow ok slow ok", "CCCO");
    check(config, "slow ok slow ok 5 slow", "CCCOOO");
    check(small(), "slow slow slow slow", "CCCC");
}

#[test]
fn half_open_state_says_when_to_ask_again() {
    let now = moment();
    let breaker = Breaker::new(small().validate().unwrap(), Rng::seeded(1), now);
    for _ in 0..2 {
        breaker.admit(now).unwrap().report(Charge::Failure, CALL, now);
    }
    let refused = breaker.admit(now + Duration::from_secs(2)).unwrap_err();
    assert_eq!(refused.retry_after, Some(Duration::from_secs(3)));
    let _probe = breaker.admit(now + Duration::from_secs(5)).unwrap();
    let refused = breaker.admit(now + Duration::from_secs(5)).unwrap_err();
    assert_eq!(refused, Refused { state: State::HalfOpen, retry_after: None });
}

/// The rests of a callee whose every probe fails.
fn rests(config: Config, seed: u64, count: usize) -> Vec<Duration> {
    let mut now = moment();
    let breaker = Breaker::new(config.validate().unwrap(), Rng::seeded(seed), now);
    for _ in 0..2 {
        breaker.admit(now).unwrap().report(Charge::Failure, CALL, now);
    }
    let mut rests = Vec::new();
    for _ in 0..count {
        let rest = breaker.snapshot(now).rest_left.unwrap();
        rests.push(rest);
        now += rest;
        breaker.admit(now).unwrap().report(Charge::Failure, CALL, now);
    }
    rests
}

#[test]
fn rests_grow_up_to_their_limit() {
    let config = Config { rest_growth: 2.0, ..small() };
    let seconds: Vec<u64> = rests(config, 1, 6).iter().map(Duration::as_secs).collect();
    assert_eq!(seconds, [5, 10, 20, 40, 60, 60]);
}

#[test]
fn jitter_never_exceeds_the_longest_rest() {
    let config = Config { rest_growth: 3.0, rest_jitter: 0.5, ..small() };
    let longest = config.rest_max;
    for seed in 0..200 {
        let rests = rests(config.clone(), seed, 8);
        assert!(rests.iter().all(|&rest| rest <= longest), "seed {seed}: {rests:?}");
        assert!(rests[0] >= Duration::from_millis(2_500), "seed {seed}: {rests:?}");
    }
}

#[test]
fn growth_beyond_what_a_float_holds_is_still_the_longest_rest() {
    let config = Config { rest_growth: 10.0, ..small() };
    assert_eq!(rests(config, 1, 400).last(), Some(&Duration::from_secs(60)));
}

#[test]
fn flapping_callee_rests_longer_and_longer() {
    let config = Config { rest_growth: 2.0, ..small() };
    // Fails as soon as it is closed: the second and third rest are 10 s and 20 s.
    check(
        config.clone(),
        "fail fail 5 ok ok fail fail 9.9 ask 0.1 ok ok fail fail 19.9 ask 0.1 ok",
        "COOHCCOOOOHCCOOOOH",
    );
    // Well for longer than it last rested: the next rest is short again.
    check(config, "fail fail 5 ok ok 5 fail fail 5 ok", "COOHCCCOOH");
}

#[test]
fn new_limits_keep_the_state() {
    let now = moment();
    let breaker = Breaker::new(small().validate().unwrap(), Rng::seeded(1), now);
    breaker.admit(now).unwrap().report(Charge::Failure, CALL, now);
    let stricter = Config { consecutive_failures: Some(3), ..small() };
    breaker.reconfigure(stricter.validate().unwrap(), now);
    breaker.admit(now).unwrap().report(Charge::Failure, CALL, now);
    assert_eq!(breaker.snapshot(now).failures_in_row, 2);
    assert_eq!(breaker.state(), State::Closed);
    breaker.admit(now).unwrap().report(Charge::Failure, CALL, now);
    breaker.reconfigure(small().validate().unwrap(), now);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn panicking_listener_does_not_break_the_call() {
    let now = moment();
    let heard = std::sync::Arc::new(AtomicU32::new(0));
    let ears = heard.clone();
    let breaker =
        Breaker::new(small().validate().unwrap(), Rng::seeded(1), now).on_move(move |moved| {
            assert_eq!(moved.to, State::Open);
            ears.fetch_add(1, Ordering::SeqCst);
            panic!("a listener's own trouble");
        });
    for _ in 0..2 {
        breaker.admit(now).unwrap().report(Charge::Failure, CALL, now);
    }
    assert_eq!(heard.load(Ordering::SeqCst), 1);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn panicking_call_counts_as_failure() {
    let now = moment();
    let config = Config { consecutive_failures: Some(1), ..small() };
    let breaker = Breaker::new(config.validate().unwrap(), Rng::seeded(1), now);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _permit = breaker.admit(now).unwrap();
        panic!("the callee's");
    }));
    assert!(panicked.is_err());
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn forgetting_is_safe_only_when_nothing_is_remembered() {
    let now = moment();
    let breaker = Breaker::new(small().validate().unwrap(), Rng::seeded(1), now);
    assert!(breaker.is_fresh(now));
    breaker.admit(now).unwrap().report(Charge::Failure, CALL, now);
    assert!(!breaker.is_fresh(now));
    breaker.admit(now).unwrap().report(Charge::Failure, CALL, now);
    assert!(!breaker.is_fresh(now + Duration::from_secs(9_999)), "still open");
    breaker.reset(now);
    breaker.isolate();
    assert!(!breaker.is_fresh(now));
}

#[test]
fn bad_settings_are_named_with_their_range() {
    let said = |config: Config| config.validate().unwrap_err().to_string();
    let default = Config::default;
    assert_eq!(
        said(Config { failure_rate: Some(0.0), ..default() }),
        "`breaker.failure_rate` must be 0.01 to 1, not 0"
    );
    assert_eq!(
        said(Config { rest_jitter: f64::NAN, ..default() }),
        "`breaker.rest_jitter` must be 0 to 0.5, not NaN"
    );
    assert_eq!(
        said(Config { rest_max: Duration::from_secs(1), ..default() }),
        "`breaker.rest_max` must be 5s to 1day, not 1s"
    );
    assert_eq!(
        said(Config { window: Window::Calls(10), ..default() }),
        "`breaker.minimum_calls` must fit into the window of 10 calls"
    );
    assert!(default().validate().is_ok());
}

#[test]
fn defaults_are_valid() {
    assert_eq!(Config::default().validate(), Ok(Limits::default()));
}

#[test]
fn settings_read_as_people_write_them() {
    let text =
        r#"{"failure_rate": "off", "rest": "1m 30s", "rest_max": "1h", "window": {"time": "10s"}}"#;
    let config: Config = serde_json::from_str(text).unwrap();
    assert_eq!(config.failure_rate, None);
    assert_eq!(config.rest, Duration::from_secs(90));
    assert_eq!(config.window, Window::Time(Duration::from_secs(10)));
    assert_eq!(config.probes, 1);
    let back: Config = serde_json::from_str(&serde_json::to_string(&config).unwrap()).unwrap();
    assert_eq!(back, config);
    let unknown = serde_json::from_str::<Config>(r#"{"rests": "1s"}"#).unwrap_err();
    assert!(unknown.to_string().contains("unknown field `rests`"), "{unknown}");
    let bare = serde_json::from_str::<Config>(r#"{"rest": 5}"#).unwrap_err();
    assert!(bare.to_string().contains("with its unit"), "{bare}");
}

#[tokio::test(start_paused = true)]
async fn run_counts_by_the_callers_own_rule() {
    let clock = crate::TokioClock;
    let breaker = Breaker::new(small().validate().unwrap(), Rng::seeded(1), clock.now());
    let caller_error_is_neutral = |result: &Result<(), &str>| match result {
        Err("bad request") => Verdict::NEUTRAL,
        other => Verdict::of_result(other),
    };
    for _ in 0..5 {
        let result = breaker.run(&clock, caller_error_is_neutral, async { Err("bad request") });
        assert_eq!(result.await, Err(Failure::Callee("bad request")));
    }
    assert_eq!(breaker.state(), State::Closed);
    for _ in 0..2 {
        let result = breaker.run(&clock, caller_error_is_neutral, async { Err("down") });
        assert_eq!(result.await, Err(Failure::Callee("down")));
    }
    let result = breaker.run(&clock, caller_error_is_neutral, async { Ok(()) }).await;
    assert!(matches!(result, Err(Failure::Refused(Refused { state: State::Open, .. }))));
}
