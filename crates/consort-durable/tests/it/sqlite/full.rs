//! A store that has no room left says so, loses nothing, and goes on when there is room.

use std::path::PathBuf;

use consort_core::journal::{Batch, Journal, JournalErrorKind};
use consort_core::{Hash, Timestamp};
use consort_durable::{
    SqliteJournal,
    sqlite::{self, Options},
};
use consort_testkit::journal::sample::{
    HOUR, NOW, answered, batch, ended, put, root, started, step,
};
use serde_json::json;

use crate::support::{Home, accept, dump};

/// Bytes that do not compress.
fn noise(length: usize, seed: u8) -> Vec<u8> {
    let blocks =
        (0_u32..).flat_map(|n| *Hash::of(&[&n.to_le_bytes()[..], &[seed]].concat()).as_bytes());
    blocks.take(length).collect()
}

#[tokio::test]
async fn a_full_store_keeps_what_it_acknowledged_and_goes_on_with_room() {
    let home = Home::new();
    let options = Options { max_bytes: Some(2 << 20), ..Options::default() };
    let journal = SqliteJournal::open(home.store(), options).unwrap();
    for n in 0..4 {
        let content = json!(hex(&noise(150_000, n)));
        let entries = [started(&root(n.into())), answered(0, content), ended(NOW)];
        accept(&journal, entries.map(|record| (root(n.into()), record))).await;
    }
    accept(&journal, [(root(9), started(&root(9)))]).await;
    let before = dump(&journal).await.unwrap();

    let too_much = journal.commit(put(&noise(3 << 20, 9)).1);
    let behind = journal.commit(Batch::entry(root(9), step(0)));
    let error = too_much.await.unwrap_err();
    assert_eq!(error.kind(), JournalErrorKind::Full, "{error}");
    // It was queued by somebody who could not know; whether it was grouped with the other or not.
    assert!(behind.await.map_or_else(|error| error.kind() == JournalErrorKind::Full, |()| true));
    let seen = dump(&journal).await.unwrap().runs[0].1.records.len() as u32;

    accept(&journal, [(root(9), step(seen))]).await;
    assert_eq!(dump(&journal).await.unwrap().runs[1..], before.runs[1..]);
    journal.retain(Timestamp(NOW.0 + HOUR)).await.unwrap();
    let large = put(&noise(600_000, 10));
    journal.commit(large.1).await.expect("retention made room");
    drop(journal);
    assert_eq!(sqlite::check(home.store()).unwrap().damage, []);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The same on a file system that is really full. `CONSORT_SMALL_DISK` names a directory on one of
/// about 16 MiB (`mount -t tmpfs -o size=16m tmpfs DIRECTORY`). Without it, the limit of the store
/// above has to do.
#[tokio::test]
async fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let Some(disk) = small_disk() else { return };
    let home = tempfile::TempDir::new_in(disk).unwrap();
    let path = home.path().join("runs.db");
    let journal = SqliteJournal::open(&path, Options::default()).unwrap();
    accept(&journal, [(root(1), started(&root(1)))]).await;
    let mut kept = 0;
    let error = loop {
        let content = json!(hex(&noise(200_000, kept as u8)));
        match journal.commit(batch([(root(1), answered(kept, content))])).await {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 1000, "this disk is not small");
    };
    assert_eq!(
        error.kind(),
        JournalErrorKind::Full,
        "{error}: {:?}",
        std::error::Error::source(&error)
    );
    assert_eq!(dump(&journal).await.unwrap().runs[0].1.records.len() as u32, kept);
    drop(journal);
    // Opening needs a little room, which may not be there.
    if let Ok(journal) = SqliteJournal::open(&path, Options::default()) {
        assert_eq!(dump(&journal).await.unwrap().runs[0].1.records.len() as u32, kept);
        journal.close().await.unwrap();
    }
    assert_eq!(sqlite::check(&path).unwrap().damage, []);
}

#[expect(clippy::disallowed_methods, reason = "names a disk that the test cannot make itself")]
fn small_disk() -> Option<PathBuf> {
    std::env::var("CONSORT_SMALL_DISK").ok().map(PathBuf::from)
}
