//! Decisions of durable runs: recorded, replayed, and on their way to the learner's log.

use std::sync::Arc;

use consort_application::{
    Config,
    learning::Fate,
    unified_feedback::{
        Answer, Operation,
        trajectory::{Evaluated, Expected, Match, Trajectory},
    },
};
use consort_core::{
    Category, Clock, Component, Context, Descriptor, Durability, Kind, Layer, Name, Orchestrator,
    Outcome, Request, Signal, StepError, StepResult, TenantId, Timestamp, Version,
    journal::RunFilter,
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

/// Calls whom it is told to, whatever comes of it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Tour {
    stops: Vec<String>,
}

impl Request for Tour {
    const CALLEE: &'static str = "tour";
    type Response = usize;
}

struct Guide;

impl Orchestrator for Guide {
    type Request = Tour;

    fn descriptor(&self) -> Descriptor {
        Descriptor { name: Name::new("tour").unwrap(), ..Router.descriptor() }
    }

    async fn orchestrate(&self, cx: &Context, tour: Tour) -> StepResult<usize> {
        let mut good = 0;
        for stop in tour.stops {
            let went = cx.call_json(&stop, serde_json::json!({})).await;
            good += usize::from(went.is_ok());
        }
        Ok(Outcome::succeeded(good))
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Break {}

impl Request for Break {
    const CALLEE: &'static str = "broken";
    type Response = ();
}

struct Broken;

impl Orchestrator for Broken {
    type Request = Break;

    fn descriptor(&self) -> Descriptor {
        Descriptor { name: Name::new("broken").unwrap(), ..Router.descriptor() }
    }

    async fn orchestrate(&self, _: &Context, _: Break) -> StepResult<()> {
        Err(StepError::new(Category::ModelFailed, "always"))
    }
}

/// Makes a tour and has it judged by what it has on record.
async fn judged(kit: &Kit, stops: &[&str], expected: &[&str]) -> (Evaluated, Fate) {
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    // Runs are told apart by when they began.
    kit.clock.set(Timestamp(kit.clock.utc().0 + 1_000));
    kit.ask(Tour { stops: words(stops) }).await.unwrap();
    let filter = RunFilter { orchestrator: Some(Name::new("tour").unwrap()), ..Default::default() };
    let run = kit.facade.runs(filter).await.unwrap().remove(0).id;
    let expected = Expected { compare: Match::Strict, callees: words(expected) };
    let trajectory = Trajectory {
        run,
        id: None,
        steps: vec![],
        expected: Some(expected),
        succeeded: None,
        failed: None,
    };
    match kit.ask(Operation::SubmitTrajectory { trajectory, wait: true }).await.unwrap() {
        Outcome::Succeeded { value: Answer::Taken { fate, evaluated, .. } } => {
            (evaluated.unwrap(), fate.unwrap())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_trajectory_can_be_read_from_the_record_of_the_run() {
    let kit = Kit::installed(Config::default(), MemoryLearningLog::new()).await;
    kit.facade.register(Router).await.unwrap();
    kit.facade.register(Guide).await.unwrap();
    kit.facade.register(Broken).await.unwrap();
    kit.facade.start(true).await.unwrap();

    let (found, fate) = judged(&kit, &["route", "route"], &["route", "route"]).await;
    assert_eq!((found.overall, fate), (1.0, Fate::Learned));
    let (found, _) = judged(&kit, &["broken", "route", "broken"], &["route"]).await;
    assert_eq!(found.accuracy, Some(1.0 / 3.0));
    assert_eq!((found.efficiency, found.error_handling), (Some(1.0 / 3.0), 0.5));

    let trajectory = |run| Trajectory {
        run,
        id: None,
        steps: vec![],
        expected: None,
        succeeded: None,
        failed: None,
    };
    let refused = async |trajectory| {
        let submit = Operation::SubmitTrajectory { trajectory, wait: true };
        kit.ask(submit).await.unwrap_err().category()
    };
    let nobody = consort_core::RunId::root(1, 1);
    assert_eq!(refused(trajectory(nobody)).await, Category::NotFound);
    // Another tenant's run is nobody's.
    let filter = RunFilter { orchestrator: Some(Name::new("tour").unwrap()), ..Default::default() };
    let tour = kit.facade.runs(filter).await.unwrap().remove(0).id;
    let other = kit.facade.context(TenantId::new("other").unwrap());
    let submit = Operation::SubmitTrajectory { trajectory: trajectory(tour), wait: true };
    assert_eq!(other.call(submit).await.unwrap_err().category(), Category::NotFound);
    // A run that called nobody did nothing that could be judged.
    kit.ask(Route {}).await.unwrap();
    let route = Name::new("route").unwrap();
    let filter = RunFilter { orchestrator: Some(route), roots: true, ..Default::default() };
    let idle = kit.facade.runs(filter).await.unwrap().remove(0).id;
    assert_eq!(refused(trajectory(idle)).await, Category::InvalidRequest);
}
