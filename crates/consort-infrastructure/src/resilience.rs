//! `resilience`: calls under a strategy, everybody's health, and the operator's hand on the
//! breakers.

pub mod events;
mod operate;
mod plan;
pub mod request;
mod route;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::Arc;

use consort_core::{
    Category, Context, Descriptor, Durability, Facade, Kind, Layer, Loss, Name, Orchestrator,
    Outcome, Request, StepError, StepResult, TaskScope, Version, WeakFacade,
};
use consort_resilience::Rng;
pub use plan::steerable;
use request::{Execute, Executed, Fallback, Operate, Operated, Strategy};
use route::Routes;
use serde_json::Value;
use tokio::time::Instant;
use watch::Watch;

use crate::{board::Board, guards::Guards};

/// The orchestrator. Its background check starts with its registration and ends with it, and with
/// nothing else.
#[derive(Debug)]
pub struct Resilience {
    guards: Guards,
    facade: WeakFacade,
    routes: Routes,
    watch: Arc<Watch>,
}

impl Resilience {
    /// One that sees and steers `guards`, inside `facade`.
    pub fn new(guards: Guards, board: Arc<dyn Board>, facade: WeakFacade) -> Self {
        let watch = Arc::new(Watch::new(guards.clone(), board));
        Self { guards, facade, routes: Routes::new(Rng::random()), watch }
    }

    fn facade(&self) -> Result<Facade, StepError> {
        self.facade.upgrade().ok_or_else(|| {
            StepError::new(Category::ShuttingDown, "the facade of this orchestrator is gone")
        })
    }
}

impl Orchestrator for Resilience {
    type Request = Operate;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: Name::new(Operate::CALLEE).expect("a valid name"),
            version: Version::new(1, 0, 0),
            layer: Layer::Infrastructure,
            kind: Kind::Adaptive,
            durability: Durability::Ephemeral,
            purpose: "Calls under a strategy, health of callees, breakers and guards steered"
                .into(),
        }
    }

    async fn orchestrate(&self, cx: &Context, operate: Operate) -> StepResult<Operated> {
        match operate {
            Operate::Execute(execute) => self.execute(cx, execute).await,
            Operate::Health(one) => {
                let mut report = self.guards.report(cx.now()?);
                if let Some(callee) = one.callee {
                    report.only(&callee);
                }
                Ok(Outcome::succeeded(Operated::Health { report }))
            }
            Operate::Isolate(ask) => self.isolate(cx, ask).await,
            Operate::Release(one) => self.release(one.callee).await,
            Operate::Reset(one) => self.reset(one.callee).await,
            Operate::Configure(ask) => self.configure(ask),
            Operate::Describe(one) => self.describe(one.callee),
        }
    }

    async fn start(&self, tasks: &TaskScope) -> Result<(), StepError> {
        self.restore().await?;
        let (watch, context) = (self.watch.clone(), tasks.context(Default::default()));
        let Some(context) = context else { return Ok(()) };
        tasks.spawn("watch", move |stop| watch.clone().run(context.clone(), stop));
        Ok(())
    }

    async fn stop(&self) {
        self.watch.show_last().await;
    }
}

impl Resilience {
    async fn execute(&self, cx: &Context, execute: Execute) -> StepResult<Operated> {
        plan::check(&execute)?;
        let (began, strategy) = (Instant::now(), execute.strategy);
        let (by, result) = match strategy {
            Strategy::AdaptiveRouting => self.routes.call(cx, &self.facade, &execute).await,
            Strategy::FailFast
            | Strategy::GracefulDegrade
            | Strategy::Retry
            | Strategy::CircuitBreaker => {
                let call = cx.call_json(&execute.callee, execute.request.clone());
                let result = match plan::attempts(strategy) {
                    Some(most) => call.attempts(most).await,
                    None => call.await,
                };
                (execute.callee.clone(), result)
            }
        };
        let (by, outcome) = match result {
            Err(error) if plan::falls_back(strategy, &error) => {
                fall_back(cx, &execute, error).await?
            }
            result => (Some(by), result?),
        };
        let fired = cx.fired();
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(outcome.map(|value| Operated::Execute(Executed { by, strategy, value, fired, took_ms })))
    }
}

/// The first fallback that has an answer, as a degraded outcome: the callee's failure stays its
/// failure and is told as a loss. When none has one, the callee's failure is the answer.
async fn fall_back(
    cx: &Context,
    execute: &Execute,
    error: StepError,
) -> Result<(Option<String>, Outcome<Value>), StepError> {
    let mut failure = error;
    for fallback in &execute.fallbacks {
        let loss = Loss::new(format!("the answer of `{}`", execute.callee), failure.to_string());
        match fallback {
            Fallback::Value(value) => {
                return Ok((None, Outcome::degraded(value.clone(), vec![loss])));
            }
            Fallback::Call { callee, request } => {
                match cx.call_json(callee, request.clone()).await {
                    Ok(outcome) => return Ok((Some(callee.clone()), outcome.losing(vec![loss]))),
                    Err(error) => {
                        failure = failure.cause(format!("instead: {error}"));
                    }
                }
            }
        }
    }
    Err(failure)
}
