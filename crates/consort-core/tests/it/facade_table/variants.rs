//! What is told to whoever misspells a request that is an enum: the field, not the schema.

use std::future::ready;

use consort_core::{
    Capability, CapabilityDescriptor, Category, Effect, Facade, Request, StepContext, StepResult,
    TenantId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::fixtures::{World, done, name, version};

/// Internally tagged, as the orchestrators that route by operation are.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "operation", rename_all = "snake_case", deny_unknown_fields)]
enum Desk {
    /// With fields of its own.
    Lend {
        title: String,
        days: u32,
        #[serde(default)]
        to: Option<Reader>,
        #[serde(default)]
        shelf: Shelf,
    },
    /// With fields that are a type.
    Order(Order),
    /// With an enum inside.
    Change { action: Action, rule: Rule },
    /// Without any.
    Close,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Reader {
    age: u8,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Order {
    copies: u32,
}

/// Every variant has its own line in the schema.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Shelf {
    /// Anywhere.
    #[default]
    Open,
    /// Downstairs.
    Vault,
}

/// Externally tagged.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Action {
    /// Nothing else to say.
    Renew,
    /// With fields.
    Reserve { until: u32 },
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "rule", rename_all = "snake_case")]
enum Rule {
    Strict { limit: u32 },
    Lax,
}

impl Request for Desk {
    const CALLEE: &'static str = "desk";
    type Response = Value;
}

struct Library;

impl Capability for Library {
    type Request = Desk;

    fn descriptor(&self) -> CapabilityDescriptor {
        CapabilityDescriptor {
            name: name("desk"),
            version: version("1.0.0"),
            effect: Effect::Once,
            recompute: false,
            purpose: "lends books".into(),
        }
    }

    fn invoke(&self, _: &StepContext, _: Desk) -> impl Future<Output = StepResult<Value>> + Send {
        ready(done(()))
    }
}

fn desk() -> Facade {
    let facade = World::new().facade();
    facade.register_capability(Library).unwrap();
    facade
}

/// Pointers and what is said about them, sorted.
async fn told(facade: &Facade, request: Value) -> Vec<(String, String)> {
    let context = facade.context(TenantId::default());
    let error = context.call_json("desk", request.clone()).await.unwrap_err();
    assert_eq!(error.category(), Category::InvalidRequest, "{request}: {error:?}");
    let all = error.violations().iter();
    let mut all: Vec<_> = all.map(|one| (one.pointer.clone(), one.message.clone())).collect();
    all.sort_unstable();
    all
}

async fn pointers(facade: &Facade, request: Value) -> Vec<String> {
    told(facade, request).await.into_iter().map(|(pointer, _)| pointer).collect()
}

#[tokio::test(start_paused = true)]
async fn a_missing_or_misspelt_operation_is_told_which_there_are() {
    let facade = desk();
    facade.start(true).await.unwrap();
    let known = "must be one of `lend`, `order`, `change`, `close`";
    let expected = [("/operation".to_owned(), known.to_owned())];
    for wrong in [json!({"operation": "lent", "title": "a"}), json!({"operation": 3}), json!({})] {
        assert_eq!(told(&facade, wrong).await, expected);
    }
    assert_eq!(pointers(&facade, json!("lend")).await, [""], "no object at all");
}

#[tokio::test(start_paused = true)]
async fn the_fields_of_the_operation_meant_are_named_and_of_no_other() {
    let facade = desk();
    facade.start(true).await.unwrap();
    let lend = json!({"operation": "lend"});
    assert_eq!(pointers(&facade, lend).await, ["/days", "/title"]);
    let lend = json!({"operation": "lend", "title": 1, "days": -1, "dais": 2});
    assert_eq!(pointers(&facade, lend).await, ["/dais", "/days", "/title"]);
    let order = json!({"operation": "order", "copies": "two"});
    assert_eq!(pointers(&facade, order).await, ["/copies"]);
    let close = json!({"operation": "close", "door": 1});
    let unknown = ("/door".to_owned(), "is not a known field".to_owned());
    assert_eq!(told(&facade, close).await, [unknown]);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_value_deep_inside_is_named_through_optional_fields_and_inner_enums() {
    let facade = desk();
    facade.start(true).await.unwrap();
    let lend = |to: Value| json!({"operation": "lend", "title": "a", "days": 1, "to": to});
    assert_eq!(pointers(&facade, lend(json!({"age": "old"}))).await, ["/to/age"]);
    assert_eq!(pointers(&facade, lend(json!({"age": 9, "aeg": 9}))).await, ["/to/aeg"]);
    let lend = json!({"operation": "lend", "title": "a", "days": 1, "shelf": "valt"});
    let known = "must be one of `open`, `vault`".to_owned();
    assert_eq!(told(&facade, lend).await, [("/shelf".to_owned(), known)]);
    let change =
        |action: Value, rule: Value| json!({"operation": "change", "action": action, "rule": rule});
    let named = pointers(&facade, change(json!({"reserve": {}}), json!({"rule": "strict"}))).await;
    assert_eq!(named, ["/action/reserve/until", "/rule/limit"]);
    let told = told(&facade, change(json!({"resrve": {}}), json!({"rule": "loose"}))).await;
    let expected = [
        ("/action".to_owned(), "must be one of `renew`, `reserve`".to_owned()),
        ("/rule/rule".to_owned(), "must be one of `strict`, `lax`".to_owned()),
    ];
    assert_eq!(told, expected);
}
