//! The path of one call: its attempts, the pauses between them, and what comes out.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use super::attempt::{Ended, Passage, Trip};
use super::call::{Attempt, Call, Error, Guard, Outcome, Report, Stopped, Why};
use super::event::What;
use super::{Inner, waited};
use crate::clock::after;
use crate::hedge::race;
use crate::retry::{Decision, Schedule, Stop};
use crate::verdict::{Again, Verdict};

pub(super) async fn run<T, E, F: Future<Output = Result<T, E>>>(
    inner: &Inner,
    call: Call,
    classify: impl Fn(&Result<T, E>) -> Verdict,
    work: impl Fn(Attempt) -> F,
) -> Outcome<T, E> {
    let started = inner.clock.now();
    let passage = Passage::new(inner, call, started);
    if passage.on.contains(Guard::Shed) && passage.is_hopeless() {
        passage.fired(Guard::Shed);
        inner.tell(What::Refused { by: Guard::Shed, why: Why::Overloaded });
        let ended = Ended::Refused { by: Guard::Shed, why: Why::Overloaded, retry_after: None };
        let report = Report { fired: passage.has_fired(), ..Report::default() };
        return Outcome { result: finish(ended, report, None), report };
    }
    let mut schedule = passage.on.contains(Guard::Retry).then(|| inner.retry.begin(started));
    let (mut pauses, mut last) = (Duration::ZERO, None);
    let mut now = started;
    loop {
        let number = passage.sent() + 1;
        let trip = hedged(&passage, now, number, &classify, &work).await;
        now = trip.now;
        pauses += trip.waited;
        match decide(&passage, &mut schedule, &trip.ended, now) {
            Decision::Stop(why) => {
                let (attempts, fired) = (passage.sent(), passage.has_fired());
                if why != Stop::NotRetryable {
                    inner.tell(What::RetriesStopped { attempts, why });
                }
                let took = waited(started, now);
                let report = Report { attempts, fired, waited: pauses, took };
                return Outcome { result: finish(trip.ended, report, last), report };
            }
            Decision::Again { at, pause } => {
                if let Ended::Answered(Err(error), _) = trip.ended {
                    last = Some(error);
                }
                passage.fired(Guard::Retry);
                inner.tell(What::RetryScheduled { attempt: passage.sent() + 1, pause, at });
                // Boxed, like every wait off the happy path: a call should be small in memory.
                let woke = Box::pin(sleep(inner, now, at)).await;
                pauses += waited(now, woke);
                now = woke;
            }
        }
    }
}

/// An attempt, and a second one beside it when hedging is on, the call may be repeated and the
/// first takes longer than most.
async fn hedged<T, E, F: Future<Output = Result<T, E>>>(
    passage: &Passage<'_>,
    now: Instant,
    number: u32,
    classify: &impl Fn(&Result<T, E>) -> Verdict,
    work: &impl Fn(Attempt) -> F,
) -> Trip<T, E> {
    let inner = passage.inner;
    let attempt =
        |now, number, lower, hedge| passage.attempt(now, number, lower, hedge, classify, work);
    let may_hedge = passage.on.contains(Guard::Hedge) && passage.call.repeatable;
    let at = may_hedge.then(|| after(now, inner.hedge.begin()));
    let second = || {
        let later = inner.clock.now();
        inner.hedge.may_send(later).then(|| {
            passage.fired(Guard::Hedge);
            inner.tell(What::Hedged { after: waited(now, later) });
            attempt(later, passage.sent() + 1, true, true)
        })
    };
    let good = |trip: &Trip<T, E>| matches!(trip.ended, Ended::Answered(_, Again::Never));
    let first = pin!(attempt(now, number, number > 1, false));
    let trip = race(&*inner.clock, at, first, second, good, Trip::or).await;
    if may_hedge && good(&trip) {
        inner.hedge.record(trip.took);
    }
    trip
}

fn decide<T, E>(
    passage: &Passage<'_>,
    schedule: &mut Option<Schedule>,
    ended: &Ended<T, E>,
    now: Instant,
) -> Decision {
    let again = match ended {
        Ended::Answered(_, again) | Ended::Cut { again, .. } => *again,
        // A refusal by a guard of ours is an answer, not a failure to get one.
        Ended::Refused { .. } => Again::Never,
    };
    match schedule {
        Some(schedule) if again != Again::Never => {
            if !passage.call.repeatable {
                return Decision::Stop(Stop::NotRepeatable);
            }
            passage.inner.retry.decide(schedule, again, now, passage.deadline)
        }
        _ => Decision::Stop(Stop::NotRetryable),
    }
}

async fn sleep(inner: &Inner, now: Instant, at: Instant) -> Instant {
    if at <= now {
        return now;
    }
    inner.clock.sleep_until(at).await;
    inner.clock.now()
}

fn finish<T, E>(ended: Ended<T, E>, report: Report, last: Option<E>) -> Result<T, Error<E>> {
    let sent = report.attempts > 0;
    let stopped =
        |by, why, retry_after| Err(Error::Stopped(Stopped { by, why, retry_after, sent, last }));
    match ended {
        Ended::Answered(result, _) => result.map_err(Error::Callee),
        Ended::Cut { by, .. } => stopped(by, Why::TimedOut, None),
        Ended::Refused { by, why, retry_after } => stopped(by, why, retry_after),
    }
}
