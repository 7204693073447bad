//! Damage is found, and never passed off as content.

use std::fs;

use consort_core::journal::{Batch, Journal, JournalError, JournalErrorKind};
use consort_durable::{
    SqliteJournal,
    sqlite::{self, Options, SqliteReader},
};
use consort_testkit::journal::sample::{NOW, answered, ended, put, root, started, step, text};
use rusqlite::Connection;
use serde_json::json;

use crate::support::{Dump, Home, accept, dump, thorough};

/// Some transactions of different kinds; the state after each of them, the first one empty.
async fn history(journal: &SqliteJournal) -> Vec<Dump> {
    let mut states = vec![dump(journal).await.expect("readable")];
    for number in 0..4 {
        let run = root(number);
        let changes = [
            vec![started(&run), step(0)],
            vec![answered(1, json!({"text": text(90_000, number), "n": number}))],
            vec![ended(NOW)],
        ];
        for change in changes {
            accept(journal, change.into_iter().map(|record| (run.clone(), record))).await;
            states.push(dump(journal).await.expect("readable"));
        }
    }
    states
}

/// The log as a killed owner leaves it, and where its last transaction begins.
fn last_transaction(log: &[u8]) -> usize {
    let frame = 24 + u32::from_be_bytes(log[8..12].try_into().expect("four bytes")) as usize;
    let salts = &log[16..24];
    let commits: Vec<usize> = (32..log.len())
        .step_by(frame)
        .filter(|at| at + frame <= log.len() && &log[at + 8..at + 16] == salts)
        .filter(|at| log[at + 4..at + 8] != [0; 4])
        .collect();
    commits[commits.len() - 2] + frame
}

/// One of `n` cases, or each of them when time does not matter.
fn every(n: usize) -> usize {
    if thorough() { 1 } else { n }
}

/// A killed owner's store with another log; opens it and says what is in it.
async fn reopened(home: &Home, log: &[u8], number: usize) -> Result<Dump, JournalError> {
    for name in ["runs.db-shm", "runs.db-wal"] {
        let _ = fs::remove_file(home.at(name));
    }
    fs::write(home.at("runs.db-wal"), log).expect("written");
    // The owner does the same before it begins, and takes longer.
    if number.is_multiple_of(10) {
        let options = Options { readers: 1, ..Options::default() };
        return dump(&SqliteJournal::open(home.store(), options)?).await;
    }
    dump(&SqliteReader::open(home.store())?).await
}

#[tokio::test]
async fn a_torn_last_transaction_leaves_exactly_what_came_before() {
    let home = Home::quick();
    let journal = home.own();
    let states = history(&journal).await;
    let killed = home.killed();
    let log = fs::read(killed.at("runs.db-wal")).unwrap();
    let base = fs::read(killed.store()).unwrap();
    let begin = last_transaction(&log);
    let (all, before) = (&states[states.len() - 1], &states[states.len() - 2]);
    assert_eq!(&reopened(&killed, &log, 0).await.unwrap(), all);

    let frame = 4096 + 24;
    let head = |at: &usize| (at - begin) % frame < 24 && at.is_multiple_of(every(5));
    let offsets = (begin..log.len()).filter(|at| head(at) || at.is_multiple_of(every(397)));
    for (number, at) in offsets.enumerate() {
        fs::write(killed.store(), &base).unwrap();
        let cut = reopened(&killed, &log[..at], number).await.unwrap();
        assert!(&cut == before, "cut at {at} of {}", log.len());
        fs::write(killed.store(), &base).unwrap();
        let mut garbled = log.clone();
        garbled[at] ^= 1 << (number % 8);
        let garbled = reopened(&killed, &garbled, number).await.unwrap_or_else(|error| {
            panic!("garbled at {at} = {begin} + {}: {error}", at - begin);
        });
        assert!(&garbled == before, "garbled at {at} of {}", log.len());
    }
}

#[tokio::test]
async fn damage_before_the_last_transaction_of_the_log_is_not_passed_over() {
    let home = Home::quick();
    let journal = home.own();
    history(&journal).await;
    let killed = home.killed();
    let log = fs::read(killed.at("runs.db-wal")).unwrap();
    let base = fs::read(killed.store()).unwrap();
    let begin = last_transaction(&log);
    let frame = 4096 + 24;
    let heads = (0..begin).filter(|at| *at < 32 || (at - 32) % frame < 24);
    let offsets = heads.step_by(every(11)).chain((32..begin).step_by(every(4013)));
    for (number, at) in offsets.enumerate() {
        fs::write(killed.store(), &base).unwrap();
        let mut garbled = log.clone();
        garbled[at] ^= 1 << (number % 8);
        let error = reopened(&killed, &garbled, number).await.expect_err("damage is seen");
        let kind = error.kind();
        assert_eq!(kind, JournalErrorKind::Corrupt, "garbled at {at} of {}: {error}", log.len());
        assert_eq!(fs::read(killed.at("runs.db-wal")).unwrap(), garbled, "evidence is kept");
    }
    let mut garbled = log;
    garbled[begin - 100] ^= 1;
    fs::write(killed.store(), &base).unwrap();
    fs::write(killed.at("runs.db-wal"), &garbled).unwrap();
    let _ = fs::remove_file(killed.at("runs.db-shm"));
    let error = SqliteReader::open(killed.store()).unwrap_err();
    assert!(error.to_string().contains("restore a backup"), "{error}");
    let checked = sqlite::check(killed.store()).unwrap();
    assert_eq!(checked.damage[0].place, "write-ahead log");
}

#[tokio::test]
async fn a_damaged_record_is_named() {
    let home = Home::quick();
    let journal = home.own();
    history(&journal).await;
    journal.close().await.unwrap();
    drop(journal);
    let connection = Connection::open(home.store()).unwrap();
    let sql = "update record set body = replace(body, 'fetch', 'fetsh') where run = 2 and seq = 1";
    assert_eq!(connection.execute(sql, []).unwrap(), 1);
    connection.close().unwrap();

    let journal = home.own();
    let error = journal.history(&root(1)).await.unwrap_err();
    assert_eq!(error.kind(), JournalErrorKind::Corrupt);
    assert!(error.to_string().contains(&format!("record 1 of run {}", root(1))), "{error}");
    assert!(journal.history(&root(2)).await.unwrap().is_some(), "the others can be read");
    let damage = sqlite::check(home.store()).unwrap().damage;
    assert_eq!(damage.len(), 1, "{damage:?}");
    assert!(damage[0].to_string().contains("record 1"), "{}", damage[0]);
}

/// What is wrong after some SQL, in words.
async fn damage_after(sql: &str) -> String {
    let home = Home::quick();
    let journal = home.own();
    history(&journal).await;
    journal.commit(put(b"loose").1).await.expect("accepted");
    sqlite::post(home.store(), &consort_core::journal::Message::Resume { run: root(1) })
        .expect("taken");
    drop(journal);
    let connection = Connection::open(home.store()).expect("a database");
    assert!(connection.execute(sql, []).expect("SQL") > 0);
    drop(connection);
    let damage = sqlite::check(home.store()).expect("checked").damage;
    damage.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn the_check_finds_whatever_does_not_fit() {
    let cases = [
        ("update run set tenant = 'thief' where key = 3", "checksum"),
        ("update run set steps = 7 where key = 3", "checksum"),
        ("delete from record where run = 2 and seq = 1", "record 1 of run"),
        ("delete from run where key = 2", "belong to no run"),
        ("delete from payload where key = 1", "is missing"),
        ("update payload set bytes = zeroblob(length(bytes)) where key = 2", "is damaged"),
        ("delete from mention where run = 1", "not noted"),
        ("update inbox set body = replace(body, 'resume', 'cancel')", "message 1"),
        ("insert into spent values ('default', 1, 2, 3, 4, 5)", "fails its checksum"),
        ("update record set previous = 0 where run = 1 and seq = 2", "record 2 of run"),
    ];
    for (sql, words) in cases {
        let damage = damage_after(sql).await;
        assert!(damage.contains(words), "`{words}` is not in `{damage}` after `{sql}`");
    }
}

/// Bytes anywhere in the file. Content that comes back is the content that was kept; where
/// something is missing, either reading says so or the check does.
#[tokio::test]
async fn a_garbled_byte_never_changes_content() {
    let home = Home::quick();
    let journal = home.own();
    let truth = history(&journal).await.pop().unwrap();
    journal.close().await.unwrap();
    drop(journal);
    let sound = fs::read(home.store()).unwrap();
    let broken = Home::quick();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let (mut refused, mut harmless) = (0, 0);
    for _ in 0..if thorough() { 20_000 } else { 300 } {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut bytes = sound.clone();
        let at = (random >> 20) as usize % bytes.len();
        bytes[at] ^= 1 << (random >> 60 & 7);
        fs::write(broken.store(), &bytes).unwrap();
        let read = async {
            let reader = SqliteReader::open(broken.store())?;
            for (summary, history) in &truth.runs {
                if let Some(found) = reader.history(&summary.id).await? {
                    assert!(&found == history, "changed content, garbled at {at}");
                }
            }
            dump(&reader).await
        };
        match read.await {
            Err(error) => {
                refused += 1;
                assert!(
                    matches!(
                        error.kind(),
                        JournalErrorKind::Corrupt
                            | JournalErrorKind::TooNew
                            | JournalErrorKind::Unavailable
                    ),
                    "{error}"
                );
            }
            Ok(seen) if seen == truth => harmless += 1,
            Ok(_) => {
                let found = sqlite::check(broken.store());
                let found = found.map_or(true, |checked| !checked.damage.is_empty());
                assert!(found, "neither reading nor the check noticed a byte garbled at {at}");
            }
        }
    }
    println!("{refused} refused, {harmless} harmless");
    assert!(refused > 0);
}

#[tokio::test]
async fn an_owner_whose_store_is_damaged_answers_with_errors() {
    let home = Home::quick();
    let journal = home.own();
    history(&journal).await;
    accept(&journal, [(root(9), started(&root(9)))]).await;
    journal.close().await.unwrap();
    drop(journal);
    let connection = Connection::open(home.store()).unwrap();
    connection.execute("update run set entries = 5 where tree like '%9'", []).unwrap();
    connection.close().unwrap();
    let journal = home.own();
    let error = journal.commit(Batch::entry(root(9), step(0))).await.unwrap_err();
    assert_eq!(error.kind(), JournalErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains(root(9).as_str()), "{error}");
    accept(&journal, [(root(10), started(&root(10)))]).await;
}
