//! Watching an engine: one typed event per fact, progress included. A slow reader loses the oldest
//! and is told how many.

use consort::{
    core::events::{Event, Heard},
    prelude::*,
};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Climb {
    steps: u32,
}

impl Request for Climb {
    const CALLEE: &'static str = "climb";
    type Response = ();
}

struct Climber;

impl Orchestrator for Climber {
    type Request = Climb;

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            name: Name::new("climb").expect("a valid name"),
            version: Version::new(1, 0, 0),
            layer: Layer::Domain,
            kind: Kind::Sequential,
            durability: Durability::Ephemeral,
            purpose: "Climbs".into(),
        }
    }

    async fn orchestrate(&self, cx: &Context, request: Climb) -> StepResult<()> {
        for step in 1..=request.steps {
            cx.progress(step, request.steps, "climbing");
        }
        Ok(Outcome::succeeded(()))
    }
}

/// Runs the example.
#[tokio::main]
pub(crate) async fn main() -> Result<(), StepError> {
    let consort = Consort::builder().orchestrator(Climber).build().await?;
    let mut events = consort.facade().events();
    consort.facade().call(Context::default(), Climb { steps: 3 }).await?;
    let mut progress = 0;
    while let Some(Heard::Event(event)) = events.try_next() {
        progress += u32::from(matches!(*event, Event::Progress { .. }));
    }
    assert_eq!(progress, 3);
    consort.close().await?;
    Ok(())
}
