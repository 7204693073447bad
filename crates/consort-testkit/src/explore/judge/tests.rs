//! What no orchestrator can provoke: faults of the engine itself.

use consort_core::{Name, Outcome, RunId, Spend, TenantId, Timestamp, Version, record::RunState};
use serde_json::json;

use super::*;

fn scenario() -> Scenario {
    Scenario::new().request_json("buy", json!({}))
}

fn seen() -> Seen {
    let id = RunId::root(1, 1);
    let run = RunSummary {
        id: id.clone(),
        orchestrator: Name::new("buy").unwrap(),
        version: Version::new(1, 0, 0),
        tenant: TenantId::default(),
        state: RunState::Ended,
        status: Some(Status::Succeeded),
        category: None,
        started: Timestamp(1),
        ended: Some(Timestamp(2)),
        due: None,
        steps: 1,
        spend: Spend::ZERO,
    };
    let mut observed = Observed::default();
    observed.cleanups.insert(id.clone(), 1);
    observed.calls.push(Call {
        callee: "charge".into(),
        effect: Effect::Idempotent,
        key: format!("{id}/0"),
        request: json!({"cents": 5}),
        answer: None,
        too_late: false,
    });
    let endings = vec![Ending::Answered(Ok(Outcome::succeeded(json!("receipt"))))];
    Seen { endings, runs: vec![run], observed, uncertain: 0 }
}

#[track_caller]
fn check(change: impl FnOnce(&mut Seen), expected: &[(Kind, &str)]) {
    let mut changed = seen();
    change(&mut changed);
    let faults = judge(&scenario(), &seen(), &changed);
    let faults: Vec<_> =
        faults.iter().map(|(kind, subject, _)| (*kind, subject.as_str())).collect();
    assert_eq!(faults, expected);
}

#[test]
fn the_same_is_no_fault() {
    check(|_| {}, &[]);
}

#[test]
fn a_finished_step_that_runs_again_is_named() {
    let again = |seen: &mut Seen| {
        let call = Call { too_late: true, ..seen.observed.calls[0].clone() };
        seen.observed.calls.push(call);
    };
    check(again, &[(Kind::RepeatedStep, "charge")]);
}

#[test]
fn an_end_without_cleanup_is_named() {
    check(|seen| seen.observed.cleanups.clear(), &[(Kind::CleanupMissing, "buy")]);
}

#[test]
fn an_effect_that_never_happened_is_lost() {
    check(|seen| seen.observed.calls.clear(), &[(Kind::LostEffect, "charge")]);
}

#[test]
fn a_child_that_nobody_ends_hangs() {
    let open = |seen: &mut Seen| {
        let child = RunSummary {
            id: seen.runs[0].id.child(3),
            orchestrator: Name::new("pack").unwrap(),
            status: None,
            ended: None,
            ..seen.runs[0].clone()
        };
        seen.runs.push(child);
    };
    check(open, &[(Kind::Hang, "pack")]);
}

#[test]
fn nothing_is_said_about_what_follows_an_uncertain_step() {
    let lost = |seen: &mut Seen| {
        seen.uncertain = 1;
        seen.observed.calls.clear();
        seen.endings = vec![Ending::Answered(Ok(Outcome::uncertain("who knows")))];
    };
    check(lost, &[]);
}
