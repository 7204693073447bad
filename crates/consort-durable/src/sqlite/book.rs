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
    recent::{self, LAG, Recent},
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
///
/// Lines about open runs and the spend of records are written with a delay, in
/// [`settle`](Self::settle); see [`recent`].
#[derive(Debug)]
pub(crate) struct Book {
    /// The rest says what the file says.
    loaded: bool,
    runs: HashMap<RunId, Line>,
    /// Runs whose line in the table is behind; all of them are in `runs`.
    behind: Vec<RunId>,
    /// Spend by records that is not in the table yet.
    owed: HashMap<(TenantId, u64), Spend>,
    /// Key of the last record that is in all lines and accounts.
    settled: i64,
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
    /// Spend that no record tells of.
    spent: HashMap<(TenantId, u64), Spend>,
}

#[derive(Debug)]
struct Line {
    row: RunRow,
    stored: Stored,
    /// Among [`Group::changed`].
    changed: bool,
    /// Among [`Book::behind`], unless it was written since.
    behind: bool,
}

/// What the table says about a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stored {
    Nothing,
    /// It is neither parked nor ended, so that further steps need not be told at once.
    Open,
    Still,
}

impl Stored {
    fn of(row: &RunRow) -> Self {
        if row.may_lag() { Self::Open } else { Self::Still }
    }
}

/// Where the runs of a change will stand; made by [`Book::plan`].
pub(crate) type Plan<'a> = HashMap<&'a RunId, Standing>;

impl Book {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            loaded: false,
            runs: HashMap::new(),
            behind: Vec::new(),
            owed: HashMap::new(),
            settled: 0,
            next_run: 1,
            next_record: 1,
            latest: clock.utc(),
            clock,
            group: Group::default(),
        }
    }

    /// Throws away what is remembered.
    pub(crate) fn forget(&mut self) {
        self.loaded = false;
        self.runs.clear();
        self.behind.clear();
        self.owed.clear();
        self.group = Group::default();
    }

    /// Starts from what the file says, unless that is known.
    pub(crate) fn load(&mut self, connection: &Connection) -> Result<()> {
        if self.loaded {
            return Ok(());
        }
        self.forget();
        let sql = "select coalesce(max(key), 0) + 1 from run";
        self.next_run = connection.query_row(sql, [], |row| row.get(0))?;
        let recent = Recent::load(connection)?;
        (self.settled, self.next_record) = (recent.settled, recent.last + 1);
        for key in recent.runs.keys() {
            let mut row = RunRow::of(connection, *key)?;
            for (at, spend) in recent.spent(*key) {
                let hour = (row.birth.tenant.clone(), ledger::hour(at));
                *self.owed.entry(hour).or_default() += spend;
            }
            let stored = Stored::of(&row);
            if recent.catch_up(&mut row)? {
                self.behind.push(row.id.clone());
                let line = Line { stored, changed: false, behind: true, row };
                self.runs.insert(line.row.id.clone(), line);
            }
        }
        self.loaded = true;
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
            let line = Line { row, stored: Stored::Nothing, changed: false, behind: false };
            self.runs.insert(entry.run.clone(), line);
        }
        let Some(line) = self.runs.get_mut(&entry.run) else { return Ok(()) };
        if let Some((at, spend)) = entry.fact.spent() {
            let hour = (line.row.birth.tenant.clone(), ledger::hour(at));
            *self.owed.entry(hour).or_default() += spend;
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
            line.changed = false;
            match (line.stored, Stored::of(&line.row)) {
                (Stored::Open, Stored::Open) => {
                    if !std::mem::replace(&mut line.behind, true) {
                        self.behind.push(line.row.id.clone());
                    }
                    continue;
                }
                (Stored::Nothing, now) => {
                    line.row.insert(connection)?;
                    line.stored = now;
                }
                (_, now) => {
                    line.row.update(connection)?;
                    line.stored = now;
                }
            }
            line.behind = false;
            // It will hardly be written to soon, or never.
            if line.stored == Stored::Still {
                slot.remove();
            }
        }
        for ((tenant, hour), spend) in self.group.spent.drain() {
            add_spend(connection, &tenant, hour, spend)?;
        }
        self.group.keys.clear();
        let crowded = self.runs.len() > REMEMBERED;
        if crowded || self.next_record - self.settled > LAG {
            self.settle(connection)?;
        }
        if crowded {
            self.runs.clear();
        }
        Ok(())
    }

    /// True when a line or an account in the file is known to be behind.
    pub(crate) fn lags(&self) -> bool {
        self.loaded && self.settled < self.next_record - 1
    }

    /// Brings all lines and accounts in the file up to date. Belongs into a transaction.
    pub(crate) fn settle(&mut self, connection: &Connection) -> Result<()> {
        if !self.lags() {
            return Ok(());
        }
        let last = self.next_record - 1;
        for run in self.behind.drain(..) {
            let Some(line) = self.runs.get_mut(&run) else { continue };
            if std::mem::take(&mut line.behind) {
                line.row.update(connection)?;
            }
        }
        for ((tenant, hour), spend) in self.owed.drain() {
            add_spend(connection, &tenant, hour, spend)?;
        }
        recent::settle(connection, last)?;
        self.settled = last;
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
        // Lines that are behind are all remembered.
        let (standing, stored) = (row.standing.clone(), Stored::of(&row));
        self.book.runs.insert(run.clone(), Line { row, stored, changed: false, behind: false });
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
