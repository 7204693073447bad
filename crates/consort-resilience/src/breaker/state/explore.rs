//! Every state the breaker can reach in small bounds, and what must hold in all of them.

use std::collections::HashSet;

use super::super::config::{Config, Window as Kind};
use super::*;

const SECOND: u64 = 1_000_000_000;

/// A breaker with calls out, at some moment.
#[derive(Clone, Debug)]
struct World {
    machine: Machine,
    now: u64,
    out: Vec<Ticket>,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Ask,
    Report(usize, Charge, u64),
    Wait(u64),
    Isolate,
    Release,
    Reset,
}

/// What tells two worlds apart: everything but the date and how often the state has changed.
type Key = (Phase, u32, u32, u64, Option<u64>, Window, Vec<(bool, bool)>);

impl World {
    fn key(&self) -> Key {
        let machine = &self.machine;
        // Longer ago than any time in these limits makes no difference.
        let ago = |then: u64| self.now.saturating_sub(then).min(3 * SECOND);
        let phase = match machine.phase {
            Phase::Open { until } => Phase::Open { until: until.saturating_sub(self.now) },
            Phase::HalfOpen { out, successes, last_sent } => {
                Phase::HalfOpen { out, successes, last_sent: ago(last_sent) }
            }
            other => other,
        };
        let window = match machine.window.clone() {
            Window::Time { slices, current, start, slice, total } => {
                // What the next look would forget is as good as forgotten, and where in the ring
                // the present stands makes no difference.
                let mut turned = Window::Time { slices, current, start, slice, total };
                turned.total(self.now);
                let Window::Time { mut slices, current, start, slice, total } = turned else {
                    unreachable!()
                };
                slices.rotate_left(current);
                Window::Time { slices, current: 0, start: self.now - start, slice, total }
            }
            calls @ Window::Calls { .. } => calls,
        };
        let live = |ticket: &Ticket| (ticket.generation == machine.generation, ticket.probe);
        let mut out: Vec<(bool, bool)> = self.out.iter().map(live).collect();
        out.sort_unstable();
        let closed = machine.closed_at.map(ago);
        // From two on every rest is the longest.
        let rests = machine.rests.min(2);
        (phase, machine.failures_in_row, rests, machine.last_rest, closed, window, out)
    }

    fn events(&self) -> Vec<Event> {
        let mut events = vec![Event::Wait(SECOND), Event::Isolate, Event::Release, Event::Reset];
        if self.out.len() < 3 {
            events.push(Event::Ask);
        }
        for at in 0..self.out.len() {
            for charge in [Charge::Success, Charge::Failure, Charge::Answered, Charge::Nothing] {
                events.push(Event::Report(at, charge, 0));
            }
            events.push(Event::Report(at, Charge::Success, 10 * SECOND));
        }
        events
    }

    /// Makes one step and checks it against what a breaker promises.
    fn step(&self, event: Event, rng: &Rng) -> World {
        let mut next = self.clone();
        let before = self.machine.state();
        match event {
            Event::Ask => {
                let (admitted, _) = next.machine.ask(self.now, rng);
                self.check_admission(&admitted, &next);
                next.out.extend(admitted.ok());
            }
            Event::Report(at, charge, took) => {
                let ticket = next.out.swap_remove(at);
                let stale = ticket.generation != self.machine.generation;
                let moved = next.machine.report(ticket, Seen { charge, took }, self.now, rng);
                let counts = matches!(charge, Charge::Success | Charge::Failure);
                if stale || (!counts && !ticket.probe) {
                    let mut without = self.clone();
                    without.out.swap_remove(at);
                    assert_eq!(next.key(), without.key(), "it must change nothing");
                    assert!(moved.is_none());
                }
            }
            Event::Wait(time) => next.now += time,
            Event::Isolate => drop(next.machine.isolate()),
            Event::Release => drop(next.machine.release(self.now)),
            Event::Reset => drop(next.machine.reset(self.now)),
        }
        let changed = before != next.machine.state();
        let counted = next.machine.generation > self.machine.generation;
        assert!(!changed || counted, "a change of state has a new generation");
        next.check();
        next
    }

    fn check_admission(&self, admitted: &Result<Ticket, Refused>, next: &World) {
        let config = self.machine.limits.config();
        let expected = match self.machine.phase {
            Phase::Closed => true,
            Phase::Open { until } => self.now >= until,
            Phase::HalfOpen { out, .. } => out < config.probes,
            Phase::Isolated => false,
        };
        assert_eq!(admitted.is_ok(), expected);
        match admitted {
            Ok(ticket) => assert_eq!(ticket.generation, next.machine.generation),
            Err(refused) => assert_ne!(refused.state, State::Closed),
        }
    }

    fn check(&self) {
        let config = self.machine.limits.config();
        let live = self.out.iter().filter(|t| t.generation == self.machine.generation);
        match self.machine.phase {
            Phase::Closed => {
                let most = config.consecutive_failures.unwrap_or(u32::MAX);
                assert!(self.machine.failures_in_row < most, "it should have opened");
                let mut clone = self.machine.clone();
                let counts = clone.counts(self.now);
                assert!(counts.failures <= counts.calls && counts.slow <= counts.calls);
            }
            Phase::Open { until } => {
                assert!(until <= self.now + nanos(config.rest_max), "no rest is longer");
            }
            Phase::HalfOpen { out, successes, .. } => {
                assert!(out <= config.probes, "no more probes than allowed");
                assert_eq!(live.count(), out as usize, "each probe out is a call out");
                assert!(successes < config.successes, "it should have closed");
            }
            Phase::Isolated => assert_eq!(live.count(), 0),
        }
    }

    /// The callee answers from now on, whatever became of the calls that are out: does the breaker
    /// close?
    fn heals(&self, answer: Charge, rng: &Rng) -> bool {
        let config = self.machine.limits.config();
        let mut machine = self.machine.clone();
        let mut now = self.now;
        if machine.state() == State::Isolated {
            machine.release(now);
        }
        let longest = nanos(config.rest_max).max(nanos(config.probe_timeout));
        for _ in 0..3 {
            now += longest;
            for _ in 0..config.successes {
                if let (Ok(ticket), _) = machine.ask(now, rng) {
                    let seen = Seen { charge: answer, took: 0 };
                    machine.report(ticket, seen, now, rng);
                }
            }
        }
        machine.state() == State::Closed
    }
}

/// Visits everything reachable, or what is in `depth` steps; returns how many worlds that are.
fn explore(config: Config, depth: Option<usize>) -> usize {
    let rng = Rng::seeded(1);
    let machine = Machine::new(config.validate().unwrap(), 0);
    let start = World { machine, now: 0, out: Vec::new() };
    let mut seen = HashSet::from([start.key()]);
    let mut frontier = vec![start];
    for _ in 0..depth.unwrap_or(usize::MAX) {
        if frontier.is_empty() {
            return seen.len();
        }
        let mut next = Vec::new();
        for world in &frontier {
            for event in world.events() {
                let world = world.step(event, &rng);
                if seen.insert(world.key()) {
                    for answer in [Charge::Success, Charge::Answered] {
                        assert!(world.heals(answer, &rng), "{answer:?} sticks: {world:?}");
                    }
                    next.push(world);
                }
            }
        }
        frontier = next;
    }
    assert!(depth.is_some());
    seen.len()
}

fn small() -> Config {
    Config {
        consecutive_failures: Some(2),
        failure_rate: None,
        rest: Duration::from_secs(1),
        rest_max: Duration::from_secs(2),
        rest_jitter: 0.0,
        window: Kind::Calls(1),
        minimum_calls: 1,
        probe_timeout: Duration::from_secs(2),
        ..Config::default()
    }
}

#[test]
fn no_reachable_state_breaks_a_promise_or_sticks() {
    let one_probe = explore(small(), None);
    let two_probes = explore(Config { probes: 2, ..small() }, None);
    let by_rate = Config {
        consecutive_failures: None,
        failure_rate: Some(0.5),
        slow_rate: Some(0.6),
        minimum_calls: 2,
        window: Kind::Calls(2),
        ..small()
    };
    let by_rate = explore(by_rate, None);
    // The counts of a window in time know no bound, so this one has a depth.
    let window = Kind::Time(Duration::from_secs(20));
    let in_time = explore(Config { window, failure_rate: Some(0.5), ..small() }, Some(8));
    println!("worlds visited: {one_probe}, {two_probes}, {by_rate} of all; {in_time} in time");
    assert!(one_probe > 100 && two_probes > 100 && by_rate > 500 && in_time > 100);
}
