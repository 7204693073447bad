//! When parked runs must be looked at. Sleeps without waking up while nothing is due.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use crate::{Clock, RunId, Timestamp};

/// While a timer is set, wall time is compared this often: the machine may have been asleep.
const CHECK: Duration = Duration::from_secs(60);

/// A queue of wake-up times, in wall time and on the runtime's clock; the earlier counts.
#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: Mutex<BTreeSet<(Instant, Timestamp, RunId)>>,
    changed: Notify,
}

impl Timers {
    /// Wakes `run` at the wall time `utc`.
    pub(super) fn set_utc(&self, run: &RunId, utc: Timestamp, clock: &dyn Clock) {
        let at =
            Instant::now() + utc.since(clock.utc()).min(Duration::from_secs(60 * 60 * 24 * 3650));
        self.lock().insert((at, utc, run.clone()));
        self.changed.notify_one();
    }

    /// Forgets all timers.
    pub(super) fn stop(&self) {
        self.lock().clear();
    }

    /// Waits until at least one run is due and takes out all that are.
    pub(super) async fn next(&self, clock: &dyn Clock) -> Vec<RunId> {
        loop {
            let due = self.take_due(clock);
            if !due.is_empty() {
                return due;
            }
            let first = self.lock().first().map(|(at, ..)| *at);
            let changed = self.changed.notified();
            match first {
                None => changed.await,
                Some(at) => {
                    let check = Instant::now() + CHECK;
                    tokio::select! {
                        () = changed => {}
                        () = tokio::time::sleep_until(at.min(check)) => {}
                    }
                }
            }
        }
    }

    fn take_due(&self, clock: &dyn Clock) -> Vec<RunId> {
        let (now, utc) = (Instant::now(), clock.utc());
        let mut due = Vec::new();
        self.lock().retain(|(at, wall, run)| {
            let is_due = *at <= now || *wall <= utc;
            if is_due {
                due.push(run.clone());
            }
            !is_due
        });
        due
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<(Instant, Timestamp, RunId)>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
