//! Lines and accounts may lag behind the records; nobody who reads a store can tell.

use consort_core::{Spend, journal::JournalErrorKind};
use consort_durable::{
    MemoryJournal, SqliteJournal,
    sqlite::{self, Options, SqliteReader},
};
use consort_testkit::journal::sample::{NOW, costly, ended, root, started};
use rusqlite::Connection;

use crate::support::{Home, accept, dump};

/// More than may lag.
const STEPS: u32 = 700;
const COST: Spend = Spend { money: 3, tokens: 2, calls: 1 };

#[tokio::test]
async fn a_killed_store_tells_of_every_step() {
    let home = Home::quick();
    let (journal, truth) = (home.own(), MemoryJournal::new());
    for (position, run) in (0..STEPS).flat_map(|n| [(n, root(1)), (n, root(2))]) {
        let mut entries = Vec::new();
        if position == 0 {
            entries.push((run.clone(), started(&run)));
        }
        entries.push((run.clone(), costly(position, NOW, COST)));
        if position == 40 && run == root(2) {
            entries.push((run.clone(), ended(NOW)));
        }
        if position <= 40 || run == root(1) {
            accept(&truth, entries.clone()).await;
            accept(&journal, entries).await;
        }
        if ![0, 1, 40, 511, STEPS - 1].contains(&position) {
            continue;
        }
        let (killed, expected) = (home.killed(), dump(&truth).await.unwrap());
        let reader = SqliteReader::open(killed.store()).unwrap();
        assert_eq!(dump(&reader).await.unwrap(), expected, "for a guest, after {position}");
        assert_eq!(sqlite::check(killed.store()).unwrap().damage, []);
        let shell = Connection::open(killed.store()).unwrap();
        let sql = "select sum(steps), sum(calls) from runs where state = 'open'";
        let seen: (Option<u32>, Option<u32>) =
            shell.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let open = expected.runs.iter().map(|(run, _)| run).filter(|run| run.ended.is_none());
        assert_eq!(seen.0, Some(open.map(|run| run.steps as u32).sum()), "in a shell");
        assert_eq!(seen.1, seen.0);
        drop((reader, shell));
        let owner = killed.own();
        assert_eq!(dump(&owner).await.unwrap(), expected, "for the next owner, after {position}");
        drop(owner);
        assert_eq!(sqlite::check(killed.store()).unwrap().damage, []);
    }
}

#[tokio::test]
async fn a_recent_record_that_is_missing_is_noticed() {
    let home = Home::quick();
    let journal = home.own();
    accept(&journal, [(root(1), started(&root(1)))]).await;
    for position in 0..9 {
        accept(&journal, [(root(1), costly(position, NOW, COST))]).await;
    }
    let killed = home.killed();
    let connection = Connection::open(killed.store()).unwrap();
    connection.execute("delete from record where key = 5", []).unwrap();
    drop(connection);
    let reader = SqliteReader::open(killed.store()).unwrap();
    assert!(dump(&reader).await.unwrap_err().to_string().contains("key 5 is missing"));
    assert!(!sqlite::check(killed.store()).unwrap().damage.is_empty());
    drop(reader);
    let refused = SqliteJournal::open(killed.store(), Options::default()).unwrap_err();
    assert_eq!(refused.kind(), JournalErrorKind::Corrupt);
}

#[tokio::test]
async fn a_store_of_format_1_is_read_and_taken_over() {
    let home = Home::quick();
    let journal = home.own();
    accept(&journal, [(root(1), started(&root(1))), (root(1), costly(0, NOW, COST))]).await;
    let truth = dump(&journal).await.unwrap();
    drop(journal);
    // Lines and accounts of a closed store are up to date, as those of format 1 always were.
    let connection = Connection::open(home.store()).unwrap();
    let sql = "pragma user_version = 1; delete from meta where name = 'settled'";
    connection.execute_batch(sql).unwrap();
    drop(connection);
    let reader = SqliteReader::open(home.store()).unwrap();
    assert_eq!(dump(&reader).await.unwrap(), truth);
    drop(reader);
    let owner = home.own();
    accept(&owner, [(root(1), costly(1, NOW, COST))]).await;
    let after = dump(&owner).await.unwrap();
    assert_eq!((after.runs[0].0.steps, after.spent.calls), (2, 2));
    drop(owner);
    assert_eq!(dump(&home.own()).await.unwrap(), after);
    assert_eq!(sqlite::check(home.store()).unwrap().damage, []);
}
