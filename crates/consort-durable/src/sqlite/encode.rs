//! From a change to what the writer puts on disk. Runs on the caller's thread, so that the one
//! writer only has to write.

use std::{collections::HashSet, sync::Arc};

use consort_core::{
    Hash, RunId, Spend, TenantId,
    journal::{Batch, JournalError, JournalErrorKind, MessageId},
    payload,
    record::Record,
};

use crate::{
    ledger::{self, Fact},
    scan::{MAX_DEPTH, scan},
};

/// Smaller content is not compressed: it would hardly save a page.
const COMPRESS_FROM: usize = 1024;

/// How content is stored.
pub(crate) const PLAIN: i64 = 0;
/// As one Zstandard frame.
pub(crate) const ZSTD: i64 = 1;

/// A change, ready to be written.
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    pub(crate) entries: Vec<Entry>,
    pub(crate) payloads: Vec<Packed>,
    pub(crate) applied: Vec<MessageId>,
    pub(crate) spent: Vec<(TenantId, u64, Spend)>,
}

/// One entry of a log.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) run: RunId,
    pub(crate) fact: Fact,
    /// The record as JSON, without its large texts.
    pub(crate) body: String,
    /// CRC-32 of the body.
    pub(crate) crc: u32,
    /// Content that it mentions.
    pub(crate) marks: Vec<i64>,
}

/// Content, packed.
#[derive(Debug)]
pub(crate) struct Packed {
    pub(crate) hash: Hash,
    pub(crate) codec: i64,
    pub(crate) size: usize,
    pub(crate) bytes: Arc<[u8]>,
    /// Put by itself, not as part of a record that mentions it.
    pub(crate) loose: bool,
}

/// The first eight bytes of a hash: enough to know again what a run mentions.
pub(crate) fn mark(hash: &Hash) -> i64 {
    let mut first = [0; 8];
    first.copy_from_slice(&hash.as_bytes()[..8]);
    i64::from_be_bytes(first)
}

/// Encodes a change.
pub(crate) fn encode(batch: Batch) -> Result<Encoded, JournalError> {
    let mut encoded = Encoded { applied: batch.applied, ..Encoded::default() };
    let mut texts = Vec::new();
    for (run, record) in batch.entries {
        encoded.entries.push(entry(run, &record, &mut texts)?);
    }
    let mut seen = HashSet::new();
    let loose = batch.blobs.into_iter().map(|(hash, bytes)| (hash, bytes, true));
    for (hash, bytes, loose) in loose.chain(texts.into_iter().map(|(h, b)| (h, b, false))) {
        if seen.insert(hash) {
            encoded.payloads.push(pack(hash, bytes, loose));
        }
    }
    let hours = batch.spent.into_iter();
    encoded.spent = hours.map(|(tenant, at, spend)| (tenant, ledger::hour(at), spend)).collect();
    Ok(encoded)
}

fn entry(
    run: RunId,
    record: &Record,
    texts: &mut Vec<(Hash, Arc<[u8]>)>,
) -> Result<Entry, JournalError> {
    if let Record::Started(started) = record
        && started.id != run
    {
        return Err(refused(&run, format!("its first record is that of {}", started.id)));
    }
    let write = |error: serde_json::Error| refused(&run, "a record is not JSON").because(error);
    let mut body = serde_json::to_string(record).map_err(write)?;
    // No text can be longer than the whole; and what looks like our mark must be told apart.
    if body.len() > payload::FIELD_LIMIT || body.contains(MARK) {
        let mut value = serde_json::to_value(record).map_err(write)?;
        if payload::needs_split(&value) {
            payload::split(&mut value, texts);
            body = value.to_string();
        }
    }
    let found = scan(body.as_bytes());
    if found.depth > MAX_DEPTH {
        return Err(refused(&run, format!("a record is nested more than {MAX_DEPTH} levels deep")));
    }
    Ok(Entry {
        fact: Fact::of(record),
        crc: crc32fast::hash(body.as_bytes()),
        marks: found.hashes.iter().map(mark).collect(),
        body,
        run,
    })
}

/// What every reference to a large text contains; see [`payload::split`].
pub(crate) const MARK: &str = "$consort:text";

fn refused(run: &RunId, why: impl std::fmt::Display) -> JournalError {
    JournalError::new(JournalErrorKind::Corrupt, format!("run {run} cannot be recorded: {why}"))
}

fn pack(hash: Hash, bytes: Arc<[u8]>, loose: bool) -> Packed {
    let size = bytes.len();
    if size >= COMPRESS_FROM
        // Level 1: writing less to disk saves more time than a better ratio.
        && let Ok(smaller) = zstd::bulk::compress(&bytes, 1)
        && smaller.len() < size - size / 8
    {
        return Packed { hash, codec: ZSTD, size, bytes: smaller.into(), loose };
    }
    Packed { hash, codec: PLAIN, size, bytes, loose }
}

impl Encoded {
    /// What it takes up in the writer's queue, in bytes.
    pub(crate) fn weight(&self) -> usize {
        let entries = self.entries.iter().map(|entry| entry.body.len() + 256);
        let payloads = self.payloads.iter().map(|payload| payload.bytes.len() + 128);
        256 + entries.chain(payloads).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_mark_is_that_of_the_core() {
        let mut value = json!("x".repeat(payload::FIELD_LIMIT + 1));
        payload::split(&mut value, &mut Vec::new());
        assert!(value.to_string().contains(MARK));
    }

    #[test]
    fn prose_is_compressed_and_noise_is_not() {
        let prose = "to be or not to be ".repeat(1000).into_bytes();
        let packed = pack(Hash::of(&prose), prose.as_slice().into(), true);
        assert_eq!((packed.codec, packed.size), (ZSTD, prose.len()));
        let noise: Vec<u8> = (0..100).flat_map(|n| *Hash::of(&[n]).as_bytes()).collect();
        assert_eq!(pack(Hash::of(&noise), noise.as_slice().into(), true).codec, PLAIN);
    }
}
