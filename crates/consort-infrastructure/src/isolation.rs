//! `isolation`: the durable record of a callee that is held off by hand. Such a run holds its
//! callee off for as long as it lasts, over restarts, and ends when it is told to.

use consort_core::{
    Context, Descriptor, Durability, Kind, Layer, Name, Orchestrator, Outcome, Request, StepError,
    StepResult, Version, record::RunStarted,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{guards::Guards, health::Isolation};

/// The event that ends it.
pub const RELEASE: &str = "release";

/// Hold a callee off. To be asked through [`Resilience`](crate::resilience::Resilience), which
/// checks the name and returns at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Isolate {
    /// `callee` with all its endpoints, or `callee/endpoint`.
    pub callee: String,
    /// Why; for whoever finds it held off.
    pub reason: String,
}

/// It is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Released {
    /// What was held off.
    pub callee: String,
    /// What the event that ended it carried.
    pub because: Value,
}

impl Request for Isolate {
    const CALLEE: &'static str = "isolation";
    type Response = Released;
}

/// The orchestrator.
#[derive(Clone, Debug)]
pub struct Isolator {
    guards: Guards,
}

impl Isolator {
    /// One that holds callees off at `guards`.
    pub fn new(guards: Guards) -> Self {
        Self { guards }
    }
}

impl Orchestrator for Isolator {
    type Request = Isolate;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: name(),
            version: Version::new(1, 0, 0),
            layer: Layer::Infrastructure,
            kind: Kind::Sequential,
            durability: Durability::Durable,
            purpose: "Holds a callee off until an operator releases it".into(),
        }
    }

    async fn orchestrate(&self, cx: &Context, request: Isolate) -> StepResult<Released> {
        let since = cx.now()?;
        let Isolate { callee, reason } = request;
        if let Some(run) = cx.run_id().cloned() {
            // Not a step: it is about this process, and each that takes the run up does it again.
            self.guards.hold(Isolation { callee: callee.clone(), reason, run, since });
        }
        let because = cx.wait_for(RELEASE, None).await?;
        Ok(Outcome::succeeded(Released { callee, because }))
    }

    /// However it ended, cancelled too: nothing is held off without a record.
    async fn cleanup(&self, cx: &Context) -> Result<(), StepError> {
        if let Some(run) = cx.run_id() {
            self.guards.let_go(run);
        }
        Ok(())
    }
}

/// The orchestrator's name.
pub fn name() -> Name {
    Name::new(Isolate::CALLEE).expect("a valid name")
}

/// What a run of this orchestrator holds off; `None` when its request is of another form.
pub fn of(started: RunStarted) -> Option<Isolation> {
    let Isolate { callee, reason } = serde_json::from_value(started.request).ok()?;
    Some(Isolation { callee, reason, run: started.id, since: started.at })
}
