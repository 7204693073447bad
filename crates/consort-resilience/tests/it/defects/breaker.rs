//! Defects of the five breakers.

use std::future::pending;
use std::task::{Context, Waker};

use consort_resilience::breaker::{Breaker, Config, Limits, State};
use consort_resilience::pipeline::{Call, Config as Guards, Preset};
use consort_resilience::{Charge, Clock, Rng, Verdict};

use crate::sim::{CLOCK, ms, pipeline, secs};

fn breaker(config: Config) -> Breaker {
    Breaker::new(config.validate().unwrap(), Rng::seeded(1), CLOCK.now())
}

fn report(breaker: &Breaker, charge: Charge) {
    let now = CLOCK.now();
    breaker.admit(now).unwrap().report(charge, ms(1), now);
}

fn open(breaker: &Breaker) {
    while breaker.state() == State::Closed {
        report(breaker, Charge::Failure);
    }
}

#[test]
fn failures_scattered_among_successes_do_not_open() {
    let breaker = breaker(Config::default());
    for n in 0..405 {
        report(&breaker, if n % 81 == 80 { Charge::Failure } else { Charge::Success });
    }
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot(CLOCK.now()).counts.failures, 5);
}

#[tokio::test(start_paused = true)]
async fn half_open_lets_through_its_probes_only() {
    let breaker = breaker(Config { probes: 3, ..Config::default() });
    open(&breaker);
    tokio::time::advance(secs(6)).await;
    let probes: Vec<_> = (0..100).filter_map(|_| breaker.admit(CLOCK.now()).ok()).collect();
    assert_eq!(probes.len(), 3);
    assert!(probes.iter().all(|probe| probe.is_probe()));
}

#[tokio::test(start_paused = true)]
async fn refusals_neither_open_it_nor_keep_it_half_open() {
    let breaker = breaker(Config::default());
    (0..100).for_each(|_| report(&breaker, Charge::Answered));
    assert_eq!(breaker.snapshot(CLOCK.now()).counts.calls, 0);
    open(&breaker);
    tokio::time::advance(secs(6)).await;
    (0..2).for_each(|_| report(&breaker, Charge::Answered));
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn every_preset_closes_again() {
    for preset in Preset::ALL {
        let pipeline = pipeline("preset", preset.config(), 1);
        let breaker = pipeline.breaker();
        open(breaker);
        tokio::time::advance(secs(600)).await;
        for _ in 0..2 {
            report(breaker, Charge::Success);
        }
        assert_eq!(breaker.state(), State::Closed, "{preset:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn more_successes_than_probes_still_close() {
    let breaker = breaker(Config { probes: 1, successes: 10, ..Config::default() });
    open(&breaker);
    tokio::time::advance(secs(6)).await;
    (0..10).for_each(|_| report(&breaker, Charge::Success));
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn closed_breaker_limits_nothing() {
    let breaker = breaker(Config::default());
    let now = CLOCK.now();
    let permits: Vec<_> = (0..1_000).map(|_| breaker.admit(now).unwrap()).collect();
    assert_eq!(permits.len(), 1_000);
}

#[test]
fn call_counts_when_it_has_ended() {
    let breaker = breaker(Config::default());
    let mut call = Box::pin(breaker.run(&CLOCK, Verdict::of_result, pending::<Result<(), &str>>()));
    assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(breaker.snapshot(CLOCK.now()).counts.calls, 0);
    drop(call);
    assert_eq!(breaker.snapshot(CLOCK.now()).counts.calls, 0, "given up, it says nothing");
}

#[tokio::test(start_paused = true)]
async fn long_good_life_does_not_hide_an_outage() {
    let breaker = breaker(Config { consecutive_failures: None, ..Config::default() });
    for _ in 0..10_000 {
        report(&breaker, Charge::Success);
    }
    tokio::time::advance(secs(31)).await;
    for n in 0..40 {
        if breaker.state() == State::Closed {
            report(&breaker, if n % 2 == 0 { Charge::Success } else { Charge::Failure });
        }
    }
    assert_eq!(breaker.state(), State::Open, "half of what it does now fails");
}

#[tokio::test(start_paused = true)]
async fn hung_call_ends_and_counts_as_failure() {
    let pipeline = pipeline("hung", Guards { retry: None, ..Guards::default() }, 1);
    let start = CLOCK.now();
    let never = |_| pending::<Result<(), &str>>();
    let outcome = pipeline.run(Call::once(), Verdict::of_result, never).await;
    assert!(outcome.result.is_err());
    assert!(CLOCK.now() - start <= ms(10_001));
    assert_eq!(pipeline.breaker().snapshot(CLOCK.now()).failures_in_row, 1);
}

#[test]
fn default_limits_are_those_of_an_empty_file() {
    assert_eq!(Config::default().validate(), Ok(Limits::default()));
}
