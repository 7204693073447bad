//! The three background loops, owned by the orchestrator that starts them.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Held, Learning, Moved};

/// Before a failed write is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Before a log that could not be opened is tried again.
const REOPEN: Duration = Duration::from_secs(30);

impl Learning {
    /// Puts on record and learns whatever is queued, as fast as it comes; sleeps when nothing
    /// does. Ends when `stop` is cancelled, leaving nothing taken.
    pub(crate) async fn learn(&self, stop: CancellationToken) {
        let mut held = Held::default();
        loop {
            match self.step(&mut held).await {
                Ok(true) => {}
                Ok(false) => tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = self.0.queues.filled() => {}
                    () = self.open_again(), if self.missing().is_some() => {}
                },
                Err(error) => {
                    self.0.failures.fetch_add(1, Ordering::Relaxed);
                    let waiting = held.records.len();
                    tracing::error!(target: "consort", %error, waiting, "signals cannot be put on record");
                    self.0.stuck.send_replace(Some(error));
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => {
                            self.give_up(&mut held);
                            return;
                        }
                        () = tokio::time::sleep(PAUSE) => {}
                    }
                }
            }
            if stop.is_cancelled() && self.0.queues.is_empty() {
                return;
            }
        }
    }

    /// Opens the log that could not be opened, a while later: whatever stood in the way may be
    /// gone, and nothing is queued meanwhile that would have it opened.
    async fn open_again(&self) {
        tokio::time::sleep(REOPEN).await;
        if self.log().await.is_ok() {
            tracing::info!(target: "consort", "the learning log is there again");
        }
    }

    /// Those who wait for an answer learn that there is none by their closed channel.
    fn give_up(&self, held: &mut Held) {
        let count = held.records.len();
        *held = Held::default();
        self.0.queues.done(count);
    }

    /// Puts everything that still waits on record, and a snapshot after it. For the end, when
    /// the loops have ended.
    pub(crate) async fn finish(&self) {
        let mut held = Held::default();
        loop {
            match self.step(&mut held).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    let lost = held.records.len();
                    tracing::error!(target: "consort", %error, lost, "signals were queued but never put on record");
                    self.give_up(&mut held);
                    break;
                }
            }
        }
        if self.0.accepted.load(Ordering::Relaxed) > 0
            && let Err(error) = self.consolidate().await
        {
            tracing::warn!(target: "consort", %error, "no snapshot at the end; the next start reads more of the log");
        }
        let log = self.0.log.lock().await.take();
        if let Some(log) = log
            && let Err(error) = log.close().await
        {
            tracing::warn!(target: "consort", %error, "the learning log did not close");
        }
    }

    /// Writes snapshots: a while after something was learned, sooner when much was. Sleeps as long
    /// as nothing is learned, so that an idle engine does not wake the processor.
    pub(crate) async fn keep_snapshots(&self, stop: CancellationToken) {
        let (every, after) = {
            let state = self.state();
            let config = state.config();
            (Duration::from_millis(config.consolidate_ms.max(1)), config.consolidate_after)
        };
        let mut learned = self.0.learned.subscribe();
        loop {
            let saved = self.0.saved.load(Ordering::Relaxed);
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = reached(&mut learned, saved + 1) => {}
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = reached(&mut learned, saved.saturating_add(after)) => {}
                () = tokio::time::sleep(every) => {}
            }
            if let Err(error) = self.consolidate().await {
                tracing::warn!(target: "consort", %error, "what was learned is not in a snapshot yet");
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        }
    }

    /// Tells of components that were switched off or are well again, a while after something was
    /// learned.
    pub(crate) async fn watch_health(&self, stop: CancellationToken) {
        let every = Duration::from_millis(self.state().config().look_ms.max(1));
        let mut learned = self.0.learned.subscribe();
        loop {
            self.look_at_health();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                // Closed only together with what this is a method of.
                _ = learned.changed() => {}
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(every) => {}
            }
        }
    }

    fn look_at_health(&self) {
        self.0.looks.fetch_add(1, Ordering::Relaxed);
        let moved = self.state_mut().take_moves();
        for ((tenant, component, name), moved) in moved {
            match moved {
                Moved::Disabled => {
                    tracing::warn!(target: "consort", tenant, ?component, name, "component disabled for its health");
                }
                Moved::Enabled => {
                    tracing::info!(target: "consort", tenant, ?component, name, "component enabled again");
                }
            }
        }
    }
}

/// Resolves once everything up to `position` was learned.
async fn reached(learned: &mut watch::Receiver<u64>, position: u64) {
    // Closed only together with the learning itself.
    let _ = learned.wait_for(|at| *at >= position).await;
}
