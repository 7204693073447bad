//! The one error that crosses the facade.

use std::{error::Error as StdError, fmt, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Category, Name, Severity, guard::Fired};

/// One offending place in a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Violation {
    /// JSON pointer (RFC 6901) of the field; empty for the whole request.
    pub pointer: String,
    /// The rule that it breaks.
    pub message: String,
}

/// Why a run or step failed: what kind of failure, where, because of what, and what to do.
///
/// `Display` tells this level only; the causes are in [`StepError::causes`], outermost first.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepError(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Inner {
    category: Category,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    component: Option<Name>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    violations: Vec<Violation>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    actions: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    related: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    guards: Vec<Fired>,
}

impl StepError {
    /// A failure of kind `category`. `message` says what happened, in lower case, without a full stop.
    pub fn new(category: Category, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            category,
            message: message.into(),
            id: None,
            operation: None,
            component: None,
            causes: Vec::new(),
            violations: Vec::new(),
            actions: Vec::new(),
            retry_after_ms: None,
            related: Vec::new(),
            guards: Vec::new(),
        }))
    }

    /// Keeps `cause` and everything behind it.
    #[must_use]
    pub fn because(mut self, cause: &(dyn StdError + 'static)) -> Self {
        let mut next = Some(cause);
        while let Some(error) = next {
            self.0.causes.push(error.to_string());
            next = error.source();
        }
        self
    }

    /// Keeps another step's failure as the cause: its message, its own causes, id and guards.
    #[must_use]
    pub fn caused_by(mut self, cause: Self) -> Self {
        self.0.related.extend(cause.0.id.clone());
        self.0.related.extend(cause.0.related.iter().cloned());
        self.0.causes.push(cause.to_string());
        self.0.causes.extend(cause.0.causes);
        self.0.guards.extend(cause.0.guards);
        self.0.retry_after_ms = self.0.retry_after_ms.or(cause.0.retry_after_ms);
        self
    }

    /// Adds a cause that has no error value of its own, such as a panic message.
    #[must_use]
    pub fn cause(mut self, text: impl Into<String>) -> Self {
        self.0.causes.push(text.into());
        self
    }

    /// Names what was being done, e.g. `orchestrate` or `commit`. The innermost name stays.
    #[must_use]
    pub fn during(mut self, operation: impl Into<String>) -> Self {
        self.0.operation.get_or_insert_with(|| operation.into());
        self
    }

    /// Names who failed. The innermost name stays.
    #[must_use]
    pub fn within(mut self, component: &Name) -> Self {
        self.0.component.get_or_insert_with(|| component.clone());
        self
    }

    /// Adds one offending field.
    #[must_use]
    pub fn violation(mut self, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        self.0.violations.push(Violation { pointer: pointer.into(), message: message.into() });
        self
    }

    /// Adds something that the reader can do, more specific than the category's remedy.
    #[must_use]
    pub fn hint(mut self, action: impl Into<String>) -> Self {
        self.0.actions.push(action.into());
        self
    }

    /// When the callee said that it may be asked again.
    #[must_use]
    pub fn retry_after(mut self, pause: Duration) -> Self {
        self.0.retry_after_ms = Some(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
        self
    }

    pub(crate) fn fired(mut self, guard: Fired) -> Self {
        self.0.guards.push(guard);
        self
    }

    pub(crate) fn identified(mut self, id: impl FnOnce() -> String) -> Self {
        self.0.id.get_or_insert_with(id);
        self
    }

    /// The kind of failure.
    pub fn category(&self) -> Category {
        self.0.category
    }

    /// How bad it is: always the category's.
    pub fn severity(&self) -> Severity {
        self.0.category.facts().severity
    }

    /// What happened, without its causes.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Run and step that failed first, `run/position`; set when the error leaves a run.
    pub fn id(&self) -> Option<&str> {
        self.0.id.as_deref()
    }

    /// What was being done.
    pub fn operation(&self) -> Option<&str> {
        self.0.operation.as_deref()
    }

    /// Who failed.
    pub fn component(&self) -> Option<&Name> {
        self.0.component.as_ref()
    }

    /// Why, outermost cause first.
    pub fn causes(&self) -> &[String] {
        &self.0.causes
    }

    /// The offending fields of an invalid request.
    pub fn violations(&self) -> &[Violation] {
        &self.0.violations
    }

    /// What the reader can do: the specific hints, or else the category's remedy.
    pub fn suggested_actions(&self) -> Vec<&str> {
        if self.0.actions.is_empty() {
            return vec![self.0.category.facts().remedy];
        }
        self.0.actions.iter().map(String::as_str).collect()
    }

    /// When it may be tried again, if the callee said so.
    pub fn retry_after_hint(&self) -> Option<Duration> {
        self.0.retry_after_ms.map(Duration::from_millis)
    }

    /// Ids of other failures that led to this one.
    pub fn related(&self) -> &[String] {
        &self.0.related
    }

    /// The guards that fired on the way here, in order.
    pub fn guards(&self) -> &[Fired] {
        &self.0.guards
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(component) = &self.0.component {
            write!(f, "`{component}`: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for StepError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_never_dropped_on_its_way_up() {
        let io = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "reset by peer");
        let leaf = StepError::new(Category::Network, "fetch broke")
            .because(&io)
            .identified(|| "A/3".into());
        let middle = StepError::new(Category::DependencyFailed, "no page").caused_by(leaf);
        let top = StepError::new(Category::DependencyFailed, "no report").caused_by(middle);
        assert_eq!(top.causes(), ["no page", "fetch broke", "reset by peer"]);
        assert_eq!(top.related(), ["A/3"]);
    }

    #[test]
    fn category_is_never_guessed_from_text() {
        let error = StepError::new(Category::Internal, "information about a timeout, 404 missing");
        assert_eq!(error.category(), Category::Internal);
    }

    #[test]
    fn severity_needs_no_context() {
        assert_eq!(StepError::new(Category::StoreCorrupt, "x").severity(), Severity::Critical);
    }

    #[test]
    fn every_failure_suggests_something() {
        for category in Category::ALL {
            assert!(!StepError::new(*category, "x").suggested_actions()[0].is_empty());
        }
    }

    #[test]
    fn errors_survive_the_journal() {
        let error = StepError::new(Category::RateLimited, "slow down")
            .retry_after(Duration::from_secs(3))
            .violation("/a", "b")
            .during("fetch");
        let text = serde_json::to_string(&error).unwrap();
        assert_eq!(serde_json::from_str::<StepError>(&text).unwrap(), error);
    }
}
