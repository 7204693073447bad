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

use crate::clock::{Clock, nanos, nanos_since};
use crate::error::Failure;
use crate::rng::Rng;
use crate::shield::shielded;
use crate::sync::{AtomicU64, Mutex, Ordering, lock};
use crate::verdict::{Charge, Verdict};
use state::{Machine, Seen, Ticket};

/// A circuit breaker for one callee. Share it by reference or in an `Arc`.
///
/// The machine behind the lock decides. Beside it stands one word that says whether the breaker
/// is closed, and counts successes as long as there is nothing to decide about them: while closed
/// and without a failure to remember, admission is a load and a success one atomic addition.
pub struct Breaker {
    word: AtomicU64,
    /// From this moment on a success needs the machine, to move on to the next slice.
    slice_end: AtomicU64,
    /// A success that took this long needs the machine, because it is a slow one.
    slow_after: AtomicU64,
    machine: Mutex<Machine>,
    rng: Rng,
    epoch: Instant,
    on_move: Option<Listener>,
}

/// The word: `generation << 26 | closed | clean | count`.
mod word {
    /// Successes not yet in the machine.
    pub(super) const COUNT: u64 = (1 << 24) - 1;
    /// Nothing to decide about successes. Only while closed.
    pub(super) const CLEAN: u64 = 1 << 24;
    /// Calls need not ask.
    pub(super) const CLOSED: u64 = 1 << 25;

    pub(super) fn generation(word: u64) -> u64 {
        word >> 26
    }

    pub(super) fn new(generation: u64, closed: bool, clean: bool) -> u64 {
        generation << 26 | if closed { CLOSED } else { 0 } | if clean { CLEAN } else { 0 }
    }
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
        let machine = Machine::new(limits, 0);
        Breaker {
            word: AtomicU64::new(word::new(0, true, true)),
            slice_end: AtomicU64::new(machine.slice_end()),
            slow_after: AtomicU64::new(machine.slow_after()),
            machine: Mutex::new(machine),
            rng,
            epoch: now,
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
        let word = self.word.load(Ordering::Acquire);
        if word & word::CLOSED != 0 {
            let ticket = Ticket { generation: word::generation(word), probe: false };
            return Ok(Permit { breaker: self, ticket, admitted: now, settled: false });
        }
        let at = nanos_since(self.epoch, now);
        let ticket = self.change(|machine| machine.ask(at, &self.rng))?;
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
        let now = nanos_since(self.epoch, now);
        self.change(|machine| ((), machine.release(now)));
    }

    /// Closes it, whatever its state, and forgets all counts.
    pub fn reset(&self, now: Instant) {
        let now = nanos_since(self.epoch, now);
        self.change(|machine| ((), machine.reset(now)));
    }

    /// Takes new limits and keeps state, permits and, unless the window itself changed, counts.
    pub fn reconfigure(&self, limits: Limits, now: Instant) {
        let now = nanos_since(self.epoch, now);
        self.change(|machine| (machine.reconfigure(limits, now), None));
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
        let now = nanos_since(self.epoch, now);
        let look = |machine: &mut Machine| Snapshot {
            state: machine.state(),
            generation: machine.generation(),
            counts: machine.counts(now),
            failures_in_row: machine.failures_in_row(),
            rest_left: machine.rest_left(now),
        };
        self.change(|machine| (look(machine), None))
    }

    /// True when forgetting this breaker and making a new one would change nothing: closed, no
    /// failure in its window, and well for at least as long as its last rest.
    pub fn is_fresh(&self, now: Instant) -> bool {
        let now = nanos_since(self.epoch, now);
        lock(&self.machine).is_fresh(now)
    }

    /// A success about which there is nothing to decide: counts it, if the word allows.
    fn is_counted(&self, ticket: Ticket, took: u64, now: u64) -> bool {
        if took >= self.slow_after.load(Ordering::Relaxed) {
            return false;
        }
        let mut word = self.word.load(Ordering::Acquire);
        while word::generation(word) == ticket.generation
            && word & word::CLEAN != 0
            && word & word::COUNT != word::COUNT
            && now < self.slice_end.load(Ordering::Relaxed)
        {
            // The exchange fails if the breaker has moved meanwhile, so the success counts either
            // for the generation it was admitted in or not at all.
            match self.word.compare_exchange_weak(
                word,
                word + 1,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return true,
                Err(seen) => word = seen,
            }
        }
        false
    }

    /// One locked step; the word follows the machine, the listener hears of it afterwards.
    fn change<R>(&self, step: impl FnOnce(&mut Machine) -> (R, Option<Moved>)) -> R {
        let mut machine = lock(&self.machine);
        // From here on successes come to the lock, so none is counted behind our back.
        let word = self.word.fetch_and(!(word::CLEAN | word::COUNT), Ordering::AcqRel);
        machine.absorb((word & word::COUNT) as u32);
        let (result, moved) = step(&mut machine);
        self.slice_end.store(machine.slice_end(), Ordering::Relaxed);
        self.slow_after.store(machine.slow_after(), Ordering::Relaxed);
        let closed = machine.state() == State::Closed;
        let word = word::new(machine.generation(), closed, machine.is_clean());
        self.word.store(word, Ordering::Release);
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
        self.settle(charge, nanos(took), now);
    }

    fn settle(&self, charge: Charge, took: u64, now: Instant) {
        let (breaker, ticket) = (self.breaker, self.ticket);
        let now = nanos_since(breaker.epoch, now);
        if charge == Charge::Success && breaker.is_counted(ticket, took, now) {
            return;
        }
        let seen = Seen { charge, took };
        breaker.change(|machine| ((), machine.report(ticket, seen, now, &breaker.rng)));
    }

    /// True for a call that tests whether the callee is back.
    pub fn is_probe(&self) -> bool {
        self.ticket.probe
    }

    /// False once the breaker has changed state since admission: whoever waited in between
    /// should ask again before calling.
    pub fn is_current(&self) -> bool {
        word::generation(self.breaker.word.load(Ordering::Acquire)) == self.ticket.generation
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let panicking = std::thread::panicking();
        if self.settled || !(self.ticket.probe || panicking) {
            return;
        }
        let charge = if panicking { Charge::Failure } else { Charge::Nothing };
        // No clock at hand here, so the moment of admission has to do for "now".
        self.settle(charge, 0, self.admitted);
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("machine", &*lock(&self.machine)).finish_non_exhaustive()
    }
}
