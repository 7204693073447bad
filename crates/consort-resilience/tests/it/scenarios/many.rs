//! More callees than there is room for.

use std::time::Duration;

use consort_resilience::breaker::State;
use consort_resilience::pipeline::{Env, Pipeline};
use consort_resilience::registry::Registry;
use consort_resilience::{Charge, Clock, Rng};

use super::quick;
use crate::sim::{CLOCK, for_each_seed, secs};

const CAPACITY: usize = 10_048;

fn fail(pipeline: &Pipeline) {
    let now = CLOCK.now();
    if let Ok(permit) = pipeline.breaker().admit(now) {
        permit.report(Charge::Failure, Duration::ZERO, now);
    }
}

#[test]
fn ten_thousand_callees_fit_and_an_open_breaker_is_never_forgotten() {
    for_each_seed(4, |seed| async move {
        let rng = Rng::seeded(seed);
        let limits = quick().validate().unwrap();
        let env = Env { seed, ..Env::default() };
        let registry = Registry::new(CAPACITY, move |_| limits.clone(), env);
        let broken: Vec<String> = (0..1_000).map(|n| format!("broken-{n}")).collect();
        for name in &broken {
            let pipeline = registry.get(name).unwrap();
            (0..5).for_each(|_| fail(&pipeline));
        }
        for n in 0..20_000_u64 {
            // Old callees come back now and then, and time passes.
            let name = n - (rng.below(100) as u64).min(n);
            let pipeline = registry.get(&format!("callee-{name}"));
            if rng.below(50) == 0 {
                let _ = pipeline.map(|pipeline| fail(&pipeline));
            }
            if n % 200 == 0 {
                tokio::time::advance(secs(1)).await;
                assert!(registry.len() <= CAPACITY, "{}", registry.len());
            }
        }
        assert!(registry.len() > CAPACITY / 2, "{}", registry.len());
        for name in &broken {
            let state = registry.find(name).map(|pipeline| pipeline.breaker().state());
            assert_eq!(state, Some(State::Open), "{name}");
        }
    });
}
