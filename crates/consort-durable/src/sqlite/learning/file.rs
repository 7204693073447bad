//! The file of a learning log: its tables, how it is opened, and what is read from it.

use std::{path::Path, time::Duration};

use consort_core::{
    journal::{JournalError, JournalErrorKind},
    learning::{Record, Snapshot},
};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::super::{
    Sync,
    fault::{Result, corrupt, unavailable},
    row::{int, nat},
};

/// `PRAGMA application_id`: the bytes `CnSl`.
const APPLICATION: i32 = 0x436e_536c;

/// The format that this build writes; `PRAGMA user_version` of the file.
const FORMAT: i64 = 1;

const TABLES: &str = "
create table log(
    position integer primary key,
    body text not null,
    checksum integer not null
) strict;
create table snapshot(
    only integer primary key check (only = 1),
    position integer not null,
    state blob not null,
    checksum integer not null
) strict;
";

/// How long to wait for a reader who is in the way.
const PATIENCE: Duration = Duration::from_secs(20);

/// Pages that the write-ahead log may grow to before it is copied back: 16 MiB.
const LOG_PAGES: u32 = 4000;

pub(super) fn connect_to_write(path: &Path, sync: Sync) -> Result<Connection> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    if !has_tables(&connection, path)? {
        connection.pragma_update(None, "auto_vacuum", "incremental")?;
    }
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        let text = format!(
            "the file system under learning log `{}` has no shared memory for a write-ahead log",
            path.display()
        );
        return Err(unavailable(text).into());
    }
    connection.pragma_update(None, "synchronous", "full")?;
    if !has_tables(&connection, path)? {
        let change = connection.unchecked_transaction()?;
        change.execute_batch(TABLES)?;
        change.pragma_update(None, "application_id", APPLICATION)?;
        change.pragma_update(None, "user_version", FORMAT)?;
        change.commit()?;
    }
    connection.pragma_update(None, "synchronous", sync.name())?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    Ok(connection)
}

pub(super) fn connect_to_read(path: &Path) -> Result<Connection> {
    // With the right to write, so that the last one to leave can clean up the log file.
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .or_else(|_| open(path, OpenFlags::SQLITE_OPEN_READ_ONLY))?;
    if !has_tables(&connection, path)? {
        return Err(unavailable(format!("`{}` holds no log yet", path.display())).into());
    }
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

/// False for an empty file; an error for one that is not ours or too new.
fn has_tables(connection: &Connection, path: &Path) -> Result<bool> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (format, application) = (pragma("user_version")?, pragma("application_id")?);
    let tables: i64 =
        connection.query_row("select count(*) from sqlite_schema", [], |row| row.get(0))?;
    if (tables, format, application) == (0, 0, 0) {
        return Ok(false);
    }
    let path = path.display();
    if application != i64::from(APPLICATION) {
        return Err(unavailable(format!("`{path}` is a database of another kind")).into());
    }
    if format > FORMAT {
        let text = format!(
            "learning log `{path}` has format {format}, this build writes {FORMAT}; use the newer build"
        );
        return Err(JournalError::new(JournalErrorKind::TooNew, text).into());
    }
    Ok(true)
}

/// The newest position ever used: nothing is trimmed beyond the snapshot.
pub(super) fn last(connection: &Connection) -> Result<u64> {
    let sql = "select max(coalesce((select max(position) from log), 0), \
                       coalesce((select position from snapshot), 0))";
    Ok(nat(connection.query_row(sql, [], |row| row.get(0))?))
}

pub(super) fn first(connection: &Connection) -> Result<Option<u64>> {
    let first: Option<i64> =
        connection.query_row("select min(position) from log", [], |row| row.get(0))?;
    Ok(first.map(nat))
}

pub(super) fn read(
    connection: &Connection,
    position: u64,
    limit: usize,
) -> Result<Vec<(u64, Record)>> {
    let sql = "select position, body, checksum from log where position > ? order by 1 limit ?";
    let mut statement = connection.prepare_cached(sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![int(position), limit])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let at = nat(row.get(0)?);
        let body = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        let damaged = |why: &str| corrupt(format!("record {at} of the learning log {why}"));
        if i64::from(crc32fast::hash(body.as_bytes())) != row.get::<_, i64>(2)? {
            return Err(damaged("fails its checksum"));
        }
        let record = serde_json::from_str(body)
            .map_err(|error| damaged(&format!("makes no sense: {error}")))?;
        records.push((at, record));
    }
    Ok(records)
}

pub(super) fn snapshot(connection: &Connection) -> Result<Option<Snapshot>> {
    let row = connection
        .query_row("select position, state, checksum from snapshot", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, i64>(2)?))
        })
        .optional()?;
    let Some((position, state, checksum)) = row else { return Ok(None) };
    if i64::from(crc32fast::hash(&state)) != checksum {
        return Err(corrupt("the snapshot of the learning log fails its checksum"));
    }
    Ok(Some(Snapshot { position: nat(position), state: state.into() }))
}
