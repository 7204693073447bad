//! Between the words of the engine and those of the mechanisms: what a result means to the guards,
//! and what a guard's refusal means to the caller.

use std::time::Duration;

use consort_core::{
    Category, Outcome, StepError, StepResult,
    guard::{Fired, StepCall},
};
use consort_resilience::{
    Again, Charge, Verdict,
    pipeline::{Error, Guard, Report, Stopped, Why},
};
use serde_json::Value;

use crate::human::told;

/// What a result says about the callee. Only the table of categories decides: what charges the
/// breaker, and what may succeed when repeated.
pub fn verdict(result: &StepResult<Value>) -> Verdict {
    let error = match result {
        Ok(Outcome::Uncertain { .. } | Outcome::Skipped { .. }) => return Verdict::NEUTRAL,
        Ok(Outcome::Succeeded { .. } | Outcome::Degraded { .. }) => return Verdict::SUCCESS,
        Err(error) => error,
    };
    let facts = error.category().facts();
    let charge = match (facts.breaker, facts.answered) {
        (true, _) => Charge::Failure,
        (false, true) => Charge::Answered,
        (false, false) => Charge::Nothing,
    };
    let again = match (facts.transient, error.retry_after_hint()) {
        (false, _) => Again::Never,
        (true, None) => Again::Maybe,
        (true, Some(pause)) => Again::After(pause),
    };
    Verdict { charge, again }
}

/// An attempt that failed and was not the last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed {
    pub(crate) number: u32,
    pub(crate) category: Category,
}

/// What the guards did, in words, outermost guard first.
pub(crate) fn fired(
    report: &Report,
    failed: &[Failed],
    error: Option<&Error<StepError>>,
) -> Vec<Fired> {
    let stopped = match error {
        Some(Error::Stopped(stopped)) => Some(stopped),
        Some(Error::Callee(_)) | None => None,
    };
    let mut all = Vec::new();
    for guard in report.fired.iter() {
        let stopper = stopped.filter(|stopped| stopped.by == guard);
        if guard == Guard::Retry {
            all.extend(failed.iter().filter(|failed| failed.number < report.attempts).map(|one| {
                let did = format!("attempt {} failed: {}", one.number, one.category);
                Fired::new(guard.name(), did)
            }));
            let unheard = (1..report.attempts).filter(|n| !failed.iter().any(|f| f.number == *n));
            all.extend(
                unheard.map(|number| {
                    Fired::new(guard.name(), format!("attempt {number} was cut short"))
                }),
            );
            continue;
        }
        all.push(Fired::new(guard.name(), did(guard, stopper, report)));
    }
    all
}

fn did(guard: Guard, stopped: Option<&Stopped<StepError>>, report: &Report) -> String {
    if let Some(stopped) = stopped {
        let why = stopped.why.name().replace('_', " ");
        return match stopped.retry_after {
            Some(wait) if stopped.why != Why::TimedOut => {
                format!("refused: {why}, ask again after {}", rounded(wait))
            }
            _ if stopped.why == Why::TimedOut => {
                format!("cut short after {}", rounded(report.took))
            }
            _ => format!("refused: {why}"),
        };
    }
    match guard {
        Guard::Hedge => "sent a second call".to_owned(),
        Guard::AttemptTimeout | Guard::Deadline => "cut an attempt short".to_owned(),
        Guard::Rate | Guard::Bulkhead | Guard::Adaptive | Guard::Shed => "made it wait".to_owned(),
        Guard::Breaker => "refused".to_owned(),
        Guard::Retry => "tried again".to_owned(),
    }
}

/// Milliseconds are enough for people.
fn rounded(time: Duration) -> String {
    told(Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
}

/// A step that a guard ended. `own` is true when the time that was up was the step's own and not
/// the run's.
pub(crate) fn stopped(
    name: &str,
    call: &StepCall,
    stopped: Stopped<StepError>,
    own: bool,
) -> StepResult<Value> {
    let Stopped { by, why, retry_after, sent, last } = stopped;
    let failure = |category, message: String| StepError::new(category, message);
    let error = match why {
        Why::Open => failure(Category::CircuitOpen, format!("the breaker of `{name}` is open")),
        Why::Isolated => isolated(name, "its breaker is held open"),
        Why::RateLimited => {
            failure(Category::RateLimited, format!("`{name}` may not be called that often"))
        }
        Why::Full => {
            let message = format!("all places in the queue for `{name}` are taken");
            failure(Category::Overloaded, message)
        }
        Why::WaitedTooLong => failure(
            Category::Overloaded,
            format!("no call to `{name}` ended in time to begin this"),
        ),
        Why::Overloaded => {
            failure(Category::Overloaded, format!("too many calls to `{name}` wait"))
        }
        Why::TimedOut if by == Guard::AttemptTimeout => {
            failure(Category::Timeout, "an attempt did not answer in time".to_owned())
        }
        Why::TimedOut if own => {
            failure(Category::Timeout, "did not answer within the step's time".to_owned())
        }
        Why::TimedOut => {
            let message = "did not answer before the run's deadline".to_owned();
            failure(Category::DeadlineExceeded, message)
        }
    };
    if sent && why == Why::TimedOut && !call.effect.repeatable() {
        return Ok(Outcome::uncertain(format!("{}; it is not repeated", error.message())));
    }
    let error = match last {
        Some(last) => error.caused_by(last),
        None => error,
    };
    // After `caused_by`, which keeps the older wish of the callee.
    Err(match retry_after {
        Some(pause) => error.retry_after(pause),
        None => error,
    })
}

/// A call to something that is held off by hand.
pub(crate) fn isolated(name: &str, reason: &str) -> StepError {
    StepError::new(Category::CircuitOpen, format!("`{name}` is isolated: {reason}"))
        .hint(format!("when it is well again: consort release {name}"))
}
