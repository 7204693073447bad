//! How fast signals are queued, accepted and learned, each in records per second on one thread.
//!
//! `cargo bench -p consort-application`; prints medians of several rounds, beside the goals.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use consort_application::{
    Config, Learning,
    learning::{Open, State},
};
use consort_core::{
    Component, Decider, Decision, Question, Sent, Signal, Signals, SystemClock, TenantId,
    Timestamp,
    learning::{Feedback, LearningLog, Made, Record, Source, Subject},
};
use consort_durable::{MemoryLearningLog, SqliteLearningLog, sqlite::learning::Options};

const ROUNDS: usize = 7;
const SIGNALS: u64 = 100_000;

fn made(n: u64) -> Made {
    let features = (0..8).map(|f| (format!("f{f}"), (n * 7 + f) as f64 % 10.0 / 10.0));
    Made {
        tenant: TenantId::default(),
        run: None,
        at: Timestamp(n),
        decision: Decision {
            id: format!("01ARZ3NDEKTSV4RRFFQ69G5FAV/{n}"),
            question: Question {
                component: Component::Model,
                domain: "route".into(),
                candidates: (0..4).map(|arm| format!("model-{arm}")).collect(),
                features: features.collect::<BTreeMap<_, _>>(),
            },
            chosen: (n % 4) as usize,
            propensities: vec![0.25; 4],
            scores: None,
            policy: "route/squarecb".into(),
            policy_version: 1,
            skipped: Vec::new(),
        },
    }
}

fn reward(n: u64) -> Record {
    Record::Feedback(Box::new(Feedback {
        id: format!("reward-{n}"),
        tenant: TenantId::default(),
        source: Source::UserExplicit,
        subject: Subject::Decision(format!("01ARZ3NDEKTSV4RRFFQ69G5FAV/{}", n % 20_000)),
        reward: (n % 10) as f64 / 10.0,
        confidence: 0.8,
        category: None,
        at: Timestamp(n),
        metadata: serde_json::Value::Null,
    }))
}

/// Median rate of several rounds.
fn rate(what: &str, goal: &str, mut round: impl FnMut() -> f64) {
    let mut rates: Vec<f64> = (0..ROUNDS).map(|_| round()).collect();
    rates.sort_by(f64::total_cmp);
    let (median, best) = (rates[ROUNDS / 2], rates[ROUNDS - 1]);
    #[expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]
    {
        println!("{what:34} {median:>12.0} /s median {best:>12.0} /s best   goal {goal}");
    }
}

fn per_second(count: u64, began: Instant) -> f64 {
    count as f64 / began.elapsed().as_secs_f64()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
}

fn learning(queue: usize) -> Learning {
    let log = MemoryLearningLog::new();
    let open: Open = Box::new(move || {
        let log: Arc<dyn LearningLog> = Arc::new(log.clone());
        Box::pin(std::future::ready(Ok(log)))
    });
    let config = Config { queue, ..Config::default() };
    Learning::new(config, Arc::new(SystemClock), open).expect("valid settings")
}

fn main() {
    rate("queued: signals of runs", "1 M/s", || {
        let learning = learning(SIGNALS as usize);
        let sent: Vec<Sent> = (0..SIGNALS)
            .map(|n| Sent {
                id: format!("01ARZ3NDEKTSV4RRFFQ69G5FAV/{n}"),
                run: consort_core::RunId::root(1, 1),
                tenant: TenantId::default(),
                signal: Signal {
                    name: "reward".into(),
                    subject: format!("01ARZ3NDEKTSV4RRFFQ69G5FAV/{n}"),
                    value: Some(0.5),
                    data: serde_json::Value::Null,
                },
            })
            .collect();
        let began = now();
        assert!(sent.iter().all(|sent| learning.take(sent)));
        per_second(SIGNALS, began)
    });
    rate("queued: decisions", "-", || {
        let learning = learning(SIGNALS as usize);
        let made: Vec<Made> = (0..20_000).map(made).collect();
        let began = now();
        made.iter().for_each(|made| learning.made(made));
        per_second(20_000, began)
    });
    let directory = tempfile::TempDir::new().expect("a temporary directory");
    let path = directory.path().join("log");
    let log = SqliteLearningLog::open(path, Options::default()).expect("a log");
    let runtime =
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime of one thread");
    rate("accepted: on disk, synchronous=FULL", "100 k/s", || {
        let batches: Vec<Arc<[Record]>> = (0..SIGNALS / 4_000)
            .map(|b| (0..4_000).map(|n| reward(b * 4_000 + n)).collect())
            .collect();
        let began = now();
        for batch in batches {
            runtime.block_on(log.append(batch)).expect("on disk");
        }
        per_second(SIGNALS, began)
    });
    rate("learned: rewards applied", "300 k/s", || {
        let mut state = State::new(Config::default());
        for n in 0..20_000 {
            state.apply(n + 1, &Record::Made(Box::new(made(n))));
        }
        let rewards: Vec<Record> = (0..SIGNALS).map(reward).collect();
        let began = now();
        for (position, record) in (20_001..).zip(&rewards) {
            state.apply(position, record);
        }
        assert_eq!(state.totals().learned, SIGNALS);
        per_second(SIGNALS, began)
    });
    rate("learned: decisions applied", "-", || {
        let mut state = State::new(Config::default());
        let made: Vec<Record> = (0..20_000).map(|n| Record::Made(Box::new(made(n)))).collect();
        let began = now();
        for (position, record) in (1..).zip(&made) {
            state.apply(position, record);
        }
        per_second(20_000, began)
    });
}
