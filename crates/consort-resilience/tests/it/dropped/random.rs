//! Any set of guards, any answers, dropped at any moment.

use consort_resilience::pipeline::Config;
use consort_resilience::{adaptive, bulkhead, hedge};
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::{Just, Strategy};
use proptest::test_runner::{Config as Runs, RngSeed};

use super::{call, check, config, poll, taken, world};
use crate::sim::{Steps, ms};

type Script = Vec<(u64, Result<u32, &'static str>)>;

fn scripts() -> impl Strategy<Value = Script> {
    let time = prop_oneof![0_u64..12, Just(500)];
    let result = prop_oneof![Just(Ok(1)), Just(Err("down"))];
    prop::collection::vec((time, result), 1..4)
}

fn configs() -> impl Strategy<Value = Config> {
    (any::<[bool; 7]>(), 1_u32..3, 1_u64..40).prop_map(|(on, slots, time)| {
        let all = config();
        let hedge = hedge::Config { max_delay: ms(4), min_delay: ms(1), ..Default::default() };
        let adaptive = adaptive::Config { min: slots, max: slots, ..Default::default() };
        let bulkhead = bulkhead::Config { limit: slots, queue: 2, max_wait: ms(time) };
        Config {
            shed: all.shed.filter(|_| on[0]),
            deadline: on[1].then(|| ms(45)),
            retry: all.retry.filter(|_| on[2]),
            hedge: on[3].then_some(hedge),
            breaker: all.breaker.filter(|_| on[4]),
            rate: all.rate,
            adaptive: on[5].then_some(adaptive),
            bulkhead: Some(bulkhead),
            attempt_timeout: on[6].then(|| ms(time)),
        }
    })
}

proptest! {
    #![proptest_config(Runs {
        cases: 10_000,
        rng_seed: RngSeed::Fixed(0x5eed),
        failure_persistence: None,
        ..Runs::default()
    })]

    #[test]
    fn nothing_is_left_behind_and_the_report_is_right(
        config in configs(),
        script in scripts(),
        is_taken in any::<bool>(),
        polls in 0_usize..120,
    ) {
        let clock = Steps::new();
        let deadline = config.deadline;
        let attempts = if config.retry.is_some() { 3 } else { 1 };
        let world = if is_taken { taken(&clock, config) } else { world(&clock, config) };
        let before = world.work.started();
        let mut running = call(&world, &clock, &script);
        for _ in 0..polls {
            if poll(&mut running) {
                break;
            }
            clock.advance(ms(1));
        }
        drop(running);
        if let Some(report) = world.report.get() {
            prop_assert_eq!(report.attempts, world.work.started() - before);
            prop_assert!(report.attempts <= 2 * attempts);
            prop_assert!(report.waited <= report.took);
            prop_assert!(deadline.is_none_or(|deadline| report.took <= deadline));
        }
        check(&world, &clock);
    }
}
