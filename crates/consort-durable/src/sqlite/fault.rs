//! What goes wrong inside the SQLite journal, before it becomes an error of the port.

use std::path::Path;

use consort_core::journal::{JournalError, JournalErrorKind};
use rusqlite::ErrorCode;

/// An error of SQLite, whose file is not known yet, or a finished one.
#[derive(Debug)]
pub(crate) enum Fault {
    Sql(rusqlite::Error),
    Known(JournalError),
}

pub(crate) type Result<T> = std::result::Result<T, Fault>;

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<JournalError> for Fault {
    fn from(error: JournalError) -> Self {
        Self::Known(error)
    }
}

/// A record, run or page that makes no sense.
pub(crate) fn corrupt(message: impl Into<String>) -> Fault {
    Fault::Known(JournalError::new(JournalErrorKind::Corrupt, message))
}

/// The store cannot be used.
pub(crate) fn unavailable(message: impl Into<String>) -> JournalError {
    JournalError::new(JournalErrorKind::Unavailable, message)
}

impl Fault {
    /// Says which record it is, where SQLite found damage.
    pub(crate) fn named(self, what: impl FnOnce() -> String) -> Self {
        match self {
            Self::Sql(error) if is_damage(&error) => {
                Self::Known(JournalError::new(JournalErrorKind::Corrupt, what()).because(error))
            }
            other => other,
        }
    }

    /// Says which record it is, where there is damage of any kind.
    pub(crate) fn about(self, what: impl Fn() -> String) -> Self {
        match self.named(&what) {
            Self::Known(error) if error.kind() == JournalErrorKind::Corrupt => {
                corrupt(format!("{}: {error}", what()))
            }
            other => other,
        }
    }

    /// As the port tells it; `path` is the store's.
    pub(crate) fn at(self, path: &Path) -> JournalError {
        let error = match self {
            Self::Known(error) => return error,
            Self::Sql(error) => error,
        };
        let path = path.display();
        let (kind, text) = match (&error, error.sqlite_error_code()) {
            (_, Some(ErrorCode::DiskFull)) => (
                JournalErrorKind::Full,
                format!("no room left for store `{path}`; free some space, nothing kept was lost"),
            ),
            (_, Some(ErrorCode::DatabaseCorrupt)) => (
                JournalErrorKind::Corrupt,
                format!("store `{path}` is damaged; restore a backup, or see what `check` finds"),
            ),
            (_, Some(ErrorCode::NotADatabase)) => (
                JournalErrorKind::Corrupt,
                format!("`{path}` is not a store, or its first page is damaged"),
            ),
            (_, Some(ErrorCode::ReadOnly)) => {
                (JournalErrorKind::Unavailable, format!("store `{path}` may only be read"))
            }
            (_, Some(ErrorCode::CannotOpen)) => {
                (JournalErrorKind::Unavailable, format!("cannot open store `{path}`"))
            }
            (_, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) => (
                JournalErrorKind::Unavailable,
                format!("another process keeps store `{path}` busy"),
            ),
            (_, Some(ErrorCode::TooBig)) => {
                (JournalErrorKind::Unavailable, format!("too large for store `{path}`: over 1 GB"))
            }
            _ if is_damage(&error) => {
                (JournalErrorKind::Corrupt, format!("a value in store `{path}` makes no sense"))
            }
            _ => (JournalErrorKind::Unavailable, format!("store `{path}` cannot be used now")),
        };
        JournalError::new(kind, text).because(error)
    }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        || matches!(
            error,
            rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::Utf8Error(..)
        )
}
