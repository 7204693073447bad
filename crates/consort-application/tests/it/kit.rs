//! A facade with learning on it, in memory.

use std::sync::Arc;

use consort_application::{Config, Learning, advanced_bandits, learning::Open, unified_feedback};
use consort_core::{
    Clock, Facade, FacadeBuilder, Outcome, Request, StepResult, Timestamp,
    learning::{LearningLog, Source, Subject},
};
use consort_durable::{MemoryJournal, MemoryLearningLog};
use consort_testkit::clock::ManualClock;
use serde_json::Value;
use unified_feedback::{Answer, NewSignal, Operation};

/// A running engine.
pub(crate) struct Kit {
    pub(crate) facade: Facade,
    pub(crate) learning: Learning,
    pub(crate) log: MemoryLearningLog,
    pub(crate) clock: Arc<ManualClock>,
}

/// Opens the log it is given.
pub(crate) fn opener(log: impl LearningLog + Clone) -> Open {
    Box::new(move || {
        let log: Arc<dyn LearningLog> = Arc::new(log.clone());
        Box::pin(std::future::ready(Ok(log)))
    })
}

#[derive(Debug)]
struct Shared(Arc<ManualClock>);

impl Clock for Shared {
    fn utc(&self) -> Timestamp {
        self.0.utc()
    }
}

impl Kit {
    pub(crate) async fn start(config: Config) -> Self {
        Self::on(config, MemoryLearningLog::new()).await
    }

    pub(crate) async fn on(config: Config, log: MemoryLearningLog) -> Self {
        let kit = Self::installed(config, log).await;
        kit.facade.start(true).await.unwrap();
        kit
    }

    /// Everything registered, nothing started.
    pub(crate) async fn installed(config: Config, log: MemoryLearningLog) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp(1_000_000)));
        let learning = Learning::new(config, clock.clone(), opener(log.clone())).unwrap();
        let builder = FacadeBuilder::default()
            .clock(Shared(clock.clone()))
            .decider(learning.clone())
            .signals(learning.clone());
        let facade = builder.build(Arc::new(MemoryJournal::new())).unwrap();
        consort_application::install(&facade, &learning).await.unwrap();
        Self { facade, learning, log, clock }
    }

    pub(crate) async fn ask<R: Request>(&self, request: R) -> StepResult<R::Response> {
        self.facade.context(Default::default()).call(request).await
    }

    /// Submits a signal and waits until it was applied.
    pub(crate) async fn submit(&self, signal: NewSignal) -> StepResult<Answer> {
        self.ask(Operation::SubmitFeedback { signal, wait: true }).await
    }

    /// Makes a decision outside of runs; its id.
    pub(crate) async fn decide(&self, domain: &str, candidates: &[&str]) -> (String, String) {
        let operation = advanced_bandits::Operation::Decide {
            component: consort_core::Component::Model,
            domain: domain.into(),
            candidates: candidates.iter().map(ToString::to_string).collect(),
            features: Default::default(),
        };
        match self.ask(operation).await.unwrap() {
            Outcome::Succeeded {
                value: advanced_bandits::Answer::Decided { decision, choice },
            } => (decision.id, choice),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn metrics(&self) -> unified_feedback::Metrics {
        match self.ask(Operation::Metrics).await.unwrap() {
            Outcome::Succeeded { value: Answer::Metrics(metrics) } => *metrics,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn close(&self) {
        self.facade.close(std::time::Duration::from_secs(5)).await.unwrap();
    }
}

/// A signal of a user.
pub(crate) fn signal(id: &str, subject: Subject, reward: f64) -> NewSignal {
    NewSignal {
        id: Some(id.into()),
        source: Source::UserExplicit,
        subject,
        reward,
        confidence: 1.0,
        category: None,
        at: None,
        metadata: Value::Null,
    }
}
