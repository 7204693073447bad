//! Two versions side by side: open runs stay on theirs, new runs take the highest.

use consort::prelude::*;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Quote;

impl Request for Quote {
    const CALLEE: &'static str = "quote";
    type Response = u64;
}

struct Quotes {
    version: u64,
}

impl Orchestrator for Quotes {
    type Request = Quote;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: Name::new("quote").expect("a valid name"),
            version: Version::new(self.version, 0, 0),
            layer: Layer::Domain,
            kind: Kind::Sequential,
            durability: Durability::Durable,
            purpose: "Says which version it is".into(),
        }
    }

    async fn orchestrate(&self, cx: &Context, _request: Quote) -> StepResult<u64> {
        let () = cx.wait_for::<()>("go", None).await?;
        Ok(Outcome::succeeded(self.version))
    }
}

/// Runs the example.
#[tokio::main]
pub(crate) async fn main() -> Result<(), StepError> {
    let consort = Consort::builder().orchestrator(Quotes { version: 1 }).build().await?;
    let facade = consort.facade();
    let old = facade.start_run("quote", Context::default(), json!(null)).await?;

    facade.register(Quotes { version: 2 }).await?;
    let new = facade.start_run("quote", Context::default(), json!(null)).await?;

    for run in [&old, &new] {
        let id = run.id().expect("it was accepted");
        facade.signal(id, "go".parse().expect("a valid name"), json!(null)).await?;
    }
    assert_eq!(old.await?.value(), Some(&json!(1)));
    assert_eq!(new.await?.value(), Some(&json!(2)));
    consort.close().await?;
    Ok(())
}
