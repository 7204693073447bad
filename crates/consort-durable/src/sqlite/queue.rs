//! A bounded queue between callers and a thread. An idle thread sleeps without waking up.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

/// Items in the order in which they were pushed.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    drained: Condvar,
    limit: usize,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<(T, usize)>,
    weight: usize,
    closed: bool,
}

impl<T> Queue<T> {
    /// Accepts items while those inside weigh less than `limit`.
    pub(crate) fn new(limit: usize) -> Self {
        let state = State { items: VecDeque::new(), weight: 0, closed: false };
        Self { state: Mutex::new(state), filled: Condvar::new(), drained: Condvar::new(), limit }
    }

    /// Adds an item; holds the calling thread while the queue is full.
    ///
    /// # Errors
    ///
    /// Gives the item back when the queue is closed.
    pub(crate) fn push(&self, item: T, weight: usize) -> Result<(), T> {
        let mut state = self.lock();
        while state.weight >= self.limit && !state.closed {
            state = self.drained.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return Err(item);
        }
        state.weight += weight;
        state.items.push_back((item, weight));
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Adds an item unless the queue is full: then `false`, and the item is gone.
    ///
    /// # Errors
    ///
    /// When the queue is closed.
    pub(crate) fn offer(&self, item: T, weight: usize) -> Result<bool, ()> {
        let mut state = self.lock();
        if state.closed {
            return Err(());
        }
        if weight > 0 && state.weight >= self.limit {
            return Ok(false);
        }
        state.weight += weight;
        state.items.push_back((item, weight));
        drop(state);
        self.filled.notify_one();
        Ok(true)
    }

    /// Puts an item behind all others, even if the queue is full; for the consumer itself.
    pub(crate) fn push_back(&self, item: T) {
        self.lock().items.push_back((item, 0));
    }

    /// Waits for items and takes at most `items` of at most `weight` together, but at least one.
    /// `None` once the queue is closed and empty.
    pub(crate) fn take(&self, items: usize, weight: usize) -> Option<Vec<T>> {
        let mut state = self.lock();
        while state.items.is_empty() {
            if state.closed {
                return None;
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let (mut taken, mut sum) = (Vec::new(), 0);
        while let Some((_, next)) = state.items.front() {
            if !taken.is_empty() && (taken.len() >= items || sum + next > weight) {
                break;
            }
            sum += next;
            taken.extend(state.items.pop_front().map(|(item, _)| item));
        }
        state.weight -= sum;
        drop(state);
        self.drained.notify_all();
        Some(taken)
    }

    /// Takes what is there now, without waiting.
    pub(crate) fn drain(&self) -> Vec<T> {
        let mut state = self.lock();
        state.weight = 0;
        let items = state.items.drain(..).map(|(item, _)| item).collect();
        drop(state);
        self.drained.notify_all();
        items
    }

    /// Refuses new items; those inside are still handed out.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
        self.drained.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // No code that may panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;

    #[test]
    fn a_full_queue_holds_the_caller_and_keeps_the_order() {
        let queue = Arc::new(Queue::new(10));
        let pushed = thread::spawn({
            let queue = queue.clone();
            move || (0..1000).try_for_each(|n| queue.push(n, 3)).is_ok()
        });
        let mut seen = Vec::new();
        while seen.len() < 1000 {
            let taken = queue.take(7, 100).unwrap();
            assert!(taken.len() <= 4, "at most 10 and one more of 3");
            seen.extend(taken);
        }
        assert!(pushed.join().unwrap());
        assert_eq!(seen, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn one_item_that_is_too_heavy_passes_alone() {
        let queue = Queue::new(10);
        queue.push('a', 1).unwrap();
        queue.push('b', 100).unwrap();
        assert_eq!(queue.take(9, 10), Some(vec!['a']));
        assert_eq!(queue.take(9, 10), Some(vec!['b']));
    }

    #[test]
    fn a_closed_queue_hands_out_what_it_has() {
        let queue = Queue::new(10);
        queue.push(1, 1).unwrap();
        queue.close();
        assert_eq!(queue.push(2, 1), Err(2));
        assert_eq!(queue.take(9, 9), Some(vec![1]));
        assert_eq!(queue.take(9, 9), None);
    }
}
