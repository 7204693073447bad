//! Endpoints of one callee: picks the least loaded of two, and leaves out those that fail.

mod config;
mod load;
mod outlier;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use config::{Balance, Config, Eject, Limits};

use crate::clock::after;
use crate::rng::Rng;
use crate::shield::shielded;
use crate::sync::{Mutex, lock};
use crate::verdict::Charge;
use load::{Load, Scale};
use outlier::Health;

/// The endpoints of one callee. `T` is what the caller needs to reach one: a URL, a client.
///
/// Power of two choices: of two drawn at random the one that costs less is taken. That is close
/// to the best pick and, unlike it, does not send everybody to the same place (Mitzenmacher,
/// 2001). Cost is peak-EWMA latency times outstanding calls.
pub struct Endpoints<T> {
    state: Mutex<State<T>>,
    on_eject: Option<Listener>,
}

type Listener = Arc<dyn Fn(&str, Duration) + Send + Sync>;

struct State<T> {
    limits: Limits,
    /// What `limits` says about balancing.
    scale: Scale,
    rng: Rng,
    /// In the order of their ids, which only grow.
    slots: Vec<Slot<T>>,
    /// Of the same places as `slots`.
    healths: Vec<Health>,
    next_id: u64,
    interval_ends: Option<Instant>,
}

struct Slot<T> {
    id: EndpointId,
    endpoint: Arc<Endpoint<T>>,
    load: Load,
}

struct Endpoint<T> {
    name: Arc<str>,
    value: T,
}

/// Tells an endpoint from the others of its callee, for as long as it is among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(u64);

/// A call to one endpoint. Dropped without [`report`](Lease::report), it counts as nothing.
#[must_use = "the endpoint counts the call as ended when this is dropped"]
pub struct Lease<'a, T> {
    endpoints: &'a Endpoints<T>,
    id: EndpointId,
    /// Its place among the slots when it was picked.
    at: usize,
    endpoint: Arc<Endpoint<T>>,
    open: bool,
}

/// One endpoint at one moment, for screens.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Its name.
    pub name: Arc<str>,
    /// What it costs; lower is better. Seconds of latency times calls.
    pub cost: f64,
    /// Calls under way.
    pub outstanding: u32,
    /// How much longer it is left out.
    pub out_for: Option<Duration>,
}

impl<T> Endpoints<T> {
    /// No endpoints yet; see [`set`](Self::set).
    pub fn new(limits: Limits, rng: Rng) -> Self {
        let (slots, healths) = (Vec::new(), Vec::new());
        let scale = Scale::new(&limits.config().balance);
        let state = State { limits, scale, rng, slots, healths, next_id: 0, interval_ends: None };
        Endpoints { state: Mutex::new(state), on_eject: None }
    }

    /// Calls `listener` with the name and the time for which it is left out, outside every lock.
    /// A listener that panics is ignored.
    #[must_use]
    pub fn on_eject(mut self, listener: impl Fn(&str, Duration) + Send + Sync + 'static) -> Self {
        self.on_eject = Some(Arc::new(listener));
        self
    }

    /// The endpoints from now on. One whose name is already known keeps its record.
    pub fn set<N: Into<Arc<str>>>(&self, list: impl IntoIterator<Item = (N, T)>, now: Instant) {
        // What the caller gave us runs and is dropped without the lock: it may do anything.
        let list: Vec<(Arc<str>, T)> =
            list.into_iter().map(|(n, value)| (n.into(), value)).collect();
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        let slots = std::mem::take(&mut state.slots);
        let mut known: Vec<_> = slots.into_iter().zip(state.healths.drain(..)).collect();
        let mut next: Vec<(Slot<T>, Health)> = Vec::new();
        let mut gone = Vec::new();
        for (name, value) in list {
            let at = known.iter().position(|(slot, _)| slot.endpoint.name == name);
            let endpoint = Arc::new(Endpoint { name, value });
            next.push(match at {
                Some(at) => {
                    let (mut slot, health) = known.swap_remove(at);
                    gone.push(std::mem::replace(&mut slot.endpoint, endpoint));
                    (slot, health)
                }
                None => {
                    let id = EndpointId(state.next_id);
                    state.next_id += 1;
                    (Slot { id, endpoint, load: Load::new(now) }, Health::default())
                }
            });
        }
        next.sort_by_key(|(slot, _)| slot.id);
        (state.slots, state.healths) = next.into_iter().unzip();
        drop(guard);
        drop((known, gone));
    }

    /// An endpoint to call now; none of those `tried`, as long as there is another. `None` only when
    /// there are no endpoints: when all would be left out, none is.
    pub fn pick(&self, tried: &[EndpointId], now: Instant) -> Option<Lease<'_, T>> {
        let mut state = lock(&self.state);
        let State { scale, rng, slots, healths, .. } = &mut *state;
        let drawn = rng.next_alone();
        let is_new = |at: usize| !tried.contains(&slots[at].id);
        let is_in = |at: usize| !healths[at].is_out(now);
        let count = slots.len();
        let (first, second) = two(drawn, count, |at| is_in(at) && is_new(at))
            .or_else(|| two(drawn, count, is_new))
            .or_else(|| two(drawn, count, is_in))
            .or_else(|| two(drawn, count, |_| true))?;
        let cost = |at: usize| slots[at].load.cost(scale, now);
        let at = second.filter(|&second| cost(second) < cost(first)).unwrap_or(first);
        let slot = &mut slots[at];
        slot.load.sent();
        let (id, endpoint) = (slot.id, slot.endpoint.clone());
        Some(Lease { endpoints: self, id, at, endpoint, open: true })
    }

    /// All endpoints at this moment.
    pub fn snapshot(&self, now: Instant) -> Vec<Snapshot> {
        let state = lock(&self.state);
        let of = |(slot, health): (&Slot<T>, &Health)| Snapshot {
            name: slot.endpoint.name.clone(),
            cost: slot.load.cost(&state.scale, now),
            outstanding: slot.load.outstanding(),
            out_for: health.out_for(now),
        };
        state.slots.iter().zip(&state.healths).map(of).collect()
    }

    /// Takes new limits; records and ejections stay.
    pub fn reconfigure(&self, limits: Limits) {
        let mut state = lock(&self.state);
        state.scale = Scale::new(&limits.config().balance);
        state.limits = limits;
    }

    fn end(&self, id: EndpointId, at: usize, seen: Option<(Charge, Duration, Instant)>) {
        let mut state = lock(&self.state);
        let State { limits, scale, slots, healths, interval_ends, .. } = &mut *state;
        // Still in its place, unless there is a new list.
        let is_there = slots.get(at).is_some_and(|slot| slot.id == id);
        let found = if is_there { Ok(at) } else { slots.binary_search_by_key(&id, |slot| slot.id) };
        let Ok(at) = found else { return };
        slots[at].load.gone();
        let Some((charge, took, now)) = seen else { return };
        match charge {
            Charge::Success => slots[at].load.answered(took, scale, now),
            Charge::Failure => slots[at].load.answered(took.max(scale.failure), scale, now),
            Charge::Answered | Charge::Nothing => {}
        }
        let Some(eject) = &limits.config().eject else { return };
        let mut ejected = Vec::new();
        if let Some(rest) = outlier::report(healths, at, charge, eject, now) {
            ejected.push((at, rest));
        }
        let ends = interval_ends.get_or_insert_with(|| after(now, eject.interval));
        if now >= *ends {
            *ends = after(now, eject.interval);
            ejected.extend(outlier::compare(healths, eject, now));
        }
        if ejected.is_empty() {
            return;
        }
        let ejected: Vec<(Arc<str>, Duration)> =
            ejected.into_iter().map(|(at, rest)| (slots[at].endpoint.name.clone(), rest)).collect();
        drop(state);
        if let Some(listener) = &self.on_eject {
            for (name, rest) in &ejected {
                shielded(|| listener(name, *rest));
            }
        }
    }
}

/// Two different places among `count` that will do, as the random number says: one half of it
/// says where to look from for the first, the other half for the second.
fn two(
    drawn: u64,
    count: usize,
    will_do: impl Fn(usize) -> bool,
) -> Option<(usize, Option<usize>)> {
    let below = |half: u64, bound: usize| ((half * bound as u64) >> 32) as usize;
    let from = below(drawn >> 32, count);
    let first = (from..count).chain(0..from).find(|&at| will_do(at))?;
    // Starts behind the first, so that it can only come back to it in the end.
    let others = count - 1;
    let skip = below(drawn & u64::from(u32::MAX), others);
    let place = |step: usize| match first + 1 + step {
        at if at < count => at,
        at => at - count,
    };
    let second = (skip..others).chain(0..skip).map(place).find(|&at| will_do(at));
    Some((first, second))
}

impl<T> Lease<'_, T> {
    /// Which endpoint it is, for picking another.
    pub fn id(&self) -> EndpointId {
        self.id
    }

    /// The endpoint's name.
    pub fn name(&self) -> &str {
        &self.endpoint.name
    }

    /// What is needed to reach it.
    pub fn value(&self) -> &T {
        &self.endpoint.value
    }

    /// Says how the call went, how long it took, and that it ended `now`.
    pub fn report(mut self, charge: Charge, took: Duration, now: Instant) {
        self.open = false;
        self.endpoints.end(self.id, self.at, Some((charge, took, now)));
    }
}

impl<T> Drop for Lease<'_, T> {
    fn drop(&mut self) {
        if self.open {
            self.endpoints.end(self.id, self.at, None);
        }
    }
}

impl<T> fmt::Debug for Lease<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("name", &self.endpoint.name).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Endpoints<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.state);
        let names: Vec<&str> = state.slots.iter().map(|slot| &*slot.endpoint.name).collect();
        f.debug_struct("Endpoints").field("names", &names).finish_non_exhaustive()
    }
}
