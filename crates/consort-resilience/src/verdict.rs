//! What a result says: about the callee's health, and about trying again.

use std::time::Duration;

/// What a finished call says about the callee's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Charge {
    /// The callee did its work.
    Success,
    /// The callee is to blame.
    Failure,
    /// The callee refused the caller's mistake: "no such thing", "not you". That is no measure of
    /// how well it works, so no rate counts it; but it is there, which is all that a probe asks.
    Answered,
    /// It says nothing about the callee: a cancellation, a local limit.
    Nothing,
}

/// Whether the same call may succeed if it is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Again {
    /// It will not, or there is nothing to repeat.
    Never,
    /// It may, at any time.
    Maybe,
    /// It may, but the callee asked not to be called before this much time has passed.
    After(Duration),
}

/// How one result counts. The caller's `classify` function makes it; no guard guesses.
///
/// ```
/// use consort_resilience::Verdict;
/// use std::time::Duration;
///
/// /// What an HTTP status means to a breaker and a retry.
/// fn classify(status: u16, retry_after: Option<Duration>) -> Verdict {
///     match (status, retry_after) {
///         (429 | 503, Some(wait)) => Verdict::TRANSIENT.after(wait),
///         (429 | 502 | 503 | 504, None) => Verdict::TRANSIENT,
///         (500.., _) => Verdict::FAILURE,
///         (400.., _) => Verdict::ANSWERED,
///         _ => Verdict::SUCCESS,
///     }
/// }
/// assert_eq!(classify(404, None), Verdict::ANSWERED);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Verdict {
    /// What it says about the callee.
    pub charge: Charge,
    /// Whether a repeat may help.
    pub again: Again,
}

impl Verdict {
    /// The callee did its work.
    pub const SUCCESS: Verdict = Verdict { charge: Charge::Success, again: Again::Never };
    /// The callee failed and would fail again.
    pub const FAILURE: Verdict = Verdict { charge: Charge::Failure, again: Again::Never };
    /// The callee failed and a repeat may succeed.
    pub const TRANSIENT: Verdict = Verdict { charge: Charge::Failure, again: Again::Maybe };
    /// The callee refused what the caller asked for, and would do so again.
    pub const ANSWERED: Verdict = Verdict { charge: Charge::Answered, again: Again::Never };
    /// The result says nothing about the callee and a repeat would not help.
    pub const NEUTRAL: Verdict = Verdict { charge: Charge::Nothing, again: Again::Never };

    /// The same verdict, with the callee's own wish about when to come back.
    #[must_use]
    pub const fn after(self, wait: Duration) -> Verdict {
        Verdict { charge: self.charge, again: Again::After(wait) }
    }

    /// The plainest `classify`: `Ok` is a success, every error is transient.
    ///
    /// Right for a callee whose errors are all network errors, wrong for one that also reports
    /// the caller's mistakes as errors.
    pub fn of_result<T, E>(result: &Result<T, E>) -> Verdict {
        if result.is_ok() { Verdict::SUCCESS } else { Verdict::TRANSIENT }
    }
}
