//! What the hub tells about itself: figures and health. Everything was counted; what is not known
//! is absent.

use consort_core::{Component, TenantId, Timestamp, learning::Source};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::learning::{Count, Learning, Standing, State, Totals};

/// All figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metrics {
    /// Whether signals are taken.
    pub running: bool,
    /// Why nothing is put on record, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// Signals ever queued in this process: in memory.
    pub queued: u64,
    /// Records put on disk by this process, decisions and changes included.
    pub accepted: u64,
    /// Records applied by this process.
    pub applied: u64,
    /// Signals refused because their queue was full.
    pub dropped: u64,
    /// Signals of runs that were no reward: nobody here learns from them.
    pub unconsumed_by_form: u64,
    /// Figures by kind of component.
    pub kinds: Vec<KindFigures>,
    /// The queue of decisions and policy changes.
    #[serde(default)]
    pub decisions: Count,
    /// Signals on record by source.
    pub sources: Vec<(Source, u64)>,
    /// What became of everything on record, since the log began.
    pub totals: Totals,
    /// Position of the last record applied.
    pub position: u64,
    /// Points of choice.
    pub domains: u64,
    /// Snapshots written by this process.
    pub consolidations: u64,
    /// Looks at health by this process.
    pub health_looks: u64,
    /// Writes that failed and were tried again.
    pub write_failures: u64,
}

/// Figures of one kind of component.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KindFigures {
    /// The kind.
    pub component: Component,
    /// Its queue.
    #[serde(flatten)]
    pub queue: Count,
}

impl Metrics {
    /// Of this moment.
    pub fn of(learning: &Learning) -> Self {
        let (flow, missing) = (learning.flow(), learning.missing());
        let state = learning.state();
        let totals = state.totals().clone();
        let kinds: Vec<KindFigures> = flow
            .kinds
            .iter()
            .map(|(component, queue)| KindFigures { component: *component, queue: *queue })
            .collect();
        let all = |figure: fn(&Count) -> u64| kinds.iter().map(|kind| figure(&kind.queue)).sum();
        Self {
            running: learning.is_running(),
            missing: missing.map(|error| error.to_string()),
            queued: all(|queue| queue.queued),
            dropped: all(|queue| queue.dropped),
            accepted: flow.accepted,
            applied: flow.applied,
            unconsumed_by_form: flow.unconsumed,
            kinds,
            decisions: flow.decisions,
            sources: Source::ALL.into_iter().zip(totals.by_source).collect(),
            totals,
            position: state.position(),
            domains: state.domains().len() as u64,
            consolidations: flow.snapshots,
            health_looks: flow.looks,
            write_failures: flow.failures,
        }
    }
}

/// The health of one component.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// What kind of thing.
    pub component: Component,
    /// Its name.
    pub id: String,
    /// From 0 to 1; absent without a reward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<f64>,
    /// Moving average of its rewards; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<f64>,
    /// Rewards in the window.
    pub samples: u64,
    /// Where it stands.
    #[serde(flatten)]
    pub standing: Standing,
    /// Why it may not be chosen now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// The health of a tenant's components.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HealthReport {
    /// Mean health of those that have any; absent when none has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overall: Option<f64>,
    /// Every component that is or was a candidate.
    pub components: Vec<Health>,
}

impl HealthReport {
    /// Of this moment.
    pub fn of(learning: &Learning, tenant: &TenantId) -> Self {
        Self::at(&learning.state(), tenant, learning.now())
    }

    /// What is known, as it stands `now`.
    pub fn at(state: &State, tenant: &TenantId, now: Timestamp) -> Self {
        let limits = state.config().health;
        let own = state.health().iter().filter(|((of, ..), _)| of == tenant.as_str());
        let components: Vec<Health> = own
            .map(|((_, component, id), window)| Health {
                component: *component,
                id: id.clone(),
                health: window.health(&limits),
                average: window.average(),
                samples: window.samples() as u64,
                standing: window.standing(now.0),
                refused: window.refusal(now.0),
            })
            .collect();
        let known: Vec<f64> = components.iter().filter_map(|one| one.health).collect();
        let overall = (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64);
        Self { overall, components }
    }
}
