//! Small worlds in virtual time: seeds, clocks, arrivals, and callees that queue.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use consort_resilience::pipeline::{Config, Env, Event, Observer, Pipeline};
use consort_resilience::shed::{self, Priority, Shed};
use consort_resilience::{Clock, Rng, Sleep, TokioClock};

pub(crate) const CLOCK: TokioClock = TokioClock;

pub(crate) fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub(crate) fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `world` once for each seed, each time in a runtime of its own whose clock is virtual.
/// `CONSORT_SEEDS` multiplies the seeds.
pub(crate) fn for_each_seed<F: Future<Output = ()>>(count: u64, world: impl Fn(u64) -> F) {
    #[expect(clippy::disallowed_methods, reason = "the size of a test run")]
    let times = std::env::var("CONSORT_SEEDS").ok().and_then(|n| n.parse::<u64>().ok());
    for seed in 0..count * times.unwrap_or(1) {
        let told = ToldOnPanic(seed);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(world(seed));
        drop(told);
    }
}

struct ToldOnPanic(u64);

impl Drop for ToldOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("seed {}", self.0);
        }
    }
}

/// The pauses between calls that know nothing of each other, so many a second.
pub(crate) fn pause(rng: &Rng, per_second: f64) -> Duration {
    Duration::from_secs_f64(-(1.0 - rng.unit()).ln() / per_second)
}

/// Starts calls from now on for `length`, at random moments, and waits for all to end. `make` gets
/// the number of the call.
pub(crate) async fn offer<F>(
    rng: Rng,
    per_second: f64,
    length: Duration,
    make: impl Fn(u64) -> F,
) -> Vec<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let mut calls = tokio::task::JoinSet::new();
    let start = CLOCK.now();
    let mut at = start + pause(&rng, per_second);
    let mut number = 0;
    while at < start + length {
        CLOCK.sleep_until(at).await;
        calls.spawn(make(number));
        number += 1;
        at += pause(&rng, per_second);
    }
    calls.join_all().await
}

/// The latency that `share` of the calls stayed below.
pub(crate) fn quantile(mut times: Vec<Duration>, share: f64) -> Duration {
    times.sort_unstable();
    let at = (times.len() as f64 * share) as usize;
    times.get(at.min(times.len().saturating_sub(1))).copied().unwrap_or_default()
}

pub(crate) fn pipeline(name: &str, config: Config, seed: u64) -> Pipeline {
    let env = Env { seed, ..Env::default() };
    Pipeline::with_env(name, config.validate().unwrap(), env)
}

pub(crate) fn watched(name: &str, config: Config, seed: u64, observer: impl Observer) -> Pipeline {
    let env = Env { seed, observer: Some(Arc::new(observer)), ..Env::default() };
    Pipeline::with_env(name, config.validate().unwrap(), env)
}

/// Writes down when what happened.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<(Instant, consort_resilience::pipeline::What)>>>);

impl Observer for Log {
    fn observe(&self, event: &Event<'_>) {
        lock(&self.0).push((CLOCK.now(), event.what));
    }
}

impl Log {
    pub(crate) fn all(&self) -> Vec<(Instant, consort_resilience::pipeline::What)> {
        lock(&self.0).clone()
    }
}

/// A callee with a few workers behind one line. It knows nothing of its callers' patience: what is
/// in the line gets worked on, whether anybody still waits for it or not.
pub(crate) struct Server {
    workers: Mutex<BinaryHeap<Reverse<Instant>>>,
    service: Duration,
    rng: Rng,
    /// With it the server looks at each call when its turn comes, and may turn it away. That is
    /// not free: parsing and answering take this long.
    shed: Option<(Shed, Duration)>,
}

impl Server {
    /// Serves `workers / service` calls a second at most.
    pub(crate) fn new(workers: usize, service: Duration, rng: Rng) -> Self {
        let now = CLOCK.now();
        let workers = Mutex::new((0..workers).map(|_| Reverse(now)).collect());
        Server { workers, service, rng, shed: None }
    }

    pub(crate) fn shedding(self, config: shed::Config, refusal: Duration) -> Self {
        let shed = Shed::new(&config.validate().unwrap(), CLOCK.now());
        Server { shed: Some((shed, refusal)), ..self }
    }

    /// Serves one call: the value is the time in line.
    pub(crate) async fn call(&self) -> Result<Duration, Overloaded> {
        let arrived = CLOCK.now();
        let (answer, at) = {
            let mut workers = lock(&self.workers);
            let Reverse(free) = workers.pop().unwrap();
            let start = free.max(arrived);
            let queued = start - arrived;
            let refused = self.shed.as_ref().and_then(|(shed, cost)| {
                shed.admit(Priority::Normal, queued, start).is_err().then_some(*cost)
            });
            let service = self.rng.between(self.service / 2, self.service * 3 / 2);
            let end = start + refused.unwrap_or(service);
            workers.push(Reverse(end));
            (if refused.is_some() { Err(Overloaded) } else { Ok(queued) }, end)
        };
        CLOCK.sleep_until(at).await;
        answer
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overloaded;

/// A clock that a test moves by hand. Sleepers look at it whenever they are polled.
#[derive(Clone, Debug)]
pub(crate) struct Steps {
    start: Instant,
    nanos: Arc<AtomicU64>,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Steps { start: CLOCK.now(), nanos: Arc::default() }
    }

    pub(crate) fn advance(&self, time: Duration) {
        self.nanos.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
    }
}

impl Clock for Steps {
    fn now(&self) -> Instant {
        self.start + Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, at: Instant) -> Sleep {
        let clock = self.clone();
        Sleep::new(std::future::poll_fn(move |_| {
            if clock.now() >= at { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        }))
    }
}
