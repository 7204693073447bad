//! Claims about the pure state: what a record does, and that it does it once.

use std::collections::BTreeMap;

use consort_bandit::{Knowledge, linear::Ridge};
use consort_core::{
    Budget, Category, Component, Decision, Question, RunId, Seeded, Situation, TenantId, Timestamp,
    learning::{Feedback, Made, Record, Source, Subject},
};

use super::{Config, Fate, Policy, Spec, State, What, change::Change};

const RUN: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

fn linear(policy: &Policy) -> &Ridge {
    match policy.model() {
        Knowledge::Linear(ridge) => ridge,
        Knowledge::Automatic(_) => panic!("the default of a point of choice is linear"),
    }
}

fn tenant() -> TenantId {
    TenantId::default()
}

fn question() -> Question {
    Question {
        component: Component::Model,
        domain: "route".into(),
        candidates: vec!["small".into(), "large".into()],
        features: BTreeMap::from([("length".into(), 0.5)]),
    }
}

fn made(id: &str, run: Option<&str>, chosen: usize, at: u64) -> Record {
    Record::Made(Box::new(Made {
        tenant: tenant(),
        run: run.map(|run| RunId::new(run).unwrap()),
        at: Timestamp(at),
        decision: Decision {
            id: id.into(),
            question: question(),
            chosen,
            propensities: vec![0.5, 0.5],
            scores: None,
            policy: "test".into(),
            policy_version: 1,
            skipped: Vec::new(),
        },
    }))
}

fn signal(id: &str, subject: Subject, reward: f64, at: u64) -> Feedback {
    Feedback {
        id: id.into(),
        tenant: tenant(),
        source: Source::UserExplicit,
        subject,
        reward,
        confidence: 1.0,
        category: None,
        at: Timestamp(at),
        metadata: serde_json::Value::Null,
    }
}

fn about(decision: &str, id: &str, reward: f64, at: u64) -> Record {
    Record::Feedback(Box::new(signal(id, Subject::Decision(decision.into()), reward, at)))
}

fn failed(decision: &str, id: &str, category: Category, at: u64) -> Record {
    let mut signal = signal(id, Subject::Decision(decision.into()), 0.0, at);
    signal.category = Some(category);
    Record::Feedback(Box::new(signal))
}

struct Log(State, u64);

impl Log {
    fn new(config: Config) -> Self {
        Self(State::new(config), 0)
    }

    fn add(&mut self, record: Record) -> Fate {
        self.1 += 1;
        self.0.apply(self.1, &record)
    }

    fn choose(&self, now: u64, question: &Question) -> Result<consort_core::Choice, Category> {
        let tenant = tenant();
        let situation = Situation {
            tenant: &tenant,
            request: None,
            now: Timestamp(now),
            budget: Budget { money: Some(5), ..Budget::UNLIMITED },
            random: &Seeded::new(now),
            registered: &|name| name == "chat",
        };
        self.0.choose(situation, question).map_err(|error| error.category())
    }
}

#[test]
fn every_signal_has_exactly_one_fate() {
    let mut log = Log::new(Config::default());
    assert_eq!(log.add(made("d", None, 0, 1)), Fate::Opened);
    assert_eq!(log.add(made("d", None, 0, 1)), Fate::Duplicate);
    assert_eq!(log.add(about("d", "r", 0.9, 2)), Fate::Learned);
    assert_eq!(log.add(about("d", "r", 0.9, 3)), Fate::Duplicate);
    assert_eq!(log.add(about("d", "r2", 0.8, 3)), Fate::Learned);
    assert_eq!(log.add(about("e", "r", 0.7, 4)), Fate::Early);
    assert_eq!(log.add(about("e", "r", 0.7, 4)), Fate::Duplicate);
    assert_eq!(log.add(failed("d", "r3", Category::CircuitOpen, 5)), Fate::Excused);
    assert_eq!(log.add(failed("d", "r3", Category::CircuitOpen, 6)), Fate::Duplicate);
    assert_eq!(log.add(failed("d", "r4", Category::ModelFailed, 5)), Fate::Learned);
    assert_eq!(log.add(about("d", "r5", 1.5, 6)), Fate::Refused);
    let component = |id: &str| Subject::Component { component: Component::Model, id: id.into() };
    let of = |id, to| Record::Feedback(Box::new(signal(id, component(to), 0.5, 6)));
    assert_eq!(log.add(of("s", "small")), Fate::Observed);
    assert_eq!(log.add(of("s", "small")), Fate::Duplicate);
    assert_eq!(log.add(of("s", "unheard_of")), Fate::Unconsumed);
    assert_eq!(log.add(made("e", None, 1, 7)), Fate::Opened);
    let totals = log.0.totals();
    let fates = totals.learned + totals.observed + totals.early + totals.duplicate + totals.closed;
    let fates = fates + totals.excused + totals.unconsumed + totals.refused;
    assert_eq!((totals.signals, fates), (12, 12), "{totals:?}");
    assert_eq!((totals.learned, totals.learned_late), (3, 1));
}

#[test]
fn credit_follows_the_run_tree_in_any_order() {
    let child = format!("{RUN}/4");
    let root = Subject::Run(RunId::new(RUN).unwrap());
    let reward = || Record::Feedback(Box::new(signal("r", root.clone(), 1.0, 5)));
    let mut early = Log::new(Config::default());
    assert_eq!(early.add(reward()), Fate::Early);
    early.add(made("a", Some(RUN), 0, 6));
    early.add(made("b", Some(&child), 1, 6));
    let mut late = Log::new(Config::default());
    late.add(made("a", Some(RUN), 0, 6));
    late.add(made("b", Some(&child), 1, 6));
    assert_eq!(late.add(reward()), Fate::Learned);
    assert_eq!(late.add(reward()), Fate::Duplicate);
    for log in [&early, &late] {
        let domain = log.0.domains().values().next().unwrap();
        let rewards: Vec<u64> = domain.arms().iter().map(|arm| arm.rewards).collect();
        assert_eq!(rewards, [1, 1]);
        // One level below the rewarded run, half the weight: the sums say so.
        let model = linear(domain.learner().policy());
        let weights: Vec<f64> = (0..2).map(|arm| model.moment(arm, 16)).collect();
        assert!(
            (weights[0] - 1.0).abs() < 1e-12 && (weights[1] - 0.5).abs() < 1e-12,
            "{weights:?}"
        );
    }
}

#[test]
fn no_tenant_teaches_anothers_policy() {
    let mut log = Log::new(Config::default());
    log.add(made("d", None, 0, 1));
    let mut foreign = signal("r", Subject::Decision("d".into()), 1.0, 2);
    foreign.tenant = TenantId::new("other").unwrap();
    assert_eq!(log.add(Record::Feedback(Box::new(foreign))), Fate::Early);
    assert_eq!(log.0.totals().learned, 0);
}

#[test]
fn a_snapshot_and_the_rest_are_the_whole_bit_for_bit() {
    let small = Subject::Component { component: Component::Model, id: "small".into() };
    let quiet = Subject::Run(RunId::new(RUN).unwrap().child(9));
    let sent = |id: String, subject: &Subject, at| {
        Record::Feedback(Box::new(signal(&id, subject.clone(), 0.5, at)))
    };
    let records: Vec<Record> = (0..200_u64)
        .flat_map(|n| {
            let id = format!("d{}", n / 2);
            let run = (n % 3 == 0).then_some(RUN);
            [
                made(&id, run, (n % 2) as usize, n),
                about(&id, &format!("r{n}"), (n % 7) as f64 / 7.0, n),
                // Each of these comes twice, some of them before what they are about.
                sent(format!("s{}", n / 2), &small, n),
                sent(format!("t{}", n / 2), &quiet, n),
                about(&format!("d{}", n / 2 + 20), &format!("e{}", n / 2), 0.5, n),
            ]
        })
        .collect();
    let mut whole = Log::new(Config::default());
    for record in &records {
        whole.add(record.clone());
    }
    for cut in [0, 1, 57, 502, 503, 504, 505, 999] {
        let mut half = Log::new(Config::default());
        for record in &records[..cut] {
            half.add(record.clone());
        }
        let bytes = half.0.to_bytes().unwrap();
        let mut rest = Log(State::from_bytes(&bytes, Config::default()).unwrap(), 0);
        // From the very beginning: what is in the snapshot is passed over.
        for record in &records {
            rest.add(record.clone());
        }
        assert_eq!(rest.0.totals(), whole.0.totals(), "cut at {cut}");
        assert_eq!(rest.0.to_bytes().unwrap(), whole.0.to_bytes().unwrap(), "cut at {cut}");
    }
}

#[test]
fn a_damaged_snapshot_is_named_and_never_half_read() {
    let mut log = Log::new(Config::default());
    log.add(made("d", None, 0, 1));
    let bytes = log.0.to_bytes().unwrap();
    for cut in [0, 3, 9, bytes.len() / 2, bytes.len() - 1] {
        let error = State::from_bytes(&bytes[..cut], Config::default()).unwrap_err();
        assert_eq!(error.category(), Category::StoreCorrupt, "{error}");
    }
}

#[test]
fn candidates_are_skipped_for_needs_and_health_and_the_reason_is_kept() {
    let needs = serde_json::from_value(serde_json::json!({
        "large": {"spend": {"money": 9}}, "own": {"callee": "chat"}, "gone": {"callee": "fetch"},
    }))
    .unwrap();
    let mut config = Config::default();
    config.policies.insert("route".into(), Spec { needs, ..Spec::default() });
    let mut log = Log::new(config);
    let mut wide = question();
    wide.candidates.extend(["own".to_owned(), "gone".to_owned()]);
    let choice = log.choose(1, &wide).unwrap();
    let skipped: Vec<usize> = choice.skipped.iter().map(|skip| skip.candidate).collect();
    assert_eq!(skipped, [1, 3]);
    assert_eq!((choice.propensities[1], choice.propensities[3]), (0.0, 0.0));
    assert!((choice.propensities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    wide.candidates = vec!["large".into(), "gone".into()];
    assert_eq!(log.choose(1, &wide).unwrap_err(), Category::Unavailable);

    for n in 0..11 {
        log.add(made(&format!("d{n}"), None, 0, n));
        log.add(about(&format!("d{n}"), "r", 0.0, n));
    }
    wide.candidates = vec!["small".into(), "own".into()];
    let choice = log.choose(20, &wide).unwrap();
    assert_eq!((choice.chosen, choice.skipped.len()), (1, 1));
    assert!(choice.skipped[0].why.contains("health"), "{:?}", choice.skipped);
    // When health leaves nobody, it says nothing about whom to choose.
    wide.candidates = vec!["small".into()];
    assert_eq!(log.choose(20, &wide).unwrap().chosen, 0);
}

#[test]
fn a_sick_arm_never_looks_better_for_being_sick() {
    let mut log = Log::new(Config::default());
    for n in 0..60 {
        let reward = if n % 2 == 0 { 0.0 } else { 0.6 };
        log.add(made(&format!("d{n}"), None, (n % 2) as usize, n));
        log.add(about(&format!("d{n}"), "r", reward, n));
    }
    let well_after = 10_000_000;
    let scores = log.choose(well_after, &question()).unwrap().scores.unwrap();
    assert!(scores[0] < scores[1], "{scores:?}");
    let during = log.choose(60, &question()).unwrap();
    assert_eq!((during.chosen, during.propensities[0]), (1, 0.0));
}

#[test]
fn a_new_rule_keeps_what_was_learned_and_is_a_version() {
    let mut log = Log::new(Config::default());
    log.add(made("d", None, 0, 1));
    log.add(about("d", "r", 0.7, 2));
    let spec = Spec { rule: consort_bandit::Rule::Greedy, floor: 0.0, ..Spec::default() };
    let change = Change {
        domain: "route".into(),
        version: 0,
        at: Timestamp(0),
        why: "enough explored".into(),
        what: What::Spec { spec },
    };
    let record =
        Record::Policy { at: Timestamp(3), change: serde_json::to_value(&change).unwrap() };
    assert_eq!(log.add(record), Fate::Changed);
    let choice = log.choose(4, &question()).unwrap();
    assert_eq!((choice.version, choice.policy.as_str()), (2, "route/greedy"));
    assert_eq!((choice.chosen, choice.propensities[0]), (0, 1.0));
    assert_eq!(log.0.history().len(), 1);
    // A reward of a decision that the old rule made still counts.
    assert_eq!(log.add(about("d", "r2", 0.7, 5)), Fate::Learned);
}

#[test]
fn halves_learned_apart_and_merged_are_the_whole() {
    let play = |from: u64, to: u64| {
        let mut log = Log::new(Config::default());
        for n in from..to {
            log.add(made(&format!("d{n}"), None, (n % 2) as usize, n));
            log.add(about(&format!("d{n}"), "r", (n % 5) as f64 / 5.0, n));
        }
        log
    };
    let (mut first, second, whole) = (play(0, 100), play(100, 200), play(0, 200));
    let theirs = second.0.domains().values().next().unwrap();
    let change = Change {
        domain: "route".into(),
        version: 0,
        at: Timestamp(0),
        why: "from the other site".into(),
        what: What::Import {
            tenant: tenant().to_string(),
            component: Component::Model,
            model: super::hex(theirs.learner().policy().model()),
            arms: theirs.arms().iter().map(|arm| arm.name.clone()).collect(),
            spec: None,
            merge: true,
        },
    };
    let value = serde_json::to_value(&change).unwrap();
    assert_eq!(first.add(Record::Policy { at: Timestamp(300), change: value }), Fate::Changed);
    let model =
        |log: &Log| linear(log.0.domains().values().next().unwrap().learner().policy()).clone();
    let (merged, whole) = (model(&first), model(&whole));
    for arm in 0..2 {
        for (a, b) in merged.theta(arm).iter().zip(whole.theta(arm)) {
            assert!((a - b).abs() < 1e-9, "{a} {b}");
        }
    }
}

#[test]
fn a_million_signals_nobody_can_use_need_no_more_memory() {
    let config = Config { early: 50, open: 50, deadline_ms: 1_000, ..Config::default() };
    let mut log = Log::new(config);
    for n in 0..2_000_u64 {
        log.add(made(&format!("d{n}"), Some(RUN), 0, n));
        log.add(about(&format!("none{n}"), "r", 0.5, n));
    }
    let size = log.0.to_bytes().unwrap().len();
    for n in 2_000..4_000_u64 {
        log.add(made(&format!("d{n}"), Some(RUN), 0, n));
        log.add(about(&format!("none{n}"), "r", 0.5, n));
    }
    let later = log.0.to_bytes().unwrap().len();
    assert!(later < size + size / 50, "{size} then {later}");
    assert_eq!(log.0.totals().unmatched, 4_000 - 50);
    assert_eq!(
        log.add(about("d0", "r", 0.5, 4_000)),
        Fate::Early,
        "closed long ago: never learned"
    );
}
