//! Our mechanisms, alone and as a pipeline.

use std::future::ready;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use consort_resilience::adaptive::{self, Adaptive, Sample};
use consort_resilience::breaker::{self, Breaker};
use consort_resilience::bulkhead::{self, Bulkhead};
use consort_resilience::endpoints::{self, Endpoints};
use consort_resilience::hedge::{self, Hedge};
use consort_resilience::pipeline::{Call, Config, Pipeline};
use consort_resilience::rate::{self, Keyed, RateLimit};
use consort_resilience::registry::Registry;
use consort_resilience::retry::{self, Retry};
use consort_resilience::shed::{self, Priority, Shed};
use consort_resilience::{Charge, Clock, Rng, TokioClock, Verdict, timeout};

use crate::harness::{FLOOR, measure, now};

const CLOCK: TokioClock = TokioClock;

type Outcome = Result<u64, ()>;

fn rng() -> Rng {
    Rng::seeded(1)
}

pub fn breaker() {
    let make = || Arc::new(Breaker::new(breaker::Limits::default(), rng(), CLOCK.now()));
    measure("breaker", "consort", make, |breaker| {
        let work = ready(black_box(Outcome::Ok(1)));
        let _ = black_box(now(breaker.run(&CLOCK, Verdict::of_result, work)));
    });
}

pub fn retry() {
    let make = || Arc::new(Retry::new(retry::Limits::default(), rng(), CLOCK.now()));
    measure("retry", "consort, with budget", make, |retry| {
        let work = |_| ready(black_box(Outcome::Ok(1)));
        let _ = black_box(now(retry.run(&CLOCK, Verdict::of_result, work)));
    });
}

pub fn timeout() {
    measure(
        "timeout",
        "consort",
        || (),
        |()| {
            let at = CLOCK.now() + Duration::from_secs(10);
            let work = ready(black_box(Outcome::Ok(1)));
            let _ = black_box(now(timeout::until(&CLOCK, Some(at), work)));
        },
    );
}

pub fn bulkhead() {
    let make = || Arc::new(Bulkhead::new(&bulkhead::Limits::default()));
    measure("bulkhead", "consort", make, |bulkhead| {
        let work = ready(black_box(Outcome::Ok(1)));
        let _ = black_box(now(bulkhead.run(&CLOCK, work)));
    });
}

fn plenty() -> rate::Limits {
    let config =
        rate::Config { tokens: 1_000_000_000, burst: 1_000_000_000, ..rate::Config::default() };
    config.validate().unwrap_or_default()
}

pub fn rate() {
    let make = || Arc::new(RateLimit::new(&plenty(), CLOCK.now()));
    measure("rate", "consort", make, |limit| {
        let _ = black_box(limit.take(1, CLOCK.now()));
    });
}

pub fn keyed() {
    let make = || Arc::new(Keyed::new(&plenty(), 1_000, CLOCK.now()));
    measure("rate, keyed", "consort", make, |limit| {
        let _ = black_box(limit.take(&black_box(7_u64), 1, CLOCK.now()));
    });
}

/// Mechanisms that no compared peer offers under the same promise.
pub fn others() {
    let make = || Arc::new(Shed::new(&shed::Limits::default(), CLOCK.now()));
    measure("shed", "consort", make, |shed| {
        let now = CLOCK.now();
        let _ = black_box(shed.admit(Priority::Normal, Duration::ZERO, now));
    });
    let make = || Arc::new(Hedge::new(hedge::Limits::default(), CLOCK.now()));
    measure("hedge", "consort", make, |hedge| {
        let work = |_| ready(black_box(Outcome::Ok(1)));
        let _ = black_box(now(hedge.run(&CLOCK, Verdict::of_result, work)));
    });
    let make = || Arc::new(Adaptive::new(adaptive::Limits::default(), 20));
    measure("adaptive", "consort, one sample", make, |adaptive| {
        let took = black_box(Duration::from_millis(5));
        let _ = adaptive.sample(Sample { took, charge: Charge::Success, in_flight: 3 });
    });
    let make = || {
        let endpoints = Endpoints::new(endpoints::Limits::default(), rng());
        endpoints.set((0..8).map(|n| (n.to_string(), n)), CLOCK.now());
        Arc::new(endpoints)
    };
    measure("endpoints", "consort, pick and report, 8", make, |endpoints| {
        let now = CLOCK.now();
        if let Some(lease) = endpoints.pick(&[], now) {
            lease.report(Charge::Success, Duration::from_millis(5), now);
        }
    });
    let make = || {
        let env = consort_resilience::pipeline::Env::default();
        let registry = Registry::new(64, |_| limits(Config::default()), env);
        let _ = registry.get("callee");
        Arc::new(registry)
    };
    measure("registry", "consort, look-up", make, |registry| {
        let _ = black_box(registry.get(black_box("callee")));
    });
}

fn limits(config: Config) -> consort_resilience::pipeline::Limits {
    match config.validate() {
        Ok(limits) => limits,
        Err(error) => unreachable!("{error}"),
    }
}

/// Deadline, retry with budget, breaker, bulkhead, attempt timeout.
pub fn five_guards() -> Pipeline {
    Pipeline::new("callee", limits(Config::default()))
}

pub fn pipeline() {
    let call = |pipeline: &mut Pipeline| {
        let work = |_| ready(black_box(Outcome::Ok(1)));
        let _ = black_box(now(pipeline.run(Call::repeatable(), Verdict::of_result, work)));
    };
    let off = || Pipeline::new("callee", limits(Config::OFF));
    measure("pipeline", "consort, no guard", off, call);
    measure("pipeline", "consort, five guards", five_guards, call);
    let all = || {
        let config = Config {
            shed: Some(shed::Config::default()),
            hedge: Some(hedge::Config::default()),
            rate: Some(plenty().config().clone()),
            adaptive: Some(adaptive::Config::default()),
            ..Config::default()
        };
        Pipeline::new("callee", limits(config))
    };
    measure("pipeline", "consort, all nine guards", all, call);
}

/// The floor under everything.
pub fn floor() {
    use std::sync::atomic::{AtomicU64, Ordering};
    measure(
        FLOOR,
        "ready future",
        || (),
        |()| {
            let _ = black_box(now(ready(black_box(Outcome::Ok(1)))));
        },
    );
    measure(
        FLOOR,
        "clock reading",
        || (),
        |()| {
            let _: Instant = black_box(CLOCK.now());
        },
    );
    measure(
        FLOOR,
        "atomic swap",
        || Arc::new(AtomicU64::new(0)),
        |atomic| {
            black_box(atomic.swap(1, Ordering::AcqRel));
        },
    );
}

/// How big a call is while it waits.
pub fn sizes() {
    let pipeline = five_guards();
    let work = |_| ready(Outcome::Ok(1));
    let call = pipeline.run(Call::repeatable(), Verdict::of_result, work);
    println!("{:<12} {:<34} {:>8} bytes", "future", "pipeline, ready work", size_of_val(&call));
}
