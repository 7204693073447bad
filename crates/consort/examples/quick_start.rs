//! An orchestrator in a page: registered, then called by type and by name.

use consort::prelude::*;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Greet {
    name: String,
}

impl Request for Greet {
    const CALLEE: &'static str = "greeter";
    type Response = String;
}

struct Greeter;

impl Orchestrator for Greeter {
    type Request = Greet;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: Name::new("greeter").expect("a valid name"),
            version: Version::new(1, 0, 0),
            layer: Layer::Domain,
            kind: Kind::Sequential,
            durability: Durability::Ephemeral,
            purpose: "Greets".into(),
        }
    }

    async fn orchestrate(&self, _cx: &Context, request: Greet) -> StepResult<String> {
        if request.name.is_empty() {
            return Ok(Outcome::skipped("nobody to greet"));
        }
        Ok(Outcome::succeeded(format!("Good day, {}", request.name)))
    }
}

/// Runs the example.
#[tokio::main]
pub(crate) async fn main() -> Result<(), StepError> {
    let consort = Consort::builder().orchestrator(Greeter).build().await?;
    let facade = consort.facade();

    let typed = facade.call(Context::default(), Greet { name: "Ada".into() }).await?;
    assert_eq!(typed.value().map(String::as_str), Some("Good day, Ada"));

    let named = facade.orchestrate("greeter", Context::default(), json!({"name": "Ada"})).await?;
    assert_eq!(named.value(), Some(&json!("Good day, Ada")));

    let wrong = facade.orchestrate("greeter", Context::default(), json!({"name": 7})).await;
    let error = wrong.expect_err("7 is no name");
    assert_eq!(error.violations()[0].pointer, "/name");

    let unknown = facade.orchestrate("greter", Context::default(), json!({})).await;
    let error = unknown.expect_err("nobody has that name");
    assert_eq!(error.category(), Category::NotFound); // It suggests `greeter`.
    consort.close().await?;
    Ok(())
}
