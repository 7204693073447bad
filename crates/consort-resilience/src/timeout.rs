//! Timeout: no call lasts longer than it may.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use pin_project_lite::pin_project;

use crate::clock::{Clock, Sleep};

/// The moment came before the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("time is up")]
pub struct Elapsed;

/// Runs `work` until it ends or `at` has come; `None` waits for ever.
///
/// A result that is ready at the same moment wins. The timer is made only when `work` has to
/// wait, so a call that answers at once costs nothing.
///
/// # Cancel safety
///
/// Dropping the future drops `work`. When the time is up, `work` is dropped with the returned
/// future, not before: drop it to release what the work holds.
pub fn until<'a, F: Future>(clock: &'a dyn Clock, at: Option<Instant>, work: F) -> Until<'a, F> {
    Until { work, sleep: None, clock, at }
}

pin_project! {
    /// The future of [`until`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Until<'a, F> {
        #[pin]
        work: F,
        #[pin]
        sleep: Option<Sleep>,
        clock: &'a dyn Clock,
        at: Option<Instant>,
    }
}

impl<F: Future> Future for Until<'_, F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(output) = this.work.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        let Some(at) = *this.at else { return Poll::Pending };
        if this.sleep.is_none() {
            this.sleep.set(Some(this.clock.sleep_until(at)));
        }
        match this.sleep.as_pin_mut() {
            Some(sleep) => sleep.poll(cx).map(|()| Err(Elapsed)),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests;
