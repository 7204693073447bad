//! What calls usually take: a small histogram that forgets.

/// Eight steps per doubling, from 2^13 ns (8 µs) to 2^41 ns (37 min): within 12.5 % everywhere.
const STEPS: u32 = 8;
const LOWEST: u32 = 13;
const DOUBLINGS: u32 = 28;
const BUCKETS: usize = (STEPS * DOUBLINGS) as usize;

/// After so many calls all counts are halved, so that about the last thousand weigh in.
const HALVE_AT: u32 = 1_024;

/// Counts of latencies by magnitude.
#[derive(Clone)]
pub(crate) struct Latencies {
    counts: [u16; BUCKETS],
    total: u32,
}

impl Latencies {
    pub(crate) fn new() -> Self {
        Latencies { counts: [0; BUCKETS], total: 0 }
    }

    pub(crate) fn total(&self) -> u32 {
        self.total
    }

    pub(crate) fn record(&mut self, nanos: u64) {
        let count = &mut self.counts[bucket(nanos)];
        *count = count.saturating_add(1);
        self.total += 1;
        if self.total >= HALVE_AT {
            self.total = 0;
            for count in &mut self.counts {
                *count /= 2;
                self.total += u32::from(*count);
            }
        }
    }

    /// The latency that this share of the calls stayed below; 0 without calls. Rounded up to the
    /// end of its step.
    pub(crate) fn quantile(&self, share: f64) -> u64 {
        let wanted = (f64::from(self.total) * share).ceil() as u32;
        let mut seen = 0;
        for (bucket, &count) in self.counts.iter().enumerate() {
            seen += u32::from(count);
            if count > 0 && seen >= wanted {
                return upper(bucket);
            }
        }
        0
    }
}

fn bucket(nanos: u64) -> usize {
    let scaled = nanos >> LOWEST;
    if scaled < u64::from(STEPS) {
        return scaled as usize;
    }
    let doubling = scaled.ilog2() - STEPS.ilog2();
    let step = (scaled >> doubling) as usize - STEPS as usize;
    ((doubling as usize + 1) * STEPS as usize + step).min(BUCKETS - 1)
}

/// The smallest latency above this bucket.
fn upper(bucket: usize) -> u64 {
    let (row, step) = (bucket as u32 / STEPS, u64::from(bucket as u32 % STEPS));
    match row {
        0 => (step + 1) << LOWEST,
        row => (u64::from(STEPS) + step + 1) << (LOWEST + row - 1),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert, proptest};

    use super::*;
    use crate::testing::histories;

    #[test]
    fn buckets_touch_and_never_overlap() {
        for bucket_no in 0..BUCKETS - 1 {
            let end = upper(bucket_no);
            assert_eq!(bucket(end - 1), bucket_no);
            assert_eq!(bucket(end), bucket_no + 1);
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert_eq!(bucket(0), 0);
    }

    #[test]
    fn old_latencies_fade() {
        let mut latencies = Latencies::new();
        (0..5_000).for_each(|_| latencies.record(1_000_000_000));
        (0..5_000).for_each(|_| latencies.record(1_000_000));
        assert!(latencies.quantile(0.5) < 2_000_000);
        assert!(latencies.total() < HALVE_AT);
    }

    proptest! {
        #![proptest_config(histories())]

        #[test]
        fn quantile_is_within_an_eighth_of_the_sorted_answer(
            mut nanos in prop::collection::vec(8_192_u64..10_000_000_000, 1..200),
            share in 0.01_f64..1.0,
        ) {
            let mut latencies = Latencies::new();
            nanos.iter().for_each(|&nanos| latencies.record(nanos));
            nanos.sort_unstable();
            let at = (nanos.len() as f64 * share).ceil() as usize - 1;
            let (exact, answer) = (nanos[at] as f64, latencies.quantile(share) as f64);
            prop_assert!(answer > exact && answer <= exact * 1.125 + 8_193.0, "{answer} for {exact}");
        }
    }
}
