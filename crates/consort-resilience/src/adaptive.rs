//! Adaptive concurrency: finds how many calls a callee can take at once by watching its latency.

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::{InvalidConfig, contradiction, human_or_off, within};
use crate::sync::{Mutex, lock};
use crate::verdict::Charge;

/// `[adaptive]` as written in a file. Holds what the user said; checks nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table of settings")]
pub struct Config {
    /// Never fewer calls at once. 1 to 100,000, default 1.
    pub min: u32,
    /// Never more. `min` to 100,000, default 200.
    pub max: u32,
    /// A round slower than this means too many at once. 1 ms to 1 h, or off (the default): then
    /// it is `tolerance` times the latency of a callee that is not pressed.
    #[serde(with = "human_or_off")]
    pub latency: Option<Duration>,
    /// How much slower than unpressed is still fine. 1.1 to 10, default 2.
    pub tolerance: f64,
    /// What is left of the limit after a slow round. 0.5 to 0.99, default 0.9.
    pub backoff: f64,
}

impl Default for Config {
    fn default() -> Self {
        Config { min: 1, max: 200, latency: None, tolerance: 2.0, backoff: 0.9 }
    }
}

/// The same settings, proven usable: by [`Config::validate`], or the defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits(Config);

impl Limits {
    /// The settings, for reading.
    pub fn config(&self) -> &Config {
        &self.0
    }
}

impl Config {
    /// Proves that every setting is in its range and that they fit together.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] names the first setting that does not.
    pub fn validate(self) -> Result<Limits, InvalidConfig> {
        within("adaptive.min", self.min, 1..=100_000)?;
        within("adaptive.max", self.max, 1..=100_000)?;
        if self.max < self.min {
            return Err(contradiction("adaptive.max", "must not be less than `adaptive.min`"));
        }
        if let Some(latency) = self.latency {
            let range = Duration::from_millis(1)..=Duration::from_secs(3600);
            within("adaptive.latency", latency, range)?;
        }
        within("adaptive.tolerance", self.tolerance, 1.1..=10.0)?;
        within("adaptive.backoff", self.backoff, 0.5..=0.99)?;
        Ok(Limits(self))
    }
}

/// One finished call, as the controller sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// How long the callee took; queues of ours not included.
    pub took: Duration,
    /// What its result says about the callee.
    pub charge: Charge,
    /// Calls that were under way when it ended, itself included.
    pub in_flight: u32,
}

/// The calls of about one round trip.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    calls: u32,
    failures: u32,
    /// Of the calls that did not fail: a refused connection is quick and says nothing.
    seconds: f64,
    fastest: Option<f64>,
    busiest: u32,
}

/// The controller: additive increase, multiplicative decrease on latency, in rounds of as many
/// calls as the limit allows at once, so that it moves at the callee's own pace (Chiu and Jain,
/// 1989; Netflix concurrency-limits, 2018).
///
/// What the callee takes when it is not pressed can only be seen by not pressing it. So once in
/// [`PROBE_EVERY`] rounds the limit drops for a moment, far enough that any queue of ours at the
/// callee drains, and the average of that time is the new measure (as BBR and Envoy do it). Without
/// that, a slowly growing queue would be taken for a callee that has become slower. Until the first
/// such moment the fastest call has to do; the first time that calls a round slow, it is checked.
#[derive(Clone, Debug)]
struct Machine {
    limits: Limits,
    limit: f64,
    unpressed: Option<f64>,
    /// Whether `unpressed` was measured, or is the fastest call so far.
    is_measured: bool,
    phase: Phase,
    round: Round,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Looking for the limit; so many rounds until the next probe.
    Searching { rounds_left: u32 },
    /// The limit is down; so many calls of before are still to come back.
    Draining { calls_left: u32 },
    /// The limit is down and the queue has drained: this round is the measure.
    Measuring,
}

const SMALLEST_ROUND: u32 = 10;
/// Fewer: while it measures, the limit is so low that every call is waited for.
const SMALLEST_MEASURE: u32 = 5;
const PROBE_EVERY: u32 = 50;

impl Machine {
    fn new(limits: Limits, limit: u32) -> Self {
        let limit = f64::from(limit.clamp(limits.0.min, limits.0.max));
        let phase = Phase::Searching { rounds_left: PROBE_EVERY };
        let round = Round::default();
        Machine { limits, limit, unpressed: None, is_measured: false, phase, round }
    }

    /// The limit to enforce at the moment.
    fn current(&self) -> u32 {
        match self.phase {
            Phase::Searching { .. } => self.limit as u32,
            Phase::Draining { .. } | Phase::Measuring => self.light().max(self.limits.0.min),
        }
    }

    /// So few at once that the callee is not pressed, even if the limit is too high by as much as
    /// the tolerance lets it be.
    fn light(&self) -> u32 {
        ((self.limit / (2.0 * self.limits.0.tolerance)) as u32).max(1)
    }

    fn sample(&mut self, sample: Sample) -> Option<u32> {
        // A refusal is quicker than work and would make work look slow.
        if matches!(sample.charge, Charge::Answered | Charge::Nothing) {
            return None;
        }
        if let Phase::Draining { calls_left } = &mut self.phase {
            *calls_left -= 1;
            if *calls_left == 0 {
                self.phase = Phase::Measuring;
            }
            return None;
        }
        self.round.add(sample);
        let smallest = match self.phase {
            Phase::Measuring => SMALLEST_MEASURE,
            _ => SMALLEST_ROUND,
        };
        if self.round.calls < self.current().max(smallest) {
            return None;
        }
        let before = self.current();
        let round = std::mem::take(&mut self.round);
        self.end(round);
        (self.current() != before).then(|| self.current())
    }

    fn end(&mut self, round: Round) {
        let Phase::Searching { rounds_left } = self.phase else {
            self.measured(round.average());
            return;
        };
        if round.busiest <= self.light() {
            self.measured(round.average());
        } else {
            // Quicker under pressure than without: it has become quicker.
            let seen = if self.is_measured { round.average() } else { round.fastest };
            let quicker = |known: f64| seen.map_or(known, |seen| known.min(seen));
            self.unpressed = self.unpressed.map(quicker).or(seen);
            self.phase = Phase::Searching { rounds_left: rounds_left.saturating_sub(1) };
        }
        let before = self.limit;
        self.limit = self.next(round);
        let is_due = matches!(self.phase, Phase::Searching { rounds_left: 0 });
        let is_doubtful = self.limit < before && !self.is_measured;
        if (is_due || is_doubtful) && self.limits.0.latency.is_none() {
            self.phase = Phase::Draining { calls_left: (before as u32).max(1) };
        }
    }

    /// The callee was not pressed, and this is what it took.
    fn measured(&mut self, average: Option<f64>) {
        self.unpressed = average.or(self.unpressed);
        self.is_measured |= average.is_some();
        self.phase = Phase::Searching { rounds_left: PROBE_EVERY };
    }

    /// The limit after this round.
    fn next(&self, round: Round) -> f64 {
        let Limits(config) = &self.limits;
        let learned = self.unpressed.map_or(f64::INFINITY, |time| time * config.tolerance);
        let slow = config.latency.map_or(learned, |latency| latency.as_secs_f64());
        let is_slow = round.average().is_some_and(|average| average > slow);
        let next = if is_slow || round.failures > round.calls - round.failures {
            self.limit * config.backoff
        } else if f64::from(round.busiest) * 2.0 > self.limit {
            self.limit + 1.0
        } else {
            // Not even half of it was used: nothing was learned about more.
            self.limit
        };
        next.clamp(f64::from(config.min), f64::from(config.max))
    }
}

impl Round {
    fn average(&self) -> Option<f64> {
        let good = self.calls - self.failures;
        (good > 0).then(|| self.seconds / f64::from(good))
    }

    fn add(&mut self, sample: Sample) {
        self.calls += 1;
        self.busiest = self.busiest.max(sample.in_flight);
        if sample.charge == Charge::Failure {
            self.failures += 1;
            return;
        }
        let took = sample.took.as_secs_f64();
        self.fastest = Some(self.fastest.map_or(took, |fastest| fastest.min(took)));
        self.seconds += took;
    }
}

/// Finds the limit for one callee; who enforces it is a [`Bulkhead`](crate::bulkhead::Bulkhead).
#[derive(Debug)]
pub struct Adaptive {
    machine: Mutex<Machine>,
}

impl Adaptive {
    /// Starts from `limit`, brought into its bounds.
    pub fn new(limits: Limits, limit: u32) -> Self {
        Adaptive { machine: Mutex::new(Machine::new(limits, limit)) }
    }

    /// A call has ended. Returns the limit when it changes.
    #[must_use]
    pub fn sample(&self, sample: Sample) -> Option<u32> {
        lock(&self.machine).sample(sample)
    }

    /// The limit at the moment.
    pub fn limit(&self) -> u32 {
        lock(&self.machine).current()
    }

    /// Takes new limits; what was learned stays, within the new bounds.
    pub fn reconfigure(&self, limits: Limits) {
        let mut machine = lock(&self.machine);
        machine.limit = machine.limit.clamp(f64::from(limits.0.min), f64::from(limits.0.max));
        machine.limits = limits;
    }
}
