//! The step executor: one capability call under its guards, with its budget reserved before each
//! attempt and settled after it.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    Category, Deadline, RunId, Spend, Status, StepContext, StepError, StepResult, TenantId,
    admission::Ledger,
    cancel::Cancel,
    dispatch::contain,
    events::Event,
    guard::{Fired, Guarded, StepCall},
    machine::panicked,
    registry::Leaf,
    run::Host,
};

/// Everything needed to carry out one step at a capability.
pub(crate) struct Step {
    pub(crate) host: Arc<Host>,
    pub(crate) leaf: Arc<Leaf>,
    pub(crate) request: Value,
    pub(crate) tenant: TenantId,
    pub(crate) run: RunId,
    pub(crate) position: Option<u32>,
    pub(crate) key: String,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) timeout: Option<std::time::Duration>,
    pub(crate) attempts: Option<u32>,
    pub(crate) cancel: Cancel,
}

/// How it went.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) result: StepResult<Value>,
    pub(crate) attempts: u32,
    pub(crate) fired: Vec<Fired>,
    pub(crate) spend: Spend,
    pub(crate) overrun: Spend,
}

/// What the attempts of a step have cost so far; still right when the step is dropped half-way.
#[derive(Debug, Default)]
pub(crate) struct Bill(Mutex<Cost>);

#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    spend: Spend,
    overrun: Spend,
}

impl Bill {
    pub(crate) fn spend(&self) -> Spend {
        self.cost().spend
    }

    fn cost(&self) -> Cost {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries out the step and reports it.
pub(crate) async fn run(step: Step, bill: &Bill) -> Done {
    let began = Instant::now();
    let guarded = guarded(&step, &bill.0).await;
    let cost = bill.cost();
    let name = &step.leaf.descriptor.name;
    let key = &step.key;
    let result = guarded.result.map_err(|error| {
        let error = guarded.fired.iter().cloned().fold(error, StepError::fired);
        error.within(name).identified(|| key.clone())
    });
    let done = Done {
        result,
        attempts: guarded.attempts,
        fired: guarded.fired,
        spend: cost.spend,
        overrun: cost.overrun,
    };
    report(&step, &done, began);
    done
}

/// The step under its guards, as long as somebody wants the answer.
async fn guarded(step: &Step, cost: &Mutex<Cost>) -> Guarded {
    let unsent = |error| Guarded { result: Err(error), attempts: 0, fired: Vec::new() };
    let reach = match ask(|| step.leaf.twin.reach(&step.request)) {
        Ok(reach) => reach,
        Err(error) => return unsent(error),
    };
    let call = StepCall {
        tenant: step.tenant.clone(),
        callee: step.leaf.descriptor.name.clone(),
        effect: step.leaf.descriptor.effect,
        reach,
        deadline: step.deadline,
        timeout: step.timeout,
        attempts: step.attempts,
    };
    let attempt = |number| attempt(step, number, cost);
    tokio::select! {
        biased;
        guarded = step.host.step_guards.run(&call, &attempt) => guarded,
        () = step.cancel.cancelled() => Guarded {
            attempts: 1,
            ..unsent(StepError::new(Category::Cancelled, "nobody wants the answer any more"))
        },
    }
}

/// What a capability says about itself; a panic in it is an answer too.
fn ask<T>(say: impl FnOnce() -> Result<T, StepError>) -> Result<T, StepError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(say))
        .unwrap_or_else(|panic| Err(panicked(&*panic)))
}

fn report(step: &Step, done: &Done, began: Instant) {
    let (events, callee) = (&step.host.events, &step.leaf.descriptor.name);
    for fired in &done.fired {
        events.emit(|| Event::GuardFired {
            run: Some(step.run.clone()),
            callee: callee.clone(),
            fired: fired.clone(),
        });
    }
    if !done.overrun.is_zero() {
        let (run, by) = (step.run.clone(), done.overrun);
        events.emit(|| Event::Overrun { run, callee: callee.clone(), by });
    }
    events.emit(|| Event::StepEnded {
        run: step.run.clone(),
        position: step.position,
        callee: callee.clone(),
        status: Status::of(&done.result),
        category: done.result.as_ref().err().map(StepError::category),
        attempts: done.attempts,
        took: began.elapsed(),
        spend: done.spend,
    });
}

/// One attempt. The reservation is settled even if the attempt is dropped half-way: what it
/// recorded as spent by then stays spent.
fn attempt<'a>(
    step: &'a Step,
    number: u32,
    cost: &'a Mutex<Cost>,
) -> BoxFuture<'a, StepResult<Value>> {
    Box::pin(async move {
        let leaf = &step.leaf;
        let bound = ask(|| leaf.twin.bound(&step.request))?;
        let reservation = step.ledger.reserve(bound)?;
        let spend = Arc::new(Mutex::new(Spend::CALL));
        let _settle = Settle { reservation: Some(reservation), spend: spend.clone(), cost };
        let cx = StepContext {
            tenant: step.tenant.clone(),
            run: step.run.clone(),
            key: step.key.clone(),
            attempt: number,
            deadline: step.deadline,
            cancel: step.cancel.child(),
            host: step.host.clone(),
            spend,
        };
        contain(leaf.twin.clone().invoke(cx, step.request.clone())).await
    })
}

struct Settle<'a> {
    reservation: Option<crate::admission::Reservation>,
    spend: Arc<Mutex<Spend>>,
    cost: &'a Mutex<Cost>,
}

impl Drop for Settle<'_> {
    fn drop(&mut self) {
        let actual = *self.spend.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(reservation) = self.reservation.take() else { return };
        let over = reservation.settle(actual);
        let mut cost = self.cost.lock().unwrap_or_else(PoisonError::into_inner);
        cost.spend += actual;
        cost.overrun += over;
    }
}
