//! One attempt: past all that may refuse or wait, then the work under its timer.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use super::call::{Attempt, Call, Guard, Guards, Why};
use super::event::What;
use super::{Inner, load, waited};
use crate::adaptive::Sample;
use crate::breaker::{self, Permit};
use crate::bulkhead::{self, Slot};
use crate::clock::{after, earlier};
use crate::rate::Reserved;
use crate::sync::{AtomicU32, Ordering};
use crate::timeout::{Elapsed, until};
use crate::verdict::{Again, Charge, Verdict};

/// What all attempts of one call share.
pub(super) struct Passage<'a> {
    pub(super) inner: &'a Inner,
    pub(super) on: Guards,
    pub(super) call: Call,
    pub(super) started: Instant,
    /// The earlier of the caller's and the pipeline's.
    pub(super) deadline: Option<Instant>,
    /// True when the pipeline's is the earlier one.
    own_deadline: bool,
    /// Attempts that reached the callee, and guards that did something. Two hedged attempts
    /// share them, but only ever one after the other: atomics for `Sync`, not for threads.
    sent: AtomicU32,
    fired: AtomicU32,
}

/// How one attempt ended.
pub(super) enum Ended<T, E> {
    Answered(Result<T, E>, Again),
    Cut { by: Guard, again: Again },
    Refused { by: Guard, why: Why, retry_after: Option<Duration> },
}

/// One attempt that has ended.
pub(super) struct Trip<T, E> {
    pub(super) ended: Ended<T, E>,
    pub(super) now: Instant,
    pub(super) took: Duration,
    pub(super) waited: Duration,
}

impl<T, E> Trip<T, E> {
    /// Which of two bad ends counts: the later, but what the callee said before what a guard of ours
    /// said about a second call that was never sent.
    pub(super) fn or(self, later: Self) -> Self {
        match (&self.ended, &later.ended) {
            (Ended::Answered(..) | Ended::Cut { .. }, Ended::Refused { .. }) => {
                Trip { now: later.now, ..self }
            }
            _ => later,
        }
    }
}

/// Why an attempt was not sent.
struct Refusal {
    by: Guard,
    why: Why,
    retry_after: Option<Duration>,
}

impl Refusal {
    fn new(by: Guard, why: Why) -> Self {
        Refusal { by, why, retry_after: None }
    }
}

/// The guards an attempt has passed.
struct Entered<'a> {
    permit: Option<Permit<'a>>,
    slot: Option<Slot<'a>>,
}

/// Where an attempt is: the last clock reading, refreshed by each step that waits.
struct Walk<'p, 'a> {
    passage: &'p Passage<'a>,
    now: Instant,
    /// A repeat goes behind first attempts when there is not room for all.
    lower: bool,
    waited: Duration,
}

impl<'a> Passage<'a> {
    pub(super) fn new(inner: &'a Inner, call: Call, started: Instant) -> Self {
        let on = inner.guards();
        let own = load(&inner.deadline).map(|deadline| after(started, deadline));
        let deadline = earlier(own, call.deadline);
        let own_deadline = own.is_some() && own == deadline;
        let (sent, fired) = (AtomicU32::new(0), AtomicU32::new(0));
        Passage { inner, on, call, started, deadline, own_deadline, sent, fired }
    }

    /// Attempts that reached the callee so far.
    pub(super) fn sent(&self) -> u32 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Guards that did something so far.
    pub(super) fn has_fired(&self) -> Guards {
        Guards(self.fired.load(Ordering::Relaxed))
    }

    /// Notes that a guard did something.
    pub(super) fn fired(&self, guard: Guard) {
        self.fired.store(self.has_fired().with(guard).0, Ordering::Relaxed);
    }

    /// True when this call would have to wait and is not worth any wait.
    pub(super) fn is_hopeless(&self) -> bool {
        self.inner.shed.patience(self.call.priority, self.started).is_zero()
            && self.inner.bulkhead.is_busy()
    }

    pub(super) async fn attempt<T, E, F: Future<Output = Result<T, E>>>(
        &self,
        now: Instant,
        number: u32,
        lower: bool,
        hedge: bool,
        classify: &impl Fn(&Result<T, E>) -> Verdict,
        work: &impl Fn(Attempt) -> F,
    ) -> Trip<T, E> {
        let inner = self.inner;
        let mut walk = Walk { passage: self, now, lower, waited: Duration::ZERO };
        let Entered { permit, slot } = match walk.enter().await {
            Ok(entered) => entered,
            Err(refusal) => return walk.refused(refusal),
        };
        let sent = walk.now;
        self.sent.store(self.sent() + 1, Ordering::Relaxed);
        let own = load(&inner.attempt_timeout).map(|timeout| after(sent, timeout));
        let at = earlier(own, self.deadline);
        let result = {
            let work = work(Attempt { number, hedge, deadline: at });
            pin!(until(&*inner.clock, at, work)).await
            // The work is dropped here, before its slot can go to the next call.
        };
        walk.now = inner.clock.now();
        let took = waited(sent, walk.now);
        let (ended, charge) = match result {
            Ok(result) => {
                let verdict = classify(&result);
                (Ended::Answered(result, verdict.again), verdict.charge)
            }
            Err(Elapsed) => {
                let by = if own == at { Guard::AttemptTimeout } else { Guard::Deadline };
                walk.cut(by, took, number == 1)
            }
        };
        if self.on.contains(Guard::Adaptive) {
            self.adapt(Sample { took, charge, in_flight: inner.bulkhead.taken() });
        }
        drop(slot);
        if let Some(permit) = permit {
            permit.report(charge, took, walk.now);
        }
        Trip { ended, now: walk.now, took, waited: walk.waited }
    }

    fn adapt(&self, sample: Sample) {
        if let Some(to) = self.inner.adaptive.sample(sample) {
            self.inner.follow_adaptive();
            self.inner.tell(What::LimitMoved { to });
        }
    }
}

impl<'a> Walk<'_, 'a> {
    /// Passes breaker, rate limit and bulkhead, in that order.
    async fn enter(&mut self) -> Result<Entered<'a>, Refusal> {
        self.ask_deadline()?;
        let mut permit = self.ask_breaker()?;
        let arrived = self.now;
        let tokens = self.take_tokens().await?;
        let slot = self.take_slot().await?;
        if self.now > arrived {
            // A wait may end with the time: what would be cut at once is not sent.
            self.ask_deadline()?;
        }
        if self.now > arrived && permit.as_ref().is_some_and(|permit| !permit.is_current()) {
            // The breaker moved while this call waited: what it said then is no longer true.
            drop(permit.take());
            permit = self.ask_breaker()?;
        }
        if let Some(tokens) = tokens {
            tokens.spend();
        }
        Ok(Entered { permit, slot })
    }

    fn ask_deadline(&self) -> Result<(), Refusal> {
        match self.passage.deadline {
            Some(deadline) if self.now >= deadline => {
                Err(Refusal::new(Guard::Deadline, Why::TimedOut))
            }
            _ => Ok(()),
        }
    }

    fn ask_breaker(&self) -> Result<Option<Permit<'a>>, Refusal> {
        if !self.passage.on.contains(Guard::Breaker) {
            return Ok(None);
        }
        self.passage.inner.breaker.admit(self.now).map(Some).map_err(|refused| Refusal {
            by: Guard::Breaker,
            why: match refused.state {
                breaker::State::Isolated => Why::Isolated,
                _ => Why::Open,
            },
            retry_after: refused.retry_after,
        })
    }

    async fn take_tokens(&mut self) -> Result<Option<Reserved<'a>>, Refusal> {
        let &Passage { inner, on, call, deadline, .. } = self.passage;
        if !on.contains(Guard::Rate) {
            return Ok(None);
        }
        let patience = deadline.map_or(Duration::MAX, |end| waited(self.now, end));
        let reserved = inner.rate.reserve(call.tokens, self.now, patience).map_err(|refused| {
            let retry_after = refused.retry_after;
            Refusal { by: Guard::Rate, why: Why::RateLimited, retry_after }
        })?;
        if reserved.use_at() > self.now {
            Box::pin(inner.clock.sleep_until(reserved.use_at())).await;
            self.has_waited(Guard::Rate);
        }
        Ok(Some(reserved))
    }

    async fn take_slot(&mut self) -> Result<Option<Slot<'a>>, Refusal> {
        let &Passage { inner, on, deadline, .. } = self.passage;
        if !on.contains(Guard::Bulkhead) {
            return Ok(None);
        }
        if let Some(slot) = inner.bulkhead.try_enter() {
            if on.contains(Guard::Shed) {
                inner.shed.empty(self.now);
            }
            return Ok(Some(slot));
        }
        // Whoever's patience ends first gives the refusal its name.
        let own = (inner.bulkhead.max_wait(), Refusal::new(Guard::Bulkhead, Why::WaitedTooLong));
        let (mut patience, mut refusal) = own;
        if on.contains(Guard::Shed) {
            let allowed = self.shed_patience();
            if allowed < patience {
                (patience, refusal) = (allowed, Refusal::new(Guard::Shed, Why::Overloaded));
            }
        }
        if deadline.is_some_and(|end| waited(self.now, end) < patience) {
            patience = deadline.map_or(patience, |end| waited(self.now, end));
            refusal = Refusal::new(Guard::Deadline, Why::TimedOut);
        }
        if patience.is_zero() {
            return Err(refusal);
        }
        let at = Some(after(self.now, patience));
        match Box::pin(until(&*inner.clock, at, inner.bulkhead.enter())).await {
            Ok(Ok(slot)) => {
                self.has_waited(Guard::Bulkhead);
                Ok(Some(slot))
            }
            Ok(Err(bulkhead::Refused::Full { .. })) => {
                Err(Refusal::new(Guard::Bulkhead, Why::Full))
            }
            Ok(Err(bulkhead::Refused::WaitedTooLong)) | Err(Elapsed) => {
                self.has_waited(Guard::Bulkhead);
                Err(refusal)
            }
        }
    }

    /// How long this attempt may queue.
    fn shed_patience(&self) -> Duration {
        let &Passage { inner, call, .. } = self.passage;
        if !inner.bulkhead.has_queue() {
            inner.shed.empty(self.now);
        }
        let priority = if self.lower { call.priority.lower() } else { call.priority };
        inner.shed.patience(priority, self.now)
    }

    /// The timer ended the attempt: whose fault is that?
    fn cut<T, E>(&self, by: Guard, took: Duration, first: bool) -> (Ended<T, E>, Charge) {
        self.passage.fired(by);
        self.passage.inner.tell(What::TimedOut { by, after: took });
        if by == Guard::AttemptTimeout {
            return (Ended::Cut { by, again: Again::Maybe }, Charge::Failure);
        }
        // The caller's own deadline, or what was left of ours after other attempts, may have been
        // too short for anyone: the callee is charged only if it had all the time we give.
        let had_all = self.passage.own_deadline && first;
        let charge = if had_all { Charge::Failure } else { Charge::Nothing };
        (Ended::Cut { by, again: Again::Never }, charge)
    }

    fn refused<T, E>(self, Refusal { by, why, retry_after }: Refusal) -> Trip<T, E> {
        self.passage.fired(by);
        self.passage.inner.tell(What::Refused { by, why });
        let ended = Ended::Refused { by, why, retry_after };
        Trip { ended, now: self.now, took: Duration::ZERO, waited: self.waited }
    }

    fn has_waited(&mut self, by: Guard) {
        let now = self.passage.inner.clock.now();
        let time = waited(self.now, now);
        self.now = now;
        self.waited += time;
        self.passage.fired(by);
        self.passage.inner.tell(What::Waited { by, time });
    }
}
