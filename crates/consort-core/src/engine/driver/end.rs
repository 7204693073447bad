//! The end of a durable run: what is still open is called off, `cleanup` runs, the last record is
//! written, and everybody who waits is told.

use serde_json::Value;

use super::{Driver, Halt};
use crate::{
    Category, RunId, Status, StepError, StepResult,
    dispatch::clean_up,
    engine::{cancel, start::tell_parent},
    events::Event,
    journal::{Batch, JournalErrorKind},
    record::{Record, RunEnded, StepKind},
};

impl Driver {
    pub(super) async fn end(mut self, result: StepResult<Value>) {
        let result = self.complete(result);
        self.call_off();
        let timed_out = matches!(&result, Err(error) if error.category() == Category::Timeout);
        if timed_out {
            // After a restart the passed deadline would give the same answer, so nobody has to
            // wait for `cleanup` and the disk.
            self.host.engine.answer(self.id(), &result);
        }
        clean_up(&self.host, &self.entry, &self.cx).await;
        if let Err(error) = self.write_end(&result).await {
            self.halt(Halt::Store(error));
            return;
        }
        self.tell(&result);
    }

    fn complete(&self, result: StepResult<Value>) -> StepResult<Value> {
        let losses = self.cx.0.run.as_ref().map_or_else(Vec::new, |run| run.take_losses());
        let name = &self.entry.descriptor.name;
        result.map(|outcome| outcome.losing(losses)).map_err(|error| {
            error.within(name).during("orchestrate").identified(|| self.id().to_string())
        })
    }

    /// Ends what the run had in progress, down to its children.
    fn call_off(&mut self) {
        for token in self.running.values() {
            token.cancel();
        }
        let begun: Vec<u32> = self.running.keys().copied().collect();
        let waiting =
            self.passive.iter().filter(|(_, p)| p.kind == StepKind::Child).map(|(at, _)| *at);
        let children: Vec<u32> = waiting.chain(begun).collect();
        self.performing.clear();
        self.running.clear();
        self.passive.clear();
        for position in children {
            self.cancel_child(position);
        }
    }

    /// Cancels the child started at `position`, if there is one that has not ended.
    pub(super) fn cancel_child(&self, position: u32) {
        let (host, child) = (self.host.clone(), self.id().child(position));
        self.host.tasks.spawn_once(async move {
            let gone =
                cancel(&host, &child, "its parent does not need it any more", Batch::default());
            if let Err(error) = gone.await {
                let expected = [Category::NotFound, Category::Conflict];
                if !expected.contains(&error.category()) {
                    let why = error.to_string();
                    host.events.emit(|| Event::StoreFailed { doing: "cancel a child".into(), why });
                }
            }
        });
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
        batch.entries.push((self.id().clone(), Record::Ended(Box::new(ended))));
        let signals = super::signals_in(&batch.entries, &self.started);
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
        signals.iter().for_each(|sent| self.host.deliver(sent));
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
        if id.parent().is_some() {
            tell_parent(&host, &id, result, self.spent);
            self.tree.close(&id);
        } else {
            host.engine.trees.forget(&id);
        }
        // The run is over for `unregister` before anybody hears of its end.
        drop(self);
        host.engine.answer(&id, result);
    }
}
