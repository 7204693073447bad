//! What waits to be put on record: one bounded queue for each kind of component, and one for
//! decisions and policy changes. Overflow is refused and counted, never silent.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use consort_core::{Component, learning::Record};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, oneshot};

use super::fate::Fate;

/// The kinds of components, in the order of their queues.
pub const KINDS: [Component; 6] = [
    Component::Model,
    Component::Tool,
    Component::Agent,
    Component::Prompt,
    Component::Threshold,
    Component::Memory,
];

/// Decisions may wait this many times longer than signals: they cannot be sent again.
const PATIENCE: usize = 4;

/// A record with whoever wants to know what becomes of it.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) record: Record,
    pub(super) answer: Option<oneshot::Sender<Fate>>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Decisions and changes first, then one queue for each of [`KINDS`].
    queues: [VecDeque<Waiting>; 1 + KINDS.len()],
    counts: [Count; 1 + KINDS.len()],
    /// Taken, but not yet applied.
    busy: usize,
    closed: bool,
}

/// Figures of one queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Count {
    /// Waiting now.
    pub waiting: u64,
    /// Ever queued.
    pub queued: u64,
    /// Refused because the queue was full.
    pub dropped: u64,
}

/// The queues.
#[derive(Debug)]
pub(super) struct Queues {
    inner: Mutex<Inner>,
    limit: usize,
    filled: Notify,
    idle: Notify,
}

/// Why a record was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotQueued {
    Full,
    Closed,
}

fn lane(kind: Option<Component>) -> usize {
    kind.and_then(|kind| KINDS.iter().position(|other| *other == kind)).map_or(0, |at| 1 + at)
}

impl Queues {
    pub(super) fn new(limit: usize) -> Self {
        let inner = Mutex::new(Inner::default());
        Self { inner, limit, filled: Notify::new(), idle: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No code that may panic runs under the lock.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a record; `kind` names the queue, none that of decisions and changes.
    pub(super) fn push(&self, kind: Option<Component>, waiting: Waiting) -> Result<(), NotQueued> {
        let lane = lane(kind);
        let limit = if lane == 0 { self.limit.saturating_mul(PATIENCE) } else { self.limit };
        let first = {
            let mut inner = self.lock();
            if inner.closed {
                return Err(NotQueued::Closed);
            }
            if inner.queues[lane].len() >= limit {
                inner.counts[lane].dropped += 1;
                return Err(NotQueued::Full);
            }
            inner.counts[lane].queued += 1;
            inner.queues[lane].push_back(waiting);
            inner.queues[lane].len() == 1
        };
        if first {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// At most `limit` records: decisions and changes first, then a fair share of every kind.
    pub(super) fn take(&self, limit: usize) -> Vec<Waiting> {
        let mut inner = self.lock();
        let mut taken = Vec::new();
        let first = inner.queues[0].len().min(limit);
        taken.extend(inner.queues[0].drain(..first));
        while taken.len() < limit {
            let busy = inner.queues[1..].iter().filter(|queue| !queue.is_empty()).count();
            if busy == 0 {
                break;
            }
            let share = ((limit - taken.len()) / busy).max(1);
            for queue in &mut inner.queues[1..] {
                let own = queue.len().min(share).min(limit - taken.len());
                taken.extend(queue.drain(..own));
            }
        }
        inner.busy += taken.len();
        taken
    }

    /// Says that so many of the records taken are dealt with.
    pub(super) fn done(&self, count: usize) {
        let mut inner = self.lock();
        inner.busy -= count.min(inner.busy);
        let idle = inner.busy == 0 && inner.queues.iter().all(VecDeque::is_empty);
        drop(inner);
        if idle {
            self.idle.notify_waiters();
        }
    }

    /// Resolves when something may be waiting.
    pub(super) async fn filled(&self) {
        if !self.is_empty() {
            return;
        }
        self.filled.notified().await;
    }

    /// Resolves when nothing waits and nothing is in work.
    pub(super) async fn idle(&self) {
        loop {
            let idle = self.idle.notified();
            {
                let inner = self.lock();
                if inner.busy == 0 && inner.queues.iter().all(VecDeque::is_empty) {
                    return;
                }
            }
            idle.await;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().queues.iter().all(VecDeque::is_empty)
    }

    /// Refuses new records, or takes them again.
    pub(super) fn set_closed(&self, closed: bool) {
        self.lock().closed = closed;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Figures: of decisions and changes, then of each of [`KINDS`].
    pub(super) fn counts(&self) -> [Count; 1 + KINDS.len()] {
        let inner = self.lock();
        let mut counts = inner.counts;
        for (count, queue) in counts.iter_mut().zip(&inner.queues) {
            count.waiting = queue.len() as u64;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use consort_core::Timestamp;

    use super::*;

    fn waiting(number: u64) -> Waiting {
        let record = Record::Policy { at: Timestamp(number), change: serde_json::Value::Null };
        Waiting { record, answer: None }
    }

    #[test]
    fn an_empty_queue_takes_signals_of_every_kind() {
        let queues = Queues::new(4);
        for kind in KINDS {
            assert_eq!(queues.push(Some(kind), waiting(1)), Ok(()), "{kind:?}");
        }
        assert_eq!(queues.take(100).len(), 6);
    }

    #[test]
    fn overflow_is_refused_and_counted_by_kind() {
        let queues = Queues::new(2);
        let push = |n| queues.push(Some(Component::Tool), waiting(n));
        assert_eq!((push(1), push(2), push(3)), (Ok(()), Ok(()), Err(NotQueued::Full)));
        assert_eq!(queues.push(Some(Component::Model), waiting(1)), Ok(()));
        assert_eq!(queues.counts()[2], Count { waiting: 2, queued: 2, dropped: 1 });
        assert_eq!(queues.counts()[1].dropped, 0);
    }

    #[test]
    fn no_kind_starves_the_others_and_each_keeps_its_order() {
        let queues = Queues::new(1000);
        (0..1000).for_each(|n| queues.push(Some(Component::Tool), waiting(n)).unwrap());
        queues.push(Some(Component::Memory), waiting(7)).unwrap();
        let taken = queues.take(10);
        assert_eq!(taken.len(), 10);
        let times: Vec<u64> = taken.iter().map(|w| w.record.at().0).collect();
        assert!(times.contains(&7));
        let tools: Vec<u64> = taken.iter().map(|w| w.record.at().0).filter(|t| *t != 7).collect();
        assert!(tools.is_sorted());
    }

    #[tokio::test]
    async fn idle_means_applied_and_not_only_taken() {
        let queues = Queues::new(4);
        queues.push(None, waiting(1)).unwrap();
        let taken = queues.take(9);
        let mut idle = std::pin::pin!(queues.idle());
        assert!(futures_util::poll!(&mut idle).is_pending());
        queues.done(taken.len());
        idle.await;
    }
}
