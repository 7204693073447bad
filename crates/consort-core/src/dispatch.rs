//! How a call reaches its callee: the checks in their order, then an ephemeral run in the
//! caller's own task, a durable run on the facade's, or a bare step.

use std::{
    any::TypeId,
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, atomic::AtomicU32},
};

use futures_util::{FutureExt, future::BoxFuture};
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    Category, Context, Deadline, Durability, Name, Outcome, Request, RequestId, RunId, Spend,
    Status, StepError, StepResult, TraceId,
    admission::{Ledger, Ticket},
    call::Options,
    context::Inner,
    engine,
    events::Event,
    execute::{self, Step},
    guard::{Fired, RunCall},
    machine::panicked,
    orchestrator::{Admission, Opaque, decode, encode},
    registry::{Callee, Entry, Leaf, OpenRun},
    run::{Host, Mode, Run},
};

/// Calls `callee` with a typed request; JSON is used only where the callee needs it.
pub(crate) fn typed<R: Request>(
    cx: Context,
    callee: Name,
    request: R,
    options: Options,
) -> BoxFuture<'static, StepResult<R::Response>> {
    Box::pin(async move {
        let host = cx.attached()?.host.clone();
        let resolved = host.registry.load().resolve(&callee)?;
        match resolved {
            Callee::Orchestrator(entry)
                if entry.request_type == TypeId::of::<R>()
                    && entry.descriptor.durability == Durability::Ephemeral =>
            {
                let outcome = ephemeral(&host, &cx, &entry, Box::new(request), options).await?;
                outcome.try_map(|response| match response.downcast::<R::Response>() {
                    Ok(response) => Ok(*response),
                    Err(_) => Err(StepError::new(Category::Internal, "a response of another type")),
                })
            }
            resolved => {
                let request = encode(&request)?;
                let outcome = resolved_json(&host, &cx, resolved, request, options).await?;
                outcome.try_map(decode)
            }
        }
    })
}

/// Calls `callee` with JSON after checking it against the schema.
pub(crate) fn json(
    cx: Context,
    callee: Name,
    request: Value,
    options: Options,
) -> BoxFuture<'static, StepResult<Value>> {
    Box::pin(async move {
        let host = cx.attached()?.host.clone();
        let resolved = host.registry.load().resolve(&callee)?;
        match &resolved {
            Callee::Orchestrator(entry) => entry.schemas.check(&request),
            Callee::Capability(leaf) => leaf.schemas.check(&request),
        }
        .map_err(|error| error.within(&callee))?;
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
            engine::start_root(host, cx, &entry, request, options).await?.await
        }
        Callee::Orchestrator(entry) => {
            let typed = entry.twin.decode(request)?;
            let outcome = ephemeral(host, cx, &entry, typed, options).await?;
            outcome.try_map(|response| entry.twin.encode(response))
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
    let inside = run.is_some_and(|run| run.id.is_some());
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
    if host.closing.is_cancelled() {
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
        let unnamed =
            RequestId::new("-").map_err(|e| StepError::new(Category::Internal, e.to_string()))?;
        let call = RunCall {
            tenant: cx.tenant(),
            request: cx.request_id().unwrap_or(&unnamed),
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
    let within = |limit| Deadline::within(limit, &*host.clock);
    let asked = Deadline::earlier(options.timeout.map(within), cx.0.timeout.map(within));
    Deadline::earlier(cx.0.deadline, asked)
}

/// The budget that a call brings along: its own option, or for a root what its context asks for.
pub(crate) fn asked_budget(cx: &Context, options: Options) -> Option<crate::Budget> {
    let inside = cx.run_id().is_some();
    options.budget.or(if inside { None } else { cx.0.budget })
}

/// Where a child's or root's money comes from.
struct Share {
    ledger: Arc<Ledger>,
    /// Held by roots until they end.
    _ticket: Option<Ticket>,
}

async fn share(host: &Host, cx: &Context, options: Options) -> Result<Share, StepError> {
    let budget = asked_budget(cx, options);
    match cx.0.run.as_ref().filter(|run| run.id.is_some()) {
        None => {
            let ticket = host.admit(cx.tenant(), budget).await?;
            Ok(Share { ledger: ticket.ledger.clone(), _ticket: Some(ticket) })
        }
        Some(run) => {
            let ledger = match budget {
                Some(budget) => run.ledger.carve(budget)?,
                None => run.ledger.clone(),
            };
            Ok(Share { ledger, _ticket: None })
        }
    }
}

/// Runs an ephemeral orchestrator in the caller's task.
async fn ephemeral(
    host: &Arc<Host>,
    cx: &Context,
    entry: &Arc<Entry>,
    request: Opaque,
    options: Options,
) -> StepResult<Opaque> {
    if cx.0.idempotency_key.is_some() && cx.run_id().is_none() {
        let message = "an idempotency key needs a durable orchestrator, this one keeps no record";
        return Err(
            StepError::new(Category::InvalidRequest, message).within(&entry.descriptor.name)
        );
    }
    let open = check(host, cx, entry)?;
    let share = share(host, cx, options).await.map_err(|e| e.within(&entry.descriptor.name))?;
    let child = child_context(host, cx, entry, &share.ledger, options);
    let began = Instant::now();
    let mut owed = Owed { host, entry, cx: &child, open: Some(open), armed: false };
    let (result, owes_cleanup) = bounded(host, &mut owed, request).await;
    if owes_cleanup {
        let late = matches!(&result, Err(e) if e.category() == Category::Timeout);
        if late {
            owed.clean_up_later();
        } else {
            clean_up(host, entry, &child).await;
        }
    }
    owed.armed = false;
    child.0.cancel.cancel();
    finish(host, cx, entry, &child, began, result)
}

fn child_context(
    host: &Arc<Host>,
    cx: &Context,
    entry: &Arc<Entry>,
    ledger: &Arc<Ledger>,
    options: Options,
) -> Context {
    let caller = cx.0.run.as_ref();
    let id = host.new_run_id();
    let inside = caller.is_some_and(|run| run.id.is_some());
    let run = Run {
        host: host.clone(),
        callee: Some(entry.descriptor.name.clone()),
        parent: caller.and_then(|run| run.callee.clone()),
        depth: caller.map_or(0, |run| if inside { run.depth + 1 } else { 0 }),
        origin: caller.and_then(|run| run.origin).or(Some(entry.descriptor.layer)),
        ledger: ledger.clone(),
        mode: Mode::Ephemeral,
        losses: Mutex::default(),
        sequence: AtomicU32::new(0),
        spent: Mutex::default(),
        id: Some(id.clone()),
    };
    Context(Arc::new(Inner {
        tenant: cx.0.tenant.clone(),
        request: cx.0.request.clone().or_else(|| RequestId::new(id.as_str()).ok()),
        trace: Some(cx.0.trace.unwrap_or_else(|| TraceId::from_random(host.random.wide()))),
        metadata: cx.0.metadata.clone(),
        timeout: None,
        deadline: deadline(host, cx, options),
        budget: None,
        idempotency_key: None,
        cancel: cx.0.cancel.child_token(),
        run: Some(Arc::new(run)),
    }))
}

/// Asks, runs, and gives up at the deadline or when cancelled. Says whether `cleanup` is owed.
async fn bounded(
    host: &Arc<Host>,
    owed: &mut Owed<'_>,
    request: Opaque,
) -> (StepResult<Opaque>, bool) {
    let (entry, cx) = (owed.entry, owed.cx);
    let accepted = limited(entry, cx, contain(entry.twin.admit(cx, &request))).await;
    match accepted {
        Ok(Admission::Accept) => {}
        Ok(Admission::Decline(reason)) => return (Ok(Outcome::skipped(reason)), false),
        Err(error) => return (Err(error.during("can_orchestrate")), false),
    }
    owed.armed = true;
    announce(host, entry, cx);
    let run = contain(entry.twin.clone().run(cx.clone(), request));
    (limited(entry, cx, run).await, true)
}

/// Waits for `work`, but not past the deadline, a cancellation or an eviction.
async fn limited<T>(
    entry: &Entry,
    cx: &Context,
    work: impl Future<Output = Result<T, StepError>>,
) -> Result<T, StepError> {
    let ended = |category, message: &str| Err(StepError::new(category, message));
    tokio::select! {
        biased;
        result = work => result,
        () = until(cx.deadline()) => ended(Category::Timeout, "the deadline has passed"),
        () = cx.0.cancel.cancelled() => ended(Category::Cancelled, "was cancelled"),
        () = entry.evict.cancelled() => ended(Category::Cancelled, "was unregistered"),
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
    let Some(run) = cx.run_id() else { return };
    host.events.emit(|| Event::RunStarted {
        run: run.clone(),
        orchestrator: entry.descriptor.name.clone(),
        version: entry.descriptor.version.clone(),
        layer: entry.descriptor.layer,
        durability: entry.descriptor.durability,
        tenant: cx.tenant().clone(),
    });
}

/// Completes an ephemeral run's result and reports it.
fn finish(
    host: &Host,
    caller: &Context,
    entry: &Entry,
    cx: &Context,
    began: Instant,
    result: StepResult<Opaque>,
) -> StepResult<Opaque> {
    let Some(run) = &cx.0.run else { return result };
    let id = run.id.clone();
    let result = result.map(|outcome| outcome.losing(run.take_losses())).map_err(|error| {
        let error = error.within(&entry.descriptor.name).during("orchestrate");
        error.identified(|| id.as_ref().map(ToString::to_string).unwrap_or_default())
    });
    let spend = run.spent_directly();
    if let Some(above) = caller.0.run.as_ref() {
        above.spend(spend);
    }
    if let Some(run) = id {
        host.events.emit(|| Event::RunEnded {
            run,
            orchestrator: entry.descriptor.name.clone(),
            status: Status::of(&result),
            category: result.as_ref().err().map(StepError::category),
            took: began.elapsed(),
            spend,
        });
    }
    result
}

/// Runs `cleanup`, bounded by its limit and the deadline; failures are only reported.
pub(crate) async fn clean_up(host: &Host, entry: &Entry, cx: &Context) {
    let mut limit = host.limits.cleanup;
    if let Some(deadline) = cx.deadline().filter(|deadline| !deadline.left().is_zero()) {
        limit = limit.min(deadline.left());
    }
    let why = match tokio::time::timeout(limit, contain(entry.twin.cleanup(cx))).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) if error.causes().is_empty() => error.to_string(),
        Ok(Err(error)) => format!("{error}: {}", error.causes().join(": ")),
        Err(_) => format!("took longer than {limit:?}"),
    };
    let Some(run) = cx.run_id().cloned() else { return };
    let orchestrator = entry.descriptor.name.clone();
    host.events.emit(|| Event::CleanupFailed { run, orchestrator, why });
}

/// A clean-up that is owed even if the caller drops the call half-way.
struct Owed<'a> {
    host: &'a Arc<Host>,
    entry: &'a Arc<Entry>,
    cx: &'a Context,
    open: Option<OpenRun>,
    armed: bool,
}

impl Owed<'_> {
    /// Lets the facade do it, so that nobody waits for it.
    fn clean_up_later(&mut self) {
        let (host, entry, cx) = (self.host.clone(), self.entry.clone(), self.cx.clone());
        let open = self.open.take();
        self.host.tasks.spawn_once(async move {
            let _open = open;
            clean_up(&host, &entry, &cx).await;
        });
    }
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.cx.0.cancel.cancel();
            self.clean_up_later();
            let (run, host) = (self.cx.run_id().cloned(), self.host);
            if let Some(run) = run {
                host.events.emit(|| Event::RunEnded {
                    run,
                    orchestrator: self.entry.descriptor.name.clone(),
                    status: Status::Failed,
                    category: Some(Category::Cancelled),
                    took: std::time::Duration::ZERO,
                    spend: Spend::ZERO,
                });
            }
        }
    }
}

/// Calls a capability outside a durable run.
async fn bare_step(
    host: &Arc<Host>,
    cx: &Context,
    leaf: Arc<Leaf>,
    request: Value,
    options: Options,
) -> StepResult<Value> {
    let run = cx.attached()?;
    let share = match run.id {
        Some(_) => Share { ledger: run.ledger.clone(), _ticket: None },
        None => share(host, cx, Options { budget: None, ..options }).await?,
    };
    let key = run.next_key();
    let id = run.id.clone().unwrap_or_else(|| host.new_run_id());
    let step = Step {
        host: host.clone(),
        leaf,
        request,
        tenant: cx.tenant().clone(),
        run: RunId::clone(&id),
        position: None,
        key,
        ledger: share.ledger.clone(),
        deadline: cx.deadline(),
        timeout: options.timeout,
        cancel: cx.0.cancel.clone(),
    };
    let done = execute::run(step).await;
    run.spend(done.spend);
    if !done.spend.is_zero() {
        host.account(cx.tenant(), done.spend);
    }
    done.result
}
