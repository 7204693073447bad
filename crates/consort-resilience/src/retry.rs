//! Retry: makes a call again when that can help, is safe, and does not multiply an outage.

pub mod budget;
mod config;
mod schedule;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::time::Instant;

pub use budget::Budget;
pub use config::{Config, Jitter, Limits};
pub use schedule::{Decision, Schedule, Stop};

use crate::clock::Clock;
use crate::rng::Rng;
use crate::sync::{Mutex, lock};
use crate::verdict::{Again, Verdict};

/// Retries for the calls to one callee; they share one budget.
#[derive(Debug)]
pub struct Retry {
    limits: Mutex<Limits>,
    budget: Budget,
    rng: Rng,
}

impl Retry {
    /// Ready to use, with a full budget. `rng` draws the jitter.
    pub fn new(limits: Limits, rng: Rng, now: Instant) -> Self {
        let budget = Budget::new(&budget_limits(&limits), now);
        Retry { limits: Mutex::new(limits), budget, rng }
    }

    /// A call begins: it adds its share to the budget.
    pub fn begin(&self, now: Instant) -> Schedule {
        self.budget.deposit();
        Schedule::new(now)
    }

    /// An attempt has ended and `again` is what its result said. Takes the retry out of the
    /// budget when the answer is to go on. `deadline` bounds the pause.
    pub fn decide(
        &self,
        schedule: &mut Schedule,
        again: Again,
        now: Instant,
        deadline: Option<Instant>,
    ) -> Decision {
        // The common endings need neither the limits nor the lock.
        if again == Again::Never {
            return Decision::Stop(Stop::NotRetryable);
        }
        let limits = lock(&self.limits);
        let decision = schedule.decide(&limits, again, now, deadline, &self.rng);
        let counted = limits.budget().is_some();
        drop(limits);
        match decision {
            Decision::Again { .. } if counted && !self.budget.withdraw(now) => {
                Decision::Stop(Stop::BudgetEmpty)
            }
            decision => decision,
        }
    }

    /// Calls `work` until its result is good, cannot be helped, or the limits are reached; the
    /// last result is the answer. `work` gets the number of the attempt, from 1.
    ///
    /// Only for calls that are safe to repeat.
    ///
    /// # Errors
    ///
    /// The error of the last attempt.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the attempt or pause under way. A retry already taken out of
    /// the budget stays taken.
    pub async fn run<T, E, F: Future<Output = Result<T, E>>>(
        &self,
        clock: &dyn Clock,
        classify: impl Fn(&Result<T, E>) -> Verdict,
        mut work: impl FnMut(u32) -> F,
    ) -> Result<T, E> {
        let mut schedule = self.begin(clock.now());
        loop {
            let result = work(schedule.attempts() + 1).await;
            let again = classify(&result).again;
            if again == Again::Never {
                return result;
            }
            match self.decide(&mut schedule, again, clock.now(), None) {
                Decision::Again { at, .. } => clock.sleep_until(at).await,
                Decision::Stop(_) => return result,
            }
        }
    }

    /// The budget, for screens.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The limits in force.
    pub fn limits(&self) -> Limits {
        lock(&self.limits).clone()
    }

    /// Takes new limits; the budget keeps what it has, calls under way follow the new ones.
    pub fn reconfigure(&self, limits: Limits) {
        self.budget.reconfigure(&budget_limits(&limits));
        *lock(&self.limits) = limits;
    }
}

/// Without a budget one is kept all the same, unused, so that switching it on finds it there.
fn budget_limits(limits: &Limits) -> budget::Limits {
    limits.budget().cloned().unwrap_or_default()
}
