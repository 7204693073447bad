//! The breaker as a pure machine: what it knows, and how one event moves it.

use std::time::Duration;

use super::config::Limits;
use super::window::{Counts, Window};
use crate::clock::nanos;
use crate::rng::Rng;
use crate::verdict::Charge;

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Calls pass and are counted.
    Closed,
    /// Calls are refused until the rest is over.
    Open,
    /// A few calls pass to find out whether the callee is back.
    HalfOpen,
    /// Held open by hand until released.
    Isolated,
}

impl State {
    /// The state in one word, as events and screens show it.
    pub const fn name(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::Open => "open",
            State::HalfOpen => "half_open",
            State::Isolated => "isolated",
        }
    }
}

/// Why a breaker did not let a call through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("breaker is {}", state.name())]
pub struct Refused {
    /// Never [`State::Closed`]. In [`State::HalfOpen`] all probes are out.
    pub state: State,
    /// When to ask again, where that is known.
    pub retry_after: Option<Duration>,
}

/// One change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The state left.
    pub from: State,
    /// The state entered.
    pub to: State,
    /// Counts the changes of this breaker; tells the order when two are reported at once.
    pub generation: u64,
    /// How long the rest is, when it opened.
    pub rest: Option<Duration>,
}

/// An admission, before it is tied to the breaker it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ticket {
    pub(crate) generation: u64,
    pub(crate) probe: bool,
}

/// What a permit comes back with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Seen {
    pub(crate) charge: Charge,
    pub(crate) took: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Closed,
    Open { until: u64 },
    HalfOpen { out: u32, successes: u32, last_sent: u64 },
    Isolated,
}

/// The machine. The time comes in with each event, in nanoseconds since the breaker was made; it
/// has no clock of its own.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    limits: Limits,
    phase: Phase,
    /// Grows with every change of phase, so that a result of an earlier phase is known as such.
    generation: u64,
    failures_in_row: u32,
    /// Rests since the callee was last well for a whole rest.
    rests: u32,
    last_rest: u64,
    closed_at: Option<u64>,
    window: Window,
}

impl Machine {
    pub(crate) fn new(limits: Limits, now: u64) -> Self {
        let window = Window::new(limits.config().window, now);
        Machine {
            limits,
            phase: Phase::Closed,
            generation: 0,
            failures_in_row: 0,
            rests: 0,
            last_rest: 0,
            closed_at: None,
            window,
        }
    }

    pub(crate) fn state(&self) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::Isolated => State::Isolated,
        }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Successes that were counted outside while the machine was [`clean`](Self::is_clean).
    pub(crate) fn absorb(&mut self, successes: u32) {
        self.window.add_successes(successes);
    }

    /// True when a quick success would change nothing but a count: closed, and no failure to
    /// remember.
    pub(crate) fn is_clean(&self) -> bool {
        self.phase == Phase::Closed && self.failures_in_row == 0 && self.window.is_clean()
    }

    /// How long that stays true for the window.
    pub(crate) fn slice_end(&self) -> u64 {
        self.window.slice_end()
    }

    /// From how long on a call is slow; never, while slow calls are not counted.
    pub(crate) fn slow_after(&self) -> u64 {
        let config = self.limits.config();
        config.slow_rate.map_or(u64::MAX, |_| nanos(config.slow_call))
    }

    /// True when forgetting this breaker and making a new one would change nothing.
    pub(crate) fn is_fresh(&mut self, now: u64) -> bool {
        let well = self.closed_at.is_none_or(|at| now >= at.saturating_add(self.last_rest));
        self.phase == Phase::Closed && well && self.failures_in_row == 0 && {
            let counts = self.window.total(now);
            counts.failures == 0 && counts.slow == 0
        }
    }

    pub(crate) fn counts(&mut self, now: u64) -> Counts {
        self.window.total(now)
    }

    pub(crate) fn failures_in_row(&self) -> u32 {
        self.failures_in_row
    }

    /// Time until an open breaker would let a probe through.
    pub(crate) fn rest_left(&self, now: u64) -> Option<Duration> {
        match self.phase {
            Phase::Open { until } => Some(Duration::from_nanos(until.saturating_sub(now))),
            _ => None,
        }
    }

    /// May a call go out?
    pub(crate) fn ask(&mut self, now: u64, rng: &Rng) -> (Result<Ticket, Refused>, Option<Moved>) {
        let mut moved = None;
        if let Phase::Open { until } = self.phase
            && now >= until
        {
            let phase = Phase::HalfOpen { out: 0, successes: 0, last_sent: now };
            moved = Some(self.enter(phase, None));
        }
        if let Phase::HalfOpen { out, last_sent, .. } = self.phase
            && out >= self.limits.config().probes
            && now >= last_sent.saturating_add(nanos(self.limits.config().probe_timeout))
        {
            // Probes that never come back say the same as probes that fail.
            moved = Some(self.open(now, rng));
        }
        let admitted = match &mut self.phase {
            Phase::Closed => Ok(Ticket { generation: self.generation, probe: false }),
            Phase::HalfOpen { out, last_sent, .. } if *out < self.limits.config().probes => {
                *out += 1;
                *last_sent = now;
                Ok(Ticket { generation: self.generation, probe: true })
            }
            _ => Err(Refused { state: self.state(), retry_after: self.rest_left(now) }),
        };
        (admitted, moved)
    }

    /// A permit comes back. Results admitted before the last change of state are dropped: they
    /// say nothing about the callee now.
    pub(crate) fn report(
        &mut self,
        ticket: Ticket,
        seen: Seen,
        now: u64,
        rng: &Rng,
    ) -> Option<Moved> {
        if ticket.generation != self.generation {
            return None;
        }
        let config = self.limits.config();
        let slow = seen.took >= self.slow_after();
        let failed = seen.charge == Charge::Failure;
        match &mut self.phase {
            Phase::Closed => {
                if matches!(seen.charge, Charge::Answered | Charge::Nothing) {
                    return None;
                }
                self.window.add(failed, slow, now);
                self.failures_in_row =
                    if failed { self.failures_in_row.saturating_add(1) } else { 0 };
                self.must_open(now).then(|| self.open(now, rng))
            }
            Phase::HalfOpen { out, successes, .. } => {
                *out = out.saturating_sub(1);
                if seen.charge == Charge::Nothing {
                    return None;
                }
                // `Answered` is enough: the question of a probe is whether anybody is there. It
                // would be asked for ever of a callee that has nothing for us.
                if failed || slow {
                    return Some(self.open(now, rng));
                }
                *successes += 1;
                (*successes >= config.successes).then(|| self.close(now))
            }
            Phase::Open { .. } | Phase::Isolated => None,
        }
    }

    /// Holds it open until [`release`](Self::release) or [`reset`](Self::reset).
    pub(crate) fn isolate(&mut self) -> Option<Moved> {
        (self.phase != Phase::Isolated).then(|| self.enter(Phase::Isolated, None))
    }

    /// Ends an isolation: probes decide whether the callee is back.
    pub(crate) fn release(&mut self, now: u64) -> Option<Moved> {
        (self.phase == Phase::Isolated)
            .then(|| self.enter(Phase::HalfOpen { out: 0, successes: 0, last_sent: now }, None))
    }

    /// Closes it and forgets everything.
    pub(crate) fn reset(&mut self, now: u64) -> Option<Moved> {
        let was_closed = self.phase == Phase::Closed;
        let moved = self.close(now);
        self.rests = 0;
        self.closed_at = None;
        (!was_closed).then_some(moved)
    }

    /// Takes new limits; state, counts and permits stay. A window of another kind or size starts
    /// empty, because old slices cannot be cut to the new measure.
    pub(crate) fn reconfigure(&mut self, limits: Limits, now: u64) {
        if limits.config().window != self.limits.config().window {
            self.window = Window::new(limits.config().window, now);
        }
        self.limits = limits;
    }

    fn must_open(&mut self, now: u64) -> bool {
        let config = self.limits.config();
        if config.consecutive_failures.is_some_and(|most| self.failures_in_row >= most) {
            return true;
        }
        let counts = self.window.total(now);
        let over = |rate: Option<f64>, part: u32| {
            rate.is_some_and(|rate| f64::from(part) >= rate * f64::from(counts.calls))
        };
        counts.calls >= config.minimum_calls
            && (over(config.failure_rate, counts.failures) || over(config.slow_rate, counts.slow))
    }

    fn open(&mut self, now: u64, rng: &Rng) -> Moved {
        // A callee that stayed well for as long as it last rested starts with a short rest again;
        // one that flaps goes on from where it was.
        let well = self.closed_at.is_some_and(|at| now >= at.saturating_add(self.last_rest));
        if self.phase == Phase::Closed && (well || self.closed_at.is_none()) {
            self.rests = 0;
        }
        let config = self.limits.config();
        let jitter = 1.0 + config.rest_jitter * (2.0 * rng.unit() - 1.0);
        let rest = self.limits.rest_after(self.rests).mul_f64(jitter).min(config.rest_max);
        self.rests = self.rests.saturating_add(1);
        self.last_rest = nanos(rest);
        self.enter(Phase::Open { until: now.saturating_add(nanos(rest)) }, Some(rest))
    }

    fn close(&mut self, now: u64) -> Moved {
        self.closed_at = Some(now);
        self.window = Window::new(self.limits.config().window, now);
        self.enter(Phase::Closed, None)
    }

    fn enter(&mut self, phase: Phase, rest: Option<Duration>) -> Moved {
        let from = self.state();
        self.phase = phase;
        self.generation += 1;
        self.failures_in_row = 0;
        Moved { from, to: self.state(), generation: self.generation, rest }
    }
}

#[cfg(test)]
mod explore;
