//! The callees that are known: the pipeline and the health window of each, by name.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use consort_resilience::{
    breaker::Moved,
    pipeline::{Env, Event, Guard, Limits, Pipeline, What},
    registry::{Full, Registry},
};
use tokio::{sync::Notify, time::Instant};

use crate::health;

/// News that wait for somebody to hear them, at most.
const NEWS: usize = 1024;

/// Callees of one kind: those outside, or local work.
pub(crate) struct Roster {
    registry: Registry,
    windows: Arc<Windows>,
    capacity: usize,
}

/// One callee in use.
pub(crate) struct Known {
    pub(crate) pipeline: Pipeline,
    pub(crate) window: Arc<Mutex<health::Window>>,
}

impl Roster {
    pub(crate) fn new(
        capacity: usize,
        make: impl Fn(&str) -> Limits + Send + Sync + 'static,
        limits: health::Limits,
        news: Arc<News>,
        env: Env,
    ) -> Self {
        let windows = Arc::new(Windows { limits, all: RwLock::default() });
        let heard = windows.clone();
        let observer = move |event: &Event<'_>| match event.what {
            // The result of an attempt that was cut short is seen by nobody else.
            What::TimedOut { by: Guard::AttemptTimeout, after } => {
                heard.record(event.callee, false, after);
            }
            What::BreakerMoved(moved) => news.push(event.callee, moved),
            _ => {}
        };
        let env = Env { observer: Some(Arc::new(observer)), ..env };
        Self { registry: Registry::new(capacity, make, env), windows, capacity }
    }

    /// The callee of that name, new if need be.
    pub(crate) fn get(&self, name: &str) -> Result<Known, Full> {
        let pipeline = self.registry.get(name)?;
        if let Some(window) = self.windows.find(name) {
            return Ok(Known { pipeline, window });
        }
        let window = self.windows.insert(name, self.capacity, &self.registry);
        Ok(Known { pipeline, window })
    }

    pub(crate) fn find(&self, name: &str) -> Option<Pipeline> {
        self.registry.find(name)
    }

    pub(crate) fn list(&self) -> Vec<Pipeline> {
        self.registry.list()
    }

    pub(crate) fn seen(&self, name: &str) -> health::Seen {
        let Some(window) = self.windows.find(name) else { return health::Seen::default() };
        let window = lock(&window);
        window.seen(Instant::now(), &self.windows.limits)
    }

    pub(crate) fn record(&self, known: &Known, good: bool, took: Duration) {
        lock(&known.window).record(good, took, Instant::now(), &self.windows.limits);
    }

    /// Forgets what was seen of `name`.
    pub(crate) fn forget(&self, name: &str) {
        if let Some(window) = self.windows.find(name) {
            *lock(&window) = health::Window::new(Instant::now());
        }
    }
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roster").field("registry", &self.registry).finish_non_exhaustive()
    }
}

/// The health windows by name.
struct Windows {
    limits: health::Limits,
    all: RwLock<HashMap<Arc<str>, Arc<Mutex<health::Window>>>>,
}

impl Windows {
    fn find(&self, name: &str) -> Option<Arc<Mutex<health::Window>>> {
        self.all.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn insert(
        &self,
        name: &str,
        capacity: usize,
        registry: &Registry,
    ) -> Arc<Mutex<health::Window>> {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() > capacity {
            // As many as pipelines: whoever has lost its pipeline has nothing to remember.
            all.retain(|name, _| registry.find(name).is_some());
        }
        let fresh = || Arc::new(Mutex::new(health::Window::new(Instant::now())));
        all.entry(name.into()).or_insert_with(fresh).clone()
    }

    fn record(&self, name: &str, good: bool, took: Duration) {
        if let Some(window) = self.find(name) {
            lock(&window).record(good, took, Instant::now(), &self.limits);
        }
    }
}

/// Moves of breakers that nobody has been told yet.
#[derive(Debug, Default)]
pub(crate) struct News {
    waiting: Mutex<VecDeque<(String, Moved)>>,
    rang: Notify,
    /// Whoever listens sleeps until something happens.
    asleep: AtomicBool,
}

impl News {
    fn push(&self, callee: &str, moved: Moved) {
        let mut waiting = lock(&self.waiting);
        if waiting.len() == NEWS {
            // The state of a breaker can be seen at any time; only its history has a gap.
            waiting.pop_front();
        }
        waiting.push_back((callee.to_owned(), moved));
        drop(waiting);
        self.rang.notify_one();
    }

    pub(crate) fn take(&self) -> Vec<(String, Moved)> {
        lock(&self.waiting).drain(..).collect()
    }

    /// Resolves when there may be news.
    pub(crate) async fn rang(&self) {
        self.rang.notified().await;
    }

    /// From now on a call wakes whoever listens.
    pub(crate) fn sleep(&self) {
        self.asleep.store(true, Ordering::Release);
    }

    /// A call has passed: wakes whoever sleeps.
    pub(crate) fn stir(&self) {
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::AcqRel) {
            self.rang.notify_one();
        }
    }

    /// Asks whoever listens to look at everything now.
    pub(crate) fn ring(&self) {
        self.rang.notify_one();
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
