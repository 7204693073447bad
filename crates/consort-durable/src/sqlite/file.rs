//! The store's file: is it there, is it ours, may we write to it; and how it is opened.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read},
    path::Path,
    time::Duration,
};

use consort_core::journal::{JournalError, JournalErrorKind};
use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::{
    Options, Sync,
    fault::{Fault, Result, unavailable},
    read, row, schema,
};

/// How long to wait for another process that is writing a message.
const PATIENCE: Duration = Duration::from_secs(20);

/// Prepared statements kept by each connection; there are about 30.
const STATEMENTS: usize = 64;

/// How many pages the write-ahead log may grow to before it is copied back: 16 MiB. Larger than
/// SQLite's default, because copying holds up the commits that come after.
const LOG_PAGES: u32 = 4000;

/// Says what is wrong with the place before SQLite says "unable to open database file".
pub(crate) fn examine(path: &Path) -> std::result::Result<(), JournalError> {
    let name = path.display();
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !directory.is_dir() {
        let text = format!("there is no directory `{}` for store `{name}`", directory.display());
        return Err(unavailable(text));
    }
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unavailable(format!("cannot open store `{name}`")).because(error)),
        Ok(file) => file,
    };
    let mut start = Vec::new();
    let read = file.by_ref().take(16).read_to_end(&mut start);
    read.map_err(|error| unavailable(format!("cannot read store `{name}`")).because(error))?;
    if !start.is_empty() && start != b"SQLite format 3\0" {
        let text = format!("`{name}` is not a store, or its first page is damaged");
        return Err(JournalError::new(JournalErrorKind::Corrupt, text));
    }
    Ok(())
}

/// True when the file's permissions forbid writing; root could write all the same, but must not.
pub(crate) fn is_read_only(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|facts| facts.permissions().readonly())
}

/// The owner's connection: creates or migrates the file.
pub(crate) fn connect_to_write(path: &Path, options: &Options) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Reading the format recovers what the last owner left behind. Should the file not be ours,
    // it stays as it is.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    let format = schema::format_of(&connection, path)?;
    if format == 0 {
        // Must be set before the first table is there.
        connection.pragma_update(None, "auto_vacuum", "incremental")?;
    }
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        let text = format!(
            "the file system under store `{}` has no shared memory for a write-ahead log",
            path.display()
        );
        return Err(unavailable(text).into());
    }
    connection.pragma_update(None, "synchronous", "full")?;
    schema::migrate(&connection, path)?;
    remember_sync(&connection, options.sync)?;
    let sync = match options.sync {
        Sync::Full => "full",
        Sync::Normal => "normal",
    };
    connection.pragma_update(None, "synchronous", sync)?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    if let Some(bytes) = options.max_bytes {
        let size: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = (row::int(bytes) / size.max(1)).max(1);
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(connection)
}

/// Keeps in the file how safely it is written, for whoever has to judge its write-ahead log.
fn remember_sync(connection: &Connection, sync: Sync) -> Result<()> {
    let value = match sync {
        Sync::Full => "full",
        Sync::Normal => "normal",
    };
    if read::meta(connection, "sync")?.as_deref() != Some(value) {
        connection.execute("insert or replace into meta values ('sync', ?)", [value])?;
        // Into the file itself, so that it can be read whatever becomes of the log.
        connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?;
    }
    Ok(())
}

/// A connection that cannot change anything.
pub(crate) fn connect_to_read(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    let format = schema::format_of(&connection, path)?;
    if format == 0 {
        let text = format!("`{}` holds no store yet", path.display());
        return Err(Fault::Known(unavailable(text)));
    }
    Ok(connection)
}
