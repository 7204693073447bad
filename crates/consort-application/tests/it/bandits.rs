//! The defects of the bandits, the retrieval feedback and the shadow and canary evaluation that
//! these replace, as claims that hold here. Those of experiments are in `trials.rs`, of
//! evaluation in `evaluate.rs`, of the hub in `hub.rs`.

use std::collections::BTreeMap;

use consort_application::{
    Config,
    advanced_bandits::{Action, Answer, Operation},
    learning::{Fate, Spec, Standing},
    unified_feedback::{self, Health, NewSignal},
};
use consort_bandit::Rule;
use consort_core::{
    Category, Component, Decision, Outcome,
    learning::{Source, Subject},
};
use serde_json::json;

use crate::kit::{Kit, signal};

async fn ask(kit: &Kit, operation: Operation) -> Answer {
    match kit.ask(operation.clone()).await.unwrap() {
        Outcome::Succeeded { value } => value,
        other => panic!("{operation:?}: {other:?}"),
    }
}

/// A decision between `a` and `b` in a situation.
async fn decide(kit: &Kit, domain: &str, features: &[(&str, f64)]) -> Decision {
    let operation = Operation::Decide {
        component: Component::Model,
        domain: domain.into(),
        candidates: vec!["a".into(), "b".into()],
        features: features.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
    };
    match ask(kit, operation).await {
        Answer::Decided { decision, .. } => *decision,
        other => panic!("{other:?}"),
    }
}

fn reward(decision: &Decision, reward: f64) -> Operation {
    Operation::Reward { decision: decision.id.clone(), reward, id: None }
}

async fn health(kit: &Kit) -> Vec<Health> {
    match kit.ask(unified_feedback::Operation::Health).await.unwrap() {
        Outcome::Succeeded { value: unified_feedback::Answer::Health(report) } => report.components,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_operation_answers_and_none_takes_what_it_does_not_know() {
    let kit = Kit::start(Config::default()).await;
    let decision = decide(&kit, "route", &[("long", 1.0)]).await;
    let (domain, component) = ("route".to_owned(), Component::Model);
    ask(&kit, reward(&decision, 1.0)).await;
    ask(&kit, Operation::Summary { domain: None }).await;
    ask(&kit, Operation::Compare { domain: domain.clone() }).await;
    let policy = Box::new(Spec::always("a"));
    let since = consort_core::Timestamp(0);
    ask(&kit, Operation::Evaluate { domain: domain.clone(), component, policy, since }).await;
    ask(&kit, Operation::Experiment { action: Action::Status }).await;
    let (spec, why) = (Spec { rule: Rule::Greedy, ..Spec::default() }, "test".to_owned());
    ask(&kit, Operation::SwitchPolicy { domain: domain.clone(), spec, why: why.clone() }).await;
    let exported = match ask(&kit, Operation::Export { domain, component }).await {
        Answer::Exported(exported) => *exported,
        other => panic!("{other:?}"),
    };
    ask(&kit, Operation::Import { exported, merge: true, why }).await;

    let unknown = json!({
        "operation": "decide", "component": "model", "domain": "route",
        "candidates": ["a", "b"], "priority": "high",
    });
    let refused = kit.facade.context(Default::default()).call_json("advanced_bandits", unknown);
    assert_eq!(refused.await.unwrap_err().category(), Category::InvalidRequest);
}

#[tokio::test]
async fn without_a_reward_there_is_no_mean_no_lift_and_no_best() {
    let kit = Kit::start(Config::default()).await;
    for _ in 0..100 {
        decide(&kit, "route", &[]).await;
    }
    kit.ask(unified_feedback::Operation::Flush).await.unwrap();
    let Answer::Compared { domains } =
        ask(&kit, Operation::Compare { domain: "route".into() }).await
    else {
        panic!()
    };
    let told = &domains[0];
    assert_eq!((told.better.len(), told.best.as_deref()), (0, None));
    assert_eq!(told.arms.iter().map(|arm| arm.chosen).sum::<u64>(), 100);
    for arm in &told.arms {
        assert_eq!((arm.pulls, arm.mean, arm.interval, arm.health), (0, None, None, None));
    }
}

#[tokio::test]
async fn a_report_without_a_figure_is_refused_and_earns_nothing() {
    let kit = Kit::start(Config::default()).await;
    let decision = decide(&kit, "route", &[]).await;
    let cx = || kit.facade.context(Default::default());
    let reward = json!({ "operation": "reward", "decision": decision.id });
    let signal = json!({
        "operation": "submit_feedback",
        "signal": { "source": "tool_execution", "subject": { "decision": decision.id } },
    });
    for (callee, empty) in [("advanced_bandits", reward), ("unified_feedback", signal)] {
        let refused = cx().call_json(callee, empty).await.unwrap_err();
        assert_eq!(refused.category(), Category::InvalidRequest, "{refused:?}");
    }
    assert_eq!(kit.metrics().await.totals.signals, 0);
}

#[tokio::test]
async fn a_refused_report_changes_nothing_and_an_accepted_one_counts_once() {
    let kit = Kit::start(Config::default()).await;
    let decision = decide(&kit, "route", &[]).await;
    let before = kit.learning.state().to_bytes().unwrap();
    for wrong in [-0.1, 1.1, f64::NAN] {
        let refused = kit.ask(reward(&decision, wrong)).await.unwrap_err();
        assert_eq!(refused.category(), Category::InvalidRequest);
        let bad = signal("s", Subject::Decision(decision.id.clone()), wrong);
        assert_eq!(kit.submit(bad).await.unwrap_err().category(), Category::InvalidRequest);
    }
    assert_eq!(kit.learning.state().to_bytes().unwrap(), before);
    for fate in [Fate::Learned, Fate::Duplicate] {
        assert_eq!(ask(&kit, reward(&decision, 0.5)).await, Answer::Rewarded { fate });
    }
    assert_eq!(kit.metrics().await.totals.learned, 1);
}

#[tokio::test]
async fn every_fact_of_the_situation_can_decide() {
    let kit = Kit::start(Config::default()).await;
    for fact in ["language=de", "length", "weekday", "anything.at.all"] {
        for t in 0..120 {
            let here = f64::from(t % 2);
            let decision = decide(&kit, fact, &[(fact, here), ("constant", 1.0)]).await;
            let right = if here > 0.5 { "b" } else { "a" };
            let earned = f64::from(u8::from(decision.choice() == right));
            ask(&kit, reward(&decision, earned)).await;
        }
        for (here, right) in [(0.0, 0), (1.0, 1)] {
            let decision = decide(&kit, fact, &[(fact, here), ("constant", 1.0)]).await;
            assert!(decision.propensities[right] > 0.6, "{fact}: {:?}", decision.propensities);
        }
    }
}

#[tokio::test]
async fn points_of_choice_keep_settings_of_their_own() {
    let policies = BTreeMap::from([
        ("first".to_owned(), Spec::always("a")),
        ("second".to_owned(), Spec::always("b")),
        ("third".to_owned(), Spec { floor: 0.5, ..Spec::default() }),
    ]);
    let kit = Kit::start(Config { policies, ..Config::default() }).await;
    assert_eq!(decide(&kit, "first", &[]).await.propensities, [1.0, 0.0]);
    assert_eq!(decide(&kit, "second", &[]).await.propensities, [0.0, 1.0]);
    for _ in 0..60 {
        let decision = decide(&kit, "third", &[]).await;
        let earned = if decision.choice() == "a" { 0.9 } else { 0.4 };
        ask(&kit, reward(&decision, earned)).await;
        assert!(decision.propensities.iter().all(|p| *p >= 0.25), "{decision:?}");
    }
}

#[tokio::test]
async fn what_was_useless_two_hundred_times_is_disabled_and_nobody_else() {
    let kit = Kit::start(Config::default()).await;
    let operation = Operation::Decide {
        component: Component::Memory,
        domain: "passages".into(),
        candidates: vec!["useless".into(), "useful".into()],
        features: BTreeMap::new(),
    };
    ask(&kit, operation.clone()).await;
    for n in 0..200 {
        for (id, relevance) in [("useless", 0.0), ("useful", 0.8)] {
            let subject = Subject::Component { component: Component::Memory, id: id.into() };
            let retrieved = NewSignal {
                source: Source::RagRetrieval,
                ..signal(&format!("{id} {n}"), subject, relevance)
            };
            let answered = kit.submit(retrieved).await.unwrap();
            let disabled = matches!(&answered, Outcome::Skipped { reason } if reason.contains(id));
            assert!(matches!(answered, Outcome::Succeeded { .. }) || disabled && id == "useless");
        }
    }
    let told = health(&kit).await;
    let of = |id: &str| told.iter().find(|one| one.id == id).unwrap();
    assert!(matches!(of("useless").standing, Standing::Disabled { .. }));
    assert_eq!((of("useless").health, of("useful").standing), (Some(0.0), Standing::Enabled));
    match ask(&kit, operation).await {
        Answer::Decided { choice, .. } => assert_eq!(choice, "useful"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_a_user_says_teaches_like_what_was_measured() {
    let kit = Kit::start(Config::default()).await;
    for (n, source) in Source::ALL.into_iter().enumerate() {
        let decision = decide(&kit, "route", &[]).await;
        let said =
            NewSignal { source, ..signal(&n.to_string(), Subject::Decision(decision.id), 1.0) };
        match kit.submit(said).await.unwrap() {
            Outcome::Succeeded { value: unified_feedback::Answer::Taken { fate, .. } } => {
                assert_eq!(fate, Some(Fate::Learned), "{source:?}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(kit.metrics().await.totals.learned, Source::ALL.len() as u64);
}

#[tokio::test]
async fn what_is_kept_of_a_decision_does_not_grow_with_what_was_attached_to_it() {
    let kit = Kit::start(Config::default()).await;
    let mut sizes = Vec::new();
    for attached in [1, 100_000] {
        for n in 0..20 {
            let decision = decide(&kit, "route", &[]).await;
            let metadata = json!({ "passage": "x".repeat(attached) });
            let id = format!("{attached} {n}");
            let heavy = NewSignal { metadata, ..signal(&id, Subject::Decision(decision.id), 0.5) };
            kit.submit(heavy).await.unwrap();
        }
        sizes.push(kit.learning.state().to_bytes().unwrap().len());
    }
    assert!(sizes[1] < 2 * sizes[0] + 10_000, "{sizes:?}");
}
