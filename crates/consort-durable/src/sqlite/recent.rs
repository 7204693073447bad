//! The newest records, of which the lines about open runs and the accounts of tenants do not tell
//! yet.
//!
//! A step would change three pages of the store: that of its record, that of the line about its
//! run and that of its tenant's account. The latter two follow from the record, so the writer
//! leaves them for a while ([`LAG`]) and readers add what is missing. What lists filter by is
//! never left: a line is written when its run starts, is parked, goes on after that, or ends.

use std::{borrow::Cow, collections::HashMap};

use consort_core::{Spend, Timestamp};
use rusqlite::Connection;
use serde::Deserialize;

use super::{
    fault::{Fault, Result, corrupt},
    read,
    row::{RunRow, int, record_crc},
};
use crate::ledger::Fact;

/// How many records lines and accounts may lag behind before they are brought up to date. Also
/// what a reader may have to look through, within a group of changes: some hundred microseconds.
pub(crate) const LAG: i64 = 512;

/// Records behind the last settled one, by the key of their run.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    /// Key of the last record of which lines and accounts tell.
    pub(crate) settled: i64,
    /// Key of the last record.
    pub(crate) last: i64,
    pub(crate) runs: HashMap<i64, Vec<Link>>,
}

/// One record as far as lines and accounts are concerned.
#[derive(Debug)]
pub(crate) struct Link {
    key: i64,
    seq: i64,
    previous: i64,
    pub(crate) fact: Fact,
}

impl Recent {
    /// Reads and checks them.
    pub(crate) fn load(connection: &Connection) -> Result<Self> {
        Self::select(connection, None)
    }

    /// Only those of the run with a key.
    fn of(connection: &Connection, run: i64) -> Result<Self> {
        Self::select(connection, Some(run))
    }

    fn select(connection: &Connection, only: Option<i64>) -> Result<Self> {
        let settled = settled(connection)?;
        let mut found = Self { settled, last: settled, ..Self::default() };
        let sql = "select key, run, seq, previous, body, checksum from record where key > ? \
                   order by key";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([settled])?;
        while let Some(row) = rows.next()? {
            let (key, run, seq): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            // Keys have no gaps here: nothing is removed before it is settled.
            found.last += 1;
            if key != found.last {
                return Err(corrupt(format!("the record with key {} is missing", found.last)));
            }
            if only.is_some_and(|only| only != run) {
                continue;
            }
            let (previous, checksum): (i64, i64) = (row.get(3)?, row.get(5)?);
            let body = row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?;
            let crc = record_crc(crc32fast::hash(body.as_bytes()), key, run, seq, previous);
            if crc != checksum {
                let text = format!("record {seq} of the run with key {run} fails its checksum");
                return Err(corrupt(text));
            }
            let link = Link { key, seq, previous, fact: glance(body)? };
            found.runs.entry(run).or_default().push(link);
        }
        Ok(found)
    }

    /// Brings a line up to date; true when it was behind.
    pub(crate) fn catch_up(&self, row: &mut RunRow) -> Result<bool> {
        let before = row.standing.entries;
        for link in self.runs.get(&row.key).into_iter().flatten() {
            let next = int(row.standing.entries);
            if link.seq < next {
                continue;
            }
            if (link.seq, link.previous) != (next, row.tail) {
                return Err(corrupt(format!("record {next} of run {} is missing", row.id)));
            }
            row.standing.apply(&link.fact);
            row.tail = link.key;
        }
        Ok(row.standing.entries != before)
    }

    /// What they add to the accounts.
    pub(crate) fn spent(&self, run: i64) -> impl Iterator<Item = (Timestamp, Spend)> {
        self.runs.get(&run).into_iter().flatten().filter_map(|link| link.fact.spent())
    }
}

/// The line about a run with everything that was recorded.
pub(crate) fn catch_up(connection: &Connection, row: &mut RunRow) -> Result<()> {
    if row.may_lag() {
        Recent::of(connection, row.key)?.catch_up(row)?;
    }
    Ok(())
}

/// The key of the last settled record.
fn settled(connection: &Connection) -> Result<i64> {
    let Some(value) = read::meta(connection, "settled")? else {
        // A guest may look at a store of format 1, which settled with every commit.
        let format: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        return if format == 1 {
            Ok(i64::MAX)
        } else {
            Err(corrupt("it is not known what settled"))
        };
    };
    let parsed = value.split_once(' ').filter(|(one, two)| one == two);
    parsed
        .and_then(|(key, _)| key.parse().ok())
        .ok_or_else(|| corrupt(format!("`{value}` does not tell what settled")))
}

/// Writes that everything up to a record has settled.
pub(crate) fn settle(connection: &Connection, key: i64) -> Result<()> {
    let sql = "insert or replace into meta values ('settled', ?)";
    connection.prepare_cached(sql)?.execute([format!("{key} {key}")])?;
    Ok(())
}

#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(borrow)]
    record: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Step<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    ended: Timestamp,
    #[serde(default)]
    spend: Spend,
}

/// What a record means for a line that may lag: only steps count.
fn glance(body: &str) -> Result<Fact> {
    let Tag { record } = read::parse(body)?;
    if record != "step" {
        return Ok(Fact::Other);
    }
    let Step { kind, ended, spend } =
        read::parse(body).map_err(|fault: Fault| fault.about(|| "a recent step".to_owned()))?;
    Ok(Fact::Step { ended, spend, child: kind == "child" })
}

#[cfg(test)]
mod tests {
    use consort_core::{
        Outcome,
        record::{Fingerprint, Record, StepKind, StepRecord},
    };
    use serde_json::json;

    use super::*;

    #[test]
    fn a_glance_sees_of_a_step_what_the_whole_record_says() {
        for (kind, calls) in [(StepKind::Child, 3), (StepKind::Call, 0), (StepKind::Wait, 1)] {
            let step = StepRecord {
                position: 4,
                kind,
                callee: "fetch".into(),
                fingerprint: Fingerprint::of(&json!(1)),
                request: json!({"record": "ended", "spend": 9}),
                result: Ok(Outcome::succeeded(json!({"kind": "child", "ended": "never"}))),
                attempts: 1,
                began: Timestamp(5),
                ended: Timestamp(6),
                spend: Spend { calls, ..Spend::ZERO },
                guards: vec![],
            };
            let record = Record::Step(Box::new(step));
            let glance = glance(&serde_json::to_string(&record).unwrap()).unwrap();
            assert_eq!(format!("{glance:?}"), format!("{:?}", Fact::of(&record)));
        }
    }
}
