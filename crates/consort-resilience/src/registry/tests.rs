//! Claims about the registry.

use std::time::Duration;

use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::breaker::{Breaker, State};
use crate::pipeline::{Call, Config};
use crate::testing::{ByHand, histories, moment};
use crate::{Charge, Clock, Rng, Verdict, breaker};

fn registry(capacity: usize) -> Registry {
    let limits = Config {
        breaker: Some(breaker::Config {
            consecutive_failures: Some(1),
            ..breaker::Config::default()
        }),
        ..Config::default()
    };
    let limits = limits.validate().unwrap();
    Registry::new(capacity, move |_| limits.clone(), Env { seed: 1, ..Env::default() })
}

fn break_it(pipeline: &Pipeline) {
    let now = moment();
    pipeline.breaker().admit(now).unwrap().report(Charge::Failure, Duration::ZERO, now);
}

#[test]
fn same_name_is_the_same_pipeline() {
    let registry = registry(100);
    break_it(&registry.get("a").unwrap());
    assert_eq!(registry.get("a").unwrap().breaker().state(), State::Open);
    assert_eq!(registry.get("b").unwrap().breaker().state(), State::Closed);
    let names: Vec<String> = registry.list().iter().map(|p| p.callee().to_owned()).collect();
    assert_eq!(names, ["a", "b"]);
    assert!(registry.find("c").is_none());
}

#[test]
fn memory_is_bounded_and_an_open_breaker_is_never_forgotten() {
    let registry = registry(1_024);
    let broken: Vec<String> = (0..300).map(|n| format!("broken-{n}")).collect();
    broken.iter().for_each(|name| break_it(&registry.get(name).unwrap()));
    for n in 0..20_000 {
        let _ = registry.get(&format!("passing-{n}"));
        assert!(registry.len() <= 1_024);
    }
    for name in &broken {
        assert_eq!(registry.find(name).map(|p| p.breaker().state()), Some(State::Open), "{name}");
    }
}

#[test]
fn isolated_callee_is_never_forgotten() {
    let registry = registry(64);
    registry.get("held").unwrap().breaker().isolate();
    (0..1_000).for_each(|n| drop(registry.get(&format!("c{n}"))));
    assert_eq!(registry.get("held").unwrap().breaker().state(), State::Isolated);
}

#[test]
fn newcomer_is_refused_when_all_must_be_remembered() {
    let registry = registry(64);
    let mut refused = 0;
    for n in 0..2_000 {
        match registry.get(&format!("c{n}")) {
            Ok(pipeline) => break_it(&pipeline),
            Err(full) => {
                assert_eq!(full, Full { capacity: 64 });
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 2_000 - registry.len());
    assert!(registry.len() <= 64);
}

#[tokio::test(start_paused = true)]
async fn callee_with_a_call_under_way_is_not_forgotten() {
    let registry = registry(64);
    let pipeline = registry.get("busy").unwrap();
    let mut call = Box::pin(
        pipeline.run(Call::once(), Verdict::of_result::<(), ()>, |_| std::future::pending()),
    );
    assert!(futures_util::poll!(&mut call).is_pending());
    drop(call);
    let held = pipeline.clone();
    drop(pipeline);
    (0..1_000).for_each(|n| drop(registry.get(&format!("c{n}"))));
    held.breaker().isolate();
    assert_eq!(registry.get("busy").unwrap().breaker().state(), State::Isolated);
}

/// One shard drawn as a list of three places, and beside it breakers that are never forgotten.
struct Drawn {
    /// Who is known, the longest unused first.
    places: Vec<usize>,
    breakers: Vec<Breaker>,
    /// The last answer it had was a failure.
    is_ailing: Vec<bool>,
    /// How long it rested last, since it was made.
    rested: Vec<Duration>,
    well_from: Vec<Instant>,
    sweeps_from: Instant,
}

const REST: Duration = Duration::from_millis(200);

/// Rates off and no jitter: what is forgotten and made anew is then exactly the same.
fn plain() -> breaker::Config {
    breaker::Config {
        consecutive_failures: Some(2),
        failure_rate: None,
        window: breaker::Window::Calls(1),
        minimum_calls: 1,
        rest: REST,
        rest_max: REST,
        rest_jitter: 0.0,
        successes: 1,
        ..breaker::Config::default()
    }
}

impl Drawn {
    fn new(count: usize, now: Instant) -> Self {
        let breaker = || Breaker::new(plain().validate().unwrap(), Rng::seeded(1), now);
        Drawn {
            places: Vec::new(),
            breakers: std::iter::repeat_with(breaker).take(count).collect(),
            is_ailing: vec![false; count],
            rested: vec![Duration::ZERO; count],
            well_from: vec![now; count],
            sweeps_from: now,
        }
    }

    /// True when there is a place for `who`.
    fn is_let_in(&mut self, who: usize, held: &[Option<Pipeline>], now: Instant) -> bool {
        if let Some(at) = self.places.iter().position(|&other| other == who) {
            self.places.remove(at);
        } else if self.places.len() == 3 {
            if now < self.sweeps_from {
                return false;
            }
            let may_go = |&who: &usize| {
                held[who].is_none()
                    && self.breakers[who].state() == State::Closed
                    && !self.is_ailing[who]
                    && now >= self.well_from[who]
            };
            let Some(at) = self.places.iter().position(may_go) else {
                self.sweeps_from = now + Duration::from_millis(100);
                return false;
            };
            let gone = self.places.remove(at);
            self.rested[gone] = Duration::ZERO;
        }
        self.places.push(who);
        true
    }

    /// A call that ends so; true when it was admitted.
    fn call(&mut self, who: usize, charge: Charge, now: Instant) -> bool {
        let before = self.breakers[who].state();
        let Ok(permit) = self.breakers[who].admit(now) else { return false };
        permit.report(charge, Duration::ZERO, now);
        self.is_ailing[who] = charge == Charge::Failure;
        match self.breakers[who].state() {
            State::Open => self.rested[who] = REST,
            State::Closed if before != State::Closed => {
                self.well_from[who] = now + self.rested[who];
            }
            _ => {}
        }
        true
    }
}

proptest! {
    #![proptest_config(histories())]

    /// Seven callees and three places for them: forgetting changes nothing that can be seen, and
    /// who is refused finds three that must be remembered.
    #[test]
    fn forgetting_cannot_be_told_from_remembering(
        events in prop::collection::vec((0_usize..7, 0_u8..8, 1_u32..120), 1..60),
    ) {
        let clock = ByHand::new();
        let config = Config { breaker: Some(plain()), ..Config::OFF };
        let limits = config.validate().unwrap();
        let env = Env { clock: Arc::new(clock.clone()), seed: 1, observer: None };
        let registry = Registry::new(3 * SHARDS, move |_| limits.clone(), env);
        let in_one_shard = |name: &String| std::ptr::eq(registry.shard(name), &registry.shards[0]);
        let names: Vec<String> =
            (0..).map(|n: u32| n.to_string()).filter(in_one_shard).take(7).collect();
        let mut drawn = Drawn::new(7, clock.now());
        let mut held: Vec<Option<Pipeline>> = vec![None; 7];
        for (who, event, gap) in events {
            clock.advance(gap);
            let now = clock.now();
            let is_let_in = drawn.is_let_in(who, &held, now);
            let found = registry.get(&names[who]);
            prop_assert_eq!(found.is_ok(), is_let_in);
            prop_assert_eq!(registry.len(), drawn.places.len());
            let Ok(pipeline) = found else { continue };
            match event {
                0..=4 => {
                    let charge = if event < 3 { Charge::Failure } else { Charge::Success };
                    let permit = pipeline.breaker().admit(now);
                    prop_assert_eq!(permit.is_ok(), drawn.call(who, charge, now));
                    if let Ok(permit) = permit {
                        permit.report(charge, Duration::ZERO, now);
                    }
                }
                5 => {
                    pipeline.breaker().isolate();
                    drawn.breakers[who].isolate();
                }
                6 => {
                    pipeline.breaker().release(now);
                    drawn.breakers[who].release(now);
                }
                _ => held[who] = held[who].is_none().then(|| pipeline.clone()),
            }
            let seen = |breaker: &Breaker| {
                let seen = breaker.snapshot(now);
                (seen.state, seen.failures_in_row, seen.counts.failures, seen.rest_left)
            };
            prop_assert_eq!(seen(pipeline.breaker()), seen(&drawn.breakers[who]));
            for (name, breaker) in names.iter().zip(&drawn.breakers) {
                let is_known = registry.find(name).is_some();
                prop_assert!(is_known || breaker.state() == State::Closed, "{name} is forgotten");
            }
        }
    }
}
