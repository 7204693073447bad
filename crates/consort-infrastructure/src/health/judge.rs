//! What follows from what was seen.

use consort_resilience::breaker;

use super::{Health, Limits, Seen};
use crate::human::told;

/// A judgement with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// How it is.
    pub health: Health,
    /// Why we think so.
    pub why: String,
}

/// Judges one callee. `isolated` is the reason of whoever holds it off.
pub fn judge(
    seen: &Seen,
    breaker: Option<breaker::State>,
    isolated: Option<&str>,
    local: bool,
    limits: &Limits,
) -> Judged {
    let judged = |health, why: String| Judged { health, why };
    let config = limits.config();
    if let Some(reason) = isolated {
        return judged(Health::Isolated, format!("held off by hand: {reason}"));
    }
    match breaker {
        Some(breaker::State::Open) => {
            return judged(Health::Unhealthy, "its breaker is open".into());
        }
        Some(breaker::State::HalfOpen) => {
            return judged(Health::Degraded, "its breaker lets probes through only".into());
        }
        Some(breaker::State::Isolated) => {
            return judged(Health::Isolated, "its breaker is held open".into());
        }
        Some(breaker::State::Closed) | None => {}
    }
    let (Some(rate), Some(latency)) = (seen.success_rate, seen.latency) else {
        return judged(Health::NoData, format!("no call in the last {}", told(config.window)));
    };
    if seen.calls < config.floor {
        let (calls, floor) = (seen.calls, config.floor);
        let why = format!("{calls} of {floor} calls needed in the last {}", told(config.window));
        return judged(Health::NoData, why);
    }
    let share = format!("{:.0} % of calls succeed", rate * 100.0);
    if rate < config.unhealthy {
        return judged(Health::Unhealthy, share);
    }
    if rate < config.healthy {
        return judged(Health::Degraded, share);
    }
    if !local && latency > config.slow {
        let why = format!("calls take {:.1} s on average", latency.as_secs_f64());
        return judged(Health::Degraded, why);
    }
    judged(Health::Healthy, share)
}

/// The worst of all of which there is data.
pub fn overall(all: impl IntoIterator<Item = Health>) -> Health {
    all.into_iter().max().unwrap_or(Health::NoData)
}
