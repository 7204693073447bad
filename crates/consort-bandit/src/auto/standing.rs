//! How each predictor is doing: its weight, its lag behind the leader, its alarms.

use super::family::Reading;
use crate::codec::{Reader, Writer};
use crate::detect::Detector;
use crate::error::{Corrupt, InvalidConfig};
use crate::model::Persist;

/// Average number of examples between false alarms of one detector, at least.
const THRESHOLD: f64 = 5_000.0;
/// Widths of doubt granted to a prediction before its shortfall counts.
const DOUBT: f64 = 1.0;
/// Share of the past kept by the error that decides who leads.
const ERROR_KEEP: f64 = 0.999;
/// Share of the past kept by the lag behind the leader.
const LAG_KEEP: f64 = 0.998;
/// Examples after a restart before anyone is retired, and between such decisions.
const RETIRE_FROM: u64 = 1_000;
const RETIRE_EVERY: u64 = 250;
/// Log weight below which a predictor may be retired.
const RETIRE_BELOW: f64 = -5.0;
/// Log weight of a predictor that joins late.
const LATE: f64 = -12.0;
/// Standard errors of lag that retire.
const RETIRE_LAG: f64 = 3.0;

/// What judging one example came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    Fine,
    /// Rewards of one arm, or of all, fall short of the predictions since so many of its, or of
    /// all, examples.
    Alarm {
        arm: Option<usize>,
        since: u64,
    },
}

/// One predictor's record.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Standing {
    /// Relative to the heaviest.
    log_weight: f64,
    /// What it is at the start and after a change of everything.
    prior: f64,
    /// Discounted mean squared error.
    error: f64,
    /// Discounted mean and mean square of the excess error over the leader's.
    lag: (f64, f64),
    retired: bool,
    all: Detector,
    own: Vec<Detector>,
}

impl Standing {
    pub(super) fn new(arms: usize, prior: f64) -> Result<Self, InvalidConfig> {
        let fresh = Detector::new(THRESHOLD)?;
        Ok(Self {
            log_weight: prior,
            prior,
            error: 0.0,
            lag: (0.0, 0.0),
            retired: false,
            all: fresh,
            own: vec![fresh; arms],
        })
    }

    pub(super) fn weight(&self) -> f64 {
        if self.retired { 0.0 } else { libm::exp(self.log_weight) }
    }

    pub(super) const fn error(&self) -> f64 {
        self.error
    }

    pub(super) const fn retired(&self) -> bool {
        self.retired
    }

    pub(super) fn judge(
        &mut self,
        reading: &Reading,
        arm: usize,
        reward: f64,
        weight: f64,
        noise: f64,
        lead: f64,
    ) -> Verdict {
        if self.retired {
            return Verdict::Fine;
        }
        let error = reading.error(reward);
        self.log_weight -= weight * error / (2.0 * noise * noise);
        self.error = ERROR_KEEP * self.error + (1.0 - ERROR_KEEP) * error;
        let excess = error - lead;
        self.lag.0 = LAG_KEEP * self.lag.0 + (1.0 - LAG_KEEP) * excess;
        self.lag.1 = LAG_KEEP * self.lag.1 + (1.0 - LAG_KEEP) * excess * excess;
        // Less than is predicted even with doubt: the winner of a noisy comparison is usually
        // predicted too high, and its width says by how much.
        let shortfall = reading.mean.clamp(0.0, 1.0) - DOUBT * noise * reading.width - reward;
        let own = self.own[arm].push(weight * shortfall);
        match (self.all.push(weight * shortfall), own) {
            (Some(since), _) => Verdict::Alarm { arm: None, since },
            (None, Some(since)) => Verdict::Alarm { arm: Some(arm), since },
            (None, None) => Verdict::Fine,
        }
    }

    /// Starts afresh after a change of everything.
    pub(super) fn restart(&mut self) {
        (self.log_weight, self.error, self.lag, self.retired) =
            (self.prior, 0.0, (0.0, 0.0), false);
        self.all.reset();
        self.own.iter_mut().for_each(Detector::reset);
    }

    /// Quiets the detectors an alarm of one arm came from.
    pub(super) fn quiet(&mut self, arm: Option<usize>) {
        self.all.reset();
        if let Some(arm) = arm {
            self.own[arm].reset();
        }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        out.f64(self.log_weight);
        out.f64(self.error);
        out.f64(self.lag.0);
        out.f64(self.lag.1);
        out.u8(u8::from(self.retired));
        self.all.write(out);
        self.own.iter().for_each(|detector| detector.write(out));
    }

    /// Weighs nothing and leads nobody until it proves itself: a predictor that was not there
    /// before, beside others with an error of at most `worst`.
    pub(super) fn late(&mut self, worst: f64) {
        (self.log_weight, self.error) = (LATE, worst);
    }

    /// Reads the record into one of the same making.
    pub(super) fn read(&mut self, from: &mut Reader<'_>) -> Result<(), Corrupt> {
        self.log_weight = from.finite()?;
        self.error = from.finite()?;
        self.lag = (from.finite()?, from.finite()?);
        self.retired = from.u8()? == 1;
        self.all = Detector::read(from, Detector::VERSION)?;
        for own in &mut self.own {
            *own = Detector::read(from, Detector::VERSION)?;
        }
        Ok(())
    }
}

/// Normalises the weights and spreads a little of them evenly.
pub(super) fn rebalance(standings: &mut [Standing], share: f64) {
    let alive = || standings.iter().filter(|standing| !standing.retired);
    let top = alive().map(|standing| standing.log_weight).fold(f64::NEG_INFINITY, f64::max);
    let each = share / standings.len() as f64;
    for standing in standings.iter_mut().filter(|standing| !standing.retired) {
        standing.log_weight = libm::log(libm::exp(standing.log_weight - top) + each);
    }
}

/// Retires predictors that weigh nothing and keep falling further behind.
pub(super) fn retire(standings: &mut [Standing], leader: usize, age: u64) {
    if age < RETIRE_FROM || !age.is_multiple_of(RETIRE_EVERY) {
        return;
    }
    for (index, standing) in standings.iter_mut().enumerate() {
        let error = (standing.lag.1 * (1.0 - LAG_KEEP) / 2.0).sqrt();
        let behind = standing.lag.0 > RETIRE_LAG * error;
        if index != leader && standing.log_weight < RETIRE_BELOW && behind {
            standing.retired = true;
        }
    }
}
