//! A callee that is gone: refuses, resets or hangs.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use consort_resilience::breaker::{self, State};
use consort_resilience::pipeline::{Call, Config, Error, Event, Guard, What};
use consort_resilience::{Clock, Rng, Verdict};

use super::quick;
use crate::sim::{CLOCK, for_each_seed, ms, offer, secs, watched};

const LENGTH: Duration = Duration::from_secs(120);

#[derive(Clone, Copy)]
enum Dead {
    Refuses,
    Resets(Duration),
    Hangs,
}

impl Dead {
    async fn call(self) -> Result<(), &'static str> {
        match self {
            Dead::Refuses => {}
            Dead::Resets(after) => CLOCK.sleep_until(CLOCK.now() + after).await,
            Dead::Hangs => pending().await,
        }
        Err("dead")
    }
}

/// The most rests that fit into `time` if jitter makes each as short as it can.
fn most_rests(config: &breaker::Config, time: Duration) -> u64 {
    let mut rest = config.rest;
    let (mut passed, mut count) = (Duration::ZERO, 0);
    while passed <= time {
        passed += rest.mul_f64(1.0 - config.rest_jitter);
        rest = rest.mul_f64(config.rest_growth).min(config.rest_max);
        count += 1;
    }
    count
}

#[test]
fn dead_callee_gets_probes_and_nothing_else() {
    for_each_seed(250, |seed| async move {
        let rng = Rng::seeded(seed);
        let dead = [Dead::Refuses, Dead::Resets(ms(30)), Dead::Hangs][rng.below(3)];
        let breaker = breaker::Config {
            probes: 1 + rng.below(3) as u32,
            rest: secs(1),
            rest_max: secs(30),
            ..breaker::Config::default()
        };
        let opened = Arc::new(AtomicBool::new(false));
        let (probings, sent) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (flag, count) = (opened.clone(), probings.clone());
        let observer = move |event: &Event<'_>| {
            if let What::BreakerMoved(moved) = event.what {
                flag.store(true, Ordering::Relaxed);
                count.fetch_add(u64::from(moved.to == State::HalfOpen), Ordering::Relaxed);
            }
        };
        let config = Config { breaker: Some(breaker.clone()), ..quick() };
        let pipeline = watched("dead", config, seed, observer);
        let outcomes = offer(rng.split(), 10.0, LENGTH, |_| {
            let (pipeline, opened, sent) = (pipeline.clone(), opened.clone(), sent.clone());
            async move {
                let sent: &AtomicU64 = &sent;
                pipeline
                    .run(Call::repeatable(), Verdict::of_result, |_| {
                        sent.fetch_add(
                            u64::from(opened.load(Ordering::Relaxed)),
                            Ordering::Relaxed,
                        );
                        dead.call()
                    })
                    .await
            }
        })
        .await;

        assert!(opened.load(Ordering::Relaxed));
        let (probings, sent) = (probings.load(Ordering::Relaxed), sent.load(Ordering::Relaxed));
        assert!(sent <= probings * u64::from(breaker.probes), "{sent} in {probings}");
        assert!(probings >= 4 && probings <= most_rests(&breaker, LENGTH), "{probings}");
        assert!(outcomes.iter().all(|outcome| outcome.result.is_err()));
        assert!(outcomes.iter().all(|outcome| outcome.report.took <= ms(1_001)));
        let refused = |error: &Error<_>| error.guard() == Some(Guard::Breaker);
        let at_once = outcomes.iter().filter(|outcome| {
            outcome.report.took.is_zero() && outcome.result.as_ref().is_err_and(refused)
        });
        let share = at_once.count() as f64 / outcomes.len() as f64;
        assert!(share > 0.9, "only {share} were told at once");
    });
}

#[test]
fn isolated_callee_gets_nothing_at_all() {
    for_each_seed(20, |seed| async move {
        let pipeline = crate::sim::pipeline("isolated", quick(), seed);
        pipeline.breaker().isolate();
        let outcomes = offer(Rng::seeded(seed), 10.0, secs(60), |_| {
            let pipeline = pipeline.clone();
            async move {
                let work = async |_| Ok::<(), ()>(());
                pipeline.run(Call::repeatable(), Verdict::of_result, work).await
            }
        })
        .await;
        assert!(outcomes.iter().all(|outcome| outcome.report.attempts == 0));
    });
}
