//! Compares what was seen with a stop to what was seen without one. Pure.

use std::collections::{BTreeMap, BTreeSet};

use consort_core::{Category, Effect, Status, StepError, StepResult, record::RunSummary};
use serde_json::Value;

use super::{
    Kind, Scenario,
    process::Ending,
    world::{Call, Observed},
};

#[cfg(test)]
mod tests;

/// Everything that one exploration of one point ended with.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) endings: Vec<Ending>,
    pub(super) runs: Vec<RunSummary>,
    pub(super) observed: Observed,
    /// Steps of class `once` about which nobody knows whether they happened.
    pub(super) uncertain: usize,
}

/// Kind, subject and detail of a fault.
pub(super) type Fault = (Kind, String, String);

/// The faults of `seen`, measured by `calm`, which was not disturbed.
pub(super) fn judge(scenario: &Scenario, calm: &Seen, seen: &Seen) -> Vec<Fault> {
    let mut faults = broken_promises(seen);
    faults.extend(repeated_calls(&seen.observed.calls));
    faults.extend(endings(scenario, seen));
    faults.extend(runs(seen));
    let (more, less) = effects(&calm.observed, &seen.observed);
    faults.extend(more);
    // What did not come to its end, or may lack a step that nobody knows about, must not be
    // measured by what did.
    if seen.uncertain == 0 && !faults.iter().any(|(kind, ..)| kind.is_fatal()) {
        faults.extend(less);
        faults.extend(results(scenario, calm, seen));
    }
    faults
}

/// What the engine has promised whatever the orchestrator does.
fn broken_promises(seen: &Seen) -> Vec<Fault> {
    let again = seen.observed.calls.iter().filter(|call| call.too_late).map(|call| {
        let detail = format!("step {} was finished and ran again", position(&call.key));
        (Kind::RepeatedStep, call.callee.clone(), detail)
    });
    let uncleaned = seen
        .runs
        .iter()
        .filter(|run| run.ended.is_some() && !seen.observed.cleanups.contains_key(&run.id))
        .map(|run| {
            let name = run.orchestrator.to_string();
            (Kind::CleanupMissing, name, format!("ended {} without it", ending(run)))
        });
    again.chain(uncleaned).collect()
}

/// The position of a step by its idempotency key, without the run's random name.
fn position(key: &str) -> &str {
    key.split_once('/').map_or(key, |(_, position)| position)
}

/// Attempts under one idempotency key that do not ask the same, or of a pure capability that do
/// not answer the same.
fn repeated_calls(calls: &[Call]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut first: BTreeMap<&str, &Call> = BTreeMap::new();
    for call in calls {
        let Some(before) = first.insert(&call.key, call) else { continue };
        if before.request != call.request {
            let (was, is) = (&before.request, &call.request);
            let detail = format!("step {} asked {was}, then {is}", position(&call.key));
            faults.push((Kind::ChangedRequest, call.callee.clone(), detail));
        }
    }
    let mut answers: BTreeMap<(&str, String), &Value> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.effect == Effect::Pure) {
        let Some(answer) = &call.answer else { continue };
        let known = answers.entry((&call.callee, call.request.to_string())).or_insert(answer);
        if *known != answer {
            let detail = format!("answered {known}, then {answer}");
            faults.push((Kind::NotPure, call.callee.clone(), detail));
        }
    }
    faults
}

fn endings(scenario: &Scenario, seen: &Seen) -> Vec<Fault> {
    let fault = |(index, ending): (usize, &Ending)| {
        let name = scenario.requests[index].0.clone();
        match ending {
            Ending::Hung => {
                let detail = format!("no answer within {:?} of virtual time", scenario.limit);
                Some((Kind::Hang, name, detail))
            }
            Ending::Refused(error) if error.category() == Category::RunBlocked => {
                Some((Kind::Blocked, name, error.to_string()))
            }
            Ending::Refused(error) => Some((Kind::NotStarted, name, told(error))),
            Ending::Answered(_) => None,
        }
    };
    seen.endings.iter().enumerate().filter_map(fault).collect()
}

fn told(error: &StepError) -> String {
    let causes = error.causes().join(": ");
    if causes.is_empty() { error.to_string() } else { format!("{error}: {causes}") }
}

/// Runs anywhere in the tree that broke a rule of durable execution, even if their parent coped.
fn runs(seen: &Seen) -> Vec<Fault> {
    let fault = |run: &RunSummary| {
        let kind = match run.category? {
            Category::JournalMismatch => Kind::DivergentReplay,
            Category::ForeignAwait => Kind::ForeignAwait,
            _ => return None,
        };
        let why = seen.endings.iter().find_map(|ending| match ending {
            Ending::Answered(Err(error)) if Some(error.category()) == run.category => {
                Some(told(error))
            }
            _ => None,
        });
        Some((kind, run.orchestrator.to_string(), why.unwrap_or_else(|| ending(run))))
    };
    let left = |run: &RunSummary| {
        let detail = "is left open although its caller was answered".to_owned();
        let answered = seen.endings.iter().all(|ending| matches!(ending, Ending::Answered(_)));
        (answered && run.ended.is_none())
            .then(|| (Kind::Hang, run.orchestrator.to_string(), detail))
    };
    seen.runs.iter().filter_map(|run| fault(run).or_else(|| left(run))).collect()
}

fn ending(run: &RunSummary) -> String {
    match (run.status, run.category) {
        (_, Some(category)) => category.name().to_owned(),
        (Some(status), None) => status.name().to_owned(),
        (None, None) => "nowhere".to_owned(),
    }
}

/// What happened more often than without the stop, and what less often.
fn effects(calm: &Observed, seen: &Observed) -> (Vec<Fault>, Vec<Fault>) {
    let (mut more, mut less) = (Vec::new(), Vec::new());
    let named: BTreeSet<&String> = calm.effects.keys().chain(seen.effects.keys()).collect();
    for what in named {
        let count = |observed: &Observed| observed.effects.get(what).copied().unwrap_or_default();
        let (was, is) = (count(calm), count(seen));
        let detail = format!("{is} times instead of {was}");
        if is > was {
            more.push((Kind::RepeatedEffect, what.clone(), detail));
        } else if is < was {
            less.push((Kind::LostEffect, what.clone(), detail));
        }
    }
    let (calm, seen) = (keys(calm), keys(seen));
    let callees: BTreeSet<&str> = calm.keys().chain(seen.keys()).copied().collect();
    let none = BTreeMap::new();
    for callee in callees {
        let (was, is) = (calm.get(callee).unwrap_or(&none), seen.get(callee).unwrap_or(&none));
        let surplus = |a: &BTreeMap<String, BTreeSet<&str>>,
                       b: &BTreeMap<String, BTreeSet<&str>>| {
            let over = |(request, keys): (&String, &BTreeSet<&str>)| {
                let other = b.get(request).map_or(0, BTreeSet::len);
                (keys.len() > other).then(|| request.clone())
            };
            a.iter().filter_map(over).collect::<Vec<_>>()
        };
        let (extra, missing) = (surplus(is, was), surplus(was, is));
        let changed = extra.len().min(missing.len());
        for (extra, missing) in extra.iter().zip(&missing) {
            let detail = format!("asked {extra} instead of {missing}");
            more.push((Kind::ChangedRequest, callee.to_owned(), detail));
        }
        for request in &extra[changed..] {
            let detail = format!("asked {request} under one more idempotency key");
            more.push((Kind::RepeatedEffect, callee.to_owned(), detail));
        }
        for request in &missing[changed..] {
            let detail = format!("was not asked {request}");
            less.push((Kind::LostEffect, callee.to_owned(), detail));
        }
    }
    (more, less)
}

/// The idempotency keys under which each request was put to each callee that changes the world.
fn keys(observed: &Observed) -> BTreeMap<&str, BTreeMap<String, BTreeSet<&str>>> {
    let mut all: BTreeMap<&str, BTreeMap<String, BTreeSet<&str>>> = BTreeMap::new();
    for call in &observed.calls {
        if matches!(call.effect, Effect::Idempotent | Effect::Once) {
            let requests = all.entry(&call.callee).or_default();
            requests.entry(call.request.to_string()).or_default().insert(&call.key);
        }
    }
    all
}

fn results(scenario: &Scenario, calm: &Seen, seen: &Seen) -> Vec<Fault> {
    let pairs = calm.endings.iter().zip(&seen.endings).enumerate();
    let fault = |(index, (was, is)): (usize, (&Ending, &Ending))| match (was, is) {
        (Ending::Answered(was), Ending::Answered(is)) if !(scenario.same)(was, is) => {
            let detail = format!("{} instead of {}", short(is), short(was));
            Some((Kind::DifferentResult, scenario.requests[index].0.clone(), detail))
        }
        _ => None,
    };
    pairs.filter_map(fault).collect()
}

/// Two results are the same when they say the same; the names of runs in failures do not count.
pub(super) fn same(was: &StepResult<Value>, is: &StepResult<Value>) -> bool {
    match (was, is) {
        (Ok(was), Ok(is)) => was == is,
        (Err(was), Err(is)) => was.category() == is.category() && was.message() == is.message(),
        _ => false,
    }
}

fn short(result: &StepResult<Value>) -> String {
    let text = match result {
        Ok(outcome) => match outcome.value() {
            Some(value) => value.to_string(),
            None => Status::of(result).name().to_owned(),
        },
        Err(error) => told(error),
    };
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
