//! What is called: nothing at all, some work, and a wait.

use std::{hint::black_box, sync::Arc};

use consort_core::{
    Capability, CapabilityDescriptor, Context, Descriptor, Durability, Effect, Facade, Kind, Layer,
    Limits, Name, Orchestrator, Request, StepContext, StepError, StepResult, Version,
    journal::Journal,
};
use consort_durable::MemoryJournal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! request {
    ($name:ident { $($field:ident: $type:ty),* } => $callee:literal, $response:ty) => {
        #[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
        pub(crate) struct $name { $(pub(crate) $field: $type),* }
        impl Request for $name {
            const CALLEE: &'static str = $callee;
            type Response = $response;
        }
    };
}

request!(Ping { number: u64 } => "ping", u64);
request!(Toil { rounds: u32 } => "toil", u64);
request!(Nest { calls: u64 } => "nest", u64);
request!(Noop { number: u64 } => "noop", u64);
request!(Series { steps: u64 } => "series", u64);
request!(Waiting { number: u64 } => "waiting", u64);

fn describe(name: &str, durability: Durability) -> Descriptor {
    Descriptor {
        name: Name::new(name).expect("a name"),
        version: Version::new(1, 0, 0),
        layer: Layer::Application,
        kind: Kind::Sequential,
        durability,
        purpose: "is measured".into(),
    }
}

/// Work that takes a fixed number of rounds. The same code for all who call it: where a loop lies
/// in memory is worth more than what is measured around it.
#[inline(never)]
pub(crate) fn toil(rounds: u32) -> u64 {
    (0..rounds).fold(1, |sum: u64, round| {
        black_box(sum ^ u64::from(round)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

macro_rules! orchestrator {
    ($name:ident, $request:ident, $durability:ident, |$cx:ident, $asked:ident| $body:block) => {
        pub(crate) struct $name;
        impl Orchestrator for $name {
            type Request = $request;
            fn descriptor(&self) -> Descriptor {
                describe($request::CALLEE, Durability::$durability)
            }
            async fn orchestrate(&self, $cx: &Context, $asked: $request) -> StepResult<u64> $body
        }
    };
}

orchestrator!(Pong, Ping, Ephemeral, |_cx, asked| { Ok((asked.number + 1).into()) });

orchestrator!(Toiler, Toil, Ephemeral, |_cx, asked| { Ok(toil(asked.rounds).into()) });

// Calls from within a run, which need no ticket of their own.
orchestrator!(Nester, Nest, Ephemeral, |cx, asked| {
    let mut sum = 0;
    for number in 0..asked.calls {
        sum += cx.call(Ping { number }).value().await?;
    }
    Ok(sum.into())
});

orchestrator!(Sequence, Series, Durable, |cx, asked| {
    let mut sum = 0;
    for number in 0..asked.steps {
        sum += cx.call(Noop { number }).value().await?;
    }
    Ok(sum.into())
});

orchestrator!(Waiter, Waiting, Durable, |cx, asked| {
    let told: u64 = cx.wait_for("go", None).await?;
    Ok((told + asked.number).into())
});

/// A capability that does nothing, and is recorded all the same.
pub(crate) struct Nothing;

impl Capability for Nothing {
    type Request = Noop;
    fn descriptor(&self) -> CapabilityDescriptor {
        CapabilityDescriptor {
            name: Name::new(Noop::CALLEE).expect("a name"),
            version: Version::new(1, 0, 0),
            effect: Effect::Idempotent,
            recompute: false,
            purpose: "is measured".into(),
        }
    }
    async fn invoke(&self, _: &StepContext, asked: Noop) -> StepResult<u64> {
        Ok((asked.number + 1).into())
    }
}

/// A started facade with everything above.
pub(crate) async fn facade(journal: Arc<dyn Journal>, limits: Limits) -> Result<Facade, StepError> {
    let facade = Facade::builder().limits(limits).build(journal)?;
    furnish(&facade).await?;
    Ok(facade)
}

/// The same in memory.
pub(crate) async fn in_memory(limits: Limits) -> Result<Facade, StepError> {
    facade(Arc::new(MemoryJournal::new()), limits).await
}

pub(crate) async fn furnish(facade: &Facade) -> Result<(), StepError> {
    facade.register_capability(Nothing)?;
    facade.register(Pong).await?;
    facade.register(Toiler).await?;
    facade.register(Nester).await?;
    facade.register(Sequence).await?;
    facade.register(Waiter).await?;
    facade.start(true).await.map(drop)
}
