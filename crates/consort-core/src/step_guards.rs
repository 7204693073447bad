//! The guards around a step when no others are configured: deadline, time-out and retry.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::{
    Category, Effect, Name, Random, StepError, SystemRandom,
    guard::{Attempt, Fired, GuardInfo, Guarded, StepCall, StepGuards},
};

/// Deadline, then retry with exponential pauses and full jitter. Retries only categories that the
/// taxonomy calls transient, and only effects that may be repeated.
#[derive(Clone, Debug)]
pub struct BasicGuards {
    /// Attempts in all, the first included. 1 to 10, default 3.
    pub attempts: u32,
    /// Longest first pause; doubles with each further one. Default 200 ms.
    pub base: Duration,
    /// Longest pause. Default 10 s.
    pub cap: Duration,
    /// Where jitter comes from.
    pub random: Arc<dyn Random>,
}

impl Default for BasicGuards {
    fn default() -> Self {
        Self {
            attempts: 3,
            base: Duration::from_millis(200),
            cap: Duration::from_secs(10),
            random: Arc::new(SystemRandom),
        }
    }
}

impl BasicGuards {
    async fn attempts(&self, call: &StepCall, attempt: &Attempt<'_>) -> Guarded {
        let most = if call.effect.repeatable() { self.attempts.clamp(1, 10) } else { 1 };
        let most = call.attempts.map_or(most, |wanted| most.min(wanted));
        let mut fired = Vec::new();
        let mut number = 0;
        loop {
            number += 1;
            let result = attempt(number).await;
            let pause = match &result {
                Err(error) if number < most && error.category().is_transient() => {
                    error.retry_after_hint().unwrap_or_else(|| self.pause(number))
                }
                _ => return Guarded { result, attempts: number, fired },
            };
            // A callee that asks for a long pause is left to the caller, who knows whether to wait.
            if pause > self.cap || call.deadline.is_some_and(|deadline| deadline.left() <= pause) {
                fired.push(Fired::new("retry", "gave up: the pause would be too long"));
                return Guarded { result, attempts: number, fired };
            }
            if let Err(error) = &result {
                let did = format!("attempt {number} failed: {}", error.category());
                fired.push(Fired::new("retry", did));
            }
            tokio::time::sleep(pause).await;
        }
    }

    fn pause(&self, failed: u32) -> Duration {
        let longest = self.base.saturating_mul(1 << (failed - 1).min(16)).min(self.cap);
        longest.mul_f64(self.random.unit())
    }
}

impl StepGuards for BasicGuards {
    fn run<'a>(&'a self, call: &'a StepCall, attempt: &'a Attempt<'a>) -> BoxFuture<'a, Guarded> {
        Box::pin(async move {
            let limit = call.timeout.map(|limit| Instant::now() + limit);
            let deadline = call.deadline.map(|deadline| deadline.at);
            let (at, own) = match (limit, deadline) {
                (Some(limit), Some(deadline)) => (limit.min(deadline), limit <= deadline),
                (Some(limit), None) => (limit, true),
                (None, Some(deadline)) => (deadline, false),
                (None, None) => return self.attempts(call, attempt).await,
            };
            match tokio::time::timeout_at(at, self.attempts(call, attempt)).await {
                Ok(guarded) => guarded,
                Err(_) => cut_short(&call.callee, own),
            }
        })
    }

    fn describe(&self, _: &Name, effect: Effect) -> Vec<GuardInfo> {
        let attempts = if effect.repeatable() { self.attempts.clamp(1, 10) } else { 1 };
        vec![
            GuardInfo::new("deadline", "the run's, or the call's own time-out if earlier"),
            GuardInfo::new(
                "retry",
                format!(
                    "{attempts} attempts, transient categories only, full jitter from {:?} to {:?}",
                    self.base, self.cap
                ),
            ),
        ]
    }
}

/// The step's own time-out says something about the callee; the run's deadline does not.
fn cut_short(callee: &Name, own: bool) -> Guarded {
    let (category, guard, message) = if own {
        (Category::Timeout, "timeout", "did not answer within the call's time-out")
    } else {
        (Category::DeadlineExceeded, "deadline", "did not answer before the run's deadline")
    };
    let fired = Fired::new(guard, message);
    let error = StepError::new(category, message).within(callee);
    Guarded { result: Err(error), attempts: 1, fired: vec![fired] }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use serde_json::Value;

    use super::*;
    use crate::{Outcome, StepResult, TenantId, guard::Reach};

    fn call(effect: Effect) -> StepCall {
        StepCall {
            tenant: TenantId::default(),
            callee: Name::new("probe").unwrap(),
            effect,
            reach: Reach::Callee,
            deadline: None,
            timeout: Some(Duration::from_secs(60)),
            attempts: None,
        }
    }

    async fn check(effect: Effect, category: Category) -> (u32, Guarded) {
        let count = AtomicU32::new(0);
        let attempt = |_| -> BoxFuture<'_, StepResult<Value>> {
            let n = count.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                if n == 2 {
                    Ok(Outcome::succeeded(Value::Null))
                } else {
                    Err(StepError::new(category, "no"))
                }
            })
        };
        let guarded = BasicGuards::default().run(&call(effect), &attempt).await;
        (count.load(Ordering::SeqCst), guarded)
    }

    #[tokio::test(start_paused = true)]
    async fn transient_failures_of_repeatable_effects_are_retried() {
        let (attempts, guarded) = check(Effect::Read, Category::Network).await;
        assert_eq!((attempts, guarded.attempts, guarded.fired.len()), (3, 3, 2));
        assert!(guarded.result.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_may_want_fewer_attempts() {
        let call = StepCall { attempts: Some(1), ..call(Effect::Read) };
        let attempt = |_| -> BoxFuture<'_, StepResult<Value>> {
            Box::pin(async { Err(StepError::new(Category::Network, "no")) })
        };
        assert_eq!(BasicGuards::default().run(&call, &attempt).await.attempts, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn programming_errors_are_not_retried() {
        assert_eq!(check(Effect::Read, Category::Internal).await.0, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn effects_that_must_happen_once_are_not_retried() {
        assert_eq!(check(Effect::Once, Category::Network).await.0, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_hung_attempt_ends_with_the_calls_own_time_out() {
        let attempt = |_| -> BoxFuture<'_, StepResult<Value>> { Box::pin(std::future::pending()) };
        let guarded = BasicGuards::default().run(&call(Effect::Read), &attempt).await;
        assert_eq!(guarded.result.unwrap_err().category(), Category::Timeout);
    }
}
