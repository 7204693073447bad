//! The same for each mechanism used alone.

use consort_resilience::breaker::{self, Breaker, State};
use consort_resilience::bulkhead::{self, Bulkhead, Slot};
use consort_resilience::chaos::{self, Chaos};
use consort_resilience::coalesce::Coalesce;
use consort_resilience::fallback::Fallback;
use consort_resilience::hedge::{self, Hedge};
use consort_resilience::rate::{self, RateLimit};
use consort_resilience::retry::{self, Retry};
use consort_resilience::{Charge, Clock, Rng, Verdict, timeout};

use super::{Running, Work, dropped_everywhere};
use crate::sim::{Steps, ms, secs};

#[test]
fn timeout() {
    for (time, polls) in [(3, 4), (500, 6)] {
        let ended = dropped_everywhere(
            |_| Work::default(),
            |work, clock| {
                Box::pin(async move {
                    let at = clock.now() + ms(5);
                    let _ =
                        timeout::until(clock, Some(at), work.start(clock, ms(time), Ok(1))).await;
                })
            },
            |work, _| work.check(),
        );
        assert_eq!(ended, polls);
    }
}

fn breaker(clock: &Steps) -> Breaker {
    let config = breaker::Config {
        consecutive_failures: Some(1),
        rest: ms(10),
        rest_jitter: 0.0,
        ..breaker::Config::default()
    };
    Breaker::new(config.validate().unwrap(), Rng::seeded(1), clock.now())
}

fn guarded<'a>((breaker, work): &'a (Breaker, Work), clock: &'a Steps) -> Running<'a> {
    Box::pin(async move {
        let call = work.start(clock, ms(3), Ok(1));
        let _ = breaker.run(clock, Verdict::of_result, call).await;
    })
}

#[test]
fn closed_breaker() {
    let polls = dropped_everywhere(
        |clock| (breaker(clock), Work::default()),
        guarded,
        |(breaker, work), clock| {
            work.check();
            assert_eq!(breaker.state(), State::Closed);
            assert_eq!(breaker.snapshot(clock.now()).counts.failures, 0);
        },
    );
    assert_eq!(polls, 4);
}

#[test]
fn probing_breaker() {
    let polls = dropped_everywhere(
        |clock| {
            let breaker = breaker(clock);
            let permit = breaker.admit(clock.now()).unwrap();
            permit.report(Charge::Failure, ms(1), clock.now());
            clock.advance(ms(10));
            (breaker, Work::default())
        },
        guarded,
        |(breaker, work), clock| {
            work.check();
            assert!(breaker.admit(clock.now()).is_ok(), "the place of the probe is free again");
        },
    );
    assert_eq!(polls, 4);
}

#[test]
fn retry() {
    let polls = dropped_everywhere(
        |clock| {
            let config = retry::Config {
                base: ms(3),
                jitter: retry::Jitter::None,
                ..retry::Config::default()
            };
            let limits = config.validate().unwrap();
            (Retry::new(limits, Rng::seeded(1), clock.now()), Work::default())
        },
        |(retry, work), clock| {
            Box::pin(async move {
                let call = |_| work.start(clock, ms(2), Err::<(), _>("down"));
                let _ = retry.run(clock, Verdict::of_result, call).await;
            })
        },
        |(retry, work), _| {
            work.check();
            // A retry is paid for when it is decided on, before its pause.
            let paid = 10 - retry.budget().balance();
            assert!(paid == 0 || paid >= work.started() - 1 && paid <= work.started());
        },
    );
    assert_eq!(polls, 16);
}

fn one_slot() -> Bulkhead {
    let config = bulkhead::Config { limit: 1, queue: 1, max_wait: ms(20) };
    Bulkhead::new(&config.validate().unwrap())
}

fn check_slot(bulkhead: &Bulkhead) {
    let now = bulkhead.snapshot();
    assert_eq!((now.taken, now.waiting), (0, 0));
    assert!(bulkhead.try_enter().is_some());
}

#[test]
fn bulkhead() {
    let polls = dropped_everywhere(
        |_| (one_slot(), Work::default()),
        |(bulkhead, work), clock| {
            Box::pin(async move {
                let _ = bulkhead.run(clock, work.start(clock, ms(3), Ok(1))).await;
            })
        },
        |(bulkhead, work), _| {
            work.check();
            check_slot(bulkhead);
        },
    );
    assert_eq!(polls, 4);
}

#[test]
fn bulkhead_with_a_queue() {
    let polls = dropped_everywhere(
        |_| (one_slot(), Work::default()),
        |(bulkhead, work), clock| {
            let mut held: Option<Slot<'_>> = bulkhead.try_enter();
            let mut call: Running<'_> = Box::pin(async move {
                let _ = bulkhead.run(clock, work.start(clock, ms(6), Ok(1))).await;
            });
            let mut polls = 0;
            Box::pin(std::future::poll_fn(move |cx| {
                // The holder leaves just before the fourth poll.
                polls += 1;
                if polls == 4 {
                    drop(held.take());
                }
                call.as_mut().poll(cx)
            }))
        },
        |(bulkhead, work), _| {
            work.check();
            check_slot(bulkhead);
        },
    );
    assert_eq!(polls, 7);
}

#[test]
fn rate_limit() {
    let polls = dropped_everywhere(
        |clock| {
            let config = rate::Config { tokens: 1, per: ms(5), burst: 1, max_wait: secs(1) };
            let limit = RateLimit::new(&config.validate().unwrap(), clock.now());
            limit.take(1, clock.now()).unwrap();
            limit
        },
        |limit, clock| Box::pin(async move { limit.acquire(1, clock).await.unwrap() }),
        |limit, clock| {
            if limit.available(clock.now()) == 0 {
                clock.advance(ms(5));
                assert_eq!(limit.available(clock.now()), 1, "nothing is set aside for nobody");
            }
        },
    );
    assert_eq!(polls, 6);
}

#[test]
fn hedge() {
    let polls = dropped_everywhere(
        |clock| {
            let config =
                hedge::Config { max_delay: ms(4), min_delay: ms(1), ..hedge::Config::default() };
            (Hedge::new(config.validate().unwrap(), clock.now()), Work::default())
        },
        |(hedge, work), clock| {
            Box::pin(async move {
                let call = |number| work.start(clock, ms(if number == 1 { 9 } else { 3 }), Ok(1));
                let _ = hedge.run(clock, Verdict::of_result, call).await;
            })
        },
        |(_, work), _| work.check(),
    );
    assert_eq!(polls, 8);
}

#[test]
fn coalesce() {
    let polls = dropped_everywhere(
        |_| (Coalesce::<u8, Result<u8, &str>>::new(), Work::default()),
        |(coalesce, work), clock| {
            let two = move || async move {
                let _ = coalesce.run(7, || work.start(clock, ms(3), Ok(1))).await;
            };
            // The second joins one poll later and is dropped with the first.
            Box::pin(async move {
                futures_util::future::join(two(), two()).await;
            })
        },
        |(coalesce, work), _| {
            assert!(work.started() <= 1, "shared");
            work.check();
            assert!(coalesce.is_empty());
        },
    );
    assert_eq!(polls, 4);
}

#[test]
fn chaos() {
    let config = chaos::Config { slow: 1.0, delay: ms(6), ..chaos::Config::default() };
    dropped_everywhere(
        |_| (Chaos::new(config.clone().validate().unwrap()), Work::default()),
        |(chaos, work), clock| {
            Box::pin(async move {
                let call = work.start(clock, ms(3), Ok(1));
                let _ = chaos.run(clock, call, || "injected", |value| value).await;
            })
        },
        |(_, work), _| work.check(),
    );
}

#[test]
fn fallback() {
    let polls = dropped_everywhere(
        |_| Work::default(),
        |work, clock| {
            Box::pin(async move {
                let live = work.start(clock, ms(2), Err::<u8, _>("down")).await;
                let cache = |_| work.start(clock, ms(3), Ok(1));
                let _ = Fallback::of(live).or("cache", |_| true, cache).await.answer();
            })
        },
        |work, _| work.check(),
    );
    assert_eq!(polls, 6);
}
