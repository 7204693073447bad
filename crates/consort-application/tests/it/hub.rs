//! The defects F1 to F13 of the hub this one replaces, as claims that hold here.

use consort_application::{
    Config, advanced_bandits,
    learning::{Fate, KINDS, Standing},
    unified_feedback::{
        Answer, Operation, Stage,
        trajectory::{Done, Expected, Match, Trajectory},
    },
};
use consort_core::{
    Category, Component, Outcome, RunId,
    learning::{LearningLog, Source, Subject},
};
use consort_durable::MemoryLearningLog;

use crate::kit::{Kit, signal};

fn component(component: Component, id: &str) -> Subject {
    Subject::Component { component, id: id.into() }
}

fn taken(outcome: Outcome<Answer>) -> (Stage, Option<Fate>) {
    match outcome {
        Outcome::Succeeded { value: Answer::Taken { stage, fate, .. } } => (stage, fate),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn f1_an_empty_queue_is_not_an_unknown_component() {
    let kit = Kit::start(Config::default()).await;
    for kind in KINDS {
        let signal = signal("s", component(kind, "x"), 0.5);
        let (stage, fate) = taken(kit.submit(signal).await.unwrap());
        assert_eq!((stage, fate), (Stage::Accepted, Some(Fate::Unconsumed)));
    }
    for source in Source::ALL {
        let mut signal = signal(source.name(), component(Component::Tool, "x"), 0.5);
        signal.source = source;
        kit.submit(signal).await.unwrap();
    }
    let metrics = kit.metrics().await;
    assert!(metrics.sources.iter().all(|(_, count)| *count >= 1), "{:?}", metrics.sources);
}

#[tokio::test]
async fn f2_every_operation_answers_through_the_facade() {
    let kit = Kit::start(Config::default()).await;
    use Operation::{Flush, Health, Metrics, Replay, Start, Stop};
    for operation in [Metrics, Health, Stop, Start, Flush, Replay] {
        let answered = kit.ask(operation.clone()).await;
        assert!(matches!(answered, Ok(Outcome::Succeeded { .. })), "{operation:?}: {answered:?}");
    }
}

#[tokio::test]
async fn f3_calls_leave_no_tasks_behind() {
    let kit = Kit::start(Config::default()).await;
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    kit.metrics().await;
    let before = alive();
    for n in 0..50 {
        kit.submit(signal(&n.to_string(), component(Component::Tool, "x"), 0.5)).await.unwrap();
    }
    assert_eq!(alive(), before);
}

#[tokio::test]
async fn f4_a_second_hub_is_refused_by_name_and_changes_nothing() {
    let kit = Kit::start(Config::default()).await;
    let refused = consort_application::install(&kit.facade, &kit.learning).await.unwrap_err();
    assert_eq!(refused.category(), Category::Conflict);
    assert!(kit.metrics().await.running);
}

#[tokio::test]
async fn f5_a_trajectory_reaches_the_decisions_of_its_run() {
    let kit = Kit::start(Config::default()).await;
    let (decision, _) = kit.decide("route", &["a", "b"]).await;
    let run = RunId::new(decision.rsplit_once('/').unwrap().0).unwrap();
    let done = |callee: &str| Done { callee: callee.into(), failed: None };
    let trajectory = Trajectory {
        run,
        id: None,
        steps: vec![done("fetch"), done("chat")],
        expected: Some(Expected {
            compare: Match::Superset,
            callees: vec!["fetch".into(), "chat".into()],
        }),
        succeeded: None,
        failed: None,
    };
    let submitted = Operation::SubmitTrajectory { trajectory, wait: true };
    match kit.ask(submitted.clone()).await.unwrap() {
        Outcome::Succeeded { value: Answer::Taken { fate, evaluated, .. } } => {
            assert_eq!(fate, Some(Fate::Learned));
            assert_eq!(evaluated.unwrap().overall, 1.0);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(taken(kit.ask(submitted).await.unwrap()).1, Some(Fate::Duplicate));
}

#[tokio::test]
async fn f6_f7_every_accepted_signal_teaches_somebody_or_is_reported() {
    let kit = Kit::start(Config::default()).await;
    for (n, kind) in KINDS.into_iter().enumerate() {
        let operation = advanced_bandits::Operation::Decide {
            component: kind,
            domain: "point".into(),
            candidates: vec!["x".into(), "y".into()],
            features: Default::default(),
        };
        let Outcome::Succeeded { value: advanced_bandits::Answer::Decided { decision, .. } } =
            kit.ask(operation).await.unwrap()
        else {
            panic!()
        };
        let of_decision = signal("r", Subject::Decision(decision.id), 0.9);
        assert_eq!(taken(kit.submit(of_decision).await.unwrap()).1, Some(Fate::Learned));
        let of_component = signal("c", component(kind, "x"), 0.9);
        assert_eq!(taken(kit.submit(of_component).await.unwrap()).1, Some(Fate::Observed));
        let of_nobody = signal("n", component(kind, "nobody"), 0.9);
        assert_eq!(taken(kit.submit(of_nobody).await.unwrap()).1, Some(Fate::Unconsumed));
        let totals = kit.metrics().await.totals;
        let n = n as u64 + 1;
        assert_eq!((totals.learned, totals.observed, totals.unconsumed), (n, n, n));
        assert_eq!(totals.signals, 3 * n);
    }
}

#[tokio::test]
async fn f8_health_is_made_of_rewards_and_not_of_how_full_a_queue_is() {
    let kit = Kit::start(Config { queue: 20, ..Config::default() }).await;
    kit.decide("route", &["a"]).await;
    for n in 0..18 {
        let signal = signal(&n.to_string(), component(Component::Model, "a"), 1.0);
        kit.ask(Operation::SubmitFeedback { signal, wait: false }).await.unwrap();
    }
    kit.ask(Operation::Flush).await.unwrap();
    let Outcome::Succeeded { value: Answer::Health(report) } =
        kit.ask(Operation::Health).await.unwrap()
    else {
        panic!()
    };
    let health = &report.components[0];
    assert_eq!((health.health, health.samples), (Some(1.0), 18));
    assert_eq!((health.average, report.overall), (Some(1.0), Some(1.0)));
}

#[tokio::test]
async fn f9_a_disabled_component_takes_no_signals_and_comes_back() {
    let kit = Kit::start(Config::default()).await;
    kit.decide("route", &["a", "b"]).await;
    let submit = |n: u32, reward| {
        kit.submit(signal(&n.to_string(), component(Component::Model, "a"), reward))
    };
    for n in 0..11 {
        submit(n, 0.0).await.unwrap();
    }
    match submit(11, 1.0).await.unwrap() {
        Outcome::Skipped { reason } => assert!(reason.contains("`a` is disabled"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(kit.decide("route", &["a", "b"]).await.1, "b");
    kit.clock.set(consort_core::Timestamp(1_000_000 + 60_000));
    let summary = advanced_bandits::Operation::Summary { domain: None };
    let Outcome::Succeeded { value: advanced_bandits::Answer::Summary { domains } } =
        kit.ask(summary).await.unwrap()
    else {
        panic!()
    };
    // Its rest is over by the clock, although nothing was learned since.
    assert_eq!(domains[0].arms[0].standing, Standing::Probation { times: 1 });
    for n in 20..25 {
        submit(n, 0.9).await.unwrap();
    }
    let Outcome::Succeeded { value: Answer::Health(report) } =
        kit.ask(Operation::Health).await.unwrap()
    else {
        panic!()
    };
    assert_eq!(report.components[0].standing, Standing::Enabled);
}

#[tokio::test]
async fn f10_overflow_is_refused_by_name_and_counted() {
    let kit =
        Kit::installed(Config { queue: 3, ..Config::default() }, MemoryLearningLog::new()).await;
    // Not started: nothing drains.
    let submit = |n: u32| {
        let signal = signal(&n.to_string(), component(Component::Tool, "x"), 0.5);
        kit.ask(Operation::SubmitFeedback { signal, wait: false })
    };
    for n in 0..3 {
        assert_eq!(taken(submit(n).await.unwrap()).0, Stage::Queued);
    }
    let refused = submit(3).await.unwrap_err();
    assert_eq!(refused.category(), Category::Overloaded);
    let metrics = kit.metrics().await;
    assert_eq!((metrics.queued, metrics.dropped, metrics.accepted), (3, 1, 0));
    kit.facade.start(true).await.unwrap();
    kit.ask(Operation::Flush).await.unwrap();
    assert_eq!(taken(submit(3).await.unwrap()).0, Stage::Queued);
}

#[tokio::test(start_paused = true)]
async fn f11_what_was_learned_is_consolidated_by_itself() {
    let kit = Kit::start(Config::default()).await;
    kit.submit(signal("s", component(Component::Tool, "x"), 0.5)).await.unwrap();
    assert_eq!(kit.log.snapshot().await.unwrap(), None);
    tokio::time::sleep(std::time::Duration::from_secs(61)).await;
    let position = kit.learning.state().position();
    assert_eq!(kit.log.snapshot().await.unwrap().unwrap().position, position);
    assert_eq!(kit.metrics().await.consolidations, 1);
}

#[tokio::test]
async fn f12_stopping_waits_and_starting_again_works() {
    let kit = Kit::start(Config::default()).await;
    let submit = |n: u32| {
        let signal = signal(&n.to_string(), component(Component::Tool, "x"), 0.5);
        kit.ask(Operation::SubmitFeedback { signal, wait: false })
    };
    submit(1).await.unwrap();
    kit.ask(Operation::Stop).await.unwrap();
    assert_eq!(kit.metrics().await.totals.signals, 1);
    assert_eq!(submit(2).await.unwrap_err().category(), Category::ShuttingDown);
    kit.ask(Operation::Start).await.unwrap();
    submit(2).await.unwrap();
    kit.close().await;
    // The end of the process waited for what was queued, and the next one knows it all.
    let next = Kit::on(Config::default(), kit.log.restarted()).await;
    assert_eq!(next.metrics().await.totals.signals, 2);
}

#[tokio::test(start_paused = true)]
async fn f13_draining_follows_the_load_and_not_the_clock() {
    let config = Config { queue: 100_000, ..Config::default() };
    let kit = Kit::start(config).await;
    let began = tokio::time::Instant::now();
    for n in 0..5_000 {
        let signal = signal(&n.to_string(), component(Component::Tool, "x"), 0.5);
        kit.ask(Operation::SubmitFeedback { signal, wait: false }).await.unwrap();
    }
    kit.ask(Operation::Flush).await.unwrap();
    // The clock stands still unless somebody waits for it: nobody did.
    assert_eq!(began.elapsed(), std::time::Duration::ZERO);
    assert_eq!(kit.metrics().await.totals.signals, 5_000);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_field_by_field() {
    let kit = Kit::start(Config::default()).await;
    let mut bad = signal("", Subject::Decision(String::new()), 1.5);
    bad.confidence = 0.0;
    let error = kit.submit(bad).await.unwrap_err();
    assert_eq!(error.category(), Category::InvalidRequest);
    let fields: Vec<&str> = error.violations().iter().map(|v| v.pointer.as_str()).collect();
    assert_eq!(fields, ["/signal/reward", "/signal/confidence", "/signal/subject", "/signal/id"]);
}

#[tokio::test]
async fn a_log_that_cannot_be_opened_is_reported_and_the_engine_goes_on() {
    let open = Box::new(|| -> futures_util::future::BoxFuture<'static, _> {
        let error = consort_core::StepError::new(Category::StoreCorrupt, "the log is damaged");
        Box::pin(std::future::ready(Err(error)))
    });
    let clock = std::sync::Arc::new(consort_core::SystemClock);
    let learning = consort_application::Learning::new(Config::default(), clock, open).unwrap();
    let builder = consort_core::FacadeBuilder::default().decider(learning.clone());
    let journal = std::sync::Arc::new(consort_durable::MemoryJournal::new());
    let facade = builder.build(journal).unwrap();
    consort_application::install(&facade, &learning).await.unwrap();
    facade.start(true).await.unwrap();
    let cx = facade.context(Default::default());
    let signal = signal("s", component(Component::Tool, "x"), 0.5);
    let refused = cx.call(Operation::SubmitFeedback { signal, wait: true }).await.unwrap_err();
    assert_eq!(refused.category(), Category::StoreCorrupt);
    let told = cx.call(Operation::Metrics).await.unwrap();
    assert!(
        matches!(told, Outcome::Succeeded { value: Answer::Metrics(m) } if m.missing.is_some())
    );
    let choice = cx.decide(Component::Model, "route", &["a", "b"], &[]).unwrap();
    assert_eq!(choice.propensities, [0.5, 0.5]);
}

#[tokio::test]
async fn a_replay_of_the_log_is_what_is_in_use_bit_for_bit() {
    let kit = Kit::start(Config::default()).await;
    for n in 0..30 {
        let (decision, choice) = kit.decide("route", &["a", "b", "c"]).await;
        let reward = if choice == "b" { 0.9 } else { 0.2 };
        kit.submit(signal(&n.to_string(), Subject::Decision(decision), reward)).await.unwrap();
    }
    match kit.ask(Operation::Replay).await.unwrap() {
        Outcome::Succeeded { value: Answer::Replayed { records, equal, .. } } => {
            assert_eq!((records, equal), (60, true));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn policies_travel_between_installations() {
    use advanced_bandits::{Answer as Told, Operation as Ask};
    let (here, there) = (Kit::start(Config::default()).await, Kit::start(Config::default()).await);
    for n in 0..40 {
        let (decision, choice) = here.decide("route", &["a", "b"]).await;
        let reward = if choice == "b" { 0.9 } else { 0.1 };
        here.submit(signal(&n.to_string(), Subject::Decision(decision), reward)).await.unwrap();
    }
    let export = Ask::Export { domain: "route".into(), component: Component::Model };
    let Outcome::Succeeded { value: Told::Exported(exported) } = here.ask(export).await.unwrap()
    else {
        panic!()
    };
    let import = Ask::Import { exported: *exported, merge: false, why: "moved".into() };
    let Outcome::Succeeded { value: Told::Changed { version } } = there.ask(import).await.unwrap()
    else {
        panic!()
    };
    assert_eq!(version, 2);
    let mut chosen = std::collections::BTreeMap::new();
    for _ in 0..30 {
        *chosen.entry(there.decide("route", &["a", "b"]).await.1).or_insert(0) += 1;
    }
    assert!(chosen["b"] > 20, "{chosen:?}");
}
