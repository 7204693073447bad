//! The stored form of an [`Auto`].

use super::family::{self, Family};
use super::memory::Memory;
use super::recall::Recall;
use super::standing::Standing;
use super::{Auto, CHANGES_KEPT, Change, Config};
use crate::arms::MAX_ARMS;
use crate::codec::{Reader, Writer};
use crate::error::Corrupt;
use crate::maps::Scaler;
use crate::model::{MAX_DIM, Persist};

impl Auto {
    /// Which predictors states of version 1 have.
    fn in_version_1(&self) -> Vec<bool> {
        self.families.iter().flat_map(Family::in_version_1).collect()
    }

    /// Whether the numbers can have come about.
    fn is_sound(&self) -> bool {
        let pulls = self.pulls.iter().try_fold(0_u64, |sum, pulls| sum.checked_add(*pulls));
        let weight = self.standings.iter().map(Standing::weight).sum::<f64>();
        pulls == Some(self.seen)
            && self.restarted <= self.seen
            && self.units.iter().all(|unit| *unit > 0.0)
            && (0.0..=self.rewards.1).contains(&self.rewards.0)
            && self.rewards.1 >= 1.0
            && self.noise.0 >= 0.0
            && self.noise.1 >= 0.0
            && weight > 0.0
            && weight.is_finite()
    }

    /// Appends the state in a layout of any version; older ones lack what is new.
    pub(super) fn write_as(&self, version: u16, out: &mut Writer) {
        out.usize(self.config.arms);
        out.usize(self.config.dim);
        self.families.iter().for_each(|family| family.write(version, out));
        for (standing, old) in self.standings.iter().zip(self.in_version_1()) {
            if version >= 2 || old {
                standing.write(out);
            }
        }
        self.scaler.write(out);
        out.f64s(&self.units);
        self.memory.write(out);
        self.pulls.iter().for_each(|&pulls| out.u64(pulls));
        out.u64(self.seen);
        for (a, b) in [self.rewards, self.noise] {
            out.f64(a);
            out.f64(b);
        }
        out.u64(self.restarted);
        out.usize(self.changes.len());
        for change in &self.changes {
            out.u64(change.at);
            out.u64(change.arm.map_or(u64::MAX, |arm| arm as u64));
            out.u64(change.since);
        }
        if version < 2 {
            return;
        }
        for recall in &self.recalls {
            out.u8(u8::from(recall.is_some()));
            if let Some(recall) = recall {
                recall.write(out);
            }
        }
    }
}

impl Config {
    /// Numbers that the predictors of this shape keep, eight bytes each: 55,000 to 110,000 for each
    /// arm up to 64 features.
    pub fn numbers(self) -> usize {
        self.stored(Auto::VERSION) / size_of::<f64>()
    }

    /// Bytes that what the predictors know takes in a state.
    fn stored(self, version: u16) -> usize {
        family::plans(self).iter().map(|plan| plan.stored(self, version)).sum()
    }
}

impl Persist for Auto {
    const KIND: u16 = 4;
    const VERSION: u16 = 2;

    fn write(&self, out: &mut Writer) {
        self.write_as(Self::VERSION, out);
    }

    fn read(from: &mut Reader<'_>, version: u16) -> Result<Self, Corrupt> {
        let config = Config { arms: from.below(MAX_ARMS + 1)?, dim: from.below(MAX_DIM + 1)? };
        let config = config.validate().map_err(|_| Corrupt::Value)?;
        from.expect(config.stored(version))?;
        let mut auto = Self::new(config).map_err(|_| Corrupt::Value)?;
        for family in &mut auto.families {
            family.read_state(from, version)?;
        }
        let old = auto.in_version_1();
        let (found, late): (Vec<_>, Vec<_>) =
            auto.standings.iter_mut().zip(old).partition(|(_, old)| version >= 2 || *old);
        let mut worst: f64 = 0.0;
        for (standing, _) in found {
            standing.read(from)?;
            worst = worst.max(standing.error());
        }
        late.into_iter().for_each(|(standing, _)| standing.late(worst));
        auto.scaler = Scaler::read(from, config.dim)?;
        from.f64s(&mut auto.units)?;
        auto.memory = Memory::read(from, config.dim, config.arms)?;
        for pulls in &mut auto.pulls {
            *pulls = from.counter()?;
        }
        auto.seen = from.counter()?;
        auto.rewards = (from.finite()?, from.finite()?);
        auto.noise = (from.finite()?, from.finite()?);
        auto.restarted = from.u64()?;
        for _ in 0..from.below(CHANGES_KEPT + 1)? {
            let (at, arm, since) = (from.u64()?, from.u64()?, from.u64()?);
            let arm = (arm != u64::MAX).then_some(arm as usize);
            if arm.is_some_and(|arm| arm >= config.arms) {
                return Err(Corrupt::Value);
            }
            auto.changes.push(Change { at, arm, since });
        }
        if version >= 2 {
            for recall in &mut auto.recalls {
                if from.u8()? == 1 {
                    *recall = Some(Recall::read(from, &auto.families)?);
                }
            }
        }
        if auto.is_sound() { Ok(auto) } else { Err(Corrupt::Value) }
    }
}
