//! What was seen of one callee lately: a ring of slices of time, each with its counts.

use std::time::Duration;

use tokio::time::Instant;

use super::Limits;

/// Slices of a window. More would follow the edge of the window more closely, at more memory.
const SLICES: usize = 12;

/// Calls of one stretch of time.
#[derive(Clone, Copy, Debug, Default)]
struct Slice {
    /// Which stretch, counted from the window's first moment. Others have left the window.
    number: u64,
    good: u32,
    bad: u32,
    nanos: u64,
}

/// The calls of one callee over the last stretch of time; older ones weigh less, and what is
/// older than the window is gone.
#[derive(Clone, Debug)]
pub struct Window {
    began: Instant,
    slices: [Slice; SLICES],
}

/// What a window holds at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seen {
    /// Calls, each counted once however old.
    pub calls: u32,
    /// Those that failed.
    pub failures: u32,
    /// Share that succeeded, recent calls weighing more. `None` without calls.
    pub success_rate: Option<f64>,
    /// Mean time of a call, recent calls weighing more. `None` without calls.
    pub latency: Option<Duration>,
}

impl Window {
    /// A window that has seen nothing.
    pub fn new(now: Instant) -> Self {
        Self { began: now, slices: [Slice::default(); SLICES] }
    }

    /// A call ended `now` after `took`; `good` says how.
    pub fn record(&mut self, good: bool, took: Duration, now: Instant, limits: &Limits) {
        let number = self.number(now, limits);
        let slice = &mut self.slices[number as usize % SLICES];
        if slice.number != number {
            *slice = Slice { number, ..Slice::default() };
        }
        let counter = if good { &mut slice.good } else { &mut slice.bad };
        *counter = counter.saturating_add(1);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        slice.nanos = slice.nanos.saturating_add(nanos);
    }

    /// What it holds.
    pub fn seen(&self, now: Instant, limits: &Limits) -> Seen {
        let current = self.number(now, limits);
        let half_life = limits.config().half_life.as_secs_f64();
        let length = slice(limits).as_secs_f64();
        let mut seen = Seen::default();
        let (mut weight, mut good, mut seconds) = (0.0, 0.0, 0.0);
        for slice in &self.slices {
            let Some(age) = current.checked_sub(slice.number) else { continue };
            let calls = slice.good.saturating_add(slice.bad);
            if age >= SLICES as u64 || calls == 0 {
                continue;
            }
            let each = (-(age as f64) * length / half_life).exp2();
            weight += each * f64::from(calls);
            good += each * f64::from(slice.good);
            seconds += each * slice.nanos as f64 / 1e9;
            seen.calls = seen.calls.saturating_add(calls);
            seen.failures = seen.failures.saturating_add(slice.bad);
        }
        if weight > 0.0 {
            seen.success_rate = Some(good / weight);
            seen.latency = Some(Duration::from_secs_f64(seconds / weight));
        }
        seen
    }

    fn number(&self, now: Instant, limits: &Limits) -> u64 {
        let since = now.saturating_duration_since(self.began).as_nanos();
        u64::try_from(since / slice(limits).as_nanos()).unwrap_or(u64::MAX)
    }
}

/// How long a slice is; a window is at least a second, so never zero.
fn slice(limits: &Limits) -> Duration {
    limits.config().window / SLICES as u32
}
