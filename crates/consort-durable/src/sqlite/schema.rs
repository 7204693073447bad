//! What the tables are, and how a file of an older format becomes one of today's.

use std::path::Path;

use consort_core::journal::{JournalError, JournalErrorKind};
use rusqlite::Connection;

use super::fault::{Result, unavailable};

/// The format that this build writes; `PRAGMA user_version` of the file.
pub(crate) const FORMAT: usize = MIGRATIONS.len();

/// `PRAGMA application_id`: the bytes `CnSt`.
const APPLICATION: i32 = 0x436e_5374;

/// Step `n` makes a file of format `n + 1` out of one of format `n`. An empty file has format 0.
/// Released steps never change; a new format is one more step.
const MIGRATIONS: &[&str] = &[include_str!("format1.sql"), include_str!("format2.sql")];

/// Brings the file to [`FORMAT`], one transaction for each step.
pub(crate) fn migrate(connection: &Connection, path: &Path) -> Result<()> {
    let format = format_of(connection, path)?;
    apply(connection, format, MIGRATIONS)
}

fn apply(connection: &Connection, format: usize, steps: &[&str]) -> Result<()> {
    for (from, step) in steps.iter().enumerate().skip(format) {
        let change = connection.unchecked_transaction()?;
        change.execute_batch(step)?;
        change.pragma_update(None, "application_id", APPLICATION)?;
        change.pragma_update(None, "user_version", from as i64 + 1)?;
        change.commit()?;
    }
    Ok(())
}

/// The file's format, after making sure that it is a store and not a newer one.
pub(crate) fn format_of(connection: &Connection, path: &Path) -> Result<usize> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (format, application) = (pragma("user_version")?, pragma("application_id")?);
    let tables: i64 =
        connection.query_row("select count(*) from sqlite_schema", [], |row| row.get(0))?;
    let path = path.display();
    if application != i64::from(APPLICATION) && (tables, format, application) != (0, 0, 0) {
        let text = format!("`{path}` is a database of another program, not a store");
        return Err(unavailable(text).into());
    }
    if format > FORMAT as i64 {
        let text = format!(
            "store `{path}` has format {format}, this build writes {FORMAT}; use the newer build"
        );
        return Err(JournalError::new(JournalErrorKind::TooNew, text).into());
    }
    // Negative would mean another program; it has passed the check above, so treat it as new.
    Ok(usize::try_from(format).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(connection: &Connection) -> i64 {
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    #[test]
    fn steps_are_applied_from_the_files_own_format() {
        let connection = Connection::open_in_memory().unwrap();
        apply(&connection, 0, &["create table a(x)"]).unwrap();
        let steps = ["create table a(x)", "alter table a add column y", "create table b(x)"];
        apply(&connection, 1, &steps).unwrap();
        assert_eq!(version(&connection), 3);
        connection.execute("insert into a(x, y) values (1, 2)", []).unwrap();
    }

    #[test]
    fn a_step_that_fails_leaves_the_format_before_it() {
        let connection = Connection::open_in_memory().unwrap();
        apply(&connection, 0, &["create table a(x)", "create table b(x); nonsense"]).unwrap_err();
        assert_eq!(version(&connection), 1);
        connection.execute("create table b(x)", []).unwrap();
    }
}
