//! Writes changes inside one transaction, and remembers the runs that are being written to.

use std::{
    collections::{HashMap, hash_map::Entry as Slot},
    sync::Arc,
};

use consort_core::{Clock, IdempotencyKey, Name, RunId, Spend, TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    encode::{Encoded, Entry, Packed},
    fault::{Fault, Result, corrupt},
    read,
    row::{RunRow, currencies, int, record_crc, spent_crc},
};
use crate::{
    ledger::{self, Fact, Known, Standing},
    place::Place,
};

/// Lines about runs that are kept in memory at most; a forgotten one is read again.
const REMEMBERED: usize = 50_000;

type Key = (TenantId, Name, IdempotencyKey);

/// The writer's memory. What it says is what the file says once the transaction is committed;
/// [`forget`](Self::forget) it when the transaction failed.
#[derive(Debug)]
pub(crate) struct Book {
    runs: HashMap<RunId, Line>,
    next_run: i64,
    next_record: i64,
    clock: Arc<dyn Clock>,
    /// The clock's latest time: going back must not make new content look old.
    latest: Timestamp,
    group: Group,
}

/// What the current transaction adds up before it is written.
#[derive(Debug, Default)]
struct Group {
    changed: Vec<RunId>,
    keys: HashMap<Key, RunId>,
    spent: HashMap<(TenantId, u64), Spend>,
}

#[derive(Debug)]
struct Line {
    row: RunRow,
    /// The row is in the table, perhaps in an older state.
    stored: bool,
    /// Among [`Group::changed`].
    changed: bool,
}

/// Where the runs of a change will stand; made by [`Book::plan`].
pub(crate) type Plan<'a> = HashMap<&'a RunId, Standing>;

impl Book {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let (runs, group) = (HashMap::new(), Group::default());
        Self { runs, next_run: 1, next_record: 1, latest: clock.utc(), clock, group }
    }

    /// Throws away what is remembered and starts from what the file says.
    pub(crate) fn forget(&mut self, connection: &Connection) -> Result<()> {
        self.runs.clear();
        self.group = Group::default();
        let next = |table: &str| {
            let sql = format!("select coalesce(max(key), 0) + 1 from {table}");
            connection.query_row(&sql, [], |row| row.get(0))
        };
        (self.next_run, self.next_record) = (next("run")?, next("record")?);
        Ok(())
    }

    /// Decides whether a change may be made. Writes nothing.
    pub(crate) fn plan<'a>(
        &mut self,
        connection: &Connection,
        change: &'a Encoded,
    ) -> Result<Plan<'a>> {
        let entries = change.entries.iter().map(|entry| (&entry.run, &entry.fact));
        ledger::settle(entries, &mut Lookup { book: self, connection })
    }

    /// Writes a change that was planned.
    pub(crate) fn write(
        &mut self,
        connection: &Connection,
        change: &Encoded,
        plan: Plan<'_>,
    ) -> Result<()> {
        self.latest = self.latest.max(self.clock.utc());
        for payload in &change.payloads {
            put(connection, payload, self.latest)?;
        }
        for entry in &change.entries {
            self.append(connection, entry)?;
        }
        for (run, standing) in plan {
            // Planned, so it is remembered.
            let Some(line) = self.runs.get_mut(run) else { continue };
            line.row.standing = standing;
            if !line.changed {
                line.changed = true;
                self.group.changed.push(run.clone());
            }
        }
        for message in &change.applied {
            let sql = "delete from inbox where id = ?";
            connection.prepare_cached(sql)?.execute([int(*message)])?;
        }
        for (tenant, hour, spend) in &change.spent {
            *self.group.spent.entry((tenant.clone(), *hour)).or_default() += *spend;
        }
        Ok(())
    }

    fn append(&mut self, connection: &Connection, entry: &Entry) -> Result<()> {
        if let Fact::Started(birth) = &entry.fact {
            let row = RunRow {
                key: self.next_run,
                id: entry.run.clone(),
                birth: (**birth).clone(),
                standing: Standing::default(),
                tail: 0,
            };
            self.next_run += 1;
            if let Some(key) = &birth.idempotency_key {
                let key = (birth.tenant.clone(), birth.orchestrator.clone(), key.clone());
                self.group.keys.insert(key, entry.run.clone());
            }
            let line = Line { row, stored: false, changed: false };
            self.runs.insert(entry.run.clone(), line);
        }
        let Some(line) = self.runs.get_mut(&entry.run) else { return Ok(()) };
        if let Some((at, spend)) = entry.fact.spent() {
            let hour = (line.row.birth.tenant.clone(), ledger::hour(at));
            *self.group.spent.entry(hour).or_default() += spend;
        }
        let (run, key) = (line.row.key, self.next_record);
        let (seq, previous) = (int(line.row.standing.entries), line.row.tail);
        let checksum = record_crc(entry.crc, key, run, seq, previous);
        let sql = "insert into record(key, run, seq, previous, body, checksum) \
                   values (?, ?, ?, ?, ?, ?)";
        connection
            .prepare_cached(sql)?
            .execute(params![key, run, seq, previous, entry.body, checksum])?;
        self.next_record += 1;
        line.row.tail = key;
        line.row.standing.entries += 1;
        for mark in &entry.marks {
            let sql = "insert or ignore into mention(run, mark) values (?, ?)";
            connection.prepare_cached(sql)?.execute([run, *mark])?;
        }
        Ok(())
    }

    /// Writes what the changes of this transaction add up to; the commit comes next.
    pub(crate) fn finish(&mut self, connection: &Connection) -> Result<()> {
        for run in self.group.changed.drain(..) {
            let Slot::Occupied(mut slot) = self.runs.entry(run) else { continue };
            let line = slot.get_mut();
            if line.stored {
                line.row.update(connection)?;
            } else {
                line.row.insert(connection)?;
            }
            (line.stored, line.changed) = (true, false);
            // It will hardly be written to soon, or never.
            if line.row.standing.parked || line.row.standing.ended.is_some() {
                slot.remove();
            }
        }
        for ((tenant, hour), spend) in self.group.spent.drain() {
            add_spend(connection, &tenant, hour, spend)?;
        }
        self.group.keys.clear();
        if self.runs.len() > REMEMBERED {
            self.runs.clear();
        }
        Ok(())
    }

    /// Forgets a run that retention removed.
    pub(crate) fn remove(&mut self, run: &str) {
        // A damaged id is none that we remember.
        if let Ok(run) = RunId::new(run) {
            self.runs.remove(&run);
        }
    }
}

/// What is known during a transaction: remembered lines before those in the file.
struct Lookup<'a> {
    book: &'a mut Book,
    connection: &'a Connection,
}

impl Known for Lookup<'_> {
    type Error = Fault;

    fn standing(&mut self, run: &RunId) -> Result<Option<Standing>> {
        if let Some(line) = self.book.runs.get(run) {
            return Ok(Some(line.row.standing.clone()));
        }
        let Some(row) = RunRow::at(self.connection, &Place::of(run))? else { return Ok(None) };
        let standing = row.standing.clone();
        self.book.runs.insert(run.clone(), Line { row, stored: true, changed: false });
        Ok(Some(standing))
    }

    fn holder(
        &mut self,
        tenant: &TenantId,
        orchestrator: &Name,
        key: &IdempotencyKey,
    ) -> Result<Option<RunId>> {
        let full = (tenant.clone(), orchestrator.clone(), key.clone());
        match self.book.group.keys.get(&full) {
            Some(run) => Ok(Some(run.clone())),
            None => read::find(self.connection, tenant, orchestrator, key),
        }
    }
}

/// Keeps content, unless it is there.
fn put(connection: &Connection, payload: &Packed, now: Timestamp) -> Result<()> {
    let hash = payload.hash.as_bytes();
    let sql = "select key from payload where hash = ?";
    let found = connection.prepare_cached(sql)?.query_row([hash], |row| row.get(0)).optional()?;
    let key: i64 = match found {
        Some(key) => key,
        None => {
            let sql = "insert into payload(hash, codec, size, bytes) values (?, ?, ?, ?)";
            let mut statement = connection.prepare_cached(sql)?;
            let size = int(payload.size as u64);
            statement.execute(params![hash, payload.codec, size, &*payload.bytes])?;
            connection.last_insert_rowid()
        }
    };
    if payload.loose {
        let sql = "insert into fresh(payload, since) values (?, ?) \
                   on conflict(payload) do update set since = max(since, excluded.since)";
        connection.prepare_cached(sql)?.execute([key, int(now.0)])?;
    }
    Ok(())
}

fn add_spend(connection: &Connection, tenant: &TenantId, hour: u64, spend: Spend) -> Result<()> {
    let before = read::spent_in(connection, tenant, hour)?;
    let sum = currencies(before.plus(spend));
    let (tenant, hour) = (tenant.as_str(), int(hour));
    let checksum = spent_crc(tenant, hour, sum);
    let sql = "insert or replace into spent(tenant, hour, money, tokens, calls, checksum) \
               values (?, ?, ?, ?, ?, ?)";
    let changed = connection
        .prepare_cached(sql)?
        .execute(params![tenant, hour, sum[0], sum[1], sum[2], checksum])?;
    if changed == 1 { Ok(()) } else { Err(corrupt("an hour's spend was not written")) }
}
