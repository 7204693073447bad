//! A call as a value: configured, then awaited.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    Budget, Category, Context, Loss, Name, Outcome, Request, StepError, StepResult,
    context::invalid,
    dispatch,
    orchestrator::{decode_outcome, encode},
    run::Mode,
    steps::{Op, StepFuture},
};

/// What a caller may ask for besides the request itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    pub(crate) timeout: Option<Duration>,
    pub(crate) budget: Option<Budget>,
    pub(crate) attempts: Option<u32>,
}

type Start<T> = Box<dyn FnOnce(Options) -> BoxFuture<'static, StepResult<T>> + Send>;

enum State<T> {
    /// A durable step, issued when the call was made.
    Step(StepFuture),
    /// An ephemeral call that starts at its first poll.
    Ready(Start<T>, Options),
    Running(BoxFuture<'static, StepResult<T>>),
    Refused(StepError),
    Done,
}

/// A call that was made but not yet answered. Awaiting it gives the [`Outcome`]; awaiting
/// [`Call::value`] gives the response alone.
///
/// In a durable run the step is issued when the call is made, so that calls made before the first
/// `await` run side by side. Dropping it withdraws or cancels the step.
#[must_use = "a call does nothing unless it is awaited"]
pub struct Call<T> {
    cx: Context,
    callee: Option<Name>,
    state: State<T>,
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("callee", &self.callee).finish_non_exhaustive()
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> Call<T> {
    pub(crate) fn typed<R: Request<Response = T>>(cx: &Context, name: &str, request: R) -> Self {
        let run = match cx.attached() {
            Ok(run) => run,
            Err(error) => return Self::refused(cx, error),
        };
        // Whoever is registered has a name that need not be checked and copied.
        let found = run.host.registry.load().find(name);
        let callee = match found.as_ref().map_or_else(|| Name::new(name), |c| Ok(c.name().clone()))
        {
            Ok(callee) => callee,
            Err(error) => return Self::refused(cx, invalid(&error)),
        };
        let state = match &run.mode {
            Mode::Durable(steps) => match encode(&request) {
                Ok(request) => {
                    let known = found.is_some_and(|callee| callee.takes::<R>());
                    State::Step(steps.issue(op(cx, &callee, request, !known)))
                }
                Err(error) => State::Refused(error),
            },
            Mode::Ephemeral | Mode::Outside => {
                let (host, cx, callee) = (run.host.clone(), cx.clone(), callee.clone());
                let start = move |options| -> BoxFuture<'static, StepResult<T>> {
                    Box::pin(async move {
                        // A statement of its own: the snapshot must not be held while it runs.
                        let found = host.registry.load().resolve(&callee)?;
                        dispatch::typed(&host, &cx, found, request, options).await
                    })
                };
                State::Ready(Box::new(start), Options::default())
            }
        };
        Self { cx: cx.clone(), callee: Some(callee), state }
    }

    pub(crate) fn refused(cx: &Context, error: StepError) -> Self {
        Self { cx: cx.clone(), callee: None, state: State::Refused(error) }
    }

    /// Bounds the whole step, pauses between attempts included. The run's deadline still counts.
    pub fn timeout(mut self, limit: Duration) -> Self {
        match &mut self.state {
            State::Step(step) => step.amend(|op| {
                if let Op::Call { timeout, .. } = op {
                    *timeout = Some(limit);
                }
            }),
            State::Ready(_, options) => options.timeout = Some(limit),
            State::Running(_) | State::Refused(_) | State::Done => {}
        }
        self
    }

    /// Gives the callee a budget of its own, carved from this run's. Without one it draws on the
    /// run's.
    pub fn budget(mut self, share: Budget) -> Self {
        match &mut self.state {
            State::Step(step) => step.amend(|op| {
                if let Op::Call { budget, .. } = op {
                    *budget = Some(share);
                }
            }),
            State::Ready(_, options) => options.budget = Some(share),
            State::Running(_) | State::Refused(_) | State::Done => {}
        }
        self
    }

    /// Makes at most this many attempts, at least one; the guards may allow fewer. For a
    /// capability: an orchestrator is called once, and retries inside.
    pub fn attempts(mut self, most: u32) -> Self {
        match &mut self.state {
            State::Step(step) => step.amend(|op| {
                if let Op::Call { attempts, .. } = op {
                    *attempts = Some(most);
                }
            }),
            State::Ready(_, options) => options.attempts = Some(most),
            State::Running(_) | State::Refused(_) | State::Done => {}
        }
        self
    }

    /// The response alone. What a degraded response lacks is added to this run's own losses; a
    /// skipped or uncertain callee is an error.
    pub fn value(self) -> ValueOf<T> {
        ValueOf(self)
    }
}

impl Call<Value> {
    pub(crate) fn json(cx: &Context, callee: Name, request: Value, options: Options) -> Self {
        let run = match cx.attached() {
            Ok(run) => run,
            Err(error) => return Self::refused(cx, error),
        };
        let state = match &run.mode {
            Mode::Durable(steps) => State::Step(steps.issue(op(cx, &callee, request, true))),
            Mode::Ephemeral | Mode::Outside => {
                let (host, cx, callee) = (run.host.clone(), cx.clone(), callee.clone());
                let start = move |options| dispatch::json(host, cx, callee, request, options);
                State::Ready(Box::new(start), options)
            }
        };
        Self { cx: cx.clone(), callee: Some(callee), state }
    }
}

fn op(cx: &Context, callee: &Name, request: Value, unchecked: bool) -> Op {
    let (callee, timeout) = (callee.clone(), cx.0.timeout);
    Op::Call { callee, request, timeout, budget: None, attempts: None, unchecked }
}

impl<T: DeserializeOwned + Send + Sync + 'static> Future for Call<T> {
    type Output = StepResult<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        loop {
            match &mut this.state {
                State::Step(step) => {
                    let result = std::task::ready!(Pin::new(step).poll(cx));
                    this.state = State::Done;
                    return Poll::Ready(result.and_then(decode_outcome));
                }
                State::Running(future) => {
                    let result = std::task::ready!(future.as_mut().poll(cx));
                    this.state = State::Done;
                    return Poll::Ready(result);
                }
                State::Ready(..) | State::Refused(_) | State::Done => {}
            }
            match std::mem::replace(&mut this.state, State::Done) {
                State::Ready(start, options) => this.state = State::Running(start(options)),
                State::Refused(error) => return Poll::Ready(Err(error)),
                State::Step(_) | State::Running(_) | State::Done => {
                    let error =
                        StepError::new(Category::Internal, "a call was polled after its end");
                    return Poll::Ready(Err(error));
                }
            }
        }
    }
}

impl<T> Unpin for Call<T> {}

/// See [`Call::value`].
#[must_use = "a call does nothing unless it is awaited"]
#[derive(Debug)]
pub struct ValueOf<T>(Call<T>);

impl<T: DeserializeOwned + Send + Sync + 'static> Future for ValueOf<T> {
    type Output = Result<T, StepError>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let call = &mut self.get_mut().0;
        let result = std::task::ready!(Pin::new(&mut *call).poll(cx));
        let named = |error: StepError| match &call.callee {
            Some(callee) => error.within(callee),
            None => error,
        };
        Poll::Ready(result.and_then(Outcome::into_value).map_err(named).map(|(value, losses)| {
            if let (Some(run), false) = (&call.cx.0.run, losses.is_empty()) {
                let by = |mut loss: Loss| {
                    loss.component = loss.component.or_else(|| call.callee.clone());
                    loss
                };
                run.lose(losses.into_iter().map(by));
            }
            value
        }))
    }
}

/// Waits for the first of several futures. Where two are ready the earlier in the list wins, so
/// that a durable run replays the same choice. Returns its index and output; the others are
/// dropped, which withdraws or cancels their steps.
///
/// An empty list never resolves, which a durable run reports as `foreign_await`.
pub fn race<F: Future + Unpin>(futures: Vec<F>) -> Race<F> {
    Race(futures)
}

/// See [`race`].
#[must_use = "a race does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Race<F>(Vec<F>);

impl<F: Future + Unpin> Future for Race<F> {
    type Output = (usize, F::Output);

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let futures = &mut self.get_mut().0;
        for (index, future) in futures.iter_mut().enumerate() {
            if let Poll::Ready(output) = Pin::new(future).poll(cx) {
                futures.clear();
                return Poll::Ready((index, output));
            }
        }
        Poll::Pending
    }
}
