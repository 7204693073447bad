//! What the ports above have to hear of among records that are on disk now.

use crate::{
    RunId, Sent,
    learning::Made,
    record::{LocalKind, LocalRecord, Record, RunStarted},
    run::{Host, News},
};

/// Signals and decisions, in their order.
pub(super) fn news_in(host: &Host, entries: &[(RunId, Record)], started: &RunStarted) -> Vec<News> {
    let news = |record: &Record| match record {
        Record::Local(LocalRecord { position, kind: LocalKind::Signal, value, .. }) => {
            Some(News::Signal(Sent {
                id: format!("{}/{position}", started.id),
                run: started.id.clone(),
                tenant: started.tenant.clone(),
                signal: serde_json::from_value(value.clone()).ok()?,
            }))
        }
        // A decision that was refused is not one.
        Record::Local(LocalRecord { kind: LocalKind::Decision, value, .. }) => {
            Some(News::Decision(Box::new(Made {
                tenant: started.tenant.clone(),
                run: Some(started.id.clone()),
                at: host.clock.utc(),
                decision: serde_json::from_value(value.clone()).ok()?,
            })))
        }
        _ => None,
    };
    entries.iter().filter_map(|(_, record)| news(record)).collect()
}
