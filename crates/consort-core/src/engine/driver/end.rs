//! The end of a durable run: what is still open is called off, `cleanup` runs, the last record is
//! written, and everybody who waits is told.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::PoisonError,
};

use futures_util::{FutureExt, StreamExt};
use serde_json::Value;

use super::{Doing, Driver, Halt, perform::Performed};
use crate::{
    Category, RunId, Spend, Status, StepError, StepResult,
    cancel::Cancel,
    cleanup::Cleanup,
    engine::{cancel_later, start::tell_parent, suspended},
    events::Event,
    journal::{JournalErrorKind, RunFilter},
    machine::Machine,
    record::{Record, RunEnded, RunState, RunSummary, StepKind},
    steps::Steps,
};

impl Driver {
    pub(super) async fn end(mut self, result: StepResult<Value>) {
        let result = self.complete(result);
        self.call_off();
        let timed_out = matches!(&result, Err(error) if error.category() == Category::Timeout);
        if timed_out {
            // After a restart the passed deadline would give the same answer, so nobody has to
            // wait for `cleanup` and the disk.
            let known = (result.clone(), self.spent);
            self.host.engine.ending().insert(self.id().clone(), known);
            tell_parent(&self.host, self.id(), &result, self.spent, false);
            self.host.engine.answer(self.id(), &result);
        }
        self.spent += self.clean_up().await;
        let written = self.write_end(&result).await;
        self.host.engine.ending().remove(self.id());
        if let Err(error) = written {
            self.halt(Halt::Store(error));
            return;
        }
        self.tell(&result);
    }

    /// Drops what is still being carried out; returns what that has cost.
    fn drop_steps(&mut self) -> Spend {
        self.performing.clear();
        std::mem::take(&mut self.tab.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Stops without the run having ended.
    pub(super) fn halt(&mut self, halt: Halt) {
        let id = self.id().clone();
        let dropped = self.drop_steps();
        if !dropped.is_zero() {
            // The steps begin anew when the run goes on.
            self.host.account(&self.started.tenant, dropped);
        }
        match halt {
            // Already out of the map; a successor may be in it by now.
            Halt::Parked => {
                self.host.events.emit(|| Event::RunParked { run: id });
            }
            Halt::Suspended => {
                self.host.engine.active().remove(&id);
                self.host.engine.answer(&id, &Err(suspended(&id)));
            }
            Halt::Store(error) => {
                self.host.engine.active().remove(&id);
                let why = format!("{error}: {}", error.causes().join(": "));
                self.host.events.emit(|| Event::StoreFailed { doing: "commit".into(), why });
                self.host.engine.answer(&id, &Err(error));
            }
        }
    }

    fn complete(&self, result: StepResult<Value>) -> StepResult<Value> {
        let losses = self.cx.0.run.as_ref().map_or_else(Vec::new, |run| run.take_losses());
        let name = &self.entry.descriptor.name;
        result.map(|outcome| outcome.losing(losses)).map_err(|error| {
            error.within(name).during("orchestrate").identified(|| self.id().to_string())
        })
    }

    /// Ends what the run had in progress, down to its children, and lets go of what it held.
    fn call_off(&mut self) {
        let over = Machine::new(Box::pin(std::future::pending()), Steps::default());
        let machine = std::mem::replace(&mut self.machine, over);
        // A destructor of the author's may panic; the result is known already.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(machine)));
        let waiting = self.passive.iter().filter(|(_, p)| p.kind == StepKind::Child);
        let mut children: Vec<u32> = waiting.map(|(position, _)| *position).collect();
        for (position, doing) in self.running.drain() {
            match doing {
                Doing::Child => children.push(position),
                Doing::Call(token) => token.cancel(),
            }
        }
        self.passive.clear();
        // Calls end at once now, and tell what they have cost by then.
        while let Some(Some(performed)) = self.performing.next().now_or_never() {
            if let Performed::Done(finished, overrun) = performed {
                self.overrun += overrun;
                self.spent += finished.spend;
                if finished.kind != StepKind::Child {
                    self.unrecorded += finished.spend;
                }
            }
        }
        let dropped = self.drop_steps();
        self.spent += dropped;
        self.unrecorded += dropped;
        for position in children {
            self.cancel_child(position);
        }
        if self.resumed {
            self.cancel_unseen_children();
        }
    }

    /// A run that was taken up only to end has not asked for its children again: the journal knows
    /// which of them are open.
    fn cancel_unseen_children(&self) {
        let (host, id) = (self.host.clone(), self.id().clone());
        self.host.tasks.spawn_once(async move {
            let tree =
                RunFilter { tree: Some(id.tree()), limit: usize::MAX, ..RunFilter::default() };
            let runs = match host.journal.runs(tree).await {
                Ok(runs) => runs,
                Err(error) => {
                    let why = error.to_string();
                    host.events.emit(|| Event::StoreFailed { doing: "find children".into(), why });
                    return;
                }
            };
            let mine = |run: &RunSummary| {
                run.state != RunState::Ended && run.id.parent().as_ref() == Some(&id)
            };
            for child in runs.into_iter().filter(mine) {
                cancel_later(&host, child.id, "its parent does not need it any more");
            }
        });
    }

    /// Cancels the child started at `position`, if there is one that has not ended.
    pub(super) fn cancel_child(&self, position: u32) {
        let child = self.id().child(position);
        cancel_later(&self.host, child, "its parent does not need it any more");
    }

    /// Returns what `cleanup` has cost by the end of the run.
    fn clean_up(&self) -> impl Future<Output = Spend> + Send + use<> {
        // The run takes no more steps: what `cleanup` calls, it calls directly.
        let (cx, run) = self.direct(&Cancel::default(), false);
        let (host, entry) = (self.host.clone(), self.entry.clone());
        let open = self.open.again();
        async move {
            let deadline = cx.deadline().filter(|deadline| !deadline.left().is_zero());
            if let Some(mut cleanup) = Cleanup::begin(&host, &entry, &cx, Some(open)) {
                cleanup.before(deadline).await;
            }
            run.spent_directly()
        }
    }

    async fn write_end(&mut self, result: &StepResult<Value>) -> Result<(), StepError> {
        let ended = RunEnded {
            result: result.clone(),
            spend: self.spent,
            overrun: self.overrun,
            guards: result.as_ref().err().map_or_else(Vec::new, |error| error.guards().to_vec()),
            at: self.host.clock.utc(),
        };
        let mut batch = self.flush();
        let news = super::news_in(&self.host, &batch.entries, &self.started);
        if !news.is_empty() {
            // A run that has ended is never taken up again: what it has to say must be said before.
            self.host.journal.commit(std::mem::take(&mut batch)).await?;
            news.iter().for_each(|news| self.host.announce(news));
        }
        batch.entries.push((self.id().clone(), Record::Ended(Box::new(ended))));
        let nudge = self.id().parent().zip(self.id().position());
        let mut told = batch.clone();
        if let Some((parent, position)) = nudge {
            told.entries.push((parent, Record::Nudge { position }));
        }
        match self.host.journal.commit(told).await {
            // The parent ended first; the child's own end is still worth a record.
            Err(error) if error.kind() == JournalErrorKind::NoSuchRun => {
                self.host.journal.commit(batch).await?;
            }
            committed => committed?,
        }
        Ok(())
    }

    fn tell(self, result: &StepResult<Value>) {
        let id: RunId = self.id().clone();
        let host = self.host.clone();
        host.engine.active().remove(&id);
        host.events.emit(|| Event::RunEnded {
            run: id.clone(),
            orchestrator: self.entry.descriptor.name.clone(),
            status: Status::of(result),
            category: result.as_ref().err().map(StepError::category),
            took: self.began.elapsed(),
            spend: self.spent,
        });
        let spent = self.spent;
        self.tree.close(&id);
        // Before anybody hears of its end the run is over for `unregister`, and what it did not
        // spend is back.
        drop(self);
        if id.parent().is_some() {
            tell_parent(&host, &id, result, spent, true);
        } else {
            host.engine.trees.forget(&id);
        }
        host.engine.answer(&id, result);
    }
}
