//! Taking up a run from its history, and holding the code to what the journal says.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::mpsc;

use super::{Doing, Driver, context, news_in};
use crate::{
    Category, RunId, StepError, StepResult,
    engine::{Mail, block, blocked, history, start::Fresh, tree},
    events::Event,
    machine::Machine,
    record::{History, Record, StepRecord},
    registry::OpenRun,
    run::Host,
    steps::{Past, Steps},
};

impl Driver {
    /// A driver for an unfinished run. `None` when it has ended or cannot go on here; whoever waits
    /// for it has been told.
    pub(super) async fn load(
        host: &Arc<Host>,
        id: &RunId,
        mailbox: mpsc::Receiver<Mail>,
    ) -> Result<Option<Self>, StepError> {
        let past = history(host, id).await?;
        if let Some(ended) = &past.ended {
            host.engine.answer(id, &ended.result);
            return Ok(None);
        }
        let (name, version) = (&past.started.orchestrator, &past.started.version);
        let entry = host.registry.load().version(name, version).cloned();
        let open = entry.as_ref().and_then(OpenRun::enter);
        let (Some(entry), Some(open)) = (entry, open) else {
            block(host, id, name, version);
            host.engine.answer(id, &Err(blocked(id, name, version)));
            return Ok(None);
        };
        let (tree, ledger) = tree::regrow(host, &past).await?;
        let parent = match id.parent() {
            Some(parent) => Some(history(host, &parent).await?.started.orchestrator),
            None => None,
        };
        let fresh = Fresh { started: past.started.clone(), entry, tree, ledger, open, parent };
        let mut driver = Self::new(host.clone(), fresh, mailbox);
        driver.remember(past);
        host.events.emit(|| Event::RunResumed { run: id.clone() });
        Ok(Some(driver))
    }

    fn remember(&mut self, past: History) {
        self.resumed = true;
        self.seen = 1 + past.records.len() as u64;
        self.spent = tree::recorded_spend(&past);
        let entries: Vec<_> =
            past.records.iter().map(|r| (past.started.id.clone(), r.clone())).collect();
        // The crash may have come between the commit and the delivery.
        for news in news_in(&self.host, &entries, &past.started) {
            self.host.announce(&news);
        }
        let mut asked: BTreeMap<u32, Past> = BTreeMap::new();
        for record in past.records {
            match record {
                Record::Step(step) => {
                    let StepRecord { position, callee, fingerprint, result, .. } = *step;
                    asked.insert(position, Past::Step { callee, fingerprint });
                    self.arrived.push_back((position, result));
                }
                Record::Local(local) => {
                    asked.insert(local.position, Past::Local(local));
                }
                Record::Intent { position, .. } => {
                    asked.entry(position).or_insert(Past::Call);
                    self.intents.insert(position);
                }
                Record::Timer { position, set, due } => {
                    asked.entry(position).or_insert(Past::Timer { set, due });
                    self.timers.insert(position, (set, due));
                }
                Record::Nudge { position } => {
                    asked.entry(position).or_insert(Past::Call);
                }
                Record::Event { event, data, .. } => {
                    self.events.entry(event).or_insert(data);
                }
                Record::Cancel { reason, .. } => self.cancelled = Some(reason),
                Record::Parked { .. } | Record::Started(_) | Record::Ended(_) => {}
            }
        }
        let steps = Steps::replaying(asked);
        let parent = self.cx.parent().cloned();
        self.cx = context(
            &self.host,
            &self.started,
            &self.entry,
            &self.ledger,
            Some(steps.clone()),
            parent,
        );
        let request = self.started.request.clone();
        let future = self.entry.twin.clone().run_json(self.cx.clone(), request);
        self.machine = Machine::new(future, steps);
    }

    /// Takes over what the orchestrator did in this turn. Returns a fault that ends the run.
    pub(super) fn take_issued(&mut self) -> Option<StepError> {
        let issued = self.machine.take();
        if issued.fault.is_some() {
            return issued.fault;
        }
        let limit = self.host.limits.steps;
        if self.machine.steps().claimed() > limit {
            return Some(StepError::new(Category::StepLimit, format!("more than {limit} steps")));
        }
        self.unwritten.0.extend(issued.locals);
        self.unwritten.1.extend(issued.blobs);
        self.pending.extend(issued.commands.into_iter().map(|c| (c.position, c)));
        for position in issued.abandoned {
            self.abandon(position);
        }
        None
    }

    fn abandon(&mut self, position: u32) {
        self.pending.remove(&position);
        self.recomputed.remove(&position);
        self.early.remove(&position);
        self.arrived.retain(|(arrived, _)| *arrived != position);
        // A child that is about to run is cancelled once it does.
        if let Some(Doing::Call(token)) = self.running.remove(&position) {
            token.cancel();
        }
        if let Some(passive) = self.passive.remove(&position)
            && passive.kind == crate::record::StepKind::Child
        {
            self.cancel_child(position);
            self.left.insert(position, passive);
        }
        self.abandoned.insert(position);
    }

    /// The result of a run, unless the code has ended earlier than the journal.
    pub(super) fn check_end(
        &self,
        result: StepResult<serde_json::Value>,
    ) -> StepResult<serde_json::Value> {
        self.machine.steps().unasked().map_or(result, Err)
    }
}
