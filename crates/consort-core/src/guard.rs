//! Guards: checks and policies around runs and steps, and the trace that they leave.

use std::{borrow::Cow, fmt};

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Descriptor, Effect, Name, RequestId, StepError, StepResult, TenantId, time::Deadline};

/// A guard that did something: the same name in the result, the journal and the metrics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fired {
    /// The guard, e.g. `retry`.
    pub guard: Cow<'static, str>,
    /// What it did, e.g. `2 attempts failed before`.
    pub did: String,
}

impl Fired {
    /// `guard` did `did`.
    pub fn new(guard: impl Into<Cow<'static, str>>, did: impl Into<String>) -> Self {
        Self { guard: guard.into(), did: did.into() }
    }
}

/// One guard as [`describe`](StepGuards::describe) shows it, outermost first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuardInfo {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Its settings, in words.
    pub settings: String,
}

impl GuardInfo {
    /// A guard called `name` with `settings`.
    pub fn new(name: impl Into<Cow<'static, str>>, settings: impl Into<String>) -> Self {
        Self { name: name.into(), settings: settings.into() }
    }
}

/// What a [`RunGuard`] may look at.
#[derive(Clone, Copy, Debug)]
pub struct RunCall<'a> {
    /// Whose work it is.
    pub tenant: &'a TenantId,
    /// The caller's name for the request.
    pub request: &'a RequestId,
    /// Who is called.
    pub callee: &'a Descriptor,
    /// Calls above this one in the run tree.
    pub depth: u16,
    /// True for a call from outside any run.
    pub root: bool,
}

/// A check before a run starts, such as authorisation or shedding. Must not block.
pub trait RunGuard: Send + Sync + fmt::Debug + 'static {
    /// Its name, used wherever it fires.
    fn name(&self) -> &'static str;

    /// Lets the call pass.
    ///
    /// # Errors
    ///
    /// The refusal, which becomes the answer of the call; nothing runs.
    fn check(&self, call: &RunCall<'_>) -> Result<(), StepError>;
}

/// What a request reaches, so that guards can keep a record of each.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Nothing outside this process, or only what it can rely on, such as its own files.
    Here,
    /// Whatever the capability stands for: one outside party for all requests.
    Callee,
    /// One of several outside parties, such as the host of an address. Its failures say nothing
    /// about the others.
    Endpoint(String),
}

/// What [`StepGuards`] may look at.
#[derive(Clone, Debug)]
pub struct StepCall {
    /// Whose work it is.
    pub tenant: TenantId,
    /// The capability.
    pub callee: Name,
    /// What it does to the world.
    pub effect: Effect,
    /// What this request reaches.
    pub reach: Reach,
    /// Of the run.
    pub deadline: Option<Deadline>,
    /// Asked for by the caller, for the whole step.
    pub timeout: Option<std::time::Duration>,
    /// The most attempts that the caller wants, where it says so.
    pub attempts: Option<u32>,
}

/// One attempt at a step; called again for each further attempt, with its number from 1.
pub type Attempt<'a> = dyn Fn(u32) -> BoxFuture<'a, StepResult<Value>> + Send + Sync + 'a;

/// How a step ended, with what the guards did.
#[derive(Clone, Debug)]
pub struct Guarded {
    /// The final result: the only one that is journaled.
    pub result: StepResult<Value>,
    /// Attempts made; 0 when a guard refused before the first.
    pub attempts: u32,
    /// Guards that fired, in order. A failure tells them too.
    pub fired: Vec<Fired>,
}

/// The guards around every step, as one object: deadline, retry, breaker, attempt time-out.
pub trait StepGuards: Send + Sync + fmt::Debug + 'static {
    /// Runs the step under its guards.
    fn run<'a>(&'a self, call: &'a StepCall, attempt: &'a Attempt<'a>) -> BoxFuture<'a, Guarded>;

    /// The guards around `callee`, outermost first.
    fn describe(&self, callee: &Name, effect: Effect) -> Vec<GuardInfo>;
}
