//! How a call reaches its callee: the checks in their order, then an ephemeral run in the
//! caller's own task, a durable run on the facade's, or a bare step.

mod ephemeral;

use std::{
    any::TypeId,
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, LazyLock},
};

use futures_util::{FutureExt, future::BoxFuture};
use serde_json::Value;

use crate::{
    Category, Context, Deadline, Durability, Name, Request, RequestId, StepError, StepResult,
    TenantId,
    admission::{Ledger, Moment, Ticket},
    call::Options,
    engine,
    events::Event,
    execute::{self, Bill, Step},
    guard::{Fired, RunCall},
    machine::panicked,
    orchestrator::{Exchange, decode, encode},
    registry::{Callee, Entry, Leaf, OpenRun},
    run::{Host, Run},
};

/// Calls `callee` with a typed request; JSON is used only where the callee needs it.
pub(crate) async fn typed<R: Request>(
    host: &Arc<Host>,
    cx: &Context,
    callee: Callee,
    request: R,
    options: Options,
) -> StepResult<R::Response> {
    match callee {
        Callee::Orchestrator(entry)
            if entry.request_type == TypeId::of::<R>()
                && entry.descriptor.durability == Durability::Ephemeral =>
        {
            let mut exchange = Exchange::new(request);
            let outcome = ephemeral::run(host, cx, &entry, &mut exchange, options).await?;
            outcome.try_map(|()| exchange.response())
        }
        // In a box of its own: everything that can wait on a store is large, and the above is not.
        other => Box::pin(typed_as_json(host, cx, other, request, options)).await,
    }
}

async fn typed_as_json<R: Request>(
    host: &Arc<Host>,
    cx: &Context,
    callee: Callee,
    request: R,
    options: Options,
) -> StepResult<R::Response> {
    let known = callee.request_type() == TypeId::of::<R>();
    let request = encode(&request)?;
    if !known {
        let named = |error: StepError| error.within(callee.name());
        callee.schemas().check(&request).map_err(named)?;
    }
    let outcome = resolved_json(host, cx, callee, request, options).await?;
    outcome.try_map(decode)
}

/// Calls `callee` with JSON after checking it against the schema.
pub(crate) fn json(
    host: Arc<Host>,
    cx: Context,
    callee: Name,
    request: Value,
    options: Options,
) -> BoxFuture<'static, StepResult<Value>> {
    Box::pin(async move {
        let resolved = host.registry.load().resolve(&callee)?;
        resolved.schemas().check(&request).map_err(|error| error.within(&callee))?;
        resolved_json(&host, &cx, resolved, request, options).await
    })
}

pub(crate) async fn resolved_json(
    host: &Arc<Host>,
    cx: &Context,
    callee: Callee,
    request: Value,
    options: Options,
) -> StepResult<Value> {
    match callee {
        Callee::Capability(leaf) => bare_step(host, cx, leaf, request, options).await,
        Callee::Orchestrator(entry) if entry.descriptor.durability == Durability::Durable => {
            let handle = engine::start_root(host, cx, &entry, request, options).await?;
            engine::follow(host, cx, handle).await
        }
        Callee::Orchestrator(entry) => {
            let mut exchange = entry.twin.decode(request)?;
            let outcome = ephemeral::run(host, cx, &entry, &mut *exchange, options).await?;
            outcome.try_map(|()| entry.twin.encode(&mut *exchange))
        }
    }
}

/// Everything that can be refused before anything runs.
pub(crate) fn check(host: &Host, cx: &Context, entry: &Arc<Entry>) -> Result<OpenRun, StepError> {
    let descriptor = &entry.descriptor;
    let run = cx.0.run.as_ref();
    let refuse = |category, message: String| {
        Err(StepError::new(category, message).within(&descriptor.name).during("admit"))
    };
    let inside = cx.is_inside();
    let depth = run.map_or(0, |run| if inside { run.depth + 1 } else { 0 });
    if depth > host.limits.depth {
        let message = format!("{depth} calls deep, the limit is {}", host.limits.depth);
        return refuse(Category::DepthExceeded, message);
    }
    if let Some(origin) = run.and_then(|run| run.origin).filter(|o| !o.may_call(descriptor.layer)) {
        let message =
            format!("a call from the {origin} layer up to the {} layer", descriptor.layer);
        return refuse(Category::UpwardCall, message);
    }
    // What runs may go on until it has ended, and needs its children for that.
    if !inside && host.closing.is_cancelled() {
        return refuse(Category::ShuttingDown, "the facade takes no new runs".into());
    }
    let open = OpenRun::enter(entry);
    let Some(open) = open else {
        return refuse(
            Category::ShuttingDown,
            "is being unregistered and takes no new runs".into(),
        );
    };
    if !host.run_guards.is_empty() {
        static UNNAMED: LazyLock<RequestId> = LazyLock::new(RequestId::unnamed);
        let call = RunCall {
            tenant: cx.tenant(),
            request: cx.request_id().unwrap_or(&UNNAMED),
            callee: descriptor,
            depth,
            root: !inside,
        };
        for guard in &host.run_guards {
            guard.check(&call).map_err(|error| {
                let fired = Fired::new(guard.name(), error.message());
                let (callee, told) = (descriptor.name.clone(), fired.clone());
                host.events.emit(|| Event::GuardFired { run: None, callee, fired: told });
                error.within(&descriptor.name).fired(fired)
            })?;
        }
    }
    Ok(open)
}

/// The deadline of a call made from `cx`: the earliest of what is inherited and asked for.
pub(crate) fn deadline(host: &Host, cx: &Context, options: Options) -> Option<Deadline> {
    deadline_from(None, host, cx, options)
}

/// The same for a call that was made at a moment which may have been looked up before: clocks are
/// a good part of what a short call costs.
fn deadline_from(
    now: Option<Moment>,
    host: &Host,
    cx: &Context,
    options: Options,
) -> Option<Deadline> {
    if options.timeout.is_none() && cx.0.timeout.is_none() {
        return cx.0.deadline;
    }
    let now = now.unwrap_or_else(|| host.moment());
    let within = |limit| Deadline::from(now.at, now.utc, limit);
    let asked = Deadline::earlier(options.timeout.map(within), cx.0.timeout.map(within));
    Deadline::earlier(cx.0.deadline, asked)
}

/// The budget that a call brings along: its own option, or for a root what its context asks for.
pub(crate) fn asked_budget(cx: &Context, options: Options) -> Option<crate::Budget> {
    options.budget.or(if cx.is_inside() { None } else { cx.0.budget })
}

/// Where a child's or root's money comes from.
struct Share {
    ledger: Arc<Ledger>,
    /// Held by roots until they end.
    _ticket: Option<Ticket>,
    /// When a root was admitted.
    now: Option<Moment>,
}

async fn share(host: &Host, cx: &Context, options: Options) -> Result<Share, StepError> {
    let budget = asked_budget(cx, options);
    match cx.0.run.as_ref().filter(|run| run.is_inside()) {
        None => {
            let now = host.moment();
            let ticket = host.admit(cx.tenant(), budget, now).await?;
            Ok(Share { ledger: ticket.ledger.clone(), _ticket: Some(ticket), now: Some(now) })
        }
        Some(run) => {
            let ledger = match budget {
                Some(budget) => run.ledger.carve(budget)?,
                None => run.ledger.clone(),
            };
            Ok(Share { ledger, _ticket: None, now: None })
        }
    }
}

/// Turns a panic into an error.
pub(crate) async fn contain<T>(
    work: impl Future<Output = Result<T, StepError>>,
) -> Result<T, StepError> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result,
        Err(panic) => Err(panicked(&*panic)),
    }
}

/// Resolves at the deadline; never without one.
pub(crate) async fn until(deadline: Option<Deadline>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.at).await,
        None => std::future::pending().await,
    }
}

pub(crate) fn announce(host: &Host, entry: &Entry, cx: &Context) {
    host.events.tell(|| {
        Some(Event::RunStarted {
            run: cx.run_id()?.clone(),
            orchestrator: entry.descriptor.name.clone(),
            version: entry.descriptor.version.clone(),
            layer: entry.descriptor.layer,
            durability: entry.descriptor.durability,
            tenant: cx.tenant().clone(),
        })
    });
}

/// Calls a capability outside a durable run.
async fn bare_step(
    host: &Arc<Host>,
    cx: &Context,
    leaf: Arc<Leaf>,
    request: Value,
    options: Options,
) -> StepResult<Value> {
    let run = match &cx.0.run {
        Some(run) => run.clone(),
        None => Run::outside(host, None, None),
    };
    let share = if run.is_inside() {
        Share { ledger: run.ledger.clone(), _ticket: None, now: None }
    } else if host.closing.is_cancelled() {
        let message = "the facade takes no new calls";
        let refused = StepError::new(Category::ShuttingDown, message);
        return Err(refused.within(&leaf.descriptor.name).during("admit"));
    } else {
        share(host, cx, Options { budget: None, ..options }).await?
    };
    let key = run.next_key();
    let id = run.id().cloned().unwrap_or_else(|| host.new_run_id());
    let step = Step {
        host: host.clone(),
        leaf,
        request,
        tenant: cx.tenant().clone(),
        run: id,
        position: None,
        key,
        ledger: share.ledger.clone(),
        deadline: deadline(host, cx, Options::default()),
        timeout: options.timeout,
        attempts: options.attempts,
        cancel: cx.0.cancel.clone(),
    };
    let paid = Paid { run: &run, tenant: cx.tenant(), bill: Bill::default() };
    let done = execute::run(step, &paid.bill).await;
    run.fire(&done.fired);
    done.result
}

/// Enters what a bare step has cost, even when its caller drops it half-way.
struct Paid<'a> {
    run: &'a Run,
    tenant: &'a TenantId,
    bill: Bill,
}

impl Drop for Paid<'_> {
    fn drop(&mut self) {
        let spend = self.bill.spend();
        self.run.spend(spend);
        if !spend.is_zero() && !self.run.recorded {
            self.run.host.account(self.tenant, spend);
        }
    }
}
