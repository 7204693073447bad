//! A journal in memory: for tests and for servers that may forget.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use consort_core::{
    Clock, Hash, IdempotencyKey, Name, RunId, Spend, SystemClock, TenantId, Timestamp,
    journal::{
        Batch, Journal, JournalError, JournalErrorKind, Message, MessageId, OpenRun, Retained,
        RunFilter,
    },
    record::{History, Record, RunEnded, RunStarted, RunSummary},
};
use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::Notify;

use crate::{
    ledger::{self, Birth, Fact, Known, Standing},
    place::Place,
    scan::scan,
};

/// A journal that keeps everything in memory. A clone is another handle to the same content.
///
/// Every answer is ready at the first poll, so that it also works under a paused clock.
#[derive(Clone)]
pub struct MemoryJournal {
    content: Arc<Mutex<Content>>,
    bell: Arc<Notify>,
    clock: Arc<dyn Clock>,
    /// The generation that this handle belongs to; see [`Content::generation`].
    generation: u64,
}

#[derive(Default)]
struct Content {
    runs: BTreeMap<Place, Run>,
    keys: HashMap<(TenantId, Name, IdempotencyKey), RunId>,
    blobs: HashMap<Hash, Stored>,
    spent: BTreeMap<(TenantId, u64), Spend>,
    inbox: BTreeMap<MessageId, Message>,
    last_message: MessageId,
    /// The clock's latest time: going back must not make new content look old.
    latest: Timestamp,
    /// Grows with [`MemoryJournal::restarted`]; handles of older generations are closed.
    generation: u64,
    closed: bool,
    bytes: u64,
    limit: Option<u64>,
}

struct Run {
    id: RunId,
    birth: Birth,
    standing: Standing,
    started: RunStarted,
    records: Vec<Record>,
    ended: Option<RunEnded>,
}

struct Stored {
    bytes: Arc<[u8]>,
    /// When it was last put: retention leaves younger content alone, referred to or not.
    since: Timestamp,
}

impl MemoryJournal {
    /// An empty journal without a limit.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// The same with another clock. It is only asked when content is put, for retention.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        let content = Content { latest: clock.utc(), ..Content::default() };
        let content = Arc::new(Mutex::new(content));
        Self { content, bell: Arc::default(), clock, generation: 0 }
    }

    /// Refuses a change with [`JournalErrorKind::Full`] that would make records, as JSON, and
    /// content larger than `bytes` together. Default: no limit.
    #[must_use]
    pub fn limited(self, bytes: u64) -> Self {
        self.lock().limit = Some(bytes);
        self
    }

    /// The same content as the next process would find it after this one was killed: all older
    /// handles are closed, so nothing that is still running can write any more.
    #[must_use]
    pub fn restarted(&self) -> Self {
        let mut content = self.lock();
        content.generation += 1;
        content.closed = false;
        content.latest = self.clock.utc();
        Self { generation: content.generation, bell: Arc::default(), ..self.clone() }
    }

    /// Puts a message into the inbox, as another process would.
    pub fn post(&self, message: Message) {
        let mut content = self.lock();
        content.last_message += 1;
        let id = content.last_message;
        content.inbox.insert(id, message);
        drop(content);
        self.bell.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        // Changes are planned first and then applied without a step that can fail, so what a
        // panicking thread leaves behind is whole.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> Result<MutexGuard<'_, Content>, JournalError> {
        let content = self.lock();
        if content.closed || content.generation != self.generation {
            let text = "the journal in memory is closed";
            return Err(JournalError::new(JournalErrorKind::Unavailable, text));
        }
        Ok(content)
    }

    fn ready<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Content) -> T,
    ) -> BoxFuture<'static, Result<T, JournalError>> {
        let answer = self.open().map(|mut content| read(&mut content));
        std::future::ready(answer).boxed()
    }
}

impl Default for MemoryJournal {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryJournal").field("runs", &self.lock().runs.len()).finish()
    }
}

impl Journal for MemoryJournal {
    fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<(), JournalError>> {
        let now = self.clock.utc();
        let answer = self.open().and_then(|mut content| content.commit(batch, now));
        std::future::ready(answer).boxed()
    }

    fn history(&self, run: &RunId) -> BoxFuture<'static, Result<Option<History>, JournalError>> {
        self.ready(|content| {
            content.runs.get(&Place::of(run)).map(|run| History {
                started: run.started.clone(),
                records: run.records.clone(),
                ended: run.ended.clone(),
            })
        })
    }

    fn ended(&self, run: &RunId) -> BoxFuture<'static, Result<Option<RunEnded>, JournalError>> {
        self.ready(|content| content.runs.get(&Place::of(run)).and_then(|run| run.ended.clone()))
    }

    fn open_runs(&self) -> BoxFuture<'static, Result<Vec<OpenRun>, JournalError>> {
        self.ready(|content| {
            let open = content.runs.values().filter(|run| run.standing.ended.is_none());
            open.map(|run| OpenRun {
                id: run.id.clone(),
                orchestrator: run.birth.orchestrator.clone(),
                version: run.birth.version.clone(),
                tenant: run.birth.tenant.clone(),
                parked: run.standing.parked,
                due: run.standing.due,
            })
            .collect()
        })
    }

    fn runs(&self, filter: RunFilter) -> BoxFuture<'static, Result<Vec<RunSummary>, JournalError>> {
        self.ready(|content| content.list(&filter))
    }

    fn find(
        &self,
        tenant: &TenantId,
        orchestrator: &Name,
        key: &IdempotencyKey,
    ) -> BoxFuture<'static, Result<Option<RunId>, JournalError>> {
        self.ready(|content| content.holder(tenant, orchestrator, key))
            .map(|answer| answer.flatten())
            .boxed()
    }

    fn blob(&self, hash: Hash) -> BoxFuture<'static, Result<Option<Arc<[u8]>>, JournalError>> {
        self.ready(|content| content.blobs.get(&hash).map(|stored| stored.bytes.clone()))
    }

    fn spent(
        &self,
        tenant: &TenantId,
        since: Timestamp,
    ) -> BoxFuture<'static, Result<Spend, JournalError>> {
        self.ready(|content| {
            let hours = (tenant.clone(), ledger::hour(since))..=(tenant.clone(), u64::MAX);
            content.spent.range(hours).fold(Spend::ZERO, |sum, (_, spend)| sum.plus(*spend))
        })
    }

    fn inbox(&self) -> BoxFuture<'static, Result<Vec<(MessageId, Message)>, JournalError>> {
        self.ready(|content| content.inbox.iter().map(|(id, m)| (*id, m.clone())).collect())
    }

    fn rang(&self) -> BoxFuture<'static, ()> {
        let bell = self.bell.clone();
        async move { bell.notified().await }.boxed()
    }

    fn retain(&self, before: Timestamp) -> BoxFuture<'static, Result<Retained, JournalError>> {
        self.ready(|content| content.retain(before))
    }

    fn close(&self) -> BoxFuture<'static, Result<(), JournalError>> {
        self.ready(|content| content.closed = true)
    }
}

impl Known for Content {
    type Error = JournalError;

    fn standing(&mut self, run: &RunId) -> Result<Option<Standing>, JournalError> {
        Ok(self.runs.get(&Place::of(run)).map(|run| run.standing.clone()))
    }

    fn holder(
        &mut self,
        tenant: &TenantId,
        orchestrator: &Name,
        key: &IdempotencyKey,
    ) -> Result<Option<RunId>, JournalError> {
        let key = (tenant.clone(), orchestrator.clone(), key.clone());
        Ok(self.keys.get(&key).cloned())
    }
}

impl Content {
    fn commit(&mut self, batch: Batch, now: Timestamp) -> Result<(), JournalError> {
        let facts: Vec<Fact> = batch.entries.iter().map(|(_, record)| Fact::of(record)).collect();
        let runs = batch.entries.iter().map(|(run, _)| run);
        let settled = ledger::settle(runs.zip(&facts), self)?;
        let settled: Vec<(RunId, Standing)> =
            settled.into_iter().map(|(run, standing)| (run.clone(), standing)).collect();
        self.make_room(&batch)?;

        self.latest = self.latest.max(now);
        for ((id, record), fact) in batch.entries.into_iter().zip(facts) {
            self.append(id, record, fact);
        }
        for (run, standing) in settled {
            if let Some(run) = self.runs.get_mut(&Place::of(&run)) {
                run.standing = standing;
            }
        }
        for (hash, bytes) in batch.blobs {
            let since = self.latest;
            let stored = self.blobs.entry(hash).or_insert(Stored { bytes, since });
            stored.since = stored.since.max(since);
        }
        for message in batch.applied {
            self.inbox.remove(&message);
        }
        for (tenant, at, spend) in batch.spent {
            *self.spent.entry((tenant, ledger::hour(at))).or_default() += spend;
        }
        Ok(())
    }

    fn append(&mut self, id: RunId, record: Record, fact: Fact) {
        let place = Place::of(&id);
        if let (Some((at, spend)), Some(run)) = (fact.spent(), self.runs.get(&place)) {
            let key = (run.birth.tenant.clone(), ledger::hour(at));
            *self.spent.entry(key).or_default() += spend;
        }
        match (record, fact) {
            (Record::Started(started), Fact::Started(birth)) => {
                if let Some(key) = &birth.idempotency_key {
                    let key = (birth.tenant.clone(), birth.orchestrator.clone(), key.clone());
                    self.keys.insert(key, id.clone());
                }
                let run = Run {
                    id,
                    birth: *birth,
                    standing: Standing::default(),
                    started: *started,
                    records: Vec::new(),
                    ended: None,
                };
                self.runs.insert(place, run);
            }
            (record, _) => {
                // Settled before: the run is there.
                let Some(run) = self.runs.get_mut(&place) else { return };
                match record {
                    Record::Ended(ended) => run.ended = Some(*ended),
                    record => run.records.push(record),
                }
            }
        }
    }

    /// Checks the limit. Sizes are only counted where there is one.
    fn make_room(&mut self, batch: &Batch) -> Result<(), JournalError> {
        let Some(limit) = self.limit else { return Ok(()) };
        let records = batch.entries.iter().map(|(_, record)| json(record).len());
        let blobs = batch.blobs.iter().filter(|(hash, _)| !self.blobs.contains_key(hash));
        let more: usize = records.chain(blobs.map(|(_, bytes)| bytes.len())).sum();
        let bytes = self.bytes + more as u64;
        if bytes > limit {
            let text = format!("the journal in memory would pass its limit of {limit} bytes");
            return Err(JournalError::new(JournalErrorKind::Full, text));
        }
        self.bytes = bytes;
        Ok(())
    }

    fn list(&self, filter: &RunFilter) -> Vec<RunSummary> {
        let from = match (&filter.before, &filter.tree) {
            (Some(last), _) => Bound::Excluded(Place::of(last)),
            (None, Some(tree)) => Bound::Included(Place::root(tree.as_str())),
            (None, None) => Bound::Unbounded,
        };
        let matches = |run: &&Run| {
            filter.tenant.as_ref().is_none_or(|tenant| *tenant == run.birth.tenant)
                && filter.orchestrator.as_ref().is_none_or(|name| *name == run.birth.orchestrator)
                && filter.state.is_none_or(|state| state == run.standing.state())
                && filter.tree.as_ref().is_none_or(|tree| *tree == run.id.tree())
                && (!filter.roots || run.id.parent().is_none())
        };
        self.runs
            .range((from, Bound::Unbounded))
            .map(|(_, run)| run)
            .filter(matches)
            .take(if filter.limit == 0 { 100 } else { filter.limit })
            .map(|run| run.standing.summary(run.id.clone(), &run.birth))
            .collect()
    }

    fn retain(&mut self, before: Timestamp) -> Retained {
        let mut over: HashSet<String> = HashSet::new();
        for run in self.runs.values().filter(|run| run.id.parent().is_none()) {
            if run.standing.ended.is_some_and(|ending| ending.at < before) {
                over.insert(run.id.as_str().to_owned());
            }
        }
        for run in self.runs.values().filter(|run| run.standing.ended.is_none()) {
            over.remove(run.id.tree().as_str());
        }
        self.runs.retain(|place, _| !over.contains(place.tree()));
        self.keys.retain(|_, run| !over.contains(run.tree().as_str()));

        let mut named: HashSet<Hash> = HashSet::new();
        for run in self.runs.values() {
            named.extend(scan(&json(&run.started)).hashes);
            named.extend(run.ended.iter().flat_map(|ended| scan(&json(ended)).hashes));
            named.extend(run.records.iter().flat_map(|record| scan(&json(record)).hashes));
        }
        named.extend(self.inbox.values().flat_map(|message| scan(&json(message)).hashes));
        self.blobs.retain(|hash, stored| stored.since >= before || named.contains(hash));
        self.recount();
        Retained { runs: over.len() as u64, freed: 0 }
    }

    fn recount(&mut self) {
        if self.limit.is_none() {
            return;
        }
        let runs = self.runs.values().map(|run| {
            let records: usize = run.records.iter().map(|record| json(record).len()).sum();
            let ended = run.ended.as_ref().map_or(0, |ended| json(ended).len());
            json(&run.started).len() + records + ended
        });
        let blobs = self.blobs.values().map(|stored| stored.bytes.len());
        self.bytes = runs.chain(blobs).sum::<usize>() as u64;
    }
}

/// As JSON. Records and messages have text keys only, so this cannot fail; if it could, nothing
/// would be counted or referred to.
fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
