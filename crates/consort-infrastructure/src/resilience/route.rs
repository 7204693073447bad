//! `adaptive_routing`: one of several endpoints, by health and load.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use consort_core::{Category, Context, Description, Name, StepError, StepResult, WeakFacade};
use consort_resilience::{
    Rng,
    endpoints::{Endpoints, Limits},
};
use serde_json::Value;
use tokio::time::Instant;

use super::{plan, request::Execute};
use crate::guards::lock;

/// Groups of endpoints that are remembered; the one used longest ago makes room.
const GROUPS: usize = 1000;

/// The endpoints of each group with what is known of them.
#[derive(Debug)]
pub(super) struct Routes {
    groups: Mutex<HashMap<Key, Group>>,
    rng: Rng,
}

/// The name of a group and its endpoints in order. Both, because two callers may mean different
/// endpoints by one name, and neither may be sent to those of the other.
type Key = (String, Vec<String>);

/// The endpoints of one group, and when they were last asked for.
#[derive(Debug)]
struct Group {
    endpoints: Arc<Endpoints<()>>,
    used: Instant,
}

impl Routes {
    pub(super) fn new(rng: Rng) -> Self {
        Self { groups: Mutex::default(), rng }
    }

    /// The group called `name` of exactly these endpoints, with what is known of them from earlier
    /// calls.
    fn group(&self, name: &str, endpoints: &[String]) -> Arc<Endpoints<()>> {
        let now = Instant::now();
        let mut endpoints = endpoints.to_vec();
        endpoints.sort_unstable();
        let key = (name.to_owned(), endpoints);
        let mut groups = lock(&self.groups);
        if groups.len() >= GROUPS && !groups.contains_key(&key) {
            let oldest = groups.iter().min_by_key(|(_, group)| group.used);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                groups.remove(&oldest);
            }
        }
        let group = groups.entry(key).or_insert_with_key(|(_, endpoints)| {
            let fresh = Endpoints::new(Limits::default(), self.rng.split());
            fresh.set(endpoints.iter().map(|name| (name.as_str(), ())), now.into_std());
            Group { endpoints: Arc::new(fresh), used: now }
        });
        group.used = now;
        group.endpoints.clone()
    }

    /// Calls one endpoint, and another when that fails in passing. Returns who answered.
    pub(super) async fn call(
        &self,
        cx: &Context,
        facade: &WeakFacade,
        execute: &Execute,
    ) -> (String, StepResult<Value>) {
        let group = self.group(&execute.callee, &execute.endpoints);
        let now = || Instant::now().into_std();
        let tries = execute.endpoints.len().min(plan::TRIES);
        let mut failures: Vec<StepError> = Vec::new();
        let mut tried = Vec::new();
        while let Some(lease) = group.pick(&tried, now()) {
            tried.push(lease.id());
            let name = lease.name().to_owned();
            let began = Instant::now();
            let call = cx.call_json(&name, execute.request.clone());
            let result = call.attempts(1).await;
            let (took, charge) = (began.elapsed(), plan::charge(&result));
            lease.report(charge, took, now());
            let left = tried.len() < tries;
            match result {
                Err(error) if left && plan::moves_on(&error, repeatable(facade, &name)) => {
                    failures.push(error);
                }
                result => return (name, result.map_err(|error| with(error, &failures))),
            }
        }
        let error = StepError::new(Category::Internal, "a group without endpoints");
        (execute.callee.clone(), Err(error))
    }
}

/// The last failure, with those before it as causes.
fn with(error: StepError, before: &[StepError]) -> StepError {
    before.iter().fold(error, |error, earlier| error.cause(format!("before: {earlier}")))
}

/// True when a call to `callee` may be made a second time.
fn repeatable(facade: &WeakFacade, callee: &str) -> bool {
    let known = Name::new(callee).ok().zip(facade.upgrade());
    let description = known.and_then(|(name, facade)| facade.describe(&name).ok());
    match description {
        Some(Description::Capability { descriptor, .. }) => descriptor.effect.repeatable(),
        Some(Description::Orchestrator { .. }) | None => false,
    }
}
