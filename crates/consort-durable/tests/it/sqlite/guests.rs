//! What those can do who do not own a store: read, send messages, check, copy.

use std::fs;

use consort_core::{
    Hash,
    journal::{Batch, Journal, JournalErrorKind, Message},
};
use consort_durable::{
    SqliteJournal,
    sqlite::{self, Checked, SqliteReader},
};
use consort_testkit::journal::sample::{NOW, answered, ended, put, root, started, step, text};
use serde_json::json;

use crate::support::{Home, accept, dump};

async fn fill(journal: &SqliteJournal) {
    let run = root(1);
    accept(journal, [(run.clone(), started(&run)), (run.clone(), step(0))]).await;
    accept(journal, [(run.clone(), answered(1, json!(text(100_000, 1))))]).await;
    accept(journal, [(run, ended(NOW)), (root(2), started(&root(2)))]).await;
    journal.commit(put(b"some content").1).await.expect("the content is accepted");
}

#[tokio::test]
async fn a_reader_sees_what_the_owner_acknowledged() {
    let home = Home::new();
    let owner = home.own();
    let reader = SqliteReader::open(home.store()).unwrap();
    assert_eq!(dump(&reader).await.unwrap().runs, []);
    fill(&owner).await;
    assert_eq!(dump(&reader).await.unwrap(), dump(&owner).await.unwrap());
    let content = reader.blob(Hash::of(b"some content")).await.unwrap();
    assert_eq!(content.as_deref(), Some(&b"some content"[..]));
    drop(owner);
    assert_eq!(dump(&reader).await.unwrap().runs.len(), 2);
}

#[tokio::test]
async fn a_reader_changes_nothing() {
    let home = Home::new();
    fill(&home.own()).await;
    let reader = SqliteReader::open(home.store()).unwrap();
    let refused = reader.commit(Batch::entry(root(3), started(&root(3)))).await.unwrap_err();
    assert_eq!(refused.kind(), JournalErrorKind::Unavailable);
    assert_eq!(reader.retain(NOW).await.unwrap_err().kind(), JournalErrorKind::Unavailable);
    reader.close().await.unwrap();
    assert_eq!(dump(&reader).await.unwrap_err().kind(), JournalErrorKind::Unavailable);
}

#[tokio::test]
async fn a_reader_needs_no_owner_and_leaves_no_files() {
    let home = Home::new();
    fill(&home.own()).await;
    let alone = Home::new();
    fs::copy(home.store(), alone.store()).unwrap();
    let reader = SqliteReader::open(alone.store()).unwrap();
    assert_eq!(dump(&reader).await.unwrap().runs.len(), 2);
    drop(reader);
    assert_eq!(alone.files(), ["runs.db"]);
    sqlite::check(alone.store()).unwrap();
    assert_eq!(alone.files(), ["runs.db"]);
}

#[tokio::test]
async fn a_reader_sees_what_a_killed_owner_left_in_its_log() {
    let home = Home::new();
    let owner = home.own();
    fill(&owner).await;
    let killed = home.killed();
    let reader = SqliteReader::open(killed.store()).unwrap();
    assert_eq!(dump(&reader).await.unwrap(), dump(&owner).await.unwrap());
}

#[tokio::test]
async fn a_read_only_file_can_be_read() {
    let home = Home::new();
    fill(&home.own()).await;
    let mut permissions = fs::metadata(home.store()).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(home.store(), permissions).unwrap();
    let before = home.files();
    let reader = SqliteReader::open(home.store()).unwrap();
    assert_eq!(dump(&reader).await.unwrap().runs.len(), 2);
    drop(reader);
    assert_eq!(home.files(), before);
    let refused = sqlite::post(home.store(), &Message::Resume { run: root(1) }).unwrap_err();
    assert!(refused.to_string().contains("may only be read"), "{refused}");
}

#[test]
fn guests_do_not_make_a_store() {
    let home = Home::new();
    for _ in 0..2 {
        let refused = [
            SqliteReader::open(home.store()).unwrap_err(),
            sqlite::post(home.store(), &Message::Resume { run: root(1) }).unwrap_err(),
            sqlite::check(home.store()).unwrap_err(),
            sqlite::backup(home.store(), home.at("copy.db")).unwrap_err(),
        ];
        for error in refused {
            assert_eq!(error.kind(), JournalErrorKind::Unavailable, "{error}");
        }
        assert!(!home.at("copy.db").exists());
        fs::write(home.store(), "").unwrap();
    }
}

#[tokio::test]
async fn messages_reach_a_busy_owner_once() {
    let home = Home::new();
    let owner = home.own();
    accept(&owner, [(root(1), started(&root(1)))]).await;
    let sender = std::thread::spawn({
        let path = home.store();
        move || {
            for number in 0..20 {
                let message = Message::Cancel { run: root(1), reason: number.to_string() };
                sqlite::post(&path, &message).expect("the message is taken");
            }
        }
    });
    let (mut heard, mut position) = (Vec::new(), 0);
    while heard.len() < 20 {
        // Keeps the writer busy without a pause, so that the sender has to squeeze in.
        let busy: Vec<_> = (0..32)
            .map(|_| {
                position += 1;
                owner.commit(Batch::entry(root(1), step(position)))
            })
            .collect();
        let (ids, messages): (Vec<_>, Vec<_>) = owner.inbox().await.unwrap().into_iter().unzip();
        heard.extend(messages);
        owner.commit(Batch { applied: ids, ..Batch::default() }).await.unwrap();
        for commit in busy {
            commit.await.unwrap();
        }
    }
    sender.join().unwrap();
    assert_eq!(owner.inbox().await.unwrap(), []);
    let reasons = heard.into_iter().map(|message| match message {
        Message::Cancel { reason, .. } => reason.parse().unwrap(),
        other => panic!("{other:?} was never sent"),
    });
    assert_eq!(reasons.collect::<Vec<u32>>(), (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_sound_store_passes_its_check_beside_the_owner_and_alone() {
    let home = Home::new();
    let owner = home.own();
    fill(&owner).await;
    sqlite::post(home.store(), &Message::Resume { run: root(1) }).unwrap();
    let expected = Checked { runs: 2, records: 5, payloads: 2, messages: 1, damage: Vec::new() };
    assert_eq!(sqlite::check(home.store()).unwrap(), expected);
    drop(owner);
    assert_eq!(sqlite::check(home.store()).unwrap(), expected);
}

#[tokio::test]
async fn a_backup_is_a_moment_of_a_store_that_goes_on() {
    let home = Home::new();
    let owner = home.own();
    fill(&owner).await;
    let before = dump(&owner).await.unwrap();
    let busy: Vec<_> =
        (0..200).map(|position| owner.commit(Batch::entry(root(2), step(position)))).collect();
    let size = sqlite::backup(home.store(), home.at("copy.db")).unwrap();
    for commit in busy {
        commit.await.unwrap();
    }
    assert_eq!(fs::metadata(home.at("copy.db")).unwrap().len(), size);
    assert_eq!(sqlite::check(home.at("copy.db")).unwrap().damage, []);
    let copy = SqliteReader::open(home.at("copy.db")).unwrap();
    let copied = dump(&copy).await.unwrap();
    assert_eq!(copied.runs[1], before.runs[1]);
    let steps = copied.runs[0].1.records.len();
    assert_eq!(copied.runs[0].1.records, (0..200).map(step).collect::<Vec<_>>()[..steps]);
    drop(copy);
    let again = sqlite::backup(home.store(), home.at("copy.db")).unwrap_err();
    assert!(again.to_string().contains("exists already"));
    assert!(!home.files().iter().any(|name| name.contains(".part")));
}
