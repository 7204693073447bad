//! What a capability does to the world decides what happens after a crash: `once` is never
//! repeated, `idempotent` is repeated under the same key.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use consort::prelude::*;

/// What reached the world.
type World = Arc<Mutex<Vec<String>>>;

/// `pay` takes a key, so it may be repeated. `fax` cannot: it is of class `once`.
struct Office {
    name: &'static str,
    effect: Effect,
    world: World,
    power_cut: Arc<AtomicBool>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Do {
    what: String,
}

impl Request for Do {
    const CALLEE: &'static str = "office"; // The shape of both; they are called by name.
    type Response = ();
}

impl Capability for Office {
    type Request = Do;

    fn descriptor(&self) -> CapabilityDescriptor {
        CapabilityDescriptor {
            name: Name::new(self.name).expect("a valid name"),
            version: Version::new(1, 0, 0),
            effect: self.effect,
            recompute: false,
            purpose: "Does something outside".into(),
        }
    }

    async fn invoke(&self, cx: &StepContext, request: Do) -> StepResult<()> {
        let line = match self.effect {
            Effect::Once => request.what,
            // The receiver knows the key and acts on it only once.
            _ => format!("{} (key ends in {})", request.what, tail(cx.idempotency_key())),
        };
        self.world.lock().expect("nobody panics while holding it").push(line);
        if self.power_cut.load(Ordering::SeqCst) {
            std::future::pending::<()>().await; // It happened, but nobody hears of it.
        }
        Ok(Outcome::succeeded(()))
    }
}

fn tail(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or_default()
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Settle;

impl Request for Settle {
    const CALLEE: &'static str = "settle";
    type Response = String;
}

struct Settlement;

impl Orchestrator for Settlement {
    type Request = Settle;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: Name::new("settle").expect("a valid name"),
            version: Version::new(1, 0, 0),
            layer: Layer::Domain,
            kind: Kind::Parallel,
            durability: Durability::Durable,
            purpose: "Pays and tells".into(),
        }
    }

    async fn orchestrate(&self, cx: &Context, _request: Settle) -> StepResult<String> {
        let paid = cx.call_named("pay", Do { what: "pay".into() });
        let told = cx.call_named("fax", Do { what: "fax".into() });
        let (paid, told) = (paid.await?, told.await?);
        let doubt = matches!(told, Outcome::Uncertain { .. });
        Ok(Outcome::succeeded(format!("paid: {}, doubt: {doubt}", paid.value().is_some())))
    }
}

async fn process(store: &std::path::Path, world: &World, cut: bool) -> Result<Consort, StepError> {
    let office = |name, effect| Office {
        name,
        effect,
        world: world.clone(),
        power_cut: Arc::new(AtomicBool::new(cut)),
    };
    Consort::builder()
        .store(store)
        .capability(office("pay", Effect::Idempotent))
        .capability(office("fax", Effect::Once))
        .orchestrator(Settlement)
        .build()
        .await
}

/// Runs the example.
#[tokio::main]
pub(crate) async fn main() -> Result<(), StepError> {
    let folder = std::env::temp_dir().join(format!("consort-effects-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a writable temporary folder");
    let (store, world) = (folder.join("runs.db"), World::default());

    let first = process(&store, &world, true).await?;
    let run = first.facade().start_run("settle", Context::default(), json!(null)).await?;
    let id = run.id().expect("it was accepted").clone();
    while world.lock().expect("nobody panics while holding it").len() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    first.suspend().await?; // The process could as well have been killed.

    let second = process(&store, &world, false).await?;
    let outcome = second.facade().attach_to(&id).await?.await?;
    assert_eq!(outcome.value(), Some(&json!("paid: true, doubt: true")));
    second.close().await?;
    let mut seen = world.lock().expect("nobody panics while holding it").clone();
    seen.sort();
    assert_eq!(seen, ["fax", "pay (key ends in 0)", "pay (key ends in 0)"]);
    std::fs::remove_dir_all(&folder).expect("our own folder");
    Ok(())
}
