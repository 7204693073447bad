//! What decides and learns, shared by all who need it.
//!
//! The shell around [`State`]: it queues records, puts them into the learner's log, and applies
//! them once they are on disk. *Queued* is memory, *accepted* is on disk, *learned* is applied:
//! three words, three counters.

mod change;
mod choose;
mod config;
mod credit;
mod domain;
mod evaluate;
mod fate;
mod health;
mod image;
mod import;
mod loops;
mod pairs;
mod port;
mod queue;
mod replay;
mod spec;
mod state;
#[cfg(test)]
mod tests;
mod trial;

use std::{
    fmt,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use consort_core::{
    Category, Clock, Component, StepError,
    learning::{LearningLog, Record, Snapshot},
};
use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, oneshot, watch};

pub(crate) use change::tried;
pub use change::{Change, What};
pub use config::Config;
pub use credit::Rule as Credit;
pub use domain::{ArmStats, Domain, Odd};
pub use evaluate::{Evaluation, Named, Question as Evaluate, evaluate};
pub use fate::{Fate, Totals};
pub use health::{Limits as HealthLimits, Moved, Standing, Window};
pub use import::hex;
pub use port::subject;
pub use queue::{Count, KINDS};
pub use replay::{Replayed, load};
pub use spec::{Needs, Policy, Predicts, Spec, encode};
pub use state::{Key, State, Watched};
pub use trial::{Contender, End, Ended, Trial};

use queue::{NotQueued, Queues, Waiting};
use replay::read_through;

/// Opens the learner's log when it is first needed.
pub type Open =
    Box<dyn Fn() -> BoxFuture<'static, Result<Arc<dyn LearningLog>, StepError>> + Send + Sync>;

/// Records applied under one hold of the lock, so that decisions never wait long.
const SLICE: usize = 256;

/// The handle. Cloning gives another one to the same.
#[derive(Clone)]
pub struct Learning(Arc<Shared>);

struct Shared {
    open: Open,
    log: Mutex<Option<Arc<dyn LearningLog>>>,
    /// Why there is no log, once that is known.
    missing: RwLock<Option<StepError>>,
    clock: Arc<dyn Clock>,
    state: RwLock<State>,
    queues: Queues,
    accepted: AtomicU64,
    applied: AtomicU64,
    failures: AtomicU64,
    snapshots: AtomicU64,
    looks: AtomicU64,
    saved: AtomicU64,
    /// The last record that was learned in this process.
    learned: watch::Sender<u64>,
    /// Why the last write failed, until one succeeds.
    stuck: watch::Sender<Option<StepError>>,
    unconsumed: AtomicU64,
    /// The log was left in good order: nothing came after its snapshot.
    clean: AtomicBool,
    /// Log time of the last record that was there when the log was opened.
    found: AtomicU64,
}

/// Records that were taken from their queues and are not dealt with yet.
#[derive(Default)]
struct Held {
    records: Arc<[Record]>,
    answers: Vec<Option<oneshot::Sender<Fate>>>,
}

impl Held {
    fn new(taken: Vec<Waiting>) -> Self {
        let (records, answers): (Vec<Record>, Vec<_>) =
            taken.into_iter().map(|waiting| (waiting.record, waiting.answer)).unzip();
        Self { records: records.into(), answers }
    }
}

impl fmt::Debug for Learning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Learning").finish_non_exhaustive()
    }
}

/// Figures of the shell, beside the [`Totals`] of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Of decisions and policy changes.
    pub decisions: Count,
    /// Of signals, by kind of component.
    pub kinds: [(Component, Count); 6],
    /// Records on disk, since this process began.
    pub accepted: u64,
    /// Records applied, since this process began.
    pub applied: u64,
    /// Writes that failed and were tried again.
    pub failures: u64,
    /// Snapshots written.
    pub snapshots: u64,
    /// Looks at health.
    pub looks: u64,
    /// Signals of runs that carried no reward, which nobody here learns from.
    pub unconsumed: u64,
}

impl Learning {
    /// Learning that has yet to open its log.
    ///
    /// # Errors
    ///
    /// `configuration` naming the setting.
    pub fn new(config: Config, clock: Arc<dyn Clock>, open: Open) -> Result<Self, StepError> {
        config.check()?;
        Ok(Self(Arc::new(Shared {
            open,
            log: Mutex::new(None),
            missing: RwLock::new(None),
            clock,
            queues: Queues::new(config.queue),
            state: RwLock::new(State::new(config)),
            accepted: AtomicU64::new(0),
            applied: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            snapshots: AtomicU64::new(0),
            looks: AtomicU64::new(0),
            saved: AtomicU64::new(0),
            learned: watch::Sender::new(0),
            stuck: watch::Sender::new(None),
            unconsumed: AtomicU64::new(0),
            clean: AtomicBool::new(true),
            found: AtomicU64::new(0),
        })))
    }

    /// What is known now.
    pub fn state(&self) -> RwLockReadGuard<'_, State> {
        // A panic while applying is contained by the loop that owns it; the state stays usable.
        self.0.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.0.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Figures of queues, log and loops.
    pub fn flow(&self) -> Flow {
        let counts = self.0.queues.counts();
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Flow {
            decisions: counts[0],
            kinds: std::array::from_fn(|at| (KINDS[at], counts[1 + at])),
            accepted: load(&self.0.accepted),
            applied: load(&self.0.applied),
            failures: load(&self.0.failures),
            snapshots: load(&self.0.snapshots),
            looks: load(&self.0.looks),
            unconsumed: load(&self.0.unconsumed),
        }
    }

    /// Why nothing is put on record, if the log cannot be opened.
    pub fn missing(&self) -> Option<StepError> {
        self.0.missing.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// True when the log was left in good order by whoever had it before.
    pub fn was_clean(&self) -> bool {
        self.0.clean.load(Ordering::Relaxed)
    }

    /// Log time, in milliseconds, of the last record that was there when the log was opened; 0
    /// without any.
    pub fn found(&self) -> u64 {
        self.0.found.load(Ordering::Relaxed)
    }

    /// Wall time in milliseconds.
    pub(crate) fn now(&self) -> consort_core::Timestamp {
        self.0.clock.utc()
    }

    /// Opens the log and catches up with it, the first time.
    ///
    /// # Errors
    ///
    /// Those of the log; it is tried again at the next call.
    pub async fn log(&self) -> Result<Arc<dyn LearningLog>, StepError> {
        let mut log = self.0.log.lock().await;
        if let Some(log) = &*log {
            return Ok(log.clone());
        }
        let opened = async {
            let opened = (self.0.open)().await?;
            let kept = opened.snapshot().await?.map_or(0, |snapshot| snapshot.position);
            self.0.clean.store(kept == opened.extent().await?.last, Ordering::Relaxed);
            let config = self.state().config().clone();
            let state = load(&*opened, config).await?;
            self.0.saved.store(state.position(), Ordering::Relaxed);
            self.0.found.store(state.now(), Ordering::Relaxed);
            *self.state_mut() = state;
            Ok::<_, StepError>(opened)
        };
        let opened = opened.await;
        *self.0.missing.write().unwrap_or_else(PoisonError::into_inner) =
            opened.as_ref().err().cloned();
        let opened = opened?;
        *log = Some(opened.clone());
        drop(log);
        self.install_configured();
        Ok(opened)
    }

    /// Puts policies on record that are configured otherwise than the log has it.
    fn install_configured(&self) {
        let changes: Vec<Change> = {
            let state = self.state();
            let differs = |(domain, spec): &(&String, &Spec)| {
                let last = state
                    .history()
                    .iter()
                    .rev()
                    .find(|change| change.domain == **domain && change.why == CONFIGURED);
                !matches!(last, Some(Change { what: What::Spec { spec: old }, .. }) if old == *spec)
            };
            let configured = state.config().policies.iter().filter(differs);
            let change = |(domain, spec): (&String, &Spec)| Change {
                domain: domain.clone(),
                version: 0,
                at: self.now(),
                why: CONFIGURED.into(),
                what: What::Spec { spec: spec.clone() },
            };
            configured.map(change).collect()
        };
        for change in changes {
            // Only refused when closed: then the next start does it.
            let _ = change.record().and_then(|record| self.submit(None, record, None));
        }
    }

    /// Queues a record. `kind` names the queue; none that of decisions and changes.
    pub(crate) fn submit(
        &self,
        kind: Option<Component>,
        record: Record,
        answer: Option<oneshot::Sender<Fate>>,
    ) -> Result<(), StepError> {
        if let Some(missing) = self.missing() {
            return Err(missing);
        }
        match self.0.queues.push(kind, Waiting { record, answer }) {
            Ok(()) => Ok(()),
            Err(NotQueued::Closed) => {
                Err(StepError::new(Category::ShuttingDown, "learning has been stopped")
                    .hint("start it again with the operation `start`"))
            }
            Err(NotQueued::Full) => {
                let what = kind.map_or("decisions".to_owned(), |kind| format!("{kind:?} signals"));
                Err(StepError::new(Category::Overloaded, format!("too many {what} wait"))
                    .hint("send it again a little later: a repeat under the same id is safe"))
            }
        }
    }

    /// Queues a record and waits until it was applied, or until it is known that this takes longer.
    pub(crate) async fn settle(
        &self,
        kind: Option<Component>,
        record: Record,
    ) -> Result<Fate, StepError> {
        let (answer, answered) = oneshot::channel();
        self.submit(kind, record, Some(answer))?;
        tokio::select! {
            biased;
            answered = answered => answered.map_err(|_| {
                let message = "learning ended before it was on record";
                StepError::new(Category::ShuttingDown, message)
            }),
            error = self.stuck() => {
                Err(error.hint("it is still queued; sent again under the same id it counts once"))
            }
        }
    }

    /// Takes new records, or refuses them while what waits is still dealt with.
    pub fn set_running(&self, running: bool) {
        self.0.queues.set_closed(!running);
    }

    /// Whether it takes new records.
    pub fn is_running(&self) -> bool {
        !self.0.queues.is_closed()
    }

    /// Waits until everything queued so far was applied.
    ///
    /// # Errors
    ///
    /// Those of the log, when it cannot be written to. What is queued stays so and is tried again.
    pub async fn flush(&self) -> Result<(), StepError> {
        tokio::select! {
            biased;
            () = self.0.queues.idle() => Ok(()),
            error = self.stuck() => Err(error),
        }
    }

    /// Resolves when the log cannot be written to, with the reason.
    async fn stuck(&self) -> StepError {
        let mut stuck = self.0.stuck.subscribe();
        let found = stuck.wait_for(Option::is_some).await.ok().and_then(|found| found.clone());
        match found {
            Some(error) => error,
            // Closed only together with what this is a method of.
            None => std::future::pending().await,
        }
    }

    /// One round: puts what waits on record and learns it. `false` when nothing waited. What was
    /// taken stays in `held` until it is dealt with.
    ///
    /// # Errors
    ///
    /// Those of the log; the next call tries again.
    async fn step(&self, held: &mut Held) -> Result<bool, StepError> {
        if held.records.is_empty() {
            let limit = self.state().config().batch;
            *held = Held::new(self.0.queues.take(limit));
        }
        if held.records.is_empty() {
            return Ok(false);
        }
        let log = self.log().await?;
        let last = log.append(held.records.clone()).await?;
        let count = held.records.len();
        self.0.accepted.fetch_add(count as u64, Ordering::Relaxed);
        let mut position = last - count as u64;
        let mut answers = std::mem::take(&mut held.answers).into_iter();
        for slice in held.records.chunks(SLICE) {
            let mut state = self.state_mut();
            for (record, answer) in slice.iter().zip(&mut answers) {
                position += 1;
                let fate = state.apply(position, record);
                if let Some(answer) = answer {
                    // Whoever asked may be gone.
                    let _ = answer.send(fate);
                }
            }
        }
        self.0.applied.fetch_add(count as u64, Ordering::Relaxed);
        self.0.learned.send_replace(position);
        self.0.stuck.send_if_modified(|stuck| stuck.take().is_some());
        *held = Held::default();
        self.0.queues.done(count);
        Ok(true)
    }

    /// Writes a snapshot if anything was learned since the last one, and trims the log.
    ///
    /// # Errors
    ///
    /// Those of the log.
    pub async fn consolidate(&self) -> Result<bool, StepError> {
        let log = self.log().await?;
        let (snapshot, keep) = {
            let state = self.state();
            let position = state.position();
            if position == self.0.saved.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let snapshot = Snapshot { position, state: state.to_bytes()?.into() };
            (snapshot, state.config().keep)
        };
        let position = snapshot.position;
        log.save(snapshot).await?;
        self.0.saved.store(position, Ordering::Relaxed);
        self.0.snapshots.fetch_add(1, Ordering::Relaxed);
        if position > keep {
            log.trim(position - keep).await?;
        }
        Ok(true)
    }

    /// Judges a policy by the log, everything queued so far included.
    ///
    /// # Errors
    ///
    /// As [`evaluate`].
    pub async fn evaluate(&self, asked: &Evaluate) -> Result<Evaluation, StepError> {
        let log = self.log().await?;
        self.flush().await?;
        let (config, until) = {
            let state = self.state();
            (state.config().clone(), state.position())
        };
        evaluate(&*log, config, until, asked).await
    }
}

/// Why a policy was put on record at start.
const CONFIGURED: &str = "configured";
