//! Retention: removes old trees and the content that only they mention, and shrinks the file.

use std::collections::BTreeSet;

use consort_core::{Timestamp, journal::Retained};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    book::Book,
    fault::Result,
    row::{int, nat},
};

/// Entries removed in one transaction, more or less: some milliseconds of work, so that commits
/// which come meanwhile do not wait longer.
const SLICE: i64 = 2_000;

/// Free pages given back in one go.
const PAGES: u32 = 512;

/// How far a retention has come. A crash in between leaves a store in which some trees are gone.
#[derive(Debug)]
pub(crate) struct Retention {
    before: i64,
    stage: Stage,
    size_before: Option<u64>,
    removed: Retained,
}

#[derive(Debug)]
enum Stage {
    Trees,
    /// Content that was put by itself and is still to be looked at, from this key on.
    Loose(i64),
    Shrink,
}

impl Retention {
    pub(crate) fn new(before: Timestamp) -> Self {
        Self {
            before: int(before.0),
            stage: Stage::Trees,
            size_before: None,
            removed: Retained::default(),
        }
    }

    /// What was removed so far.
    pub(crate) fn removed(&self) -> Retained {
        self.removed
    }

    /// Does one transaction's worth of work; true when there is nothing left to do.
    pub(crate) fn slice(&mut self, connection: &mut Connection, book: &mut Book) -> Result<bool> {
        let before = match self.size_before {
            Some(size) => size,
            None => *self.size_before.insert(size(connection)?),
        };
        match &self.stage {
            Stage::Trees => {
                if !self.remove_trees(connection, book)? {
                    self.stage = Stage::Loose(0);
                }
                Ok(false)
            }
            Stage::Loose(after) => {
                self.stage = match self.remove_loose(connection, *after)? {
                    Some(last) => Stage::Loose(last),
                    None => Stage::Shrink,
                };
                Ok(false)
            }
            Stage::Shrink => {
                let free: i64 =
                    connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
                if free > 0 {
                    let sql = format!("pragma incremental_vacuum({PAGES})");
                    let mut statement = connection.prepare(&sql)?;
                    let mut rows = statement.query([])?;
                    while rows.next()?.is_some() {}
                    return Ok(false);
                }
                // The file itself shrinks when the log is copied back.
                connection.query_row("pragma wal_checkpoint(passive)", [], |_| Ok(()))?;
                self.removed.freed = before.saturating_sub(size(connection)?);
                Ok(true)
            }
        }
    }

    /// Removes some trees; false when there were none left.
    fn remove_trees(&mut self, connection: &mut Connection, book: &mut Book) -> Result<bool> {
        let transaction = connection.transaction()?;
        // What nobody has added up yet must not be removed.
        book.load(&transaction)?;
        book.settle(&transaction)?;
        let mut work = 0;
        {
            let mut statement = transaction.prepare_cached(
                "select tree from run as root where path = '' and ended < ? and not exists \
                 (select 1 from run where tree = root.tree and ended is null) limit 200",
            )?;
            let trees = statement.query_map([self.before], |row| row.get(0))?;
            for tree in trees.collect::<std::result::Result<Vec<String>, _>>()? {
                // A tree that is larger than a slice keeps its root, so it will be found again.
                if !remove_tree(&transaction, book, &tree, self.before, &mut work)? {
                    break;
                }
                self.removed.runs += 1;
            }
        }
        transaction.commit()?;
        Ok(work > 0)
    }

    /// Removes old content that no run mentions, from key `after` on; returns where to go on.
    fn remove_loose(&self, connection: &mut Connection, after: i64) -> Result<Option<i64>> {
        let transaction = connection.transaction()?;
        let mut last = None;
        {
            let waiting = mentioned_by_messages(&transaction)?;
            let mut statement = transaction.prepare_cached(
                "select fresh.payload, payload.hash from fresh join payload \
                 on payload.key = fresh.payload where fresh.payload > ? and since < ? \
                 order by fresh.payload limit 200",
            )?;
            let old = statement.query_map(params![after, self.before], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?))
            })?;
            for (key, hash) in old.collect::<std::result::Result<Vec<_>, _>>()? {
                last = Some(key);
                let mark = mark_of(&hash);
                if waiting.contains(&mark) {
                    continue;
                }
                if !is_mentioned(&transaction, mark)? {
                    transaction
                        .prepare_cached("delete from payload where key = ?")?
                        .execute([key])?;
                }
                transaction
                    .prepare_cached("delete from fresh where payload = ?")?
                    .execute([key])?;
            }
        }
        transaction.commit()?;
        Ok(last)
    }
}

/// A run as far as removing it needs; not checked, because damage must not keep it for ever.
struct Doomed {
    key: i64,
    id: String,
    tail: i64,
    entries: i64,
}

/// Removes a tree's runs, children first; false when the slice was full before the root's turn.
fn remove_tree(
    connection: &Connection,
    book: &mut Book,
    tree: &str,
    before: i64,
    work: &mut i64,
) -> Result<bool> {
    let sql = "select key, id, tail, entries from run where tree = ? order by path desc limit 500";
    loop {
        let mut statement = connection.prepare_cached(sql)?;
        let runs = statement.query_map([tree], |row| {
            let (key, id, tail, entries) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            Ok(Doomed { key, id, tail, entries })
        })?;
        let runs = runs.collect::<std::result::Result<Vec<_>, _>>()?;
        if runs.is_empty() {
            return Ok(true);
        }
        for run in runs {
            if *work >= SLICE {
                return Ok(false);
            }
            remove_run(connection, &run, before)?;
            book.remove(&run.id);
            *work += run.entries + 1;
        }
    }
}

fn remove_run(connection: &Connection, run: &Doomed, before: i64) -> Result<()> {
    let (mut key, mut left) = (run.tail, run.entries);
    while key != 0 && left > 0 {
        let sql = "delete from record where key = ? and run = ? returning previous";
        let previous = connection
            .prepare_cached(sql)?
            .query_row([key, run.key], |row| row.get(0))
            .optional()?;
        // A broken chain must not keep the rest from being removed; `check` finds what is left.
        key = previous.unwrap_or(0);
        left -= 1;
    }
    let marks: Vec<i64> = {
        let mut statement = connection.prepare_cached("select mark from mention where run = ?")?;
        let marks = statement.query_map([run.key], |row| row.get(0))?;
        marks.collect::<std::result::Result<_, _>>()?
    };
    connection.prepare_cached("delete from mention where run = ?")?.execute([run.key])?;
    connection.prepare_cached("delete from run where key = ?")?.execute([run.key])?;
    for mark in marks {
        if !is_mentioned(connection, mark)? {
            remove_content(connection, mark, before)?;
        }
    }
    Ok(())
}

fn is_mentioned(connection: &Connection, mark: i64) -> Result<bool> {
    let sql = "select 1 from mention where mark = ? limit 1";
    Ok(connection.prepare_cached(sql)?.exists([mark])?)
}

/// Removes the content under a mark, unless it was put lately.
fn remove_content(connection: &Connection, mark: i64, before: i64) -> Result<()> {
    let mut from = [0; 32];
    let mut to = [u8::MAX; 32];
    from[..8].copy_from_slice(&mark.to_be_bytes());
    to[..8].copy_from_slice(&mark.to_be_bytes());
    let sql = "delete from payload where hash between ? and ? and not exists \
               (select 1 from fresh where fresh.payload = payload.key and since >= ?) \
               returning key";
    let mut statement = connection.prepare_cached(sql)?;
    let keys = statement.query_map(params![from, to, before], |row| row.get::<_, i64>(0))?;
    for key in keys.collect::<std::result::Result<Vec<_>, _>>()? {
        connection.prepare_cached("delete from fresh where payload = ?")?.execute([key])?;
    }
    Ok(())
}

/// Marks of content that a waiting message mentions.
fn mentioned_by_messages(connection: &Connection) -> Result<BTreeSet<i64>> {
    let mut statement = connection.prepare_cached("select body from inbox")?;
    let bodies = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut marks = BTreeSet::new();
    for body in bodies {
        marks.extend(crate::scan::scan(body?.as_bytes()).hashes.iter().map(super::encode::mark));
    }
    Ok(marks)
}

fn mark_of(hash: &[u8; 32]) -> i64 {
    super::encode::mark(&consort_core::Hash::from_bytes(*hash))
}

/// The size of the database in bytes.
fn size(connection: &Connection) -> Result<u64> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    Ok(nat(pragma("page_count")?) * nat(pragma("page_size")?))
}
