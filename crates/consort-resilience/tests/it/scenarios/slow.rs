//! A callee that answers, but a hundred times too late, beside one that is well.

use std::sync::Arc;
use std::time::{Duration, Instant};

use consort_resilience::pipeline::{Call, Config, Pipeline};
use consort_resilience::{Clock, Rng, Verdict};
use tokio::sync::Semaphore;

use super::quick;
use crate::sim::{CLOCK, for_each_seed, ms, offer, pipeline, quantile, secs};

const SLOW: std::ops::Range<u64> = 3..13;
const LENGTH: u64 = 16;

/// When a call was made and how long its caller waited.
type Seen = (Instant, Duration);

/// Calls to one callee through a pool that the callers of all callees share, as the threads or
/// connections of a process are.
async fn traffic(pipeline: Pipeline, pool: Arc<Semaphore>, seed: u64, slow: bool) -> Vec<Seen> {
    let start = CLOCK.now();
    let rng = Rng::seeded(seed);
    let latencies = Arc::new(rng.split());
    offer(rng, 50.0, secs(LENGTH), move |_| {
        let (pipeline, pool) = (pipeline.clone(), pool.clone());
        let usual = latencies.between(ms(10), ms(30));
        async move {
            let made = CLOCK.now();
            let _place = pool.acquire().await;
            let work = |_| {
                let since = (CLOCK.now() - start).as_secs();
                let time = if slow && SLOW.contains(&since) { usual * 500 } else { usual };
                async move {
                    CLOCK.sleep_until(CLOCK.now() + time).await;
                    Ok::<(), ()>(())
                }
            };
            let _ = pipeline.run(Call::repeatable(), Verdict::of_result, work).await.result;
            (made, CLOCK.now() - made)
        }
    })
    .await
}

/// The waits of the slow callee's callers while it is slow, and of all callers of the other one.
async fn side_by_side(config: Config, seed: u64, slow: bool) -> (Vec<Duration>, Vec<Duration>) {
    let pool = Arc::new(Semaphore::new(40));
    let (one, other) = (pipeline("one", config.clone(), seed), pipeline("other", config, seed));
    let start = CLOCK.now();
    let (one, mut other) = tokio::join!(
        traffic(one, pool.clone(), seed, slow),
        traffic(other, pool, seed + 1_000_000, false)
    );
    let during = |(at, _): &&Seen| SLOW.contains(&(*at - start).as_secs());
    other.sort_unstable();
    let waits = |seen: &Seen| seen.1;
    (one.iter().filter(during).map(waits).collect(), other.iter().map(waits).collect())
}

#[test]
fn slow_callee_keeps_neither_its_callers_nor_its_neighbours() {
    for_each_seed(150, |seed| async move {
        let (slow, neighbour) = side_by_side(quick(), seed, true).await;
        let (_, alone) = side_by_side(quick(), seed, false).await;
        let (p50, p99) = (quantile(slow.clone(), 0.5), quantile(slow, 0.99));
        assert!(p99 <= ms(1_001), "the deadline: {p99:?}");
        assert!(p50 <= ms(1), "refused at once: {p50:?}");
        assert_eq!(neighbour, alone, "not one call of the neighbour waited longer");
    });
}

#[test]
fn without_guards_one_slow_callee_takes_its_neighbours_with_it() {
    for_each_seed(10, |seed| async move {
        let (slow, neighbour) = side_by_side(Config::OFF, seed, true).await;
        assert!(quantile(slow, 0.5) > secs(4));
        assert!(quantile(neighbour, 0.9) > secs(1));
    });
}
