//! The path of one call through the guards.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use super::call::{Attempt, Call, Error, Guard, Guards, Outcome, Report, Stopped, Why};
use super::event::What;
use super::{Inner, load, waited};
use crate::breaker::{self, Permit};
use crate::bulkhead::{self, Slot};
use crate::clock::{after, earlier};
use crate::rate::Reserved;
use crate::retry::{Decision, Stop};
use crate::timeout::{Elapsed, until};
use crate::verdict::{Again, Charge, Verdict};

/// One call on its way.
struct Passage<'a> {
    inner: &'a Inner,
    on: Guards,
    call: Call,
    /// The earlier of the caller's and the pipeline's.
    deadline: Option<Instant>,
    /// True when the pipeline's is the earlier one.
    own_deadline: bool,
    /// The last clock reading; each step that waits refreshes it.
    now: Instant,
    report: Report,
}

/// How one attempt ended.
enum Ended<T, E> {
    Answered(Result<T, E>, Again),
    Cut { by: Guard, again: Again },
    Refused { by: Guard, why: Why, retry_after: Option<Duration> },
}

/// Why an attempt was not sent.
struct Refusal {
    by: Guard,
    why: Why,
    retry_after: Option<Duration>,
}

pub(super) async fn run<T, E, F: Future<Output = Result<T, E>>>(
    inner: &Inner,
    call: Call,
    classify: impl Fn(&Result<T, E>) -> Verdict,
    work: impl Fn(Attempt) -> F,
) -> Outcome<T, E> {
    let started = inner.clock.now();
    let on = inner.guards();
    let mut schedule = on.contains(Guard::Retry).then(|| inner.retry.begin(started));
    let mut passage = Passage::new(inner, on, call, started);
    let mut last = None;
    let result = loop {
        let ended = passage.attempt(&classify, &work).await;
        let again = match &ended {
            Ended::Answered(_, again) | Ended::Cut { again, .. } => *again,
            Ended::Refused { .. } => Again::Never,
        };
        let decision = match &mut schedule {
            Some(_) if again == Again::Never => Decision::Stop(Stop::NotRetryable),
            Some(_) if !call.repeatable => Decision::Stop(Stop::NotRepeatable),
            Some(schedule) => inner.retry.decide(schedule, again, passage.now, passage.deadline),
            None => Decision::Stop(Stop::NotRetryable),
        };
        match decision {
            Decision::Stop(why) => {
                passage.no_retry(why);
                break passage.finish(ended, last);
            }
            Decision::Again { at, pause } => {
                if let Ended::Answered(Err(error), _) = ended {
                    last = Some(error);
                }
                passage.pause(at, pause).await;
            }
        }
    };
    passage.report.took = waited(started, passage.now);
    Outcome { result, report: passage.report }
}

impl<'a> Passage<'a> {
    fn new(inner: &'a Inner, on: Guards, call: Call, started: Instant) -> Self {
        let own = on.contains(Guard::Deadline).then(|| after(started, load(&inner.deadline)));
        let deadline = earlier(own, call.deadline);
        let own_deadline = own.is_some() && own == deadline;
        Passage { inner, on, call, deadline, own_deadline, now: started, report: Report::default() }
    }

    /// One attempt: all that may refuse or wait, then the work under its timer.
    async fn attempt<T, E, F: Future<Output = Result<T, E>>>(
        &mut self,
        classify: &impl Fn(&Result<T, E>) -> Verdict,
        work: &impl Fn(Attempt) -> F,
    ) -> Ended<T, E> {
        let (permit, slot) = match self.enter().await {
            Ok(entered) => entered,
            Err(Refusal { by, why, retry_after }) => {
                self.fired(by);
                self.inner.tell(What::Refused { by, why });
                return Ended::Refused { by, why, retry_after };
            }
        };
        let sent = self.now;
        self.report.attempts += 1;
        let timeout = self.on.contains(Guard::AttemptTimeout);
        let own = timeout.then(|| after(sent, load(&self.inner.attempt_timeout)));
        let at = earlier(own, self.deadline);
        let by = if own == at { Guard::AttemptTimeout } else { Guard::Deadline };
        let result = {
            let attempt = Attempt { number: self.report.attempts, deadline: at };
            let work = pin!(until(&*self.inner.clock, at, work(attempt)));
            work.await
            // The work is dropped here, before its slot can go to the next call.
        };
        self.now = self.inner.clock.now();
        let took = waited(sent, self.now);
        let (ended, charge) = match result {
            Ok(result) => {
                let verdict = classify(&result);
                (Ended::Answered(result, verdict.again), verdict.charge)
            }
            Err(Elapsed) => self.cut(by, took),
        };
        drop(slot);
        if let Some(permit) = permit {
            permit.report(charge, took, self.now);
        }
        ended
    }

    /// Passes breaker, rate limit and bulkhead, in that order.
    async fn enter(&mut self) -> Result<(Option<Permit<'a>>, Option<Slot<'a>>), Refusal> {
        if self.deadline.is_some_and(|deadline| self.now >= deadline) {
            return Err(Refusal { by: Guard::Deadline, why: Why::TimedOut, retry_after: None });
        }
        let mut permit = self.ask_breaker()?;
        let arrived = self.now;
        let tokens = self.take_tokens().await?;
        let slot = self.take_slot().await?;
        if self.now > arrived && permit.as_ref().is_some_and(|permit| !permit.is_current()) {
            // The breaker moved while this call waited: what it was told then is no longer true.
            drop(permit.take());
            permit = self.ask_breaker()?;
        }
        if let Some(tokens) = tokens {
            tokens.spend();
        }
        Ok((permit, slot))
    }

    fn ask_breaker(&self) -> Result<Option<Permit<'a>>, Refusal> {
        if !self.on.contains(Guard::Breaker) {
            return Ok(None);
        }
        self.inner.breaker.admit(self.now).map(Some).map_err(|refused| Refusal {
            by: Guard::Breaker,
            why: match refused.state {
                breaker::State::Isolated => Why::Isolated,
                _ => Why::Open,
            },
            retry_after: refused.retry_after,
        })
    }

    async fn take_tokens(&mut self) -> Result<Option<Reserved<'a>>, Refusal> {
        if !self.on.contains(Guard::Rate) {
            return Ok(None);
        }
        let patience = self.deadline.map_or(Duration::MAX, |end| waited(self.now, end));
        let reserved =
            self.inner.rate.reserve(self.call.tokens, self.now, patience).map_err(|refused| {
                let retry_after = refused.retry_after;
                Refusal { by: Guard::Rate, why: Why::RateLimited, retry_after }
            })?;
        if reserved.use_at() > self.now {
            self.inner.clock.sleep_until(reserved.use_at()).await;
            self.has_waited(Guard::Rate);
        }
        Ok(Some(reserved))
    }

    async fn take_slot(&mut self) -> Result<Option<Slot<'a>>, Refusal> {
        if !self.on.contains(Guard::Bulkhead) {
            return Ok(None);
        }
        let inner = self.inner;
        if let Some(slot) = inner.bulkhead.try_enter() {
            return Ok(Some(slot));
        }
        let own = Some(after(self.now, inner.bulkhead.max_wait()));
        let at = earlier(own, self.deadline);
        let refuse = |by, why| Err(Refusal { by, why, retry_after: None });
        match until(&*inner.clock, at, inner.bulkhead.enter()).await {
            Ok(Ok(slot)) => {
                self.has_waited(Guard::Bulkhead);
                Ok(Some(slot))
            }
            Ok(Err(bulkhead::Refused::Full { .. })) => refuse(Guard::Bulkhead, Why::Full),
            Ok(Err(bulkhead::Refused::WaitedTooLong)) | Err(Elapsed) => {
                self.has_waited(Guard::Bulkhead);
                if own == at {
                    refuse(Guard::Bulkhead, Why::WaitedTooLong)
                } else {
                    refuse(Guard::Deadline, Why::TimedOut)
                }
            }
        }
    }

    /// The timer ended the attempt: whose fault is that?
    fn cut<T, E>(&mut self, by: Guard, took: Duration) -> (Ended<T, E>, Charge) {
        self.fired(by);
        self.inner.tell(What::TimedOut { by, after: took });
        let again = if by == Guard::AttemptTimeout { Again::Maybe } else { Again::Never };
        // The caller's own deadline, or what was left of ours after other attempts, may have been
        // too short for anyone: the callee is charged only if it had all the time we give.
        let had_all = self.own_deadline && self.report.attempts == 1;
        let charge =
            if by == Guard::AttemptTimeout || had_all { Charge::Failure } else { Charge::Nothing };
        (Ended::Cut { by, again }, charge)
    }

    async fn pause(&mut self, at: Instant, pause: Duration) {
        self.fired(Guard::Retry);
        let attempt = self.report.attempts + 1;
        self.inner.tell(What::RetryScheduled { attempt, pause, at });
        let from = self.now;
        if at > from {
            self.inner.clock.sleep_until(at).await;
        }
        self.now = self.inner.clock.now();
        self.report.waited += waited(from, self.now);
    }

    fn no_retry(&self, why: Stop) {
        if why != Stop::NotRetryable {
            self.inner.tell(What::RetriesStopped { attempts: self.report.attempts, why });
        }
    }

    fn has_waited(&mut self, by: Guard) {
        let from = std::mem::replace(&mut self.now, self.inner.clock.now());
        let time = waited(from, self.now);
        self.report.waited += time;
        self.fired(by);
        self.inner.tell(What::Waited { by, time });
    }

    fn fired(&mut self, guard: Guard) {
        self.report.fired = self.report.fired.with(guard);
    }

    fn finish<T, E>(&self, ended: Ended<T, E>, last: Option<E>) -> Result<T, Error<E>> {
        let sent = self.report.attempts > 0;
        let stopped = |by, why, retry_after| {
            Err(Error::Stopped(Stopped { by, why, retry_after, sent, last }))
        };
        match ended {
            Ended::Answered(result, _) => result.map_err(Error::Callee),
            Ended::Cut { by, .. } => stopped(by, Why::TimedOut, None),
            Ended::Refused { by, why, retry_after } => stopped(by, why, retry_after),
        }
    }
}
