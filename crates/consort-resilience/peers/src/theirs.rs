//! The peers, set up to promise as much of the same as they offer.

use std::future::{Ready, ready};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use failsafe::futures::CircuitBreaker as _;
use governor::{Quota, RateLimiter};
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::retry::budget::{Budget, TpsBudget};
use tower::{Layer, Service, ServiceBuilder, service_fn};
use tower_resilience::prelude::{
    BulkheadLayer, CircuitBreakerLayer, RateLimiterLayer, RetryLayer, TimeLimiterLayer,
};
use tower_resilience::retry::RetryBudgetBuilder;

use crate::harness::{measure, now};

const LONG: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
struct Down;

impl std::fmt::Display for Down {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("down")
    }
}

impl std::error::Error for Down {}

/// The work: ready at once.
fn work(_: ()) -> Ready<Result<u64, Down>> {
    ready(black_box(Ok(1)))
}

/// One call of a tower service: ready, then call.
fn call<S: Service<(), Response = u64>>(service: &mut S)
where
    S::Error: std::fmt::Debug,
{
    now(async {
        let _ = std::future::poll_fn(|cx| service.poll_ready(cx)).await;
        let _ = black_box(service.call(()).await);
    });
}

pub fn breaker() {
    let make = || failsafe::Config::new().build();
    measure("breaker", "failsafe", make, |breaker| {
        let _ = black_box(now(breaker.call(work(()))));
    });
    let make = || tower_breaker().layer(service_fn(work));
    measure("breaker", "tower-resilience", make, call);
}

fn tower_breaker() -> CircuitBreakerLayer {
    CircuitBreakerLayer::builder()
        .failure_rate_threshold(0.5)
        .sliding_window_size(100)
        .build()
        .unwrap_or_else(|_| unreachable!())
}

/// tower's policy with its budget, as its documentation shows it.
#[derive(Clone)]
struct Thrice {
    left: u32,
    budget: Arc<TpsBudget>,
}

impl<E> tower::retry::Policy<(), u64, E> for Thrice {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut (), result: &mut Result<u64, E>) -> Option<Ready<()>> {
        if result.is_ok() {
            self.budget.deposit();
            return None;
        }
        if self.left == 0 || !self.budget.withdraw() {
            return None;
        }
        self.left -= 1;
        Some(ready(()))
    }

    fn clone_request(&mut self, (): &()) -> Option<()> {
        Some(())
    }
}

fn tower_retry() -> tower::retry::RetryLayer<Thrice> {
    let budget = Arc::new(TpsBudget::new(LONG, 1, 0.2));
    tower::retry::RetryLayer::new(Thrice { left: 2, budget })
}

pub fn retry() {
    measure(
        "retry",
        "backon, no budget",
        || (),
        |()| {
            let _ = black_box(now((|| work(())).retry(ExponentialBuilder::default())));
        },
    );
    measure("retry", "tower, with budget", || tower_retry().layer(service_fn(work)), call);
    let make = || {
        let budget =
            RetryBudgetBuilder::new().token_bucket().build().unwrap_or_else(|_| unreachable!());
        let layer: RetryLayer<(), u64, Down> = RetryLayer::builder().budget(budget).build();
        layer.layer(service_fn(work))
    };
    measure("retry", "tower-resilience, with budget", make, call);
}

pub fn timeout() {
    measure(
        "timeout",
        "tokio",
        || (),
        |()| {
            let _ = black_box(now(tokio::time::timeout(LONG, work(()))));
        },
    );
    let make = || tower::timeout::TimeoutLayer::new(LONG).layer(service_fn(work));
    measure("timeout", "tower", make, call);
    let make =
        || TimeLimiterLayer::builder().timeout_duration(LONG).build().layer(service_fn(work));
    measure("timeout", "tower-resilience", make, call);
}

pub fn bulkhead() {
    measure(
        "bulkhead",
        "tokio semaphore",
        || Arc::new(tokio::sync::Semaphore::new(16)),
        |slots| {
            now(async {
                let _slot = slots.acquire().await;
                let _ = black_box(work(()).await);
            });
        },
    );
    let make = || GlobalConcurrencyLimitLayer::new(16).layer(service_fn(work));
    measure("bulkhead", "tower, queue unbounded", make, call);
    let make = || tower_bulkhead().layer(service_fn(work));
    measure("bulkhead", "tower-resilience", make, call);
}

fn tower_bulkhead() -> BulkheadLayer {
    BulkheadLayer::builder().max_concurrent_calls(16).build().unwrap_or_else(|_| unreachable!())
}

pub fn rate() {
    let make = || Arc::new(RateLimiter::direct(plenty()));
    measure("rate", "governor", make, |limit| {
        let _ = black_box(limit.check());
    });
    let make = || {
        let layer = RateLimiterLayer::builder()
            .limit_for_period(1_000_000_000)
            .refresh_period(Duration::from_secs(1))
            .build()
            .unwrap_or_else(|_| unreachable!());
        layer.layer(service_fn(work))
    };
    measure("rate", "tower-resilience, fixed window", make, call);
}

fn plenty() -> Quota {
    Quota::per_second(std::num::NonZeroU32::MAX)
}

pub fn keyed() {
    let make = || Arc::new(RateLimiter::keyed(plenty()));
    measure("rate, keyed", "governor", make, |limit| {
        let _ = black_box(limit.check_key(&black_box(7_u64)));
    });
}

/// As near to the five guards as each comes. tower has no breaker.
pub fn pipeline() {
    let make = || {
        ServiceBuilder::new()
            .timeout(LONG)
            .layer(tower_retry())
            .layer(GlobalConcurrencyLimitLayer::new(16))
            .timeout(LONG)
            .service(service_fn(work))
    };
    measure("pipeline", "tower, four guards, no breaker", make, call);
    let make = || {
        ServiceBuilder::new()
            .timeout(LONG)
            .layer(tower_retry())
            .layer(tower_breaker())
            .layer(GlobalConcurrencyLimitLayer::new(16))
            .timeout(LONG)
            .service(service_fn(work))
    };
    measure("pipeline", "tower + tower-resilience breaker", make, call);
    let limiter = || TimeLimiterLayer::builder().timeout_duration(LONG).build();
    let make = move || {
        let budget =
            RetryBudgetBuilder::new().token_bucket().build().unwrap_or_else(|_| unreachable!());
        let inner = ServiceBuilder::new()
            .layer(tower_breaker())
            .layer(tower_bulkhead())
            .layer(limiter())
            .service(service_fn(work));
        ServiceBuilder::new()
            .layer(limiter())
            .layer(RetryLayer::builder().budget(budget).build())
            .service(inner)
    };
    measure("pipeline", "tower-resilience, five guards", make, call);
}
