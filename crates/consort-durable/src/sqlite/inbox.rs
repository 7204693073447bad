//! How a process that does not own a store asks its owner for something.

use std::{path::Path, thread, time::Duration};

use consort_core::journal::{JournalError, Message, MessageId};
use rusqlite::params;

use super::{
    bell,
    fault::{Result, unavailable},
    file::Guest,
    read::message_crc,
    row::nat,
};

/// Between two tries while the owner is writing. Short: a busy owner leaves only short gaps.
const PAUSE: Duration = Duration::from_micros(300);

/// Tries until giving up: 20 s or a little more.
const TRIES: i32 = 60_000;

fn wait(tries: i32) -> bool {
    thread::sleep(PAUSE);
    tries < TRIES
}

/// Puts a message into the inbox of the store at `path` and rings its bell.
///
/// The owner, or the next one if there is none now, takes care of it exactly once. When this
/// returns, the message is on disk. Blocks.
///
/// # Errors
///
/// `Unavailable` when there is no store or it may only be read; `TooNew`, `Corrupt` and `Full` as
/// for the owner.
pub fn post(
    path: impl AsRef<Path>,
    message: &Message,
) -> std::result::Result<MessageId, JournalError> {
    let path = path.as_ref();
    let sent = send(path, message).map_err(|fault| fault.at(path));
    if sent.is_ok() {
        // The message is safe; without the bell the owner only finds it later.
        let _ = bell::ring(path);
    }
    sent
}

fn send(path: &Path, message: &Message) -> Result<MessageId> {
    let body = serde_json::to_string(message)
        .map_err(|error| unavailable("the message is not JSON").because(error))?;
    let mut connection = Guest::connect(path, true)?;
    connection.busy_handler(Some(wait))?;
    connection.pragma_update(None, "synchronous", "full")?;
    let sql = "insert into inbox(body, checksum) values (?, ?)";
    connection.execute(sql, params![body, message_crc(&body)])?;
    Ok(nat(connection.last_insert_rowid()))
}
