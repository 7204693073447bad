//! Whatever is done to both, the journal on disk says what the journal in memory says.

use std::sync::Arc;

use consort_core::{
    Category, RunId, Spend, Timestamp,
    journal::{Batch, Journal, JournalErrorKind, Message, RunFilter},
    record::{Record, RunState},
};
use consort_durable::{
    MemoryJournal, SqliteJournal,
    sqlite::{self, Options},
};
use consort_testkit::{
    clock::ManualClock,
    journal::sample::{
        HOUR, NOW, answered, costly, ended, failed, key, local, put, root, started_as, tenant, text,
    },
};
use proptest::{collection::vec, prelude::*, test_runner::RngSeed};
use serde_json::json;

use crate::support::{Home, dump, thorough};

/// One thing to do; numbers choose among a few runs, so that they often meet.
#[derive(Clone, Debug)]
enum Act {
    Commit(Vec<Change>),
    /// Commits that nobody waits for one by one.
    Burst(Vec<Vec<Change>>),
    Post(u8),
    Retain(u8),
    Tick(u8),
    Page(u8, u8),
    Restart,
}

#[derive(Clone, Debug)]
enum Change {
    Start { run: u8, key: u8, tenant: u8 },
    Step { run: u8, size: u8 },
    Costly { run: u8, hour: u8 },
    Local(u8),
    Park { run: u8, seen: u8 },
    Nudge(u8),
    End { run: u8, hour: u8 },
    Put(u8),
    Apply,
    Spend(u8),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        3 => (0..12_u8, 0..4_u8, 0..2_u8).prop_map(|(run, key, tenant)| Change::Start { run, key, tenant }),
        4 => (0..12_u8, 0..40_u8).prop_map(|(run, size)| Change::Step { run, size }),
        2 => (0..12_u8, 0..4_u8).prop_map(|(run, hour)| Change::Costly { run, hour }),
        1 => (0..12_u8).prop_map(Change::Local),
        3 => (0..12_u8, 0..6_u8).prop_map(|(run, seen)| Change::Park { run, seen }),
        1 => (0..12_u8).prop_map(Change::Nudge),
        2 => (0..12_u8, 0..4_u8).prop_map(|(run, hour)| Change::End { run, hour }),
        1 => (0..4_u8).prop_map(Change::Put),
        1 => Just(Change::Apply),
        1 => (0..4_u8).prop_map(Change::Spend),
    ];
    // Mostly small: a change with one refused entry is refused as a whole.
    prop_oneof![5 => vec(change.clone(), 1..3), 1 => vec(change, 3..8)]
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        12 => changes().prop_map(Act::Commit),
        3 => vec(changes(), 2..12).prop_map(Act::Burst),
        1 => (0..4_u8).prop_map(Act::Post),
        1 => (0..6_u8).prop_map(Act::Retain),
        1 => (0..6_u8).prop_map(Act::Tick),
        2 => (0..12_u8, 1..5_u8).prop_map(|(before, limit)| Act::Page(before, limit)),
        1 => Just(Act::Restart),
    ];
    vec(act, 1..60)
}

/// Four trees of three runs.
fn run(number: u8) -> RunId {
    let root = root(u64::from(number / 3));
    match number % 3 {
        0 => root,
        1 => root.child(2),
        _ => root.child(2).child(10),
    }
}

fn at(hour: u8) -> Timestamp {
    Timestamp(NOW.0 + u64::from(hour) * HOUR)
}

fn content(number: u8) -> Vec<u8> {
    text(usize::from(number) * 30_000, 7).into_bytes()
}

fn batch(changes: &[Change], inbox: &[u64]) -> Batch {
    let mut batch = Batch::default();
    for change in changes {
        match change {
            Change::Start { run: number, key: k, tenant: t } => {
                let id = run(*number);
                let record = started_as(&id, |started| {
                    started.tenant = tenant(["default", "other"][usize::from(*t)]);
                    started.idempotency_key = (*k > 0).then(|| key(&format!("k{k}")));
                    started.request =
                        json!({"page": consort_core::Blob::of(&content(*k), "text/plain")});
                });
                batch.entries.push((id, record));
            }
            Change::Step { run: number, size } => {
                let value = json!({"text": text(usize::from(*size) * 3_000, 5), "n": 1e-7 * f64::from(*size)});
                batch.entries.push((run(*number), answered(u32::from(*size), value)));
            }
            Change::Costly { run: number, hour } => {
                let cost = Spend { money: 1 << (hour * 4), tokens: 3, calls: 1 };
                batch.entries.push((run(*number), costly(1, at(*hour), cost)));
            }
            Change::Local(number) => batch.entries.push((run(*number), local(3))),
            Change::Park { run: number, seen } => {
                let (due, seen) = (Some(at(*seen)), u64::from(*seen));
                let record = Record::Parked { due, seen, awaits: vec![] };
                batch.entries.push((run(*number), record));
            }
            Change::Nudge(number) => {
                batch.entries.push((run(*number), Record::Nudge { position: 1 }))
            }
            Change::End { run: number, hour } => {
                let record = if hour % 2 == 0 {
                    ended(at(*hour))
                } else {
                    failed(at(*hour), Category::Network)
                };
                batch.entries.push((run(*number), record));
            }
            Change::Put(number) => batch.blobs.extend(put(&content(*number)).1.blobs),
            Change::Apply => batch.applied.extend(inbox.first()),
            Change::Spend(hour) => batch.spent.push((tenant("default"), at(*hour), Spend::CALL)),
        }
    }
    batch
}

struct Both {
    home: Home,
    clock: Arc<ManualClock>,
    memory: MemoryJournal,
    disk: Option<SqliteJournal>,
}

impl Both {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        let memory = MemoryJournal::with_clock(clock.clone());
        let mut both = Self { home: Home::quick(), clock, memory, disk: None };
        both.open();
        both
    }

    fn open(&mut self) {
        let options = Options { clock: self.clock.clone(), readers: 1, ..Options::default() };
        let opened = SqliteJournal::open(self.home.store(), options);
        self.disk = Some(opened.expect("the store opens"));
    }

    fn disk(&self) -> &SqliteJournal {
        self.disk.as_ref().expect("open between two acts")
    }

    async fn act(&mut self, act: &Act) {
        match act {
            Act::Commit(changes) => self.burst(std::slice::from_ref(changes)).await,
            Act::Burst(changes) => self.burst(changes).await,
            Act::Post(number) => {
                let message = Message::Cancel { run: run(*number), reason: text(100, 3) };
                self.memory.post(message.clone());
                sqlite::post(self.home.store(), &message).expect("the message is taken");
            }
            Act::Retain(hour) => {
                let memory = self.memory.retain(at(*hour)).await.expect("retention works");
                let disk = self.disk().retain(at(*hour)).await.expect("retention works");
                assert_eq!(memory.runs, disk.runs);
            }
            Act::Tick(hour) => self.clock.set(at(*hour)),
            Act::Page(before, limit) => {
                let states = [None, Some(RunState::Open), Some(RunState::Ended)];
                let filter = RunFilter {
                    before: Some(run(*before)),
                    limit: usize::from(*limit),
                    state: states[usize::from(*limit) % 3],
                    tree: (limit % 4 == 0).then(|| root(1)),
                    ..RunFilter::default()
                };
                let memory = self.memory.runs(filter.clone()).await.expect("readable");
                assert_eq!(self.disk().runs(filter).await.expect("readable"), memory);
            }
            Act::Restart => {
                drop(self.disk.take());
                self.memory = self.memory.restarted();
                self.open();
            }
        }
    }

    async fn burst(&self, changes: &[Vec<Change>]) {
        let inbox = self.memory.inbox().await.expect("readable");
        let ids: Vec<u64> = inbox.iter().map(|(id, _)| *id).collect();
        let commits: Vec<_> = changes
            .iter()
            .map(|changes| batch(changes, &ids))
            .map(|batch| (self.memory.commit(batch.clone()), self.disk().commit(batch)))
            .collect();
        for (memory, disk) in commits {
            let kind = |answer: Result<(), consort_core::journal::JournalError>| {
                answer.map_err(|error| (error.kind(), error.to_string()))
            };
            let (memory, disk) = (kind(memory.await), kind(disk.await));
            assert_eq!(memory, disk);
            assert!(!matches!(disk, Err((JournalErrorKind::Corrupt, _))));
        }
    }

    async fn compare(&self) {
        let disk = dump(self.disk()).await.expect("readable");
        assert_eq!(disk, dump(&self.memory).await.expect("readable"));
        for number in 0..4 {
            let hash = consort_core::Hash::of(&content(number));
            let memory = self.memory.blob(hash).await.expect("readable");
            assert_eq!(self.disk().blob(hash).await.expect("readable").is_some(), memory.is_some());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if thorough() { 5_000 } else { 48 },
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn disk_and_memory_agree(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut both = Both::new();
            for act in &acts {
                both.act(act).await;
            }
            both.compare().await;
            both.act(&Act::Restart).await;
            both.compare().await;
            assert_eq!(sqlite::check(both.home.store()).unwrap().damage, []);
        });
    }
}

#[test]
fn the_script_can_do_everything() {
    // A guard for the test itself: a step of the script that no journal accepts shows here.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut both = Both::new();
        let start = Change::Start { run: 0, key: 1, tenant: 0 };
        both.act(&Act::Commit(vec![start, Change::Step { run: 0, size: 30 }])).await;
        both.act(&Act::Commit(vec![Change::Park { run: 0, seen: 2 }, Change::Put(1)])).await;
        both.act(&Act::Post(1)).await;
        both.act(&Act::Commit(vec![Change::Apply, Change::Spend(1)])).await;
        both.act(&Act::Commit(vec![
            Change::Costly { run: 0, hour: 1 },
            Change::End { run: 0, hour: 1 },
        ]))
        .await;
        both.act(&Act::Tick(3)).await;
        both.act(&Act::Restart).await;
        let seen = dump(both.disk()).await.unwrap();
        assert_eq!((seen.runs.len(), seen.inbox.len(), seen.spent.money), (1, 0, 16));
        both.act(&Act::Retain(3)).await;
        assert_eq!(dump(both.disk()).await.unwrap().runs.len(), 0);
    });
}
