//! Noticing that rewards fall short of what they were predicted to be.

use crate::codec::{Reader, Writer};
use crate::error::{Corrupt, InvalidConfig};
use crate::model::Persist;

/// Stakes of the bettors inside a detector.
const STAKES: [f64; 3] = [0.5, 0.25, 0.125];
/// Evidence that nobody heeds stays a number.
const MOST: f64 = 1e300;
/// The stake that dates the onset.
const DATING: f64 = 0.5;

/// An e-detector for shortfalls z in [−1, 1] whose mean is at most 0 as long as nothing changed
/// (Shin, Ramdas, Rinaldo 2022): a sum of bets begun at every step. On average at least
/// `threshold` steps pass between false alarms, whatever the distribution.
///
/// A policy plays what it predicts to be best, so a change of any kind shows as a shortfall.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detector {
    threshold: f64,
    sums: [f64; 3],
    dating: f64,
    since: u64,
}

impl Detector {
    /// A detector with an average of at least `threshold` > 1 steps between false alarms.
    ///
    /// # Errors
    ///
    /// When the threshold is out of range.
    pub fn new(threshold: f64) -> Result<Self, InvalidConfig> {
        if threshold > 1.0 && threshold.is_finite() {
            Ok(Self { threshold, sums: [0.0; 3], dating: 0.0, since: 0 })
        } else {
            Err(InvalidConfig::new("threshold", "must be a number > 1"))
        }
    }

    /// Takes the next shortfall (predicted minus observed), clamped to [−1, 1]; NaN counts as 0.
    /// An alarm tells how many steps ago, this one included, the shortfall probably began.
    pub fn push(&mut self, shortfall: f64) -> Option<u64> {
        let z = if shortfall.is_nan() { 0.0 } else { shortfall.clamp(-1.0, 1.0) };
        for (sum, stake) in self.sums.iter_mut().zip(STAKES) {
            *sum = ((1.0 + *sum) * (1.0 + stake * z)).min(MOST);
        }
        self.since += 1;
        self.dating += libm::log1p(DATING * z);
        if self.dating <= 0.0 {
            (self.dating, self.since) = (0.0, 0);
        }
        let evidence = self.sums.iter().sum::<f64>() / STAKES.len() as f64;
        (evidence >= self.threshold).then(|| self.since.max(1))
    }

    /// Forgets everything seen.
    pub fn reset(&mut self) {
        (self.sums, self.dating, self.since) = ([0.0; 3], 0.0, 0);
    }
}

impl Persist for Detector {
    const KIND: u16 = 3;
    const VERSION: u16 = 1;

    fn write(&self, out: &mut Writer) {
        out.f64(self.threshold);
        out.f64s(&self.sums);
        out.f64(self.dating);
        out.u64(self.since);
    }

    fn read(from: &mut Reader<'_>, _version: u16) -> Result<Self, Corrupt> {
        let mut detector = Self::new(from.finite()?).map_err(|_| Corrupt::Value)?;
        from.f64s(&mut detector.sums)?;
        detector.dating = from.finite()?;
        detector.since = from.counter()?;
        Ok(detector)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::uniform;

    fn coin(seed: u64, t: u64, p: f64) -> f64 {
        if uniform(seed, 0, t) < p { 1.0 } else { 0.0 }
    }

    #[test]
    fn false_alarms_are_rarer_than_promised() {
        let mut alarms = 0;
        for run in 0..20 {
            let mut detector = Detector::new(1_000.0).unwrap();
            for t in 0..10_000 {
                if detector.push(0.6 - coin(run, t, 0.6)).is_some() {
                    alarms += 1;
                    detector.reset();
                }
            }
        }
        assert!(alarms <= 200, "{alarms}");
    }

    #[test]
    fn a_drop_is_found_soon_and_dated() {
        let (mut false_alarms, mut dated) = (0, 0);
        for run in 0..50 {
            let mut detector = Detector::new(50_000.0).unwrap();
            for t in 0..2_000 {
                if detector.push(0.7 - coin(run, t, 0.7)).is_some() {
                    false_alarms += 1;
                    detector.reset();
                }
            }
            // The arm falls from 0.7 to 0.25.
            let found = (2_000..2_250)
                .find_map(|t| detector.push(0.7 - coin(run, t, 0.25)).map(|ago| (t, ago)));
            let (t, ago) = found.unwrap();
            assert!(t < 2_100, "{run} {t}");
            dated += usize::from((t + 1 - ago).abs_diff(2_000) < 100);
        }
        // 100,000 steps without a change, at most one alarm in 50,000 on average.
        assert!(false_alarms <= 4, "{false_alarms}");
        assert!(dated >= 45, "{dated}");
    }

    #[test]
    fn evidence_that_nobody_heeds_can_still_be_stored() {
        let mut detector = Detector::new(1_000.0).unwrap();
        (0..5_000).for_each(|_| _ = detector.push(1.0));
        let read: Detector = crate::codec::from_bytes(&crate::codec::to_bytes(&detector)).unwrap();
        assert_eq!(read, detector);
    }
}
