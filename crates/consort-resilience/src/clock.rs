//! Time as an argument: what the guards read it from and wait on.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;
use tokio::task::Unconstrained;

/// Tells the time and wakes sleepers. Give your own to run guards in simulated time.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The current moment; never goes back.
    fn now(&self) -> Instant;

    /// A future that ends when [`now`](Clock::now) has reached `at`.
    fn sleep_until(&self, at: Instant) -> Sleep;
}

/// Tokio's clock: real time, or virtual time inside a paused runtime.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioClock;

impl Clock for TokioClock {
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn sleep_until(&self, at: Instant) -> Sleep {
        Sleep::tokio(at)
    }
}

pin_project! {
    /// A wait made by a [`Clock`]. Tokio's needs no allocation; any other future is boxed.
    pub struct Sleep {
        #[pin]
        kind: Kind,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind {
        // Unconstrained: work that always eats the task's whole turn must not starve its own timeout.
        Tokio { #[pin] sleep: Unconstrained<tokio::time::Sleep> },
        Other { sleep: Pin<Box<dyn Future<Output = ()> + Send>> },
    }
}

impl Sleep {
    /// Waits on Tokio's timer until `at`. Needs a Tokio runtime with time enabled when polled.
    pub fn tokio(at: Instant) -> Self {
        let sleep = tokio::time::sleep_until(tokio::time::Instant::from_std(at));
        Sleep { kind: Kind::Tokio { sleep: tokio::task::unconstrained(sleep) } }
    }

    /// Waits on any other timer.
    pub fn new(sleep: impl Future<Output = ()> + Send + 'static) -> Self {
        Sleep { kind: Kind::Other { sleep: Box::pin(sleep) } }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.project().kind.project() {
            KindProjection::Tokio { sleep } => sleep.poll(cx),
            KindProjection::Other { sleep } => sleep.as_mut().poll(cx),
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").finish_non_exhaustive()
    }
}

/// `at + wait`, or about thirty years later where that cannot be represented.
pub(crate) fn after(at: Instant, wait: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
    at.checked_add(wait).unwrap_or_else(|| at.checked_add(FAR).unwrap_or(at))
}

/// Nanoseconds from `epoch` to `now`, zero when `now` is earlier; enough for five centuries.
pub(crate) fn nanos_since(epoch: Instant, now: Instant) -> u64 {
    nanos(now.saturating_duration_since(epoch))
}

/// A duration as whole nanoseconds, saturating at five centuries.
pub(crate) fn nanos(duration: Duration) -> u64 {
    duration
        .as_secs()
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::from(duration.subsec_nanos()))
}

/// The earlier of two optional moments.
pub(crate) fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
