//! The sliding window a breaker judges by: the last calls, or the calls of the last stretch of time.

use super::config::Window as Kind;
use crate::clock::nanos;

/// How many calls a window holds, and how many of them failed or were slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counts {
    /// Calls with a result that says something about the callee.
    pub calls: u32,
    /// Those that failed.
    pub failures: u32,
    /// Those that were slow, failed or not.
    pub slow: u32,
}

impl Counts {
    // Saturating: four thousand million calls in one window are more than a rate needs.
    fn add(&mut self, other: Counts) {
        self.calls = self.calls.saturating_add(other.calls);
        self.failures = self.failures.saturating_add(other.failures);
        self.slow = self.slow.saturating_add(other.slow);
    }

    fn sub(&mut self, other: Counts) {
        self.calls = self.calls.saturating_sub(other.calls);
        self.failures = self.failures.saturating_sub(other.failures);
        self.slow = self.slow.saturating_sub(other.slow);
    }
}

const SLICES: usize = 10;

/// Both kinds keep their total as they go, so reading it costs nothing. Moments are nanoseconds
/// since the breaker was made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Window {
    Calls { ring: Vec<Packed>, next: usize, size: usize, total: Counts },
    Time { slices: [Counts; SLICES], current: usize, start: u64, slice: u64, total: Counts },
}

/// One call in the ring: bit 0 failed, bit 1 slow.
type Packed = u8;

fn unpack(seen: Packed) -> Counts {
    Counts { calls: 1, failures: u32::from(seen & 1), slow: u32::from(seen >> 1) }
}

impl Window {
    pub(crate) fn new(kind: Kind, now: u64) -> Self {
        let total = Counts::default();
        match kind {
            // Grows to its size with use: most callees never see that many calls.
            Kind::Calls(size) => {
                Window::Calls { ring: Vec::new(), next: 0, size: size as usize, total }
            }
            Kind::Time(length) => Window::Time {
                slices: [total; SLICES],
                current: 0,
                start: now,
                slice: (nanos(length) / SLICES as u64).max(1),
                total,
            },
        }
    }

    /// Counts one call that ended `now`.
    pub(crate) fn add(&mut self, failed: bool, slow: bool, now: u64) {
        self.turn(now);
        let packed = u8::from(failed) | u8::from(slow) << 1;
        match self {
            Window::Calls { ring, next, size, total } => {
                total.add(unpack(packed));
                if ring.len() < *size {
                    ring.push(packed);
                } else if let Some(oldest) = ring.get_mut(*next) {
                    total.sub(unpack(*oldest));
                    *oldest = packed;
                    *next = (*next + 1) % *size;
                }
            }
            Window::Time { slices, current, total, .. } => {
                slices[*current].add(unpack(packed));
                total.add(unpack(packed));
            }
        }
    }

    /// Counts successes that were seen before the current slice ended.
    pub(crate) fn add_successes(&mut self, count: u32) {
        match self {
            Window::Calls { size, .. } => {
                // More than fit would only push each other out.
                let fitting = count.min(u32::try_from(*size).unwrap_or(u32::MAX));
                (0..fitting).for_each(|_| self.add(false, false, 0));
            }
            Window::Time { slices, current, total, .. } => {
                let seen = Counts { calls: count, ..Counts::default() };
                slices[*current].add(seen);
                total.add(seen);
            }
        }
    }

    /// What the window holds `now`.
    pub(crate) fn total(&mut self, now: u64) -> Counts {
        self.turn(now);
        match self {
            Window::Calls { total, .. } | Window::Time { total, .. } => *total,
        }
    }

    /// True when all its calls are successes. Their order then makes no difference, so they may be
    /// counted elsewhere and added later, up to the end of the slice.
    pub(crate) fn is_clean(&self) -> bool {
        match self {
            Window::Calls { total, .. } | Window::Time { total, .. } => {
                total.failures == 0 && total.slow == 0
            }
        }
    }

    /// When the current slice ends.
    pub(crate) fn slice_end(&self) -> u64 {
        match self {
            Window::Calls { .. } => u64::MAX,
            Window::Time { start, slice, .. } => start.saturating_add(*slice),
        }
    }

    /// Forgets slices that have left the window.
    fn turn(&mut self, now: u64) {
        let Window::Time { slices, current, start, slice, total } = self else { return };
        for _ in 0..SLICES {
            if now < start.saturating_add(*slice) {
                return;
            }
            *current = (*current + 1) % SLICES;
            total.sub(slices[*current]);
            slices[*current] = Counts::default();
            *start = start.saturating_add(*slice);
        }
        // Idle for longer than the window: all slices are empty, so one may start at any moment.
        if now >= start.saturating_add(*slice) {
            *start = now;
        }
    }
}
