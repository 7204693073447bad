//! Claims about the pipeline: order, what counts, what is refused, what is told.

mod change;
mod data;
mod load;

use std::future::pending;
use std::sync::atomic::AtomicUsize;

use super::*;
use crate::breaker::State;
use crate::retry::{Jitter, Stop};
use crate::{adaptive, hedge, rate, retry, shed};

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// All default guards, small and without chance: breaker after 3 failures, 2 slots.
fn config() -> Config {
    Config {
        deadline: Some(ms(5_000)),
        retry: Some(retry::Config {
            base: ms(100),
            jitter: Jitter::None,
            ..retry::Config::default()
        }),
        breaker: Some(breaker::Config {
            consecutive_failures: Some(3),
            failure_rate: None,
            rest: ms(10_000),
            rest_jitter: 0.0,
            ..breaker::Config::default()
        }),
        bulkhead: Some(bulkhead::Config { limit: 2, queue: 2, max_wait: ms(1_000) }),
        attempt_timeout: Some(ms(500)),
        ..Config::OFF
    }
}

/// A pipeline that writes down the names of its events.
struct Watched {
    pipeline: Pipeline,
    events: Arc<Mutex<Vec<String>>>,
}

fn watched(config: Config) -> Watched {
    let events = Arc::new(Mutex::new(Vec::new()));
    let log = events.clone();
    let observer = move |event: &Event<'_>| lock(&log).push(event.what.name().to_owned());
    let env = Env { seed: 1, observer: Some(Arc::new(observer)), ..Env::default() };
    Watched { pipeline: Pipeline::with_env("callee", config.validate().unwrap(), env), events }
}

impl Watched {
    async fn call<F: Future<Output = Result<u32, &'static str>>>(
        &self,
        call: Call,
        work: impl Fn(Attempt) -> F,
    ) -> Outcome<u32, &'static str> {
        self.pipeline.run(call, classify, work).await
    }

    async fn fail(&self) -> Outcome<u32, &'static str> {
        self.call(Call::repeatable(), async |_| Err("down")).await
    }

    fn events(&self) -> String {
        lock(&self.events).drain(..).collect::<Vec<_>>().join(" ")
    }

    fn state(&self) -> State {
        self.pipeline.breaker().state()
    }
}

fn classify(result: &Result<u32, &'static str>) -> Verdict {
    match result {
        Err("a bug") => Verdict::FAILURE,
        Err("bad request") => Verdict::NEUTRAL,
        Err("come back later") => Verdict::TRANSIENT.after(ms(2_000)),
        other => Verdict::of_result(other),
    }
}

fn stopped<T: fmt::Debug, E: fmt::Debug>(outcome: Outcome<T, E>) -> (Guard, Why) {
    match outcome.result {
        Err(Error::Stopped(stopped)) => (stopped.by, stopped.why),
        other => panic!("not stopped: {other:?}"),
    }
}

#[test]
fn guards_stand_in_one_visible_order() {
    let all = Config {
        shed: Some(shed::Config::default()),
        hedge: Some(hedge::Config::default()),
        rate: Some(rate::Config::default()),
        adaptive: Some(adaptive::Config::default()),
        ..config()
    };
    let pipeline = Pipeline::new("openai", all.validate().unwrap());
    assert_eq!(
        pipeline.describe().to_string(),
        "openai
  shed             waits 20ms, 500ms at most
  deadline         5s
  retry            3 attempts, 100ms to 10s, no jitter, budget 20% + 1/s
  hedge            after 95% of calls, 10ms to 2s, 10% of calls at most
  breaker          opens at 3 failures in a row; rests 10s to 1m
  rate             10 per 1s, burst 10, wait 0s
  adaptive         1 to 200 at once, slow is 2x unpressed
  bulkhead         2 at once, 2 waiting up to 1s
  attempt_timeout  500ms"
    );
    let off = Pipeline::new("local", Config::OFF.validate().unwrap());
    assert_eq!(off.describe().to_string(), "local");
}

#[tokio::test(start_paused = true)]
async fn good_call_comes_through_untouched() {
    let watched = watched(config());
    let outcome = watched.call(Call::once(), async |attempt| Ok(attempt.number)).await;
    assert_eq!(outcome.result, Ok(1));
    assert_eq!(outcome.report, Report { attempts: 1, ..Report::default() });
    assert_eq!(watched.events(), "");
}

#[tokio::test(start_paused = true)]
async fn transient_failure_is_retried_and_named() {
    let watched = watched(config());
    let outcome = watched
        .call(Call::repeatable(), async |attempt| match attempt.number {
            3 => Ok(7),
            _ => Err("down"),
        })
        .await;
    assert_eq!(outcome.result, Ok(7));
    assert_eq!(outcome.report.attempts, 3);
    assert_eq!(outcome.report.waited.as_millis(), 300);
    assert_eq!(outcome.report.fired, Guards::default().with(Guard::Retry));
    assert_eq!(watched.events(), "retry_scheduled retry_scheduled");
}

#[tokio::test(start_paused = true)]
async fn call_that_must_not_be_repeated_is_not() {
    let watched = watched(config());
    let outcome = watched.call(Call::once(), async |_| Err("down")).await;
    assert_eq!(outcome.result, Err(Error::Callee("down")));
    assert_eq!(outcome.report.attempts, 1);
    assert_eq!(watched.events(), "retries_stopped");
}

#[tokio::test(start_paused = true)]
async fn programming_error_is_not_retried_and_a_bad_request_charges_nobody() {
    let watched = watched(config());
    for _ in 0..2 {
        let outcome = watched.call(Call::repeatable(), async |_| Err("a bug")).await;
        assert_eq!(outcome.report.attempts, 1);
    }
    for _ in 0..10 {
        let outcome = watched.call(Call::repeatable(), async |_| Err("bad request")).await;
        assert_eq!(outcome.result, Err(Error::Callee("bad request")));
    }
    assert_eq!(watched.state(), State::Closed);
    assert_eq!(watched.pipeline.breaker().snapshot(watched.now()).failures_in_row, 2);
}

#[tokio::test(start_paused = true)]
async fn every_attempt_counts_and_a_refusal_by_the_breaker_is_not_repeated() {
    let watched = watched(config());
    let _ = watched.fail().await;
    assert_eq!(watched.state(), State::Open);
    watched.events();
    let before = watched.now();
    let outcome = watched.fail().await;
    assert_eq!(watched.now(), before, "refused at once");
    assert_eq!(outcome.report.attempts, 0);
    let Err(Error::Stopped(stopped)) = outcome.result else { panic!("{outcome:?}") };
    assert_eq!((stopped.by, stopped.why, stopped.sent), (Guard::Breaker, Why::Open, false));
    assert!(stopped.retry_after.is_some_and(|wait| wait > ms(9_000)));
    assert_eq!(watched.events(), "refused");
}

#[tokio::test(start_paused = true)]
async fn breaker_that_opens_between_attempts_keeps_the_callees_last_word() {
    let breaker = breaker::Config { consecutive_failures: Some(2), ..breaker::Config::default() };
    let watched = watched(Config { breaker: Some(breaker), ..config() });
    let outcome = watched.fail().await;
    assert_eq!(outcome.report.attempts, 2);
    assert_eq!(outcome.result.unwrap_err().callee(), Some("down"));
}

#[tokio::test(start_paused = true)]
async fn hung_attempts_end_and_are_failures_the_breaker_sees() {
    let watched = watched(config());
    let start = watched.now();
    let outcome = watched.call(Call::repeatable(), |_| pending()).await;
    assert_eq!(stopped(outcome), (Guard::AttemptTimeout, Why::TimedOut));
    assert_eq!(watched.state(), State::Open);
    let took = watched.now() - start;
    assert!(took < ms(1_810), "three attempts of 500 ms, pauses of 100 and 200: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn answer_is_there_by_the_deadline() {
    let late = Config { attempt_timeout: None, ..config() };
    let watched = watched(late);
    let start = watched.now();
    let outcome = watched.call(Call::repeatable(), |_| pending()).await;
    assert_eq!(stopped(outcome), (Guard::Deadline, Why::TimedOut));
    assert!(watched.now() - start <= ms(5_001));
    let failures = watched.pipeline.breaker().snapshot(watched.now()).failures_in_row;
    assert_eq!(failures, 1, "it had all the time we give");
}

#[tokio::test(start_paused = true)]
async fn callers_own_deadline_bounds_the_call_and_charges_nobody() {
    let watched = watched(config());
    let start = watched.now();
    let call = Call::repeatable().until(start + ms(50));
    let outcome = watched.call(call, |_| pending()).await;
    assert_eq!(stopped(outcome), (Guard::Deadline, Why::TimedOut));
    assert!(watched.now() - start <= ms(51));
    assert_eq!(watched.pipeline.breaker().snapshot(watched.now()).failures_in_row, 0);
    let outcome = watched.call(call, async |_| Ok(1)).await;
    assert_eq!(outcome.report.attempts, 0, "past its deadline nothing is sent");
}

#[tokio::test(start_paused = true)]
async fn callees_wish_is_honoured() {
    let watched = watched(config());
    let start = watched.now();
    let outcome = watched
        .call(Call::repeatable(), async |attempt| match attempt.number {
            1 => Err("come back later"),
            _ => Ok(1),
        })
        .await;
    assert_eq!(outcome.result, Ok(1));
    assert!(watched.now() - start >= ms(2_000));
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_slots_and_queue_are_refused_by_name() {
    let watched = watched(Config { retry: None, ..config() });
    let slow = || {
        watched.call(Call::once(), async |_| {
            tokio::time::sleep(ms(400)).await;
            Ok(1)
        })
    };
    let (a, b, c, d, e) = tokio::join!(slow(), slow(), slow(), slow(), slow());
    assert!([a, b, c, d].iter().all(|outcome| outcome.result == Ok(1)));
    assert!(c.report.fired.contains(Guard::Bulkhead));
    assert_eq!(c.report.waited.as_millis(), 400);
    assert_eq!(stopped(e), (Guard::Bulkhead, Why::Full));
    assert_eq!(watched.events(), "refused waited waited");
}

#[tokio::test(start_paused = true)]
async fn calls_that_queued_while_the_breaker_opened_are_not_sent() {
    let bulkhead = bulkhead::Config { limit: 1, queue: 10, max_wait: ms(5_000) };
    let breaker = breaker::Config { consecutive_failures: Some(1), ..breaker::Config::default() };
    let watched = watched(Config {
        retry: None,
        bulkhead: Some(bulkhead),
        breaker: Some(breaker),
        ..config()
    });
    let sent = AtomicUsize::new(0);
    let call = || {
        watched.call(Call::once(), async |_| {
            sent.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            tokio::time::sleep(ms(10)).await;
            Err("down")
        })
    };
    let (first, second, third) = tokio::join!(call(), call(), call());
    assert_eq!(first.result, Err(Error::Callee("down")));
    assert_eq!(stopped(second), (Guard::Breaker, Why::Open));
    assert_eq!(stopped(third), (Guard::Breaker, Why::Open));
    assert_eq!(sent.into_inner(), 1);
}

#[tokio::test(start_paused = true)]
async fn refused_calls_cost_no_tokens() {
    let rate = rate::Config { tokens: 1, per: ms(60_000), burst: 5, max_wait: Duration::ZERO };
    let watched = watched(Config { rate: Some(rate), retry: None, ..config() });
    watched.pipeline.breaker().isolate();
    for _ in 0..10 {
        let outcome = watched.call(Call::once(), async |_| Ok(1)).await;
        assert_eq!(stopped(outcome), (Guard::Breaker, Why::Isolated));
    }
    assert_eq!(watched.pipeline.snapshot().tokens, Some(5));
    watched.pipeline.breaker().reset(watched.now());
    let outcome = watched.call(Call::once().tokens(5), async |_| Ok(1)).await;
    assert_eq!(outcome.result, Ok(1));
    let outcome = watched.call(Call::once(), async |_| Ok(1)).await;
    assert_eq!(stopped(outcome), (Guard::Rate, Why::RateLimited));
}

#[tokio::test(start_paused = true)]
async fn new_limits_keep_all_state() {
    let watched = watched(config());
    let _ = watched.fail().await;
    assert_eq!(watched.state(), State::Open);
    let mut changed = watched.pipeline.limits().config();
    changed.deadline = Some(ms(9_000));
    watched.pipeline.reconfigure(changed.clone().validate().unwrap());
    assert_eq!(watched.state(), State::Open);
    assert_eq!(stopped(watched.fail().await), (Guard::Breaker, Why::Open));
    // Off and on again: it is found where it was.
    let without = Config { breaker: None, ..changed.clone() };
    watched.pipeline.reconfigure(without.validate().unwrap());
    assert_eq!(watched.fail().await.report.attempts, 3);
    watched.pipeline.reconfigure(changed.validate().unwrap());
    assert_eq!(stopped(watched.fail().await), (Guard::Breaker, Why::Open));
}

#[tokio::test(start_paused = true)]
async fn panicking_observer_does_not_break_the_call() {
    let observer = |_: &Event<'_>| panic!("a broken metric");
    let env = Env { observer: Some(Arc::new(observer)), ..Env::default() };
    let pipeline = Pipeline::with_env("callee", config().validate().unwrap(), env);
    let outcome = pipeline
        .run(Call::repeatable(), classify, async |attempt| match attempt.number {
            2 => Ok(2),
            _ => Err("down"),
        })
        .await;
    assert_eq!(outcome.result, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn clones_share_their_guards_and_callees_do_not() {
    let (one, other) = (watched(config()), watched(config()));
    let same = one.pipeline.clone();
    let _ = one.fail().await;
    assert_eq!(same.breaker().state(), State::Open);
    assert_eq!(other.state(), State::Closed);
}

impl Watched {
    fn now(&self) -> Instant {
        self.pipeline.inner.clock.now()
    }
}

#[tokio::test(start_paused = true)]
async fn empty_budget_stops_retries_by_name() {
    let budget = retry::budget::Config { ratio: 0.0, min_per_second: 0, burst: 1 };
    let retry = retry::Config { budget: Some(budget), ..retry::Config::default() };
    let why = Arc::new(Mutex::new(None));
    let seen = why.clone();
    let observer = move |event: &Event<'_>| {
        if let What::RetriesStopped { why, .. } = event.what {
            *lock(&seen) = Some(why);
        }
    };
    let env = Env { observer: Some(Arc::new(observer)), ..Env::default() };
    let limits = Config { retry: Some(retry), breaker: None, ..config() }.validate().unwrap();
    let pipeline = Pipeline::with_env("callee", limits, env);
    let outcome = pipeline.run(Call::repeatable(), classify, async |_| Err("down")).await;
    assert_eq!(outcome.report.attempts, 2);
    assert_eq!(*lock(&why), Some(Stop::BudgetEmpty));
}

#[test]
fn futures_are_send() {
    fn check<T: Send>(_: T) {}
    let pipeline = Pipeline::new("callee", Limits::clone(&Config::default().validate().unwrap()));
    check(pipeline.run(Call::once(), classify, |_| async { Ok(1) }));
}

#[test]
fn call_under_way_is_small() {
    let pipeline = Pipeline::new("callee", Limits::clone(&Config::default().validate().unwrap()));
    let call = pipeline.run(Call::once(), classify, |_| std::future::ready(Ok(1)));
    assert!(size_of_val(&call) <= 1_200, "{} bytes", size_of_val(&call));
}
