//! How the owner hears of a message at once without looking for one: it watches a small file
//! beside the store that whoever sends a message writes to.

use std::{fmt, fs, path::Path, sync::Arc, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use notify::{Config, PollWatcher, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use super::{
    fault::{Result, unavailable},
    lock::beside,
};

/// How long the owner may take to hear the bell.
pub(crate) const DELAY: Duration = Duration::from_secs(1);

/// How often to look where the system cannot tell, for instance because all watches are in use.
const FALLBACK: Duration = Duration::from_millis(500);

/// The owner's end.
pub(crate) struct Bell {
    rung: Arc<Notify>,
    // Watches for as long as it lives.
    _watcher: Box<dyn Watcher + Send + Sync>,
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").finish_non_exhaustive()
    }
}

impl Bell {
    /// Watches the bell of the store at `path`.
    pub(crate) fn hang(path: &Path) -> Result<Self> {
        let file = beside(path, ".bell");
        ring(path).map_err(|error| {
            unavailable(format!("cannot write `{}`", file.display())).because(error)
        })?;
        let rung = Arc::new(Notify::new());
        let hear = {
            let rung = rung.clone();
            // One ring too many only makes the owner look once more.
            move |_| rung.notify_one()
        };
        let told =
            RecommendedWatcher::new(hear.clone(), Config::default()).and_then(|mut watcher| {
                watcher.watch(&file, RecursiveMode::NonRecursive)?;
                Ok(Box::new(watcher) as Box<dyn Watcher + Send + Sync>)
            });
        let watcher = told.or_else(|_| {
            let config = Config::default().with_poll_interval(FALLBACK);
            let mut watcher = PollWatcher::new(hear, config)?;
            watcher.watch(&file, RecursiveMode::NonRecursive)?;
            Ok(Box::new(watcher) as Box<dyn Watcher + Send + Sync>)
        });
        let watcher = watcher.map_err(|error: notify::Error| {
            unavailable(format!("cannot watch `{}`", file.display())).because(error)
        })?;
        Ok(Self { rung, _watcher: watcher })
    }

    /// Resolves once the bell has rung since the last call.
    pub(crate) fn rang(&self) -> BoxFuture<'static, ()> {
        let rung = self.rung.clone();
        async move { rung.notified().await }.boxed()
    }
}

/// Rings the bell of the store at `path`, whether or not anybody listens.
pub(crate) fn ring(path: &Path) -> std::io::Result<()> {
    fs::write(beside(path, ".bell"), b"!")
}
