//! One process owns a store: a lock file beside it, which the system releases when we die.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use consort_core::journal::{JournalError, JournalErrorKind};

use super::fault::unavailable;

/// The right to write to a store, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Lock {
    // Dropping the file releases the lock. The file itself stays: removing it would let two
    // processes lock two files of the same name.
    _file: File,
}

/// A file beside the store.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

impl Lock {
    /// Takes the lock of the store at `path`, or says who has it.
    pub(crate) fn take(path: &Path) -> Result<Self, JournalError> {
        let at = beside(path, ".lock");
        let failed = |what: &str, error| {
            unavailable(format!("cannot {what} lock file `{}`", at.display())).because(error)
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&at)
            .map_err(|error| failed("open", error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(failed("lock", error)),
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                // Whoever it is, it is not us.
                let _ = file.read_to_string(&mut owner);
                let owner = match owner.trim() {
                    "" => "another process".to_owned(),
                    pid => format!("process {pid}"),
                };
                let text = format!(
                    "store `{}` is owned by {owner} (lock file `{}`); stop it, or use another store",
                    path.display(),
                    at.display()
                );
                return Err(JournalError::new(JournalErrorKind::Locked, text));
            }
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            writeln!(file, "{}", std::process::id())
        };
        write(&mut file).map_err(|error| failed("write", error))?;
        Ok(Self { _file: file })
    }
}
