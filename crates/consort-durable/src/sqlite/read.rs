//! Everything that is read from a store, by its owner and by others.

use std::sync::Arc;

use consort_core::{
    Hash, IdempotencyKey, Name, RunId, Spend, TenantId, Timestamp,
    journal::{Message, MessageId, OpenRun},
    payload,
    record::{History, Record, RunEnded},
};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Deserialize;
use serde_json::Value;

use super::{
    encode::{MARK, PLAIN, ZSTD},
    fault::{Fault, Result, corrupt},
    recent::{self, Recent},
    row::{COLUMNS, RunRow, int, nat, record_crc, spent_crc},
};
use crate::{ledger, place::Place, scan::parse_hash};

/// Everything recorded about a run.
pub(crate) fn history(connection: &Connection, run: &RunId) -> Result<Option<History>> {
    // One snapshot for the line, the records and their texts.
    let snapshot = connection.unchecked_transaction()?;
    let place = Place::of(run);
    let Some(mut row) = RunRow::at(&snapshot, &place)? else {
        make_sure_there_is_none(&snapshot, &place)?;
        return Ok(None);
    };
    recent::catch_up(&snapshot, &mut row)?;
    let mut records = log(&snapshot, &row)?.into_iter();
    let Some(Record::Started(started)) = records.next() else {
        return Err(corrupt(format!("record 0 of run {run} is not its start")));
    };
    if started.id != *run {
        return Err(corrupt(format!("record 0 of run {run} is that of {}", started.id)));
    }
    let mut records: Vec<Record> = records.collect();
    let ended = match records.pop() {
        Some(Record::Ended(ended)) => Some(*ended),
        Some(other) => {
            records.push(other);
            None
        }
        None => None,
    };
    if ended.is_some() != row.standing.ended.is_some() {
        return Err(corrupt(format!("the line about run {run} disagrees with its records")));
    }
    Ok(Some(History { started: *started, records, ended }))
}

/// How a run ended, from its last record alone.
pub(crate) fn ended(connection: &Connection, run: &RunId) -> Result<Option<RunEnded>> {
    // One snapshot for the line, the record and its texts.
    let snapshot = connection.unchecked_transaction()?;
    let place = Place::of(run);
    let Some(row) = RunRow::at(&snapshot, &place)? else {
        make_sure_there_is_none(&snapshot, &place)?;
        return Ok(None);
    };
    if row.standing.ended.is_none() {
        return Ok(None);
    }
    let seq = row.standing.entries.saturating_sub(1);
    let (body, _) = body(&snapshot, &row, row.tail, seq)
        .map_err(|fault| fault.named(|| format!("record {seq} of run {run} cannot be read")))?;
    match decode(&snapshot, &body)
        .map_err(|fault| fault.about(|| format!("record {seq} of run {run} makes no sense")))?
    {
        Record::Ended(ended) => Ok(Some(*ended)),
        _ => Err(corrupt(format!("the line about run {run} disagrees with its records"))),
    }
}

/// A damaged entry of an index hides its run, and a run that seems missing may be started again,
/// effects and all. The search for it ends beside the damaged entry, so it shows in a neighbour:
/// its line fails its checksum, or stands where it should not.
fn make_sure_there_is_none(connection: &Connection, place: &Place) -> Result<()> {
    type Stands = fn(&Place, &Place) -> bool;
    let neighbours: [(&str, Stands); 4] = [
        ("tree = ?1 and path > ?2 order by path", |a, b| {
            a.tree() == b.tree() && a.path() > b.path()
        }),
        ("tree = ?1 and path < ?2 order by path desc", |a, b| {
            a.tree() == b.tree() && a.path() < b.path()
        }),
        ("tree < ?1 and ?2 = ?2 order by tree desc, path", |a, b| a.tree() < b.tree()),
        ("tree > ?1 and ?2 = ?2 order by tree, path desc", |a, b| a.tree() > b.tree()),
    ];
    for (clause, holds) in neighbours {
        let sql = format!("select {COLUMNS} from run where {clause} limit 1");
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![place.tree(), place.path()])?;
        if let Some(row) = rows.next()? {
            let row = RunRow::read(row)?;
            if !holds(&Place::of(&row.id), place) {
                return Err(corrupt(format!("the index of runs is damaged at run {}", row.id)));
            }
        }
    }
    Ok(())
}

/// The records of a run in order.
pub(crate) fn log(connection: &Connection, row: &RunRow) -> Result<Vec<Record>> {
    let bodies = bodies(connection, row)?.into_iter().enumerate();
    let decode = |(seq, body): (usize, String)| {
        decode(connection, &body).map_err(|fault| {
            fault.about(|| format!("record {seq} of run {} makes no sense", row.id))
        })
    };
    bodies.map(decode).collect()
}

/// The texts of a run's records in order, each checked.
pub(crate) fn bodies(connection: &Connection, row: &RunRow) -> Result<Vec<String>> {
    let mut bodies = Vec::new();
    let mut key = row.tail;
    for seq in (0..row.standing.entries).rev() {
        let (body, previous) = body(connection, row, key, seq).map_err(|fault| {
            fault.named(|| format!("record {seq} of run {} cannot be read", row.id))
        })?;
        bodies.push(body);
        key = previous;
    }
    if key != 0 {
        return Err(corrupt(format!("run {} has more records than its line says", row.id)));
    }
    bodies.reverse();
    Ok(bodies)
}

/// The text of one record and the key of the one before.
fn body(connection: &Connection, row: &RunRow, key: i64, seq: u64) -> Result<(String, i64)> {
    let sql = "select run, seq, previous, body, checksum from record where key = ?";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([key])?;
    let missing = || corrupt(format!("record {seq} of run {} is missing", row.id));
    let found = rows.next()?.ok_or_else(missing)?;
    let (run, place, previous) = (found.get(0)?, found.get(1)?, found.get(2)?);
    let (body, checksum): (String, i64) = (found.get(3)?, found.get(4)?);
    let crc = record_crc(crc32fast::hash(body.as_bytes()), key, run, place, previous);
    if crc != checksum || (run, place) != (row.key, int(seq)) {
        return Err(corrupt(format!("record {seq} of run {} fails its checksum", row.id)));
    }
    Ok((body, previous))
}

fn decode(connection: &Connection, body: &str) -> Result<Record> {
    if !body.contains(MARK) {
        return parse(body);
    }
    let mut value: Value = parse(body)?;
    payload::join(&mut value, &mut |digits| {
        let hash = parse_hash(digits.as_bytes()).ok_or_else(|| corrupt("not a hash"))?;
        let bytes = blob(connection, hash)?.ok_or_else(|| corrupt(format!("{hash} is missing")))?;
        String::from_utf8(bytes.to_vec()).map_err(|_| corrupt(format!("{hash} is not text")))
    })?;
    // Not through text again: it may be large.
    serde_json::from_value(value).map_err(|error| corrupt(error.to_string()))
}

/// Parses what this program wrote; how deep that may be was checked then.
pub(crate) fn parse<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T> {
    let mut parser = serde_json::Deserializer::from_str(json);
    parser.disable_recursion_limit();
    let parsed = T::deserialize(&mut parser).and_then(|parsed| parser.end().map(|()| parsed));
    parsed.map_err(|error| corrupt(error.to_string()))
}

/// All unfinished runs.
pub(crate) fn open_runs(connection: &Connection) -> Result<Vec<OpenRun>> {
    let sql = format!("select {COLUMNS} from run where ended is null order by tree desc, path");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    let mut open = Vec::new();
    while let Some(row) = rows.next()? {
        let RunRow { id, birth, standing, .. } = RunRow::read(row)?;
        open.push(OpenRun {
            id,
            orchestrator: birth.orchestrator,
            version: birth.version,
            tenant: birth.tenant,
            parked: standing.parked,
            due: standing.due,
        });
    }
    Ok(open)
}

/// The run that holds an idempotency key.
pub(crate) fn find(
    connection: &Connection,
    tenant: &TenantId,
    orchestrator: &Name,
    key: &IdempotencyKey,
) -> Result<Option<RunId>> {
    let sql = format!(
        "select {COLUMNS} from run where tenant = ? and orchestrator = ? and idempotency_key = ?"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows =
        statement.query(params![tenant.as_str(), orchestrator.as_str(), key.as_str()])?;
    Ok(rows.next()?.map(RunRow::read).transpose()?.map(|row| row.id))
}

/// Stored content, checked against its hash.
pub(crate) fn blob(connection: &Connection, hash: Hash) -> Result<Option<Arc<[u8]>>> {
    let sql = "select codec, size, bytes from payload where hash = ?";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([hash.as_bytes()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let (codec, size): (i64, i64) = (row.get(0)?, row.get(1)?);
    let damaged = || corrupt(format!("content {hash} is damaged"));
    let stored = row.get_ref(2)?.as_blob().map_err(|_| damaged())?;
    let bytes: Arc<[u8]> = match codec {
        PLAIN => stored.into(),
        ZSTD => unpack(stored, size).ok_or_else(damaged)?.into(),
        _ => return Err(damaged()),
    };
    if Hash::of(&bytes) != hash {
        return Err(damaged());
    }
    Ok(Some(bytes))
}

/// Decompresses; a damaged size must not make us reserve more than SQLite could have held.
fn unpack(stored: &[u8], size: i64) -> Option<Vec<u8>> {
    const LARGEST: usize = 1 << 30;
    let size = usize::try_from(size).ok().filter(|size| *size <= LARGEST)?;
    zstd::bulk::decompress(stored, size).ok()
}

/// What a tenant spent since the full hour of `since`.
pub(crate) fn spent(connection: &Connection, tenant: &TenantId, since: Timestamp) -> Result<Spend> {
    // One snapshot for the accounts and what they do not tell yet.
    let snapshot = connection.unchecked_transaction()?;
    let recent = Recent::load(&snapshot)?;
    spent_with(&snapshot, &recent, tenant, since)
}

/// The same, within a snapshot.
pub(crate) fn spent_with(
    snapshot: &Connection,
    recent: &Recent,
    tenant: &TenantId,
    since: Timestamp,
) -> Result<Spend> {
    let mut sum = spend(snapshot, tenant, int(ledger::hour(since)), i64::MAX)?;
    for run in recent.runs.keys() {
        if RunRow::of(snapshot, *run)?.birth.tenant == *tenant {
            let later = |at: &Timestamp| ledger::hour(*at) >= ledger::hour(since);
            recent.spent(*run).filter(|(at, _)| later(at)).for_each(|(_, spend)| sum += spend);
        }
    }
    Ok(sum)
}

/// What the account of a tenant says for one hour.
pub(crate) fn spent_in(connection: &Connection, tenant: &TenantId, hour: u64) -> Result<Spend> {
    spend(connection, tenant, int(hour), int(hour))
}

fn spend(connection: &Connection, tenant: &TenantId, from: i64, to: i64) -> Result<Spend> {
    let sql = "select hour, money, tokens, calls, checksum from spent \
               where tenant = ? and hour between ? and ?";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![tenant.as_str(), from, to])?;
    let mut sum = Spend::ZERO;
    while let Some(row) = rows.next()? {
        let (hour, spend): (i64, [i64; 3]) = (row.get(0)?, [row.get(1)?, row.get(2)?, row.get(3)?]);
        if spent_crc(tenant.as_str(), hour, spend) != row.get::<_, i64>(4)? {
            let text = format!("the spend of tenant {tenant} in hour {hour} fails its checksum");
            return Err(corrupt(text));
        }
        let [money, tokens, calls] = spend.map(nat);
        sum += Spend { money, tokens, calls };
    }
    Ok(sum)
}

/// Messages that wait, oldest first.
pub(crate) fn inbox(connection: &Connection) -> Result<Vec<(MessageId, Message)>> {
    let mut statement =
        connection.prepare_cached("select id, body, checksum from inbox order by id")?;
    let mut rows = statement.query([])?;
    let mut messages = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, body, checksum): (i64, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if message_crc(&body) != checksum {
            return Err(corrupt(format!("message {id} fails its checksum")));
        }
        let message = parse(&body)
            .map_err(|fault: Fault| fault.about(|| format!("message {id} makes no sense")))?;
        messages.push((nat(id), message));
    }
    Ok(messages)
}

/// The checksum of a message.
pub(crate) fn message_crc(body: &str) -> i64 {
    i64::from(crc32fast::hash(body.as_bytes()).cast_signed())
}

/// A small fact about the file.
pub(crate) fn meta(connection: &Connection, name: &str) -> Result<Option<String>> {
    let sql = "select value from meta where name = ?";
    Ok(connection.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()?)
}
