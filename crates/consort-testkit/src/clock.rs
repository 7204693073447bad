//! A clock that stands still until it is told otherwise.

use std::sync::atomic::{AtomicU64, Ordering};

use consort_core::{Clock, Timestamp};

/// Wall time that a test sets. It may go back, as real clocks do.
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// Stands at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(AtomicU64::new(now.0))
    }

    /// Jumps to `now`.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn utc(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}
