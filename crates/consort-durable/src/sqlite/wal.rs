//! Looks for damage in the write-ahead log that SQLite passes over in silence.
//!
//! SQLite ends its recovery at the first frame that fails its checksum and forgets everything
//! behind it. That is right for a transaction that was being written when the power failed, and
//! wrong when an older one was damaged afterwards: what came later had been acknowledged. The two
//! can be told apart. A transaction is flushed before the next one begins, so only the last one
//! can be torn. Source of the layout: "Database File Format" of SQLite, section 4.

use std::{
    fs::File,
    io::{BufReader, ErrorKind, Read, Result},
    path::Path,
};

use super::lock::beside;

const HEADER: usize = 32;
const FRAME: usize = 24;

/// Two sums that every frame continues.
type Sums = (u32, u32);

/// What the log of the store at `path` has lost, in words, or nothing.
///
/// Nobody may write to the log meanwhile. Only meaningful for a store whose transactions are
/// flushed one by one.
pub(crate) fn loss(path: &Path) -> Result<Option<String>> {
    let file = match File::open(beside(path, "-wal")) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut log = BufReader::with_capacity(1 << 20, file);
    let mut header = [0; HEADER];
    if !fill(&mut log, &mut header)? {
        return Ok(None);
    }
    let header = Header::parse(&header);
    let mut frame = vec![0; FRAME + header.page];
    if !fill(&mut log, &mut frame)? {
        return Ok(None);
    }
    if header.is_intact() { header.walk(log, frame) } else { Ok(header.damage(&frame)) }
}

struct Header {
    big_endian: bool,
    page: usize,
    salts: [u8; 8],
    /// As the header says, and as its other fields say.
    stored: Sums,
    computed: Sums,
}

impl Header {
    fn parse(bytes: &[u8; HEADER]) -> Self {
        let page = number(bytes, 8) as usize;
        let mut salts = [0; 8];
        salts.copy_from_slice(&bytes[16..24]);
        let big_endian = number(bytes, 0) & 1 == 1;
        Self {
            big_endian,
            // What is no size of a page is damaged; ours is SQLite's default.
            page: if page.is_power_of_two() && (512..=65_536).contains(&page) {
                page
            } else {
                4096
            },
            salts,
            stored: (number(bytes, 24), number(bytes, 28)),
            computed: add(big_endian, (0, 0), &bytes[..24]),
        }
    }

    fn is_intact(&self) -> bool {
        self.stored == self.computed
    }

    /// A log whose header is damaged is forgotten as a whole. It was one if its first frame
    /// continues what is left of the header, or bears its salts.
    fn damage(&self, frame: &[u8]) -> Option<String> {
        let starts = [self.stored, self.computed];
        let continues = [true, false].into_iter().any(|big_endian| {
            starts.iter().any(|start| sums(big_endian, *start, frame) == kept(frame))
        });
        let known = continues || frame[8..16] == self.salts;
        known.then(|| "its header is damaged".to_owned())
    }

    /// Follows the frames up to the first broken one, and looks whether it belonged to the last
    /// transaction. `frame` is the first frame, and then the buffer for the others.
    fn walk(&self, mut log: impl Read, mut frame: Vec<u8>) -> Result<Option<String>> {
        let mut before = self.stored;
        let mut broken: Option<Broken> = None;
        for index in 1_u64.. {
            // Frames of earlier rounds of the log have other salts.
            let ours = frame[8..16] == self.salts;
            match &mut broken {
                None if ours && sums(self.big_endian, before, &frame) == kept(&frame) => {
                    before = kept(&frame);
                }
                None => broken = Some(self.broken(index, before, &mut frame)),
                Some(first) if ours && first.was_last(&frame) => {
                    let first = first.index;
                    return Ok(Some(format!("frame {first} is damaged, and {index} came later")));
                }
                Some(first) if ours => first.ended = Some(commits(&frame)),
                Some(_) => {}
            }
            if !fill(&mut log, &mut frame)? {
                break;
            }
        }
        Ok(None)
    }

    /// What is known of the first broken frame.
    fn broken(&self, index: u64, before: Sums, frame: &mut [u8]) -> Broken {
        let page = number(frame, 0);
        // The head of a frame may be an old one, when only the rest of it reached the disk.
        let said = commits(frame) && frame[8..16] == self.salts;
        for at in 4..8 {
            let byte = frame[at];
            for value in 0..=u8::MAX {
                frame[at] = value;
                if commits(frame) != said && sums(self.big_endian, before, frame) == kept(frame) {
                    return Broken { index, page, ended: None };
                }
            }
            frame[at] = byte;
        }
        Broken { index, page, ended: Some(said) }
    }
}

/// The first frame that fails its checksum.
struct Broken {
    index: u64,
    page: u32,
    /// Whether its transaction has ended, with it or since. Unknown when the very field that says
    /// so may be damaged, because another value of one of its bytes makes the frame whole.
    ended: Option<bool>,
}

impl Broken {
    /// Whether the frame after it belongs to a later transaction. In doubt the order of pages
    /// tells: it ascends within a transaction.
    fn was_last(&self, next: &[u8]) -> bool {
        self.ended.unwrap_or_else(|| number(next, 0) <= self.page)
    }
}

/// True for the last frame of a transaction, which says how many pages the database has.
fn commits(frame: &[u8]) -> bool {
    number(frame, 4) != 0
}

/// The sums after a frame, which its own header should say.
fn sums(big_endian: bool, before: Sums, frame: &[u8]) -> Sums {
    add(big_endian, add(big_endian, before, &frame[..8]), &frame[FRAME..])
}

/// The sums that a frame says.
fn kept(frame: &[u8]) -> Sums {
    (number(frame, 16), number(frame, 20))
}

/// Continues the sums over some bytes, whose number is a multiple of 8.
fn add(big_endian: bool, (mut first, mut second): Sums, bytes: &[u8]) -> Sums {
    let (pairs, _) = bytes.as_chunks::<8>();
    for &[a, b, c, d, e, f, g, h] in pairs {
        let read = if big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
        first = first.wrapping_add(read([a, b, c, d])).wrapping_add(second);
        second = second.wrapping_add(read([e, f, g, h])).wrapping_add(first);
    }
    (first, second)
}

/// The header's own numbers are big-endian always.
fn number(bytes: &[u8], at: usize) -> u32 {
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[at..at + 4]);
    u32::from_be_bytes(four)
}

/// Fills the buffer; false when the file ends before.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> Result<bool> {
    match from.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
