//! A callee that comes and goes every second or so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use consort_resilience::breaker::State;
use consort_resilience::pipeline::{Call, What};
use consort_resilience::{Clock, Rng, Verdict};

use super::quick;
use crate::sim::{CLOCK, Log, for_each_seed, ms, offer, secs, watched};

/// The moments at which it goes or comes, up to the one from which on it is well.
fn turns(rng: &Rng, start: Instant, length: Duration) -> Vec<Instant> {
    let mut turns = Vec::new();
    let mut at = start;
    while at < start + length {
        at += rng.between(ms(500), ms(2_000));
        turns.push(at);
    }
    if turns.len() % 2 == 1 {
        turns.push(at + ms(500));
    }
    turns
}

#[test]
fn flapping_callee_is_asked_less_and_less_and_trusted_again_when_it_stays() {
    for_each_seed(150, |seed| async move {
        let rng = Rng::seeded(seed);
        let start = CLOCK.now();
        let turns = Arc::new(turns(&rng, start, secs(180)));
        let log = Log::default();
        let pipeline = watched("flapping", quick(), seed, log.clone());
        let failed = Arc::new(AtomicU64::new(0));
        let stays = *turns.last().unwrap();
        let outcomes = offer(rng.split(), 20.0, secs(240), |_| {
            let (pipeline, turns, failed) = (pipeline.clone(), turns.clone(), failed.clone());
            async move {
                let failed = &failed;
                let work = |_| {
                    let is_up = turns.partition_point(|&turn| turn <= CLOCK.now()) % 2 == 0;
                    failed.fetch_add(u64::from(!is_up), Ordering::Relaxed);
                    async move {
                        CLOCK.sleep_until(CLOCK.now() + ms(5)).await;
                        if is_up { Ok(()) } else { Err("down") }
                    }
                };
                let made = CLOCK.now();
                (made, pipeline.run(Call::repeatable(), Verdict::of_result, work).await)
            }
        })
        .await;

        let opened: Vec<Instant> = log
            .all()
            .into_iter()
            .filter_map(|(at, what)| match what {
                What::BreakerMoved(moved) if moved.to == State::Open => Some(at),
                _ => None,
            })
            .collect();
        let flaps = turns.len() / 2;
        assert!(flaps >= 60 && opened.len() <= flaps / 2, "{} of {flaps}", opened.len());
        let late = opened.iter().filter(|&&at| at > start + secs(60)).count();
        assert!(late <= 12, "{late} in the last two minutes");
        // It is down half of the time, so without a breaker half of all calls would fail there.
        let failed = failed.load(Ordering::Relaxed) as f64 / (180.0 * 20.0);
        assert!(failed <= 0.08, "{failed}");
        // At most one longest rest and two probes after it has come to stay.
        let trusted = stays + secs(30) + secs(2);
        let late = outcomes.iter().filter(|(made, _)| *made > trusted);
        assert!(late.clone().count() > 100);
        assert!(late.clone().all(|(_, outcome)| outcome.result.is_ok()));
    });
}
