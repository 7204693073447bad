//! `consort experiment start`, `status` and `stop`.

use consort::{
    application::{
        advanced_bandits::{
            Action, Operation,
            view::{self, Rival, Tried},
        },
        learning::{Contender, End, Key, State},
    },
    bandit::inference::{Phase, Settings as Evidence},
    core::{Category, Outcome, Request, StepError, TenantId, Timestamp},
};
use serde::Serialize;

use super::{
    Delivered, deliver,
    evaluate::none,
    paint::{number, word},
    policy, state,
};
use crate::{
    args,
    console::Console,
    fail::Failure,
    settings::Settings,
    text::{moment, table},
};

/// The answer of `status` under `--json`.
#[derive(Debug, Serialize)]
struct Experiments {
    experiments: Vec<Tried>,
}

pub(crate) async fn experiment(
    settings: &Settings,
    console: &Console,
    typed: args::Experiment,
) -> Result<u8, Failure> {
    match typed {
        args::Experiment::Start(typed) => start(settings, console, typed).await,
        args::Experiment::Status => {
            let state = state(settings).await?;
            told(console, view::experiments(&state, TenantId::default().as_str()))
        }
        args::Experiment::Stop(typed) => stop(settings, console, typed).await,
    }
}

/// The point of choice of that name.
fn point<'a>(state: &'a State, domain: &str) -> Result<&'a Key, StepError> {
    let tenant = TenantId::default();
    let own: Vec<&Key> = state.domains().keys().filter(|key| key.0 == tenant.as_str()).collect();
    let found = own.iter().copied().find(|key| key.2 == domain);
    found.ok_or_else(|| none(Some(domain), &own))
}

async fn start(
    settings: &Settings,
    console: &Console,
    typed: args::StartExperiment,
) -> Result<u8, Failure> {
    let state = state(settings).await?;
    let (_, component, domain) = point(&state, &typed.domain)?.clone();
    let (_, now) = state.spec(&domain);
    let mut candidates = Vec::with_capacity(typed.candidates.len());
    for candidate in &typed.candidates {
        let (name, text) = candidate.split_once('=').ok_or_else(|| {
            Failure::Usage(format!("`{candidate}` is no candidate: it is NAME=POLICY"))
        })?;
        candidates.push(Contender { name: name.to_owned(), spec: policy::read(text, &now).await? });
    }
    let evidence = Evidence { share: typed.share, shadow: typed.shadow, ..Evidence::default() };
    Contender::check(&candidates, &domain, evidence)?;
    let why = typed.why;
    let action = Action::Start { domain, component, candidates, settings: evidence, why };
    act(settings, console, action).await
}

async fn stop(
    settings: &Settings,
    console: &Console,
    typed: args::StopExperiment,
) -> Result<u8, Failure> {
    let state = state(settings).await?;
    let (_, component, domain) = point(&state, &typed.domain)?.clone();
    act(settings, console, Action::Stop { domain, component, why: typed.why }).await
}

async fn act(settings: &Settings, console: &Console, action: Action) -> Result<u8, Failure> {
    let request = serde_json::to_value(Operation::Experiment { action })
        .map_err(|error| Failure::Usage(error.to_string()))?;
    match deliver(settings, console, Operation::CALLEE, request).await? {
        Delivered::Posted(stage) => {
            if console.json {
                console.print_json(&serde_json::json!({"stage": stage}))?;
            } else {
                let next = "`consort experiment status` tells what became of it";
                console.print(&format!("{stage} by the owner of the store; {next}\n"))?;
            }
            Ok(0)
        }
        Delivered::Answered(Outcome::Skipped { reason }) => {
            console.note(&format!("skipped: {reason}"));
            Ok(3)
        }
        Delivered::Answered(outcome) => {
            let (value, _) = outcome.into_value()?;
            let experiments = value.get("experiments").cloned().unwrap_or_default();
            let experiments = serde_json::from_value(experiments).map_err(|error| {
                StepError::new(Category::Internal, "the answer has another form").because(&error)
            })?;
            told(console, experiments)
        }
    }
}

fn told(console: &Console, experiments: Vec<Tried>) -> Result<u8, Failure> {
    if console.json {
        console.print_json(&Experiments { experiments })?;
        return Ok(0);
    }
    if experiments.is_empty() {
        console.note("no experiment was started yet");
        return Ok(0);
    }
    let painted: Vec<String> = experiments.iter().map(paint).collect();
    console.print(&painted.join("\n"))?;
    Ok(0)
}

fn paint(tried: &Tried) -> String {
    let Tried { domain, started, why, share, promoted_at, withdrawn_at, .. } = tried;
    let state = match &tried.ended {
        None => "runs".to_owned(),
        Some(ended) => match &ended.how {
            End::Promoted(name) => format!("ended: `{name}` was promoted"),
            End::Withdrawn => "ended: every candidate was withdrawn".to_owned(),
            End::Stopped(why) => format!("stopped: {why}"),
        },
    };
    let began = moment(Timestamp(*started));
    let head = ["CANDIDATE", "PHASE", "WATCHED", "AGREED", "REWARDS", "MEAN", "BETTER", "WORSE"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.push(
        [
            "(in use)",
            "",
            "",
            "",
            &tried.control.rewards.to_string(),
            &number(tried.control.mean),
            "",
            "",
        ]
        .map(str::to_owned)
        .to_vec(),
    );
    rows.extend(tried.candidates.iter().map(row));
    let table = table(&rows, &[2, 3, 4, 5, 6, 7]);
    format!(
        "{domain}  {state}\nsince {began} UTC: {why}; candidates serve {:.0} % of requests\n\n{table}\n\
         promoted at BETTER {promoted_at:.0}, withdrawn at WORSE {withdrawn_at:.0}; evidence may be \
         looked at any time\n",
        share * 100.0
    )
}

fn row(rival: &Rival) -> Vec<String> {
    let phase = match rival.phase {
        Phase::Withdrawn(reason) => format!("withdrawn: {}", word(&reason)),
        other => word(&other),
    };
    vec![
        rival.name.clone(),
        phase,
        rival.shadowed.to_string(),
        rival.agreed.to_string(),
        rival.served.rewards.to_string(),
        number(rival.served.mean),
        format!("{:.2}", rival.better),
        format!("{:.2}", rival.worse),
    ]
}
