//! The engine-neutral core of durable execution: polls an orchestrator, hands out the steps that
//! it issues as data, and feeds back one answer per turn.
//!
//! Whoever drives it (the embedded engine, or an adapter of a distributed one) takes commands out,
//! carries them out where it likes, and delivers answers in the order in which it recorded them.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context as TaskContext, Poll, Wake, Waker},
};

use futures_util::{future::BoxFuture, task::AtomicWaker};
use serde_json::Value;

use crate::{
    Category, StepError, StepResult,
    steps::{Issued, Steps},
};

/// More polls than this within one turn mean that the orchestrator spins.
const POLLS_PER_TURN: u32 = 10_000;

/// Where a run stands after a turn.
#[derive(Debug)]
pub enum Turn {
    /// The orchestrator has answered.
    Ended(StepResult<Value>),
    /// It waits for answers.
    Waiting,
}

/// One durable run in memory.
pub struct Machine {
    future: BoxFuture<'static, StepResult<Value>>,
    steps: Steps,
    wakes: Arc<Wakes>,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("claimed", &self.steps.claimed()).finish_non_exhaustive()
    }
}

/// Tells wakes that belong to a turn from those of foreign awaits.
#[derive(Debug, Default)]
struct Wakes {
    in_turn: AtomicBool,
    woken: AtomicBool,
    foreign: AtomicBool,
    driver: AtomicWaker,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        if !self.in_turn.load(Ordering::Acquire) {
            self.foreign.store(true, Ordering::Release);
            self.driver.wake();
        }
    }
}

impl Machine {
    pub(crate) fn new(future: BoxFuture<'static, StepResult<Value>>, steps: Steps) -> Self {
        Self { future, steps, wakes: Arc::default() }
    }

    /// Polls the orchestrator until it waits or ends. A panic ends it as `internal`.
    pub fn turn(&mut self) -> Turn {
        self.wakes.in_turn.store(true, Ordering::Release);
        let turn = self.poll_until_idle();
        self.wakes.in_turn.store(false, Ordering::Release);
        turn
    }

    /// Hands the answer of the step at `position` to the orchestrator and takes a turn.
    /// Deliver only to a step that is [`awaited`](Self::awaited).
    pub fn deliver(&mut self, position: u32, result: StepResult<Value>) -> Turn {
        self.wakes.in_turn.store(true, Ordering::Release);
        self.steps.answer(position, result);
        self.turn()
    }

    fn poll_until_idle(&mut self) -> Turn {
        let waker = Waker::from(self.wakes.clone());
        let mut cx = TaskContext::from_waker(&waker);
        for _ in 0..POLLS_PER_TURN {
            self.wakes.woken.store(false, Ordering::Release);
            match catch_unwind(AssertUnwindSafe(|| self.future.as_mut().poll(&mut cx))) {
                Ok(Poll::Ready(result)) => return Turn::Ended(result),
                Ok(Poll::Pending) if self.wakes.woken.load(Ordering::Acquire) => {}
                Ok(Poll::Pending) => return Turn::Waiting,
                Err(panic) => return Turn::Ended(Err(panicked(&*panic))),
            }
        }
        Turn::Ended(Err(foreign("it wakes itself without end")))
    }

    /// What the orchestrator issued since the last call.
    pub fn take(&self) -> Issued {
        self.steps.take()
    }

    /// True when the orchestrator waits for the answer of the step at `position`.
    pub fn awaited(&self, position: u32) -> bool {
        self.steps.awaited(position)
    }

    pub(crate) fn steps(&self) -> &Steps {
        &self.steps
    }

    /// Resolves when something other than a delivered answer woke the orchestrator: it awaits
    /// something that is not a step.
    pub fn foreign_wake(&self) -> ForeignWake {
        ForeignWake(self.wakes.clone())
    }
}

/// See [`Machine::foreign_wake`].
#[derive(Debug)]
pub struct ForeignWake(Arc<Wakes>);

impl Future for ForeignWake {
    type Output = StepError;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<StepError> {
        self.0.driver.register(cx.waker());
        if self.0.foreign.load(Ordering::Acquire) {
            Poll::Ready(foreign("something other than a step woke it"))
        } else {
            Poll::Pending
        }
    }
}

/// The orchestrator awaits something that is not a step; `how` says how that was noticed.
pub(crate) fn foreign(how: &str) -> StepError {
    StepError::new(
        Category::ForeignAwait,
        "a durable orchestrator awaits something that is not a step",
    )
    .cause(how)
}

/// A panic as an error, with its message in the cause.
pub(crate) fn panicked(panic: &(dyn std::any::Any + Send)) -> StepError {
    let message = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".into());
    StepError::new(Category::Internal, "panicked").cause(message)
}
