//! Outlier ejection as a pure machine: who does so much worse than the others that it is left out.

use std::time::{Duration, Instant};

use super::config::Eject;
use crate::clock::after;
use crate::verdict::Charge;

/// One endpoint's record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    failures_in_row: u32,
    calls: u32,
    failures: u32,
    out_until: Option<Instant>,
    /// Ejections not yet lived down.
    ejections: u32,
}

impl Health {
    pub(crate) fn is_out(&self, now: Instant) -> bool {
        self.out_until.is_some_and(|until| now < until)
    }

    pub(crate) fn out_for(&self, now: Instant) -> Option<Duration> {
        let left = self.out_until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// Back in: what it did before its rest says nothing about now.
    fn settle(&mut self, now: Instant) {
        if self.out_until.is_some_and(|until| now >= until) {
            self.out_until = None;
            self.failures_in_row = 0;
            (self.calls, self.failures) = (0, 0);
        }
    }
}

/// Result of one call to endpoint `at` among `all`. Returns how long it is ejected for, if it is.
pub(crate) fn report(
    all: &mut [Health],
    at: usize,
    charge: Charge,
    eject: &Eject,
    now: Instant,
) -> Option<Duration> {
    let health = all.get_mut(at)?;
    health.settle(now);
    if matches!(charge, Charge::Answered | Charge::Nothing) || health.is_out(now) {
        return None;
    }
    health.calls += 1;
    if charge == Charge::Success {
        health.failures_in_row = 0;
        return None;
    }
    health.failures += 1;
    health.failures_in_row += 1;
    let in_row = health.failures_in_row;
    if eject.consecutive_failures.is_some_and(|most| in_row >= most) {
        return self::eject(all, at, eject, now);
    }
    None
}

/// An interval is over: compares success rates. Returns who is ejected, and for how long.
pub(crate) fn compare(all: &mut [Health], config: &Eject, now: Instant) -> Vec<(usize, Duration)> {
    all.iter_mut().for_each(|health| health.settle(now));
    let rate = |health: &Health| {
        (health.calls >= config.minimum_calls && !health.is_out(now))
            .then(|| 1.0 - f64::from(health.failures) / f64::from(health.calls))
    };
    let rates: Vec<Option<f64>> = all.iter().map(rate).collect();
    for health in &mut *all {
        if !health.is_out(now) {
            health.ejections = health.ejections.saturating_sub(1);
        }
        (health.calls, health.failures) = (0, 0);
    }
    let known: Vec<f64> = rates.iter().copied().flatten().collect();
    let Some(deviations) = config.deviations else { return Vec::new() };
    if known.len() < config.minimum_endpoints as usize {
        return Vec::new();
    }
    let count = known.len() as f64;
    let mean = known.iter().sum::<f64>() / count;
    let variance = known.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / count;
    let floor = mean - deviations * variance.sqrt();
    let mut low: Vec<(usize, f64)> = rates
        .iter()
        .enumerate()
        .filter_map(|(at, rate)| rate.filter(|&rate| rate < floor).map(|rate| (at, rate)))
        .collect();
    // The worst first: there may not be room to eject all.
    low.sort_by(|a, b| a.1.total_cmp(&b.1));
    low.into_iter()
        .filter_map(|(at, _)| eject(all, at, config, now).map(|rest| (at, rest)))
        .collect()
}

fn eject(all: &mut [Health], at: usize, config: &Eject, now: Instant) -> Option<Duration> {
    let out = all.iter().filter(|health| health.is_out(now)).count();
    let share = (out + 1) as f64 / all.len() as f64;
    let allowed = out + 1 < all.len() && (out == 0 || share <= config.max_ejected);
    let health = all.get_mut(at).filter(|_| allowed)?;
    health.ejections = health.ejections.saturating_add(1);
    let rest = config.rest.saturating_mul(health.ejections).min(config.rest_max);
    health.out_until = Some(after(now, rest));
    Some(rest)
}
