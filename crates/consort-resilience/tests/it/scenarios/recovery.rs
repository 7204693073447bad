//! Forty processes lose the same callee for a minute, and get it back.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use consort_resilience::pipeline::{Call, Config};
use consort_resilience::{Clock, Rng, Verdict, breaker};

use super::quick;
use crate::sim::{CLOCK, for_each_seed, lock, ms, offer, pipeline, secs};

const CALLERS: u64 = 40;
const DOWN: std::ops::Range<u64> = 5..45;
const REST_MAX: u64 = 8;
const LENGTH: u64 = 65;

fn config() -> Config {
    let breaker =
        breaker::Config { rest: secs(1), rest_max: secs(REST_MAX), ..breaker::Config::default() };
    Config { breaker: Some(breaker), ..quick() }
}

/// How many of these moments fall into each second.
fn by_second(start: Instant, moments: &[Instant]) -> Vec<usize> {
    let mut seconds = vec![0; LENGTH as usize + 2];
    for &at in moments {
        seconds[(at - start).as_secs() as usize] += 1;
    }
    seconds
}

#[test]
fn full_traffic_is_back_soon_and_without_a_herd() {
    for_each_seed(100, |seed| async move {
        let rng = Rng::seeded(seed);
        let start = CLOCK.now();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let mut callers = tokio::task::JoinSet::new();
        for caller in 0..CALLERS {
            let pipeline = pipeline("shared", config(), seed * CALLERS + caller);
            let (rng, sent) = (rng.split(), sent.clone());
            callers.spawn(offer(rng, 4.0, secs(LENGTH), move |_| {
                let (pipeline, sent) = (pipeline.clone(), sent.clone());
                async move {
                    let made = CLOCK.now();
                    let sent = &sent;
                    let work = async |_| {
                        lock(sent).push(CLOCK.now());
                        CLOCK.sleep_until(CLOCK.now() + ms(5)).await;
                        let is_down = DOWN.contains(&(CLOCK.now() - start).as_secs());
                        if is_down { Err("down") } else { Ok(()) }
                    };
                    let outcome = pipeline.run(Call::repeatable(), Verdict::of_result, work).await;
                    (made, outcome.result.is_ok())
                }
            }));
        }
        let calls: Vec<(Instant, bool)> = callers.join_all().await.into_iter().flatten().collect();

        let offered = by_second(start, &calls.iter().map(|call| call.0).collect::<Vec<_>>());
        let sent = by_second(start, &lock(&sent));
        // Once everybody knows, what is sent are probes, spread over the rests.
        let known = DOWN.start as usize + 5..DOWN.end as usize;
        let probes = sent[known.clone()].iter().sum::<usize>() as f64 / known.len() as f64;
        assert!(probes <= CALLERS as f64 / 3.0, "{probes} a second");
        let most = sent[known].iter().copied().max().unwrap();
        assert!(most <= CALLERS as usize, "{most} in one second, of 160 calls");
        // Back: the longest rest, and the calls it takes to make two probes of them.
        let back = DOWN.end + REST_MAX + 5;
        let late = |call: &&(Instant, bool)| call.0 > start + Duration::from_secs(back);
        assert!(calls.iter().filter(late).all(|call| call.1), "not all traffic is back");
        assert!(calls.iter().filter(late).count() > 300);
        // No herd: in no second of the return is more sent than is asked for at that time.
        for second in DOWN.end as usize..LENGTH as usize {
            let (sent, offered) = (sent[second], offered[second]);
            assert!(sent <= offered + offered / 4 + 8, "{sent} for {offered} in second {second}");
        }
    });
}
