//! What is seen of a callee, and what follows from it.

use std::time::Duration;

use consort_resilience::breaker::State;
use tokio::time::Instant;

use super::*;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Plays calls, each `(second, good)`, and judges at second `at`.
fn judged(calls: &[(u64, bool)], took: Duration, at: u64, local: bool) -> (Health, Seen) {
    let limits = Config::default().validate().unwrap();
    let began = now();
    let mut window = Window::new(began);
    for (second, good) in calls {
        window.record(*good, took, began + secs(*second), &limits);
    }
    let seen = window.seen(began + secs(at), &limits);
    (judge(&seen, Some(State::Closed), None, local, &limits).health, seen)
}

#[expect(clippy::disallowed_methods, reason = "any moment will do")]
fn now() -> Instant {
    Instant::from_std(std::time::Instant::now())
}

#[test]
fn no_data_is_not_healthy() {
    assert_eq!(judged(&[], secs(1), 0, false), (Health::NoData, Seen::default()));
    let few = [(0, true); 4];
    assert_eq!(judged(&few, secs(1), 1, false).0, Health::NoData);
    assert_eq!(judged(&[(0, true); 5], secs(1), 1, false).0, Health::Healthy);
}

#[test]
fn what_is_older_than_the_window_is_forgotten() {
    let calls = [(0, false); 100];
    assert_eq!(judged(&calls, secs(1), 54, false).0, Health::Unhealthy);
    assert_eq!(judged(&calls, secs(1), 60, false), (Health::NoData, Seen::default()));
    let long_ago = [(0, false), (1_000_000, true)];
    assert_eq!(judged(&long_ago, secs(1), 1_000_000, false).1.calls, 1);
}

#[test]
fn recent_calls_weigh_more() {
    let better: Vec<(u64, bool)> = (0..40).map(|second| (second, second >= 20)).collect();
    let worse: Vec<(u64, bool)> = (0..40).map(|second| (second, second < 20)).collect();
    let rate = |calls: &[(u64, bool)]| judged(calls, secs(1), 40, false).1.success_rate.unwrap();
    assert!(rate(&better) > 0.6, "{}", rate(&better));
    assert!(rate(&worse) < 0.4, "{}", rate(&worse));
}

#[test]
fn counts_are_of_calls_and_not_weighted() {
    let calls: Vec<(u64, bool)> = (0..50).map(|second| (second, second % 5 != 0)).collect();
    let (health, seen) = judged(&calls, secs(1), 50, false);
    assert_eq!((health, seen.calls, seen.failures), (Health::Degraded, 50, 10));
}

#[test]
fn slowness_counts_outside_and_not_for_local_work() {
    let calls = [(0, true); 10];
    assert_eq!(judged(&calls, secs(40), 1, false).0, Health::Degraded);
    assert_eq!(judged(&calls, secs(40), 1, true).0, Health::Healthy);
}

#[test]
fn a_breaker_and_a_hand_say_more_than_numbers() {
    let limits = Config::default().validate().unwrap();
    let of = |state, held| judge(&Seen::default(), Some(state), held, false, &limits).health;
    assert_eq!(of(State::Open, None), Health::Unhealthy);
    assert_eq!(of(State::HalfOpen, None), Health::Degraded);
    assert_eq!(of(State::Closed, Some("maintenance")), Health::Isolated);
}

#[test]
fn the_whole_is_as_bad_as_its_worst_part() {
    use Health::*;
    assert_eq!(overall([]), NoData);
    assert_eq!(overall([NoData, Healthy]), Healthy);
    assert_eq!(overall([Healthy, Unhealthy, Degraded]), Unhealthy);
}

#[test]
fn a_bad_setting_is_named_with_its_range() {
    let refused = |config: Config| config.validate().unwrap_err().message().to_owned();
    let config = Config { floor: 0, ..Config::default() };
    assert_eq!(refused(config), "`health.floor` must be 1 to 10000, not 0");
    let config = Config { half_life: secs(90), ..Config::default() };
    assert_eq!(refused(config), "`health.half_life` must be 100ms to 1m, not 1m 30s");
    let config = Config { unhealthy: f64::NAN, ..Config::default() };
    assert_eq!(refused(config), "`health.unhealthy` must be 0 to 0.9, not NaN");
}
