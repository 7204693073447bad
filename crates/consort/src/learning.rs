//! How this installation learns: the policies of its own points of choice, and where the
//! learner's log is.

use std::{path::PathBuf, sync::Arc};

use consort_application::learning::{Config, Learning, Open, Spec};
use consort_bandit::{
    Rule, Ties,
    features::{Field, Kind, Namespace},
};
use consort_core::{
    Category, Clock, Decider, Sent, Signals, StepError,
    journal::{Journal, RunFilter},
    learning::{LearningLog, Made},
    record::{History, LocalKind, LocalRecord, Record},
};
use consort_domain::fallback_autonomous::choices;
use consort_durable::{MemoryLearningLog, SqliteLearningLog, sqlite::learning::Options};

/// The settings of learning, with the policies of the points of choice that come with the engine.
///
/// The usual way is tried first. Others are tried while they might still be better, which is a
/// few times each: their explorations end up in somebody's report.
pub fn config() -> Config {
    let careful = |namespace: &str, names: &[&str]| Spec {
        rule: Rule::LinUcb { alpha: 0.5 },
        // Among equals the one that is named first: the usual way.
        ties: Ties::Lowest,
        arms: 8,
        features: vec![Namespace::new(
            namespace,
            Kind::Numbers(names.iter().map(|name| Field::new(*name, 0.0, 1.0)).collect()),
        )],
        ..Spec::default()
    };
    let mut config = Config::default();
    config.policies.insert(choices::EXTRACTION.into(), careful("page", &choices::PAGE));
    config.policies.insert(choices::SUMMARY.into(), careful("text", &choices::TEXT));
    config
}

/// Learning for the engine on `store`; in memory without one. Opens nothing yet.
pub(crate) fn learning(
    store: Option<PathBuf>,
    config: Config,
    clock: Arc<dyn Clock>,
) -> Result<Learning, StepError> {
    let open: Open = match store {
        None => {
            let log = MemoryLearningLog::new();
            Box::new(move || {
                let log: Arc<dyn LearningLog> = Arc::new(log.clone());
                Box::pin(std::future::ready(Ok(log)))
            })
        }
        Some(store) => {
            let path = SqliteLearningLog::beside(store);
            Box::new(move || {
                let path = path.clone();
                Box::pin(async move {
                    let opening = move || SqliteLearningLog::open(path, Options::default());
                    match tokio::task::spawn_blocking(opening).await {
                        Ok(log) => Ok(Arc::new(log?) as Arc<dyn LearningLog>),
                        Err(error) => Err(StepError::new(
                            Category::Internal,
                            "the learning log could not be opened",
                        )
                        .because(&error)),
                    }
                })
            })
        }
    };
    Learning::new(config, clock, open)
}

/// Newest runs that are looked at when learning may have missed something.
const NEWEST: usize = 50;

/// Tells learning again what runs have on record that ended after the last thing it knows: a
/// process that was killed may have queued that and never written it. What it knows counts once.
pub(crate) async fn tell_again(
    journal: &dyn Journal,
    learning: &Learning,
) -> Result<(), StepError> {
    // After a kill the last run may be known in part; otherwise only those can be missing that
    // came after all that is known.
    let (known, clean) = (learning.found(), learning.was_clean());
    let newest = RunFilter { limit: NEWEST, ..RunFilter::default() };
    for run in journal.runs(newest).await? {
        let missing = match run.ended {
            Some(_) if clean => run.started.0 > known,
            Some(ended) => ended.0 >= known,
            None => false,
        };
        if !missing {
            continue;
        }
        if let Some(history) = journal.history(&run.id).await? {
            tell(&history, learning);
        }
    }
    Ok(())
}

fn tell(history: &History, learning: &Learning) {
    let (started, ended) = (&history.started, history.ended.as_ref());
    for record in &history.records {
        let Record::Local(LocalRecord { position, kind, value, .. }) = record else { continue };
        match kind {
            LocalKind::Decision => {
                // A decision that was refused is not one.
                let Ok(decision) = serde_json::from_value(value.clone()) else { continue };
                learning.made(&Made {
                    tenant: started.tenant.clone(),
                    run: Some(started.id.clone()),
                    at: ended.map_or(started.at, |ended| ended.at),
                    decision,
                });
            }
            LocalKind::Signal => {
                let Ok(signal) = serde_json::from_value(value.clone()) else { continue };
                let (run, tenant) = (started.id.clone(), started.tenant.clone());
                learning.take(&Sent { id: format!("{run}/{position}"), run, tenant, signal });
            }
            LocalKind::Now | LocalKind::Random => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use consort_core::{Context, Status, TenantId};
    use serde_json::json;

    use super::*;
    use crate::Consort;

    /// As a process leaves it behind that was killed right after its run had ended.
    #[tokio::test]
    async fn what_a_killed_process_had_only_queued_is_told_again_and_counts_once() {
        let directory = std::env::temp_dir().join(format!("consort-told-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let store = directory.join("runs.db");
        let text = "The bridge opened in 1932. It carries 160,000 vehicles a day, the city says. \
                    Repairs will cost 40 million dollars, the mayor said on Tuesday. The council \
                    will vote on the plan in May, and the work is expected to take three years.";
        let first = Consort::builder().store(&store).build().await.unwrap();
        let blob = first.facade().context(TenantId::default()).put(text.as_bytes(), "text/plain");
        let request = json!({"source": {"stored": {"blob": blob.unwrap(), "name": "b.txt"}}});
        let asked = first.facade().orchestrate("fallback_autonomous", Context::default(), request);
        assert_eq!(Status::of(&asked.await), Status::Succeeded);
        first.close().await.unwrap();
        let learned = |consort: &Consort| {
            let state = consort.learning().state();
            (state.totals().decisions, state.totals().learned)
        };
        std::fs::remove_file(SqliteLearningLog::beside(&store)).unwrap();
        for _ in 0..2 {
            let next = Consort::builder().store(&store).build().await.unwrap();
            next.learning().flush().await.unwrap();
            assert_eq!(learned(&next), (1, 1));
            next.close().await.unwrap();
        }
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
