//! Does the judge find what it is there for? Faults are planted into evidence of a real round that
//! was found clean.

use consort_core::{
    Outcome, RunId,
    record::{History, Record, StepRecord},
};
use serde_json::json;

use crate::{
    capabilities::EFFECTS,
    evidence::Evidence,
    judge::{Promise, judge},
    results::Results,
    witness::Note,
};

/// A fault: its name, how to plant it, and the promise that is then broken. Planting returns `None`
/// when the evidence has nothing that it could be planted into.
type Fault = (&'static str, fn(&mut Evidence) -> Option<()>, Promise);

const FAULTS: &[Fault] = &[
    ("an_acknowledged_step_that_ran_again", ran_again, Promise::FinishedStepsNeverRunAgain),
    ("a_step_found_on_disk_that_ran_again", found_ran_again, Promise::FinishedStepsNeverRunAgain),
    ("a_step_that_is_recorded_twice", recorded_twice, Promise::FinishedStepsNeverRunAgain),
    ("an_acknowledged_step_that_is_lost", lost_step, Promise::FinishedStepsAreNeverLost),
    ("a_payment_that_is_made_twice", paid_twice, Promise::StepsOfClassOnceHappenAtMostOnce),
    ("a_record_without_its_effect", without_effect, Promise::RecordedStepsHaveHappened),
    ("an_acknowledged_run_that_is_lost", lost_run, Promise::WhatClientsWereToldHolds),
    ("an_accepted_event_that_is_lost", lost_event, Promise::WhatClientsWereToldHolds),
    ("a_result_that_changed_after_it_was_told", changed_result, Promise::WhatClientsWereToldHolds),
    ("a_request_with_two_runs", two_runs, Promise::OneKeyGetsOneRun),
    ("a_run_that_never_completes", unfinished, Promise::EveryRunCompletes),
    ("a_wrong_result", wrong_result, Promise::EveryResultIsRight),
    ("a_damaged_store", damaged, Promise::NothingIsReportedBroken),
    ("a_fault_that_the_engine_reported", reported, Promise::NothingIsReportedBroken),
];

/// Plants every fault in turn; each must be found, by its name.
pub(crate) fn prove(clean: &Evidence, results: &mut Results) {
    for (name, plant, promise) in FAULTS {
        let mut evidence = clean.clone();
        let found = match plant(&mut evidence) {
            None => Err("the round has nothing to plant it into".to_owned()),
            Some(()) if judge(&evidence).against(*promise).is_empty() => {
                Err("was not found".to_owned())
            }
            Some(()) => Ok(()),
        };
        results.note(&format!("the_judge_finds::{name}"), found.err().as_slice());
    }
}

/// The first step that was acknowledged and left an effect.
fn acknowledged(evidence: &Evidence) -> Option<(RunId, StepRecord)> {
    evidence.histories.iter().find_map(|(run, history)| {
        let step = history.records.iter().find_map(|record| match record {
            Record::Step(step) if EFFECTS.contains(&step.callee.as_str()) => Some(step),
            _ => None,
        })?;
        let done = Note::Done { key: Evidence::key(run, step.position) };
        evidence.notes.contains(&done).then(|| (run.clone(), (**step).clone()))
    })
}

fn ran_again(evidence: &mut Evidence) -> Option<()> {
    let (run, step) = acknowledged(evidence)?;
    let key = Evidence::key(&run, step.position);
    evidence.notes.push(Note::Effect { key, callee: step.callee });
    Some(())
}

fn found_ran_again(evidence: &mut Evidence) -> Option<()> {
    let found = |note: &Note| match note {
        Note::Found { key } => Some(key.clone()),
        _ => None,
    };
    let key = evidence.notes.iter().find_map(found)?;
    // Nobody acknowledged it: the process died first.
    evidence.notes.retain(|note| *note != Note::Done { key: key.clone() });
    evidence.notes.push(Note::Effect { key, callee: "work".into() });
    Some(())
}

fn recorded_twice(evidence: &mut Evidence) -> Option<()> {
    let (run, step) = acknowledged(evidence)?;
    let history = evidence.histories.get_mut(&run)?;
    history.records.push(Record::Step(Box::new(step)));
    Some(())
}

fn lost_step(evidence: &mut Evidence) -> Option<()> {
    let (run, step) = acknowledged(evidence)?;
    let history = evidence.histories.get_mut(&run)?;
    history
        .records
        .retain(|record| !matches!(record, Record::Step(other) if other.position == step.position));
    Some(())
}

fn paid_twice(evidence: &mut Evidence) -> Option<()> {
    let paid = |note: &&Note| matches!(note, Note::Effect { callee, .. } if callee == "pay");
    let again = evidence.notes.iter().find(paid)?.clone();
    evidence.notes.push(again);
    Some(())
}

fn without_effect(evidence: &mut Evidence) -> Option<()> {
    let (run, step) = acknowledged(evidence)?;
    let own = Evidence::key(&run, step.position);
    evidence.notes.retain(|note| !matches!(note, Note::Effect { key, .. } if *key == own));
    Some(())
}

fn lost_run(evidence: &mut Evidence) -> Option<()> {
    let started = |note: &Note| match note {
        Note::Started { run, .. } => RunId::new(run).ok(),
        _ => None,
    };
    let run = evidence.notes.iter().find_map(started)?;
    evidence.histories.remove(&run).map(drop)
}

fn lost_event(evidence: &mut Evidence) -> Option<()> {
    let told = |note: &Note| match note {
        Note::Told { index } => Some(*index),
        _ => None,
    };
    let index = evidence.notes.iter().find_map(told)?;
    let history = evidence.histories.values_mut().find(|history| of(history, index))?;
    history.records.retain(|record| !matches!(record, Record::Event { .. }));
    Some(())
}

fn of(history: &History, index: u64) -> bool {
    history.started.id.parent().is_none() && history.started.request["index"] == json!(index)
}

fn ended(evidence: &Evidence) -> Option<u64> {
    evidence.notes.iter().find_map(|note| match note {
        Note::Ended { index, .. } => Some(*index),
        _ => None,
    })
}

fn changed_result(evidence: &mut Evidence) -> Option<()> {
    let index = ended(evidence)?;
    let history = evidence.histories.values_mut().find(|history| of(history, index))?;
    history.ended.as_mut()?.result = Ok(Outcome::skipped("somebody changed it"));
    Some(())
}

fn two_runs(evidence: &mut Evidence) -> Option<()> {
    let started = |note: &Note| match note {
        Note::Started { index, run } => Some((*index, run.clone())),
        _ => None,
    };
    let (index, first) = evidence.notes.iter().find_map(started)?;
    let other = evidence.histories.keys().find(|run| run.to_string() != first)?;
    let note = Note::Started { index, run: other.to_string() };
    evidence.notes.push(note);
    Some(())
}

fn unfinished(evidence: &mut Evidence) -> Option<()> {
    let child = evidence.histories.iter_mut().find(|(run, _)| run.parent().is_some())?;
    child.1.ended = None;
    Some(())
}

fn wrong_result(evidence: &mut Evidence) -> Option<()> {
    let root = evidence.histories.iter_mut().find(|(run, _)| run.parent().is_none())?;
    let ended = root.1.ended.as_mut()?;
    ended.result = Ok(json!({ "sum": 7 }).into());
    Some(())
}

fn damaged(evidence: &mut Evidence) -> Option<()> {
    evidence.damage.push("record 7: the checksum is wrong".into());
    Some(())
}

fn reported(evidence: &mut Evidence) -> Option<()> {
    evidence.notes.push(Note::Fault { text: "StoreFailed".into() });
    Some(())
}
