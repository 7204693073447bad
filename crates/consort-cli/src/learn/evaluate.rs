//! `consort evaluate`: what another policy would have earned.

use consort::{
    application::learning::{self, Evaluation, Key},
    core::{Category, Clock, Component, StepError, SystemClock, TenantId, Timestamp},
};
use serde::Serialize;

use super::{
    open,
    paint::{number, word},
    policy, state,
};
use crate::{args, console::Console, fail::Failure, settings::Settings, text::table};

/// The answer under `--json`.
#[derive(Debug, Serialize)]
struct Evaluations {
    policy: String,
    evaluations: Vec<Evaluated>,
}

/// One point of choice.
#[derive(Debug, Serialize)]
struct Evaluated {
    domain: String,
    component: Component,
    #[serde(flatten)]
    evaluation: Evaluation,
}

pub(crate) async fn evaluate(
    settings: &Settings,
    console: &Console,
    typed: args::Evaluate,
) -> Result<u8, Failure> {
    let nothing = || StepError::new(Category::NotFound, "nothing was decided yet");
    let log = open(settings).await?.ok_or_else(nothing)?;
    let state = state(settings).await?;
    let tenant = TenantId::default();
    let own: Vec<&Key> = state.domains().keys().filter(|key| key.0 == tenant.as_str()).collect();
    let wanted = |key: &&Key| typed.domain.as_ref().is_none_or(|domain| key.2 == *domain);
    let asked: Vec<&Key> = own.iter().copied().filter(wanted).collect();
    if asked.is_empty() {
        return Err(none(typed.domain.as_deref(), &own).into());
    }
    let since = typed.since.map_or(0, |since| {
        SystemClock.utc().0.saturating_sub(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    });
    let mut evaluations = Vec::with_capacity(asked.len());
    for (tenant, component, domain) in asked {
        let (_, now) = state.spec(domain);
        let question = learning::Evaluate {
            tenant: tenant.clone(),
            component: *component,
            domain: domain.clone(),
            policy: policy::read(&typed.policy, &now).await?,
            since: Timestamp(since),
        };
        let config = consort::learning::config();
        let evaluation = learning::evaluate(&*log, config, u64::MAX, &question).await?;
        evaluations.push(Evaluated { domain: domain.clone(), component: *component, evaluation });
    }
    let refused = evaluations.iter().all(|one| one.evaluation.refused.is_some());
    if console.json {
        console.print_json(&Evaluations { policy: typed.policy, evaluations })?;
    } else {
        console.print(&paint(&typed.policy, &evaluations))?;
        for one in &evaluations {
            if let Some(why) = &one.evaluation.refused {
                console.note(&format!("`{}`: no estimate: {why}", one.domain));
            }
        }
    }
    Ok(if refused { 3 } else { 0 })
}

/// Why there is no such point of choice, and which there are.
pub(super) fn none(domain: Option<&str>, own: &[&Key]) -> StepError {
    let message = match domain {
        Some(domain) => format!("nothing was decided at `{domain}` yet"),
        None => "nothing was decided yet".to_owned(),
    };
    let error = StepError::new(Category::NotFound, message);
    let known: Vec<String> = own.iter().map(|key| format!("`{}`", key.2)).collect();
    if known.is_empty() { error } else { error.hint(format!("there are {}", known.join(", "))) }
}

fn interval(interval: Option<(f64, f64)>) -> String {
    interval.map_or_else(|| "no data".into(), |(low, high)| format!("{low:.3} to {high:.3}"))
}

fn paint(policy: &str, evaluations: &[Evaluated]) -> String {
    let head = [
        "DOMAIN",
        "CHOOSES",
        "DECISIONS",
        "REWARDED",
        "WORTH",
        "AS LOGGED",
        "95 % INTERVAL",
        "POLICY",
        "95 % INTERVAL",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(evaluations.iter().map(|Evaluated { domain, component, evaluation }| {
        vec![
            domain.clone(),
            word(component),
            evaluation.decisions.to_string(),
            evaluation.rows.to_string(),
            format!("{:.0}", evaluation.effective),
            number(evaluation.logged),
            interval(evaluation.logged_interval),
            number(evaluation.estimate.as_ref().map(|estimate| estimate.value)),
            interval(evaluation.interval),
        ]
    }));
    let table = table(&rows, &[2, 3, 4, 5, 7]);
    format!(
        "{policy}, beside what was done; WORTH: rows of its own log that these are worth\n\n{table}"
    )
}
