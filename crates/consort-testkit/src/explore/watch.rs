//! The witness: wrapped around orchestrators and capabilities, it sees what they are asked to do.

use consort_core::{
    Admission, Capability, CapabilityDescriptor, Context, Descriptor, Orchestrator, Request,
    Response, Spend, StepContext, StepError, StepResult, TaskScope,
};
use serde::Serialize;
use serde_json::Value;

use super::world::{Call, World};

/// An orchestrator whose `cleanup` is counted.
pub(super) struct Watched<O> {
    pub(super) inner: O,
    pub(super) world: World,
}

impl<O: Orchestrator> Orchestrator for Watched<O> {
    type Request = O::Request;

    fn descriptor(&self) -> Descriptor {
        self.inner.descriptor()
    }

    async fn orchestrate(
        &self,
        cx: &Context,
        request: Self::Request,
    ) -> StepResult<Response<Self>> {
        self.inner.orchestrate(cx, request).await
    }

    async fn can_orchestrate(
        &self,
        cx: &Context,
        request: &Self::Request,
    ) -> Result<Admission, StepError> {
        self.inner.can_orchestrate(cx, request).await
    }

    async fn cleanup(&self, cx: &Context) -> Result<(), StepError> {
        let result = self.inner.cleanup(cx).await;
        if let Some(run) = cx.run_id() {
            self.world.see(|seen| *seen.cleanups.entry(run.clone()).or_default() += 1);
        }
        result
    }

    async fn start(&self, tasks: &TaskScope) -> Result<(), StepError> {
        self.inner.start(tasks).await
    }

    async fn stop(&self) {
        self.inner.stop().await;
    }
}

/// A capability whose calls are counted.
pub(super) struct Witnessed<C> {
    pub(super) inner: C,
    pub(super) world: World,
}

impl<C: Capability> Capability for Witnessed<C> {
    type Request = C::Request;

    fn descriptor(&self) -> CapabilityDescriptor {
        self.inner.descriptor()
    }

    fn bound(&self, request: &Self::Request) -> Spend {
        self.inner.bound(request)
    }

    async fn invoke(
        &self,
        cx: &StepContext,
        request: Self::Request,
    ) -> StepResult<<Self::Request as Request>::Response> {
        let descriptor = self.inner.descriptor();
        let (key, asked) = (cx.idempotency_key().to_owned(), json(&request));
        let place = self.world.see(|seen| {
            let too_late = seen.finished.contains(&key);
            let (callee, effect) = (descriptor.name.to_string(), descriptor.effect);
            seen.calls.push(Call { callee, effect, key, request: asked, answer: None, too_late });
            seen.calls.len() - 1
        });
        let result = self.inner.invoke(cx, request).await;
        if let (Some(place), Ok(outcome)) = (place, &result) {
            let answer = outcome.value().map(json);
            self.world.see(|seen| seen.calls[place].answer = answer);
        }
        result
    }
}

fn json(value: &impl Serialize) -> Value {
    // What cannot be written as JSON fails in the engine as well.
    serde_json::to_value(value).unwrap_or_default()
}
