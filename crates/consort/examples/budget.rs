//! What a run and everything below it may spend: reserved from declared bounds before each call,
//! returned when unspent.

use consort::prelude::*;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Translate {
    text: String,
}

impl Request for Translate {
    const CALLEE: &'static str = "translate";
    type Response = String;
}

/// Costs a tenth of a cent per character at most, and really a little less.
struct Translator;

impl Capability for Translator {
    type Request = Translate;

    fn descriptor(&self) -> CapabilityDescriptor {
        CapabilityDescriptor {
            name: Name::new("translate").expect("a valid name"),
            version: Version::new(1, 0, 0),
            effect: Effect::Idempotent,
            recompute: false,
            purpose: "Turns letters round".into(),
        }
    }

    fn bound(&self, request: &Translate) -> Spend {
        Spend { money: 1_000 * request.text.len() as u64, tokens: 0, calls: 1 }
    }

    async fn invoke(&self, cx: &StepContext, request: Translate) -> StepResult<String> {
        cx.spend(Spend { money: 900 * request.text.len() as u64, tokens: 0, calls: 0 });
        Ok(Outcome::succeeded(request.text.chars().rev().collect()))
    }
}

/// Runs the example.
#[tokio::main]
pub(crate) async fn main() -> Result<(), StepError> {
    let consort = Consort::builder().capability(Translator).build().await?;
    let facade = consort.facade();
    let text = json!({"text": "ten letter"}); // Bound: 10,000 millionths of a dollar.

    let enough = Budget { money: Some(10_000), ..Budget::default() };
    let cx = Context::default().budget(enough);
    assert!(facade.orchestrate("translate", cx, text.clone()).await.is_ok());

    let short = Budget { money: Some(9_999), ..Budget::default() };
    let refused = facade.orchestrate("translate", Context::default().budget(short), text).await;
    assert!(refused.is_err_and(|error| error.category() == Category::BudgetExhausted));
    consort.close().await?;
    Ok(())
}
