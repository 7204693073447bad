//! Who may own a store, and what an owner says about one it cannot use.

use std::{fs, path::Path};

use consort_core::journal::{JournalError, JournalErrorKind};
use consort_durable::{SqliteJournal, sqlite::Options};
use consort_testkit::journal::sample::{root, started, step};
use rusqlite::Connection;

use crate::support::{Home, accept, dump};

fn refusal(path: &Path) -> JournalError {
    SqliteJournal::open(path, Options::default()).expect_err("the store is not opened")
}

/// The store is refused with `kind`, and the message contains all of `words`.
#[track_caller]
fn check(path: &Path, kind: JournalErrorKind, words: &[&str]) {
    let error = refusal(path);
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is not in `{text}`");
    }
}

#[tokio::test]
async fn a_second_owner_is_told_who_the_first_is() {
    let home = Home::new();
    let first = home.own();
    let me = format!("process {}", std::process::id());
    check(&home.store(), JournalErrorKind::Locked, &["runs.db.lock", &me]);
    accept(&first, [(root(1), started(&root(1)))]).await;
    drop(first);
    assert_eq!(dump(&home.own()).await.unwrap().runs.len(), 1);
}

#[tokio::test]
async fn a_killed_owner_leaves_everything_it_acknowledged() {
    let home = Home::new();
    let owner = home.own();
    accept(&owner, [(root(1), started(&root(1))), (root(1), step(0))]).await;
    let before = dump(&owner).await.unwrap();
    let after = home.killed();
    fs::write(after.at("runs.db.lock"), "4711\n").unwrap();
    let next = after.own();
    assert_eq!(dump(&next).await.unwrap(), before);
    accept(&next, [(root(1), step(1))]).await;
}

#[tokio::test]
async fn a_newer_format_is_refused_and_left_alone() {
    let home = Home::new();
    drop(home.own());
    let connection = Connection::open(home.store()).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    connection.close().unwrap();
    let before = fs::read(home.store()).unwrap();
    check(&home.store(), JournalErrorKind::TooNew, &["format 99", "runs.db"]);
    assert_eq!(fs::read(home.store()).unwrap(), before);
}

#[test]
fn another_programs_database_is_refused_and_left_alone() {
    let home = Home::new();
    let connection = Connection::open(home.store()).unwrap();
    connection.execute_batch("create table run(x)").unwrap();
    connection.close().unwrap();
    let before = fs::read(home.store()).unwrap();
    check(&home.store(), JournalErrorKind::Unavailable, &["another program"]);
    assert_eq!(fs::read(home.store()).unwrap(), before);
}

#[test]
fn what_is_no_database_is_refused_and_left_alone() {
    let home = Home::new();
    fs::write(home.store(), "dear diary").unwrap();
    check(&home.store(), JournalErrorKind::Corrupt, &["runs.db", "not a store"]);
    assert_eq!(fs::read(home.store()).unwrap(), b"dear diary");
}

#[test]
fn a_missing_directory_is_named() {
    let home = Home::new();
    let path = home.at("not/there/runs.db");
    check(&path, JournalErrorKind::Unavailable, &["no directory", "not/there"]);
}

#[test]
fn a_directory_is_no_store() {
    let home = Home::new();
    fs::create_dir(home.store()).unwrap();
    check(&home.store(), JournalErrorKind::Unavailable, &["runs.db"]);
}

#[test]
fn a_read_only_file_is_refused_for_writing() {
    let home = Home::new();
    drop(home.own());
    let mut permissions = fs::metadata(home.store()).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(home.store(), permissions).unwrap();
    check(&home.store(), JournalErrorKind::Unavailable, &["may only be read"]);
}

#[test]
fn an_empty_file_becomes_a_store() {
    let home = Home::new();
    fs::write(home.store(), "").unwrap();
    drop(home.own());
    drop(home.own());
}
