//! `unified_feedback`: the one place where outcomes come in. It takes signals about decisions,
//! runs and components, turns whole trajectories into signals, and tells figures and health.

mod figures;
pub mod trajectory;

use consort_core::{
    Category, Context, Descriptor, Durability, Kind, Layer, Name, Orchestrator, Outcome, Request,
    StepError, StepResult, TaskScope, TenantId, Timestamp, Version, WeakFacade,
    learning::{Feedback, Record, Source, Subject},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use figures::{Health, HealthReport, KindFigures, Metrics};
use trajectory::{Evaluated, Trajectory};

use crate::learning::{Fate, Learning, Standing};

/// A signal as it is submitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSignal {
    /// A repeat carries the same id and counts once. Without one, every submission is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// From where.
    pub source: Source,
    /// About what.
    pub subject: Subject,
    /// From 0 to 1, larger is better.
    pub reward: f64,
    /// How much it counts: above 0, at most 1. Default 0.8.
    #[serde(default = "usual_confidence")]
    pub confidence: f64,
    /// Why it failed, if it did. Failures that say nothing about what was chosen are not charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// When it happened, if that was earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Anything else; kept, not learned from.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub metadata: Value,
}

const fn usual_confidence() -> f64 {
    0.8
}

/// Milliseconds that a signal may be ahead of this clock: those of two machines differ.
const AHEAD_MS: u64 = 300_000;

impl NewSignal {
    /// Checks everything that can be wrong with it at once.
    ///
    /// # Errors
    ///
    /// `invalid_request` naming every field.
    pub fn check(&self, now: Timestamp) -> Result<(), StepError> {
        let subject = match &self.subject {
            Subject::Decision(id) | Subject::Component { id, .. } => (1..=512).contains(&id.len()),
            Subject::Run(_) => true,
        };
        // Log time is the latest time seen: one from the future would close every decision.
        let ahead = self.at.is_some_and(|at| at.0 > now.0.saturating_add(AHEAD_MS));
        let rules = [
            ((0.0..=1.0).contains(&self.reward), "/signal/reward", "must be from 0 to 1"),
            (
                self.confidence > 0.0 && self.confidence <= 1.0,
                "/signal/confidence",
                "must be above 0 and at most 1",
            ),
            (subject, "/signal/subject", "must have 1 to 512 bytes"),
            (
                self.id.as_ref().is_none_or(|id| (1..=256).contains(&id.len())),
                "/signal/id",
                "must have 1 to 256 bytes",
            ),
            (!ahead, "/signal/at", "must not lie in the future"),
        ];
        let broken = rules.into_iter().filter(|(kept, ..)| !kept);
        let error = StepError::new(Category::InvalidRequest, "the signal cannot be taken");
        let error = broken.fold(error, |error, (_, field, rule)| error.violation(field, rule));
        if error.violations().is_empty() { Ok(()) } else { Err(error) }
    }
}

/// What the hub is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "operation", rename_all = "snake_case", deny_unknown_fields)]
pub enum Operation {
    /// Take one signal.
    SubmitFeedback {
        /// The signal.
        signal: NewSignal,
        /// Answer only when it is on record and was applied.
        #[serde(default)]
        wait: bool,
    },
    /// Evaluate a trajectory and take the signal that it gives.
    SubmitTrajectory {
        /// What was done, or the run that has it on record, and what was expected.
        trajectory: Trajectory,
        /// Answer only when the signal is on record and was applied.
        #[serde(default)]
        wait: bool,
    },
    /// Tell all figures.
    Metrics,
    /// Tell the health of every component.
    Health,
    /// Take signals again.
    Start,
    /// Take no more signals; what waits is still learned.
    Stop,
    /// Answer when everything queued so far was learned.
    Flush,
    /// Build what is known anew from the log, and compare.
    Replay,
}

/// What the hub answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// A signal was taken.
    Taken {
        /// Its id.
        id: String,
        /// `queued` (in memory) or `accepted` (on disk).
        stage: Stage,
        /// What became of it, once it was applied.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fate: Option<Fate>,
        /// What a trajectory was found to be.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evaluated: Option<Evaluated>,
    },
    /// All figures.
    Metrics(Box<Metrics>),
    /// The health of every component.
    Health(HealthReport),
    /// Whether signals are taken.
    Running {
        /// They are.
        running: bool,
    },
    /// Everything queued was learned.
    Flushed {
        /// Position of the last record.
        position: u64,
    },
    /// What the rebuilt state is compared to the one in use.
    Replayed {
        /// Records applied.
        records: u64,
        /// Position of the last one.
        position: u64,
        /// Digest of the state in use.
        digest: String,
        /// True when both are the same, bit for bit.
        equal: bool,
    },
}

/// How far a signal has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// In memory: lost if the process dies now.
    Queued,
    /// On disk.
    Accepted,
}

impl Request for Operation {
    const CALLEE: &'static str = "unified_feedback";
    type Response = Answer;
}

/// The orchestrator.
#[derive(Clone, Debug)]
pub struct UnifiedFeedback {
    learning: Learning,
    runs: WeakFacade,
}

impl UnifiedFeedback {
    /// The hub of this learning; trajectories of runs are read through `runs`.
    pub fn new(learning: Learning, runs: WeakFacade) -> Self {
        Self { learning, runs }
    }

    /// Fills in what the caller left to the record of the run.
    async fn recorded(
        &self,
        tenant: &TenantId,
        trajectory: Trajectory,
    ) -> Result<Trajectory, StepError> {
        if !trajectory.steps.is_empty() {
            return Ok(trajectory);
        }
        let gone = || StepError::new(Category::ShuttingDown, "the engine is gone");
        let facade = self.runs.upgrade().ok_or_else(gone)?;
        let history = facade.history(&trajectory.run).await?;
        trajectory.on_record(tenant, &history)
    }

    async fn submit(
        &self,
        tenant: &TenantId,
        signal: NewSignal,
        id: String,
        wait: bool,
        evaluated: Option<Evaluated>,
    ) -> StepResult<Answer> {
        signal.check(self.learning.now())?;
        if let Some(why) = self.off(tenant, &signal) {
            return Ok(Outcome::skipped(why));
        }
        let feedback = Feedback {
            id: id.clone(),
            tenant: tenant.clone(),
            source: signal.source,
            subject: signal.subject,
            reward: signal.reward,
            confidence: signal.confidence,
            category: signal.category,
            at: signal.at.unwrap_or_else(|| self.learning.now()),
            metadata: signal.metadata,
        };
        let kind = self.learning.kind_of(&feedback);
        let record = Record::Feedback(Box::new(feedback));
        let (stage, fate) = if wait {
            let fate = self.learning.settle(Some(kind), record).await?;
            (Stage::Accepted, Some(fate))
        } else {
            self.learning.submit(Some(kind), record, None)?;
            (Stage::Queued, None)
        };
        Ok(Outcome::succeeded(Answer::Taken { id, stage, fate, evaluated }))
    }

    /// Signals about a component that is switched off are skipped until its rest is over.
    fn off(&self, tenant: &TenantId, signal: &NewSignal) -> Option<String> {
        let Subject::Component { component, id } = &signal.subject else { return None };
        let state = self.learning.state();
        let window = state.health().get(&(tenant.to_string(), *component, id.clone()))?;
        let now = self.learning.now().0;
        // One that only asked for a pause is well: what came of it before is worth knowing.
        matches!(window.standing(now), Standing::Disabled { .. })
            .then(|| format!("component `{id}` is {}", window.refusal(now).unwrap_or_default()))
    }
}

/// An id of its own for a signal that came without one.
fn own_id(cx: &Context) -> Result<String, StepError> {
    Ok(format!("{:016x}{:016x}", cx.random()?, cx.random()?))
}

impl Orchestrator for UnifiedFeedback {
    type Request = Operation;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: Name::new(Operation::CALLEE).expect("a valid name"),
            version: Version::new(1, 0, 0),
            layer: Layer::Application,
            kind: Kind::Coordination,
            durability: Durability::Ephemeral,
            purpose: "Takes outcomes as signals, credits them to the decisions that led to them, \
                      and watches the health of components"
                .into(),
        }
    }

    async fn orchestrate(&self, cx: &Context, request: Operation) -> StepResult<Answer> {
        let answer = match request {
            Operation::SubmitFeedback { signal, wait } => {
                let id = signal.id.clone().map_or_else(|| own_id(cx), Ok)?;
                return self.submit(cx.tenant(), signal, id, wait, None).await;
            }
            Operation::SubmitTrajectory { trajectory, wait } => {
                let trajectory = self.recorded(cx.tenant(), trajectory).await?;
                let evaluated = trajectory.evaluate()?;
                let signal = trajectory.signal(&evaluated);
                let id = signal.id.clone().map_or_else(|| own_id(cx), Ok)?;
                return self.submit(cx.tenant(), signal, id, wait, Some(evaluated)).await;
            }
            Operation::Metrics => Answer::Metrics(Box::new(Metrics::of(&self.learning))),
            Operation::Health => Answer::Health(HealthReport::of(&self.learning, cx.tenant())),
            Operation::Start => {
                self.learning.set_running(true);
                Answer::Running { running: true }
            }
            Operation::Stop => {
                self.learning.set_running(false);
                self.learning.flush().await?;
                Answer::Running { running: false }
            }
            Operation::Flush => {
                self.learning.flush().await?;
                Answer::Flushed { position: self.learning.state().position() }
            }
            Operation::Replay => {
                let found = self.learning.replay().await?;
                let (records, position) = (found.records, found.until);
                Answer::Replayed { records, position, digest: found.digest, equal: found.equal }
            }
        };
        Ok(Outcome::succeeded(answer))
    }

    /// Catches up with the log, then learns, consolidates and watches health in the background.
    async fn start(&self, tasks: &TaskScope) -> Result<(), StepError> {
        if let Err(error) = self.learning.log().await {
            // Learning is a help, not a condition: the engine runs without it, and says so.
            tracing::error!(target: "consort", %error, "nothing can be learned");
        }
        let learning = self.learning.clone();
        tasks.spawn("learn", move |stop| {
            let learning = learning.clone();
            async move { learning.learn(stop).await }
        });
        let learning = self.learning.clone();
        tasks.spawn("consolidate", move |stop| {
            let learning = learning.clone();
            async move { learning.keep_snapshots(stop).await }
        });
        let learning = self.learning.clone();
        tasks.spawn("health", move |stop| {
            let learning = learning.clone();
            async move { learning.watch_health(stop).await }
        });
        Ok(())
    }

    async fn stop(&self) {
        self.learning.finish().await;
    }
}
