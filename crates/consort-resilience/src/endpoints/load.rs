//! What one endpoint costs at the moment: its latency, quick to rise and slow to fall, times the
//! calls it has.

use std::time::{Duration, Instant};

use super::config::Balance;
use crate::clock::{nanos, nanos_since};

/// The settings of balancing in a form that takes no division for each call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// Share of the decay time that a nanosecond is.
    share: f64,
    /// Seconds.
    unknown: f64,
    pub(crate) failure: Duration,
}

impl Scale {
    pub(crate) fn new(balance: &Balance) -> Self {
        Scale {
            share: 1.0 / nanos(balance.decay).max(1) as f64,
            unknown: balance.unknown.as_secs_f64(),
            failure: balance.failure,
        }
    }
}

/// Peak-EWMA, as in Finagle and linkerd: a latency above the average replaces it at once, one
/// below pulls it down slowly.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// Seconds; `None` until the first answer.
    latency: Option<f64>,
    updated: Instant,
    outstanding: u32,
}

impl Load {
    pub(crate) fn new(now: Instant) -> Self {
        Load { latency: None, updated: now, outstanding: 0 }
    }

    pub(crate) fn outstanding(&self) -> u32 {
        self.outstanding
    }

    pub(crate) fn sent(&mut self) {
        self.outstanding += 1;
    }

    pub(crate) fn gone(&mut self) {
        self.outstanding = self.outstanding.saturating_sub(1);
    }

    pub(crate) fn answered(&mut self, took: Duration, scale: &Scale, now: Instant) {
        let took = nanos(took) as f64 * 1e-9;
        let kept = self.kept(scale, now);
        self.latency = Some(match self.latency {
            Some(average) if took < average => average * kept + took * (1.0 - kept),
            _ => took,
        });
        self.updated = self.updated.max(now);
    }

    /// Lower is better. What is known of an idle endpoint fades to nothing, so that it is tried
    /// again one day; so is one of which nothing is known.
    pub(crate) fn cost(&self, scale: &Scale, now: Instant) -> f64 {
        match (self.latency, self.outstanding) {
            (Some(average), 0) => average * self.kept(scale, now),
            (None, 0) => 0.0,
            (latency, calls) => latency.unwrap_or(scale.unknown) * f64::from(calls + 1),
        }
    }

    fn kept(&self, scale: &Scale, now: Instant) -> f64 {
        let idle = nanos_since(self.updated, now);
        // For short times the line is as good as the curve, and much cheaper.
        let share = idle as f64 * scale.share;
        if share < 0.01 { 1.0 - share } else { (-share).exp() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::testing::{histories, moment};

    proptest! {
        #![proptest_config(histories())]

        /// The average worked out from the list of answers, and the calls counted.
        #[test]
        fn cost_follows_from_the_list_of_answers(
            events in prop::collection::vec((0_u8..3, 1_u64..2_000, 0_u64..3_000), 1..60),
        ) {
            let balance = Balance::default();
            let (start, scale) = (moment(), Scale::new(&balance));
            let mut load = Load::new(start);
            let (mut now, mut answers, mut calls) = (start, Vec::new(), 0_u32);
            for (kind, took, gap) in events {
                now += Duration::from_millis(gap);
                match kind {
                    0 => {
                        load.sent();
                        calls += 1;
                    }
                    1 => {
                        load.gone();
                        calls = calls.saturating_sub(1);
                    }
                    _ => {
                        load.answered(Duration::from_millis(took), &scale, now);
                        answers.push((now, took as f64 / 1_000.0));
                    }
                }
                let weight = |from: Instant, to: Instant| {
                    (-(to - from).as_secs_f64() / balance.decay.as_secs_f64()).exp()
                };
                let (mut average, mut last): (Option<f64>, _) = (None, start);
                for &(at, took) in &answers {
                    let kept = weight(last, at);
                    average = Some(match average {
                        Some(old) if took < old => old * kept + took * (1.0 - kept),
                        _ => took,
                    });
                    last = at;
                }
                let expected = match (average, calls) {
                    (Some(average), 0) => average * weight(last, now),
                    (None, 0) => 0.0,
                    (average, calls) => average.unwrap_or(0.03) * f64::from(calls + 1),
                };
                let cost = load.cost(&scale, now);
                prop_assert_eq!(load.outstanding(), calls);
                prop_assert!((cost - expected).abs() <= 0.001 * expected + 1e-9, "{cost} {expected}");
            }
        }
    }
}
