//! Seeded randomness that several threads can draw from without a lock.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use crate::sync::{AtomicU64, Ordering};

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of numbers for jitter, probes and picks; the same seed gives the same stream.
///
/// SplitMix64 (Steele, Lea, Flood: *Fast splittable pseudorandom number generators*, 2014): its
/// state only ever advances by a constant, so one atomic addition per draw is all it takes.
#[derive(Debug)]
pub struct Rng(AtomicU64);

impl Rng {
    /// The stream of this seed.
    pub fn seeded(seed: u64) -> Self {
        Rng(AtomicU64::new(seed))
    }

    /// A stream that differs from process to process and from call to call.
    pub fn random() -> Self {
        Rng::seeded(RandomState::new().build_hasher().finish())
    }

    /// A stream of its own, started from the next number of this one.
    pub fn split(&self) -> Self {
        Rng::seeded(self.next_u64())
    }

    /// The next number, uniform over all 64 bits.
    pub fn next_u64(&self) -> u64 {
        mixed(self.0.fetch_add(GAMMA, Ordering::Relaxed).wrapping_add(GAMMA))
    }

    /// The same for whoever has it alone: without an atomic addition.
    pub(crate) fn next_alone(&mut self) -> u64 {
        let z = self.0.load(Ordering::Relaxed).wrapping_add(GAMMA);
        self.0.store(z, Ordering::Relaxed);
        mixed(z)
    }

    /// The next number in `[0, 1)`.
    pub fn unit(&self) -> f64 {
        // 53 bits: every value is exact in an `f64`, so 1.0 cannot come out by rounding.
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The next number in `0..bound`; 0 when `bound` is 0.
    pub fn below(&self, bound: usize) -> usize {
        let wide = u128::from(self.next_u64()) * bound as u128;
        (wide >> 64) as usize
    }

    /// A duration in `[low, high)`; `low` when the range is empty.
    pub fn between(&self, low: Duration, high: Duration) -> Duration {
        low + high.saturating_sub(low).mul_f64(self.unit())
    }
}

fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_streams() {
        let (a, mut b) = (Rng::seeded(7), Rng::seeded(7));
        for _ in 0..100 {
            assert_eq!(a.next_u64(), b.next_alone());
        }
    }

    #[test]
    fn draws_stay_in_their_range() {
        let rng = Rng::seeded(1);
        let (low, high) = (Duration::from_millis(3), Duration::from_millis(5));
        for _ in 0..10_000 {
            assert!((0.0..1.0).contains(&rng.unit()));
            assert!(rng.below(3) < 3);
            let drawn = rng.between(low, high);
            assert!(drawn >= low && drawn <= high, "{drawn:?}");
        }
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.between(high, low), high);
    }

    #[test]
    fn picks_are_even() {
        let rng = Rng::seeded(3);
        let mut seen = [0_u32; 4];
        for _ in 0..40_000 {
            seen[rng.below(4)] += 1;
        }
        assert!(seen.iter().all(|&n| (9_500..10_500).contains(&n)), "{seen:?}");
    }
}
