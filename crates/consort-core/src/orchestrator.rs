//! What an author writes: a request, an orchestrator, a capability. And their object-safe twins.

use std::{
    any::Any,
    future::{Future, Ready, ready},
    sync::Arc,
};

use futures_util::{FutureExt, future::BoxFuture};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    CapabilityDescriptor, Category, Context, Descriptor, Outcome, Spend, StepContext, StepError,
    StepResult, TaskScope, guard::Reach,
};

/// The request of an orchestrator or capability. Its type is its address.
pub trait Request: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// The name of whoever answers. A shape shared by several callees goes through
    /// [`Context::call_named`].
    const CALLEE: &'static str;
    /// What comes back.
    type Response: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static;
}

/// The response type of an orchestrator.
pub type Response<O> = <<O as Orchestrator>::Request as Request>::Response;

/// Whether an orchestrator takes a request on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It does.
    Accept,
    /// It does not, for this reason. Not a failure: the caller gets a skipped outcome.
    Decline(String),
}

/// A named, versioned unit of work that composes capabilities and other orchestrators.
///
/// A durable orchestrator computes only from its request and the results of its steps, and
/// awaits nothing but steps; then its runs survive the process.
pub trait Orchestrator: Send + Sync + 'static {
    /// What it is asked.
    type Request: Request;

    /// Who it is. Read once, at registration.
    fn descriptor(&self) -> Descriptor;

    /// Does the work.
    fn orchestrate(
        &self,
        cx: &Context,
        request: Self::Request,
    ) -> impl Future<Output = StepResult<Response<Self>>> + Send
    where
        Self: Sized;

    /// Declining is an answer, not an error. Runs before anything is recorded; may look at the
    /// world, must not change it.
    fn can_orchestrate(
        &self,
        cx: &Context,
        request: &Self::Request,
    ) -> impl Future<Output = Result<Admission, StepError>> + Send {
        let _ = (cx, request);
        ready(Ok(Admission::Accept))
    }

    /// After every run that ended, whatever its outcome, panic and cancellation included: once in
    /// a living process, at least once across crashes. Bounded in time. Never a shutdown.
    fn cleanup(&self, cx: &Context) -> impl Future<Output = Result<(), StepError>> + Send {
        let _ = cx;
        ready(Ok(()))
    }

    /// Once per registration, before the first run. Background tasks belong to `tasks` and end
    /// with it.
    fn start(&self, tasks: &TaskScope) -> impl Future<Output = Result<(), StepError>> + Send {
        let _ = tasks;
        ready(Ok(()))
    }

    /// Once per registration, after the last run and after the background tasks have ended.
    fn stop(&self) -> impl Future<Output = ()> + Send {
        ready(())
    }
}

/// A leaf that touches the world: fetch, search, store, compute.
pub trait Capability: Send + Sync + 'static {
    /// What it is asked.
    type Request: Request;

    /// Who it is and what it does to the world. Read once, at registration.
    fn descriptor(&self) -> CapabilityDescriptor;

    /// The most that this request can cost. Reserved from the run's budget before the call; what
    /// is not spent returns. One call and nothing else by default.
    fn bound(&self, request: &Self::Request) -> Spend {
        let _ = request;
        Spend::CALL
    }

    /// What this request reaches, for the guards' records. Must not block.
    fn reach(&self, request: &Self::Request) -> Reach {
        let _ = request;
        Reach::Callee
    }

    /// Does the work once. Called again for a retry, with the same idempotency key.
    fn invoke(
        &self,
        cx: &StepContext,
        request: Self::Request,
    ) -> impl Future<Output = StepResult<<Self::Request as Request>::Response>> + Send
    where
        Self: Sized;
}

/// A request on its way to an orchestrator, and the response on its way back.
pub(crate) struct Exchange<R: Request> {
    request: Option<R>,
    response: Option<R::Response>,
}

impl<R: Request> Exchange<R> {
    pub(crate) fn new(request: R) -> Self {
        Self { request: Some(request), response: None }
    }

    /// The response that was left here.
    pub(crate) fn response(&mut self) -> Result<R::Response, StepError> {
        self.response.take().ok_or_else(wrong_type)
    }
}

/// An [`Exchange`] whose type only its owner knows.
pub(crate) type Opaque = dyn Any + Send + Sync;

/// The object-safe twin of [`Orchestrator`].
pub(crate) trait DynOrchestrator: Send + Sync {
    fn decode(&self, request: Value) -> Result<Box<Opaque>, StepError>;
    /// The answer of `can_orchestrate` where it takes no waiting, as by default.
    fn admit_at_once(
        &self,
        cx: &Context,
        exchange: &Opaque,
    ) -> Option<Result<Admission, StepError>>;
    fn admit<'a>(
        &'a self,
        cx: &'a Context,
        exchange: &'a Opaque,
    ) -> BoxFuture<'a, Result<Admission, StepError>>;
    /// Leaves the response in `exchange`.
    fn run<'a>(
        &'a self,
        cx: &'a Context,
        exchange: &'a mut Opaque,
    ) -> BoxFuture<'a, StepResult<()>>;
    fn run_json(
        self: Arc<Self>,
        cx: Context,
        request: Value,
    ) -> BoxFuture<'static, StepResult<Value>>;
    fn encode(&self, exchange: &mut Opaque) -> Result<Value, StepError>;
    /// The answer of `cleanup` where it takes no waiting, as by default.
    fn cleanup_at_once(&self, cx: &Context) -> Option<Result<(), StepError>>;
    fn cleanup(self: Arc<Self>, cx: Context) -> BoxFuture<'static, Result<(), StepError>>;
    fn start<'a>(&'a self, tasks: &'a TaskScope) -> BoxFuture<'a, Result<(), StepError>>;
    fn stop(&self) -> BoxFuture<'_, ()>;
}

// The author's function is called inside each future, so that a panic before its first `await` is
// contained like any other.
impl<O: Orchestrator> DynOrchestrator for O {
    fn decode(&self, request: Value) -> Result<Box<Opaque>, StepError> {
        Ok(Box::new(Exchange::new(decode::<O::Request>(request)?)))
    }

    fn admit_at_once(
        &self,
        cx: &Context,
        exchange: &Opaque,
    ) -> Option<Result<Admission, StepError>> {
        match asked::<O::Request>(exchange) {
            Ok(request) => at_once(|| self.can_orchestrate(cx, request)),
            Err(error) => Some(Err(error)),
        }
    }

    fn admit<'a>(
        &'a self,
        cx: &'a Context,
        exchange: &'a Opaque,
    ) -> BoxFuture<'a, Result<Admission, StepError>> {
        match asked::<O::Request>(exchange) {
            Ok(request) => Box::pin(async move { self.can_orchestrate(cx, request).await }),
            Err(error) => Box::pin(ready(Err(error))),
        }
    }

    fn run<'a>(
        &'a self,
        cx: &'a Context,
        exchange: &'a mut Opaque,
    ) -> BoxFuture<'a, StepResult<()>> {
        Box::pin(async move {
            let exchange =
                exchange.downcast_mut::<Exchange<O::Request>>().ok_or_else(wrong_type)?;
            let request = exchange.request.take().ok_or_else(wrong_type)?;
            let outcome = self.orchestrate(cx, request).await?;
            Ok(outcome.map(|response| exchange.response = Some(response)))
        })
    }

    fn run_json(
        self: Arc<Self>,
        cx: Context,
        request: Value,
    ) -> BoxFuture<'static, StepResult<Value>> {
        Box::pin(async move {
            let request = decode::<O::Request>(request)?;
            self.orchestrate(&cx, request).await?.try_map(|response| encode(&response))
        })
    }

    fn encode(&self, exchange: &mut Opaque) -> Result<Value, StepError> {
        let exchange = exchange.downcast_mut::<Exchange<O::Request>>().ok_or_else(wrong_type)?;
        encode(&exchange.response()?)
    }

    fn cleanup_at_once(&self, cx: &Context) -> Option<Result<(), StepError>> {
        at_once(|| Orchestrator::cleanup(self, cx))
    }

    fn cleanup(self: Arc<Self>, cx: Context) -> BoxFuture<'static, Result<(), StepError>> {
        Box::pin(async move { Orchestrator::cleanup(&*self, &cx).await })
    }

    fn start<'a>(&'a self, tasks: &'a TaskScope) -> BoxFuture<'a, Result<(), StepError>> {
        Box::pin(async move { Orchestrator::start(self, tasks).await })
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move { Orchestrator::stop(self).await })
    }
}

/// The object-safe twin of [`Capability`].
pub(crate) trait DynCapability: Send + Sync {
    fn bound(&self, request: &Value) -> Result<Spend, StepError>;
    fn reach(&self, request: &Value) -> Result<Reach, StepError>;
    fn invoke(
        self: Arc<Self>,
        cx: StepContext,
        request: Value,
    ) -> BoxFuture<'static, StepResult<Value>>;
}

impl<C: Capability> DynCapability for C {
    fn bound(&self, request: &Value) -> Result<Spend, StepError> {
        Ok(Capability::bound(self, &decode_ref::<C::Request>(request)?))
    }

    fn reach(&self, request: &Value) -> Result<Reach, StepError> {
        Ok(Capability::reach(self, &decode_ref::<C::Request>(request)?))
    }

    fn invoke(
        self: Arc<Self>,
        cx: StepContext,
        request: Value,
    ) -> BoxFuture<'static, StepResult<Value>> {
        Box::pin(async move {
            let request = decode::<C::Request>(request)?;
            let outcome = Capability::invoke(&*self, &cx, request).await?;
            outcome.try_map(|response| encode(&response))
        })
    }
}

fn asked<R: Request>(exchange: &Opaque) -> Result<&R, StepError> {
    let exchange = exchange.downcast_ref::<Exchange<R>>();
    exchange.and_then(|exchange| exchange.request.as_ref()).ok_or_else(wrong_type)
}

/// What a future of the type [`Ready`] has, as the provided methods return it: such a one needs no
/// box. Any other is not even made.
fn at_once<F: Future>(make: impl FnOnce() -> F) -> Option<F::Output> {
    let known = typeid::of::<F>() == typeid::of::<Ready<F::Output>>();
    if known { make().now_or_never() } else { None }
}

fn wrong_type() -> StepError {
    StepError::new(Category::Internal, "a typed call reached an orchestrator of another type")
}

pub(crate) fn decode<T: DeserializeOwned>(value: Value) -> Result<T, StepError> {
    serde_json::from_value(value).map_err(|error| mismatch(&error))
}

fn decode_ref<T: DeserializeOwned>(value: &Value) -> Result<T, StepError> {
    T::deserialize(value).map_err(|error| mismatch(&error))
}

fn mismatch(error: &serde_json::Error) -> StepError {
    StepError::new(Category::InvalidRequest, "the JSON does not have the expected shape")
        .because(error)
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Value, StepError> {
    serde_json::to_value(value).map_err(|error| {
        StepError::new(Category::Internal, "a value cannot be written as JSON").because(&error)
    })
}

/// A response decoded from what a step recorded.
pub(crate) fn decode_outcome<T: DeserializeOwned>(
    outcome: Outcome<Value>,
) -> Result<Outcome<T>, StepError> {
    outcome.try_map(decode)
}
