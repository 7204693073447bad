//! Decisions of durable runs: recorded, replayed, and on their way to the learner's log.

use std::sync::Arc;

use consort_application::{Config, unified_feedback::Operation};
use consort_core::{
    Component, Context, Descriptor, Durability, Kind, Layer, Name, Orchestrator, Outcome, Request,
    Signal, StepResult, Version,
    learning::{LearningLog, Record},
};
use consort_durable::MemoryLearningLog;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kit::Kit;

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Route {}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Routed {
    choice: String,
    decision: String,
}

impl Request for Route {
    const CALLEE: &'static str = "route";
    type Response = Routed;
}

struct Router;

impl Orchestrator for Router {
    type Request = Route;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: Name::new("route").unwrap(),
            version: Version::new(1, 0, 0),
            layer: Layer::Domain,
            kind: Kind::Sequential,
            durability: Durability::Durable,
            purpose: "Chooses and tells how it went".into(),
        }
    }

    async fn orchestrate(&self, cx: &Context, _: Route) -> StepResult<Routed> {
        let features = [("length", 0.4)];
        let decision = cx.decide(Component::Model, "route", &["a", "b"], &features)?;
        cx.sleep(std::time::Duration::from_millis(1)).await?;
        let reward = if decision.choice() == "b" { 0.9 } else { 0.1 };
        cx.signal(Signal {
            name: "reward".into(),
            subject: decision.id.clone(),
            value: Some(reward),
            data: serde_json::Value::Null,
        })?;
        cx.signal(Signal {
            name: "mood".into(),
            subject: "none".into(),
            value: None,
            data: serde_json::Value::Null,
        })?;
        let choice = decision.choice().to_owned();
        Ok(Outcome::succeeded(Routed { choice, decision: decision.id }))
    }
}

#[tokio::test(start_paused = true)]
async fn every_run_teaches_the_next_one() {
    let kit = Kit::installed(Config::default(), MemoryLearningLog::new()).await;
    kit.facade.register(Router).await.unwrap();
    kit.facade.start(true).await.unwrap();
    let mut chosen = Vec::new();
    for _ in 0..60 {
        let (routed, _) = kit.ask(Route {}).await.unwrap().into_value().unwrap();
        kit.ask(Operation::Flush).await.unwrap();
        chosen.push(routed.choice);
    }
    let good = chosen[30..].iter().filter(|choice| *choice == "b").count();
    assert!(good >= 25, "{chosen:?}");
    let metrics = kit.metrics().await;
    assert_eq!((metrics.totals.decisions, metrics.totals.learned), (60, 60));
    // Signals that are no rewards have no consumer here, and that is told.
    assert_eq!(metrics.unconsumed_by_form, 60);
}

#[tokio::test(start_paused = true)]
async fn the_log_has_the_odds_that_the_run_recorded() {
    let kit = Kit::installed(Config::default(), MemoryLearningLog::new()).await;
    kit.facade.register(Router).await.unwrap();
    kit.facade.start(true).await.unwrap();
    let (routed, _) = kit.ask(Route {}).await.unwrap().into_value().unwrap();
    kit.ask(Operation::Flush).await.unwrap();
    let log: Arc<dyn LearningLog> = Arc::new(kit.log.clone());
    let records = log.read(0, 10).await.unwrap();
    let Record::Made(made) = &records[0].1 else { panic!("{records:?}") };
    assert_eq!(made.decision.id, routed.decision);
    let run = made.run.clone().unwrap();
    assert_eq!(format!("{run}/0"), routed.decision);
    let history = kit.facade.history(&run).await.unwrap();
    let recorded = format!("{:?}", history.records);
    assert!(recorded.contains("propensities"), "{recorded}");
    assert!((made.decision.propensities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
}
