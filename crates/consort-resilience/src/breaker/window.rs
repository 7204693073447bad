//! The sliding window a breaker judges by: the last calls, or the calls of the last stretch of time.

use std::time::{Duration, Instant};

use super::config::Window as Kind;
use crate::clock::after;

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
    fn add(&mut self, other: Counts) {
        self.calls += other.calls;
        self.failures += other.failures;
        self.slow += other.slow;
    }

    fn sub(&mut self, other: Counts) {
        self.calls -= other.calls;
        self.failures -= other.failures;
        self.slow -= other.slow;
    }
}

const SLICES: usize = 10;

/// Both kinds keep their total as they go, so reading it costs nothing.
#[derive(Clone, Debug)]
pub(crate) enum Window {
    Calls {
        ring: Vec<Counts8>,
        next: usize,
        size: usize,
        total: Counts,
    },
    Time {
        slices: [Counts; SLICES],
        current: usize,
        start: Instant,
        slice: Duration,
        total: Counts,
    },
}

/// One call in the ring: bit 0 failed, bit 1 slow.
type Counts8 = u8;

fn unpack(seen: Counts8) -> Counts {
    Counts { calls: 1, failures: u32::from(seen & 1), slow: u32::from(seen >> 1) }
}

impl Window {
    pub(crate) fn new(kind: Kind, now: Instant) -> Self {
        match kind {
            // Grows to its size with use: most callees never see that many calls.
            Kind::Calls(size) => Window::Calls {
                ring: Vec::new(),
                next: 0,
                size: size as usize,
                total: Counts::default(),
            },
            Kind::Time(length) => Window::Time {
                slices: [Counts::default(); SLICES],
                current: 0,
                start: now,
                slice: length / SLICES as u32,
                total: Counts::default(),
            },
        }
    }

    /// Counts one call that ended `now`.
    pub(crate) fn add(&mut self, failed: bool, slow: bool, now: Instant) {
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

    /// What the window holds `now`.
    pub(crate) fn total(&mut self, now: Instant) -> Counts {
        self.turn(now);
        match self {
            Window::Calls { total, .. } | Window::Time { total, .. } => *total,
        }
    }

    /// Forgets slices that have left the window.
    fn turn(&mut self, now: Instant) {
        let Window::Time { slices, current, start, slice, total } = self else { return };
        for _ in 0..SLICES {
            let end = after(*start, *slice);
            if now < end {
                return;
            }
            *current = (*current + 1) % SLICES;
            total.sub(slices[*current]);
            slices[*current] = Counts::default();
            *start = end;
        }
        // Idle for longer than the window: all slices are empty, so one may start at any moment.
        if now >= after(*start, *slice) {
            *start = now;
        }
    }
}
