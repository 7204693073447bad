//! Defects of the retries.

use std::time::Duration;

use consort_resilience::pipeline::{Call, Config as Guards};
use consort_resilience::retry::{Config, Decision, Jitter, Retry};
use consort_resilience::{Again, Clock, Rng, Verdict};

use crate::sim::{CLOCK, ms, pipeline, secs};

fn retry(config: Config, seed: u64) -> Retry {
    Retry::new(config.validate().unwrap(), Rng::seeded(seed), CLOCK.now())
}

/// The pauses of one call that never succeeds.
fn pauses(config: &Config, seed: u64) -> Vec<Duration> {
    let (retry, now) = (retry(config.clone(), seed), CLOCK.now());
    let mut schedule = retry.begin(now);
    std::iter::from_fn(|| match retry.decide(&mut schedule, Again::Maybe, now, None) {
        Decision::Again { pause, .. } => Some(pause),
        Decision::Stop(_) => None,
    })
    .collect()
}

fn many() -> Config {
    Config { attempts: 12, budget: None, total: None, ..Config::default() }
}

#[tokio::test(start_paused = true)]
async fn programming_error_is_not_repeated() {
    let pipeline = pipeline("buggy", Guards::default(), 1);
    let classify = |_: &Result<(), &str>| Verdict::FAILURE;
    let outcome = pipeline.run(Call::repeatable(), classify, async |_| Err("no such field")).await;
    assert_eq!(outcome.report.attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn effect_is_not_repeated() {
    let pipeline = pipeline("mailer", Guards::default(), 1);
    let work = async |_| Err::<(), _>("connection reset");
    let outcome = pipeline.run(Call::once(), Verdict::of_result, work).await;
    assert_eq!(outcome.report.attempts, 1);
}

#[test]
fn no_pause_exceeds_the_cap() {
    for jitter in [Jitter::None, Jitter::Full, Jitter::Decorrelated] {
        let config = Config { jitter, ..many() };
        for seed in 0..200 {
            assert!(pauses(&config, seed).iter().all(|&pause| pause <= config.cap));
        }
    }
}

#[test]
fn jitter_is_random_by_default() {
    let first: Vec<Duration> = (0..100).map(|seed| pauses(&Config::default(), seed)[0]).collect();
    let base = Config::default().base;
    let low = first.iter().filter(|&&pause| pause < base / 4).count();
    let high = first.iter().filter(|&&pause| pause > base * 3 / 4).count();
    assert!((10..50).contains(&low) && (10..50).contains(&high), "{low} low, {high} high");
}

#[test]
fn pauses_grow_while_it_fails() {
    let config = Config { jitter: Jitter::None, ..many() };
    let pauses = pauses(&config, 1);
    assert_eq!(pauses.len(), 11);
    assert!(pauses.windows(2).all(|pair| pair[1] >= pair[0]));
    assert_eq!(pauses[10], config.cap);
}

#[tokio::test(start_paused = true)]
async fn retries_end_in_the_time_they_were_given() {
    let config = Config { attempts: 20, total: Some(secs(3)), budget: None, ..Config::default() };
    for seed in 0..50 {
        let (start, retry) = (CLOCK.now(), retry(config.clone(), seed));
        let result =
            retry.run(&CLOCK, Verdict::of_result, |_| async { Err::<(), _>("down") }).await;
        assert_eq!(result, Err("down"));
        assert!(CLOCK.now() - start <= secs(3));
    }
}

#[tokio::test(start_paused = true)]
async fn callee_is_not_asked_before_it_said() {
    let retry = retry(Config::default(), 1);
    let (start, wish) = (CLOCK.now(), secs(7));
    let classify = |result: &Result<u32, &str>| match result {
        Ok(_) => Verdict::SUCCESS,
        Err(_) => Verdict::TRANSIENT.after(wish),
    };
    let work = |attempt| async move { if attempt == 1 { Err("429") } else { Ok(attempt) } };
    assert_eq!(retry.run(&CLOCK, classify, work).await, Ok(2));
    assert!(CLOCK.now() - start >= wish);
}

#[tokio::test(start_paused = true)]
async fn pause_keeps_no_thread() {
    let config = Config { base: secs(1), jitter: Jitter::None, ..Config::default() };
    let (start, retry) = (CLOCK.now(), retry(config, 1));
    let call = || {
        let work = |attempt| async move { if attempt == 1 { Err("down") } else { Ok(attempt) } };
        retry.run(&CLOCK, Verdict::of_result, work)
    };
    let results = tokio::join!(call(), call(), call(), call());
    assert_eq!(results, (Ok(2), Ok(2), Ok(2), Ok(2)));
    assert!(CLOCK.now() - start <= ms(1_002), "four pauses at the same time on one thread");
}
