//! The store's file: is it there, is it ours, may we write to it; and how it is opened.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use consort_core::journal::{JournalError, JournalErrorKind};
use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig};

use super::{
    Options, Sync,
    fault::{Fault, Result, corrupt, unavailable},
    lock::{Lock, beside},
    read, row, schema, wal,
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
    let connection = open(path, flags)?;
    if schema::format_of(&connection, path)? == 0 {
        // Must be set before the first table is there.
        connection.pragma_update(None, "auto_vacuum", "incremental")?;
    } else {
        // Nobody can write to the log while we look at it.
        connection.execute_batch("begin immediate")?;
        let loss = log_loss(&connection, path);
        connection.execute_batch("rollback")?;
        if let Some(loss) = loss? {
            return Err(corrupt(lost(path, &loss)));
        }
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
    // Into the file with what the last owner left in the log, so that nothing which was never
    // acknowledged stays behind in it. Somebody reading may prevent it; then it stays a while.
    connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", options.sync.name())?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    if let Some(bytes) = options.max_bytes {
        let size: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = (row::int(bytes) / size.max(1)).max(1);
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(connection)
}

/// A connection that leaves everything as it is, should it turn out that the file is not ours or
/// its log is damaged.
fn open(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

/// Keeps in the file how safely it is written, for whoever has to judge its write-ahead log.
fn remember_sync(connection: &Connection, sync: Sync) -> Result<()> {
    if read::meta(connection, "sync")?.as_deref() != Some(sync.name()) {
        connection.execute("insert or replace into meta values ('sync', ?)", [sync.name()])?;
        // Into the file itself, so that it can be read whatever becomes of the log.
        connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?;
    }
    Ok(())
}

/// What the write-ahead log has lost, if it can be told; see [`wal`].
fn log_loss(connection: &Connection, path: &Path) -> Result<Option<String>> {
    if read::meta(connection, "sync")?.as_deref() != Some(Sync::Full.name()) {
        return Ok(None);
    }
    wal::loss(path).map_err(|error| {
        let text = format!("cannot read the write-ahead log of store `{}`", path.display());
        unavailable(text).because(error).into()
    })
}

/// Why a store with a damaged log is not opened.
pub(crate) fn lost(path: &Path, loss: &str) -> String {
    let path = path.display();
    format!(
        "the write-ahead log of store `{path}` is damaged ({loss}): acknowledged changes would be \
         lost; restore a backup, or move `{path}-wal` away to go on without them"
    )
}

/// A connection of the owner's readers.
pub(crate) fn connect_to_read(path: &Path) -> Result<Connection> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

/// What somebody who does not own a store gets of it.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) connection: Connection,
    /// What the write-ahead log has lost.
    pub(crate) loss: Option<String>,
}

impl Guest {
    /// Opens a store beside its owner, or one that nobody owns, or one that may only be read.
    /// Leaves no file behind that was not there. Nothing may be written through it unless
    /// `write`.
    pub(crate) fn visit(path: &Path, write: bool) -> Result<Self> {
        examine(path)?;
        if !path.is_file() {
            return Err(unavailable(format!("there is no store `{}`", path.display())).into());
        }
        // A connection that could write cleans up after itself; one that cannot does not.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let read_only = is_read_only(path);
        if write && read_only {
            return Err(unavailable(format!("store `{}` may only be read", path.display())).into());
        }
        let opened = if read_only { immutable(path) } else { open(path, flags) };
        let opened = opened.and_then(|connection| {
            let format = schema::format_of(&connection, path)?;
            Ok((connection, format))
        });
        let (connection, format) = match opened {
            Err(Fault::Sql(error)) if !write && cannot_write(&error) => {
                let connection = immutable(path)?;
                let format = schema::format_of(&connection, path)?;
                (connection, format)
            }
            other => other?,
        };
        if format == 0 {
            return Err(unavailable(format!("`{}` holds no store yet", path.display())).into());
        }
        connection.pragma_update(None, "query_only", !write)?;
        let loss = judge_log(&connection, path)?;
        // From here on the last one to leave copies the log back, as usual.
        let keep_log = loss.is_some();
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep_log)?;
        Ok(Self { connection, loss })
    }

    /// The same, for those who cannot do with a damaged log.
    pub(crate) fn connect(path: &Path, write: bool) -> Result<Connection> {
        let Self { connection, loss } = Self::visit(path, write)?;
        match loss {
            Some(loss) => Err(corrupt(lost(path, &loss))),
            None => Ok(connection),
        }
    }
}

/// Looks at the log of a store that nobody owns. An owner has done so when it started.
fn judge_log(connection: &Connection, path: &Path) -> Result<Option<String>> {
    for _ in 0..5 {
        let Ok(_free) = Lock::borrow(path) else { return Ok(None) };
        let loss = log_loss(connection, path)?;
        if loss.is_none() {
            return Ok(None);
        }
        // Perhaps somebody sends a message just now, and we saw half of it.
        drop(_free);
        thread::sleep(Duration::from_millis(20));
    }
    log_loss(connection, path)
}

fn cannot_write(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}

/// Reads a file on a medium that nobody can write to.
fn immutable(path: &Path) -> Result<Connection> {
    let log = beside(path, "-wal");
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        let text = format!(
            "store `{}` has a write-ahead log that cannot be read without write permission; copy \
             both to where you may write",
            path.display()
        );
        return Err(unavailable(text).into());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    open(&uri(path), flags)
}

/// The path as SQLite's own kind of address, with the promise that the file does not change.
fn uri(path: &Path) -> PathBuf {
    let mut uri = "file:".to_owned();
    for byte in path.to_string_lossy().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                uri.push(char::from(byte));
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    (uri + "?immutable=1").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_marks_of_an_address_stays_one_path() {
        let uri = uri(Path::new("/a b/c?d#e%.db"));
        assert_eq!(uri.to_str(), Some("file:/a%20b/c%3Fd%23e%25.db?immutable=1"));
    }
}
