//! `consort feedback`, `policies`, `arms`, `explain`, `evaluate` and `experiment`: what was decided,
//! what came of it, and what else might have been.

mod evaluate;
mod experiment;
mod explain;
mod paint;
mod policy;

use std::sync::Arc;

use consort::{
    application::{
        advanced_bandits::view::{self, Summary},
        learning::{self, State, Totals},
        unified_feedback::{Answer, Health, HealthReport, NewSignal, Operation},
    },
    core::{
        Category, Clock, Context, Name, Outcome, StepError, SystemClock, TenantId,
        journal::Message,
        learning::{LearningLog, Source, Subject},
    },
    durable::SqliteLearningLog,
};
pub(crate) use evaluate::evaluate;
pub(crate) use experiment::experiment;
pub(crate) use explain::explain;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    args,
    console::Console,
    engine::{Engine, Store},
    fail::Failure,
    reading::{self, Posted},
    settings::Settings,
    text::{harmless, table},
};

/// The learner's log beside the store, for reading; `None` when there is none yet.
async fn open(settings: &Settings) -> Result<Option<Arc<dyn LearningLog>>, StepError> {
    let path = SqliteLearningLog::beside(&settings.store()?.path);
    if !path.exists() {
        return Ok(None);
    }
    let log = reading::blocking(move || SqliteLearningLog::open_to_read(path)).await??;
    Ok(Some(Arc::new(log)))
}

/// What was learned so far.
async fn state(settings: &Settings) -> Result<State, StepError> {
    match open(settings).await? {
        Some(log) => learning::load(&*log, consort::learning::config()).await,
        None => Ok(State::new(consort::learning::config())),
    }
}

// ===== feedback =====

pub(crate) async fn feedback(
    settings: &Settings,
    console: &Console,
    typed: args::Feedback,
) -> Result<u8, Failure> {
    match typed {
        args::Feedback::Submit(typed) => submit(settings, console, typed).await,
        args::Feedback::Stats => stats(settings, console).await,
    }
}

/// What was typed, with the full id of a run that was shortened.
async fn subject(settings: &Settings, text: &str) -> Result<Subject, Failure> {
    let full = match text.split_once(':') {
        Some(("run", run)) => format!("run:{}", reading::find(settings, run).await?),
        Some(_) => text.to_owned(),
        None => explain::full_id(settings, text).await?,
    };
    Ok(learning::subject(&full)?)
}

const fn source(from: args::Origin) -> Source {
    match from {
        args::Origin::Trajectory => Source::Trajectory,
        args::Origin::RagRetrieval => Source::RagRetrieval,
        args::Origin::ToolExecution => Source::ToolExecution,
        args::Origin::AgentTask => Source::AgentTask,
        args::Origin::Governance => Source::Governance,
        args::Origin::CostBudget => Source::CostBudget,
        args::Origin::UserExplicit => Source::UserExplicit,
    }
}

async fn submit(
    settings: &Settings,
    console: &Console,
    typed: args::Submit,
) -> Result<u8, Failure> {
    let category = match typed.category.as_deref() {
        None => None,
        Some(name) => Some(
            serde_json::from_value::<Category>(name.into())
                .map_err(|_| Failure::Usage(format!("`{name}` is no category of failure")))?,
        ),
    };
    // Its own id, so that the owner takes it once even if it is delivered twice.
    let id = typed
        .id
        .unwrap_or_else(|| format!("cli:{}:{:08x}", SystemClock.utc().0, std::process::id()));
    let signal = NewSignal {
        id: Some(id.clone()),
        source: source(typed.source),
        subject: subject(settings, &typed.subject).await?,
        reward: typed.reward,
        confidence: typed.confidence,
        category,
        at: Some(SystemClock.utc()),
        metadata: Value::Null,
    };
    // Here already: nobody waits for the answer of another process.
    signal.check(SystemClock.utc())?;
    let request = serde_json::to_value(Operation::SubmitFeedback { signal, wait: true })
        .map_err(|error| Failure::Usage(error.to_string()))?;
    let callee = <Operation as consort::core::Request>::CALLEE;
    let told = match deliver(settings, console, callee, request).await? {
        Delivered::Posted(stage) => json!({"id": id, "stage": stage}),
        Delivered::Answered(Outcome::Skipped { reason }) => {
            console.note(&format!("skipped: {reason}"));
            return Ok(3);
        }
        Delivered::Answered(outcome) => taken(outcome)?,
    };
    if console.json {
        console.print_json(&told)?;
    } else {
        let of = |key: &str| told.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let fate = of("fate");
        let fate = if fate.is_empty() { String::new() } else { format!(", {fate}") };
        console.print(&format!("{}: {}{fate}\n", of("id"), of("stage")))?;
        match of("fate").as_str() {
            "early" => console.note(&format!(
                "`{}` is not known yet: the reward waits a week for it",
                typed.subject
            )),
            "unconsumed" => console
                .note(&format!("nothing chooses `{}`, so nobody learns from this", typed.subject)),
            _ => {}
        }
    }
    Ok(0)
}

/// What became of a request to an orchestrator of learning.
enum Delivered {
    /// Another process owns the store: `taken` by it, or `queued` for it.
    Posted(&'static str),
    /// Done here.
    Answered(Outcome<Value>),
}

/// Asks an orchestrator: as the owner of the store, or through whoever owns it.
async fn deliver(
    settings: &Settings,
    console: &Console,
    callee: &str,
    request: Value,
) -> Result<Delivered, Failure> {
    match Engine::open(settings, console, false).await? {
        Store::Others(_) => {
            let journal = reading::needed(settings).await?;
            let orchestrator =
                Name::new(callee).map_err(|error| Failure::Usage(error.to_string()))?;
            let message = Message::Custom { orchestrator, request };
            Ok(Delivered::Posted(
                match reading::post(settings.store()?, &*journal, message).await? {
                    Posted::Taken => "taken",
                    Posted::Queued => "queued",
                },
            ))
        }
        Store::Ours(mut engine) => {
            let consort = engine.consort();
            let asked = consort.facade().orchestrate(callee, Context::default(), request);
            let outcome = engine.during(asked, |_| {}).await?;
            engine.close().await?;
            Ok(Delivered::Answered(outcome?))
        }
    }
}

fn taken(outcome: Outcome<Value>) -> Result<Value, StepError> {
    let (value, _) = outcome.into_value()?;
    let answer: Answer = serde_json::from_value(value).map_err(|error| {
        StepError::new(Category::Internal, "the hub answered in another form").because(&error)
    })?;
    match answer {
        Answer::Taken { id, stage, fate, .. } => {
            Ok(json!({"id": id, "stage": stage, "fate": fate}))
        }
        _ => Err(StepError::new(Category::Internal, "the hub answered another question")),
    }
}

/// The answer of `feedback stats` under `--json`.
#[derive(Debug, Serialize)]
struct Stats {
    position: u64,
    totals: Totals,
    sources: Vec<(Source, u64)>,
    components: Vec<Health>,
}

async fn stats(settings: &Settings, console: &Console) -> Result<u8, Failure> {
    let state = state(settings).await?;
    let totals = state.totals().clone();
    let report = HealthReport::at(&state, &TenantId::default(), SystemClock.utc());
    let components = report.components;
    let sources = Source::ALL.into_iter().zip(totals.by_source).collect();
    let stats = Stats { position: state.position(), totals, sources, components };
    if console.json {
        console.print_json(&stats)?;
    } else {
        console.print(&harmless(&paint::stats(
            &stats.totals,
            &stats.sources,
            &stats.components,
        )))?;
    }
    Ok(0)
}

// ===== policies and arms =====

/// The answer of `policies` and `arms` under `--json`.
#[derive(Debug, Serialize)]
struct Domains {
    domains: Vec<Summary>,
}

pub(crate) async fn policies(settings: &Settings, console: &Console) -> Result<u8, Failure> {
    let state = state(settings).await?;
    let domains = view::summaries(&state, TenantId::default().as_str(), None, SystemClock.utc());
    if console.json {
        console.print_json(&Domains { domains })?;
        return Ok(0);
    }
    if domains.is_empty() {
        console.note("nothing was decided yet");
        return Ok(0);
    }
    let head = ["DOMAIN", "CHOOSES", "POLICY", "VERSION", "ARMS", "DECISIONS", "REWARDS", "MEAN"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(domains.iter().map(|domain| {
        vec![
            domain.domain.clone(),
            paint::word(&domain.component),
            domain.spec.rule_name(),
            domain.version.to_string(),
            domain.arms.len().to_string(),
            domain.decisions.to_string(),
            domain.rewards.to_string(),
            paint::number(domain.mean),
        ]
    }));
    console.print(&harmless(&table(&rows, &[3, 4, 5, 6, 7])))?;
    Ok(0)
}

pub(crate) async fn arms(
    settings: &Settings,
    console: &Console,
    typed: args::Arms,
) -> Result<u8, Failure> {
    let state = state(settings).await?;
    let all = view::summaries(&state, TenantId::default().as_str(), None, SystemClock.utc());
    let name = &typed.component;
    let wanted = |domain: &Summary| {
        domain.domain == *name || domain.arms.iter().any(|arm| arm.name == *name)
    };
    let known: Vec<String> = all.iter().map(|domain| format!("`{}`", domain.domain)).collect();
    let domains: Vec<Summary> = all.into_iter().filter(wanted).collect();
    if domains.is_empty() {
        let error = StepError::new(Category::NotFound, format!("nothing chooses `{name}`"));
        let hint = match known.is_empty() {
            true => "nothing was decided yet".to_owned(),
            false => format!("there are {}", known.join(", ")),
        };
        return Err(error.hint(hint).into());
    }
    if console.json {
        console.print_json(&Domains { domains })?;
    } else {
        let painted: Vec<String> =
            domains.iter().map(|domain| paint::arms(domain, console.columns())).collect();
        console.print(&harmless(&painted.join("\n")))?;
    }
    Ok(0)
}
