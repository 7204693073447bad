//! Large things: stored once by content, passed around by reference.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// BLAKE3 hash of some bytes, 64 lower-case hex digits in text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The raw 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From raw bytes, as stored.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let hash = blake3::Hash::from_hex(text.as_bytes())
            .map_err(|_| serde::de::Error::custom("a hash is 64 hex digits"))?;
        Ok(Self(*hash.as_bytes()))
    }
}

impl JsonSchema for Hash {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Hash".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
    }
}

/// A reference to stored bytes. Use it as a field type for texts, pages and media.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Blob {
    /// Of the content.
    pub hash: Hash,
    /// Length of the content in bytes.
    pub length: u64,
    /// Media type (RFC 6838), e.g. `text/plain;charset=utf-8`.
    pub media_type: String,
}

impl Blob {
    /// The reference to `bytes`; stores nothing.
    pub fn of(bytes: &[u8], media_type: impl Into<String>) -> Self {
        Self { hash: Hash::of(bytes), length: bytes.len() as u64, media_type: media_type.into() }
    }
}
