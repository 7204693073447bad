//! Two futures of the same kind, the second started late: the first good answer wins.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Instant;

use crate::clock::Clock;

/// Polls `first`; from `at` on also what `second` makes, if there is such a moment and it makes one.
/// The first answer that is `good` wins; before `second` is started any answer wins; of two bad
/// ones `choose` takes one, given the earlier and the later.
///
/// Only a second call is boxed: the common case allocates nothing. `first` comes pinned, because an
/// async function that is given a future keeps it in memory twice.
pub(crate) async fn race<F: Future>(
    clock: &dyn Clock,
    at: Option<Instant>,
    mut first: Pin<&mut F>,
    second: impl FnOnce() -> Option<F>,
    good: impl Fn(&F::Output) -> bool,
    choose: impl Fn(F::Output, F::Output) -> F::Output,
) -> F::Output {
    let mut alarm = pin!(None);
    let alone = std::future::poll_fn(|cx| {
        if let Poll::Ready(output) = first.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        let Some(at) = at else { return Poll::Pending };
        // The alarm is set only once the call has had to wait.
        if alarm.is_none() {
            alarm.set(Some(clock.sleep_until(at)));
        }
        match alarm.as_mut().as_pin_mut() {
            Some(alarm) => alarm.poll(cx).map(|()| None),
            None => Poll::Pending,
        }
    });
    if let Some(output) = alone.await {
        return output;
    }
    let Some(second) = second() else { return first.await };
    let mut second = Some(Box::pin(second));
    let mut first = Some(first);
    let mut bad = None;
    std::future::poll_fn(move |cx| {
        // One after the other: a good answer must not be lost because the other call has failed at
        // the same moment.
        for output in [poll_slot(&mut first, cx), poll_slot(&mut second, cx)].into_iter().flatten()
        {
            if good(&output) {
                return Poll::Ready(output);
            }
            match bad.take() {
                Some(earlier) => return Poll::Ready(choose(earlier, output)),
                None => bad = Some(output),
            }
        }
        Poll::Pending
    })
    .await
}

/// Polls a future that may have ended; empties its slot when it ends.
fn poll_slot<P>(
    slot: &mut Option<Pin<P>>,
    cx: &mut Context<'_>,
) -> Option<<P::Target as Future>::Output>
where
    P: std::ops::DerefMut,
    P::Target: Future,
{
    match slot.as_mut()?.as_mut().poll(cx) {
        Poll::Ready(output) => {
            *slot = None;
            Some(output)
        }
        Poll::Pending => None,
    }
}
