//! What goes into a pipeline with a call, and what comes out.

use std::fmt;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::shed::Priority;

/// What the pipeline needs to know about one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Whether making it twice does no harm. Only such calls are retried.
    pub repeatable: bool,
    /// The caller's own end, if it comes before the pipeline's.
    pub deadline: Option<Instant>,
    /// Tokens each attempt takes from the rate limit.
    pub tokens: u32,
    /// What is refused first under overload.
    pub priority: Priority,
}

impl Call {
    /// A call that may be made more than once: a read, or one with an idempotency key.
    pub const fn repeatable() -> Self {
        Call { repeatable: true, ..Call::once() }
    }

    /// A call that must reach the callee at most once.
    pub const fn once() -> Self {
        Call { repeatable: false, deadline: None, tokens: 1, priority: Priority::Normal }
    }

    /// The same call with the caller's own deadline.
    #[must_use]
    pub const fn until(self, deadline: Instant) -> Self {
        Call { deadline: Some(deadline), ..self }
    }

    /// The same call at another price than one token of the rate limit.
    #[must_use]
    pub const fn tokens(self, tokens: u32) -> Self {
        Call { tokens, ..self }
    }

    /// The same call at another priority.
    #[must_use]
    pub const fn priority(self, priority: Priority) -> Self {
        Call { priority, ..self }
    }
}

/// What the work is told about the attempt it makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// True for a second call that races a slow first one.
    pub hedge: bool,
    /// When this attempt will be dropped, so that it can tell the callee.
    pub deadline: Option<Instant>,
}

/// The guards of a pipeline, outermost first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    /// Refuses under overload what would be served too late.
    Shed,
    /// Bounds the whole call, pauses and queues included.
    Deadline,
    /// Makes the call again.
    Retry,
    /// Sends a second call when the first takes longer than most.
    Hedge,
    /// Stops calling a callee that fails.
    Breaker,
    /// Keeps to what the callee allows per time.
    Rate,
    /// Finds how many calls at once the callee can take, for the bulkhead.
    Adaptive,
    /// Bounds the calls under way.
    Bulkhead,
    /// Bounds one attempt.
    AttemptTimeout,
}

impl Guard {
    /// All guards, outermost first.
    pub const ALL: [Guard; 9] = [
        Guard::Shed,
        Guard::Deadline,
        Guard::Retry,
        Guard::Hedge,
        Guard::Breaker,
        Guard::Rate,
        Guard::Adaptive,
        Guard::Bulkhead,
        Guard::AttemptTimeout,
    ];

    /// The name used in files, events, results and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Guard::Shed => "shed",
            Guard::Deadline => "deadline",
            Guard::Retry => "retry",
            Guard::Hedge => "hedge",
            Guard::Breaker => "breaker",
            Guard::Rate => "rate",
            Guard::Adaptive => "adaptive",
            Guard::Bulkhead => "bulkhead",
            Guard::AttemptTimeout => "attempt_timeout",
        }
    }
}

/// A set of guards.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Guards(pub(crate) u32);

impl Guards {
    /// The set with `guard` in it.
    #[must_use]
    pub const fn with(self, guard: Guard) -> Self {
        Guards(self.0 | 1 << guard as u32)
    }

    /// Whether `guard` is in it.
    pub const fn contains(self, guard: Guard) -> bool {
        self.0 & (1 << guard as u32) != 0
    }

    /// Whether nothing is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The guards in it, outermost first.
    pub fn iter(self) -> impl Iterator<Item = Guard> {
        Guard::ALL.into_iter().filter(move |&guard| self.contains(guard))
    }
}

impl fmt::Debug for Guards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Why a guard stopped a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The breaker is open, or half-open with all probes out.
    Open,
    /// The breaker is held open by hand.
    Isolated,
    /// The tokens would not be there in time.
    RateLimited,
    /// All slots and places in the queue are taken.
    Full,
    /// No slot came free in time.
    WaitedTooLong,
    /// There is more work than can be done in time, and this was the part to leave out.
    Overloaded,
    /// The time is up.
    TimedOut,
}

impl Why {
    /// The reason in one word, as events show it.
    pub const fn name(self) -> &'static str {
        match self {
            Why::Open => "open",
            Why::Isolated => "isolated",
            Why::RateLimited => "rate_limited",
            Why::Full => "full",
            Why::WaitedTooLong => "waited_too_long",
            Why::Overloaded => "overloaded",
            Why::TimedOut => "timed_out",
        }
    }
}

/// A call that a guard ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped<E> {
    /// The guard.
    pub by: Guard,
    /// Its reason.
    pub why: Why,
    /// When the same call may be let through, where that is known.
    pub retry_after: Option<Duration>,
    /// True when an attempt reached the callee, so that its effect may have happened.
    pub sent: bool,
    /// What the callee said to an earlier attempt.
    pub last: Option<E>,
}

/// Why a call has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error<E> {
    /// The callee's own error, from the last attempt.
    Callee(E),
    /// A guard ended it.
    Stopped(Stopped<E>),
}

impl<E> Error<E> {
    /// The callee's own error: the final one, or what it said before a guard ended the call.
    pub fn callee(self) -> Option<E> {
        match self {
            Error::Callee(error) => Some(error),
            Error::Stopped(stopped) => stopped.last,
        }
    }

    /// The guard that ended the call, if one did.
    pub fn guard(&self) -> Option<Guard> {
        match self {
            Error::Callee(_) => None,
            Error::Stopped(stopped) => Some(stopped.by),
        }
    }
}

impl<E> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Callee(_) => f.write_str("callee failed"),
            Error::Stopped(Stopped { by, why, .. }) => {
                write!(f, "stopped by {}: {}", by.name(), why.name().replace('_', " "))
            }
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for Error<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Callee(error) => Some(error),
            Error::Stopped(stopped) => stopped.last.as_ref().map(|last| last as _),
        }
    }
}

/// What the guards did to one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Attempts that reached the callee.
    pub attempts: u32,
    /// The guards that did something: refused, waited, cut short, tried again.
    pub fired: Guards,
    /// Time spent waiting for guards, pauses between attempts included.
    pub waited: Duration,
    /// Time from start to end.
    pub took: Duration,
}

/// The result of a call, and what the guards did to get it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "look at `result`"]
pub struct Outcome<T, E> {
    /// The value, or why there is none.
    pub result: Result<T, Error<E>>,
    /// What the guards did.
    pub report: Report,
}
