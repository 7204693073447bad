//! Circuit breaker: stops calling a callee that fails, and finds out cheaply when it is back.

mod config;
mod state;
#[cfg(test)]
mod tests;
mod window;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use config::{Config, Limits, Window};
pub use state::{Moved, Refused, State};
pub use window::Counts;

use crate::clock::Clock;
use crate::error::Failure;
use crate::rng::Rng;
use crate::shield::shielded;
use crate::sync::{AtomicU64, Mutex, Ordering, lock};
use crate::verdict::{Charge, Verdict};
use state::{Machine, Seen, Ticket};

/// Bit 0 of the gate: the breaker is closed, so nothing needs to be asked.
const CLOSED: u64 = 1;

/// A circuit breaker for one callee. Share it by reference or in an `Arc`.
pub struct Breaker {
    /// `generation << 1 | closed`, so that admission while closed is a single load.
    gate: AtomicU64,
    machine: Mutex<Machine>,
    rng: Rng,
    on_move: Option<Listener>,
}

type Listener = Arc<dyn Fn(&Moved) + Send + Sync>;

/// Leave to call, tied to the state it was given in.
///
/// Give it back with [`report`](Permit::report). Dropped instead, it counts as nothing — a
/// cancelled probe frees its place — except while panicking, when it counts as a failure.
#[derive(Debug)]
#[must_use = "report how the call went"]
pub struct Permit<'a> {
    breaker: &'a Breaker,
    ticket: Ticket,
    admitted: Instant,
    settled: bool,
}

/// A breaker at one moment, for screens and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Where it stands.
    pub state: State,
    /// How often it changed so far.
    pub generation: u64,
    /// What its window holds.
    pub counts: Counts,
    /// Failures since the last success.
    pub failures_in_row: u32,
    /// Time until it would let a probe through; only while open.
    pub rest_left: Option<Duration>,
}

impl Breaker {
    /// A closed breaker without history. `rng` draws the jitter of its rests.
    pub fn new(limits: Limits, rng: Rng, now: Instant) -> Self {
        Breaker {
            gate: AtomicU64::new(CLOSED),
            machine: Mutex::new(Machine::new(limits, now)),
            rng,
            on_move: None,
        }
    }

    /// Calls `listener` after each change of state, outside every lock. A listener that panics
    /// is ignored.
    #[must_use]
    pub fn on_move(mut self, listener: impl Fn(&Moved) + Send + Sync + 'static) -> Self {
        self.on_move = Some(Arc::new(listener));
        self
    }

    /// Leave to make one call now.
    ///
    /// # Errors
    ///
    /// [`Refused`] while open or isolated, and while half-open with all probes out.
    pub fn admit(&self, now: Instant) -> Result<Permit<'_>, Refused> {
        let gate = self.gate.load(Ordering::Acquire);
        if gate & CLOSED != 0 {
            let ticket = Ticket { generation: gate >> 1, probe: false };
            return Ok(Permit { breaker: self, ticket, admitted: now, settled: false });
        }
        let ticket = self.change(|machine| machine.ask(now, &self.rng))?;
        Ok(Permit { breaker: self, ticket, admitted: now, settled: false })
    }

    /// Runs `work` if admitted and reports what `classify` makes of its result.
    ///
    /// # Errors
    ///
    /// [`Failure::Refused`] when `work` was not started, [`Failure::Callee`] with its own error.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops `work` and gives the permit back; it counts as nothing.
    pub async fn run<T, E>(
        &self,
        clock: &dyn Clock,
        classify: impl FnOnce(&Result<T, E>) -> Verdict,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Failure<Refused, E>> {
        let sent = clock.now();
        let permit = self.admit(sent).map_err(Failure::Refused)?;
        let result = work.await;
        let now = clock.now();
        permit.report(classify(&result).charge, now.saturating_duration_since(sent), now);
        result.map_err(Failure::Callee)
    }

    /// Refuses every call until [`release`](Self::release) or [`reset`](Self::reset).
    pub fn isolate(&self) {
        self.change(|machine| ((), machine.isolate()));
    }

    /// Ends an isolation: the next calls are probes. Nothing happens in any other state.
    pub fn release(&self, now: Instant) {
        self.change(|machine| ((), machine.release(now)));
    }

    /// Closes it, whatever its state, and forgets all counts.
    pub fn reset(&self, now: Instant) {
        self.change(|machine| ((), machine.reset(now)));
    }

    /// Takes new limits and keeps state, permits and, unless the window itself changed, counts.
    pub fn reconfigure(&self, limits: Limits, now: Instant) {
        lock(&self.machine).reconfigure(limits, now);
    }

    /// The limits in force.
    pub fn limits(&self) -> Limits {
        lock(&self.machine).limits().clone()
    }

    /// Where it stands. An open breaker turns half-open when it is next asked, not by itself.
    pub fn state(&self) -> State {
        lock(&self.machine).state()
    }

    /// Everything worth showing.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let mut machine = lock(&self.machine);
        Snapshot {
            state: machine.state(),
            generation: machine.generation(),
            counts: machine.counts(now),
            failures_in_row: machine.failures_in_row(),
            rest_left: machine.rest_left(now),
        }
    }

    /// True when forgetting this breaker and making a new one would change nothing: closed, no
    /// failure in its window, and well for at least as long as its last rest.
    pub fn is_fresh(&self, now: Instant) -> bool {
        lock(&self.machine).is_fresh(now)
    }

    /// One locked step; the gate follows the machine, the listener hears of it afterwards.
    fn change<R>(&self, step: impl FnOnce(&mut Machine) -> (R, Option<Moved>)) -> R {
        let mut machine = lock(&self.machine);
        let (result, moved) = step(&mut machine);
        if moved.is_some() {
            let closed = u64::from(machine.state() == State::Closed);
            self.gate.store(machine.generation() << 1 | closed, Ordering::Release);
        }
        drop(machine);
        if let (Some(moved), Some(listener)) = (moved, &self.on_move) {
            shielded(|| listener(&moved));
        }
        result
    }
}

impl Permit<'_> {
    /// Says how the call went, how long the callee took, and that it ended `now`.
    pub fn report(mut self, charge: Charge, took: Duration, now: Instant) {
        self.settled = true;
        let seen = Seen { charge, took };
        let breaker = self.breaker;
        breaker.change(|machine| ((), machine.report(self.ticket, seen, now, &breaker.rng)));
    }

    /// True for a call that tests whether the callee is back.
    pub fn is_probe(&self) -> bool {
        self.ticket.probe
    }

    /// False once the breaker has changed state since admission: whoever waited in between
    /// should ask again before calling.
    pub fn is_current(&self) -> bool {
        self.breaker.gate.load(Ordering::Acquire) >> 1 == self.ticket.generation
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let panicking = std::thread::panicking();
        if self.settled || !(self.ticket.probe || panicking) {
            return;
        }
        let breaker = self.breaker;
        let charge = if panicking { Charge::Failure } else { Charge::Nothing };
        let seen = Seen { charge, took: Duration::ZERO };
        // No clock at hand here, so the moment of admission has to do for "now".
        let now = self.admitted;
        breaker.change(|machine| ((), machine.report(self.ticket, seen, now, &breaker.rng)));
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("machine", &*lock(&self.machine)).finish_non_exhaustive()
    }
}
