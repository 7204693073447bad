//! `consort explain DECISION`: the odds as they were, what each feature says, what came of it.

use std::fmt::Write;

use consort::{
    application::{
        advanced_bandits::view::{self, Candidate},
        learning::{self, State},
    },
    core::{
        Category, Decision, StepError, TenantId, Timestamp,
        learning::{Feedback, LearningLog, Made, Record, Subject},
        record::{LocalKind, LocalRecord, Record as RunRecord},
    },
};
use serde::Serialize;

use super::paint::word;
use crate::{
    args,
    console::Console,
    fail::Failure,
    reading, run_ref,
    settings::Settings,
    text::{harmless, moment},
};

/// The answer of `explain` under `--json`.
#[derive(Debug, Serialize)]
struct Explained {
    decision: Decision,
    tenant: TenantId,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    candidates: Vec<Candidate>,
    rewards: Vec<Feedback>,
}

/// The full id of a decision whose run may be shortened. What is no `RUN/POSITION` stays.
pub(super) async fn full_id(settings: &Settings, text: &str) -> Result<String, Failure> {
    let Some((run, position)) = text.rsplit_once('/') else { return Ok(text.to_owned()) };
    if position.parse::<u32>().is_err() {
        return Ok(text.to_owned());
    }
    let Some(journal) = reading::open(settings).await? else { return Ok(text.to_owned()) };
    match run_ref::find(&*journal, run).await {
        Ok(run) => Ok(format!("{run}/{position}")),
        // Decisions outside of runs have ids of the same form.
        Err(error) if error.category() == Category::NotFound => Ok(text.to_owned()),
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn explain(
    settings: &Settings,
    console: &Console,
    typed: args::Explain,
) -> Result<u8, Failure> {
    let id = full_id(settings, &typed.decision).await?;
    let log = super::open(settings).await?;
    let (made, rewards) = match &log {
        Some(log) => search(&**log, &id).await?,
        None => (None, Vec::new()),
    };
    let (decision, tenant, at) = match made {
        Some(made) => (made.decision, made.tenant, Some(made.at)),
        None => {
            let (decision, tenant) = recorded(settings, &id).await?;
            (decision, tenant, None)
        }
    };
    let state = match &log {
        Some(log) => learning::load(&**log, consort::learning::config()).await?,
        None => State::new(consort::learning::config()),
    };
    let candidates = view::explain(&state, tenant.as_str(), &decision)?;
    let explained = Explained { decision, tenant, at, candidates, rewards };
    if console.json {
        console.print_json(&explained)?;
    } else {
        console.print(&harmless(&told(&explained)))?;
    }
    Ok(0)
}

/// The decision and the rewards that reached it, its own and those of its runs, in the learner's
/// log. Reads all of it: nothing is indexed by decision, because nothing but this asks.
async fn search(
    log: &dyn LearningLog,
    id: &str,
) -> Result<(Option<Made>, Vec<Feedback>), StepError> {
    let (mut found, mut rewards, mut at) = (None, Vec::<Feedback>::new(), 0);
    loop {
        let records = log.read(at, 4096).await?;
        let Some((last, _)) = records.last() else { break };
        at = *last;
        for (_, record) in records {
            match record {
                Record::Made(made) if made.decision.id == id => {
                    found.get_or_insert(*made);
                }
                Record::Feedback(feedback)
                    if reaches(&feedback.subject, id)
                        // A repeat was not learned either.
                        && !rewards.iter().any(|known| known.id == feedback.id) =>
                {
                    rewards.push(*feedback);
                }
                _ => {}
            }
        }
    }
    if let Some(made) = &found {
        rewards.retain(|reward| {
            reward.tenant == made.tenant
                && (made.run.is_some() || !matches!(reward.subject, Subject::Run(_)))
        });
    }
    Ok((found, rewards))
}

/// Credit follows the run tree: a reward on a run is about all that was decided in it and below.
fn reaches(subject: &Subject, decision: &str) -> bool {
    match subject {
        Subject::Decision(id) => id == decision,
        Subject::Run(run) => {
            decision.strip_prefix(run.as_str()).is_some_and(|rest| rest.starts_with('/'))
        }
        Subject::Component { .. } => false,
    }
}

/// The decision in its run's own record, where the learner's log does not have it (any more).
async fn recorded(settings: &Settings, id: &str) -> Result<(Decision, TenantId), Failure> {
    let none = || {
        StepError::new(Category::NotFound, format!("there is no decision `{id}`"))
            .hint("`consort show RUN` numbers the decisions of a run")
    };
    let journal = reading::needed(settings).await?;
    let (run, position) = id.rsplit_once('/').ok_or_else(none)?;
    let run = consort::core::RunId::new(run).map_err(|_| none())?;
    let history = journal.history(&run).await.map_err(StepError::from)?.ok_or_else(none)?;
    let decision = history.records.iter().find_map(|record| match record {
        RunRecord::Local(LocalRecord {
            position: at, kind: LocalKind::Decision, value, ..
        }) if at.to_string() == position => serde_json::from_value::<Decision>(value.clone()).ok(),
        _ => None,
    });
    Ok((decision.ok_or_else(none)?, history.started.tenant))
}

/// Features told of each candidate.
const PARTS: usize = 5;

fn told(explained: &Explained) -> String {
    let Explained { decision, candidates, rewards, at, .. } = explained;
    let (policy, version) = (&decision.policy, decision.policy_version);
    let mut text = format!("decision {}\n", decision.id);
    let when = at.map(|at| format!(", {} UTC", moment(at))).unwrap_or_default();
    let _ = writeln!(text, "by {policy}, version {version}{when}");
    for (name, value) in &decision.question.features {
        let _ = writeln!(text, "    {name} = {value:.4}");
    }
    for candidate in candidates {
        let mark = if candidate.chosen { '*' } else { ' ' };
        let odds = candidate.probability * 100.0;
        let _ = write!(text, "\n{mark} {}  odds {odds:.1} %", candidate.name);
        if let Some(why) = &candidate.skipped {
            let _ = write!(text, ", skipped: {why}");
        }
        if let Some(score) = candidate.score {
            let _ = write!(text, ", expected {score:.3}");
        }
        if let Some(now) = candidate.now {
            let _ = write!(text, ", today {now:.3}");
        }
        text.push('\n');
        for part in candidate.parts.iter().take(PARTS) {
            let _ =
                writeln!(text, "      {:+.3}  {} ({:.3})", part.effect, part.feature, part.value);
        }
        if let Some(rest) = candidate.rest.filter(|rest| *rest != 0.0) {
            let _ = writeln!(text, "      {rest:+.3}  whatever the situation");
        }
    }
    text.push('\n');
    if rewards.is_empty() {
        text += "no reward yet\n";
    }
    for reward in rewards {
        let (value, weight, source) = (reward.reward, reward.confidence, word(&reward.source));
        let _ = write!(text, "reward {value:.3} (weight {weight:.2}) from {source}");
        if let Subject::Run(run) = &reward.subject {
            let _ = write!(text, ", on run {run}");
        }
        if let Some(category) = reward.category {
            let charged = if category.facts().reward { "charged" } else { "not charged" };
            let _ = write!(text, ", failed with {category}: {charged}");
        }
        text.push('\n');
    }
    text
}
