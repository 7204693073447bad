//! The decisions of `resilience`: pure.

use std::collections::BTreeMap;

use consort_core::{Category, Name, Request, StepError, StepResult};
use consort_resilience::Charge;
use serde_json::Value;

use super::request::{Execute, Operate, Strategy};
use crate::{
    guards::verdict,
    health::{CalleeHealth, Health, Report},
    isolation,
};

/// Endpoints that one call may try.
pub(super) const TRIES: usize = 3;

/// Endpoints of one group.
const ENDPOINTS: usize = 100;

/// Refuses what makes no sense together, naming the field.
pub(super) fn check(execute: &Execute) -> Result<(), StepError> {
    let refuse = |pointer: &str, rule: &str| {
        let error = StepError::new(Category::InvalidRequest, "the call cannot be made like that");
        Err(error.violation(pointer, rule))
    };
    let strategy = execute.strategy;
    let routes = strategy == Strategy::AdaptiveRouting;
    if routes && !(1..=ENDPOINTS).contains(&execute.endpoints.len()) {
        return refuse("/endpoints", "`adaptive_routing` needs 1 to 100");
    }
    if !routes && !execute.endpoints.is_empty() {
        return refuse("/endpoints", "only for `adaptive_routing`");
    }
    let mut seen = std::collections::BTreeSet::new();
    if !execute.endpoints.iter().all(|endpoint| seen.insert(endpoint)) {
        return refuse("/endpoints", "no two may be alike");
    }
    let falls_back = matches!(strategy, Strategy::GracefulDegrade | Strategy::CircuitBreaker);
    if !falls_back && !execute.fallbacks.is_empty() {
        return refuse("/fallbacks", "only for `graceful_degrade` and `circuit_breaker`");
    }
    if strategy == Strategy::GracefulDegrade && execute.fallbacks.is_empty() {
        return refuse("/fallbacks", "`graceful_degrade` needs at least one");
    }
    Ok(())
}

/// The capability or orchestrator that `callee`, which may be `callee/endpoint`, names.
///
/// # Errors
///
/// `invalid_request` naming the field, for what is no name and for those who are needed to end an
/// isolation.
pub fn steerable(callee: &str) -> Result<Name, StepError> {
    let refuse = |message: String| {
        let error = StepError::new(Category::InvalidRequest, message);
        Err(error.violation("/callee", "must be a callee, or `callee/endpoint`"))
    };
    let (base, endpoint) = callee.split_once('/').unzip();
    let base = base.unwrap_or(callee);
    let name = match Name::new(base) {
        Ok(name) => name,
        Err(error) => return refuse(error.to_string()),
    };
    if endpoint.is_some_and(str::is_empty) {
        // It would look like an isolation of all and hold nobody off.
        return refuse(format!("`{callee}` names no endpoint; all of them are `{base}`"));
    }
    if [<Operate as Request>::CALLEE, isolation::name().as_str()].contains(&base) {
        let message = format!("`{base}` must stay within reach: it is what ends an isolation");
        return Err(StepError::new(Category::InvalidRequest, message));
    }
    Ok(name)
}

/// The most attempts at one callee, where the strategy says so.
pub(super) fn attempts(strategy: Strategy) -> Option<u32> {
    match strategy {
        Strategy::FailFast | Strategy::CircuitBreaker | Strategy::AdaptiveRouting => Some(1),
        Strategy::Retry | Strategy::GracefulDegrade => None,
    }
}

/// Whether this failure is one that the strategy falls back from.
pub(super) fn falls_back(strategy: Strategy, error: &StepError) -> bool {
    use Category::{Cancelled, CircuitOpen, DeadlineExceeded, InvalidRequest, ShuttingDown};
    let category = error.category();
    match strategy {
        // A fallback cures the callee's failures, not the caller's: there is nobody left to
        // answer, no time, or nothing that could be asked.
        Strategy::GracefulDegrade => {
            !matches!(category, Cancelled | DeadlineExceeded | ShuttingDown | InvalidRequest)
        }
        Strategy::CircuitBreaker => category == CircuitOpen,
        Strategy::FailFast | Strategy::Retry | Strategy::AdaptiveRouting => false,
    }
}

/// Whether another endpoint may cure this failure. What may not happen twice is only sent
/// elsewhere when a guard here refused it, so that it was never sent.
pub(super) fn moves_on(error: &StepError, repeatable: bool) -> bool {
    let unsent = matches!(error.category(), Category::CircuitOpen | Category::Overloaded);
    error.category().is_transient() && (repeatable || unsent)
}

/// What a result says about an endpoint as one to route to. A refusal by its own guards says
/// nothing about the callee, but it is a reason to go elsewhere.
pub(super) fn charge(result: &StepResult<Value>) -> Charge {
    match result {
        Err(error) if error.category() == Category::CircuitOpen => Charge::Failure,
        result => verdict(result).charge,
    }
}

/// The health of one callee that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) callee: String,
    pub(super) from: Health,
    pub(super) to: Health,
    pub(super) why: String,
}

/// Everybody's last known health, by name and whether it is local.
pub(super) type Known = BTreeMap<(String, bool), Health>;

/// Whose health has changed since `known` was, and what is known now. Who is new comes from "no
/// data"; who is forgotten returns to it.
pub(super) fn changes(known: &Known, report: &Report) -> (Vec<Changed>, Known) {
    let key = |callee: &CalleeHealth| (callee.callee.clone(), callee.local);
    let now: Known = report.callees.iter().map(|callee| (key(callee), callee.health)).collect();
    let mut changed = Vec::new();
    for callee in &report.callees {
        let from = known.get(&key(callee)).copied().unwrap_or(Health::NoData);
        if from != callee.health {
            let (name, why) = (callee.callee.clone(), callee.why.clone());
            changed.push(Changed { callee: name, from, to: callee.health, why });
        }
    }
    for ((name, local), from) in known {
        if *from != Health::NoData && !now.contains_key(&(name.clone(), *local)) {
            let why = "was not called for long and is forgotten".to_owned();
            changed.push(Changed { callee: name.clone(), from: *from, to: Health::NoData, why });
        }
    }
    (changed, now)
}

/// True when nothing in it changes as time passes: no call is remembered or under way, and no
/// breaker rests.
pub(super) fn quiet(report: &Report) -> bool {
    report.callees.iter().all(|callee| {
        let busy = callee.bulkhead.is_some_and(|bulkhead| bulkhead.taken > 0);
        let resting = callee.breaker.as_ref().is_some_and(|breaker| breaker.rest_left_ms.is_some());
        callee.calls == 0 && !busy && !resting
    })
}

/// True when somebody who looks from outside would see a difference.
pub(super) fn differs(shown: Option<&Report>, report: &Report) -> bool {
    shown.is_none_or(|shown| {
        shown.callees != report.callees || shown.isolations != report.isolations
    })
}
