//! A future dropped at any of its await points leaves permits, probes, slots, places and tokens right.
//!
//! Each call here is polled `n` times and dropped, for every `n` from none up to its end.

mod random;
mod shells;

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use consort_resilience::breaker::State;
use consort_resilience::pipeline::{Attempt, Call, Config, Env, Pipeline, Report};
use consort_resilience::{
    Charge, Clock, Verdict, adaptive, breaker, bulkhead, hedge, rate, retry, shed,
};

use crate::sim::{Steps, ms, secs};

type Running<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

fn poll(call: &mut Running<'_>) -> bool {
    call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// Drops `call` after each possible number of polls, a millisecond apart, each time in a new world,
/// and returns how many polls it takes to end.
fn dropped_everywhere<W>(
    world: impl Fn(&Steps) -> W,
    call: impl for<'a> Fn(&'a W, &'a Steps) -> Running<'a>,
    check: impl Fn(&W, &Steps),
) -> usize {
    for polls in 0..1_000 {
        let clock = Steps::new();
        let world = world(&clock);
        let mut running = call(&world, &clock);
        let has_ended = (0..polls).any(|_| {
            let has_ended = poll(&mut running);
            clock.advance(ms(1));
            has_ended
        });
        drop(running);
        check(&world, &clock);
        if has_ended {
            return polls;
        }
    }
    panic!("it does not end");
}

/// Counts the pieces of work that exist and those that were started.
#[derive(Clone, Default)]
struct Work {
    alive: Arc<AtomicU32>,
    started: Arc<AtomicU32>,
}

struct Alive(Arc<AtomicU32>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Work {
    fn start<T>(
        &self,
        clock: &Steps,
        time: Duration,
        result: Result<T, &'static str>,
    ) -> impl Future<Output = Result<T, &'static str>> + use<T> {
        self.started.fetch_add(1, Ordering::Relaxed);
        self.alive.fetch_add(1, Ordering::Relaxed);
        let (alive, sleep) = (Alive(self.alive.clone()), clock.sleep_until(clock.now() + time));
        async move {
            let _alive = alive;
            sleep.await;
            result
        }
    }

    fn started(&self) -> u32 {
        self.started.load(Ordering::Relaxed)
    }

    fn check(&self) {
        assert_eq!(self.alive.load(Ordering::Relaxed), 0, "all work is gone");
    }
}

const TOKENS: u32 = 100;

/// All nine guards; one slot, two places in line, tokens that do not grow back in a test.
fn config() -> Config {
    let quiet = hedge::Config { max_delay: secs(60), ..hedge::Config::default() };
    Config {
        shed: Some(shed::Config { target: ms(50), interval: ms(100) }),
        deadline: Some(secs(1)),
        retry: Some(retry::Config {
            base: ms(3),
            jitter: retry::Jitter::None,
            ..retry::Config::default()
        }),
        hedge: Some(quiet),
        breaker: Some(breaker::Config {
            consecutive_failures: Some(3),
            probes: 2,
            rest: ms(10),
            rest_jitter: 0.0,
            ..breaker::Config::default()
        }),
        rate: Some(rate::Config { tokens: 1, per: secs(80_000), burst: TOKENS, max_wait: secs(1) }),
        adaptive: Some(adaptive::Config { min: 1, max: 1, ..adaptive::Config::default() }),
        bulkhead: Some(bulkhead::Config { limit: 1, queue: 2, max_wait: ms(40) }),
        attempt_timeout: Some(ms(50)),
    }
}

struct World {
    pipeline: Pipeline,
    work: Work,
    /// Another caller, who came first.
    other: RefCell<Option<Running<'static>>>,
    /// What the guards did to the last call that ended.
    report: Cell<Option<Report>>,
}

fn world(clock: &Steps, config: Config) -> World {
    let env = Env { clock: Arc::new(clock.clone()), seed: 1, observer: None };
    let pipeline = Pipeline::with_env("callee", config.validate().unwrap(), env);
    World { pipeline, work: Work::default(), other: RefCell::new(None), report: Cell::new(None) }
}

/// A call whose attempts take and return what `script` says; the last goes for all after it.
fn call<'a>(
    world: &'a World,
    clock: &'a Steps,
    script: &'a [(u64, Result<u32, &'static str>)],
) -> Running<'a> {
    Box::pin(async move {
        let work = |attempt: Attempt| {
            let at = (attempt.number as usize).min(script.len()) - 1;
            world.work.start(clock, ms(script[at].0), script[at].1)
        };
        let outcome = world.pipeline.run(Call::repeatable(), Verdict::of_result, work).await;
        world.report.set(Some(outcome.report));
    })
}

fn check(world: &World, clock: &Steps) {
    let tokens = world.pipeline.snapshot().tokens.unwrap();
    let mut started = world.work.started();
    if let Some(mut other) = world.other.take() {
        while !poll(&mut other) {
            clock.advance(ms(1));
        }
        started = world.work.started();
    }
    world.work.check();
    let snapshot = world.pipeline.snapshot();
    let bulkhead = snapshot.bulkhead.unwrap();
    assert_eq!((bulkhead.taken, bulkhead.waiting), (0, 0));
    assert!(tokens >= snapshot.tokens.unwrap());
    assert_eq!(
        TOKENS - snapshot.tokens.unwrap(),
        started,
        "a token for each attempt that was sent"
    );
    let breaker = world.pipeline.breaker();
    match breaker.state() {
        State::HalfOpen => {
            let probes: Vec<_> = (0..5).filter_map(|_| breaker.admit(clock.now()).ok()).collect();
            let (left, all) = (probes.len(), 2);
            assert_eq!(left, all, "every probe that is not out may go out");
        }
        State::Closed => {
            assert!(poll(&mut call(world, clock, &[(0, Ok(1))])), "the next call goes through");
        }
        State::Open | State::Isolated => {}
    }
}

#[test]
fn call_that_is_answered() {
    let polls = dropped_everywhere(
        |clock| world(clock, config()),
        |world, clock| call(world, clock, &[(3, Ok(1))]),
        check,
    );
    assert_eq!(polls, 4);
}

#[test]
fn call_that_is_retried() {
    let polls = dropped_everywhere(
        |clock| world(clock, config()),
        |world, clock| call(world, clock, &[(2, Err("a")), (2, Err("b")), (2, Ok(1))]),
        check,
    );
    assert_eq!(polls, 16, "three attempts of 2, pauses of 3 and 6");
}

#[test]
fn call_that_opens_the_breaker() {
    let polls = dropped_everywhere(
        |clock| world(clock, config()),
        |world, clock| call(world, clock, &[(2, Err("down"))]),
        check,
    );
    assert_eq!(polls, 16);
}

#[test]
fn call_that_times_out() {
    let polls = dropped_everywhere(
        |clock| world(clock, Config { attempt_timeout: Some(ms(5)), ..config() }),
        |world, clock| call(world, clock, &[(500, Ok(1))]),
        check,
    );
    assert_eq!(polls, 25, "three attempts of 5, pauses of 3 and 6");
}

#[test]
fn call_that_meets_its_deadline() {
    let polls = dropped_everywhere(
        |clock| world(clock, Config { deadline: Some(ms(7)), attempt_timeout: None, ..config() }),
        |world, clock| call(world, clock, &[(500, Ok(1))]),
        check,
    );
    assert_eq!(polls, 8);
}

#[test]
fn call_that_is_hedged() {
    let hedge = hedge::Config { max_delay: ms(4), min_delay: ms(1), ..hedge::Config::default() };
    let bulkhead = bulkhead::Config { limit: 2, queue: 2, max_wait: ms(40) };
    let adaptive = adaptive::Config { min: 2, max: 2, ..adaptive::Config::default() };
    let config = Config {
        hedge: Some(hedge),
        bulkhead: Some(bulkhead),
        adaptive: Some(adaptive),
        ..config()
    };
    let polls = dropped_everywhere(
        |clock| world(clock, config.clone()),
        |world, clock| call(world, clock, &[(9, Ok(1)), (3, Ok(2))]),
        check,
    );
    assert_eq!(polls, 8, "the second call, sent after 4, takes 3");
}

#[test]
fn hedge_that_has_to_wait_for_a_slot() {
    let hedge = hedge::Config { max_delay: ms(4), min_delay: ms(1), ..hedge::Config::default() };
    let polls = dropped_everywhere(
        |clock| world(clock, Config { hedge: Some(hedge.clone()), ..config() }),
        |world, clock| call(world, clock, &[(9, Ok(1)), (3, Ok(2))]),
        check,
    );
    assert_eq!(polls, 10);
}

/// A world in which another call has the slot for six milliseconds.
fn taken(clock: &Steps, config: Config) -> World {
    let world = world(clock, config);
    let (pipeline, work, time) = (world.pipeline.clone(), world.work.clone(), clock.clone());
    let mut other: Running<'static> = Box::pin(async move {
        let work = |_| work.start(&time, ms(6), Ok(1));
        let _ = pipeline.run(Call::repeatable(), Verdict::of_result, work).await;
    });
    assert!(!poll(&mut other));
    world.other.replace(Some(other));
    world
}

/// The call, and the other one beside it.
fn beside<'a>(world: &'a World, mut call: Running<'a>) -> Running<'a> {
    Box::pin(std::future::poll_fn(move |cx| {
        let has_ended = world.other.borrow_mut().as_mut().is_some_and(poll);
        if has_ended {
            world.other.take();
        }
        call.as_mut().poll(cx)
    }))
}

#[test]
fn call_that_waits_for_a_slot() {
    let polls = dropped_everywhere(
        |clock| taken(clock, config()),
        |world, clock| beside(world, call(world, clock, &[(3, Ok(1))])),
        check,
    );
    assert_eq!(polls, 10, "six in line, three of its own");
}

#[test]
fn call_that_waits_for_a_slot_in_vain() {
    let impatient = bulkhead::Config { limit: 1, queue: 2, max_wait: ms(4) };
    let polls = dropped_everywhere(
        |clock| taken(clock, Config { bulkhead: Some(impatient.clone()), ..config() }),
        |world, clock| beside(world, call(world, clock, &[(3, Ok(1))])),
        check,
    );
    assert_eq!(polls, 5);
}

#[test]
fn probe() {
    let half_open = |clock: &Steps| {
        let world = world(clock, config());
        for _ in 0..3 {
            let permit = world.pipeline.breaker().admit(clock.now()).unwrap();
            permit.report(Charge::Failure, ms(1), clock.now());
        }
        clock.advance(ms(10));
        world
    };
    let polls = dropped_everywhere(
        half_open,
        |world, clock| call(world, clock, &[(3, Ok(1))]),
        |world, clock| {
            // One good answer is not yet enough to close it, so it must be probing still.
            assert!(matches!(world.pipeline.breaker().state(), State::Open | State::HalfOpen));
            check(world, clock);
        },
    );
    assert_eq!(polls, 4);
}

#[test]
fn call_that_waits_for_tokens() {
    let rate = rate::Config { tokens: 1, per: ms(5), burst: 1, max_wait: secs(1) };
    let polls = dropped_everywhere(
        |clock| {
            let world = world(clock, Config { rate: Some(rate.clone()), ..config() });
            assert!(poll(&mut call(&world, clock, &[(0, Ok(1))])), "takes the only token");
            world
        },
        |world, clock| call(world, clock, &[(3, Ok(1))]),
        |world, clock| {
            world.work.check();
            // Five milliseconds after the last token was spent there is one again.
            let spent = world.work.started();
            clock.advance(if spent == 1 { ms(5) } else { ms(5 + 3) });
            assert_eq!(world.pipeline.snapshot().tokens, Some(1));
            assert_eq!(world.pipeline.snapshot().bulkhead.unwrap().taken, 0);
        },
    );
    assert_eq!(polls, 9, "five for the token, three of its own");
}

#[test]
fn work_that_never_ends() {
    let clock = Steps::new();
    let world = world(&clock, Config { attempt_timeout: None, deadline: None, ..config() });
    let mut call: Running<'_> = Box::pin(async {
        let never = |_| pending::<Result<(), &str>>();
        let _ = world.pipeline.run(Call::repeatable(), Verdict::of_result, never).await;
    });
    assert!(!poll(&mut call));
    drop(call);
    assert_eq!(world.pipeline.snapshot().bulkhead.unwrap().taken, 0);
}
