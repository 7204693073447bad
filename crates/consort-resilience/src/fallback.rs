//! Fallback: when the best answer cannot be had, the next best one, marked as such.

#[cfg(test)]
mod tests;

use std::future::Future;

/// An answer, and how far down the list it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    /// The value.
    pub value: T,
    /// The name of the alternative that gave it; `None` when it is the real thing. An answer with
    /// a name here is a *degraded* one: it is no success of the callee it stands in for.
    pub instead: Option<&'static str>,
}

/// A list of alternatives, tried one after the other.
///
/// The callee's own guards have run by then: a fallback is what happens *after* a pipeline, so
/// that a good fallback is not taken for a healthy callee.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use consort_resilience::fallback::Fallback;
///
/// let live: Result<&str, &str> = Err("timed out");
/// let worth_it = |error: &&str| *error != "bad request";
/// let answer = Fallback::of(live)
///     .or("cache", worth_it, async |_| Err("miss"))
///     .await
///     .or("canned text", worth_it, async |_| Ok("no summary available"))
///     .await
///     .answer()
///     .unwrap();
/// assert_eq!(answer.value, "no summary available");
/// assert_eq!(answer.instead, Some("canned text"));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "ask for the `answer`"]
pub struct Fallback<T, E> {
    so_far: Result<Answer<T>, E>,
    tried: u32,
}

impl<T, E> Fallback<T, E> {
    /// Starts from the result of the real thing.
    pub fn of(result: Result<T, E>) -> Self {
        Fallback { so_far: result.map(|value| Answer { value, instead: None }), tried: 0 }
    }

    /// Tries `alternative` if there is no answer yet and the last error is `worth_it`: a request
    /// that is wrong gets no better by asking someone else. The alternative is told that error.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the alternative.
    pub async fn or<F: Future<Output = Result<T, E>>>(
        self,
        name: &'static str,
        worth_it: impl FnOnce(&E) -> bool,
        alternative: impl FnOnce(E) -> F,
    ) -> Self {
        match self.so_far {
            Err(error) if worth_it(&error) => {
                let result = alternative(error).await;
                let so_far = result.map(|value| Answer { value, instead: Some(name) });
                Fallback { so_far, tried: self.tried + 1 }
            }
            _ => self,
        }
    }

    /// Ends the list with a value that cannot fail.
    pub fn or_value(
        self,
        name: &'static str,
        worth_it: impl FnOnce(&E) -> bool,
        value: impl FnOnce(E) -> T,
    ) -> Self {
        match self.so_far {
            Err(error) if worth_it(&error) => {
                let answer = Answer { value: value(error), instead: Some(name) };
                Fallback { so_far: Ok(answer), tried: self.tried + 1 }
            }
            _ => self,
        }
    }

    /// How many alternatives were tried.
    pub fn tried(&self) -> u32 {
        self.tried
    }

    /// The answer.
    ///
    /// # Errors
    ///
    /// The error of the last alternative tried.
    pub fn answer(self) -> Result<Answer<T>, E> {
        self.so_far
    }
}
