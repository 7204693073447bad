//! Claims about retry and its budget.

use std::cell::Cell;
use std::time::Duration;

use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::TokioClock;
use crate::clock::earlier;
use crate::testing::{histories, moment};

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn plain() -> Config {
    Config { jitter: Jitter::None, base: ms(100), budget: None, ..Config::default() }
}

/// The pauses a call that always fails would make.
fn pauses(config: Config, seed: u64) -> Vec<Duration> {
    let (limits, rng) = (config.validate().unwrap(), Rng::seeded(seed));
    let mut now = moment();
    let mut schedule = Schedule::new(now);
    let mut pauses = Vec::new();
    while let Decision::Again { at, pause } =
        schedule.decide(&limits, Again::Maybe, now, None, &rng)
    {
        now = at;
        pauses.push(pause);
    }
    pauses
}

fn stop(config: Config, again: Again, deadline: Option<Duration>) -> Decision {
    let now = moment();
    let limits = config.validate().unwrap();
    let deadline = deadline.map(|left| now + left);
    Schedule::new(now).decide(&limits, again, now, deadline, &Rng::seeded(1))
}

#[test]
fn pauses_double_up_to_the_cap() {
    let config = Config { attempts: 6, cap: ms(500), ..plain() };
    assert_eq!(pauses(config, 1), [ms(100), ms(200), ms(400), ms(500), ms(500)]);
}

#[test]
fn jitter_never_exceeds_the_cap() {
    for jitter in [Jitter::Full, Jitter::Decorrelated] {
        let config = Config { attempts: 20, cap: ms(700), total: None, jitter, ..plain() };
        for seed in 0..500 {
            let pauses = pauses(config.clone(), seed);
            assert_eq!(pauses.len(), 19);
            assert!(pauses.iter().all(|&pause| pause <= ms(700)), "seed {seed}: {pauses:?}");
        }
    }
}

#[test]
fn jitter_is_random_and_full_jitter_reaches_both_ends() {
    let config = Config { attempts: 2, jitter: Jitter::Full, ..plain() };
    let firsts: Vec<Duration> = (0..200).flat_map(|seed| pauses(config.clone(), seed)).collect();
    assert!(firsts.iter().any(|&pause| pause < ms(10)));
    assert!(firsts.iter().any(|&pause| pause > ms(90)));
}

#[test]
fn decorrelated_pauses_are_never_shorter_than_the_base() {
    let config = Config { attempts: 20, total: None, jitter: Jitter::Decorrelated, ..plain() };
    for seed in 0..200 {
        assert!(pauses(config.clone(), seed).iter().all(|&pause| pause >= ms(100)));
    }
}

#[test]
fn programming_errors_are_not_retried() {
    let decision = stop(plain(), Again::Never, None);
    assert_eq!(decision, Decision::Stop(Stop::NotRetryable));
}

#[test]
fn callee_that_names_a_time_is_not_called_before_it() {
    for seed in 0..500 {
        let (now, limits) = (moment(), Config::default().validate().unwrap());
        let wish = Again::After(Duration::from_secs(7));
        let decision = Schedule::new(now).decide(&limits, wish, now, None, &Rng::seeded(seed));
        let Decision::Again { at, pause } = decision else { panic!("{decision:?}") };
        assert!(at >= now + Duration::from_secs(7));
        assert!(pause <= Duration::from_secs(9), "spread, but not by much: {pause:?}");
    }
}

#[test]
fn wish_longer_than_accepted_ends_the_retries() {
    let wish = Again::After(Duration::from_secs(61));
    assert_eq!(stop(plain(), wish, None), Decision::Stop(Stop::RetryAfterTooLong));
}

#[test]
fn pause_that_cannot_end_in_time_is_not_begun() {
    assert_eq!(stop(plain(), Again::Maybe, Some(ms(100))), Decision::Stop(Stop::NoTime));
    assert!(matches!(stop(plain(), Again::Maybe, Some(ms(101))), Decision::Again { .. }));
    let short = Config { total: Some(ms(100)), ..plain() };
    assert_eq!(stop(short, Again::Maybe, None), Decision::Stop(Stop::NoTime));
}

#[test]
fn budget_stops_a_storm_of_retries() {
    let now = moment();
    let budget = budget::Config { ratio: 0.1, min_per_second: 0, burst: 5 };
    let retry = Retry::new(
        Config { attempts: 4, budget: Some(budget), ..plain() }.validate().unwrap(),
        Rng::seeded(1),
        now,
    );
    let mut retries = 0;
    for _ in 0..1_000 {
        let mut schedule = retry.begin(now);
        while let Decision::Again { .. } = retry.decide(&mut schedule, Again::Maybe, now, None) {
            retries += 1;
        }
    }
    assert!((100..=105).contains(&retries), "{retries}");
}

#[test]
fn quiet_callee_may_still_retry_by_the_reserve() {
    let now = moment();
    let limits = budget::Config { ratio: 0.0, min_per_second: 2, burst: 1 }.validate().unwrap();
    let budget = Budget::new(&limits, now);
    let granted = |at: Duration| (0..10).filter(|_| budget.withdraw(now + at)).count();
    assert_eq!(granted(Duration::ZERO), 3, "one saved up, two of the reserve");
    assert_eq!(granted(ms(500)), 1);
    assert_eq!(granted(ms(5_500)), 2);
}

#[test]
fn new_limits_keep_the_savings() {
    let now = moment();
    let retry = Retry::new(Config::default().validate().unwrap(), Rng::seeded(1), now);
    for _ in 0..6 {
        assert!(retry.budget().withdraw(now));
    }
    let wider = budget::Config { burst: 100, ..budget::Config::default() };
    retry.reconfigure(Config { attempts: 9, budget: Some(wider), ..plain() }.validate().unwrap());
    assert_eq!(retry.budget().balance(), 4);
    assert_eq!(retry.limits().config().attempts, 9);
}

#[test]
fn defaults_are_valid() {
    assert_eq!(Config::default().validate(), Ok(Limits::default()));
}

#[test]
fn bad_settings_are_named_with_their_range() {
    let said = |config: Config| config.validate().unwrap_err().to_string();
    assert_eq!(said(Config { attempts: 0, ..plain() }), "`retry.attempts` must be 1 to 20, not 0");
    assert_eq!(
        said(Config { base: ms(200), cap: ms(100), ..plain() }),
        "`retry.cap` must not be shorter than `retry.base`"
    );
    let budget = Some(budget::Config { ratio: -0.1, ..budget::Config::default() });
    assert_eq!(
        said(Config { budget, ..plain() }),
        "`retry.budget.ratio` must be 0 to 10, not -0.1"
    );
}

async fn attempts_until(
    good: u32,
    error: &'static str,
    config: Config,
) -> (u32, Result<u32, &'static str>) {
    let clock = TokioClock;
    let retry = Retry::new(config.validate().unwrap(), Rng::seeded(1), clock.now());
    let made = Cell::new(0);
    let classify = |result: &Result<u32, &str>| match result {
        Err("a bug") => Verdict::FAILURE,
        other => Verdict::of_result(other),
    };
    let result = retry
        .run(&clock, classify, |attempt| {
            made.set(attempt);
            async move { if attempt >= good { Ok(attempt) } else { Err(error) } }
        })
        .await;
    (made.get(), result)
}

#[tokio::test(start_paused = true)]
async fn transient_failure_is_tried_again_and_the_value_comes_through() {
    let start = TokioClock.now();
    assert_eq!(attempts_until(3, "down", plain()).await, (3, Ok(3)));
    assert_eq!((TokioClock.now() - start).as_millis(), 300);
}

#[tokio::test(start_paused = true)]
async fn last_error_is_the_answer() {
    assert_eq!(attempts_until(9, "down", plain()).await, (3, Err("down")));
    assert_eq!(attempts_until(9, "a bug", plain()).await, (1, Err("a bug")));
}

proptest! {
    #![proptest_config(histories())]

    /// The promise in the docs of the budget, for any traffic.
    #[test]
    fn retries_stay_within_the_promised_share(
        ratio in 0.0_f64..2.0,
        min_per_second in 0_u32..5,
        burst in 1_u32..20,
        events in prop::collection::vec((0_u64..400, any::<bool>()), 1..120),
    ) {
        let start = moment();
        let limits = budget::Config { ratio, min_per_second, burst }.validate().unwrap();
        let budget = Budget::new(&limits, start);
        let (mut at, mut calls, mut retries) = (0, 0_u32, 0_u32);
        for (gap, is_call) in events {
            at += gap;
            if is_call {
                budget.deposit();
                calls += 1;
            } else if budget.withdraw(start + ms(at)) {
                retries += 1;
            }
            let promised = f64::from(burst)
                + ratio * f64::from(calls)
                + f64::from(min_per_second) * (at as f64 / 1_000.0 + 1.0);
            prop_assert!(f64::from(retries) <= promised + 0.001, "{retries} of {promised}");
        }
    }

    /// A plain account in floating point agrees, withdrawal by withdrawal.
    #[test]
    fn savings_follow_a_plain_account(
        ratio in 0_u32..20,
        burst in 1_u32..20,
        events in prop::collection::vec(any::<bool>(), 1..120),
    ) {
        let start = moment();
        let config = budget::Config { ratio: f64::from(ratio) / 10.0, min_per_second: 0, burst };
        let budget = Budget::new(&config.validate().unwrap(), start);
        let (mut tenths, full) = (burst * 10, burst * 10);
        for is_call in events {
            if is_call {
                budget.deposit();
                tenths = (tenths + ratio).min(full);
            } else {
                prop_assert_eq!(budget.withdraw(start), tenths >= 10);
                tenths = if tenths >= 10 { tenths - 10 } else { tenths };
            }
            prop_assert_eq!(budget.balance(), tenths / 10);
        }
    }
}

proptest! {
    #![proptest_config(histories())]

    /// What a schedule decides, worked out from the settings alone.
    #[test]
    fn decisions_follow_from_the_settings(
        (attempts, base, more, total) in (1_u32..8, 1_u64..500, 0_u64..5_000, prop::option::of(1_u64..20_000)),
        jitter in 0_usize..3,
        results in prop::collection::vec((0_u8..6, 0_u64..3_000, 1_u64..4_000), 1..10),
        deadline in prop::option::of(0_u64..20_000),
        seed in any::<u64>(),
    ) {
        let jitter = [Jitter::None, Jitter::Full, Jitter::Decorrelated][jitter];
        let (base, cap, wish_max) = (ms(base), ms(base + more), ms(2_000));
        let config = Config {
            attempts, base, cap, jitter, retry_after_max: wish_max,
            total: total.map(ms), budget: None,
        };
        let limits = config.validate().unwrap();
        let (start, rng) = (moment(), Rng::seeded(seed));
        let end = earlier(total.map(|t| start + ms(t)), deadline.map(|d| start + ms(d)));
        let mut schedule = Schedule::new(start);
        let mut now = start;
        for (number, (kind, took, wish)) in (1_u32..).zip(results) {
            now += ms(took);
            let again = match kind {
                0 => Again::Never,
                1 => Again::After(ms(wish)),
                _ => Again::Maybe,
            };
            let wish = if kind == 1 { ms(wish) } else { ms(0) };
            let decision = schedule.decide(&limits, again, now, deadline.map(|d| start + ms(d)), &rng);
            let doubled = base.saturating_mul(1 << (number - 1)).min(cap);
            let (low, high) = match jitter {
                Jitter::None => (doubled, doubled),
                Jitter::Full => (ms(0), doubled),
                Jitter::Decorrelated => (base, cap),
            };
            let (low, high) = match kind {
                1 => (wish + low.min(wish / 4), wish + high.min(wish / 4)),
                _ => (low, high),
            };
            match decision {
                Decision::Again { at, pause } => {
                    prop_assert!(kind != 0 && number < attempts && wish <= wish_max);
                    prop_assert!(low <= pause && pause <= high, "{low:?} {pause:?} {high:?}");
                    prop_assert_eq!(at, now + pause);
                    prop_assert!(end.is_none_or(|end| at < end));
                    now = at;
                }
                Decision::Stop(why) => {
                    let late = end.is_some_and(|end| now + high >= end);
                    prop_assert!(match why {
                        Stop::NotRetryable => kind == 0,
                        Stop::AttemptsUsed => number >= attempts,
                        Stop::RetryAfterTooLong => wish > wish_max,
                        Stop::NoTime => late,
                        Stop::NotRepeatable | Stop::BudgetEmpty => false,
                    }, "{why:?}");
                    break;
                }
            }
        }
    }
}
