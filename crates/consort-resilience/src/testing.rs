//! What the tests of several mechanisms share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use proptest::test_runner::{Config, RngSeed};

use crate::{Clock, Sleep, TokioClock};

/// Some moment to start from; which one makes no difference to a machine that is told the time.
pub(crate) fn moment() -> Instant {
    TokioClock.now()
}

/// 10,000 random histories from a fixed seed: the same in every run, on every machine.
pub(crate) fn histories() -> Config {
    Config {
        cases: 10_000,
        rng_seed: RngSeed::Fixed(0x5eed),
        failure_persistence: None,
        ..Config::default()
    }
}

/// A clock that only moves when it is told to. A handle: clones show the same time. It wakes
/// nobody, so futures that wait on it are to be polled after each move.
#[derive(Clone, Debug)]
pub(crate) struct ByHand {
    start: Instant,
    millis: Arc<AtomicU32>,
}

impl ByHand {
    pub(crate) fn new() -> Self {
        ByHand { start: moment(), millis: Arc::default() }
    }

    /// Milliseconds since it was made.
    pub(crate) fn millis(&self) -> u32 {
        self.millis.load(Ordering::Relaxed)
    }

    pub(crate) fn advance(&self, millis: u32) {
        self.millis.fetch_add(millis, Ordering::Relaxed);
    }

    /// Ends so much after it was first polled.
    pub(crate) async fn sleep(&self, millis: u32) {
        let at = self.now() + Duration::from_millis(millis.into());
        self.sleep_until(at).await;
    }
}

impl Clock for ByHand {
    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.millis().into())
    }

    fn sleep_until(&self, at: Instant) -> Sleep {
        let clock = self.clone();
        Sleep::new(std::future::poll_fn(move |_| match clock.now() >= at {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }))
    }
}
