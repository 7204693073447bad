//! The ports of the engine that learning answers: decisions and signals.

use std::sync::atomic::Ordering;

use consort_core::{
    Category, Choice, Component, Decider, Question, RunId, Sent, Signals, Situation, StepError,
    learning::{Feedback, Made, Record, Source, Subject},
};
use serde::Deserialize;

use super::Learning;

/// What a reward of a run may carry besides its value.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct Carried {
    confidence: f64,
    source: Source,
    category: Option<Category>,
}

impl Default for Carried {
    fn default() -> Self {
        Self { confidence: 1.0, source: Source::AgentTask, category: None }
    }
}

/// The subject of a signal as text: a decision's id, `run:ID`, or `KIND:NAME` of a component.
///
/// # Errors
///
/// `invalid_request` for a run or kind that is none.
pub fn subject(text: &str) -> Result<Subject, StepError> {
    let wrong = |why: String| {
        Err(StepError::new(Category::InvalidRequest, "a signal needs a subject")
            .violation("/subject", why))
    };
    match text.split_once(':') {
        Some(("run", id)) => match RunId::new(id) {
            Ok(run) => Ok(Subject::Run(run)),
            Err(error) => wrong(error.to_string()),
        },
        Some((kind, "")) => wrong(format!("needs a name after `{kind}:`")),
        Some(("decision", id)) => Ok(Subject::Decision(id.to_owned())),
        Some((kind, id)) => match serde_json::from_value::<Component>(kind.into()) {
            Ok(component) => Ok(Subject::Component { component, id: id.to_owned() }),
            Err(_) => wrong(format!("`{kind}` is no kind of component")),
        },
        None if text.is_empty() => wrong("must not be empty".into()),
        None => Ok(Subject::Decision(text.to_owned())),
    }
}

impl Signals for Learning {
    fn take(&self, sent: &Sent) -> bool {
        let rewarded = (sent.signal.name == "reward").then_some(sent.signal.value).flatten();
        let carried = match &sent.signal.data {
            serde_json::Value::Null => Ok(Carried::default()),
            data => Carried::deserialize(data),
        };
        let (Some(reward), Ok(carried), Ok(subject)) =
            (rewarded, carried, subject(&sent.signal.subject))
        else {
            self.0.unconsumed.fetch_add(1, Ordering::Relaxed);
            return false;
        };
        let feedback = Feedback {
            id: sent.id.clone(),
            tenant: sent.tenant.clone(),
            source: carried.source,
            subject,
            reward,
            confidence: carried.confidence,
            category: carried.category,
            at: self.now(),
            metadata: serde_json::Value::Null,
        };
        let kind = self.kind_of(&feedback);
        self.submit(Some(kind), Record::Feedback(Box::new(feedback)), None).is_ok()
    }
}

impl Learning {
    /// The queue that a signal belongs to: that of what it is about. A run stands for an agent.
    pub(crate) fn kind_of(&self, feedback: &Feedback) -> Component {
        match &feedback.subject {
            Subject::Component { component, .. } => *component,
            Subject::Run(_) => Component::Agent,
            Subject::Decision(id) => {
                self.state().component_of(feedback.tenant.as_str(), id).unwrap_or(Component::Agent)
            }
        }
    }
}

impl Decider for Learning {
    fn decide(&self, situation: Situation<'_>, question: &Question) -> Result<Choice, StepError> {
        self.state().choose(situation, question)
    }

    fn made(&self, made: &Made) {
        if let Err(error) = self.submit(None, Record::Made(Box::new(made.clone())), None) {
            let decision = &made.decision.id;
            tracing::warn!(target: "consort", decision, %error, "a decision is not on record");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_without_a_name_is_refused_and_no_decision() {
        for text in ["", "run:", "model:", "decision:", ":x", "mood:x", "run:x"] {
            let refused = subject(text).unwrap_err();
            assert_eq!(refused.violations()[0].pointer, "/subject", "{text}");
        }
        assert_eq!(subject("a/1").unwrap(), Subject::Decision("a/1".into()));
        assert_eq!(subject("decision:run:1").unwrap(), Subject::Decision("run:1".into()));
        let model = Subject::Component { component: Component::Model, id: "a:b".into() };
        assert_eq!(subject("model:a:b").unwrap(), model);
    }
}
