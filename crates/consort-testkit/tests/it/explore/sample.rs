//! A shop to explore: capabilities of every class, and what orchestrators are made of.

use std::sync::atomic::{AtomicU32, Ordering};

use consort_core::{
    Capability, CapabilityDescriptor, Category, Context, Descriptor, Durability, Effect, Kind,
    Layer, Name, Orchestrator, Request, StepContext, StepError, StepResult, Version,
};
use consort_testkit::explore::World;
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! request {
    ($name:ident { $($field:ident: $type:ty),* } => $callee:literal, $response:ty) => {
        #[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
        pub(super) struct $name { $(pub(super) $field: $type),* }
        impl Request for $name {
            const CALLEE: &'static str = $callee;
            type Response = $response;
        }
    };
}

request!(Charge { order: String, cents: u64 } => "charge", String);
request!(Mail { to: String, text: String } => "mail", String);
request!(Price { item: String } => "price", u64);
request!(Look { item: String } => "look", u64);
request!(Buy { order: String } => "buy", String);
request!(Pack { order: String } => "pack", String);

fn capability(name: &str, effect: Effect) -> CapabilityDescriptor {
    CapabilityDescriptor {
        name: Name::new(name).expect("a name"),
        version: Version::new(1, 0, 0),
        effect,
        recompute: false,
        purpose: "a part of the shop".into(),
    }
}

pub(super) fn orchestrator(name: &str) -> Descriptor {
    Descriptor {
        name: Name::new(name).expect("a name"),
        version: Version::new(1, 0, 0),
        layer: Layer::Domain,
        kind: Kind::Sequential,
        durability: Durability::Durable,
        purpose: "a part of the shop".into(),
    }
}

/// Takes money. Whether it honours idempotency keys is not what its class says, but `honest`.
pub(super) struct Till {
    pub(super) world: World,
    pub(super) class: Effect,
    pub(super) honest: bool,
}

impl Capability for Till {
    type Request = Charge;
    fn descriptor(&self) -> CapabilityDescriptor {
        capability("charge", self.class)
    }
    async fn invoke(&self, cx: &StepContext, request: Charge) -> StepResult<String> {
        let what = format!("charged {}", request.order);
        if self.honest {
            self.world.effect_once(cx.idempotency_key(), what);
        } else {
            self.world.effect(what);
        }
        Ok(format!("receipt for {} of {}", request.cents, request.order).into())
    }
}

/// Sends mail, at the third attempt in every process.
pub(super) struct Post {
    pub(super) world: World,
    pub(super) failures: u32,
}

impl Capability for Post {
    type Request = Mail;
    fn descriptor(&self) -> CapabilityDescriptor {
        capability("mail", Effect::Idempotent)
    }
    async fn invoke(&self, cx: &StepContext, request: Mail) -> StepResult<String> {
        if cx.attempt() <= self.failures {
            return Err(StepError::new(Category::Network, "the line is busy"));
        }
        self.world.effect_once(cx.idempotency_key(), format!("mailed {}", request.to));
        Ok(request.text.into())
    }
}

/// Knows prices. A dishonest list counts how often it was asked.
#[derive(Default)]
pub(super) struct List {
    pub(super) asked: AtomicU32,
    pub(super) moody: bool,
}

impl Capability for List {
    type Request = Price;
    fn descriptor(&self) -> CapabilityDescriptor {
        capability("price", Effect::Pure)
    }
    async fn invoke(&self, _: &StepContext, request: Price) -> StepResult<u64> {
        let asked = if self.moody { self.asked.fetch_add(1, Ordering::SeqCst) } else { 0 };
        Ok((request.item.len() as u64 + u64::from(asked)).into())
    }
}

/// A pause that holds no step: what a capability may do and an orchestrator may not.
pub(super) struct Shelf;

impl Capability for Shelf {
    type Request = Look;
    fn descriptor(&self) -> CapabilityDescriptor {
        capability("look", Effect::Read)
    }
    async fn invoke(&self, _: &StepContext, request: Look) -> StepResult<u64> {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        Ok((request.item.len() as u64).into())
    }
}

type Body = for<'a> fn(&'a Shop, &'a Context, Buy) -> BoxFuture<'a, StepResult<String>>;

/// An orchestrator whose body a test supplies.
pub(super) struct Shop {
    pub(super) world: World,
    /// State in memory: what an orchestrator must not rely on.
    pub(super) memory: AtomicU32,
    pub(super) body: Body,
    pub(super) tidy: fn(&World, &Context),
    pub(super) version: u64,
}

impl Shop {
    pub(super) fn new(world: &World, body: Body) -> Self {
        let memory = AtomicU32::new(0);
        Self { world: world.clone(), memory, body, tidy: |_, _| {}, version: 1 }
    }
}

impl Orchestrator for Shop {
    type Request = Buy;
    fn descriptor(&self) -> Descriptor {
        Descriptor { version: Version::new(self.version, 0, 0), ..orchestrator("buy") }
    }
    async fn orchestrate(&self, cx: &Context, request: Buy) -> StepResult<String> {
        (self.body)(self, cx, request).await
    }
    async fn cleanup(&self, cx: &Context) -> Result<(), StepError> {
        (self.tidy)(&self.world, cx);
        Ok(())
    }
}

/// A child: packs what was bought.
pub(super) struct Packer;

impl Orchestrator for Packer {
    type Request = Pack;
    fn descriptor(&self) -> Descriptor {
        orchestrator("pack")
    }
    async fn orchestrate(&self, cx: &Context, request: Pack) -> StepResult<String> {
        let found = cx.call(Look { item: request.order.clone() }).value().await?;
        cx.sleep(std::time::Duration::from_secs(3600)).await?;
        let text = format!("{found} packed");
        cx.call(Mail { to: "store".into(), text }).value().await.map(Into::into)
    }
}
