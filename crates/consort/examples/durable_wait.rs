//! A run waits for a person, the process ends, and the next one goes on where it stopped.

use std::time::Duration;

use consort::prelude::*;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Refund {
    euros: u64,
}

impl Request for Refund {
    const CALLEE: &'static str = "refund";
    type Response = String;
}

struct Refunds;

impl Orchestrator for Refunds {
    type Request = Refund;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: Name::new("refund").expect("a valid name"),
            version: Version::new(1, 0, 0),
            layer: Layer::Domain,
            kind: Kind::Sequential,
            durability: Durability::Durable,
            purpose: "Refunds once a person has agreed".into(),
        }
    }

    async fn orchestrate(&self, cx: &Context, request: Refund) -> StepResult<String> {
        let who: String = cx.wait_for("agreed", Some(Duration::from_secs(7 * 86_400))).await?;
        Ok(Outcome::succeeded(format!("{} euros, agreed by {who}", request.euros)))
    }
}

/// Runs the example.
#[tokio::main]
pub(crate) async fn main() -> Result<(), StepError> {
    let folder = std::env::temp_dir().join(format!("consort-wait-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a writable temporary folder");
    let store = folder.join("runs.db");

    let first = Consort::builder().store(&store).orchestrator(Refunds).build().await?;
    let run = first.facade().start_run("refund", Context::default(), json!({"euros": 40})).await?;
    let id = run.id().expect("it was accepted").clone();
    first.facade().close(Duration::ZERO).await?; // The process could as well have been killed.

    let second = Consort::builder().store(&store).orchestrator(Refunds).build().await?;
    second.facade().signal(&id, "agreed".parse().expect("a valid name"), json!("Ada")).await?;
    let outcome = second.facade().attach_to(&id).await?.await?;
    assert_eq!(outcome.value(), Some(&json!("40 euros, agreed by Ada")));
    second.close().await?;
    std::fs::remove_dir_all(&folder).expect("our own folder");
    Ok(())
}
