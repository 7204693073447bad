//! The guards around every step: one pipeline for each callee, or for each endpoint of it, and
//! what operators hold off by hand.

mod config;
mod roster;
#[cfg(test)]
mod tests;
mod verdict;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
};

use config::Table;
pub use config::{Callee, Config, Preset};
use consort_core::{
    Category, Effect, Name, RunId, StepError, StepResult, Timestamp,
    guard::{Attempt, Fired, GuardInfo, Guarded, Reach, RunCall, RunGuard, StepCall, StepGuards},
};
use consort_resilience::{
    Again, Charge, Verdict,
    pipeline::{self, Call, Env, Error, Guard, Pipeline},
};
use futures_util::future::BoxFuture;
pub(crate) use roster::lock;
use roster::{Known, News, Roster};
use serde_json::Value;
use tokio::time::Instant;
pub use verdict::verdict;
use verdict::{Failed, fired, isolated, stopped};

use crate::health::{self, BreakerView, BulkheadView, CalleeHealth, Isolation, Report};

/// The guards of a facade. A handle: clones share everything.
#[derive(Clone, Debug)]
pub struct Guards(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    table: Arc<RwLock<Table>>,
    configuring: Mutex<()>,
    /// What reaches beyond this process.
    outside: Roster,
    local: Roster,
    limits: health::Limits,
    news: Arc<News>,
    isolations: Mutex<BTreeMap<RunId, Isolation>>,
    /// How many there are, so that calls need not take the lock to see that there is none.
    isolated: AtomicUsize,
}

impl Guards {
    /// With these settings.
    ///
    /// # Errors
    ///
    /// `configuration` naming the setting that makes no sense, with its range.
    pub fn new(config: Config) -> Result<Self, StepError> {
        Self::with_env(config, Env::default())
    }

    /// The same in another time and with other chance. An observer of `env` is not called.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn with_env(config: Config, env: Env) -> Result<Self, StepError> {
        let (table, capacity, limits) = config::validate(config)?;
        let table = Arc::new(RwLock::new(table));
        let news = Arc::<News>::default();
        let (of, of_local) = (table.clone(), table.clone());
        let outside = move |name: &str| read(&of).outside(name).clone();
        let local = move |name: &str| read(&of_local).local(name).clone();
        let roster = |make: Box<dyn Fn(&str) -> _ + Send + Sync>| {
            Roster::new(capacity, make, limits.clone(), news.clone(), env.clone())
        };
        Ok(Self(Arc::new(Inner {
            outside: roster(Box::new(outside)),
            local: roster(Box::new(local)),
            table,
            configuring: Mutex::default(),
            limits,
            news,
            isolations: Mutex::default(),
            isolated: AtomicUsize::new(0),
        })))
    }

    /// Gives `name`, a callee or `callee/endpoint`, other guards for calls from now on. Nothing is
    /// forgotten: an open breaker stays open, waiting calls keep their place.
    ///
    /// # Errors
    ///
    /// `configuration` naming the setting that makes no sense; nothing is changed then.
    pub fn configure(&self, name: &str, callee: &Callee) -> Result<(), StepError> {
        let inner = &*self.0;
        // One after the other, so that the last change is the one that pipelines end up with. Not
        // under the lock of the table: rosters ask the table for limits under their own locks.
        let _turn = lock(&inner.configuring);
        inner.table.write().unwrap_or_else(PoisonError::into_inner).set(name, callee)?;
        for pipeline in inner.outside.list() {
            let limits = read(&inner.table).outside(pipeline.callee()).clone();
            pipeline.reconfigure(limits);
        }
        for pipeline in inner.local.list() {
            let limits = read(&inner.table).local(pipeline.callee()).clone();
            pipeline.reconfigure(limits);
        }
        Ok(())
    }

    /// The guards of `name`, a callee or `callee/endpoint`, as they could be written in a file.
    pub fn config(&self, name: &str) -> pipeline::Config {
        read(&self.0.table).of(name).config()
    }

    /// How often everybody's health is to be looked at.
    pub(crate) fn every(&self) -> std::time::Duration {
        self.0.limits.config().every
    }

    pub(crate) fn news(&self) -> &News {
        &self.0.news
    }

    // ===== held off by hand =====

    /// Holds calls off. Idempotent by the run that is the record of it.
    pub(crate) fn hold(&self, isolation: Isolation) {
        for pipeline in self.covered(&isolation) {
            pipeline.breaker().isolate();
        }
        let mut all = lock(&self.0.isolations);
        all.insert(isolation.run.clone(), isolation);
        self.0.isolated.store(all.len(), Ordering::Release);
        drop(all);
        self.0.news.ring();
    }

    /// Lets calls through again, unless something else holds them off. The first ones are probes.
    pub(crate) fn let_go(&self, run: &RunId) {
        let mut all = lock(&self.0.isolations);
        let Some(ended) = all.remove(run) else { return };
        self.0.isolated.store(all.len(), Ordering::Release);
        let left: Vec<Isolation> = all.values().cloned().collect();
        drop(all);
        let now = Instant::now().into_std();
        for pipeline in self.covered(&ended) {
            if !left.iter().any(|other| other.covers(pipeline.callee())) {
                pipeline.breaker().release(now);
            }
        }
        self.0.news.ring();
    }

    /// Everything that is held off by hand, by run.
    pub fn isolations(&self) -> Vec<Isolation> {
        lock(&self.0.isolations).values().cloned().collect()
    }

    /// Closes the breakers of `name`, and of its endpoints, and forgets what was seen of them.
    /// Returns how many there were.
    pub(crate) fn reset(&self, name: &str) -> usize {
        let now = Instant::now().into_std();
        let mut count = 0;
        for roster in [&self.0.outside, &self.0.local] {
            for pipeline in roster.list() {
                if health::within(name, pipeline.callee()) {
                    pipeline.breaker().reset(now);
                    roster.forget(pipeline.callee());
                    count += 1;
                }
            }
        }
        self.0.news.ring();
        count
    }

    fn covered(&self, isolation: &Isolation) -> Vec<Pipeline> {
        let all = self.0.outside.list().into_iter().chain(self.0.local.list());
        all.filter(|pipeline| isolation.covers(pipeline.callee())).collect()
    }

    fn held_off(&self, name: &str) -> Option<Isolation> {
        if self.0.isolated.load(Ordering::Acquire) == 0 {
            return None;
        }
        lock(&self.0.isolations).values().find(|isolation| isolation.covers(name)).cloned()
    }

    // ===== seen from outside =====

    /// Everybody's health at this moment; `at` is the same moment in wall time.
    pub fn report(&self, at: Timestamp) -> Report {
        let isolations = self.isolations();
        let of = |roster: &Roster, local: bool| -> Vec<CalleeHealth> {
            let all = roster.list();
            all.iter().map(|pipeline| self.view(roster, pipeline, local, &isolations)).collect()
        };
        let mut callees = of(&self.0.outside, false);
        callees.extend(of(&self.0.local, true));
        callees.sort_by(|a, b| (&a.callee, a.local).cmp(&(&b.callee, b.local)));
        let overall = health::overall(callees.iter().map(|callee| callee.health));
        Report { at, overall, callees, isolations }
    }

    fn view(
        &self,
        roster: &Roster,
        pipeline: &Pipeline,
        local: bool,
        isolations: &[Isolation],
    ) -> CalleeHealth {
        let name = pipeline.callee();
        let seen = roster.seen(name);
        let snapshot = pipeline.snapshot();
        let held = isolations.iter().find(|isolation| isolation.covers(name));
        let state = snapshot.breaker.map(|breaker| breaker.state);
        let reason = held.map(|isolation| isolation.reason.as_str());
        let health::Judged { health, why } =
            health::judge(&seen, state, reason, local, &self.0.limits);
        CalleeHealth {
            callee: name.to_owned(),
            local,
            health,
            why,
            calls: seen.calls,
            failures: seen.failures,
            success_rate: seen.success_rate,
            latency_ms: seen.latency.map(|latency| latency.as_secs_f64() * 1e3),
            breaker: snapshot.breaker.map(|breaker| BreakerView {
                state: breaker.state.name().to_owned(),
                failures_in_row: breaker.failures_in_row,
                rest_left_ms: breaker
                    .rest_left
                    .map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
                moves: breaker.generation,
            }),
            bulkhead: snapshot.bulkhead.map(|bulkhead| BulkheadView {
                limit: bulkhead.limit,
                taken: bulkhead.taken,
                waiting: u32::try_from(bulkhead.waiting).unwrap_or(u32::MAX),
            }),
            retries_left: snapshot.retries_saved,
            tokens: snapshot.tokens,
        }
    }

    // ===== one step =====

    async fn guarded(&self, call: &StepCall, attempt: &Attempt<'_>) -> Guarded {
        let (roster, name) = self.place(call);
        if let Some(isolation) = self.held_off(&name) {
            let did = format!("refused: isolated since {}", isolation.since);
            return refused(isolated(&name, &isolation.reason), did);
        }
        let known = match roster.get(&name) {
            Ok(known) => known,
            Err(full) => {
                let error = StepError::new(Category::Overloaded, "too many callees are in trouble");
                let did = format!("refused: {full}");
                return refused(error.because(&full), did);
            }
        };
        self.through(roster, &known, &name, call, attempt).await
    }

    async fn through(
        &self,
        roster: &Roster,
        known: &Known,
        name: &str,
        call: &StepCall,
        attempt: &Attempt<'_>,
    ) -> Guarded {
        let own = call.timeout.map(|limit| Instant::now() + limit);
        let run = call.deadline.map(|deadline| deadline.at);
        let earlier = own.into_iter().chain(run).min();
        let repeatable = call.effect.repeatable() && call.attempts.is_none_or(|most| most > 1);
        let passing = if repeatable { Call::repeatable() } else { Call::once() };
        let passing = earlier.map_or(passing, |at| passing.until(at.into_std()));
        let failed = Mutex::new(Vec::<Failed>::new());
        let made = AtomicU32::new(0);
        let enough = || call.attempts.is_some_and(|most| made.load(Ordering::Relaxed) >= most);
        let outcome = known
            .pipeline
            .run(
                passing,
                // A caller who wants fewer attempts than the guards allow gets no more.
                |result| match verdict(result) {
                    verdict if enough() => Verdict { again: Again::Never, ..verdict },
                    verdict => verdict,
                },
                async |at: consort_resilience::pipeline::Attempt| {
                    made.store(at.number, Ordering::Relaxed);
                    let began = Instant::now();
                    let result = attempt(at.number).await;
                    self.note(roster, known, &result, began, at.number, &failed);
                    result
                },
            )
            .await;
        let report = outcome.report;
        let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        let fired = fired(&report, &failed, outcome.result.as_ref().err());
        let result = match outcome.result {
            Ok(outcome) => Ok(outcome),
            Err(Error::Callee(error)) => Err(error),
            Err(Error::Stopped(by)) => {
                let late = run.is_some_and(|run| own.is_none_or(|own| run < own))
                    && run.is_some_and(|run| Instant::now() >= run);
                stopped(name, call, by, !late)
            }
        };
        Guarded { result, attempts: report.attempts, fired }
    }

    fn note(
        &self,
        roster: &Roster,
        known: &Known,
        result: &StepResult<Value>,
        began: Instant,
        number: u32,
        failed: &Mutex<Vec<Failed>>,
    ) {
        if let Err(error) = result {
            lock(failed).push(Failed { number, category: error.category() });
        }
        match verdict(result).charge {
            Charge::Success => roster.record(known, true, began.elapsed()),
            Charge::Failure => roster.record(known, false, began.elapsed()),
            Charge::Answered | Charge::Nothing => {}
        }
        self.0.news.stir();
    }

    /// Where calls like this one are kept, and under which name.
    fn place<'a>(&self, call: &'a StepCall) -> (&Roster, Cow<'a, str>) {
        let callee = call.callee.as_str();
        match &call.reach {
            _ if call.effect == Effect::Pure => (&self.0.local, callee.into()),
            Reach::Here => (&self.0.local, callee.into()),
            Reach::Callee => (&self.0.outside, callee.into()),
            Reach::Endpoint(endpoint) => (&self.0.outside, format!("{callee}/{endpoint}").into()),
        }
    }
}

impl StepGuards for Guards {
    fn run<'a>(&'a self, call: &'a StepCall, attempt: &'a Attempt<'a>) -> BoxFuture<'a, Guarded> {
        Box::pin(self.guarded(call, attempt))
    }

    fn describe(&self, callee: &Name, effect: Effect) -> Vec<GuardInfo> {
        let local = effect == Effect::Pure;
        let name = callee.as_str();
        let roster = if local { &self.0.local } else { &self.0.outside };
        let limits = {
            let table = read(&self.0.table);
            if local { table.local(name) } else { table.outside(name) }.clone()
        };
        let pipeline = roster.find(name).unwrap_or_else(|| Pipeline::new(name, limits));
        let mut all = vec![GuardInfo::new("isolation", "refuses what an operator holds off")];
        let bound = "the run's deadline or the call's own time-out if earlier";
        let mut bounded = false;
        for line in pipeline.describe().guards {
            let settings = match line.guard {
                Guard::Deadline => {
                    bounded = true;
                    format!("{}; {bound}", line.settings)
                }
                Guard::Retry if !effect.repeatable() => {
                    "none: the effect must not happen twice".to_owned()
                }
                _ => line.settings,
            };
            all.push(GuardInfo::new(line.guard.name(), settings));
        }
        if !bounded {
            all.insert(1, GuardInfo::new(Guard::Deadline.name(), bound));
        }
        all
    }
}

/// Runs of orchestrators can be held off too, except those that are needed to end that.
impl RunGuard for Guards {
    fn name(&self) -> &'static str {
        "isolation"
    }

    fn check(&self, call: &RunCall<'_>) -> Result<(), StepError> {
        match self.held_off(call.callee.name.as_str()) {
            Some(isolation) => Err(isolated(&isolation.callee, &isolation.reason)),
            None => Ok(()),
        }
    }
}

fn refused(error: StepError, did: String) -> Guarded {
    let fired = vec![Fired::new("isolation", did)];
    Guarded { result: Err(error), attempts: 0, fired }
}

fn read(table: &RwLock<Table>) -> std::sync::RwLockReadGuard<'_, Table> {
    table.read().unwrap_or_else(PoisonError::into_inner)
}
