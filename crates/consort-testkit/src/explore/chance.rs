//! Time and chance that go on in the next process as if nothing had happened.

use std::sync::atomic::{AtomicU64, Ordering};

use consort_core::{Clock, Random, Timestamp};
use tokio::time::Instant;

/// Wall time that follows the runtime's paused clock, from a given moment on.
#[derive(Debug)]
pub(super) struct Virtual {
    from: Timestamp,
    since: Instant,
}

impl Virtual {
    /// Stands at `from` now. Must be made and asked within one runtime.
    pub(super) fn from(from: Timestamp) -> Self {
        Self { from, since: Instant::now() }
    }
}

impl Clock for Virtual {
    fn utc(&self) -> Timestamp {
        self.from.after(self.since.elapsed())
    }
}

/// Random numbers by their index. Identifiers come from a sequence of their own, so that the
/// numbers that runs draw do not depend on how many runs there are.
#[derive(Debug)]
pub(super) struct Draws {
    seed: u64,
    next: AtomicU64,
    identifier: AtomicU64,
}

impl Draws {
    /// Goes on after `drawn` numbers, in the process with this number.
    pub(super) fn after(seed: u64, drawn: u64, process: u32) -> Self {
        let identifier = AtomicU64::new(u64::from(process) << 32);
        Self { seed, next: AtomicU64::new(drawn), identifier }
    }
}

impl Random for Draws {
    fn bits(&self) -> u64 {
        mix(self.seed ^ mix(self.next.fetch_add(1, Ordering::SeqCst)))
    }

    fn wide(&self) -> u128 {
        let number = self.identifier.fetch_add(1, Ordering::SeqCst);
        u128::from(mix(!self.seed)) << 64 | u128::from(mix(number))
    }
}

/// The finaliser of SplitMix64. Source: G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom
/// Number Generators", 2014.
fn mix(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
