//! Looks through a whole store for damage.

use std::{fmt, path::Path};

use consort_core::{Hash, TenantId, Timestamp, journal::JournalError};
use rusqlite::{Connection, Row};
use serde::Serialize;

use super::{
    encode::mark,
    fault::{Fault, Result},
    file::{Guest, lost},
    read,
    recent::Recent,
    row::{COLUMNS, RunRow, int, nat},
};
use crate::{
    ledger::{self, Fact, Known, Standing},
    scan::scan,
};

/// What [`check`] saw and found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Runs.
    pub runs: u64,
    /// Records of all runs.
    pub records: u64,
    /// Pieces of content.
    pub payloads: u64,
    /// Messages that wait.
    pub messages: u64,
    /// Everything that is wrong; empty for a sound store.
    pub damage: Vec<Damage>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// Where: a run, a record, content, or a part of the file.
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Walks through the store at `path`: structure of the file, checksum of everything, every line
/// against its records, every reference. Works beside a living owner. Blocks, for about a second
/// per 100,000 records.
///
/// # Errors
///
/// When the store cannot be opened at all; as for
/// [`SqliteReader::open`](super::SqliteReader::open). Damage found inside is no error.
pub fn check(path: impl AsRef<Path>) -> std::result::Result<Checked, JournalError> {
    let path = path.as_ref();
    let look = || -> Result<Checked> {
        let Guest { connection, loss } = Guest::visit(path, false)?;
        let mut found = Checked::default();
        if let Some(loss) = loss {
            found.note("write-ahead log", lost(path, &loss));
        }
        // One snapshot: beside a living owner everything moves.
        let snapshot = connection.unchecked_transaction()?;
        let recent = Recent::default();
        let mut walk = Walk { connection: &snapshot, path, found, recent };
        walk.part("recent records", |walk| {
            walk.recent = Recent::load(walk.connection)?;
            Ok(())
        });
        walk.part("file", Walk::structure);
        walk.part("runs", Walk::runs);
        walk.part("records", Walk::orphans);
        walk.part("content", Walk::payloads);
        walk.part("spend", Walk::spend);
        walk.part("inbox", Walk::messages);
        Ok(walk.found)
    };
    look().map_err(|fault| fault.at(path))
}

impl Checked {
    fn note(&mut self, place: impl Into<String>, what: impl Into<String>) {
        self.damage.push(Damage { place: place.into(), what: what.into() });
    }
}

struct Walk<'a> {
    connection: &'a Connection,
    path: &'a Path,
    found: Checked,
    recent: Recent,
}

impl Walk<'_> {
    /// One part of the walk; where it cannot go on, that is noted and the next part begins.
    fn part(&mut self, name: &str, walk: impl FnOnce(&mut Self) -> Result<()>) {
        if let Err(fault) = walk(self) {
            self.note(name, fault);
        }
    }

    fn note(&mut self, place: impl Into<String>, fault: Fault) {
        let error = fault.at(self.path);
        let cause = std::error::Error::source(&error).map(|cause| format!(" ({cause})"));
        self.found.note(place, format!("{error}{}", cause.unwrap_or_default()));
    }

    /// Calls `each` for every row; a row that cannot be read is noted.
    fn rows(
        &mut self,
        sql: &str,
        mut each: impl FnMut(&mut Self, &Row<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if let Err(fault) = each(self, row) {
                self.note("row", fault);
            }
        }
        Ok(())
    }

    /// Pages, order of keys, indexes against their tables.
    fn structure(&mut self) -> Result<()> {
        self.rows("pragma integrity_check(100)", |walk, row| {
            let text: String = row.get(0)?;
            if text != "ok" {
                walk.found.note("file", text);
            }
            Ok(())
        })
    }

    fn runs(&mut self) -> Result<()> {
        let sql = format!("select {COLUMNS} from run not indexed order by key");
        self.rows(&sql, |walk, row| {
            walk.found.runs += 1;
            let mut row = RunRow::read(row)?;
            let place = format!("run {}", row.id);
            let walked = walk.recent.catch_up(&mut row).and_then(|_| walk.run(&row));
            if let Err(fault) = walked {
                walk.note(place, fault);
            }
            Ok(())
        })
    }

    /// A run's records, and its line against them.
    fn run(&mut self, row: &RunRow) -> Result<()> {
        let records = read::log(self.connection, row)?;
        self.found.records += records.len() as u64;
        let facts: Vec<Fact> = records.iter().map(Fact::of).collect();
        let settled = ledger::settle(facts.iter().map(|fact| (&row.id, fact)), &mut Nothing)?;
        let expected = settled.get(&row.id).map(stored);
        let born = match facts.first() {
            Some(Fact::Started(birth)) => **birth == row.birth,
            _ => false,
        };
        if expected.as_ref() != Some(&row.standing) || !born {
            self.found.note(format!("run {}", row.id), "its line disagrees with its records");
        }
        let sql = "select 1 from mention where run = ? and mark = ?";
        let mut mentions = self.connection.prepare_cached(sql)?;
        for hash in
            read::bodies(self.connection, row)?.iter().flat_map(|b| scan(b.as_bytes()).hashes)
        {
            if !mentions.exists([row.key, mark(&hash)])? {
                let text = format!("it mentions {hash}, which is not noted");
                self.found.note(format!("run {}", row.id), text);
            }
        }
        Ok(())
    }

    /// Records and mentions that belong to no run, or to more of it than its line says.
    fn orphans(&mut self) -> Result<()> {
        let settled = self.recent.settled;
        let sql = format!(
            "select record.run, count(*), run.id, run.entries from record \
             left join run on run.key = record.run \
             where run.key is null or record.key <= {settled} or record.seq < run.entries \
             group by record.run having run.entries is null or count(*) <> run.entries"
        );
        self.rows(&sql, |walk, row| {
            let (key, count): (i64, i64) = (row.get(0)?, row.get(1)?);
            match row.get::<_, Option<String>>(2)? {
                None => walk.found.note(
                    format!("records of run key {key}"),
                    format!("{count} records belong to no run"),
                ),
                Some(id) => walk.found.note(
                    format!("run {id}"),
                    format!("{count} records, its line says {}", row.get::<_, i64>(3)?),
                ),
            }
            Ok(())
        })?;
        let sql = "select distinct run from mention where run not in (select key from run)";
        self.rows(sql, |walk, row| {
            let key: i64 = row.get(0)?;
            walk.found
                .note(format!("content of run key {key}"), "is noted, but there is no such run");
            Ok(())
        })
    }

    fn payloads(&mut self) -> Result<()> {
        self.rows("select hash from payload order by key", |walk, row| {
            walk.found.payloads += 1;
            let hash = Hash::from_bytes(row.get(0)?);
            if let Err(fault) = read::blob(walk.connection, hash) {
                walk.note(format!("content {hash}"), fault);
            }
            Ok(())
        })
    }

    fn spend(&mut self) -> Result<()> {
        self.rows("select distinct tenant from spent", |walk, row| {
            let tenant: String = row.get(0)?;
            match TenantId::new(&tenant) {
                Err(_) => walk.found.note(format!("spend of `{tenant}`"), "that is no tenant"),
                Ok(tenant) => {
                    if let Err(fault) =
                        read::spent_with(walk.connection, &walk.recent, &tenant, Timestamp(0))
                    {
                        walk.note(format!("spend of {tenant}"), fault);
                    }
                }
            }
            Ok(())
        })
    }

    fn messages(&mut self) -> Result<()> {
        self.found.messages = read::inbox(self.connection)?.len() as u64;
        Ok(())
    }
}

/// The standing as a row can hold it.
fn stored(standing: &Standing) -> Standing {
    let fits = |at: Timestamp| Timestamp(nat(int(at.0)));
    let mut standing = standing.clone();
    for amount in [&mut standing.spend.money, &mut standing.spend.tokens, &mut standing.spend.calls]
    {
        *amount = nat(int(*amount));
    }
    standing.due = standing.due.map(fits);
    if let Some(ending) = &mut standing.ended {
        (ending.at, ending.spend) = (fits(ending.at), standing.spend);
    }
    standing
}

/// A journal that holds nothing: to settle a run's records from the first.
struct Nothing;

impl Known for Nothing {
    type Error = Fault;

    fn standing(&mut self, _: &consort_core::RunId) -> Result<Option<Standing>> {
        Ok(None)
    }

    fn holder(
        &mut self,
        _: &TenantId,
        _: &consort_core::Name,
        _: &consort_core::IdempotencyKey,
    ) -> Result<Option<consort_core::RunId>> {
        Ok(None)
    }
}
