//! A run failed late and for a reason that is gone now: a fork takes over what was finished before
//! a step, and goes on from there without paying for it again.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use consort::prelude::*;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Print {
    page: u32,
}

impl Request for Print {
    const CALLEE: &'static str = "print";
    type Response = u32;
}

#[derive(Clone, Default)]
struct Printer {
    has_paper: Arc<AtomicBool>,
    printed: Arc<AtomicU32>,
}

impl Capability for Printer {
    type Request = Print;

    fn descriptor(&self) -> CapabilityDescriptor {
        CapabilityDescriptor {
            name: Name::new("print").expect("a valid name"),
            version: Version::new(1, 0, 0),
            effect: Effect::Idempotent,
            recompute: false,
            purpose: "Prints a page".into(),
        }
    }

    async fn invoke(&self, _cx: &StepContext, request: Print) -> StepResult<u32> {
        if request.page == 3 && !self.has_paper.load(Ordering::SeqCst) {
            return Err(StepError::new(Category::ProcessingFailed, "out of paper"));
        }
        self.printed.fetch_add(1, Ordering::SeqCst);
        Ok(Outcome::succeeded(request.page))
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Leaflet;

impl Request for Leaflet {
    const CALLEE: &'static str = "leaflet";
    type Response = u32;
}

struct Leaflets;

impl Orchestrator for Leaflets {
    type Request = Leaflet;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: Name::new("leaflet").expect("a valid name"),
            version: Version::new(1, 0, 0),
            layer: Layer::Domain,
            kind: Kind::Sequential,
            durability: Durability::Durable,
            purpose: "Prints four pages".into(),
        }
    }

    async fn orchestrate(&self, cx: &Context, _request: Leaflet) -> StepResult<u32> {
        let mut last = 0;
        for page in 1..=4 {
            last = cx.call(Print { page }).value().await?;
        }
        Ok(Outcome::succeeded(last))
    }
}

/// Runs the example.
#[tokio::main]
pub(crate) async fn main() -> Result<(), StepError> {
    let printer = Printer::default();
    let consort =
        Consort::builder().capability(printer.clone()).orchestrator(Leaflets).build().await?;
    let facade = consort.facade();
    let run = facade.start_run("leaflet", Context::default(), json!(null)).await?;
    let id = run.id().expect("it was accepted").clone();
    assert!(run.await.is_err());

    printer.has_paper.store(true, Ordering::SeqCst);
    // Positions count from 0, so page 3 is step 2. `consort show RUN` lists them.
    let outcome = facade.fork(&id, 2, None).await?.await?;
    assert_eq!(outcome.value(), Some(&json!(4)));
    assert_eq!(printer.printed.load(Ordering::SeqCst), 4); // Pages 1 and 2 only once.
    consort.close().await?;
    Ok(())
}
