//! The operations that steer: isolate, release, reset, configure, describe.

use std::time::Duration;

use consort_core::{
    Category, Context, Description, EventName, Facade, Outcome, RunId, StepError, StepResult,
    journal::RunFilter, record::RunState,
};
use serde_json::json;

use super::{
    Resilience,
    plan::steerable,
    request::{Configure, Isolate, Operated},
};
use crate::{guards::Callee, health::Isolation, isolation};

/// How long to wait for the record of a release.
const RECORDED: Duration = Duration::from_secs(2);

impl Resilience {
    pub(super) async fn isolate(&self, cx: &Context, ask: Isolate) -> StepResult<Operated> {
        let Isolate { callee, reason } = ask;
        let facade = self.facade()?;
        known(&facade, &callee)?;
        let held = self.guards.isolations();
        if let Some(before) = held.into_iter().find(|isolation| isolation.callee == callee) {
            let run = before.run;
            return Ok(Outcome::succeeded(Operated::Isolate { callee, run, already: true }));
        }
        let request = json!({ "callee": callee, "reason": reason });
        // A root of its own: it outlives this call.
        let root = Context::new(cx.tenant().clone());
        let run = facade.start_run(isolation::name().as_str(), root, request).await?;
        let Some(run) = run.id().cloned() else {
            return Err(StepError::new(Category::Internal, "an isolation without a run"));
        };
        let since = cx.now()?;
        self.guards.hold(Isolation { callee: callee.clone(), reason, run: run.clone(), since });
        Ok(Outcome::succeeded(Operated::Isolate { callee, run, already: false }))
    }

    pub(super) async fn release(&self, callee: String) -> StepResult<Operated> {
        if self.end_isolations(&callee).await? == 0 {
            let held = self.guards.isolations();
            let others: Vec<String> = held.iter().map(|one| format!("`{}`", one.callee)).collect();
            let also = match others.as_slice() {
                [] => String::new(),
                others => format!("; what is: {}", others.join(", ")),
            };
            return Ok(Outcome::skipped(format!("`{callee}` is not isolated{also}")));
        }
        Ok(Outcome::succeeded(Operated::Release { callee }))
    }

    pub(super) async fn reset(&self, callee: String) -> StepResult<Operated> {
        let ended = self.end_isolations(&callee).await?;
        let pipelines = self.guards.reset(&callee) as u64;
        if ended == 0 && pipelines == 0 {
            return Ok(Outcome::skipped(format!("nothing is remembered of `{callee}`")));
        }
        Ok(Outcome::succeeded(Operated::Reset { callee, pipelines }))
    }

    pub(super) fn configure(&self, ask: Configure) -> StepResult<Operated> {
        let Configure { callee, preset, guards } = ask;
        known(&self.facade()?, &callee)?;
        self.guards.configure(&callee, &Callee { preset, guards }).map_err(|error| {
            StepError::new(Category::InvalidRequest, "guards cannot be like that")
                .violation("/guards", error.message())
        })?;
        let guards = serde_json::to_value(self.guards.config(&callee)).map_err(|error| {
            StepError::new(Category::Internal, "guards cannot be written").because(&error)
        })?;
        Ok(Outcome::succeeded(Operated::Configure { callee, guards }))
    }

    pub(super) fn describe(&self, callee: String) -> StepResult<Operated> {
        let guards = match known(&self.facade()?, &callee)? {
            Description::Capability { guards, .. } | Description::Orchestrator { guards, .. } => {
                guards
            }
        };
        Ok(Outcome::succeeded(Operated::Describe { callee, guards }))
    }

    /// Ends what holds exactly this callee off; how many there were.
    async fn end_isolations(&self, callee: &str) -> Result<usize, StepError> {
        let facade = self.facade()?;
        let held = self.guards.isolations();
        let held: Vec<RunId> =
            held.into_iter().filter(|one| one.callee == callee).map(|one| one.run).collect();
        for run in &held {
            let event = EventName::new(isolation::RELEASE).expect("a valid name");
            match facade.signal(run, event, json!({})).await {
                Ok(()) => over(&facade, run).await,
                // It has ended by itself meanwhile.
                Err(error) if error.category() == Category::Conflict => {}
                Err(error) => return Err(error),
            }
            self.guards.let_go(run);
        }
        Ok(held.len())
    }

    /// Holds off again what the store says is held off.
    pub(super) async fn restore(&self) -> Result<(), StepError> {
        let facade = self.facade()?;
        for state in [RunState::Open, RunState::Waiting] {
            let filter = RunFilter {
                orchestrator: Some(isolation::name()),
                state: Some(state),
                limit: usize::MAX,
                ..RunFilter::default()
            };
            for run in facade.runs(filter).await? {
                let started = facade.history(&run.id).await?.started;
                if let Some(isolation) = isolation::of(started) {
                    self.guards.hold(isolation);
                }
            }
        }
        Ok(())
    }
}

/// Waits until the record of an isolation has ended, so that nobody who looks into the store after
/// a release still finds one: not another process, not the next.
async fn over(facade: &Facade, run: &RunId) {
    // Taken up here even if this process takes up nothing else.
    let ended = async { facade.resume(run).await?.await.map(drop) };
    // A record that cannot be taken up now has its end written in it: it ends at the next start.
    let _: Result<Result<(), StepError>, _> = tokio::time::timeout(RECORDED, ended).await;
}

/// What is registered under the name of a callee or of one of its endpoints.
fn known(facade: &Facade, callee: &str) -> Result<Description, StepError> {
    facade.describe(&steerable(callee)?)
}
