//! How this installation learns: the policies of its own points of choice, and where the
//! learner's log is.

use std::{path::PathBuf, sync::Arc};

use consort_application::learning::{Config, Learning, Open, Spec};
use consort_bandit::{
    Rule, Ties,
    features::{Field, Kind, Namespace},
};
use consort_core::{Category, Clock, StepError, learning::LearningLog};
use consort_domain::fallback_autonomous::choices;
use consort_durable::{MemoryLearningLog, SqliteLearningLog, sqlite::learning::Options};

/// The settings of learning, with the policies of the points of choice that come with the engine.
///
/// They try other ways than the usual one rarely, and the more rarely the more is known: their
/// explorations end up in somebody's report.
pub fn config() -> Config {
    let careful = |namespace: &str, names: &[&str]| Spec {
        rule: Rule::EpsilonGreedy { epsilon: 0.2, decay: true },
        floor: 0.0,
        // The usual way is named first: it is kept until another one is known to be better.
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
