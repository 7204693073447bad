//! What `resilience` can be asked, and what it answers.

use consort_core::{
    Request, RunId,
    guard::{Fired, GuardInfo},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{guards::Preset, health::Report};

/// One operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "operation", rename_all = "snake_case")]
pub enum Operate {
    /// Calls somebody under a strategy.
    Execute(Execute),
    /// Everybody's health, or that of one callee with its endpoints.
    Health(OneOrAll),
    /// Holds a callee off until it is released, over restarts too.
    Isolate(Isolate),
    /// Lets calls through again; the first ones are probes.
    Release(One),
    /// Releases a callee, closes its breakers and forgets what was seen of it.
    Reset(One),
    /// Gives a callee other guards, for as long as this process lives. Nothing is forgotten: an
    /// open breaker stays open, waiting calls keep their place.
    Configure(Configure),
    /// The guards around calls to a callee, in their order.
    Describe(One),
}

/// A call under a strategy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Execute {
    /// A capability or orchestrator; with `adaptive_routing` any name for the group of endpoints.
    pub callee: String,
    /// Its request.
    pub request: Value,
    /// How to call. Default `fail_fast`.
    #[serde(default)]
    pub strategy: Strategy,
    /// Tried in this order when `graceful_degrade` or `circuit_breaker` falls back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<Fallback>,
    /// Whom `adaptive_routing` chooses among; all take the same request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<String>,
}

/// How to call. The callee's own guards stand under every strategy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// One attempt; its failure is the answer.
    #[default]
    FailFast,
    /// As many attempts as the callee's guards allow; then the fallbacks. An answer of theirs is
    /// a degraded one, and a failure of the callee all the same.
    GracefulDegrade,
    /// As many attempts as the callee's guards allow.
    Retry,
    /// One attempt. While the breaker refuses, the fallbacks, at once and without touching the
    /// callee.
    CircuitBreaker,
    /// One of the endpoints, by health and load; when it fails in passing, another.
    AdaptiveRouting,
}

/// What to do instead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fallback {
    /// Call somebody else.
    Call {
        /// Whom.
        callee: String,
        /// The request.
        request: Value,
    },
    /// Answer with this.
    Value(Value),
}

/// Hold a callee off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Isolate {
    /// A capability or orchestrator, or `capability/endpoint`.
    pub callee: String,
    /// Why; for whoever finds it held off.
    #[serde(default = "by_hand")]
    pub reason: String,
}

fn by_hand() -> String {
    "by an operator".to_owned()
}

/// A callee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct One {
    /// A capability or orchestrator, or `capability/endpoint`.
    pub callee: String,
}

/// Other guards for a callee.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Configure {
    /// A capability, or `capability/endpoint`; what ends in `/local` is the part of its work that
    /// stays on this machine.
    pub callee: String,
    /// What to start from. Default: the guards it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// What differs, key by key; a guard can be `"off"`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub guards: Value,
}

/// A callee, or all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OneOrAll {
    /// Only this capability with its endpoints, or this endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callee: Option<String>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "operation", rename_all = "snake_case")]
pub enum Operated {
    /// The call succeeded.
    Execute(Executed),
    /// Health.
    Health {
        /// Everybody, or whom was asked for.
        report: Report,
    },
    /// Calls are held off.
    Isolate {
        /// Whom they are for.
        callee: String,
        /// The durable run that is the record of it.
        run: RunId,
        /// True when they were held off before.
        already: bool,
    },
    /// Calls get through again.
    Release {
        /// Whom they are for.
        callee: String,
    },
    /// All is forgotten.
    Reset {
        /// Of whom.
        callee: String,
        /// Pipelines that were reset: that of the callee and of each endpoint.
        pipelines: u64,
    },
    /// Calls have other guards.
    Configure {
        /// Calls to whom.
        callee: String,
        /// All its guards from now on, as they could be written in a file.
        guards: Value,
    },
    /// The guards.
    Describe {
        /// Around calls to whom.
        callee: String,
        /// Outermost first.
        guards: Vec<GuardInfo>,
    },
}

/// A call that has an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Executed {
    /// Who answered in the end; absent for a fallback that is a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// How it was called.
    pub strategy: Strategy,
    /// The answer.
    pub value: Value,
    /// Guards that did something on the way, in order.
    pub fired: Vec<Fired>,
    /// From asking to answering.
    pub took_ms: u64,
}

impl Request for Operate {
    const CALLEE: &'static str = "resilience";
    type Response = Operated;
}
