//! The stored form of a [`Budgeted`].

use super::prices::Row;
use super::{Budgeted, Config, MOST_RESOURCES, Resource, WINDOW};
use crate::codec::{Reader, Writer};
use crate::error::Corrupt;
use crate::linear::Ridge;
use crate::model::{Model, Persist};

impl<M: Model + Persist> Persist for Budgeted<M> {
    const KIND: u16 = 0x0200 | M::KIND;
    const VERSION: u16 = 1;

    fn write(&self, out: &mut Writer) {
        out.u16(M::VERSION);
        self.model.write(out);
        out.u64(self.config.horizon);
        out.f64(self.config.alpha);
        out.usize(self.config.resources.len());
        for resource in &self.config.resources {
            out.f64(resource.budget);
            out.floats(&resource.most);
        }
        out.u16(Ridge::VERSION);
        for (model, account) in self.uses.iter().zip(&self.accounts) {
            model.write(out);
            out.f64(account.spent);
            out.f64(account.reserved);
            out.f64(account.price);
            out.u64(account.overruns);
        }
        out.u64(self.decided);
        let (rows, at) = self.recent.parts();
        out.usize(at);
        out.usize(rows.len());
        for row in rows {
            out.arms(&row.available);
            out.f64s(&row.gains);
            out.f64s(&row.uses);
        }
    }

    fn read(from: &mut Reader<'_>, _version: u16) -> Result<Self, Corrupt> {
        let version = from.u16()?;
        let model = M::read(from, version)?;
        let (horizon, alpha) = (from.u64()?, from.finite()?);
        let count = from.below(MOST_RESOURCES + 1)?;
        let resources: Result<Vec<Resource>, Corrupt> = (0..count)
            .map(|_| Ok(Resource { budget: from.finite()?, most: from.floats()? }))
            .collect();
        let config = Config { horizon, alpha, resources: resources? };
        let mut read = Self::new(model, config).map_err(|_| Corrupt::Value)?;
        let version = from.u16()?;
        for (model, account) in read.uses.iter_mut().zip(&mut read.accounts) {
            *model = Ridge::read(from, version)?;
            account.spent = from.finite()?;
            account.reserved = from.finite()?;
            account.price = from.finite()?;
            account.overruns = from.u64()?;
        }
        read.decided = from.u64()?;
        let at = from.below(WINDOW)?;
        let (arms, mut rows) = (read.model.arms(), Vec::new());
        for _ in 0..from.below(WINDOW + 1)? {
            let mut row = Row {
                available: from.arms()?,
                gains: vec![0.0; arms],
                uses: vec![0.0; arms * count],
            };
            from.f64s(&mut row.gains)?;
            from.f64s(&mut row.uses)?;
            rows.push(row);
        }
        // The next row goes to the end until the window is full.
        if rows.len() < WINDOW && at != rows.len() {
            return Err(Corrupt::Value);
        }
        read.recent.restore(rows, at);
        Ok(read)
    }
}
