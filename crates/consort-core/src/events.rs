//! One typed event per fact. It writes the log line and goes to whoever listens.

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde::Serialize;
use tokio::sync::broadcast;

use crate::{
    Category, Durability, Layer, Name, RunId, Spend, Status, TenantId, Version, guard::Fired,
};

/// A fact about the engine.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A run was admitted.
    RunStarted {
        /// The run.
        run: RunId,
        /// Who runs.
        orchestrator: Name,
        /// On which version.
        version: Version,
        /// Where it stands.
        layer: Layer,
        /// Whether it is journaled.
        durability: Durability,
        /// Whose work it is.
        tenant: TenantId,
    },
    /// A run ended.
    RunEnded {
        /// The run.
        run: RunId,
        /// Who ran.
        orchestrator: Name,
        /// How.
        status: Status,
        /// Why it failed, if it did.
        category: Option<Category>,
        /// From admission to end.
        took: Duration,
        /// What it cost.
        spend: Spend,
    },
    /// A step ended.
    StepEnded {
        /// The run.
        run: RunId,
        /// Where in the run; `None` in an ephemeral run, which has no positions.
        position: Option<u32>,
        /// Who was called.
        callee: Name,
        /// How it ended.
        status: Status,
        /// Why it failed, if it did.
        category: Option<Category>,
        /// Attempts made.
        attempts: u32,
        /// From first attempt to final result.
        took: Duration,
        /// What it cost.
        spend: Spend,
    },
    /// A guard did something.
    GuardFired {
        /// The run, where there is one yet.
        run: Option<RunId>,
        /// Who was called.
        callee: Name,
        /// Which guard, and what it did.
        fired: Fired,
    },
    /// A run reports how far it has come.
    Progress {
        /// The run.
        run: RunId,
        /// Parts done.
        done: u32,
        /// Parts in all.
        total: u32,
        /// What happens now.
        doing: String,
    },
    /// A step cost more than its capability had declared.
    Overrun {
        /// The run.
        run: RunId,
        /// Who was called.
        callee: Name,
        /// By how much.
        by: Spend,
    },
    /// A signal had no consumer.
    Unconsumed {
        /// Run and position.
        signal: String,
        /// Its name.
        name: String,
    },
    /// `cleanup` failed, panicked or took too long. The outcome stands.
    CleanupFailed {
        /// The run.
        run: RunId,
        /// Who ran.
        orchestrator: Name,
        /// Why.
        why: String,
    },
    /// A background task panicked or failed.
    TaskFailed {
        /// The task.
        task: String,
        /// Why.
        why: String,
        /// True when it will not be started again.
        disabled: bool,
    },
    /// A run waits without using memory.
    RunParked {
        /// The run.
        run: RunId,
    },
    /// An unfinished run was taken up again.
    RunResumed {
        /// The run.
        run: RunId,
    },
    /// An unfinished run cannot go on because its version is not registered.
    RunBlocked {
        /// The run.
        run: RunId,
        /// Who should run it.
        orchestrator: Name,
        /// On which version.
        version: Version,
    },
    /// A request of another process was refused.
    MessageRefused {
        /// Its place in the inbox.
        message: u64,
        /// Why.
        why: String,
    },
    /// The store failed; what was acknowledged is safe, the run is taken up again later.
    StoreFailed {
        /// What was to be done.
        doing: Cow<'static, str>,
        /// Why it failed.
        why: String,
    },
}

/// Where events go.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    send: broadcast::Sender<Arc<Event>>,
    /// Counted here as well: the channel takes a lock to say how many there are.
    streams: Arc<AtomicUsize>,
}

impl Events {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { send: broadcast::Sender::new(capacity), streams: Arc::default() }
    }

    /// `make` is not called when nobody would see the event.
    pub(crate) fn emit(&self, make: impl FnOnce() -> Event) {
        self.tell(|| Some(make()));
    }

    /// The same for what may turn out to be no event.
    pub(crate) fn tell(&self, make: impl FnOnce() -> Option<Event>) {
        let heard = self.streams.load(Ordering::Relaxed) > 0;
        if !heard && !tracing::enabled!(target: "consort", tracing::Level::WARN) {
            return;
        }
        let Some(event) = make() else { return };
        event.log();
        if heard {
            // No receiver left by now: nobody to tell.
            let _ = self.send.send(Arc::new(event));
        }
    }

    pub(crate) fn subscribe(&self) -> EventStream {
        self.streams.fetch_add(1, Ordering::Relaxed);
        EventStream { receive: self.send.subscribe(), streams: self.streams.clone() }
    }
}

impl Event {
    fn log(&self) {
        use tracing::{debug, info, warn};
        match self {
            Self::RunStarted { run, orchestrator, version, tenant, .. } => {
                debug!(target: "consort", %run, %orchestrator, %version, %tenant, "run started");
            }
            Self::RunEnded { run, orchestrator, status, category, took, .. } => {
                let category = category.map(Category::name);
                debug!(target: "consort", %run, %orchestrator, status = status.name(), category, ?took, "run ended");
            }
            Self::StepEnded { run, position, callee, status, category, attempts, took, .. } => {
                let category = category.map(Category::name);
                debug!(target: "consort", %run, position, %callee, status = status.name(), category, attempts, ?took, "step ended");
            }
            Self::GuardFired { callee, fired, .. } => {
                info!(target: "consort", %callee, guard = %fired.guard, did = fired.did, "guard fired");
            }
            Self::Progress { run, done, total, doing } => {
                debug!(target: "consort", %run, done, total, doing, "progress");
            }
            Self::Overrun { run, callee, by } => {
                warn!(target: "consort", %run, %callee, %by, "step cost more than declared");
            }
            Self::Unconsumed { signal, name } => {
                debug!(target: "consort", signal, name, "signal has no consumer");
            }
            Self::CleanupFailed { run, orchestrator, why } => {
                warn!(target: "consort", %run, %orchestrator, why, "cleanup failed");
            }
            Self::TaskFailed { task, why, disabled } => {
                warn!(target: "consort", task, why, disabled, "background task failed");
            }
            Self::RunParked { run } => debug!(target: "consort", %run, "run parked"),
            Self::RunResumed { run } => info!(target: "consort", %run, "run resumed"),
            Self::RunBlocked { run, orchestrator, version } => {
                warn!(target: "consort", %run, %orchestrator, %version, "run blocked: version not registered");
            }
            Self::MessageRefused { message, why } => {
                warn!(target: "consort", message, why, "request of another process refused");
            }
            Self::StoreFailed { doing, why } => {
                tracing::error!(target: "consort", %doing, why, "store failed");
            }
        }
    }
}

/// What an [`EventStream`] yields.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// An event.
    Event(Arc<Event>),
    /// The reader was too slow: this many events are gone.
    Lost(u64),
}

/// A reader of events. A slow one loses the oldest and is told how many; it never holds anybody
/// up.
#[derive(Debug)]
pub struct EventStream {
    receive: broadcast::Receiver<Arc<Event>>,
    streams: Arc<AtomicUsize>,
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl EventStream {
    /// The next event, or `None` once the facade is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Heard> {
        match self.receive.recv().await {
            Ok(event) => Some(Heard::Event(event)),
            Err(broadcast::error::RecvError::Lagged(lost)) => Some(Heard::Lost(lost)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// The next event if there is one already.
    pub fn try_next(&mut self) -> Option<Heard> {
        match self.receive.try_recv() {
            Ok(event) => Some(Heard::Event(event)),
            Err(broadcast::error::TryRecvError::Lagged(lost)) => Some(Heard::Lost(lost)),
            Err(_) => None,
        }
    }
}

/// A metric that the events feed. The exporter comes later; names and labels are fixed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// `consort_<area>_<noun>_<unit|total>`.
    pub name: &'static str,
    /// Labels; their values come from closed lists or registered names, never from ids.
    pub labels: &'static [&'static str],
    /// What it counts.
    pub help: &'static str,
}

/// Every metric of the engine.
pub const METRICS: &[Metric] = &[
    Metric {
        name: "consort_run_started_total",
        labels: &["orchestrator", "layer", "durability"],
        help: "Runs admitted.",
    },
    Metric {
        name: "consort_run_ended_total",
        labels: &["orchestrator", "status", "category"],
        help: "Runs that ended, by how.",
    },
    Metric {
        name: "consort_run_duration_seconds",
        labels: &["orchestrator", "status"],
        help: "From admission to end.",
    },
    Metric {
        name: "consort_step_ended_total",
        labels: &["callee", "status", "category"],
        help: "Steps that ended, by how.",
    },
    Metric {
        name: "consort_step_duration_seconds",
        labels: &["callee", "status"],
        help: "From first attempt to final result.",
    },
    Metric {
        name: "consort_step_attempts_total",
        labels: &["callee"],
        help: "Attempts at steps, retries included.",
    },
    Metric {
        name: "consort_guard_fired_total",
        labels: &["guard", "callee"],
        help: "Guards that did something.",
    },
    Metric {
        name: "consort_spend_total",
        labels: &["callee", "currency"],
        help: "What steps cost: millionths of a dollar, tokens, calls.",
    },
    Metric {
        name: "consort_overrun_total",
        labels: &["callee", "currency"],
        help: "Cost beyond declared bounds.",
    },
    Metric {
        name: "consort_signal_unconsumed_total",
        labels: &["name"],
        help: "Signals that nobody consumed.",
    },
    Metric {
        name: "consort_cleanup_failed_total",
        labels: &["orchestrator"],
        help: "Clean-ups that failed, panicked or took too long.",
    },
    Metric {
        name: "consort_task_failed_total",
        labels: &["task"],
        help: "Background tasks that panicked or failed.",
    },
    Metric {
        name: "consort_run_parked_total",
        labels: &["orchestrator"],
        help: "Runs taken out of memory while they wait.",
    },
    Metric {
        name: "consort_run_resumed_total",
        labels: &["orchestrator"],
        help: "Unfinished runs taken up again.",
    },
    Metric {
        name: "consort_run_blocked_total",
        labels: &["orchestrator"],
        help: "Unfinished runs whose version is not registered.",
    },
    Metric {
        name: "consort_message_refused_total",
        labels: &[],
        help: "Requests of other processes that were refused.",
    },
    Metric {
        name: "consort_store_failed_total",
        labels: &["doing"],
        help: "Failures of the store.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_names_follow_the_rule() {
        for metric in METRICS {
            assert!(metric.name.starts_with("consort_"), "{}", metric.name);
            assert!(metric.name.ends_with("_total") || metric.name.ends_with("_seconds"));
            assert!(!metric.labels.iter().any(|label| ["run", "tenant", "id"].contains(label)));
        }
    }

    #[tokio::test]
    async fn a_slow_reader_is_told_how_much_it_lost() {
        let events = Events::new(4);
        let mut slow = events.subscribe();
        for i in 0..10 {
            let run = RunId::root(i, 0);
            events.emit(|| Event::RunParked { run });
        }
        assert_eq!(slow.next().await, Some(Heard::Lost(6)));
        let Some(Heard::Event(event)) = slow.next().await else { panic!("an event") };
        assert_eq!(*event, Event::RunParked { run: RunId::root(6, 0) });
    }
}
