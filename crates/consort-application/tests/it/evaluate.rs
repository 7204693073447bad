//! What the log says of policies that never served: claims by logs whose truth is known.

use std::{collections::BTreeMap, sync::Arc};

use consort_application::learning::{Config, Evaluate, Evaluation, Spec, evaluate};
use consort_bandit::{Rule, rng::uniform};
use consort_core::{
    Category, Component, Decision, Question, StepError, TenantId, Timestamp,
    learning::{Feedback, LearningLog, Made, Record, Source, Subject},
};
use consort_durable::MemoryLearningLog;
use serde_json::Value;

const ARMS: [&str; 2] = ["small", "large"];

/// `large` is right for long texts, `small` for short ones.
fn mean(arm: usize, long: bool) -> f64 {
    if (arm == 1) == long { 0.8 } else { 0.3 }
}

fn made(t: u64, chosen: usize, propensities: [f64; 2], long: bool) -> Record {
    let question = Question {
        component: Component::Model,
        domain: "route".into(),
        candidates: ARMS.map(str::to_owned).to_vec(),
        features: BTreeMap::from([("long".into(), if long { 1.0 } else { -1.0 })]),
    };
    let decision = Decision {
        id: format!("d{t}"),
        question,
        chosen,
        propensities: propensities.to_vec(),
        scores: None,
        policy: "route/test".into(),
        policy_version: 1,
        skipped: Vec::new(),
    };
    let (tenant, at) = (TenantId::default(), Timestamp(1000 * t));
    Record::Made(Box::new(Made { tenant, run: None, at, decision }))
}

fn rewarded(t: u64, reward: f64) -> Record {
    Record::Feedback(Box::new(Feedback {
        id: format!("r{t}"),
        tenant: TenantId::default(),
        source: Source::UserExplicit,
        subject: Subject::Decision(format!("d{t}")),
        reward,
        confidence: 1.0,
        category: None,
        at: Timestamp(1000 * t + 500),
        metadata: Value::Null,
    }))
}

/// A log whose policy plays `large` with probability `p`, whatever the text; every tenth decision
/// is never rewarded, and rewards come twenty decisions late.
async fn log(n: u64, p: f64) -> MemoryLearningLog {
    let log = MemoryLearningLog::new();
    let mut records = Vec::new();
    for t in 0..n + 20 {
        if t < n {
            let arm = usize::from(uniform(1, 0, t) < p);
            records.push(made(t, arm, [1.0 - p, p], t % 2 == 0));
        }
        if let Some(then) = t.checked_sub(20).filter(|then| then % 10 != 0) {
            let arm = usize::from(uniform(1, 0, then) < p);
            let hit = uniform(1, 1, then) < mean(arm, then % 2 == 0);
            records.push(rewarded(then, f64::from(u8::from(hit))));
        }
    }
    log.append(Arc::from(records)).await.unwrap();
    log
}

async fn judge(log: &MemoryLearningLog, policy: Spec, since: u64) -> Result<Evaluation, StepError> {
    let asked = Evaluate {
        tenant: TenantId::default().to_string(),
        component: Component::Model,
        domain: "route".into(),
        policy,
        since: Timestamp(since),
    };
    evaluate(log, Config::default(), u64::MAX, &asked).await
}

fn holds(interval: Option<(f64, f64)>, truth: f64) -> bool {
    interval.is_some_and(|(low, high)| low <= truth && truth <= high)
}

#[tokio::test]
async fn a_fixed_choice_is_worth_what_it_would_have_earned() {
    let log = log(2000, 0.3).await;
    for arm in [0, 1] {
        let told = judge(&log, Spec::always(ARMS[arm]), 0).await.unwrap();
        assert_eq!((told.decisions, told.rows, told.refused.clone()), (2000, 1800, None));
        // Of the rewarded nine in ten, four are about long texts and five about short ones.
        let truth = (4.0 * mean(arm, true) + 5.0 * mean(arm, false)) / 9.0;
        let estimate = told.estimate.as_ref().unwrap();
        assert!((estimate.value - truth).abs() < 4.0 * estimate.standard_error, "{told:?}");
        assert!(holds(told.interval, truth), "{told:?}");
        assert!((told.mean_weight - 1.0).abs() < 0.1 && told.others.len() == 5);
    }
}

#[tokio::test]
async fn a_policy_that_looks_at_the_text_is_found_better_than_the_one_that_logged() {
    let log = log(2000, 0.5).await;
    let spec = Spec { rule: Rule::Greedy, ..Spec::default() };
    let told = judge(&log, spec, 500_000).await.unwrap();
    assert_eq!(told.decisions, 1500);
    let (low, _) = told.interval.unwrap();
    assert!(told.logged.unwrap() < 0.6 && low > 0.6, "{told:?}");
    assert!(told.estimate.unwrap().value > 0.7);
}

#[tokio::test]
async fn a_log_that_hardly_tried_a_choice_refuses_to_praise_it() {
    // Twice in a thousand: the effective sample is a handful.
    let told = judge(&log(2000, 0.002).await, Spec::always("large"), 0).await.unwrap();
    assert!(told.effective < 20.0, "{told:?}");
    assert!(told.estimate.is_none() && told.interval.is_none() && told.others.is_empty());
    let why = told.refused.unwrap();
    assert!(why.contains("rows where 100 are needed"), "{why}");
}

#[tokio::test]
async fn judging_changes_nothing_and_says_the_same_twice() {
    let log = log(300, 0.5).await;
    let before = log.extent().await.unwrap();
    let once = judge(&log, Spec::always("small"), 0).await.unwrap();
    assert_eq!(once, judge(&log, Spec::always("small"), 0).await.unwrap());
    assert_eq!(log.extent().await.unwrap(), before);
}

#[tokio::test]
async fn what_was_never_decided_and_specs_that_cannot_be_are_refused_by_name() {
    let empty = MemoryLearningLog::new();
    let error = judge(&empty, Spec::always("small"), 0).await.unwrap_err();
    assert_eq!(error.category(), Category::NotFound);
    let spec = Spec { lambda: -1.0, ..Spec::default() };
    let error = judge(&empty, spec, 0).await.unwrap_err();
    assert!(error.to_string().contains("lambda"), "{error}");
}
