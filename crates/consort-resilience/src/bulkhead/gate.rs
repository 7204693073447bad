//! Slots and queue together: one word for the slots as long as nobody waits, a lock beside it when
//! somebody does.

use super::line::{Left, Line};
use crate::sync::{AtomicU32, AtomicU64, Mutex, Ordering, lock};

/// Somebody waits: slots are handed over under the lock, and nobody takes one past it.
const QUEUED: u64 = 1 << 32;
const TAKEN: u64 = QUEUED - 1;

/// The invariant that makes it fair: while the queue is not empty, `QUEUED` is set; while it is
/// set, only who holds the lock changes the word.
#[derive(Debug)]
pub(crate) struct Gate<W> {
    /// `QUEUED | slots taken`, those of granted callers included.
    word: AtomicU64,
    limit: AtomicU32,
    line: Mutex<Line<W>>,
}

/// What a newcomer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// It has a slot.
    In,
    /// It waits, under this ticket.
    Waiting(u64),
    /// All slots and all places in the queue are taken.
    Full,
}

impl<W> Gate<W> {
    pub(crate) fn new(limit: u32, queue_limit: u32) -> Self {
        Gate {
            word: AtomicU64::new(0),
            limit: AtomicU32::new(limit),
            line: Mutex::new(Line::new(queue_limit)),
        }
    }

    pub(crate) fn limit(&self) -> u32 {
        self.limit.load(Ordering::Relaxed)
    }

    pub(crate) fn taken(&self) -> u32 {
        (self.word.load(Ordering::Relaxed) & TAKEN) as u32
    }

    pub(crate) fn waiting(&self) -> usize {
        lock(&self.line).len()
    }

    pub(crate) fn has_queue(&self) -> bool {
        self.word.load(Ordering::Relaxed) & QUEUED != 0
    }

    /// Takes a slot if one is free and nobody waits.
    pub(crate) fn try_enter(&self) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & QUEUED != 0 || (word & TAKEN) as u32 >= self.limit() {
                return false;
            }
            match self.exchange(word, word + 1) {
                Ok(()) => return true,
                Err(seen) => word = seen,
            }
        }
    }

    /// Takes a slot or joins the queue.
    pub(crate) fn enter(&self, waker: impl FnOnce() -> W) -> Entry {
        if self.try_enter() {
            return Entry::In;
        }
        let mut line = lock(&self.line);
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let is_free = word & QUEUED == 0 && ((word & TAKEN) as u32) < self.limit();
            if !is_free && line.is_full() {
                return Entry::Full;
            }
            // A slot that comes back in between makes the exchange fail, so nobody queues for a
            // slot that is free.
            let next = if is_free { word + 1 } else { word | QUEUED };
            match self.exchange(word, next) {
                Ok(()) if is_free => return Entry::In,
                Ok(()) => return Entry::Waiting(line.join(waker())),
                Err(seen) => word = seen,
            }
        }
    }

    /// A slot comes back. Returns whom to wake.
    #[must_use]
    pub(crate) fn leave(&self) -> Option<W> {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & QUEUED == 0 {
            match self.exchange(word, word - 1) {
                Ok(()) => return None,
                Err(seen) => word = seen,
            }
        }
        self.hand_over(&mut lock(&self.line))
    }

    /// A waiting caller looks whether it is in.
    pub(crate) fn claim(&self, ticket: u64, refresh: impl FnOnce(&mut W)) -> bool {
        lock(&self.line).claim(ticket, refresh)
    }

    /// A waiting caller gives up. Returns whom to wake.
    #[must_use]
    pub(crate) fn abandon(&self, ticket: u64) -> Option<W> {
        let mut line = lock(&self.line);
        match line.abandon(ticket) {
            Left::Granted => self.hand_over(&mut line),
            Left::Queue => {
                self.settle(&line);
                None
            }
        }
    }

    /// Slots above a lowered limit close as they come back. Returns whom to wake.
    #[must_use]
    pub(crate) fn set_limit(&self, limit: u32) -> Vec<W> {
        let mut line = lock(&self.line);
        self.limit.store(limit, Ordering::Relaxed);
        std::iter::from_fn(|| self.grant(&mut line)).collect()
    }

    pub(crate) fn set_queue(&self, limit: u32) {
        lock(&self.line).set_limit(limit);
    }

    fn hand_over(&self, line: &mut Line<W>) -> Option<W> {
        self.word.fetch_sub(1, Ordering::AcqRel);
        self.grant(line)
    }

    /// Gives a free slot to the head of the queue, if there is either.
    fn grant(&self, line: &mut Line<W>) -> Option<W> {
        if line.is_empty() || self.taken() >= self.limit() {
            return None;
        }
        self.word.fetch_add(1, Ordering::AcqRel);
        let head = line.grant();
        self.settle(line);
        head
    }

    /// Opens the short way again when nobody waits any more.
    fn settle(&self, line: &Line<W>) {
        if line.is_empty() {
            self.word.fetch_and(!QUEUED, Ordering::AcqRel);
        }
    }

    fn exchange(&self, from: u64, to: u64) -> Result<(), u64> {
        let order = (Ordering::AcqRel, Ordering::Relaxed);
        self.word.compare_exchange_weak(from, to, order.0, order.1).map(|_| ())
    }
}

#[cfg(test)]
mod explore;
