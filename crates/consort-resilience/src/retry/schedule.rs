//! One call's retries as a pure machine: which attempt this is, and what comes next.

use std::time::{Duration, Instant};

use super::config::{Jitter, Limits};
use crate::clock::{after, earlier};
use crate::rng::Rng;
use crate::verdict::Again;

/// Where one call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    attempts: u32,
    started: Instant,
    last_pause: Duration,
}

/// What to do after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Pause until `at`, then try again.
    Again {
        /// When the pause ends.
        at: Instant,
        /// How long it is.
        pause: Duration,
    },
    /// The result stands.
    Stop(Stop),
}

/// Why no further attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stop {
    /// Repeating it would not help, by the verdict.
    NotRetryable,
    /// Repeating it might do harm, by the call.
    NotRepeatable,
    /// All attempts are used.
    AttemptsUsed,
    /// The pause would end after the deadline or the total time.
    NoTime,
    /// The callee asked for a longer pause than we accept.
    RetryAfterTooLong,
    /// Too many other calls are being retried.
    BudgetEmpty,
}

impl Stop {
    /// The reason in one word, as events show it.
    pub const fn name(self) -> &'static str {
        match self {
            Stop::NotRetryable => "not_retryable",
            Stop::NotRepeatable => "not_repeatable",
            Stop::AttemptsUsed => "attempts_used",
            Stop::NoTime => "no_time",
            Stop::RetryAfterTooLong => "retry_after_too_long",
            Stop::BudgetEmpty => "budget_empty",
        }
    }
}

impl Schedule {
    /// A call whose first attempt starts `now`.
    pub fn new(now: Instant) -> Self {
        Schedule { attempts: 0, started: now, last_pause: Duration::ZERO }
    }

    /// Attempts that have ended.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// An attempt has ended. Knows nothing of the budget: [`Retry`](super::Retry) asks it last,
    /// so that only retries that will happen are paid for.
    pub fn decide(
        &mut self,
        limits: &Limits,
        again: Again,
        now: Instant,
        deadline: Option<Instant>,
        rng: &Rng,
    ) -> Decision {
        let config = limits.config();
        self.attempts += 1;
        let wish = match again {
            Again::Never => return Decision::Stop(Stop::NotRetryable),
            Again::Maybe => Duration::ZERO,
            Again::After(wish) => wish,
        };
        if self.attempts >= config.attempts {
            return Decision::Stop(Stop::AttemptsUsed);
        }
        if wish > config.retry_after_max {
            return Decision::Stop(Stop::RetryAfterTooLong);
        }
        let backoff = self.backoff(limits, rng);
        // The wish is a lower bound; what jitter drew is added, or all who got it would meet.
        let pause = if wish.is_zero() { backoff } else { wish + backoff.min(wish / 4) };
        self.last_pause = backoff;
        let at = after(now, pause);
        let total = config.total.map(|total| after(self.started, total));
        if earlier(total, deadline).is_some_and(|end| at >= end) {
            return Decision::Stop(Stop::NoTime);
        }
        Decision::Again { at, pause }
    }

    fn backoff(&self, limits: &Limits, rng: &Rng) -> Duration {
        let config = limits.config();
        let doubled = config.base.saturating_mul(1 << (self.attempts - 1).min(30)).min(config.cap);
        match config.jitter {
            Jitter::None => doubled,
            Jitter::Full => rng.between(Duration::ZERO, doubled),
            Jitter::Decorrelated => {
                let last = self.last_pause.max(config.base);
                rng.between(config.base, last.saturating_mul(3)).min(config.cap)
            }
        }
    }
}
