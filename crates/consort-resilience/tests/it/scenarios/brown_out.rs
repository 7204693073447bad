//! Three times as many calls as the callee can serve.

use std::sync::Arc;
use std::time::{Duration, Instant};

use consort_resilience::pipeline::{Attempt, Call, Config};
use consort_resilience::{Again, Charge, Clock, Rng, Verdict, adaptive, bulkhead, retry, shed};

use super::quick;
use crate::sim::{CLOCK, Overloaded, Server, for_each_seed, ms, offer, pipeline, quantile, secs};

const WORKERS: usize = 5;
const SERVICE: Duration = Duration::from_millis(50);
const CAPACITY: f64 = 100.0;
/// The first of these six seconds does not count: shedding needs a moment to see the overload.
const LENGTH: Duration = Duration::from_secs(6);
const WARM_UP: Duration = Duration::from_secs(1);

/// What came of it.
struct Measured {
    /// Good answers in time, as a share of what the callee could serve.
    goodput: f64,
    /// How long those who were served waited, in 99 of 100 cases.
    p99: Duration,
}

/// An honest refusal by a callee that is busy says nothing about its health.
fn classify(result: &Result<Duration, Overloaded>) -> Verdict {
    match result {
        Ok(_) => Verdict::SUCCESS,
        Err(Overloaded) => Verdict { charge: Charge::Nothing, again: Again::Maybe },
    }
}

async fn overload(config: Config, server: Server, seed: u64) -> Measured {
    let start = CLOCK.now();
    let (pipeline, server) = (pipeline("pressed", config, seed), Arc::new(server));
    let calls: Vec<(Instant, Option<Duration>)> =
        offer(Rng::seeded(seed), 3.0 * CAPACITY, LENGTH, |_| {
            let (pipeline, server) = (pipeline.clone(), server.clone());
            async move {
                let work = |_: Attempt| server.call();
                let outcome = pipeline.run(Call::repeatable(), classify, work).await;
                (CLOCK.now(), outcome.result.is_ok().then_some(outcome.report.took))
            }
        })
        .await;
    let counts = start + WARM_UP..start + LENGTH;
    let served: Vec<Duration> =
        calls.iter().filter(|(at, _)| counts.contains(at)).filter_map(|(_, took)| *took).collect();
    let goodput = served.len() as f64 / (LENGTH - WARM_UP).as_secs_f64() / CAPACITY;
    Measured { goodput, p99: quantile(served, 0.99) }
}

fn server(seed: u64) -> Server {
    Server::new(WORKERS, SERVICE, Rng::seeded(!seed))
}

/// Turning a call away costs a fiftieth of serving it.
fn shedding_server(seed: u64) -> Server {
    server(seed).shedding(shed::Config { target: ms(20), interval: ms(100) }, SERVICE / 50)
}

/// Callers who try hard: twenty attempts, a few milliseconds apart.
fn eager(budget: Option<retry::budget::Config>) -> Config {
    let retry = retry::Config {
        attempts: 20,
        base: ms(10),
        cap: ms(20),
        budget,
        ..retry::Config::default()
    };
    let plenty = bulkhead::Config { limit: 10_000, queue: 0, max_wait: ms(0) };
    Config { retry: Some(retry), bulkhead: Some(plenty), ..quick() }
}

#[test]
fn shedding_callee_stays_at_capacity_when_retries_have_a_budget() {
    for_each_seed(150, |seed| async move {
        let config = eager(Some(retry::budget::Config::default()));
        let measured = overload(config, shedding_server(seed), seed).await;
        assert!(measured.goodput >= 0.9, "{}", measured.goodput);
        assert!(measured.p99 <= ms(300), "{:?}", measured.p99);
    });
}

#[test]
fn without_a_budget_retries_bring_the_same_callee_down() {
    for_each_seed(20, |seed| async move {
        let measured = overload(eager(None), shedding_server(seed), seed).await;
        assert!(measured.goodput <= 0.5, "{}", measured.goodput);
    });
}

#[test]
fn pipeline_that_sheds_protects_a_callee_that_does_not() {
    for_each_seed(150, |seed| async move {
        let config = Config {
            shed: Some(shed::Config { target: ms(20), interval: ms(100) }),
            adaptive: Some(adaptive::Config { max: 100, ..adaptive::Config::default() }),
            bulkhead: Some(bulkhead::Config { limit: 5, queue: 200, max_wait: ms(500) }),
            ..quick()
        };
        let measured = overload(config, server(seed), seed).await;
        assert!(measured.goodput >= 0.9, "{}", measured.goodput);
        assert!(measured.p99 <= ms(400), "{:?}", measured.p99);
    });
}

#[test]
fn without_shedding_every_answer_comes_too_late() {
    for_each_seed(20, |seed| async move {
        let config = Config {
            deadline: Some(secs(1)),
            attempt_timeout: Some(ms(300)),
            retry: quick().retry,
            ..Config::OFF
        };
        let measured = overload(config, server(seed), seed).await;
        assert!(measured.goodput <= 0.1, "{}", measured.goodput);
    });
}
