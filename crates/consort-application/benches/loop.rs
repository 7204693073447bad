//! How fast signals are queued, accepted and learned, each in records per second on one thread.
//!
//! `cargo bench -p consort-application`; prints medians of several rounds, beside the goals. What
//! one thread does alone is also told per second of its processor time (Linux), which is what a
//! core does; on a busy machine the clock on the wall measures the others.

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

/// Records per second of a round: by the clock, and of this thread's processor time.
struct Rate {
    wall: f64,
    cpu: Option<f64>,
}

/// Median rates of several rounds.
fn rate(what: &str, goal: &str, mut round: impl FnMut() -> Rate) {
    let rounds: Vec<Rate> = (0..ROUNDS).map(|_| round()).collect();
    let wall = median(rounds.iter().map(|round| round.wall).collect());
    let cpu = rounds.iter().map(|round| round.cpu).collect::<Option<_>>().map(median);
    let cpu = cpu.map_or_else(|| "no data".into(), |cpu| format!("{cpu:.0}"));
    #[expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]
    {
        println!("{what:36} {wall:>10.0} /s {cpu:>10} /s of processor time   goal {goal}");
    }
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// When something began.
struct Began {
    wall: Instant,
    cpu: Option<u64>,
}

impl Began {
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
    fn now() -> Self {
        Self { wall: Instant::now(), cpu: cpu() }
    }

    fn rate(&self, count: u64) -> Rate {
        let wall = count as f64 / self.wall.elapsed().as_secs_f64();
        let spent = cpu().zip(self.cpu).map(|(now, then)| now.saturating_sub(then));
        Rate { wall, cpu: spent.filter(|ns| *ns > 0).map(|ns| count as f64 / ns as f64 * 1e9) }
    }

    /// The rate of what other threads and the disk do, so that this thread's time says nothing.
    fn rate_of_others(&self, count: u64) -> Rate {
        Rate { cpu: None, ..self.rate(count) }
    }
}

/// Nanoseconds that this thread has run; Linux tells.
fn cpu() -> Option<u64> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    told.split(' ').next()?.parse().ok()
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
        let began = Began::now();
        assert!(sent.iter().all(|sent| learning.take(sent)));
        began.rate(SIGNALS)
    });
    rate("queued: decisions", "-", || {
        let learning = learning(SIGNALS as usize);
        let made: Vec<Made> = (0..20_000).map(made).collect();
        let began = Began::now();
        made.iter().for_each(|made| learning.made(made));
        began.rate(20_000)
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
        let began = Began::now();
        for batch in batches {
            runtime.block_on(log.append(batch)).expect("on disk");
        }
        began.rate_of_others(SIGNALS)
    });
    rate("learned: rewards applied", "300 k/s", || {
        let mut state = State::new(Config::default());
        for n in 0..20_000 {
            state.apply(n + 1, &Record::Made(Box::new(made(n))));
        }
        let rewards: Vec<Record> = (0..SIGNALS).map(reward).collect();
        let began = Began::now();
        for (position, record) in (20_001..).zip(&rewards) {
            state.apply(position, record);
        }
        assert_eq!(state.totals().learned, SIGNALS);
        began.rate(SIGNALS)
    });
    rate("learned: decisions applied", "-", || {
        let mut state = State::new(Config::default());
        let made: Vec<Record> = (0..20_000).map(|n| Record::Made(Box::new(made(n)))).collect();
        let began = Began::now();
        for (position, record) in (1..).zip(&made) {
            state.apply(position, record);
        }
        began.rate(20_000)
    });
}
