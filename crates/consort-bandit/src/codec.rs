//! The stored form of learners: little-endian, versioned, checksummed, bit for bit.
//!
//! ```text
//! "CBND" | kind u16 | version u16 | length u64 | contents | checksum u64 over all before it
//! ```
//! The same state always gives the same bytes, so states can be compared by their bytes.

use crate::arms::ArmSet;
use crate::error::Corrupt;
use crate::model::Persist;
use crate::rng::mix;
use crate::rule::Rule;

const MAGIC: &[u8; 4] = b"CBND";
const HEADER: usize = 4 + 2 + 2 + 8;
const TRAILER: usize = 8;

/// The stored form of `state`.
pub fn to_bytes<T: Persist>(state: &T) -> Vec<u8> {
    framed(T::KIND, T::VERSION, |out| state.write(out))
}

/// What `write` appends, between its header and its checksum.
pub(crate) fn framed(kind: u16, version: u16, write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut out = Writer { bytes: Vec::new() };
    out.bytes.extend_from_slice(MAGIC);
    out.u16(kind);
    out.u16(version);
    out.u64(0);
    write(&mut out);
    let length = (out.bytes.len() - HEADER) as u64;
    out.bytes[8..HEADER].copy_from_slice(&length.to_le_bytes());
    let sum = checksum(&out.bytes);
    out.u64(sum);
    out.bytes
}

/// Reads what [`to_bytes`] wrote, by this build or an older one.
///
/// # Errors
///
/// [`Corrupt`] says what is wrong; a torn or altered state is never half read.
pub fn from_bytes<T: Persist>(bytes: &[u8]) -> Result<T, Corrupt> {
    if bytes.len() < HEADER + TRAILER {
        return Err(Corrupt::Length);
    }
    if &bytes[..4] != MAGIC {
        return Err(Corrupt::Magic);
    }
    let (body, sum) = bytes.split_at(bytes.len() - TRAILER);
    let mut header = Reader { bytes: &body[4..HEADER] };
    let (kind, version, length) = (header.u16()?, header.u16()?, header.u64()?);
    if length != (body.len() - HEADER) as u64 {
        return Err(Corrupt::Length);
    }
    if checksum(body).to_le_bytes() != sum {
        return Err(Corrupt::Checksum);
    }
    if kind != T::KIND {
        return Err(Corrupt::Kind { expected: T::KIND, found: kind });
    }
    if version == 0 || version > T::VERSION {
        return Err(Corrupt::Version { kind, found: version });
    }
    let mut contents = Reader { bytes: &body[HEADER..] };
    let state = T::read(&mut contents, version)?;
    if contents.bytes.is_empty() { Ok(state) } else { Err(Corrupt::Length) }
}

/// A 64-bit digest of `bytes`: detects damage, is no defence against forgery.
pub fn checksum(bytes: &[u8]) -> u64 {
    let mut sum = mix(bytes.len() as u64);
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        sum = mix(sum ^ u64::from_le_bytes(word)).wrapping_add(0x9E37_79B9_7F4A_7C15);
    }
    sum
}

/// Appends values in stored form.
#[derive(Debug)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Appends one byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Appends a 16-bit number.
    pub fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Appends a 32-bit number.
    pub fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Appends a 64-bit number.
    pub fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Appends a count or index.
    pub fn usize(&mut self, value: usize) {
        self.u64(value as u64);
    }

    /// Appends a float, every bit of it.
    pub fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }

    /// Appends the floats of a slice, without its length.
    pub fn f64s(&mut self, values: &[f64]) {
        values.iter().for_each(|&value| self.f64(value));
    }

    /// Appends a slice of floats and its length.
    pub fn floats(&mut self, values: &[f64]) {
        self.usize(values.len());
        self.f64s(values);
    }

    /// Appends a set of arms.
    pub fn arms(&mut self, set: &ArmSet) {
        set.words().iter().for_each(|&word| self.u64(word));
    }

    pub(crate) fn rule(&mut self, rule: Rule) {
        let (tag, a, b) = match rule {
            Rule::Greedy => (0, 0.0, 0.0),
            Rule::EpsilonGreedy { epsilon, decay } => (1, epsilon, f64::from(u8::from(decay))),
            Rule::LinUcb { alpha } => (2, alpha, 0.0),
            Rule::Thompson { scale } => (3, scale, 0.0),
            Rule::SquareCb { gamma, exponent } => (4, gamma, exponent),
            Rule::RegCb { c0 } => (5, c0, 0.0),
            Rule::RegCbElimination { c0 } => (6, c0, 0.0),
            Rule::Ucb1 => (7, 0.0, 0.0),
        };
        self.u8(tag);
        self.f64(a);
        self.f64(b);
    }
}

/// Reads values in stored form.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        let (head, rest) = self.bytes.split_first_chunk::<N>().ok_or(Corrupt::Length)?;
        self.bytes = rest;
        Ok(*head)
    }

    /// Checks that at least `bytes` more follow, before space for them is taken.
    ///
    /// # Errors
    ///
    /// [`Corrupt::Length`] when they do not.
    pub const fn expect(&self, bytes: usize) -> Result<(), Corrupt> {
        if self.bytes.len() >= bytes { Ok(()) } else { Err(Corrupt::Length) }
    }

    /// Reads one byte.
    ///
    /// # Errors
    ///
    /// [`Corrupt::Length`] at the end of the bytes.
    pub fn u8(&mut self) -> Result<u8, Corrupt> {
        Ok(u8::from_le_bytes(self.take()?))
    }

    /// Reads a 16-bit number.
    ///
    /// # Errors
    ///
    /// [`Corrupt::Length`] at the end of the bytes.
    pub fn u16(&mut self) -> Result<u16, Corrupt> {
        Ok(u16::from_le_bytes(self.take()?))
    }

    /// Reads a 32-bit number.
    ///
    /// # Errors
    ///
    /// [`Corrupt::Length`] at the end of the bytes.
    pub fn u32(&mut self) -> Result<u32, Corrupt> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    /// Reads a 64-bit number.
    ///
    /// # Errors
    ///
    /// [`Corrupt::Length`] at the end of the bytes.
    pub fn u64(&mut self) -> Result<u64, Corrupt> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    /// Reads a count of things that take at least one byte each.
    ///
    /// # Errors
    ///
    /// [`Corrupt::Value`] when so many things cannot follow.
    pub fn count(&mut self) -> Result<usize, Corrupt> {
        let count = usize::try_from(self.u64()?).map_err(|_| Corrupt::Value)?;
        if count <= self.bytes.len() { Ok(count) } else { Err(Corrupt::Value) }
    }

    /// Reads a number that must be below `limit`.
    ///
    /// # Errors
    ///
    /// [`Corrupt::Value`] when it is not.
    pub fn below(&mut self, limit: usize) -> Result<usize, Corrupt> {
        let value = usize::try_from(self.u64()?).map_err(|_| Corrupt::Value)?;
        if value < limit { Ok(value) } else { Err(Corrupt::Value) }
    }

    /// Reads a number of events, which leaves room to count on.
    ///
    /// # Errors
    ///
    /// [`Corrupt::Value`] when so many cannot have happened.
    pub fn counter(&mut self) -> Result<u64, Corrupt> {
        let value = self.u64()?;
        if value <= u64::MAX / 4 { Ok(value) } else { Err(Corrupt::Value) }
    }

    /// Reads a float.
    ///
    /// # Errors
    ///
    /// [`Corrupt::Length`] at the end of the bytes.
    pub fn f64(&mut self) -> Result<f64, Corrupt> {
        Ok(f64::from_bits(self.u64()?))
    }

    /// Reads a finite float.
    ///
    /// # Errors
    ///
    /// [`Corrupt::Value`] when it is not finite.
    pub fn finite(&mut self) -> Result<f64, Corrupt> {
        let value = self.f64()?;
        if value.is_finite() { Ok(value) } else { Err(Corrupt::Value) }
    }

    /// Fills a slice with finite floats.
    ///
    /// # Errors
    ///
    /// [`Corrupt::Value`] when one is not finite.
    pub fn f64s(&mut self, values: &mut [f64]) -> Result<(), Corrupt> {
        for value in values {
            *value = self.finite()?;
        }
        Ok(())
    }

    /// Reads a slice of finite floats and its length.
    ///
    /// # Errors
    ///
    /// [`Corrupt::Value`] when one is not finite.
    pub fn floats(&mut self) -> Result<Vec<f64>, Corrupt> {
        let mut values = vec![0.0; self.count()?];
        self.f64s(&mut values)?;
        Ok(values)
    }

    /// Reads a set of arms.
    ///
    /// # Errors
    ///
    /// [`Corrupt::Length`] at the end of the bytes.
    pub fn arms(&mut self) -> Result<ArmSet, Corrupt> {
        let mut words = [0; 4];
        for word in &mut words {
            *word = self.u64()?;
        }
        Ok(ArmSet::from_words(words))
    }

    pub(crate) fn rule(&mut self) -> Result<Rule, Corrupt> {
        let (tag, a, b) = (self.u8()?, self.finite()?, self.finite()?);
        Ok(match tag {
            0 => Rule::Greedy,
            1 => Rule::EpsilonGreedy { epsilon: a, decay: b != 0.0 },
            2 => Rule::LinUcb { alpha: a },
            3 => Rule::Thompson { scale: a },
            4 => Rule::SquareCb { gamma: a, exponent: b },
            5 => Rule::RegCb { c0: a },
            6 => Rule::RegCbElimination { c0: a },
            7 => Rule::Ucb1,
            _ => return Err(Corrupt::Value),
        })
    }
}
