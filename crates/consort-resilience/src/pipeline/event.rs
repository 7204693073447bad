//! What a pipeline tells its observer. Nothing is told while all goes well.

use std::fmt;
use std::time::{Duration, Instant};

use super::call::{Guard, Why};
use crate::breaker::Moved;
use crate::retry::Stop;

/// One fact about one callee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The callee, by the name its pipeline was given.
    pub callee: &'a str,
    /// What happened.
    pub what: What,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The breaker changed its state.
    BreakerMoved(Moved),
    /// A further attempt will be made.
    RetryScheduled {
        /// Its number; the first attempt was 1.
        attempt: u32,
        /// The pause before it.
        pause: Duration,
        /// When the pause ends.
        at: Instant,
    },
    /// A failure that a repeat might have cured is not tried again.
    RetriesStopped {
        /// Attempts made.
        attempts: u32,
        /// The reason.
        why: Stop,
    },
    /// A guard let a call not through; nothing was sent.
    Refused {
        /// The guard.
        by: Guard,
        /// Its reason.
        why: Why,
    },
    /// A guard cut an attempt short.
    TimedOut {
        /// The guard.
        by: Guard,
        /// How long the attempt had run.
        after: Duration,
    },
    /// A second call was sent because the first takes longer than most.
    Hedged {
        /// How long the first had run.
        after: Duration,
    },
    /// The number of calls that may be under way has changed.
    LimitMoved {
        /// The new number.
        to: u32,
    },
    /// A call had to wait for a guard.
    Waited {
        /// The guard.
        by: Guard,
        /// How long.
        time: Duration,
    },
}

impl What {
    /// The event in one word, for metrics and logs.
    pub const fn name(&self) -> &'static str {
        match self {
            What::BreakerMoved(_) => "breaker_moved",
            What::RetryScheduled { .. } => "retry_scheduled",
            What::RetriesStopped { .. } => "retries_stopped",
            What::Refused { .. } => "refused",
            What::TimedOut { .. } => "timed_out",
            What::Hedged { .. } => "hedged",
            What::LimitMoved { .. } => "limit_moved",
            What::Waited { .. } => "waited",
        }
    }
}

/// Hears of everything out of the ordinary, on the caller's own turn: it must not block.
///
/// A panic in it is swallowed, so a broken metric cannot break a call. Any function of an event
/// is an observer.
pub trait Observer: Send + Sync + 'static {
    /// Takes note of one event.
    fn observe(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>) + Send + Sync + 'static> Observer for F {
    fn observe(&self, event: &Event<'_>) {
        self(event);
    }
}

impl fmt::Debug for dyn Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}
