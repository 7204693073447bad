//! The last examples, kept to start afresh from after a change.

use crate::codec::{Reader, Writer};
use crate::error::Corrupt;

/// Most examples kept.
const KEPT: usize = 512;

/// A ring of examples.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Memory {
    dim: usize,
    contexts: Vec<f64>,
    outcomes: Vec<(usize, f64, f64)>,
    /// Where the next example goes, once the ring is full.
    next: usize,
}

impl Memory {
    pub(super) fn new(dim: usize) -> Self {
        Self { dim, contexts: Vec::new(), outcomes: Vec::new(), next: 0 }
    }

    pub(super) fn push(&mut self, x: &[f64], arm: usize, reward: f64, weight: f64) {
        if self.outcomes.len() < KEPT {
            self.contexts.extend_from_slice(x);
            self.outcomes.push((arm, reward, weight));
        } else {
            self.contexts[self.next * self.dim..][..self.dim].copy_from_slice(x);
            self.outcomes[self.next] = (arm, reward, weight);
            self.next = (self.next + 1) % KEPT;
        }
    }

    /// The last `count` examples that are kept, oldest first: context, arm, reward, weight.
    pub(super) fn last(&self, count: u64) -> impl Iterator<Item = (&[f64], usize, f64, f64)> {
        let len = self.outcomes.len();
        let count = usize::try_from(count).unwrap_or(len).min(len);
        (len - count..len).map(move |i| {
            let at = if len < KEPT { i } else { (self.next + i) % KEPT };
            let (arm, reward, weight) = self.outcomes[at];
            (&self.contexts[at * self.dim..(at + 1) * self.dim], arm, reward, weight)
        })
    }

    /// Multiplies every kept context by `units`.
    pub(super) fn rescale(&mut self, units: &[f64]) {
        for x in self.contexts.chunks_exact_mut(self.dim) {
            x.iter_mut().zip(units).for_each(|(x, unit)| *x *= unit);
        }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        out.usize(self.outcomes.len());
        for (x, arm, reward, weight) in self.last(KEPT as u64) {
            out.f64s(x);
            out.usize(arm);
            out.f64(reward);
            out.f64(weight);
        }
    }

    pub(super) fn read(from: &mut Reader<'_>, dim: usize, arms: usize) -> Result<Self, Corrupt> {
        let mut memory = Self::new(dim);
        let mut x = vec![0.0; dim];
        for _ in 0..from.below(KEPT + 1)? {
            from.f64s(&mut x)?;
            let (arm, reward, weight) = (from.below(arms)?, from.finite()?, from.finite()?);
            memory.push(&x, arm, reward, weight);
        }
        Ok(memory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_examples_come_oldest_first() {
        let mut memory = Memory::new(1);
        for i in 0..KEPT + 100 {
            memory.push(&[i as f64], i % 3, 0.5, 1.0);
            let last: Vec<f64> = memory.last(3).map(|(x, ..)| x[0]).collect();
            let expected: Vec<f64> = (0..i + 1).rev().take(3).rev().map(|i| i as f64).collect();
            assert_eq!(last, expected);
        }
        assert_eq!(memory.last(u64::MAX).count(), KEPT);
    }
}
