//! The leaves of the workflows. Those that change the world tell the witness, and nobody else does.

use std::{sync::Arc, time::Duration};

use consort_core::{
    Blob, Capability, CapabilityDescriptor, Category, Effect, Facade, Name, Request, StepContext,
    StepError, StepResult, Version,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::witness::{Note, Witness};

/// Mixes a number; what all work comes down to.
pub(crate) fn mix(number: u64) -> u64 {
    let z = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (z ^ (z >> 27)) & 0xff_ffff_ffff
}

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

request!(Work { number: u64 } => "work", u64);
request!(Flaky { number: u64 } => "flaky", u64);
request!(Pay { number: u64 } => "pay", u64);
request!(Tell { number: u64, length: usize } => "tell", String);
request!(Weigh { body: Blob } => "weigh", u64);
request!(Keep { number: u64, length: usize } => "keep", Blob);
request!(Peek { number: u64 } => "peek", u64);

fn describe(name: &str, effect: Effect) -> CapabilityDescriptor {
    CapabilityDescriptor {
        name: Name::new(name).expect("a name"),
        version: Version::new(1, 0, 0),
        effect,
        recompute: false,
        purpose: "a leaf of the crash test".into(),
    }
}

/// Bytes that follow from a number.
pub(crate) fn bytes(number: u64, length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| b'a' + (mix(number + at / 7) % 26) as u8).collect()
}

/// What bytes weigh.
pub(crate) fn weight(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |sum, byte| mix(sum + u64::from(*byte)))
}

/// All leaves share the witness.
#[derive(Clone)]
struct Leaf(Arc<Witness>);

impl Leaf {
    /// Takes a moment, so that a kill can come in between, and changes the world.
    async fn effect(&self, cx: &StepContext, callee: &str, number: u64) {
        tokio::time::sleep(Duration::from_micros(number % 3000)).await;
        let (key, callee) = (cx.idempotency_key().to_owned(), callee.to_owned());
        self.0.note(&[Note::Effect { key, callee }]);
        tokio::time::sleep(Duration::from_micros(number % 1000)).await;
    }
}

macro_rules! leaf {
    ($leaf:ident, $request:ident, $effect:expr, |$me:ident, $cx:ident, $asked:ident| $body:block) => {
        struct $leaf(Leaf);
        impl Capability for $leaf {
            type Request = $request;
            fn descriptor(&self) -> CapabilityDescriptor {
                describe($request::CALLEE, $effect)
            }
            async fn invoke(
                &self,
                $cx: &StepContext,
                $asked: $request,
            ) -> StepResult<<$request as Request>::Response> {
                let $me = &self.0;
                $body
            }
        }
    };
}

leaf!(Worker, Work, Effect::Idempotent, |leaf, cx, asked| {
    leaf.effect(cx, "work", asked.number).await;
    Ok(mix(asked.number).into())
});

leaf!(Unsteady, Flaky, Effect::Idempotent, |leaf, cx, asked| {
    if u64::from(cx.attempt()) <= asked.number % 3 {
        return Err(StepError::new(Category::Network, "the line is busy"));
    }
    leaf.effect(cx, "flaky", asked.number).await;
    Ok(mix(asked.number).into())
});

leaf!(Payer, Pay, Effect::Once, |leaf, cx, asked| {
    leaf.effect(cx, "pay", asked.number).await;
    Ok(mix(asked.number).into())
});

leaf!(Teller, Tell, Effect::Idempotent, |leaf, cx, asked| {
    leaf.effect(cx, "tell", asked.number).await;
    let text = String::from_utf8(bytes(asked.number, asked.length));
    Ok(text.unwrap_or_default().into())
});

leaf!(Scale, Weigh, Effect::Read, |_leaf, cx, asked| {
    let body = cx.read(&asked.body).await?;
    Ok(weight(&body).into())
});

leaf!(Keeper, Keep, Effect::Idempotent, |leaf, cx, asked| {
    let blob = cx.put(bytes(asked.number, asked.length), "text/plain").await?;
    leaf.effect(cx, "keep", asked.number).await;
    Ok(blob.into())
});

leaf!(Peeker, Peek, Effect::Read, |_leaf, _cx, asked| {
    tokio::time::sleep(Duration::from_millis(asked.number % 40)).await;
    Ok(mix(asked.number).into())
});

/// Capabilities that leave an effect behind whenever they succeed.
pub(crate) const EFFECTS: [&str; 5] = ["work", "flaky", "pay", "tell", "keep"];

pub(crate) fn register(facade: &Facade, witness: &Arc<Witness>) -> Result<(), StepError> {
    let leaf = Leaf(witness.clone());
    facade.register_capability(Worker(leaf.clone()))?;
    facade.register_capability(Unsteady(leaf.clone()))?;
    facade.register_capability(Payer(leaf.clone()))?;
    facade.register_capability(Teller(leaf.clone()))?;
    facade.register_capability(Scale(leaf.clone()))?;
    facade.register_capability(Keeper(leaf.clone()))?;
    facade.register_capability(Peeker(leaf))
}
