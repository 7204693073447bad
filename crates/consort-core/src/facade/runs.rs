//! Durable runs from outside: looked at, waited for, signalled, cancelled, resumed, forked.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::Facade;
use crate::{
    Category, EventName, Name, RunId, StepError, Version,
    engine::{self, RunHandle},
    journal::{Batch, RunFilter},
    record::{History, Record, RunSummary},
};

/// A run with everything recorded about it, and the runs below it.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// One line.
    pub summary: RunSummary,
    /// Everything recorded.
    pub history: History,
    /// True when its version is not registered.
    pub blocked: bool,
    /// The runs that it started, in order.
    pub children: Vec<RunReport>,
}

impl Facade {
    /// Runs that match, newest first.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn runs(&self, filter: RunFilter) -> Result<Vec<RunSummary>, StepError> {
        Ok(self.host().journal.runs(filter).await?)
    }

    /// Everything recorded about one run.
    ///
    /// # Errors
    ///
    /// `not_found`, and those of the store.
    pub async fn history(&self, run: &RunId) -> Result<History, StepError> {
        engine::history(self.host(), run).await
    }

    /// Reads stored content.
    ///
    /// # Errors
    ///
    /// `not_found` when the store does not have it, `store_corrupt` when it is damaged.
    pub async fn read(&self, blob: &crate::Blob) -> Result<Arc<[u8]>, StepError> {
        self.host().read(blob.hash).await
    }

    /// Unfinished runs that wait for a version to be registered.
    pub fn blocked(&self) -> Vec<(RunId, Name, Version)> {
        self.host().engine.blocked_runs()
    }

    /// Root runs that hold a ticket now.
    pub fn open_roots(&self) -> u32 {
        self.host().admission.open()
    }

    /// Durable runs in memory now.
    pub fn in_memory(&self) -> usize {
        self.host().engine.in_memory()
    }

    /// Waits for a run that was started before, in this process or an earlier one.
    ///
    /// # Errors
    ///
    /// `not_found`; `run_blocked` when its version is not registered.
    pub async fn attach_to(&self, run: &RunId) -> Result<RunHandle, StepError> {
        Ok(RunHandle::new(engine::attach(self.host(), run).await?))
    }

    /// Delivers an external event to a run. The first event of a name counts.
    ///
    /// # Errors
    ///
    /// `not_found`; `conflict` when the run has ended; `payload_too_large`.
    pub async fn signal(
        &self,
        run: &RunId,
        event: EventName,
        data: Value,
    ) -> Result<(), StepError> {
        let (host, run) = (self.host().clone(), run.clone());
        let sent = async move { engine::event(&host, &run, event, data, Batch::default()).await };
        self.host().carry_out(sent).await
    }

    /// Ends a run and everything below it.
    ///
    /// # Errors
    ///
    /// `not_found`; `conflict` when the run has ended.
    pub async fn cancel(&self, run: &RunId, reason: &str) -> Result<(), StepError> {
        let (host, run, reason) = (self.host().clone(), run.clone(), reason.to_owned());
        let asked = async move { engine::cancel(&host, &run, &reason, Batch::default()).await };
        self.host().carry_out(asked).await
    }

    /// Takes an unfinished run up again, for instance after a failure of the store.
    ///
    /// # Errors
    ///
    /// `not_found`; `conflict` when the run has ended; `run_blocked`.
    pub async fn resume(&self, run: &RunId) -> Result<RunHandle, StepError> {
        let past = self.history(run).await?;
        if past.ended.is_some() {
            let message = format!("run `{run}` has ended");
            return Err(StepError::new(Category::Conflict, message)
                .hint("fork it from the step that you want to repeat"));
        }
        let (name, version) = (&past.started.orchestrator, &past.started.version);
        if self.host().registry.load().version(name, version).is_none() {
            let message = format!("run `{run}` needs `{name} {version}`");
            return Err(StepError::new(Category::RunBlocked, message));
        }
        engine::wake(self.host(), run);
        self.attach_to(run).await
    }

    /// Starts a new run that takes over everything that an ended run had recorded before the step
    /// at `from` ended, and goes on from there. `onto` names another version to run on.
    ///
    /// # Errors
    ///
    /// `not_found` for the run, the step or the version; `conflict` when the run has not ended;
    /// the refusals of admission.
    pub async fn fork(
        &self,
        run: &RunId,
        from: u32,
        onto: Option<&Version>,
    ) -> Result<RunHandle, StepError> {
        let past = self.history(run).await?;
        if past.ended.is_none() && onto.is_none() {
            let message = format!("run `{run}` has not ended");
            return Err(StepError::new(Category::Conflict, message).hint("cancel it first"));
        }
        let at = past
            .records
            .iter()
            .position(|record| matches!(record, Record::Step(step) if step.position == from));
        let Some(at) = at else {
            let message = format!("run `{run}` has no finished step {from}");
            return Err(StepError::new(Category::NotFound, message)
                .hint("`consort show` lists the steps with their numbers"));
        };
        let (name, version) = (&past.started.orchestrator, onto.unwrap_or(&past.started.version));
        let entry = {
            let registry = self.host().registry.load();
            let known = registry.version(name, version).cloned();
            known.ok_or_else(|| registry.no_version(name, version))?
        };
        let host = self.host().clone();
        let forked = async move { engine::fork(&host, &entry, past, at, from).await };
        Ok(RunHandle::new(self.host().carry_out(forked).await?))
    }

    /// A run and the runs below it.
    ///
    /// # Errors
    ///
    /// `not_found`, and those of the store.
    pub async fn report(&self, run: &RunId) -> Result<RunReport, StepError> {
        let blocked: Vec<RunId> = self.blocked().into_iter().map(|(id, ..)| id).collect();
        RunReport::read(&*self.host().journal, run, &blocked).await
    }
}

impl RunReport {
    /// Reads a run and the runs below it from a store.
    ///
    /// # Errors
    ///
    /// `not_found`, and those of the store.
    pub async fn read(
        journal: &dyn crate::journal::Journal,
        run: &RunId,
        blocked: &[RunId],
    ) -> Result<Self, StepError> {
        let filter =
            RunFilter { tree: Some(run.tree()), limit: usize::MAX, ..RunFilter::default() };
        let mut tree = Vec::new();
        for summary in journal.runs(filter).await? {
            let below = summary.id == *run || summary.id.as_str().starts_with(&format!("{run}/"));
            if !below {
                continue;
            }
            if let Some(history) = journal.history(&summary.id).await? {
                let blocked = blocked.contains(&summary.id);
                tree.push(Self { summary, history, blocked, children: Vec::new() });
            }
        }
        // Deepest first, so that every run is complete when it moves into its parent.
        tree.sort_by_key(|report| {
            let id = &report.summary.id;
            (std::cmp::Reverse(id.as_str().matches('/').count()), id.position())
        });
        let mut waiting: Vec<Self> = Vec::new();
        for mut report in tree {
            let own = report.summary.id.clone();
            let (mine, rest): (Vec<_>, Vec<_>) = waiting
                .into_iter()
                .partition(|child| child.summary.id.parent().as_ref() == Some(&own));
            report.children = mine;
            waiting = rest;
            waiting.push(report);
        }
        waiting.pop().ok_or_else(|| engine::no_such_run(run))
    }
}
