//! One process owns a store: a lock file beside it, which the system releases when we die.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use consort_core::journal::{JournalError, JournalErrorKind};

use super::fault::unavailable;

/// Between two tries to take the lock. Others borrow it for some milliseconds.
const PAUSE: Duration = Duration::from_millis(10);

/// Tries until somebody else is the owner: about half a second.
const TRIES: u32 = 50;

/// The right to write to a store, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Lock {
    // Dropping the file releases the lock. The file itself stays: removing it would let two
    // processes lock two files of the same name.
    _file: Option<File>,
}

/// A file beside the store.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// True when a living process owns the store at `path`, or is about to. Blocks.
pub fn has_owner(path: impl AsRef<Path>) -> bool {
    let Ok(file) = File::open(beside(path.as_ref(), ".lock")) else { return false };
    // Shared: those who only ask do not take each other for the owner.
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
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
        let mut tries = TRIES;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(failed("lock", error)),
                Err(TryLockError::WouldBlock) if tries == 0 => return Err(owned(path, &at, file)),
                Err(TryLockError::WouldBlock) => tries -= 1,
            }
            thread::sleep(PAUSE);
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            writeln!(file, "{}", std::process::id())
        };
        write(&mut file).map_err(|error| failed("write", error))?;
        Ok(Self { _file: Some(file) })
    }

    /// Keeps an owner from starting for a moment, without becoming one: leaves the lock file as
    /// it is, even if there is none.
    ///
    /// # Errors
    ///
    /// When somebody owns the store.
    pub(crate) fn borrow(path: &Path) -> Result<Self, TryLockError> {
        match File::open(beside(path, ".lock")) {
            Ok(file) => file.try_lock().map(|()| Self { _file: Some(file) }),
            // Nobody has owned it in this place.
            Err(_) => Ok(Self { _file: None }),
        }
    }
}

fn owned(path: &Path, at: &Path, mut file: File) -> JournalError {
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
    JournalError::new(JournalErrorKind::Locked, text)
}
