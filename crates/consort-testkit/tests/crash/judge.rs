//! Holds what the witness saw against what the store says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use consort_core::{
    Category, Outcome, RunId, StepResult,
    record::{Record, StepRecord},
};
use serde_json::Value;

use crate::{capabilities::EFFECTS, evidence::Evidence, witness::Note, worker, workflows};

/// What the engine promises. Each is one test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Promise {
    /// Finished: acknowledged by the journal, or found on disk when a process started.
    FinishedStepsNeverRunAgain,
    FinishedStepsAreNeverLost,
    StepsOfClassOnceHappenAtMostOnce,
    RecordedStepsHaveHappened,
    /// A run whose handle the client held, an event that was accepted, a result that was told.
    WhatClientsWereToldHolds,
    OneKeyGetsOneRun,
    EveryRunCompletes,
    EveryResultIsRight,
    NothingIsReportedBroken,
}

impl Promise {
    pub(crate) const ALL: [Self; 9] = [
        Self::FinishedStepsNeverRunAgain,
        Self::FinishedStepsAreNeverLost,
        Self::StepsOfClassOnceHappenAtMostOnce,
        Self::RecordedStepsHaveHappened,
        Self::WhatClientsWereToldHolds,
        Self::OneKeyGetsOneRun,
        Self::EveryRunCompletes,
        Self::EveryResultIsRight,
        Self::NothingIsReportedBroken,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::FinishedStepsNeverRunAgain => "finished_steps_never_run_again",
            Self::FinishedStepsAreNeverLost => "finished_steps_are_never_lost",
            Self::StepsOfClassOnceHappenAtMostOnce => "steps_of_class_once_happen_at_most_once",
            Self::RecordedStepsHaveHappened => "recorded_steps_have_happened",
            Self::WhatClientsWereToldHolds => "what_clients_were_told_holds",
            Self::OneKeyGetsOneRun => "one_key_gets_one_run",
            Self::EveryRunCompletes => "every_run_completes",
            Self::EveryResultIsRight => "every_result_is_right",
            Self::NothingIsReportedBroken => "nothing_is_reported_broken",
        }
    }
}

/// What came out of one or more rounds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) kills: u32,
    pub(crate) runs: usize,
    pub(crate) children: usize,
    pub(crate) steps: usize,
    pub(crate) acknowledged: usize,
    pub(crate) effects: usize,
    /// Effects that were in flight when their process died, and happened again.
    pub(crate) repeated_in_flight: usize,
    pub(crate) uncertain: usize,
    /// For each life that had something to take up, milliseconds until it did.
    pub(crate) resumes: Vec<u64>,
    /// Broken promises, one sentence each.
    pub(crate) violations: Vec<(Promise, String)>,
}

impl Verdict {
    pub(crate) fn add(&mut self, round: Self) {
        self.kills += round.kills;
        self.runs += round.runs;
        self.children += round.children;
        self.steps += round.steps;
        self.acknowledged += round.acknowledged;
        self.effects += round.effects;
        self.repeated_in_flight += round.repeated_in_flight;
        self.uncertain += round.uncertain;
        self.resumes.extend(round.resumes);
        self.violations.extend(round.violations);
    }

    /// How this promise was broken.
    pub(crate) fn against(&self, promise: Promise) -> Vec<String> {
        let broken = self.violations.iter().filter(|(broken, _)| *broken == promise);
        broken.map(|(_, how)| how.clone()).collect()
    }

    fn broken(&mut self, promise: Promise, how: impl Into<String>) {
        self.violations.push((promise, how.into()));
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut resumes = self.resumes.clone();
        resumes.sort_unstable();
        let (middle, last) = (resumes.get(resumes.len() / 2), resumes.last());
        let late = resumes.iter().filter(|after| **after >= 1000).count();
        write!(
            f,
            "{} kills; {} runs, {} children, {} steps, {} of them acknowledged to a process; \
             {} effects, {} repeated while in flight, {} left uncertain; {} resumes begun {} ms \
             after the process was asked for (median; at most {} ms, {late} after 1 s or more); \
             {} broken promises",
            self.kills,
            self.runs,
            self.children,
            self.steps,
            self.acknowledged,
            self.effects,
            self.repeated_in_flight,
            self.uncertain,
            resumes.len(),
            middle.unwrap_or(&0),
            last.unwrap_or(&0),
            self.violations.len()
        )
    }
}

/// Judges what a round left, whose last life has gone in good order.
pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    let mut verdict = Verdict::default();
    for damage in &evidence.damage {
        verdict.broken(Promise::NothingIsReportedBroken, format!("the store: {damage}"));
    }
    of_runs(&mut verdict, evidence);
    of_steps(&mut verdict, evidence);
    of_clients(&mut verdict, evidence);
    verdict
}

/// Every run has ended, and as it must.
fn of_runs(verdict: &mut Verdict, evidence: &Evidence) {
    for (run, history) in &evidence.histories {
        let root = run.parent().is_none();
        *(if root { &mut verdict.runs } else { &mut verdict.children }) += 1;
        let Some(ended) = &history.ended else {
            let how = format!("run {run} was never completed");
            verdict.broken(Promise::EveryRunCompletes, how);
            continue;
        };
        if root {
            let index = history.started.request["index"].as_u64().unwrap_or_default();
            let expected = workflows::expected(index, &history.records);
            of_result(verdict, run, index, &ended.result, &expected);
        }
    }
}

fn of_result(
    verdict: &mut Verdict,
    run: &RunId,
    index: u64,
    result: &StepResult<Value>,
    expected: &[u64],
) {
    let how = match result {
        Ok(outcome) => {
            let sum = outcome.value().and_then(|value| value["sum"].as_u64());
            if sum.is_some_and(|sum| expected.contains(&sum)) {
                return;
            }
            format!("run {run} ({index}) ended with {sum:?}, not {expected:?}")
        }
        // Only a step of class `once` may leave a doubt.
        Err(error)
            if error.category() == Category::DependencyUncertain && workflows::pays(index) =>
        {
            verdict.uncertain += 1;
            return;
        }
        Err(error) => {
            format!("run {run} ({index}) failed: {error}: {}", error.causes().join(": "))
        }
    };
    verdict.broken(Promise::EveryResultIsRight, how);
}

/// No finished step ran again, none is lost, none is without its effect.
fn of_steps(verdict: &mut Verdict, evidence: &Evidence) {
    let mut recorded: BTreeMap<String, &StepRecord> = BTreeMap::new();
    for (run, history) in &evidence.histories {
        for record in &history.records {
            let Record::Step(step) = record else { continue };
            let key = Evidence::key(run, step.position);
            if recorded.insert(key.clone(), step).is_some() {
                let how = format!("step {key} is recorded twice");
                verdict.broken(Promise::FinishedStepsNeverRunAgain, how);
            }
        }
    }
    verdict.steps = recorded.len();
    let (mut effects, mut finished) = (BTreeMap::<&str, usize>::new(), BTreeSet::<&str>::new());
    for note in &evidence.notes {
        match note {
            Note::Effect { key, callee } => {
                verdict.effects += 1;
                let times = effects.entry(key).or_default();
                *times += 1;
                if finished.contains(key.as_str()) {
                    let how = format!("step {key} `{callee}` was finished and ran again");
                    verdict.broken(Promise::FinishedStepsNeverRunAgain, how);
                }
                if *times > 1 && callee == "pay" {
                    let how = format!("step {key} `{callee}` happened {times} times");
                    verdict.broken(Promise::StepsOfClassOnceHappenAtMostOnce, how);
                }
            }
            Note::Done { key } | Note::Found { key } => {
                verdict.acknowledged += usize::from(matches!(note, Note::Done { .. }));
                if finished.insert(key) && !recorded.contains_key(key) {
                    let how = format!("the result of step {key} was on disk and is lost");
                    verdict.broken(Promise::FinishedStepsAreNeverLost, how);
                }
            }
            _ => {}
        }
    }
    verdict.repeated_in_flight = effects.values().map(|times| times - 1).sum();
    for (key, step) in &recorded {
        let succeeded = matches!(step.result, Ok(Outcome::Succeeded { .. }));
        let has_effect = EFFECTS.contains(&step.callee.as_str());
        if succeeded && has_effect && !effects.contains_key(key.as_str()) {
            let how = format!("step {key} `{}` is recorded without its effect", step.callee);
            verdict.broken(Promise::RecordedStepsHaveHappened, how);
        }
    }
}

/// What clients were told still holds.
fn of_clients(verdict: &mut Verdict, evidence: &Evidence) {
    let told = Promise::WhatClientsWereToldHolds;
    let mut runs: BTreeMap<u64, &str> = BTreeMap::new();
    let find = |run: Option<&str>| evidence.histories.get(&RunId::new(run?).ok()?);
    for note in &evidence.notes {
        match note {
            Note::Started { index, run } => {
                if runs.insert(*index, run).is_some_and(|earlier| earlier != run) {
                    let how = format!("request {index} was given two runs");
                    verdict.broken(Promise::OneKeyGetsOneRun, how);
                }
                if find(Some(run)).is_none() {
                    verdict.broken(told, format!("the acknowledged run {run} is lost"));
                }
            }
            Note::Told { index } => {
                let heard = |record: &Record| matches!(record, Record::Event { .. });
                let history = find(runs.get(index).copied());
                if !history.is_some_and(|history| history.records.iter().any(heard)) {
                    verdict.broken(told, format!("the accepted event for request {index} is lost"));
                }
            }
            Note::Ended { index, result } => {
                let ended = find(runs.get(index).copied()).and_then(|h| h.ended.as_ref());
                let stored = ended.map(|ended| worker::text(&ended.result));
                if stored.as_ref() != Some(result) {
                    let how = format!("request {index} was told {result}, stored is {stored:?}");
                    verdict.broken(told, how);
                }
            }
            Note::Resumed { after } => verdict.resumes.push(*after),
            Note::Fault { text } => {
                verdict.broken(Promise::NothingIsReportedBroken, text.clone());
            }
            Note::Ready
            | Note::Asked { .. }
            | Note::Effect { .. }
            | Note::Done { .. }
            | Note::Found { .. } => {}
        }
    }
}
