//! A choice among components is a step: candidates, features, odds and policy are on record, and a
//! replay makes the same choice.

use consort::{
    core::record::{LocalKind, Record},
    prelude::*,
};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Answer {
    question: String,
}

impl Request for Answer {
    const CALLEE: &'static str = "answer";
    type Response = String;
}

struct Answers;

impl Orchestrator for Answers {
    type Request = Answer;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: Name::new("answer").expect("a valid name"),
            version: Version::new(1, 0, 0),
            layer: Layer::Domain,
            kind: Kind::Adaptive,
            durability: Durability::Durable,
            purpose: "Picks a model".into(),
        }
    }

    async fn orchestrate(&self, cx: &Context, request: Answer) -> StepResult<String> {
        let features = [("length", request.question.len() as f64)];
        let models = ["small", "large"];
        let chosen = cx.decide(Component::Model, "answering", &models, &features)?;
        let reward = if chosen.choice() == "small" { 1.0 } else { 0.5 };
        // News about the choice goes up; whoever learns from it knows the decision by its id.
        cx.signal(Signal {
            name: "quality".into(),
            subject: chosen.id.clone(),
            value: Some(reward),
            data: Value::Null,
        })?;
        Ok(Outcome::succeeded(chosen.choice().to_owned()))
    }
}

/// Runs the example.
#[tokio::main]
pub(crate) async fn main() -> Result<(), StepError> {
    let consort = Consort::builder().orchestrator(Answers).build().await?;
    let facade = consort.facade();
    let question = json!({"question": "Why is the sea salt?"});
    let run = facade.start_run("answer", Context::default(), question).await?;
    let id = run.id().expect("it was accepted").clone();
    let outcome = run.await?;

    let history = facade.history(&id).await?;
    let decision = history.records.iter().find_map(|record| match record {
        Record::Local(local) if local.kind == LocalKind::Decision => Some(local.value.clone()),
        _ => None,
    });
    let decision: consort::core::Decision =
        serde_json::from_value(decision.expect("a decision on record")).expect("a decision");
    assert_eq!(outcome.value(), Some(&json!(decision.choice())));
    assert_eq!(decision.question.candidates.len(), 2);
    consort.close().await?;
    Ok(())
}
