//! The concurrent parts under loom: every interleaving of small programs, weak memory included.
//!
//! `cargo test --manifest-path crates/consort-resilience/loom/Cargo.toml models`
//!
//! At most two forced switches per run by default; `LOOM_MAX_PREEMPTIONS=4` looks further and takes
//! minutes.

use std::time::{Duration, Instant};

use loom::future::block_on;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::breaker::{self, Breaker, State};
use crate::bulkhead::{self, Bulkhead};
use crate::rate::bucket::{Bucket, Quota, Take};
use crate::retry::budget::{self, Budget};
use crate::testing::moment;
use crate::{Charge, Rng};

fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(2);
    builder.check(model);
}

/// Runs both at once and waits for them.
fn both(one: impl FnOnce() + 'static, other: impl FnOnce() + 'static) {
    let (one, other) = (thread::spawn(one), thread::spawn(other));
    one.join().unwrap();
    other.join().unwrap();
}

#[test]
fn bucket_never_grants_more_than_it_holds() {
    explore(|| {
        let bucket = Arc::new(Bucket::new());
        let granted = Arc::new(AtomicUsize::new(0));
        let taker = || {
            let (bucket, granted) = (bucket.clone(), granted.clone());
            move || {
                for _ in 0..2 {
                    let quota = Quota { interval: 100, burst: 3 };
                    if let Take::Granted { .. } = bucket.take(quota, 1, 0, 0) {
                        granted.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        };
        both(taker(), taker());
        assert_eq!(granted.load(Ordering::Relaxed), 3);
    });
}

#[test]
fn budget_is_never_overdrawn_and_no_deposit_is_lost() {
    explore(|| {
        let config = budget::Config { ratio: 0.5, min_per_second: 0, burst: 2 };
        let budget = Arc::new(Budget::new(&config.validate().unwrap(), moment()));
        let now = moment();
        assert!(budget.withdraw(now) && budget.withdraw(now), "empty from here");
        let granted = Arc::new(AtomicUsize::new(0));
        let (caller, retrier, count) = (budget.clone(), budget.clone(), granted.clone());
        both(
            move || (0..2).for_each(|_| caller.deposit()),
            move || {
                for _ in 0..2 {
                    if retrier.withdraw(now) {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                }
            },
        );
        let granted = granted.load(Ordering::Relaxed);
        assert_eq!(granted as u32 + budget.balance(), 1);
    });
}

fn small_bulkhead(limit: u32) -> Arc<Bulkhead> {
    let config = bulkhead::Config { limit, queue: 4, max_wait: Duration::from_secs(1) };
    Arc::new(Bulkhead::new(&config.validate().unwrap()))
}

/// Enters, checks that no more than one is inside, leaves.
fn visit(bulkhead: Arc<Bulkhead>, inside: Arc<AtomicUsize>) -> impl FnOnce() {
    move || {
        let slot = block_on(bulkhead.enter()).unwrap();
        assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0, "two in one slot");
        inside.fetch_sub(1, Ordering::Relaxed);
        drop(slot);
    }
}

/// A lost wake-up would show as a deadlock.
#[test]
fn bulkhead_lets_everybody_in_and_never_two_at_once() {
    explore(|| {
        let (bulkhead, inside) = (small_bulkhead(1), Arc::new(AtomicUsize::new(0)));
        let third = visit(bulkhead.clone(), inside.clone());
        both(visit(bulkhead.clone(), inside.clone()), visit(bulkhead.clone(), inside));
        third();
        let snapshot = bulkhead.snapshot();
        assert_eq!((snapshot.taken, snapshot.waiting), (0, 0));
    });
}

#[test]
fn caller_who_gives_up_leaves_neither_slot_nor_place_behind() {
    explore(|| {
        let (bulkhead, inside) = (small_bulkhead(1), Arc::new(AtomicUsize::new(0)));
        let held = bulkhead.clone();
        let holder = move || drop(held.try_enter());
        let queue = bulkhead.clone();
        let quitter = move || {
            let mut enter = Box::pin(queue.enter());
            let waker = std::task::Waker::noop();
            let _ = enter.as_mut().poll(&mut std::task::Context::from_waker(waker));
        };
        let last = visit(bulkhead.clone(), inside);
        both(holder, quitter);
        last();
        let snapshot = bulkhead.snapshot();
        assert_eq!((snapshot.taken, snapshot.waiting), (0, 0));
    });
}

#[test]
fn slots_and_queue_survive_a_change_of_limits() {
    explore(|| {
        let (bulkhead, inside) = (small_bulkhead(1), Arc::new(AtomicUsize::new(0)));
        let (other, held) = (bulkhead.clone(), bulkhead.clone());
        let slot = held.try_enter().unwrap();
        let waiter = thread::spawn(move || {
            let slot = block_on(other.enter()).unwrap();
            inside.fetch_add(1, Ordering::Relaxed);
            drop(slot);
        });
        bulkhead.set_limit(2);
        waiter.join().unwrap();
        drop(slot);
        assert_eq!(bulkhead.snapshot().taken, 0);
    });
}

fn small_breaker(config: breaker::Config) -> (Arc<Breaker>, Instant) {
    let now = moment();
    let limits = breaker::Config { rest_jitter: 0.0, ..config }.validate().unwrap();
    (Arc::new(Breaker::new(limits, Rng::seeded(1), now)), now)
}

/// Makes calls that end so.
fn calls(
    breaker: &Arc<Breaker>,
    now: Instant,
    charges: &'static [Charge],
) -> impl FnOnce() + use<> {
    let breaker = breaker.clone();
    move || {
        for &charge in charges {
            if let Ok(permit) = breaker.admit(now) {
                permit.report(charge, Duration::ZERO, now);
            }
        }
    }
}

const NEVER_OPENS: fn() -> breaker::Config = || breaker::Config {
    consecutive_failures: None,
    failure_rate: None,
    ..breaker::Config::default()
};

#[test]
fn no_result_is_lost_between_the_word_and_the_machine() {
    explore(|| {
        let (breaker, now) = small_breaker(NEVER_OPENS());
        both(
            calls(&breaker, now, &[Charge::Success, Charge::Success]),
            calls(&breaker, now, &[Charge::Failure, Charge::Success]),
        );
        let counts = breaker.snapshot(now).counts;
        assert_eq!((counts.calls, counts.failures), (4, 1));
    });
}

#[test]
fn result_of_an_earlier_generation_is_never_counted() {
    explore(|| {
        let (breaker, now) = small_breaker(NEVER_OPENS());
        let (late, resetting) = (breaker.clone(), breaker.clone());
        let gate = Arc::new(AtomicUsize::new(0));
        let other = gate.clone();
        both(
            move || {
                let permit = late.admit(now).unwrap();
                other.store(1, Ordering::Release);
                // Before, during or after the reset.
                permit.report(Charge::Success, Duration::ZERO, now);
            },
            move || {
                let seen = gate.load(Ordering::Acquire);
                resetting.reset(now);
                let counted = resetting.snapshot(now).counts.calls;
                // Whoever was admitted before the reset cannot appear after it.
                assert!(seen == 0 || counted == 0, "{counted}");
            },
        );
    });
}

#[test]
fn breaker_opens_however_successes_and_failures_meet() {
    explore(|| {
        let config = breaker::Config { consecutive_failures: Some(1), ..NEVER_OPENS() };
        let (breaker, now) = small_breaker(config);
        both(
            calls(&breaker, now, &[Charge::Success, Charge::Success]),
            calls(&breaker, now, &[Charge::Failure]),
        );
        assert_eq!(breaker.state(), State::Open);
        assert!(breaker.admit(now).is_err());
    });
}

#[test]
fn two_who_ask_at_once_get_one_probe() {
    explore(|| {
        let config = breaker::Config { consecutive_failures: Some(1), ..NEVER_OPENS() };
        let (breaker, now) = small_breaker(config);
        breaker.admit(now).unwrap().report(Charge::Failure, Duration::ZERO, now);
        let later = now + Duration::from_secs(10);
        let probes = Arc::new(AtomicUsize::new(0));
        let asker = || {
            let (breaker, probes) = (breaker.clone(), probes.clone());
            move || {
                if let Ok(permit) = breaker.admit(later) {
                    assert!(permit.is_probe());
                    probes.fetch_add(1, Ordering::Relaxed);
                    std::mem::forget(permit);
                }
            }
        };
        both(asker(), asker());
        assert_eq!(probes.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn dropped_probe_and_reported_probe_leave_the_count_right() {
    explore(|| {
        let config = breaker::Config {
            consecutive_failures: Some(1),
            probes: 2,
            successes: 2,
            ..NEVER_OPENS()
        };
        let (breaker, now) = small_breaker(config);
        breaker.admit(now).unwrap().report(Charge::Failure, Duration::ZERO, now);
        let later = now + Duration::from_secs(10);
        let dropping = breaker.clone();
        both(
            move || drop(dropping.admit(later).unwrap()),
            calls(&breaker, later, &[Charge::Success]),
        );
        assert_eq!(breaker.state(), State::HalfOpen);
        let permit = breaker.admit(later).unwrap();
        let second = breaker.admit(later).unwrap();
        assert!(breaker.admit(later).is_err(), "two places, both taken");
        drop(permit);
        second.report(Charge::Success, Duration::ZERO, later);
        assert_eq!(breaker.state(), State::Closed);
    });
}
