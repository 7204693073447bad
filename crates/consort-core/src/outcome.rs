//! What a run or step that did not fail has to say.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Category, Name, StepError};

/// What every orchestrator and step returns.
pub type StepResult<T> = Result<Outcome<T>, StepError>;

/// Something that a degraded outcome lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Loss {
    /// What is missing.
    pub what: String,
    /// Why it is missing.
    pub why: String,
    /// Who lost it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<Name>,
}

impl Loss {
    /// `what` is missing because of `why`.
    pub fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into(), component: None }
    }
}

/// The ways to end that are not a failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Outcome<T> {
    /// All that was promised.
    Succeeded {
        /// The response.
        value: T,
    },
    /// Less than the requested depth promises.
    Degraded {
        /// The response.
        value: T,
        /// What it lacks; never empty.
        losses: Vec<Loss>,
    },
    /// An effect may or may not have happened.
    Uncertain {
        /// The response, where there is one.
        value: Option<T>,
        /// What is in doubt.
        doubt: String,
    },
    /// Nothing was done, on purpose.
    Skipped {
        /// Why.
        reason: String,
    },
}

/// The name of a way to end, failure included; used in journals, metrics and lists.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// All that was promised.
    Succeeded,
    /// Less than the requested depth promises.
    Degraded,
    /// An effect may or may not have happened.
    Uncertain,
    /// Nothing was done, on purpose.
    Skipped,
    /// An error.
    Failed,
}

impl Status {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Degraded => "degraded",
            Self::Uncertain => "uncertain",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }

    /// Of a whole result.
    pub fn of<T>(result: &StepResult<T>) -> Self {
        match result {
            Ok(Outcome::Succeeded { .. }) => Self::Succeeded,
            Ok(Outcome::Degraded { .. }) => Self::Degraded,
            Ok(Outcome::Uncertain { .. }) => Self::Uncertain,
            Ok(Outcome::Skipped { .. }) => Self::Skipped,
            Err(_) => Self::Failed,
        }
    }
}

impl<T> Outcome<T> {
    /// All that was promised.
    pub fn succeeded(value: T) -> Self {
        Self::Succeeded { value }
    }

    /// `value`, lacking `losses`; succeeded when there are none.
    pub fn degraded(value: T, losses: Vec<Loss>) -> Self {
        if losses.is_empty() { Self::Succeeded { value } } else { Self::Degraded { value, losses } }
    }

    /// Nothing was done, because of `reason`.
    pub fn skipped(reason: impl Into<String>) -> Self {
        Self::Skipped { reason: reason.into() }
    }

    /// It is not known whether it happened.
    pub fn uncertain(doubt: impl Into<String>) -> Self {
        Self::Uncertain { value: None, doubt: doubt.into() }
    }

    /// The response if there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Succeeded { value } | Self::Degraded { value, .. } => Some(value),
            Self::Uncertain { value, .. } => value.as_ref(),
            Self::Skipped { .. } => None,
        }
    }

    /// What is missing; empty unless degraded.
    pub fn losses(&self) -> &[Loss] {
        match self {
            Self::Degraded { losses, .. } => losses,
            Self::Succeeded { .. } | Self::Uncertain { .. } | Self::Skipped { .. } => &[],
        }
    }

    /// The same ending with another response.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Self::Succeeded { value } => Outcome::Succeeded { value: f(value) },
            Self::Degraded { value, losses } => Outcome::Degraded { value: f(value), losses },
            Self::Uncertain { value, doubt } => Outcome::Uncertain { value: value.map(f), doubt },
            Self::Skipped { reason } => Outcome::Skipped { reason },
        }
    }

    /// The same ending with another response, which may fail to be made.
    ///
    /// # Errors
    ///
    /// What `f` returns.
    pub fn try_map<U, E>(self, f: impl FnOnce(T) -> Result<U, E>) -> Result<Outcome<U>, E> {
        Ok(match self {
            Self::Succeeded { value } => Outcome::Succeeded { value: f(value)? },
            Self::Degraded { value, losses } => Outcome::Degraded { value: f(value)?, losses },
            Self::Uncertain { value, doubt } => {
                Outcome::Uncertain { value: value.map(f).transpose()?, doubt }
            }
            Self::Skipped { reason } => Outcome::Skipped { reason },
        })
    }

    /// Adds losses inherited from callees: a success becomes degraded.
    #[must_use]
    pub fn losing(self, mut inherited: Vec<Loss>) -> Self {
        if inherited.is_empty() {
            return self;
        }
        match self {
            Self::Succeeded { value } => Self::Degraded { value, losses: inherited },
            Self::Degraded { value, mut losses } => {
                inherited.retain(|loss| !losses.contains(loss));
                losses.append(&mut inherited);
                Self::Degraded { value, losses }
            }
            other @ (Self::Uncertain { .. } | Self::Skipped { .. }) => other,
        }
    }

    /// The response alone, with what it lacks.
    ///
    /// # Errors
    ///
    /// `dependency_skipped` or `dependency_uncertain` where there is no response to rely on.
    pub fn into_value(self) -> Result<(T, Vec<Loss>), StepError> {
        match self {
            Self::Succeeded { value } => Ok((value, Vec::new())),
            Self::Degraded { value, losses } => Ok((value, losses)),
            Self::Uncertain { doubt, .. } => {
                Err(StepError::new(Category::DependencyUncertain, "may or may not have happened")
                    .cause(doubt))
            }
            Self::Skipped { reason } => {
                Err(StepError::new(Category::DependencySkipped, "was skipped").cause(reason))
            }
        }
    }
}

impl<T> From<T> for Outcome<T> {
    fn from(value: T) -> Self {
        Self::Succeeded { value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skipped_dependency_is_an_error_for_who_needs_its_value() {
        let error = Outcome::<u8>::skipped("not today").into_value().unwrap_err();
        assert_eq!(error.category(), Category::DependencySkipped);
        assert_eq!(error.causes(), ["not today"]);
    }

    #[test]
    fn inherited_losses_degrade_a_success_once() {
        let loss = Loss::new("captions", "none offered");
        let once = Outcome::succeeded(1).losing(vec![loss.clone()]);
        assert_eq!(once.clone().losing(vec![loss.clone()]), once);
        assert_eq!(once.losses(), [loss]);
    }

    #[test]
    fn degraded_without_losses_is_success() {
        assert_eq!(Outcome::degraded(1, vec![]), Outcome::succeeded(1));
    }

    #[test]
    fn status_is_in_the_json() {
        let json = serde_json::to_value(Outcome::succeeded(5)).unwrap();
        assert_eq!(json, serde_json::json!({"status": "succeeded", "value": 5}));
    }
}
