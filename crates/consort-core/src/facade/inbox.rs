//! What other processes ask of the owner of the store, through its inbox.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use super::{Facade, parse_name};
use crate::{
    Category, Context, Layer, Spend, StepError, StepResult, TraceId, Version,
    call::Options,
    engine,
    events::Event,
    journal::{Batch, Message, MessageId, StartRequest},
    record::{Record, RunEnded, RunStarted},
    registry::Entry,
};

/// Before a message is taken up again that could not be taken.
const AGAIN: Duration = Duration::from_secs(10);

/// Takes up what other processes ask for, as it arrives.
pub(super) async fn listen(facade: Facade) {
    let host = facade.host().clone();
    loop {
        let rang = host.journal.rang();
        let mut left = false;
        match host.journal.inbox().await {
            Ok(messages) => {
                for (id, message) in messages {
                    left |= !take(&facade, id, message).await;
                }
            }
            Err(error) => {
                let why = error.to_string();
                host.events.emit(|| Event::StoreFailed { doing: "read the inbox".into(), why });
            }
        }
        tokio::select! {
            biased;
            () = host.closing.cancelled() => return,
            () = rang => {}
            () = tokio::time::sleep(AGAIN), if left => {}
        }
    }
}

/// False for a message that cannot be dealt with now.
async fn take(facade: &Facade, id: MessageId, message: Message) -> bool {
    let Err(error) = facade.apply(id, message).await else { return true };
    if is_passing(&error) {
        // Not the sender's fault: it is taken up again, by this process or the next.
        return false;
    }
    let host = facade.host();
    let why = format!("{error}: {}", error.causes().join(": "));
    host.events.emit(|| Event::MessageRefused { message: id, why });
    // A refused request is dealt with as well.
    let batch = Batch { applied: vec![id], ..Batch::default() };
    if let Err(error) = host.journal.commit(batch).await {
        let why = error.to_string();
        host.events.emit(|| Event::StoreFailed { doing: "empty the inbox".into(), why });
    }
    true
}

/// True when the same message may be accepted later.
fn is_passing(error: &StepError) -> bool {
    let later = [Category::ShuttingDown, Category::StoreUnavailable, Category::StorageFull];
    later.contains(&error.category())
}

impl Facade {
    async fn apply(&self, id: MessageId, message: Message) -> Result<(), StepError> {
        let host = self.host();
        let applied = || Batch { applied: vec![id], ..Batch::default() };
        match message {
            Message::Start(start) => self.start_for_another(*start, applied()).await,
            Message::Cancel { run, reason } => engine::cancel(host, &run, &reason, applied()).await,
            Message::Event { run, event, data } => {
                engine::event(host, &run, event, data, applied()).await
            }
            Message::Resume { run } => {
                host.journal.commit(applied()).await?;
                self.resume(&run).await.map(drop)
            }
            Message::Custom { orchestrator, request } => {
                // Others wait behind this one, so it cannot take as long as it likes.
                let cx = Context::default().timeout(host.limits.grace);
                let done = self.orchestrate(orchestrator.as_str(), cx, request).await;
                match done {
                    Err(error) if is_passing(&error) => Err(error),
                    done => {
                        host.journal.commit(applied()).await?;
                        done.map(drop)
                    }
                }
            }
        }
    }

    /// Starts a run. The sender follows it in the store, so whatever prevents it is recorded
    /// there, as a run that has ended at once.
    async fn start_for_another(&self, start: StartRequest, batch: Batch) -> Result<(), StepError> {
        let (id, journal) = (start.id.clone(), &self.host().journal);
        let entry = self.entry_for_another(&start);
        let started = match &entry {
            Ok(entry) => self.begin_for_another(entry, start.clone(), batch.clone()).await,
            Err(error) => Err(error.clone()),
        };
        let (result, error) = match started {
            Ok(handle) if handle.id() == Some(&id) => return Ok(()),
            // An earlier run has the key; that is where its sender looks.
            Ok(handle) if handle.id().is_some() => return Ok(journal.commit(batch).await?),
            Ok(declined) => (declined.await, None),
            Err(error) if is_passing(&error) => return Err(error),
            Err(error) => (Err(error.clone().identified(|| id.to_string())), Some(error)),
        };
        let (started, ended) = self.stillborn(start, entry.ok().as_deref(), result);
        let mut batch = batch;
        batch.entries.push((id.clone(), Record::Started(Box::new(started))));
        batch.entries.push((id, Record::Ended(Box::new(ended))));
        journal.commit(batch).await?;
        error.map_or(Ok(()), Err)
    }

    fn entry_for_another(&self, start: &StartRequest) -> Result<Arc<Entry>, StepError> {
        let name = parse_name(start.orchestrator.as_str())?;
        let entry = self.durable(&name)?;
        entry.schemas.check(&start.request).map_err(|error| error.within(&name))?;
        Ok(entry)
    }

    async fn begin_for_another(
        &self,
        entry: &Arc<Entry>,
        start: StartRequest,
        batch: Batch,
    ) -> Result<engine::Handle, StepError> {
        let mut cx = self.context(start.tenant).request(start.request_id);
        let inner = Arc::make_mut(&mut cx.0);
        let clock = &*self.host().clock;
        inner.deadline = start.deadline.map(|utc| crate::Deadline::at_utc(utc, clock));
        inner.budget = start.budget;
        inner.idempotency_key = start.idempotency_key;
        inner.metadata = Some(Arc::new(start.metadata));
        let (options, request) = (Options::default(), start.request);
        engine::start_root_as(self.host(), &cx, entry, request, options, start.id, batch).await
    }

    /// The records of a run that did not begin. It keeps no idempotency key: the same request may
    /// be made again.
    fn stillborn(
        &self,
        start: StartRequest,
        entry: Option<&Entry>,
        result: StepResult<Value>,
    ) -> (RunStarted, RunEnded) {
        let (host, at) = (self.host(), self.host().clock.utc());
        let descriptor = entry.map(|entry| &entry.descriptor);
        let started = RunStarted {
            id: start.id,
            orchestrator: start.orchestrator,
            version: descriptor.map_or(Version::new(0, 0, 0), |found| found.version.clone()),
            tenant: start.tenant,
            request: start.request,
            request_id: start.request_id,
            trace: TraceId::from_random(host.random.wide()),
            origin: descriptor.map_or(Layer::Domain, |found| found.layer),
            depth: 0,
            deadline: start.deadline,
            budget: start.budget,
            metadata: start.metadata,
            caused_by: None,
            idempotency_key: None,
            forked_from: None,
            at,
        };
        let (spend, overrun) = (Spend::ZERO, Spend::ZERO);
        (started, RunEnded { result, spend, overrun, guards: Vec::new(), at })
    }
}
