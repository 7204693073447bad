//! The background check: looks at everybody's health now and then and whenever something moves,
//! tells what changed, and shows the state to other processes. While nothing is known that could
//! change by itself it sleeps until the next call, so that an idle engine does not wake the
//! processor.

use std::sync::{Arc, Mutex};

use consort_core::{Context, Timestamp};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::{
    events,
    plan::{self, Known},
};
use crate::{
    board::Board,
    guards::{Guards, lock},
    health::Report,
};

/// What the check remembers from one look to the next. It is outside the task, so that a task that
/// is started again goes on where the last one was.
#[derive(Debug)]
pub(super) struct Watch {
    guards: Guards,
    board: Arc<dyn Board>,
    known: Mutex<Known>,
    shown: Mutex<Option<Report>>,
    context: Mutex<Option<Context>>,
}

impl Watch {
    pub(super) fn new(guards: Guards, board: Arc<dyn Board>) -> Self {
        let (known, shown, context) = Default::default();
        Self { guards, board, known, shown, context }
    }

    /// Looks until `stop`.
    pub(super) async fn run(self: Arc<Self>, cx: Context, stop: CancellationToken) {
        *lock(&self.context) = Some(cx.clone());
        let every = self.guards.every();
        let mut clock = interval_at(Instant::now() + every, every);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut quiet = self.look(&cx).await;
            if quiet {
                self.guards.news().sleep();
                // A call between the look and this moment has woken nobody.
                quiet = self.look(&cx).await;
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.guards.news().rang() => {}
                _ = clock.tick(), if !quiet => {}
            }
        }
    }

    /// True when nothing that was seen can change by itself.
    async fn look(&self, cx: &Context) -> bool {
        for (callee, moved) in self.guards.news().take() {
            events::breaker_moved(cx, &callee, &moved);
        }
        let report = self.guards.report(now(cx));
        let changed = {
            let mut known = lock(&self.known);
            let (changed, now) = plan::changes(&known, &report);
            *known = now;
            changed
        };
        for changed in &changed {
            events::health_changed(cx, changed);
        }
        let quiet = plan::quiet(&report);
        self.show(report).await;
        quiet
    }

    async fn show(&self, report: Report) {
        {
            let mut shown = lock(&self.shown);
            if !plan::differs(shown.as_ref(), &report) {
                return;
            }
            *shown = Some(report.clone());
        }
        self.board.show(report).await;
    }

    /// Shows the state as it is in the end.
    pub(super) async fn show_last(&self) {
        let context = lock(&self.context).take();
        if let Some(cx) = context {
            self.show(self.guards.report(now(&cx))).await;
        }
    }
}

/// The wall time of the facade.
fn now(cx: &Context) -> Timestamp {
    // Outside a durable run it is asked, not recorded, and that cannot fail.
    cx.now().unwrap_or_default()
}
