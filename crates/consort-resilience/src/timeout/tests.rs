//! Claims about the timeout.

use std::future::{pending, poll_fn, ready};
use std::task::Poll;
use std::time::Duration;

use proptest::prelude::{prop_assert_eq, proptest};

use super::*;
use crate::TokioClock;
use crate::testing::{ByHand, histories};

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
        let clock = ByHand::new();
        let end = clock.now() + Duration::from_millis(at.into());
        let work = async {
            clock.sleep(ready_at).await;
            7
        };
        let mut call = std::pin::pin!(until(&clock, Some(end), work));
        let mut polls = 0;
        let result = loop {
            let cx = &mut Context::from_waker(std::task::Waker::noop());
            if let Poll::Ready(result) = call.as_mut().poll(cx) {
                break result;
            }
            polls += 1;
            clock.advance(1);
        };
        prop_assert_eq!(result, if ready_at <= at { Ok(7) } else { Err(Elapsed) });
        prop_assert_eq!(polls, ready_at.min(at));
    }
}
