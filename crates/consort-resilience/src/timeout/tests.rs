//! Claims about the timeout.

use std::future::{pending, poll_fn, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use proptest::prelude::{prop_assert_eq, proptest};

use super::*;
use crate::TokioClock;
use crate::testing::histories;

#[tokio::test(start_paused = true)]
async fn hanging_work_ends_at_its_moment() {
    let start = TokioClock.now();
    let at = start + Duration::from_secs(3);
    assert_eq!(until(&TokioClock, Some(at), pending::<()>()).await, Err(Elapsed));
    let late = TokioClock.now() - at;
    assert!(late <= Duration::from_millis(1), "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn result_that_is_ready_wins_over_a_past_moment() {
    let past = TokioClock.now();
    assert_eq!(until(&TokioClock, Some(past), ready(7)).await, Ok(7));
}

#[tokio::test(start_paused = true)]
async fn no_moment_means_no_bound() {
    let work = tokio::time::sleep(Duration::from_secs(1_000_000));
    assert_eq!(until(&TokioClock, None, work).await, Ok(()));
}

/// Tokio makes a timer wait while a task has used up its turn; such a task could never time out.
#[tokio::test]
async fn busy_work_cannot_starve_its_timeout() {
    let greedy = poll_fn(|cx| {
        while let Poll::Ready(progress) = tokio::task::coop::poll_proceed(cx) {
            progress.made_progress();
        }
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    });
    let at = TokioClock.now() + Duration::from_millis(5);
    assert_eq!(until(&TokioClock, Some(at), greedy).await, Err(Elapsed));
}

#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Instant {
        TokioClock.now()
    }

    fn sleep_until(&self, _: Instant) -> Sleep {
        Sleep::new(ready(()))
    }
}

#[tokio::test]
async fn any_clock_will_do() {
    let far = Stopped.now() + Duration::from_secs(3600);
    assert_eq!(until(&Stopped, Some(far), pending::<()>()).await, Err(Elapsed));
}

proptest! {
    #![proptest_config(histories())]

    /// Polled once a millisecond: the result if it is there by the moment, else the end.
    #[test]
    fn result_or_end_whichever_comes_first(ready_at in 0_u32..40, at in 0_u32..40) {
        let start = TokioClock.now();
        let clock = ByHand { now: Arc::new(AtomicU32::new(0)), start };
        let time = clock.now.clone();
        let work = std::future::poll_fn(|_| match time.load(Ordering::Relaxed) >= ready_at {
            true => Poll::Ready(7),
            false => Poll::Pending,
        });
        let mut call = std::pin::pin!(until(&clock, Some(start + ms(at)), work));
        let mut polls = 0;
        let result = loop {
            let cx = &mut Context::from_waker(std::task::Waker::noop());
            if let Poll::Ready(result) = call.as_mut().poll(cx) {
                break result;
            }
            polls += 1;
            clock.now.fetch_add(1, Ordering::Relaxed);
        };
        prop_assert_eq!(result, if ready_at <= at { Ok(7) } else { Err(Elapsed) });
        prop_assert_eq!(polls, ready_at.min(at));
    }
}

#[derive(Clone, Debug)]
struct ByHand {
    now: Arc<AtomicU32>,
    start: Instant,
}

impl Clock for ByHand {
    fn now(&self) -> Instant {
        self.start + ms(self.now.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, at: Instant) -> Sleep {
        let clock = self.clone();
        Sleep::new(std::future::poll_fn(move |_| match clock.now() >= at {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }))
    }
}

fn ms(count: u32) -> Duration {
    Duration::from_millis(u64::from(count))
}
