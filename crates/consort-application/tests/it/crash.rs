//! Exactly once, under `kill -9`: a process learns from a stream with duplicates, reordering and
//! late rewards, and is killed again and again. In the end everything counts once, and what the
//! last process knows is, bit for bit, what an unbroken run over the same log would know.
//!
//! `CONSORT_LEARNING_KILLS` sets the number of kills (default 20), `CONSORT_LEARNING_SIGNALS` the
//! length of the stream (default 100,000).

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use consort_application::{
    Config, Learning,
    learning::{Open, State, load},
    unified_feedback::Operation,
};
use consort_bandit::rng;
use consort_core::{
    Clock, Component, Decider, Decision, FacadeBuilder, Outcome, Question, Signals, SystemClock,
    TenantId,
    learning::{LearningLog, Made},
};
use consort_durable::{MemoryJournal, SqliteLearningLog, sqlite::learning::Options};

const SEED: u64 = 20_261_130;
/// One decision for so many signals.
const PER_DECISION: u64 = 4;

/// Signals between two acknowledgements.
fn batch(all: u64) -> u64 {
    (all / (4 * setting("CONSORT_LEARNING_KILLS", 20).max(1))).clamp(20, 1_000)
}

fn setting(name: &str, default: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the size of a test is set from outside")]
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn config() -> Config {
    Config { consolidate_after: 3_000, keep: u64::MAX, queue: 100_000, ..Config::default() }
}

fn open(directory: &Path) -> Result<SqliteLearningLog, consort_core::StepError> {
    Ok(SqliteLearningLog::open(directory.join("log"), Options::default())?)
}

/// The decision and reward that signal `n` carries. One in ten repeats an earlier one; decisions
/// are up to 30 behind and 3 ahead.
fn signal(n: u64) -> (u64, u64) {
    let chance = |stream, below| rng::bits(SEED, stream, n) % below;
    if n > 100 && chance(0, 10) == 0 {
        return signal(n - 1 - chance(1, 100));
    }
    let decision = (n / PER_DECISION + 3).saturating_sub(chance(2, 34));
    (decision, n)
}

fn made(decision: u64) -> Made {
    Made {
        tenant: TenantId::default(),
        run: None,
        at: SystemClock.utc(),
        decision: Decision {
            id: format!("d{decision}"),
            question: Question {
                component: Component::Model,
                domain: "route".into(),
                candidates: vec!["a".into(), "b".into(), "c".into()],
                features: BTreeMap::from([("load".into(), rng::uniform(SEED, 3, decision))]),
            },
            chosen: (decision % 3) as usize,
            propensities: vec![1.0 / 3.0; 3],
            scores: None,
            policy: "test".into(),
            policy_version: 1,
            skipped: Vec::new(),
        },
    }
}

fn sent(n: u64) -> consort_core::Sent {
    let (decision, reward) = signal(n);
    consort_core::Sent {
        id: format!("r{reward}"),
        run: consort_core::RunId::root(1, 1),
        tenant: TenantId::default(),
        signal: consort_core::Signal {
            name: "reward".into(),
            subject: format!("d{decision}"),
            value: Some(rng::uniform(SEED, 4, reward)),
            data: serde_json::Value::Null,
        },
    }
}

/// The process that is killed. Does nothing unless it is started by the test below.
#[tokio::test]
async fn child() {
    #[expect(clippy::disallowed_methods, reason = "how the parent tells what to do")]
    let Ok(order) = std::env::var("CONSORT_LEARNING_CHILD") else { return };
    let (from, directory) = order.split_once(' ').unwrap();
    let (from, directory) = (from.parse::<u64>().unwrap(), PathBuf::from(directory));
    let opening: Open = Box::new(move || {
        let log = open(&directory).map(|log| Arc::new(log) as Arc<dyn LearningLog>);
        Box::pin(std::future::ready(log))
    });
    let learning = Learning::new(config(), Arc::new(SystemClock), opening).unwrap();
    let facade = FacadeBuilder::default().build(Arc::new(MemoryJournal::new())).unwrap();
    consort_application::install(&facade, &learning).await.unwrap();
    facade.start(true).await.unwrap();
    let all = setting("CONSORT_LEARNING_SIGNALS", 100_000);
    let batch = batch(all);
    // A little before what was acknowledged last: a sender who is not sure sends again.
    let mut n = from.saturating_sub(batch / 2);
    while n < all {
        let until = (n + batch).min(all);
        for n in n..until {
            if n % PER_DECISION == 0 {
                learning.made(&made(n / PER_DECISION));
            }
            assert!(learning.take(&sent(n)));
        }
        let flushed = facade.context(TenantId::default()).call(Operation::Flush).await;
        assert!(matches!(flushed, Ok(Outcome::Succeeded { .. })), "{flushed:?}");
        n = until;
        let mut out = std::io::stdout();
        writeln!(out, "acknowledged {n}").unwrap();
        out.flush().unwrap();
    }
    // Decisions that the last signals were ahead of.
    for decision in all.div_ceil(PER_DECISION)..=all / PER_DECISION + 3 {
        learning.made(&made(decision));
    }
    facade.close(std::time::Duration::from_secs(60)).await.unwrap();
    writeln!(std::io::stdout(), "finished").unwrap();
}

#[expect(clippy::disallowed_methods, reason = "a process that can be killed")]
fn start(directory: &Path, from: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture", "--test-threads=1"])
        .env("CONSORT_LEARNING_CHILD", format!("{from} {}", directory.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn every_signal_counts_once_whenever_the_process_is_killed() {
    let directory = tempfile::TempDir::new().unwrap();
    let (kills, all) =
        (setting("CONSORT_LEARNING_KILLS", 20), setting("CONSORT_LEARNING_SIGNALS", 100_000));
    let (mut acknowledged, mut killed, mut finished) = (0, 0, false);
    while !finished {
        let mut child = start(directory.path(), acknowledged);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The kill itself falls wherever the child happens to be then.
        let patience = if killed < kills { rng::bits(SEED, 9, killed) % 6 } else { u64::MAX };
        let mut heard = 0;
        while heard < patience {
            let Some(Ok(line)) = lines.next() else { break };
            if let Some(number) = line.strip_prefix("acknowledged ") {
                (acknowledged, heard) = (number.parse().unwrap(), heard + 1);
            }
            finished |= line == "finished";
        }
        if !finished {
            child.kill().unwrap();
            killed += 1;
        }
        child.wait().unwrap();
    }
    let log = open(directory.path()).unwrap();
    let last = load(&log, config()).await.unwrap();
    let (mut unbroken, mut at) = (State::new(config()), 0);
    loop {
        let records = log.read(at, 10_000).await.unwrap();
        let Some((position, _)) = records.last() else { break };
        at = *position;
        for (position, record) in &records {
            unbroken.apply(*position, record);
        }
    }
    assert_eq!(last.digest().unwrap(), unbroken.digest().unwrap(), "not the same bits");
    let expected: BTreeSet<(u64, u64)> = (0..all).map(signal).collect();
    let totals = last.totals();
    let learned = totals.learned + totals.learned_late;
    println!(
        "{killed} kills, {} signals on record of {all} sent, {} different, {learned} learned; {at} records, state {}",
        totals.signals,
        expected.len(),
        last.digest().unwrap(),
    );
    assert_eq!(learned, expected.len() as u64, "{totals:?}");
    assert_eq!(killed, kills);
}
