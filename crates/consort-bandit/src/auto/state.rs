//! The stored form of an [`Auto`].

use super::memory::Memory;
use super::standing::Standing;
use super::{Auto, CHANGES_KEPT, Change, Config};
use crate::arms::MAX_ARMS;
use crate::codec::{Reader, Writer};
use crate::error::Corrupt;
use crate::maps::Scaler;
use crate::model::{MAX_DIM, Persist};

impl Persist for Auto {
    const KIND: u16 = 4;
    const VERSION: u16 = 1;

    fn write(&self, out: &mut Writer) {
        out.usize(self.config.arms);
        out.usize(self.config.dim);
        self.families.iter().for_each(|family| family.write(out));
        self.standings.iter().for_each(|standing| standing.write(out));
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
    }

    fn read(from: &mut Reader<'_>, _version: u16) -> Result<Self, Corrupt> {
        let config = Config { arms: from.below(MAX_ARMS + 1)?, dim: from.below(MAX_DIM + 1)? };
        let mut auto = Self::new(config).map_err(|_| Corrupt::Value)?;
        let families: Result<Vec<_>, Corrupt> =
            auto.families.into_iter().map(|family| family.read_state(from)).collect();
        auto.families = families?;
        for standing in &mut auto.standings {
            *standing = Standing::read(from, config.arms)?;
        }
        auto.scaler = Scaler::read(from, config.dim)?;
        from.f64s(&mut auto.units)?;
        auto.memory = Memory::read(from, config.dim, config.arms)?;
        for pulls in &mut auto.pulls {
            *pulls = from.u64()?;
        }
        auto.seen = from.u64()?;
        auto.rewards = (from.finite()?, from.finite()?);
        auto.noise = (from.finite()?, from.finite()?);
        auto.restarted = from.u64()?;
        for _ in 0..from.below(CHANGES_KEPT + 1)? {
            let (at, arm, since) = (from.u64()?, from.u64()?, from.u64()?);
            let arm = (arm != u64::MAX).then_some(arm as usize);
            auto.changes.push(Change { at, arm, since });
        }
        Ok(auto)
    }
}
