//! The breaker against one that keeps the whole history and counts anew each time.

use proptest::prelude::{any, prop, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::{Just, Strategy};

use super::*;
use crate::testing::histories;

#[derive(Clone, Debug)]
enum Event {
    Ask,
    /// Of the calls that are out, the one at this place.
    End(usize, Charge, Duration),
    Wait(u64),
    Look,
    Isolate,
    Release,
    Reset,
}

/// One call that counts: in which slice of time it ended, and how.
#[derive(Clone, Copy)]
struct Ended {
    slice: u64,
    failed: bool,
    slow: bool,
}

struct Plain {
    config: Config,
    state: State,
    generation: u64,
    history: Vec<Ended>,
    slice: u64,
    slice_start: u64,
    until: u64,
    rests: i32,
    last_rest: u64,
    closed_at: Option<u64>,
    out: u32,
    successes: u32,
    last_sent: u64,
}

impl Plain {
    fn new(config: Config) -> Self {
        Plain {
            config,
            state: State::Closed,
            generation: 0,
            history: Vec::new(),
            slice: 0,
            slice_start: 0,
            until: 0,
            rests: 0,
            last_rest: 0,
            closed_at: None,
            out: 0,
            successes: 0,
            last_sent: 0,
        }
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.generation += 1;
        (self.out, self.successes) = (0, 0);
    }

    fn open(&mut self, now: u64) {
        let was_well = self.closed_at.is_none_or(|at| now >= at + self.last_rest);
        if self.state == State::Closed && was_well {
            self.rests = 0;
        }
        let rest = self.config.rest.mul_f64(self.config.rest_growth.powi(self.rests));
        self.last_rest = millis(rest.min(self.config.rest_max));
        self.rests += 1;
        self.until = now + self.last_rest;
        self.enter(State::Open);
    }

    fn close(&mut self, now: u64) {
        self.closed_at = Some(now);
        (self.slice, self.slice_start) = (0, now);
        self.history.clear();
        self.enter(State::Closed);
    }

    fn ask(&mut self, now: u64) -> Option<(u64, bool)> {
        if self.state == State::Open && now >= self.until {
            self.enter(State::HalfOpen);
            self.last_sent = now;
        }
        let is_full = self.out >= self.config.probes;
        let timeout = millis(self.config.probe_timeout);
        if self.state == State::HalfOpen && is_full && now >= self.last_sent + timeout {
            self.open(now);
        }
        match self.state {
            State::Closed => Some((self.generation, false)),
            State::HalfOpen if !is_full => {
                self.out += 1;
                self.last_sent = now;
                Some((self.generation, true))
            }
            _ => None,
        }
    }

    fn end(&mut self, generation: u64, charge: Charge, took: Duration, now: u64) {
        if generation != self.generation {
            return;
        }
        let failed = charge == Charge::Failure;
        let slow = self.config.slow_rate.is_some() && took >= self.config.slow_call;
        match self.state {
            State::Closed if matches!(charge, Charge::Success | Charge::Failure) => {
                self.turn(now);
                self.history.push(Ended { slice: self.slice, failed, slow });
                if self.must_open() {
                    self.open(now);
                }
            }
            State::HalfOpen => {
                self.out -= 1;
                if failed || (slow && charge != Charge::Nothing) {
                    self.open(now);
                } else if charge != Charge::Nothing {
                    self.successes += 1;
                    if self.successes == self.config.successes {
                        self.close(now);
                    }
                }
            }
            _ => {}
        }
    }

    /// Time has ten slices to a window; after a longer pause they start anew.
    fn turn(&mut self, now: u64) {
        let Window::Time(length) = self.config.window else { return };
        let slice = millis(length) / 10;
        let gone = (now - self.slice_start) / slice;
        self.slice += gone;
        self.slice_start = if gone > 10 { now } else { self.slice_start + gone * slice };
    }

    fn counts(&self) -> Counts {
        let skip = match self.config.window {
            Window::Calls(size) => self.history.len().saturating_sub(size as usize),
            Window::Time(_) => self.history.iter().filter(|e| e.slice + 10 <= self.slice).count(),
        };
        let held = &self.history[skip..];
        let count = |what: fn(&&Ended) -> bool| held.iter().filter(what).count() as u32;
        Counts { calls: held.len() as u32, failures: count(|e| e.failed), slow: count(|e| e.slow) }
    }

    fn failures_in_row(&self) -> u32 {
        match self.state {
            State::Closed => self.history.iter().rev().take_while(|e| e.failed).count() as u32,
            _ => 0,
        }
    }

    fn must_open(&self) -> bool {
        let (config, counts) = (&self.config, self.counts());
        let over = |rate: Option<f64>, part: u32| {
            rate.is_some_and(|rate| f64::from(part) >= rate * f64::from(counts.calls))
        };
        config.consecutive_failures.is_some_and(|most| self.failures_in_row() >= most)
            || (counts.calls >= config.minimum_calls
                && (over(config.failure_rate, counts.failures)
                    || over(config.slow_rate, counts.slow)))
    }
}

fn millis(time: Duration) -> u64 {
    time.as_millis() as u64
}

fn configs() -> impl Strategy<Value = Config> {
    let window = prop_oneof![(3_u32..8).prop_map(Window::Calls), Just(Window::Time(ms(1_000)))];
    let rates = (prop::option::of(0.3_f64..1.0), prop::option::of(0.3_f64..1.0));
    (window, prop::option::of(1_u32..5), rates, 1_u32..4, 1_u32..4, 1_u32..4).prop_map(
        |(
            window,
            consecutive_failures,
            (failure_rate, slow_rate),
            minimum_calls,
            probes,
            successes,
        )| {
            Config {
                consecutive_failures,
                failure_rate,
                slow_rate,
                slow_call: ms(500),
                window,
                minimum_calls,
                rest: ms(200),
                rest_growth: 2.0,
                rest_max: ms(800),
                rest_jitter: 0.0,
                probes,
                successes,
                probe_timeout: ms(400),
            }
        },
    )
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn events() -> impl Strategy<Value = Event> {
    let charge = prop_oneof![
        4 => Just(Charge::Success),
        3 => Just(Charge::Failure),
        1 => Just(Charge::Answered),
        1 => Just(Charge::Nothing),
    ];
    let took = prop_oneof![4 => Just(ms(5)), 1 => Just(ms(700))];
    prop_oneof![
        8 => Just(Event::Ask),
        8 => (any::<usize>(), charge, took).prop_map(|(at, charge, took)| Event::End(at, charge, took)),
        4 => (0_u64..300).prop_map(Event::Wait),
        1 => (1_000_u64..3_000).prop_map(Event::Wait),
        2 => Just(Event::Look),
        1 => prop_oneof![Just(Event::Isolate), Just(Event::Release), Just(Event::Reset)],
    ]
}

proptest! {
    #![proptest_config(histories())]

    #[test]
    fn behaves_like_one_that_counts_the_whole_history(
        config in configs(),
        events in prop::collection::vec(events(), 1..80),
    ) {
        let start = moment();
        let breaker =
            Breaker::new(config.clone().validate().unwrap(), Rng::seeded(1), start);
        let mut plain = Plain::new(config);
        let (mut now, mut out) = (0, Vec::new());
        for event in events {
            let at = start + ms(now);
            match event {
                Event::Ask => {
                    let (permit, expected) = (breaker.admit(at).ok(), plain.ask(now));
                    prop_assert_eq!(
                        permit.as_ref().map(|permit| permit.is_probe()),
                        expected.map(|(_, is_probe)| is_probe)
                    );
                    out.extend(permit.zip(expected.map(|(generation, _)| generation)));
                }
                Event::End(place, charge, took) if !out.is_empty() => {
                    let place = place % out.len();
                    let (permit, generation) = out.swap_remove(place);
                    permit.report(charge, took, at);
                    plain.end(generation, charge, took, now);
                }
                Event::End(..) => {}
                Event::Wait(time) => now += time,
                Event::Look => {
                    let seen = breaker.snapshot(at);
                    plain.turn(now);
                    if plain.state == State::Closed {
                        prop_assert_eq!(seen.counts, plain.counts());
                    }
                    prop_assert_eq!(seen.failures_in_row, plain.failures_in_row());
                    prop_assert_eq!(seen.generation, plain.generation);
                }
                Event::Isolate => {
                    breaker.isolate();
                    if plain.state != State::Isolated {
                        plain.enter(State::Isolated);
                    }
                }
                Event::Release => {
                    breaker.release(at);
                    if plain.state == State::Isolated {
                        plain.enter(State::HalfOpen);
                        plain.last_sent = now;
                    }
                }
                Event::Reset => {
                    breaker.reset(at);
                    plain.close(now);
                    (plain.rests, plain.closed_at) = (0, None);
                }
            }
            prop_assert_eq!(breaker.state(), plain.state);
        }
    }
}
