//! The bulkhead's queue as a pure machine: who waits in which order, and who was let in but does
//! not know it yet.

use std::collections::VecDeque;

/// One waiting caller; `W` is how it is woken.
#[derive(Clone, Debug)]
struct Waiting<W> {
    ticket: u64,
    waker: W,
}

/// The queue. It knows nothing of slots: [`Gate`](super::gate::Gate) says when there is one.
#[derive(Clone, Debug)]
pub(crate) struct Line<W> {
    limit: u32,
    queue: VecDeque<Waiting<W>>,
    granted: Vec<u64>,
    next_ticket: u64,
}

/// Where a caller was found who gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// In the queue; its place is free.
    Queue,
    /// Already let in; its slot must go on.
    Granted,
}

impl<W> Line<W> {
    pub(crate) fn new(limit: u32) -> Self {
        Line { limit, queue: VecDeque::new(), granted: Vec::new(), next_ticket: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.queue.len() >= self.limit as usize
    }

    /// Callers beyond a shortened queue keep their place.
    pub(crate) fn set_limit(&mut self, limit: u32) {
        self.limit = limit;
    }

    /// A caller joins at the end.
    pub(crate) fn join(&mut self, waker: W) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.queue.push_back(Waiting { ticket, waker });
        ticket
    }

    /// The head of the queue gets a slot; returns how to tell it.
    pub(crate) fn grant(&mut self) -> Option<W> {
        let head = self.queue.pop_front()?;
        self.granted.push(head.ticket);
        Some(head.waker)
    }

    /// A waiting caller looks whether it is in. If not, it leaves a fresh waker.
    pub(crate) fn claim(&mut self, ticket: u64, refresh: impl FnOnce(&mut W)) -> bool {
        if self.take_grant(ticket) {
            return true;
        }
        if let Some(at) = self.position(ticket) {
            refresh(&mut self.queue[at].waker);
        }
        false
    }

    /// A waiting caller gives up.
    pub(crate) fn abandon(&mut self, ticket: u64) -> Left {
        if self.take_grant(ticket) {
            return Left::Granted;
        }
        if let Some(at) = self.position(ticket) {
            self.queue.remove(at);
        }
        Left::Queue
    }

    fn take_grant(&mut self, ticket: u64) -> bool {
        let at = self.granted.iter().position(|&granted| granted == ticket);
        at.map(|at| self.granted.swap_remove(at)).is_some()
    }

    fn position(&self, ticket: u64) -> Option<usize> {
        // Tickets only grow and the queue keeps their order.
        self.queue.binary_search_by_key(&ticket, |waiting| waiting.ticket).ok()
    }
}
