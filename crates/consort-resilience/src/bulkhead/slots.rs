//! The bulkhead as a pure machine: who is in, who waits in which order, who was let in but does
//! not know it yet.

use std::collections::VecDeque;

/// One waiting caller; `W` is how the shell wakes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Waiting<W> {
    ticket: u64,
    waker: W,
}

/// The machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Slots<W> {
    limit: u32,
    queue_limit: u32,
    /// Slots taken, those of granted tickets included.
    taken: u32,
    queue: VecDeque<Waiting<W>>,
    /// Let in by someone who left; their owners have yet to notice.
    granted: Vec<u64>,
    next_ticket: u64,
}

/// What a newcomer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// It has a slot.
    In,
    /// All slots are taken, but there is room to wait.
    MayWait,
    /// All slots are taken and so is the queue.
    Full,
}

impl<W> Slots<W> {
    pub(crate) fn new(limit: u32, queue_limit: u32) -> Self {
        Slots {
            limit,
            queue_limit,
            taken: 0,
            queue: VecDeque::new(),
            granted: Vec::new(),
            next_ticket: 0,
        }
    }

    pub(crate) fn limit(&self) -> u32 {
        self.limit
    }

    pub(crate) fn taken(&self) -> u32 {
        self.taken
    }

    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// A caller arrives. Nobody overtakes the queue.
    pub(crate) fn enter(&mut self) -> Entry {
        if self.taken < self.limit && self.queue.is_empty() {
            self.taken += 1;
            return Entry::In;
        }
        if self.queue.len() < self.queue_limit as usize { Entry::MayWait } else { Entry::Full }
    }

    /// Joins the end of the queue, after [`Entry::MayWait`].
    pub(crate) fn join(&mut self, waker: W) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.queue.push_back(Waiting { ticket, waker });
        ticket
    }

    /// A waiting caller looks whether it is in. If not, it leaves a fresh waker.
    pub(crate) fn claim(&mut self, ticket: u64, refresh: impl FnOnce(&mut W)) -> bool {
        if let Some(at) = self.granted.iter().position(|&granted| granted == ticket) {
            self.granted.swap_remove(at);
            return true;
        }
        if let Some(at) = self.position(ticket) {
            refresh(&mut self.queue[at].waker);
        }
        false
    }

    /// A waiting caller gives up; if it had been let in meanwhile, its slot goes on.
    pub(crate) fn abandon(&mut self, ticket: u64) -> Option<W> {
        if let Some(at) = self.granted.iter().position(|&granted| granted == ticket) {
            self.granted.swap_remove(at);
            return self.leave();
        }
        if let Some(at) = self.position(ticket) {
            self.queue.remove(at);
        }
        None
    }

    /// A slot comes back. It is handed to the head of the queue, whom the shell must wake, so
    /// that no newcomer can take it in between.
    pub(crate) fn leave(&mut self) -> Option<W> {
        self.taken = self.taken.saturating_sub(1);
        self.grant()
    }

    /// Slots above a lowered limit close as they come back.
    pub(crate) fn set_limit(&mut self, limit: u32) -> Vec<W> {
        self.limit = limit;
        std::iter::from_fn(|| self.grant()).collect()
    }

    /// Callers beyond a shortened queue keep their place.
    pub(crate) fn set_queue(&mut self, queue_limit: u32) {
        self.queue_limit = queue_limit;
    }

    fn grant(&mut self) -> Option<W> {
        if self.taken >= self.limit {
            return None;
        }
        let head = self.queue.pop_front()?;
        self.taken += 1;
        self.granted.push(head.ticket);
        Some(head.waker)
    }

    fn position(&self, ticket: u64) -> Option<usize> {
        // Tickets only grow and the queue keeps their order.
        self.queue.binary_search_by_key(&ticket, |waiting| waiting.ticket).ok()
    }
}
