//! What users and other programs get wrong, or mean ill: each is refused by name, and nothing that
//! was known is lost by it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use consort_application::{
    Config, Learning,
    advanced_bandits::{Answer as Told, Exported, Operation as Ask, view::Summary},
    learning::{Fate, Open, Spec},
    unified_feedback::{Answer, NewSignal, Operation},
};
use consort_bandit::{
    Rule,
    features::{Field, Kind, Namespace},
};
use consort_core::{
    Category, Component, FacadeBuilder, Name, Outcome, StepError, SystemClock, TenantId, Timestamp,
    journal::{Journal, JournalError, JournalErrorKind, Message},
    learning::{Extent, LearningLog, Record, Snapshot, Subject},
};
use consort_durable::{MemoryJournal, MemoryLearningLog};
use futures_util::future::BoxFuture;

use crate::kit::{Kit, signal};

async fn told(kit: &Kit, ask: Ask) -> Result<Told, StepError> {
    Ok(kit.ask(ask).await?.into_value()?.0)
}

async fn fate(kit: &Kit, signal: NewSignal) -> Option<Fate> {
    match kit.submit(signal).await.unwrap() {
        Outcome::Succeeded { value: Answer::Taken { fate, .. } } => fate,
        other => panic!("{other:?}"),
    }
}

fn field(error: &StepError) -> &str {
    error.violations().first().map_or("none", |violation| &violation.pointer)
}

async fn summary(kit: &Kit, tenant: &str) -> Summary {
    let cx = kit.facade.context(TenantId::new(tenant).unwrap());
    match cx.call(Ask::Summary { domain: Some("route".into()) }).await.unwrap() {
        Outcome::Succeeded { value: Told::Summary { mut domains } } => domains.remove(0),
        other => panic!("{other:?}"),
    }
}

/// What was learned in a domain where `b` is better.
async fn taught(good: f64) -> (Kit, Exported) {
    let kit = Kit::start(Config::default()).await;
    for n in 0..20 {
        let (decision, choice) = kit.decide("route", &["a", "b"]).await;
        let reward = if choice == "b" { good } else { 0.1 };
        kit.submit(signal(&n.to_string(), Subject::Decision(decision), reward)).await.unwrap();
    }
    let export = Ask::Export { domain: "route".into(), component: Component::Model };
    let Told::Exported(exported) = told(&kit, export).await.unwrap() else { panic!() };
    (kit, *exported)
}

fn import(exported: &Exported, merge: bool) -> Ask {
    Ask::Import { exported: exported.clone(), merge, why: "moved".into() }
}

#[tokio::test]
async fn a_signal_from_the_future_is_refused_and_closes_no_decision() {
    let kit = Kit::start(Config::default()).await;
    let (decision, _) = kit.decide("route", &["a", "b"]).await;
    let mut future = signal("f", Subject::Decision(decision.clone()), 0.5);
    future.at = Some(Timestamp(u64::MAX));
    assert_eq!(field(&kit.submit(future).await.unwrap_err()), "/signal/at");
    assert_eq!(
        fate(&kit, signal("r", Subject::Decision(decision), 0.5)).await,
        Some(Fate::Learned)
    );
}

#[tokio::test]
async fn what_is_not_known_yet_is_absent_and_not_perfect() {
    let kit = Kit::start(Config::default()).await;
    let report = async || match kit.ask(Operation::Health).await.unwrap() {
        Outcome::Succeeded { value: Answer::Health(report) } => report,
        other => panic!("{other:?}"),
    };
    let empty = report().await;
    assert_eq!((empty.overall, empty.components.len()), (None, 0));
    kit.decide("route", &["a"]).await;
    kit.ask(Operation::Flush).await.unwrap();
    let unjudged = report().await;
    assert_eq!((unjudged.overall, unjudged.components[0].health), (None, None));
}

#[tokio::test]
async fn a_reward_that_makes_no_sense_is_refused_by_its_field() {
    let kit = Kit::start(Config::default()).await;
    let reward = async |decision: String, reward: f64, id: Option<String>| {
        let refused = told(&kit, Ask::Reward { decision, reward, id }).await.unwrap_err();
        assert_eq!(refused.category(), Category::InvalidRequest);
        field(&refused).to_owned()
    };
    assert_eq!(reward("d".into(), 1.01, None).await, "/reward");
    assert_eq!(reward("d".into(), -0.01, None).await, "/reward");
    assert_eq!(reward(String::new(), 0.5, None).await, "/decision");
    assert_eq!(reward("d".repeat(513), 0.5, None).await, "/decision");
    assert_eq!(reward("d".into(), 0.5, Some(String::new())).await, "/id");
    assert_eq!(kit.metrics().await.totals.signals, 0);
}

#[tokio::test]
async fn a_model_from_elsewhere_that_does_not_fit_is_refused_by_its_field() {
    let (_, exported) = taught(0.9).await;
    let kit = Kit::start(Config::default()).await;
    let wrong = async |change: &dyn Fn(&mut Exported)| {
        let mut exported = exported.clone();
        change(&mut exported);
        let refused = told(&kit, import(&exported, false)).await.unwrap_err();
        assert_eq!(refused.category(), Category::InvalidRequest, "{refused:?}");
        field(&refused).to_owned()
    };
    assert_eq!(wrong(&|of| of.model = "ü".into()).await, "/exported/model");
    assert_eq!(wrong(&|of| of.model = "00ff".into()).await, "/exported/model");
    assert_eq!(wrong(&|of| of.model.truncate(100)).await, "/exported/model");
    assert_eq!(wrong(&|of| of.arms[1] = "a".into()).await, "/exported/arms");
    // What the model knows of `b` would be taken for knowledge of whatever comes next.
    assert_eq!(wrong(&|of| of.arms.truncate(1)).await, "/exported/arms");
    let features = vec![Namespace::new("any", Kind::Hashed { slots: 17 })];
    let other = |of: &mut Exported| of.spec.features.clone_from(&features);
    assert_eq!(wrong(&other).await, "/exported/spec/features");
    kit.decide("route", &["b", "a"]).await;
    assert_eq!(wrong(&|_| {}).await, "/exported/arms");
    assert_eq!(kit.metrics().await.totals.changes, 0);
}

/// Two namespaces of the same size: numbers of one mean nothing under the other.
#[tokio::test]
async fn knowledge_of_other_features_is_never_taken_for_ones_own() {
    let numbers = |names: [&str; 2]| Spec {
        features: vec![Namespace::new(
            "page",
            Kind::Numbers(names.map(|name| Field::new(name, 0.0, 1.0)).to_vec()),
        )],
        ..Spec::default()
    };
    let kit = Kit::start(Config::default()).await;
    let switch = |spec| Ask::SwitchPolicy { domain: "route".into(), spec, why: "ours".into() };
    let decide = || Ask::Decide {
        component: Component::Model,
        domain: "route".into(),
        candidates: vec!["a".into(), "b".into()],
        features: [("page.links".to_owned(), 0.5), ("page.words".to_owned(), 0.5)].into(),
    };
    told(&kit, switch(numbers(["links", "words"]))).await.unwrap();
    told(&kit, decide()).await.unwrap();
    kit.ask(Operation::Flush).await.unwrap();
    let export = Ask::Export { domain: "route".into(), component: Component::Model };
    let Told::Exported(exported) = told(&kit, export).await.unwrap() else { panic!() };
    told(&kit, switch(numbers(["words", "links"]))).await.unwrap();
    let refused = told(&kit, import(&exported, false)).await.unwrap_err();
    assert_eq!(field(&refused), "/exported/spec/features");
    assert!(
        refused.suggested_actions().iter().any(|hint| hint.contains("switch_policy")),
        "{refused:?}"
    );
    told(&kit, switch(exported.spec.clone())).await.unwrap();
    told(&kit, import(&exported, false)).await.unwrap();
}

#[tokio::test]
async fn a_pause_that_was_asked_for_is_no_illness() {
    let kit = Kit::start(Config::default()).await;
    kit.decide("route", &["a", "b"]).await;
    let about = |id: &str, category| {
        let subject = Subject::Component { component: Component::Model, id: "a".into() };
        NewSignal { category, ..signal(id, subject, 0.7) }
    };
    let not_now = || about("not now", Some(Category::CircuitOpen));
    assert_eq!(fate(&kit, not_now()).await, Some(Fate::Excused));
    assert_eq!(kit.decide("route", &["a", "b"]).await.1, "b");
    assert_eq!(fate(&kit, about("earlier", None)).await, Some(Fate::Observed));
    assert_eq!(fate(&kit, not_now()).await, Some(Fate::Duplicate));
}

#[tokio::test]
async fn what_was_learned_elsewhere_is_merged_once() {
    let (_, exported) = taught(0.9).await;
    let kit = Kit::start(Config::default()).await;
    told(&kit, import(&exported, true)).await.unwrap();
    let twice = told(&kit, import(&exported, true)).await.unwrap_err();
    assert_eq!(twice.category(), Category::Conflict, "{twice:?}");
    // Putting it in place of all that is known is the same however often.
    told(&kit, import(&exported, false)).await.unwrap();
    told(&kit, import(&exported, false)).await.unwrap();
    assert!(told(&kit, import(&exported, true)).await.is_err());
    let (_, other) = taught(0.8).await;
    told(&kit, import(&other, false)).await.unwrap();
    told(&kit, import(&exported, true)).await.unwrap();
    let Answer::Replayed { equal, .. } =
        kit.ask(Operation::Replay).await.unwrap().into_value().unwrap().0
    else {
        panic!()
    };
    assert!(equal);
}

#[tokio::test]
async fn policies_that_need_too_much_memory_or_forget_candidates_are_refused() {
    let (kit, _) = taught(0.9).await;
    let switch = async |domain: &str, spec: Spec| {
        let ask = Ask::SwitchPolicy { domain: domain.into(), spec, why: "more".into() };
        told(&kit, ask).await.map(drop)
    };
    let huge = Spec {
        arms: 256,
        features: vec![Namespace::new("any", Kind::Hashed { slots: 4096 })],
        ..Spec::default()
    };
    let refused = switch("route", huge).await.unwrap_err();
    assert!(refused.to_string().contains("`features`"), "{refused:?}");
    let refused = switch("route", Spec { arms: 1, ..Spec::default() }).await.unwrap_err();
    assert_eq!(field(&refused), "/spec/arms");
    assert_eq!(summary(&kit, "default").await.arms.len(), 2);
}

#[tokio::test]
async fn no_more_domains_get_a_policy_than_may_be_decided_in() {
    let kit = Kit::start(Config { domains: 3, ..Config::default() }).await;
    let switch = async |domain: &str| {
        let spec = Spec::default();
        told(&kit, Ask::SwitchPolicy { domain: domain.into(), spec, why: "more".into() }).await
    };
    for domain in ["one", "two", "three"] {
        switch(domain).await.unwrap();
    }
    assert_eq!(switch("four").await.unwrap_err().category(), Category::ResourceExhausted);
    switch("two").await.unwrap();
    let (_, mut exported) = taught(0.9).await;
    for domain in ["one", "two", "three"] {
        exported.domain = domain.into();
        told(&kit, import(&exported, false)).await.unwrap();
    }
    exported.domain = "four".into();
    let refused = told(&kit, import(&exported, false)).await.unwrap_err();
    assert_eq!(refused.category(), Category::ResourceExhausted);
}

#[tokio::test]
async fn what_one_tenant_took_in_is_not_told_to_another() {
    let (_, exported) = taught(0.9).await;
    let kit = Kit::start(Config::default()).await;
    let cx = kit.facade.context(TenantId::new("acme").unwrap());
    cx.call(import(&exported, false)).await.unwrap();
    let switch =
        Ask::SwitchPolicy { domain: "route".into(), spec: Spec::default(), why: "all".into() };
    told(&kit, switch).await.unwrap();
    kit.decide("route", &["x"]).await;
    kit.ask(Operation::Flush).await.unwrap();
    let own: Vec<String> =
        summary(&kit, "default").await.history.into_iter().map(|line| line.why).collect();
    assert_eq!(own, ["all"]);
    assert_eq!(summary(&kit, "acme").await.history.len(), 2);
}

#[tokio::test]
async fn decisions_that_found_no_room_are_counted() {
    let config = Config { queue: 1, ..Config::default() };
    let kit = Kit::installed(config, MemoryLearningLog::new()).await;
    // Not started: nothing drains.
    for _ in 0..6 {
        kit.decide("route", &["a"]).await;
    }
    let decisions = kit.metrics().await.decisions;
    assert_eq!((decisions.waiting, decisions.queued, decisions.dropped), (4, 4, 2));
}

#[tokio::test]
async fn names_of_any_script_come_back_as_they_were() {
    let kit = Kit::start(Config::default()).await;
    let names = ["größer", "小さい", "🦀", "a b\tc"];
    let (decision, choice) = kit.decide("möglich/人", &names).await;
    assert!(names.contains(&choice.as_str()));
    assert_eq!(
        fate(&kit, signal("ü", Subject::Decision(decision), 1.0)).await,
        Some(Fate::Learned)
    );
    let subject = Subject::Component { component: Component::Model, id: "🦀".into() };
    assert_eq!(fate(&kit, signal("é", subject, 1.0)).await, Some(Fate::Observed));
    let bytes = kit.learning.state().to_bytes().unwrap();
    let read = consort_application::learning::State::from_bytes(&bytes, Config::default()).unwrap();
    let arms = read.domains().values().next().unwrap().arms().to_vec();
    assert_eq!(arms.iter().map(|arm| arm.name.as_str()).collect::<Vec<_>>(), names);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_could_not_be_opened_is_tried_again() {
    let (blocked, log) = (Arc::new(AtomicBool::new(true)), MemoryLearningLog::new());
    let is_blocked = blocked.clone();
    let open: Open = Box::new(move || {
        let log: Arc<dyn LearningLog> = Arc::new(log.clone());
        let found = match is_blocked.load(Ordering::Relaxed) {
            true => Err(StepError::new(Category::StorageFull, "the disk is full")),
            false => Ok(log),
        };
        Box::pin(std::future::ready(found))
    });
    let learning = Learning::new(Config::default(), Arc::new(SystemClock), open).unwrap();
    let facade = FacadeBuilder::default().build(Arc::new(MemoryJournal::new())).unwrap();
    consort_application::install(&facade, &learning).await.unwrap();
    facade.start(true).await.unwrap();
    let cx = facade.context(TenantId::default());
    let submit = || {
        let subject = Subject::Component { component: Component::Tool, id: "x".into() };
        cx.call(Operation::SubmitFeedback { signal: signal("s", subject, 0.5), wait: true })
    };
    assert_eq!(submit().await.unwrap_err().category(), Category::StorageFull);
    blocked.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(31)).await;
    submit().await.unwrap();
}

#[tokio::test]
async fn every_rule_answers_its_first_question_and_learns_from_it() {
    let rules = [
        Rule::LinUcb { alpha: 0.8 },
        Rule::Thompson { scale: 0.5 },
        Rule::SquareCb { gamma: 10.0, exponent: 0.5 },
        Rule::EpsilonGreedy { epsilon: 0.1, decay: true },
        Rule::RegCb { c0: 0.01 },
        Rule::Greedy,
    ];
    let specs = rules.map(|rule| Spec { rule, ..Spec::default() });
    for spec in specs.into_iter().chain([Spec::default().automatic()]) {
        let kit = Kit::start(Config::default()).await;
        let name = spec.rule_name();
        let ask = Ask::SwitchPolicy { domain: "route".into(), spec, why: "try".into() };
        told(&kit, ask).await.unwrap();
        let (only, choice) = kit.decide("route", &["a"]).await;
        assert_eq!(choice, "a", "{name}");
        assert_eq!(
            fate(&kit, signal("r", Subject::Decision(only), 0.5)).await,
            Some(Fate::Learned),
            "{name}"
        );
        kit.decide("route", &["a", "b", "c"]).await;
        kit.ask(Operation::Flush).await.unwrap();
        let summary = summary(&kit, "default").await;
        // Each is counted once.
        assert_eq!((summary.decisions, summary.rewards), (2, 1), "{name}");
    }
}

/// A log whose disk is full for a while.
#[derive(Clone, Debug)]
struct Full(MemoryLearningLog, Arc<AtomicBool>);

impl LearningLog for Full {
    fn append(&self, records: Arc<[Record]>) -> BoxFuture<'static, Result<u64, JournalError>> {
        if self.1.load(Ordering::Relaxed) {
            let full = JournalError::new(JournalErrorKind::Full, "the disk is full");
            return Box::pin(std::future::ready(Err(full)));
        }
        self.0.append(records)
    }

    fn read(
        &self,
        position: u64,
        limit: usize,
    ) -> BoxFuture<'static, Result<Vec<(u64, Record)>, JournalError>> {
        self.0.read(position, limit)
    }

    fn extent(&self) -> BoxFuture<'static, Result<Extent, JournalError>> {
        self.0.extent()
    }

    fn save(&self, snapshot: Snapshot) -> BoxFuture<'static, Result<(), JournalError>> {
        self.0.save(snapshot)
    }

    fn snapshot(&self) -> BoxFuture<'static, Result<Option<Snapshot>, JournalError>> {
        self.0.snapshot()
    }

    fn trim(&self, position: u64) -> BoxFuture<'static, Result<u64, JournalError>> {
        self.0.trim(position)
    }

    fn close(&self) -> BoxFuture<'static, Result<(), JournalError>> {
        self.0.close()
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_full_disk_and_nothing_queued_is_lost() {
    let full = Arc::new(AtomicBool::new(true));
    let log = Full(MemoryLearningLog::new(), full.clone());
    let clock = Arc::new(SystemClock);
    let learning = Learning::new(Config::default(), clock, crate::kit::opener(log)).unwrap();
    let facade = FacadeBuilder::default().build(Arc::new(MemoryJournal::new())).unwrap();
    consort_application::install(&facade, &learning).await.unwrap();
    facade.start(true).await.unwrap();
    let cx = facade.context(TenantId::default());
    let submit = |id: &str| {
        let subject = Subject::Component { component: Component::Tool, id: "x".into() };
        cx.call(Operation::SubmitFeedback { signal: signal(id, subject, 0.5), wait: true })
    };
    for id in ["first", "behind it"] {
        let told = submit(id).await.unwrap_err();
        assert_eq!(told.category(), Category::StorageFull);
        assert!(told.suggested_actions().iter().any(|hint| hint.contains("still queued")));
    }
    assert_eq!(cx.call(Operation::Flush).await.unwrap_err().category(), Category::StorageFull);
    full.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(2)).await;
    cx.call(Operation::Flush).await.unwrap();
    assert_eq!(learning.state().totals().signals, 2);
}

#[tokio::test(start_paused = true)]
async fn what_another_process_sent_waits_while_no_signals_are_taken() {
    let journal = MemoryJournal::new();
    let open = crate::kit::opener(MemoryLearningLog::new());
    let learning = Learning::new(Config::default(), Arc::new(SystemClock), open).unwrap();
    let facade = FacadeBuilder::default().build(Arc::new(journal.clone())).unwrap();
    consort_application::install(&facade, &learning).await.unwrap();
    facade.start(true).await.unwrap();
    let cx = facade.context(TenantId::default());
    cx.call(Operation::Stop).await.unwrap();
    let subject = Subject::Component { component: Component::Tool, id: "x".into() };
    let submit = Operation::SubmitFeedback { signal: signal("s", subject, 0.5), wait: true };
    journal.post(Message::Custom {
        orchestrator: Name::new("unified_feedback").unwrap(),
        request: serde_json::to_value(submit).unwrap(),
    });
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(journal.inbox().await.unwrap().len(), 1);
    cx.call(Operation::Start).await.unwrap();
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(journal.inbox().await.unwrap(), []);
    assert_eq!(learning.state().totals().signals, 1);
}
