//! What is refused before anything runs: requests that do not fit, calls upwards, too many levels.

use consort_core::{
    Admission, Capability, CapabilityDescriptor, Category, Context, Descriptor, Durability, Effect,
    Facade, Kind, Layer, Limits, Orchestrator, Outcome, Request, StepContext, StepError,
    StepResult,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::fixtures::{
    BOTH, Scripted, Witness, World, acme, ask, category, done, name, value, version,
};

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Order {
    item: String,
    count: u32,
    #[serde(default)]
    lines: Vec<Line>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Line {
    price: f64,
}

impl Request for Order {
    const CALLEE: &'static str = "order";
    type Response = Value;
}

/// Takes an order, and notes that it was asked.
struct Shop(Durability, Witness);

impl Orchestrator for Shop {
    type Request = Order;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: name("order"),
            version: version("1.0.0"),
            layer: Layer::Domain,
            kind: Kind::Sequential,
            durability: self.0,
            purpose: "takes orders".into(),
        }
    }

    async fn can_orchestrate(&self, _: &Context, _: &Order) -> Result<Admission, StepError> {
        self.1.note("asked");
        Ok(Admission::Accept)
    }

    async fn orchestrate(&self, _: &Context, order: Order) -> StepResult<Value> {
        self.1.note("run");
        done(order.count)
    }
}

/// The same as a capability.
struct Till(Witness);

impl Capability for Till {
    type Request = Order;

    fn descriptor(&self) -> CapabilityDescriptor {
        CapabilityDescriptor {
            name: name("till"),
            version: version("1.0.0"),
            effect: Effect::Once,
            recompute: false,
            purpose: "takes money".into(),
        }
    }

    async fn invoke(&self, _: &StepContext, order: Order) -> StepResult<Value> {
        self.0.note("paid");
        done(order.count)
    }
}

fn wrong() -> Value {
    json!({"count": -3, "lines": [{"price": 1.5}, {"price": "much"}, {}], "a/b": true})
}

const OFFENDING: [&str; 5] = ["/a~1b", "/count", "/item", "/lines/1/price", "/lines/2/price"];

#[track_caller]
fn named(error: &StepError) -> Vec<&str> {
    assert_eq!(error.category(), Category::InvalidRequest, "{error:?}");
    let mut pointers: Vec<_> = error.violations().iter().map(|v| v.pointer.as_str()).collect();
    pointers.sort_unstable();
    pointers
}

async fn shop(durability: Durability) -> (Facade, Witness) {
    let (facade, witness) = (World::new().facade(), Witness::default());
    facade.start(true).await.unwrap();
    facade.register(Shop(durability, witness.clone())).await.unwrap();
    facade.register_capability(Till(witness.clone())).unwrap();
    (facade, witness)
}

#[tokio::test(start_paused = true)]
async fn every_offending_field_is_named_and_nothing_runs() {
    for durability in BOTH {
        let (facade, witness) = shop(durability).await;
        let error = facade.orchestrate("order", acme(), wrong()).await.unwrap_err();
        assert_eq!(named(&error), OFFENDING);
        assert_eq!(error.component().unwrap().as_str(), "order");
        let error = facade.orchestrate("order", acme(), json!([1])).await.unwrap_err();
        assert_eq!(named(&error), [""]);
        if durability == Durability::Durable {
            let error = facade.start_run("order", acme(), wrong()).await.unwrap_err();
            assert_eq!(named(&error), OFFENDING);
        }
        assert_eq!(witness.all(), [""; 0]);
        let right = json!({"item": "tea", "count": 3});
        assert_eq!(value(facade.orchestrate("order", acme(), right).await), 3);
        assert_eq!(witness.all(), ["asked", "run"]);
    }
}

#[tokio::test(start_paused = true)]
async fn json_calls_between_runs_are_checked_the_same_way() {
    for durability in BOTH {
        let (facade, witness) = shop(durability).await;
        for callee in ["order", "till"] {
            let caller = move |cx: Context, _| async move { cx.call_json(callee, wrong()).await };
            let caller = Scripted::either(durability, &format!("calls_{callee}"), caller);
            facade.register(caller).await.unwrap();
            let call = format!("calls_{callee}");
            let error = facade.orchestrate(&call, acme(), json!(null)).await.unwrap_err();
            assert_eq!(named(&error), OFFENDING, "{callee} {durability:?}");
            assert_eq!(error.component().unwrap().as_str(), callee);
        }
        let error = facade.orchestrate("till", acme(), wrong()).await.unwrap_err();
        assert_eq!(named(&error), OFFENDING);
        assert_eq!(witness.all(), [""; 0]);
    }
}

/// Another program's idea of an order.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct OldOrder {
    item: String,
    amount: u32,
}

impl Request for OldOrder {
    const CALLEE: &'static str = "order";
    type Response = Value;
}

#[tokio::test(start_paused = true)]
async fn a_typed_request_of_another_shape_names_the_fields_as_well() {
    for durability in BOTH {
        let (facade, witness) = shop(durability).await;
        let old = || OldOrder { item: "tea".into(), amount: 2 };
        let error = facade.call(acme(), old()).await.unwrap_err();
        assert_eq!(named(&error), ["/amount", "/count"]);
        for caller in BOTH {
            for callee in ["order", "till"] {
                let calls = move |cx: Context, _| async move { cx.call_named(callee, old()).await };
                let own = format!("calls_{callee}_{}", if caller == BOTH[0] { "e" } else { "d" });
                facade.register(Scripted::either(caller, &own, calls)).await.unwrap();
                let error = facade.orchestrate(&own, acme(), json!(null)).await.unwrap_err();
                assert_eq!(named(&error), ["/amount", "/count"], "{own} -> {durability:?}");
            }
        }
        assert_eq!(witness.all(), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_deeper_than_the_limit_are_refused_by_name() {
    for durability in BOTH {
        let world = World::limited(Limits { depth: 3, ..Limits::default() });
        let (facade, witness) = (world.facade(), Witness::default());
        facade.start(true).await.unwrap();
        let noted = witness.clone();
        let deep = move |cx: Context, request: Value| {
            noted.note(&format!("depth {}", cx.depth()));
            async move { ask(&cx, "deep", request).await }
        };
        facade.register(Scripted::either(durability, "deep", deep)).await.unwrap();
        let error = facade.orchestrate("deep", acme(), json!(null)).await.unwrap_err();
        assert_eq!(error.category(), Category::DepthExceeded);
        assert_eq!(error.component().unwrap().as_str(), "deep");
        assert!(error.message().contains("4 calls deep, the limit is 3"), "{error}");
        assert_eq!(witness.all(), ["depth 0", "depth 1", "depth 2", "depth 3"]);
    }
    assert_eq!(Limits::default().depth, 16);
}

/// Calls whoever the request names, and the rest of the list from there.
fn relay(text: &str, layer: Layer, durability: Durability, witness: &Witness) -> Scripted {
    let (witness, own) = (witness.clone(), text.to_owned());
    let passes_on = move |cx: Context, request: Value| {
        witness.note(&own);
        async move {
            let mut names: Vec<String> = serde_json::from_value(request).unwrap();
            if names.is_empty() {
                return done(cx.origin().unwrap().name());
            }
            let next = names.remove(0);
            ask(&cx, &next, names).await
        }
    };
    Scripted::either(durability, text, passes_on).layer(layer)
}

async fn layers(durability: Durability) -> (Facade, Witness) {
    let (facade, witness) = (World::new().facade(), Witness::default());
    facade.start(true).await.unwrap();
    for layer in Layer::ALL {
        for number in [1, 2] {
            let text = format!("{}{number}", layer.name());
            facade.register(relay(&text, layer, durability, &witness)).await.unwrap();
        }
    }
    (facade, witness)
}

#[tokio::test(start_paused = true)]
async fn a_call_upwards_is_refused_by_name_before_anything_runs() {
    for durability in BOTH {
        let (facade, witness) = layers(durability).await;
        for (from, to) in [
            ("infrastructure1", "application1"),
            ("infrastructure1", "domain1"),
            ("application1", "domain1"),
        ] {
            let error = facade.orchestrate(from, acme(), json!([to])).await.unwrap_err();
            assert_eq!(error.category(), Category::UpwardCall);
            assert_eq!(error.component().unwrap().as_str(), to);
            assert_eq!(witness.take(), [from], "only the caller ran");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn calls_down_sideways_and_from_outside_are_allowed() {
    for durability in BOTH {
        let (facade, _) = layers(durability).await;
        for chain in [
            vec!["domain1", "domain2", "application1", "infrastructure1"],
            vec!["application1", "application2", "infrastructure1", "infrastructure2"],
            vec!["infrastructure1", "infrastructure2"],
        ] {
            let result = facade.orchestrate(chain[0], acme(), json!(chain[1..])).await;
            let layer = chain[0].trim_end_matches('1');
            assert_eq!(value(result), layer, "the original caller's layer counts");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn on_behalf_of_a_domain_run_infrastructure_reaches_what_that_run_may_reach() {
    for durability in BOTH {
        let (facade, _) = layers(durability).await;
        let chain = json!(["infrastructure1", "application1", "domain2"]);
        assert_eq!(value(facade.orchestrate("domain1", acme(), chain).await), "domain");

        let (facade, _) = layers(durability).await;
        let chain = json!(["infrastructure1", "domain1"]);
        let result = facade.orchestrate("application1", acme(), chain).await;
        assert_eq!(category(&result), Category::UpwardCall);
    }
}

#[tokio::test(start_paused = true)]
async fn the_original_layer_crosses_from_ephemeral_to_durable_and_back() {
    let (facade, witness) = (World::new().facade(), Witness::default());
    facade.start(true).await.unwrap();
    let mut flip = BOTH.into_iter().cycle();
    for layer in Layer::ALL {
        for number in [1, 2, 3] {
            let text = format!("{}{number}", layer.name());
            let durability = flip.next().unwrap();
            facade.register(relay(&text, layer, durability, &witness)).await.unwrap();
        }
    }
    let chain = json!(["infrastructure1", "infrastructure2", "application1", "domain2"]);
    assert_eq!(value(facade.orchestrate("domain1", acme(), chain).await), "domain");
    for chain in [json!(["infrastructure1", "infrastructure2", "domain1"]), json!(["domain2"])] {
        let result = facade.orchestrate("application1", acme(), chain).await;
        assert_eq!(category(&result), Category::UpwardCall);
    }
}

#[tokio::test(start_paused = true)]
async fn a_background_task_calls_with_the_rights_of_its_orchestrators_layer() {
    let (facade, witness) = layers(Durability::Ephemeral).await;
    let noted = witness.clone();
    let watcher = Scripted::ephemeral("watcher", |_, v| async { done(v) })
        .layer(Layer::Infrastructure)
        .start(move |tasks| {
            let cx = tasks.context(acme().tenant().clone()).unwrap();
            let noted = noted.clone();
            tasks.spawn("watch", move |_| {
                let (cx, noted) = (cx.clone(), noted.clone());
                async move {
                    let up = ask(&cx, "domain1", json!([])).await;
                    let down = ask(&cx, "infrastructure1", json!([])).await;
                    noted.note(&format!("{} {}", category(&up), value(down)));
                }
            });
            Ok(())
        });
    facade.register(watcher).await.unwrap();
    crate::fixtures::settle().await;
    assert_eq!(witness.all(), ["infrastructure1", "upward_call \"infrastructure\""]);
}

#[tokio::test(start_paused = true)]
async fn typed_calls_to_an_ephemeral_orchestrator_pay_no_json() {
    /// A request that cannot be written as JSON.
    #[derive(Debug, Deserialize, JsonSchema)]
    struct Raw(u32);
    impl Serialize for Raw {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("was written as JSON"))
        }
    }
    impl Request for Raw {
        const CALLEE: &'static str = "raw";
        type Response = Raw;
    }
    struct Doubles;
    impl Orchestrator for Doubles {
        type Request = Raw;
        fn descriptor(&self) -> Descriptor {
            Descriptor { name: name("raw"), ..Shop(BOTH[0], Witness::default()).descriptor() }
        }
        async fn orchestrate(&self, _: &Context, request: Raw) -> StepResult<Raw> {
            Ok(Outcome::succeeded(Raw(request.0 * 2)))
        }
    }
    let facade = World::new().facade();
    facade.register(Doubles).await.unwrap();
    let answer = facade.call(acme(), Raw(21)).await.unwrap();
    assert_eq!(answer.value().unwrap().0, 42);
    let caller = |cx: Context, _| async move { done(cx.call(Raw(4)).value().await?.0) };
    facade.register(Scripted::ephemeral("caller", caller)).await.unwrap();
    assert_eq!(value(facade.orchestrate("caller", acme(), json!(null)).await), 8);
}
