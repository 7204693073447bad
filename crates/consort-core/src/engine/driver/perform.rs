//! Carrying out the steps that a run has issued.

use std::{
    collections::BTreeSet,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;

use super::{Doing, Driver, Halt, evicted, late};
use crate::{
    Category, Context, Deadline, Durability, Effect, EventName, Outcome, Spend, StepContext,
    StepError, StepResult, Timestamp,
    call::Options,
    cancel::Cancel,
    dispatch,
    engine::start::{Birth, Child, start_child},
    execute::{self, Bill, Done, Step},
    guard::Fired,
    payload,
    record::{Record, StepKind},
    registry::{Callee, Entry, Leaf, Schemas},
    run::{Mode, Run},
    steps::{Command, Op},
};

/// A step that has its final result.
pub(super) struct Finished {
    pub(super) command: Command,
    pub(super) kind: StepKind,
    pub(super) began: Timestamp,
    pub(super) result: StepResult<Value>,
    pub(super) attempts: u32,
    pub(super) spend: Spend,
    pub(super) guards: Vec<Fired>,
}

/// A step that waits for time, an event or a child, and needs no one to carry it out.
pub(super) struct Passive {
    pub(super) command: Command,
    pub(super) kind: StepKind,
    pub(super) began: Timestamp,
    pub(super) due: Option<Deadline>,
}

impl Passive {
    /// The event that it waits for, if it does.
    fn event(&self) -> Option<&EventName> {
        match &self.command.op {
            Op::Wait { event, .. } => Some(event),
            Op::Sleep(_) | Op::Call { .. } => None,
        }
    }

    pub(super) fn finished(self, result: StepResult<Value>) -> Finished {
        let Self { command, kind, began, .. } = self;
        Finished {
            command,
            kind,
            began,
            result,
            attempts: 1,
            spend: Spend::ZERO,
            guards: Vec::new(),
        }
    }
}

/// What came of carrying out a step.
pub(super) enum Performed {
    Done(Finished, Spend),
    ChildRuns(Passive),
}

impl Driver {
    /// Begins everything that was issued. Local steps, timers and intents are on disk before.
    pub(super) async fn begin_pending(&mut self) -> Result<(), Halt> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let commands = std::mem::take(&mut self.pending);
        let mut batch = self.flush();
        for command in commands.values() {
            if let Some(record) = self.announce(command) {
                batch.entries.push((self.id().clone(), record));
            }
        }
        self.commit(batch).await?;
        for command in commands.into_values() {
            self.begin(command);
        }
        Ok(())
    }

    /// What must be on disk before the step begins.
    fn announce(&mut self, command: &Command) -> Option<Record> {
        let position = command.position;
        match &command.op {
            Op::Sleep(pause) | Op::Wait { timeout: Some(pause), .. } => {
                if self.timers.contains_key(&position) {
                    return None;
                }
                let set = self.host.clock.utc();
                let due = set.after(*pause);
                self.timers.insert(position, (set, due));
                Some(Record::Timer { position, set, due })
            }
            Op::Wait { timeout: None, .. } => None,
            Op::Call { callee, .. } => {
                let registry = self.host.registry.load();
                let once = registry
                    .capability(callee)
                    .is_some_and(|l| l.descriptor.effect == Effect::Once);
                let fresh = once && !self.intents.contains(&position);
                fresh.then(|| Record::Intent { position, at: self.host.clock.utc() })
            }
        }
    }

    fn begin(&mut self, command: Command) {
        let began = self.host.clock.utc();
        let due = self.timers.get(&command.position).map(|(set, due)| {
            // A clock that went back must not make the pause longer than it was.
            let left = due.since(began).min(due.since(*set));
            Deadline::within(left, &*self.host.clock)
        });
        let (kind, event) = match &command.op {
            Op::Sleep(_) => (StepKind::Sleep, None),
            Op::Wait { event, .. } => (StepKind::Wait, Some(event.clone())),
            Op::Call { .. } => return self.call(command, began),
        };
        let passive = Passive { command, kind, began, due };
        match event.and_then(|event| self.events.get(&event)).cloned() {
            Some(data) => self.record(passive.finished(Ok(Outcome::succeeded(data)))),
            None => {
                self.passive.insert(passive.command.position, passive);
            }
        }
    }

    /// The events that steps wait for, each once.
    pub(super) fn awaited_events(&self) -> Vec<EventName> {
        let events: BTreeSet<EventName> =
            self.passive.values().filter_map(|passive| passive.event().cloned()).collect();
        events.into_iter().collect()
    }

    /// Ends the waits that are over: an event is there, or the time is up.
    pub(super) fn ring(&mut self) {
        let over: Vec<(u32, StepResult<Value>)> = self
            .passive
            .iter()
            .filter_map(|(position, passive)| {
                let awaited = passive.event();
                if let Some(data) = awaited.and_then(|event| self.events.get(event)) {
                    return Some((*position, Ok(Outcome::succeeded(data.clone()))));
                }
                let up = passive.due.is_some_and(|due| due.left().is_zero());
                let result = match awaited {
                    Some(event) => {
                        let message = format!("event `{event}` did not arrive in time");
                        Err(StepError::new(Category::Timeout, message))
                    }
                    None => Ok(Outcome::succeeded(Value::Null)),
                };
                up.then_some((*position, result))
            })
            .collect();
        for (position, result) in over {
            if let Some(passive) = self.passive.remove(&position) {
                self.record(passive.finished(result));
            }
        }
    }

    fn call(&mut self, command: Command, began: Timestamp) {
        let Op::Call { callee, timeout, budget, attempts, .. } = &command.op else { return };
        let options = Options { timeout: *timeout, budget: *budget, attempts: *attempts };
        let resolved = self.host.registry.load().resolve(callee);
        match resolved.and_then(|callee| checked(&command, callee.schemas()).map(|()| callee)) {
            Err(error) => {
                let error = error.within(callee).identified(|| self.key(command.position));
                self.refuse(command, began, error);
            }
            Ok(Callee::Capability(leaf)) => self.call_leaf(command, began, leaf, options),
            Ok(Callee::Orchestrator(entry))
                if entry.descriptor.durability == Durability::Durable =>
            {
                self.call_child(command, began, entry, options);
            }
            Ok(Callee::Orchestrator(entry)) => self.call_ephemeral(command, began, entry, options),
        }
    }

    fn key(&self, position: u32) -> String {
        format!("{}/{position}", self.id())
    }

    fn refuse(&mut self, command: Command, began: Timestamp, error: StepError) {
        let guards = error.guards().to_vec();
        let (kind, spend) = (StepKind::Call, Spend::ZERO);
        let result = Err(error);
        self.record(Finished { command, kind, began, result, attempts: 0, spend, guards });
    }

    fn call_leaf(&mut self, command: Command, began: Timestamp, leaf: Arc<Leaf>, options: Options) {
        let position = command.position;
        if self.intents.contains(&position) && leaf.descriptor.effect == Effect::Once {
            let doubt = "the process ended while this was in progress; it is not repeated";
            let passive = Passive { command, kind: StepKind::Call, began, due: None };
            self.record(passive.finished(Ok(Outcome::uncertain(doubt))));
            return;
        }
        let Op::Call { request, .. } = &command.op else { return };
        let cancel = Cancel::default();
        let step = Step {
            host: self.host.clone(),
            leaf,
            request: request.clone(),
            tenant: self.started.tenant.clone(),
            run: self.id().clone(),
            position: Some(position),
            key: self.key(position),
            ledger: self.ledger.clone(),
            deadline: self.cx.deadline(),
            timeout: options.timeout,
            attempts: options.attempts,
            cancel: cancel.clone(),
        };
        self.running.insert(position, Doing::Call(cancel));
        let tab = self.tab.clone();
        self.performing.push(Box::pin(async move {
            let bill = Bill::default();
            let unclaimed = Unclaimed { tab: Some(&tab), spent: || bill.spend() };
            let Done { result, attempts, fired, spend, overrun } = execute::run(step, &bill).await;
            unclaimed.claim();
            let kind = StepKind::Call;
            let done = Finished { command, kind, began, result, attempts, spend, guards: fired };
            Performed::Done(done, overrun)
        }));
    }

    fn call_child(
        &mut self,
        command: Command,
        began: Timestamp,
        entry: Arc<Entry>,
        options: Options,
    ) {
        let Op::Call { request, .. } = &command.op else { return };
        let birth = Birth {
            parent: self.started.clone(),
            parent_name: self.entry.descriptor.name.clone(),
            cx: self.cx.clone(),
            tree: self.tree.clone(),
            ledger: self.ledger.clone(),
            position: command.position,
            entry,
            request: request.clone(),
            options,
            perhaps_born: self.resumed,
        };
        let host = self.host.clone();
        let key = self.key(command.position);
        self.running.insert(command.position, Doing::Child);
        self.performing.push(Box::pin(async move {
            let passive = Passive { command, kind: StepKind::Child, began, due: None };
            match dispatch::contain(start_child(&host, birth)).await {
                Ok(Child::Running) => Performed::ChildRuns(passive),
                Ok(Child::Ended(result, spend)) => {
                    Performed::Done(Finished { spend, ..passive.finished(result) }, Spend::ZERO)
                }
                Err(error) => {
                    let guards = error.guards().to_vec();
                    let result = Err(error.identified(|| key));
                    let finished = Finished { attempts: 0, guards, ..passive.finished(result) };
                    Performed::Done(finished, Spend::ZERO)
                }
            }
        }));
    }

    /// A durable run calls an ephemeral one: a single step, whatever that does inside.
    fn call_ephemeral(
        &mut self,
        command: Command,
        began: Timestamp,
        entry: Arc<Entry>,
        options: Options,
    ) {
        let Op::Call { request, .. } = &command.op else { return };
        let (host, request) = (self.host.clone(), request.clone());
        let cancel = Cancel::default();
        let (cx, run) = self.direct(&cancel, true);
        self.running.insert(command.position, Doing::Call(cancel));
        let tab = self.tab.clone();
        self.performing.push(Box::pin(async move {
            let unclaimed = Unclaimed { tab: Some(&tab), spent: || run.spent_directly() };
            let call =
                dispatch::resolved_json(&host, &cx, Callee::Orchestrator(entry), request, options);
            let result = dispatch::contain(call).await;
            let mut guards = run.fired();
            if let (Err(error), true) = (&result, guards.is_empty()) {
                guards = error.guards().to_vec();
            }
            let passive = Passive { command, kind: StepKind::Call, began, due: None };
            let spend = unclaimed.claim();
            Performed::Done(Finished { spend, guards, ..passive.finished(result) }, Spend::ZERO)
        }));
    }

    /// This run as one that calls directly. `recorded` says whether a step of it records the cost.
    pub(super) fn direct(&self, cancel: &Cancel, recorded: bool) -> (Context, Arc<Run>) {
        let run = Arc::new(Run {
            id: self.id().clone().into(),
            callee: Some(self.entry.descriptor.name.clone()),
            parent: self.cx.parent().cloned(),
            depth: self.started.depth,
            origin: Some(self.started.origin),
            recorded,
            ..Run::new(&self.host, self.ledger.clone(), Mode::Ephemeral)
        });
        let mut inner = (*self.cx.0).clone();
        inner.cancel = cancel.clone();
        inner.run = Some(run.clone());
        (Context(Arc::new(inner)), run)
    }

    /// Takes note of a step that was carried out, unless nobody wants it any more.
    pub(super) fn note(&mut self, performed: Performed) {
        let position = match &performed {
            Performed::Done(finished, _) => finished.command.position,
            Performed::ChildRuns(passive) => passive.command.position,
        };
        let wanted = self.running.remove(&position).is_some();
        match performed {
            Performed::Done(finished, overrun) if wanted => {
                self.overrun += overrun;
                self.record(finished);
            }
            // What it cost must be known when the run is taken up again; its answer reaches nobody.
            Performed::Done(finished, overrun) => {
                self.overrun += overrun;
                if !finished.spend.is_zero() {
                    self.record(finished);
                }
            }
            Performed::ChildRuns(passive) if wanted => match self.early.remove(&position) {
                Some((result, spend)) => {
                    self.record(Finished { spend, ..passive.finished(result) });
                }
                None => {
                    self.passive.insert(position, passive);
                }
            },
            Performed::ChildRuns(passive) => {
                self.cancel_child(position);
                self.left.insert(position, passive);
            }
        }
    }

    /// Computes the steps that are declared `recompute`, in this process and every later one.
    /// Returns a result when the run is over meanwhile.
    pub(super) async fn recompute(&mut self) -> Result<Option<StepResult<Value>>, Halt> {
        let leaves: Vec<(u32, Arc<Leaf>)> = self
            .pending
            .iter()
            .filter_map(|(position, command)| {
                let Op::Call { callee, .. } = &command.op else { return None };
                let registry = self.host.registry.load();
                let leaf = registry.capability(callee)?;
                let again = leaf.descriptor.recompute && leaf.descriptor.effect == Effect::Pure;
                again.then(|| (*position, leaf.clone()))
            })
            .collect();
        if !leaves.is_empty() && !self.unwritten.1.is_empty() {
            // They may read what the run has put.
            let batch = self.flush();
            self.commit(batch).await?;
        }
        for (position, leaf) in leaves {
            let Some(command) = self.pending.remove(&position) else { continue };
            let cx = StepContext {
                tenant: self.started.tenant.clone(),
                run: self.id().clone(),
                key: self.key(position),
                attempt: 1,
                deadline: self.cx.deadline(),
                cancel: Cancel::default(),
                host: self.host.clone(),
                spend: Arc::default(),
            };
            let invoked = match checked(&command, &leaf.schemas) {
                Ok(()) => leaf.twin.clone().invoke(cx, command.op.into_request()),
                Err(error) => Box::pin(std::future::ready(Err(error))),
            };
            match self.nothing_but(dispatch::contain(invoked)).await? {
                Ok(result) => {
                    let result = result.map_err(|error| {
                        error.within(&leaf.descriptor.name).identified(|| self.key(position))
                    });
                    self.recomputed.insert(position, result);
                }
                Err(over) => return Ok(Some(over)),
            }
        }
        Ok(None)
    }

    /// Waits for `work` alone, unless the run is over before.
    async fn nothing_but<T>(
        &mut self,
        work: impl Future<Output = T>,
    ) -> Result<Result<T, StepResult<Value>>, Halt> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                result = &mut work => return Ok(Ok(result)),
                () = self.host.engine.suspend.cancelled() => return Err(Halt::Suspended),
                () = dispatch::until(self.cx.deadline()) => return Ok(Err(Err(late()))),
                () = self.entry.evict.cancelled() => return Ok(Err(Err(evicted()))),
                mail = self.mailbox.recv() => if let Some(mail) = mail {
                    self.read(mail);
                    if let Some(over) = self.over() {
                        return Ok(Err(over));
                    }
                },
            }
        }
    }
}

/// What a step has spent. When it is dropped before its end, no record tells, so the tab does.
struct Unclaimed<'a, F: Fn() -> Spend> {
    tab: Option<&'a Mutex<Spend>>,
    spent: F,
}

impl<F: Fn() -> Spend> Unclaimed<'_, F> {
    fn claim(mut self) -> Spend {
        self.tab = None;
        (self.spent)()
    }
}

impl<F: Fn() -> Spend> Drop for Unclaimed<'_, F> {
    fn drop(&mut self) {
        if let Some(tab) = self.tab {
            *tab.lock().unwrap_or_else(PoisonError::into_inner) += (self.spent)();
        }
    }
}

/// Refuses a request that is too large, or was not made from the callee's own type and does not
/// fit it.
fn checked(command: &Command, schemas: &Schemas) -> Result<(), StepError> {
    let Op::Call { request, unchecked, .. } = &command.op else { return Ok(()) };
    payload::check_size(request)?;
    if *unchecked { schemas.check(request) } else { Ok(()) }
}
