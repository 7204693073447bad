//! What the parts of a running facade share, and what a run knows about itself.

use std::{
    future::Future,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use serde_json::Value;
use tokio::{
    sync::{Semaphore, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Blob, Category, Clock, Decider, Decision, Hash, Layer, Limits, Loss, Name, Question, Random,
    RequestId, RunId, Sent, Signal, Signals, Situation, Spend, StepError, TaskScope, TenantId,
    Timestamp, TraceId,
    admission::{Admission, Ledger, Moment, Ticket},
    engine::Engine,
    events::{Event, Events},
    guard::{Fired, RunGuard, StepGuards},
    journal::{Batch, Journal},
    learning::Made,
    orchestrator::{decode, encode},
    record::LocalKind,
    registry::Registry,
    steps::Steps,
};

/// Marks a recorded decision that the policy refused to make.
const REFUSED: &str = "refused";

/// As many things that guards did are kept for the record of one ephemeral run.
const FIRED: usize = 100;

/// Everything that runs share.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) limits: Limits,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) decider: Arc<dyn Decider>,
    pub(crate) signals: Arc<dyn Signals>,
    pub(crate) run_guards: Vec<Arc<dyn RunGuard>>,
    pub(crate) step_guards: Arc<dyn StepGuards>,
    pub(crate) registry: ArcSwap<Registry>,
    pub(crate) registering: Mutex<()>,
    pub(crate) started: AtomicBool,
    pub(crate) orders: AtomicU64,
    pub(crate) events: Events,
    pub(crate) admission: Arc<Admission>,
    pub(crate) engine: Engine,
    /// Owns the drivers of durable runs, the timers and late clean-ups.
    pub(crate) tasks: TaskScope,
    /// Cancelled when nothing new is admitted any more.
    pub(crate) closing: CancellationToken,
    pub(crate) blocking: Arc<Semaphore>,
}

impl Host {
    pub(crate) fn moment(&self) -> Moment {
        Moment { at: Instant::now(), utc: self.clock.utc() }
    }

    pub(crate) fn new_run_id(&self) -> RunId {
        self.run_id_at(self.clock.utc())
    }

    pub(crate) fn run_id_at(&self, now: Timestamp) -> RunId {
        RunId::root(now.0, self.random.wide())
    }

    pub(crate) async fn read(&self, hash: Hash) -> Result<Arc<[u8]>, StepError> {
        self.journal.blob(hash).await?.ok_or_else(|| {
            StepError::new(Category::NotFound, format!("the store has no content {hash}"))
        })
    }

    pub(crate) async fn store(&self, hash: Hash, bytes: Arc<[u8]>) -> Result<(), StepError> {
        let batch = Batch { blobs: vec![(hash, bytes)], ..Batch::default() };
        Ok(self.journal.commit(batch).await?)
    }

    /// A ticket for a root run or a bare step of `tenant`.
    pub(crate) async fn admit(
        &self,
        tenant: &TenantId,
        budget: Option<crate::Budget>,
        now: Moment,
    ) -> Result<Ticket, StepError> {
        if let Some(since) = self.admission.unloaded(tenant, now.utc) {
            let spent = self.journal.spent(tenant, since).await?;
            self.admission.load(tenant, now, spent);
        }
        Ok(self.admission.admit(tenant, budget, now)?)
    }

    /// Adds what was spent outside durable runs to the tenant's account on disk.
    pub(crate) fn account(&self, tenant: &TenantId, spend: Spend) {
        let spent = vec![(tenant.clone(), self.clock.utc(), spend)];
        // Nobody waits: an account of ephemeral work may lack the last moment before a crash.
        drop(self.journal.commit(Batch { spent, ..Batch::default() }));
    }

    /// Does `work` on the facade's own tasks, so that it is done even if the caller goes away.
    pub(crate) async fn carry_out<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StepError>> + Send + 'static,
    ) -> Result<T, StepError> {
        let (tell, told) = oneshot::channel();
        self.tasks.spawn_once(async move {
            // Whoever asked may be gone.
            let _ = tell.send(work.await);
        });
        told.await.unwrap_or_else(|_| {
            Err(StepError::new(Category::ShuttingDown, "the facade has stopped"))
        })
    }

    /// Tells the ports above what a run has put on record.
    pub(crate) fn announce(&self, news: &News) {
        match news {
            News::Signal(sent) => self.deliver(sent),
            News::Decision(made) => self.decider.made(made),
        }
    }

    pub(crate) fn deliver(&self, sent: &Sent) {
        if !self.signals.take(sent) {
            self.events.emit(|| Event::Unconsumed {
                signal: sent.id.clone(),
                name: sent.signal.name.clone(),
            });
        }
    }
}

/// What others have to hear of once it is on record.
#[derive(Debug)]
pub(crate) enum News {
    Signal(Sent),
    Decision(Box<Made>),
}

/// How a run asks for things.
#[derive(Debug)]
pub(crate) enum Mode {
    /// By steps that are recorded.
    Durable(Steps),
    /// Directly.
    Ephemeral,
    /// Directly, from outside any run.
    Outside,
}

/// What a run knows about itself.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) host: Arc<Host>,
    /// Made when somebody asks: most short runs end before anybody does.
    pub(crate) id: OnceLock<RunId>,
    /// The caller's name for the request and the trace, where a root's caller gave none.
    pub(crate) request: OnceLock<RequestId>,
    pub(crate) trace: OnceLock<TraceId>,
    pub(crate) callee: Option<Name>,
    /// Who called, where `above` does not tell.
    pub(crate) parent: Option<Name>,
    /// The run that called, for ephemeral runs.
    pub(crate) above: Option<Arc<Self>>,
    pub(crate) began: Instant,
    pub(crate) depth: u16,
    pub(crate) origin: Option<Layer>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) mode: Mode,
    /// Numbers the direct steps, decisions and signals of an ephemeral run.
    pub(crate) sequence: AtomicU32,
    pub(crate) notes: Notes,
    /// True below a step of a durable run: that step's record tells what direct steps cost.
    pub(crate) recorded: bool,
}

/// What happened on the way. Most runs note nothing, and then nobody takes the lock.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    any: AtomicBool,
    all: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    losses: Vec<Loss>,
    /// What direct steps of an ephemeral run cost.
    spent: Spend,
    /// Guards that fired at direct steps of an ephemeral run.
    fired: Vec<Fired>,
}

impl Notes {
    fn add(&self, add: impl FnOnce(&mut Noted)) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        add(&mut all);
        self.any.store(true, Ordering::Release);
    }

    fn read<T: Default>(&self, read: impl FnOnce(&mut Noted) -> T) -> T {
        if !self.any.load(Ordering::Acquire) {
            return T::default();
        }
        read(&mut self.all.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Run {
    /// A run that began now, with nobody above it.
    pub(crate) fn new(host: &Arc<Host>, ledger: Arc<Ledger>, mode: Mode) -> Self {
        Self::begun(host, ledger, mode, Instant::now())
    }

    /// The same for a moment that was looked up before.
    pub(crate) fn begun(host: &Arc<Host>, ledger: Arc<Ledger>, mode: Mode, began: Instant) -> Self {
        Self {
            host: host.clone(),
            id: OnceLock::new(),
            request: OnceLock::new(),
            trace: OnceLock::new(),
            callee: None,
            parent: None,
            above: None,
            began,
            depth: 0,
            origin: None,
            ledger,
            mode,
            sequence: AtomicU32::new(0),
            notes: Notes::default(),
            recorded: false,
        }
    }

    /// Stands for a caller that is no run itself.
    pub(crate) fn outside(
        host: &Arc<Host>,
        origin: Option<Layer>,
        callee: Option<&Name>,
    ) -> Arc<Self> {
        let ledger = Ledger::root(crate::Budget::UNLIMITED, Spend::ZERO);
        let callee = callee.cloned();
        Arc::new(Self { origin, callee, ..Self::new(host, ledger, Mode::Outside) })
    }

    /// False for what stands for a caller that is no run.
    pub(crate) fn is_inside(&self) -> bool {
        !matches!(self.mode, Mode::Outside)
    }

    /// `None` for a caller that is no run.
    pub(crate) fn id(&self) -> Option<&RunId> {
        self.is_inside().then(|| {
            self.id.get_or_init(|| {
                // Ids sort by the age of runs, however late they are made.
                let age = self.began.elapsed().as_millis();
                let now = self.host.clock.utc().0;
                let began = now.saturating_sub(u64::try_from(age).unwrap_or(now));
                self.host.run_id_at(Timestamp(began))
            })
        })
    }

    pub(crate) fn parent(&self) -> Option<&Name> {
        self.above.as_ref().map_or(self.parent.as_ref(), |above| above.callee.as_ref())
    }

    /// The highest run that is known to be above, or this one.
    fn top(&self) -> &Self {
        let mut top = self;
        while let Some(above) = top.above.as_deref().filter(|above| above.is_inside()) {
            top = above;
        }
        top
    }

    /// The name of a request whose caller gave it none: the id of its root run.
    pub(crate) fn request(&self) -> Option<&RequestId> {
        let top = self.top();
        top.id().map(|id| top.request.get_or_init(|| RequestId::of_root(id)))
    }

    /// The trace of a request whose caller gave it none.
    pub(crate) fn trace(&self) -> Option<TraceId> {
        let fresh = |top: &Self| TraceId::from_random(top.host.random.wide());
        let top = self.top();
        top.is_inside().then(|| *top.trace.get_or_init(|| fresh(top)))
    }

    pub(crate) fn lose(&self, losses: impl IntoIterator<Item = Loss>) {
        self.notes.add(|noted| {
            for loss in losses {
                if !noted.losses.contains(&loss) {
                    noted.losses.push(loss);
                }
            }
        });
    }

    pub(crate) fn take_losses(&self) -> Vec<Loss> {
        self.notes.read(|noted| std::mem::take(&mut noted.losses))
    }

    pub(crate) fn next_key(&self) -> String {
        let number = self.sequence.fetch_add(1, Ordering::Relaxed);
        match self.id() {
            Some(id) => format!("{id}/{number}"),
            None => format!("{}/{number}", self.host.new_run_id()),
        }
    }

    pub(crate) fn progress(&self, done: u32, total: u32, doing: String) {
        if self.is_inside() {
            let run = || self.id().cloned();
            self.host.events.tell(|| Some(Event::Progress { run: run()?, done, total, doing }));
        }
    }

    pub(crate) fn now(&self) -> Result<Timestamp, StepError> {
        let now = || self.host.clock.utc();
        match &self.mode {
            Mode::Durable(steps) => {
                let (_, value, _) =
                    steps.local(LocalKind::Now, &Value::Null, |_| Ok(now().0.into()))?;
                Ok(Timestamp(value.as_u64().unwrap_or_default()))
            }
            Mode::Ephemeral | Mode::Outside => Ok(now()),
        }
    }

    pub(crate) fn random(&self) -> Result<u64, StepError> {
        let bits = || self.host.random.bits();
        match &self.mode {
            Mode::Durable(steps) => {
                let fresh = |_| Ok(bits().into());
                let (_, value, _) = steps.local(LocalKind::Random, &Value::Null, fresh)?;
                Ok(value.as_u64().unwrap_or_default())
            }
            Mode::Ephemeral | Mode::Outside => Ok(bits()),
        }
    }

    pub(crate) fn decide(
        &self,
        tenant: &TenantId,
        request: Option<&RequestId>,
        question: Question,
    ) -> Result<Decision, StepError> {
        let choose = |id: String| -> Result<Decision, StepError> {
            let registry = self.host.registry.load();
            let situation = Situation {
                tenant,
                request: request.map(RequestId::as_str),
                now: self.host.clock.utc(),
                budget: self.ledger.left(),
                random: &*self.host.random,
                registered: &|name| {
                    Name::new(name).is_ok_and(|name| registry.resolve(&name).is_ok())
                },
            };
            let choice = self.host.decider.decide(situation, &question)?;
            let arms = question.candidates.len();
            if choice.chosen >= arms || choice.propensities.len() != arms {
                let message = format!("policy `{}` chose outside the candidates", choice.policy);
                return Err(StepError::new(Category::Internal, message));
            }
            Ok(Decision {
                id,
                question: question.clone(),
                chosen: choice.chosen,
                propensities: choice.propensities,
                scores: choice.scores,
                policy: choice.policy,
                policy_version: choice.version,
                skipped: choice.skipped,
            })
        };
        match (&self.mode, self.id()) {
            (Mode::Durable(steps), Some(run)) => {
                // A refusal is recorded like a choice: at replay the policy might not refuse.
                let fresh = |position| match choose(format!("{run}/{position}")) {
                    Ok(decision) => encode(&decision),
                    Err(error) => {
                        Ok(Value::Object([(REFUSED.into(), encode(&error)?)].into_iter().collect()))
                    }
                };
                let (_, mut value, _) =
                    steps.local(LocalKind::Decision, &encode(&question)?, fresh)?;
                match value.get_mut(REFUSED).map(Value::take) {
                    Some(error) => Err(decode(error)?),
                    None => decode(value),
                }
            }
            (_, run) => {
                let decision = choose(self.next_key())?;
                self.host.decider.made(&Made {
                    tenant: tenant.clone(),
                    run: run.cloned(),
                    at: self.host.clock.utc(),
                    decision: decision.clone(),
                });
                Ok(decision)
            }
        }
    }

    pub(crate) fn signal(&self, tenant: &TenantId, signal: Signal) -> Result<(), StepError> {
        match (&self.mode, self.id()) {
            (Mode::Durable(steps), Some(_)) => {
                let body = encode(&signal)?;
                // Delivered by the driver, after the commit.
                steps.local(LocalKind::Signal, &body, |_| Ok(body.clone()))?;
            }
            (_, Some(run)) => {
                let (id, run, tenant) = (self.next_key(), run.clone(), tenant.clone());
                self.host.deliver(&Sent { id, run, tenant, signal });
            }
            (_, None) => {
                let (id, run) = (self.next_key(), self.host.new_run_id());
                self.host.deliver(&Sent { id, run, tenant: tenant.clone(), signal });
            }
        }
        Ok(())
    }

    pub(crate) fn put(&self, bytes: Arc<[u8]>, media_type: &str) -> Blob {
        match &self.mode {
            Mode::Durable(steps) => steps.put(bytes, media_type),
            Mode::Ephemeral | Mode::Outside => {
                let blob = Blob::of(&bytes, media_type);
                let batch = Batch { blobs: vec![(blob.hash, bytes)], ..Batch::default() };
                // By the port's rule the change happens although nobody waits for it, and before
                // any later commit that could refer to it.
                drop(self.host.journal.commit(batch));
                blob
            }
        }
    }

    /// Keeps what guards did at a direct step, up to [`FIRED`] of them; the events have all.
    pub(crate) fn fire(&self, fired: &[Fired]) {
        if fired.is_empty() {
            return;
        }
        self.notes.add(|noted| {
            let room = FIRED.saturating_sub(noted.fired.len());
            noted.fired.extend(fired.iter().take(room).cloned());
        });
    }

    pub(crate) fn fired(&self) -> Vec<Fired> {
        self.notes.read(|noted| noted.fired.clone())
    }

    pub(crate) fn spend(&self, amount: Spend) {
        if !amount.is_zero() {
            self.notes.add(|noted| noted.spent += amount);
        }
    }

    pub(crate) fn spent_directly(&self) -> Spend {
        self.notes.read(|noted| noted.spent)
    }
}
