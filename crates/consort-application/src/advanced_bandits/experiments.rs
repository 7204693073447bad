//! Starting and stopping experiments.

use consort_bandit::inference::Settings;
use consort_core::{Category, Component, StepError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AdvancedBandits, unknown};
use crate::learning::{Contender, What};

/// What is to be done about experiments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Tell of all.
    Status,
    /// Begin one: at each point of choice at most one runs.
    Start {
        /// The domain; something must have been decided there.
        domain: String,
        /// What kind of thing it chooses.
        component: Component,
        /// Who contends with the policy in use, 1 to 16.
        candidates: Vec<Contender>,
        /// `{shadow, shadow_failures, share, promote_alpha, withdraw_alpha, patience, range}`;
        /// what is left out has its default.
        #[serde(default)]
        #[schemars(with = "Value")]
        settings: Settings,
        /// Why; kept in the history.
        why: String,
    },
    /// End the one that runs; the policy in use stays.
    Stop {
        /// The domain.
        domain: String,
        /// What kind of thing it chooses.
        component: Component,
        /// Why; kept in the history.
        why: String,
    },
}

impl AdvancedBandits {
    pub(super) async fn experiment(&self, tenant: &str, action: Action) -> Result<(), StepError> {
        match action {
            Action::Status => Ok(()),
            Action::Start { domain, component, candidates, settings, why } => {
                Contender::check(&candidates, &domain, settings)?;
                let key = (tenant.to_owned(), component, domain.clone());
                {
                    let state = self.learning.state();
                    let known = state.domains().get(&key).ok_or_else(|| unknown(&domain))?;
                    room(&candidates, known.arms().len())?;
                }
                let tenant = tenant.to_owned();
                let what = What::StartExperiment { tenant, component, candidates, settings };
                self.change(domain, why, what).await.map(drop)
            }
            Action::Stop { domain, component, why } => {
                let key = (tenant.to_owned(), component, domain.clone());
                if !self.learning.state().trials().any(|(running, _)| *running == key) {
                    let message = format!("no experiment runs in domain `{domain}`");
                    return Err(StepError::new(Category::NotFound, message)
                        .hint("`consort experiment status` lists them"));
                }
                let what = What::StopExperiment { tenant: tenant.to_owned(), component };
                self.change(domain, why, what).await.map(drop)
            }
        }
    }
}

/// Every contender must have room for the arms that are known.
fn room(candidates: &[Contender], known: usize) -> Result<(), StepError> {
    match candidates.iter().position(|contender| contender.spec.arms < known) {
        None => Ok(()),
        Some(at) => {
            Err(StepError::new(Category::InvalidRequest, "the experiment cannot be started")
                .violation(
                    format!("/candidates/{at}/spec/arms"),
                    format!("must be at least {known}: so many candidates are known"),
                ))
        }
    }
}
