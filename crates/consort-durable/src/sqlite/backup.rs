//! A consistent copy of a store, also beside an owner that goes on writing.

use std::{
    fs::{self, File},
    path::Path,
    time::Duration,
};

use consort_core::journal::JournalError;
use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
};

use super::{
    fault::{Result, unavailable},
    file::Guest,
    lock::beside,
};

/// Copies the store at `path` to the new file `to`, as it is at one moment; returns its size in
/// bytes. Blocks. The copy appears under its name once it is whole and on disk.
///
/// # Errors
///
/// `Unavailable` when `to` exists or cannot be written, `Full` when there is no room; and as for
/// [`SqliteReader::open`](super::SqliteReader::open).
pub fn backup(
    path: impl AsRef<Path>,
    to: impl AsRef<Path>,
) -> std::result::Result<u64, JournalError> {
    let (path, to) = (path.as_ref(), to.as_ref());
    whole(|| Guest::connect(path, false).map_err(|fault| fault.at(path)), to)
}

/// Copies the database that `connect` opens to the new file `to`; all of it or nothing.
pub(super) fn whole(
    connect: impl FnOnce() -> std::result::Result<Connection, JournalError>,
    to: &Path,
) -> std::result::Result<u64, JournalError> {
    if to.exists() {
        return Err(unavailable(format!("`{}` exists already", to.display())));
    }
    let source = connect()?;
    let half = beside(to, ".part");
    let copied = copy(&source, &half).map_err(|fault| fault.at(&half)).and_then(|()| {
        keep(&half, to)
            .map_err(|error| unavailable(format!("cannot write `{}`", to.display())).because(error))
    });
    if copied.is_err() {
        // What matters is the error; half a copy is only in the way.
        let _ = fs::remove_file(&half);
    }
    copied
}

fn copy(source: &Connection, to: &Path) -> Result<()> {
    if to.exists() {
        return Err(unavailable(format!("`{}` is in the way", to.display())).into());
    }
    let mut target = Connection::open(to)?;
    {
        let backup = Backup::new(source, &mut target)?;
        // All pages in one go: they are read in one transaction, so a busy owner cannot make us
        // start over, and the write-ahead log lets it go on writing.
        while !matches!(backup.step(-1)?, StepResult::Done) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    target.close().map_err(|(_, error)| error)?;
    Ok(())
}

/// Puts the whole copy under its name.
fn keep(half: &Path, to: &Path) -> std::io::Result<u64> {
    let file = File::open(half)?;
    file.sync_all()?;
    fs::rename(half, to)?;
    if let Some(directory) = to.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        File::open(directory)?.sync_all()?;
    }
    Ok(file.metadata()?.len())
}
