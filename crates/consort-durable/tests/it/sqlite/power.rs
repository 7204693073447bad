//! A power failure: whatever was written and not flushed may be lost, in any combination.
//!
//! A child process fills a store while a preloaded library notes every write, flush and
//! acknowledgement. From these notes the test makes the files as a disk could have them at any
//! moment: everything flushed, and of the rest a random part. Each such store must open to the
//! changes of some moment, and none that was acknowledged by then may be missing.

use std::{
    env,
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use consort_core::{
    Hash,
    journal::{Batch, Journal},
};
use consort_durable::{
    SqliteJournal,
    sqlite::{self, Options, SqliteReader, Sync},
};
use consort_testkit::journal::sample::{answered, root, started};
use rusqlite::Connection;
use serde_json::json;

use crate::support::{Home, dump, thorough};

const CHANGES: u32 = 160;

/// Content that does not compress, three pages of it.
fn noise(number: u32) -> Vec<u8> {
    let blocks = (0..384_u32)
        .map(|n| *Hash::of(&[n.to_le_bytes(), number.to_le_bytes()].concat()).as_bytes());
    blocks.flatten().collect()
}

/// What the child does: one change after the other, each acknowledged before the next.
#[tokio::test]
async fn child() {
    let Some(home) = env::var_os("CONSORT_POWER_HOME").map(PathBuf::from) else { return };
    let sync =
        if env::var_os("CONSORT_POWER_NORMAL").is_some() { Sync::Normal } else { Sync::Full };
    let options = Options { sync, ..Options::default() };
    let journal = SqliteJournal::open(home.join("runs.db"), options).unwrap();
    let mut acks = OpenOptions::new().create(true).append(true).open(home.join("acks")).unwrap();
    journal.commit(Batch::entry(root(1), started(&root(1)))).await.unwrap();
    for position in 0..CHANGES {
        let bytes = noise(position);
        let record = answered(position, json!({"page": Hash::of(&bytes)}));
        let mut change = Batch::entry(root(1), record);
        change.blobs.push((Hash::of(&bytes), bytes.into()));
        journal.commit(change).await.unwrap();
        acks.write_all(&position.to_le_bytes()).unwrap();
        // The owner itself copies its log back every 16 MiB, which would take too long here.
        if position % 50 == 49 {
            let guest = Connection::open(home.join("runs.db")).unwrap();
            guest.query_row("pragma wal_checkpoint(passive)", [], |_| Ok(())).unwrap();
        }
    }
    // As if killed: nothing is closed.
    std::process::exit(0);
}

/// One thing that the child did to one of the two files, or an acknowledgement.
enum Event {
    Write { file: usize, at: usize, bytes: Vec<u8> },
    Truncate { file: usize, size: usize },
    Flush { file: usize },
    Acknowledged(u32),
}

#[expect(clippy::disallowed_methods, reason = "the failure has to happen to another process")]
fn events(normal: bool) -> Vec<Event> {
    let home = Home::quick();
    let library = home.at("power.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/sqlite/power.c");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-w", "-o"])
        .arg(&library)
        .arg(source)
        .status();
    assert!(built.expect("a C compiler, as SQLite needs one too").success());
    let mut child = Command::new(env::current_exe().expect("a path"));
    child
        .args(["--exact", "sqlite::power::child", "--test-threads", "1"])
        .env("CONSORT_POWER_HOME", home.at(""))
        .env("LD_PRELOAD", &library)
        .env("LOG", home.at("log"))
        .stdout(Stdio::null());
    if normal {
        child.env("CONSORT_POWER_NORMAL", "1");
    }
    assert!(child.status().expect("the child runs").success());
    parse(&fs::read(home.at("log")).expect("the notes are readable"))
}

fn parse(mut notes: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some((head, rest)) = notes.split_at_checked(18) {
        let number =
            |at: usize| i64::from_le_bytes(head[at..at + 8].try_into().expect("8 bytes")) as usize;
        let (file, at, size) = (usize::from(head[1]), number(2), number(10));
        let (bytes, rest) =
            if matches!(head[0], b'W' | b'A') { rest.split_at(size) } else { (&[][..], rest) };
        events.push(match head[0] {
            b'W' => Event::Write { file, at, bytes: bytes.to_vec() },
            b'T' => Event::Truncate { file, size: at },
            b'S' => Event::Flush { file },
            _ => Event::Acknowledged(u32::from_le_bytes(bytes.try_into().expect("one number"))),
        });
        notes = rest;
    }
    events
}

/// A disk: what is on it for sure, and what was written since the last flush.
#[derive(Default)]
struct Disk<'a> {
    flushed: [Vec<u8>; 2],
    pending: [Vec<&'a Event>; 2],
    acknowledged: Option<u32>,
}

impl<'a> Disk<'a> {
    fn happen(&mut self, event: &'a Event) {
        match event {
            Event::Acknowledged(number) => self.acknowledged = Some(*number),
            Event::Write { file, .. } | Event::Truncate { file, .. } => {
                self.pending[*file].push(event)
            }
            Event::Flush { file } => {
                for event in self.pending[*file].drain(..) {
                    apply(&mut self.flushed[*file], event, usize::MAX);
                }
            }
        }
    }

    /// The two files with a random part of what is pending; a write may be torn at a sector.
    fn fail(&self, home: &Path, random: &mut impl FnMut(usize) -> usize) {
        for (file, name) in ["runs.db", "runs.db-wal"].into_iter().enumerate() {
            let mut image = self.flushed[file].clone();
            for event in &self.pending[file] {
                match random(4) {
                    0 => {}
                    1 => apply(&mut image, event, 512 * random(8)),
                    _ => apply(&mut image, event, usize::MAX),
                }
            }
            fs::write(home.join(name), image).expect("written");
        }
        let _ = fs::remove_file(home.join("runs.db-shm"));
    }
}

fn apply(image: &mut Vec<u8>, event: &Event, most: usize) {
    match event {
        Event::Write { at, bytes, .. } => {
            let bytes = &bytes[..bytes.len().min(most)];
            if image.len() < at + bytes.len() {
                image.resize(at + bytes.len(), 0);
            }
            image[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        Event::Truncate { size, .. } => image.resize(*size, 0),
        Event::Flush { .. } | Event::Acknowledged(_) => {}
    }
}

/// Changes found in a store; they must be the first so many of those that were made.
async fn changes(home: &Home, contents: &[Hash]) -> u32 {
    let reader = SqliteReader::open(home.store()).expect("a power failure is no damage");
    let seen = dump(&reader).await.expect("readable");
    let Some((_, history)) = seen.runs.first() else { return 0 };
    for ((position, record), hash) in (0..).zip(&history.records).zip(contents) {
        assert_eq!(*record, answered(position, json!({"page": hash})));
    }
    if let Some(last) = history.records.len().checked_sub(1) {
        let content = reader.blob(contents[last]).await.expect("readable");
        assert!(content.is_some(), "the content of the last change is missing");
    }
    history.records.len() as u32
}

#[expect(clippy::print_stdout, reason = "a test that says how much it has seen")]
async fn fail_at_many_moments(normal: bool) {
    let events = events(normal);
    let flushes = events.iter().filter(|event| matches!(event, Event::Flush { file: 1 })).count();
    let copies = events.iter().filter(|event| matches!(event, Event::Flush { file: 0 })).count();
    println!("{} events, {flushes} flushes of the log, {copies} of the database", events.len());
    assert!(normal || flushes as u32 > CHANGES, "each change is flushed");
    assert!(copies > 1, "the log was copied back meanwhile");

    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let contents: Vec<Hash> = (0..CHANGES).map(|number| Hash::of(&noise(number))).collect();
    let home = Home::quick();
    let mut disk = Disk::default();
    let (mut moments, mut lost) = (0, 0);
    let one_of = events.len() / if thorough() { 4000 } else { 100 };
    for event in &events {
        disk.happen(event);
        // Nothing is acknowledged before the file is a store.
        let Some(acknowledged) = disk.acknowledged else { continue };
        if random(one_of) != 0 {
            continue;
        }
        disk.fail(&home.at(""), &mut random);
        let found = changes(&home, &contents).await;
        if normal {
            lost += (acknowledged + 1).saturating_sub(found);
        } else {
            assert!(
                found > acknowledged,
                "{found} changes found, {} acknowledged",
                acknowledged + 1
            );
        }
        if moments % 16 == 0 {
            assert_eq!(sqlite::check(home.store()).expect("checked").damage, []);
        }
        moments += 1;
    }
    println!("{moments} power failures survived, {lost} acknowledged changes lost");
    assert!(moments > 40);
    assert_eq!(lost > 0, normal, "the test would see a missing flush");
}

#[tokio::test]
async fn a_power_failure_loses_nothing_that_was_acknowledged() {
    fail_at_many_moments(false).await;
}

/// The weaker mode does what it says: it loses the last changes, and nothing in between. Also a
/// test of the test above, which could not fail if it did not see losses here.
#[tokio::test]
async fn without_flushing_a_power_failure_loses_the_last_changes_only() {
    fail_at_many_moments(true).await;
}
