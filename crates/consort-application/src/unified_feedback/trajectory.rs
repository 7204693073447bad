//! What a run did against what it was expected to do. No judge: everything is counted.

use std::collections::BTreeMap;

use consort_core::{
    Category, RunId, StepError, TenantId,
    learning::{Source, Subject},
    record::{History, Record, StepKind},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::NewSignal;

/// Pairs of a step and an expected callee that are compared, at most: some ten milliseconds.
const MOST_PAIRS: usize = 1 << 24;

/// How the callees of a trajectory are compared with the expected ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// The same callees in the same order: the longest common subsequence over the longer list.
    #[default]
    Strict,
    /// At least the expected ones, in any order: the share of them that was called.
    Superset,
    /// The same callees the same number of times: what both have over what either has.
    Unordered,
}

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Done {
    /// Who was called.
    pub callee: String,
    /// Why it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Category>,
}

/// What should have been done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// How to compare.
    #[serde(default, rename = "match")]
    pub compare: Match,
    /// The callees; at least one.
    pub callees: Vec<String>,
}

/// A trajectory to be judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trajectory {
    /// The run; credit flows to the decisions made in it and below it.
    pub run: RunId,
    /// A repeat carries the same id. Default: one for each run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What was done, in order. Without any, the steps of the run are read from its record, and
    /// whether it succeeded is too, unless told here; the run must be durable and over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Done>,
    /// What was expected. Without it, accuracy is not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
    /// Whether the run reached its goal, where somebody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub succeeded: Option<bool>,
    /// Why the run failed, if it did and somebody knows. When that says nothing about what was
    /// chosen (cancelled, a deadline of the caller's), nobody is charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Category>,
}

/// What a trajectory was found to be. What was not judged is absent, and does not count.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evaluated {
    /// Agreement with what was expected, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Steps needed over steps made, from 0 to 1: 1 without detours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub efficiency: Option<f64>,
    /// Share of failures after which the trajectory went on well; 1 without a failure.
    pub error_handling: f64,
    /// Mean of these, weighted .5, .3 and .2; 0 when the run is known to have failed.
    pub overall: f64,
}

impl Trajectory {
    /// The same with the calls that the run has on record, in the order in which it made them.
    ///
    /// # Errors
    ///
    /// `not_found` for the run of another tenant, `conflict` for one that is not over.
    pub(super) fn on_record(
        mut self,
        tenant: &TenantId,
        history: &History,
    ) -> Result<Self, StepError> {
        if history.started.tenant != *tenant {
            let text = format!("there is no run `{}`", self.run);
            return Err(StepError::new(Category::NotFound, text));
        }
        let Some(ended) = &history.ended else {
            let text = format!("run `{}` is not over", self.run);
            return Err(StepError::new(Category::Conflict, text));
        };
        let calls = history.records.iter().filter_map(|record| match record {
            Record::Step(step) if matches!(step.kind, StepKind::Call | StepKind::Child) => {
                let failed = step.result.as_ref().err().map(StepError::category);
                Some((step.position, Done { callee: step.callee.clone(), failed }))
            }
            _ => None,
        });
        // Steps are recorded as they end, and many may be under way at once.
        let calls: BTreeMap<u32, Done> = calls.collect();
        self.steps = calls.into_values().collect();
        if self.succeeded.is_none() {
            self.failed = self.failed.or(ended.result.as_ref().err().map(StepError::category));
            self.succeeded = Some(self.failed.is_none());
        }
        Ok(self)
    }

    /// Judges it.
    ///
    /// # Errors
    ///
    /// `invalid_request` without a step, with an expectation of nothing or of far too much to be
    /// compared in order, or for a run that failed and succeeded.
    pub fn evaluate(&self) -> Result<Evaluated, StepError> {
        let wrong = |pointer: &str, rule: &str| {
            Err(StepError::new(Category::InvalidRequest, "the trajectory cannot be judged")
                .violation(pointer, rule))
        };
        if self.steps.is_empty() {
            return wrong("/trajectory/steps", "must have at least one entry");
        }
        if let Some(expected) = &self.expected {
            if expected.callees.is_empty() {
                return wrong("/trajectory/expected/callees", "must have at least one entry");
            }
            let pairs = expected.callees.len().saturating_mul(self.steps.len());
            if expected.compare == Match::Strict && pairs > MOST_PAIRS {
                let rule = "is too long to be compared in order: use `superset` or `unordered`";
                return wrong("/trajectory/expected/match", rule);
            }
        }
        if self.failed.is_some() && self.succeeded == Some(true) {
            return wrong("/trajectory/failed", "must be absent when the run succeeded");
        }
        let made: Vec<&str> = self.steps.iter().map(|step| step.callee.as_str()).collect();
        let accuracy = self.expected.as_ref().map(|expected| {
            let wanted: Vec<&str> = expected.callees.iter().map(String::as_str).collect();
            agreement(expected.compare, &made, &wanted)
        });
        let efficiency = self
            .expected
            .as_ref()
            .map(|expected| (expected.callees.len() as f64 / made.len() as f64).min(1.0));
        let error_handling = self.error_handling();
        let parts = [(accuracy, 0.5), (efficiency, 0.3), (Some(error_handling), 0.2)];
        let known = parts.iter().filter_map(|(part, weight)| Some((part.as_ref()?, weight)));
        let (sum, weights) = known
            .fold((0.0, 0.0), |(sum, all), (part, weight)| (sum + part * weight, all + weight));
        let has_failed = self.succeeded == Some(false) || self.failed.is_some();
        let overall = if has_failed { 0.0 } else { sum / weights };
        Ok(Evaluated { accuracy, efficiency, error_handling, overall })
    }

    /// A failure is handled when a later step succeeds.
    fn error_handling(&self) -> f64 {
        let failures = self.steps.iter().filter(|step| step.failed.is_some()).count();
        if failures == 0 {
            return 1.0;
        }
        let last_good = self.steps.iter().rposition(|step| step.failed.is_none());
        let handled = self.steps[..last_good.unwrap_or(0)].iter();
        handled.filter(|step| step.failed.is_some()).count() as f64 / failures as f64
    }

    /// The signal that it gives. When all that went wrong says nothing about what was chosen, the
    /// signal says so too, and nobody is charged.
    pub fn signal(&self, evaluated: &Evaluated) -> NewSignal {
        let says_nothing = |category: &Category| !category.facts().reward;
        let mut failures = self.steps.iter().filter_map(|step| step.failed);
        // Why the whole failed says more than why parts of it did.
        let category = match self.failed {
            Some(category) => Some(category),
            None if failures.clone().all(|category| says_nothing(&category)) => {
                failures.next().filter(|_| evaluated.error_handling < 1.0)
            }
            None => None,
        };
        NewSignal {
            id: Some(self.id.clone().unwrap_or_else(|| format!("trajectory:{}", self.run))),
            source: Source::Trajectory,
            subject: Subject::Run(self.run.clone()),
            reward: evaluated.overall.clamp(0.0, 1.0),
            confidence: 0.8,
            category: category.filter(says_nothing),
            at: None,
            metadata: serde_json::to_value(evaluated).unwrap_or_default(),
        }
    }
}

fn agreement(compare: Match, made: &[&str], wanted: &[&str]) -> f64 {
    match compare {
        Match::Strict => common(made, wanted) as f64 / made.len().max(wanted.len()) as f64,
        Match::Superset | Match::Unordered => {
            let (made_count, wanted_count) = (counts(made), counts(wanted));
            let both: usize = wanted_count
                .iter()
                .map(|(callee, wanted)| made_count.get(callee).map_or(0, |made| *made.min(wanted)))
                .sum();
            let all = match compare {
                Match::Superset => wanted.len(),
                _ => made.len() + wanted.len() - both,
            };
            both as f64 / all as f64
        }
    }
}

fn counts<'a>(callees: &[&'a str]) -> BTreeMap<&'a str, usize> {
    callees.iter().fold(BTreeMap::new(), |mut counts, callee| {
        *counts.entry(*callee).or_default() += 1;
        counts
    })
}

/// Length of the longest common subsequence.
fn common(a: &[&str], b: &[&str]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for x in a {
        let mut diagonal = 0;
        for (at, y) in b.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if x == y { diagonal + 1 } else { above.max(row[at]) };
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps as words, a failed one with its category after a `!`.
    fn judge(compare: Match, steps: &str, expected: &str) -> Evaluated {
        let done = |word: &str| {
            let (callee, failed) = word.split_once('!').map_or((word, None), |(c, f)| (c, Some(f)));
            let failed = failed.map(|name| serde_json::from_value(name.into()).unwrap());
            Done { callee: callee.into(), failed }
        };
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let expected =
            (!expected.is_empty()).then(|| Expected { compare, callees: words(expected) });
        trajectory(steps.split_whitespace().map(done).collect(), expected).evaluate().unwrap()
    }

    fn trajectory(steps: Vec<Done>, expected: Option<Expected>) -> Trajectory {
        let run = RunId::new("01ARZ3NDEKTSV4RRFFQ69G5FAV").unwrap();
        Trajectory { run, id: None, steps, expected, succeeded: None, failed: None }
    }

    #[test]
    fn the_three_ways_to_match_differ_where_they_should() {
        let accuracy = |compare| judge(compare, "fetch check chat", "chat fetch").accuracy.unwrap();
        assert_eq!(accuracy(Match::Strict), 1.0 / 3.0);
        assert_eq!(accuracy(Match::Superset), 1.0);
        assert_eq!(accuracy(Match::Unordered), 2.0 / 3.0);
    }

    #[test]
    fn what_was_not_expected_of_it_is_not_judged() {
        let judged = judge(Match::Strict, "a b", "");
        assert_eq!((judged.accuracy, judged.efficiency, judged.overall), (None, None, 1.0));
    }

    #[test]
    fn detours_and_unhandled_failures_cost() {
        let judged = judge(Match::Superset, "a b!network a c", "a c");
        assert_eq!((judged.efficiency, judged.error_handling), (Some(0.5), 1.0));
        let judged = judge(Match::Superset, "a c!network", "a c");
        assert_eq!(judged.error_handling, 0.0);
        assert!((judged.overall - 0.8).abs() < 1e-12);
    }

    #[test]
    fn nobody_is_charged_for_an_open_breaker() {
        let failed = |category| Done { callee: "a".into(), failed: Some(category) };
        let signal = |category| {
            let trajectory = trajectory(vec![failed(category)], None);
            trajectory.signal(&trajectory.evaluate().unwrap()).category
        };
        assert_eq!(signal(Category::CircuitOpen), Some(Category::CircuitOpen));
        assert_eq!(signal(Category::ModelFailed), None);
    }

    #[test]
    fn a_run_that_was_cancelled_says_nothing_about_its_choices() {
        let done = Done { callee: "a".into(), failed: None };
        let signal = |failed| {
            let run = Trajectory { failed: Some(failed), ..trajectory(vec![done.clone()], None) };
            run.signal(&run.evaluate().unwrap())
        };
        for nobodys_fault in [Category::Cancelled, Category::DeadlineExceeded] {
            assert_eq!(signal(nobodys_fault).category, Some(nobodys_fault));
        }
        let charged = signal(Category::ModelFailed);
        assert_eq!((charged.category, charged.reward), (None, 0.0));
        let mut both = trajectory(vec![done.clone()], None);
        (both.failed, both.succeeded) = (Some(Category::Cancelled), Some(true));
        assert_eq!(both.evaluate().unwrap_err().violations()[0].pointer, "/trajectory/failed");
    }

    #[test]
    fn what_would_take_minutes_to_compare_is_refused_with_another_way() {
        let steps = vec![Done { callee: "a".into(), failed: None }; 30_000];
        let callees = vec!["a".into(); 30_000];
        let mut long = trajectory(steps, Some(Expected { compare: Match::Strict, callees }));
        let refused = long.evaluate().unwrap_err();
        assert_eq!(refused.violations()[0].pointer, "/trajectory/expected/match");
        long.expected.as_mut().unwrap().compare = Match::Superset;
        assert_eq!(long.evaluate().unwrap().accuracy, Some(1.0));
    }

    #[test]
    fn zero_work_is_never_success() {
        let error = trajectory(vec![], None).evaluate().unwrap_err();
        assert_eq!(error.category(), Category::InvalidRequest);
    }
}
