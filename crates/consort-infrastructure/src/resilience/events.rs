//! What `resilience` tells: one typed fact each, as a line of the log and as a signal upwards.

use consort_core::{Context, Signal};
use consort_resilience::breaker::Moved;
use serde_json::json;

use super::plan::Changed;
use crate::health::Health;

/// The signal that tells of a callee's health.
pub const HEALTH_CHANGED: &str = "health_changed";

/// The signal that tells of a breaker.
pub const BREAKER_MOVED: &str = "breaker_moved";

/// Tells that the health of a callee has changed.
pub(super) fn health_changed(cx: &Context, changed: &Changed) {
    let Changed { callee, from, to, why } = changed;
    let (from, to) = (from.name(), to.name());
    if matches!(changed.to, Health::Unhealthy | Health::Degraded) {
        tracing::warn!(target: "consort", callee, from, to, why, "health changed");
    } else {
        tracing::info!(target: "consort", callee, from, to, why, "health changed");
    }
    let data = json!({ "from": from, "to": to, "why": why });
    send(cx, HEALTH_CHANGED, callee, data);
}

/// Tells that the breaker of a callee has moved.
pub(super) fn breaker_moved(cx: &Context, callee: &str, moved: &Moved) {
    let (from, to, generation) = (moved.from.name(), moved.to.name(), moved.generation);
    tracing::info!(target: "consort", callee, from, to, generation, "breaker moved");
    let rest_ms = moved.rest.map(|rest| rest.as_millis() as u64);
    let data = json!({ "from": from, "to": to, "generation": generation, "rest_ms": rest_ms });
    send(cx, BREAKER_MOVED, callee, data);
}

fn send(cx: &Context, name: &str, subject: &str, data: serde_json::Value) {
    let (name, subject) = (name.to_owned(), subject.to_owned());
    let signal = Signal { name, subject, value: None, data };
    if let Err(error) = cx.signal(signal) {
        tracing::warn!(target: "consort", %error, "a signal could not be sent");
    }
}
