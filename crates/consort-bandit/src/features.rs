//! From named facts to the numbers a model learns from, the same in every process and for ever.
//!
//! A [`Schema`] declares namespaces of facts and gives each its own slots of the context vector:
//! bounded numbers, closed categories, and hashed open vocabularies. Its fingerprint is stored
//! with a model, so that a model never sees a vector built by other rules.
//!
//! Hashing is a published function of the bytes (FNV-1a over namespace, name and value, each
//! ended by 0xFF, then the finaliser of SplitMix64): no process seed, no dependence on order.
//!
//! ```
//! use consort_bandit::features::{Fact, Field, Kind, Namespace, Schema};
//!
//! let schema = Schema::new(vec![
//!     Namespace::new("request", Kind::Numbers(vec![Field::new("tokens", 0.0, 8000.0)])),
//!     Namespace::new("task", Kind::Category(vec!["chat".into(), "code".into()])),
//!     Namespace::new("words", Kind::Hashed { slots: 8 }),
//! ])?;
//! let mut x = Vec::new();
//! let seen = schema.encode(
//!     &[
//!         Fact::number("request", "tokens", 2000.0),
//!         Fact::text("task", "task", "code"),
//!         Fact::text("words", "word", "invoice"),
//!     ],
//!     &mut x,
//! )?;
//! assert_eq!(x.len(), schema.dim());
//! assert_eq!(x[..4], [0.25, 0.0, 1.0, 0.0]); // tokens, chat, code, any other task
//! assert_eq!(seen.clamped, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use serde::{Deserialize, Serialize};

use crate::error::InvalidConfig;
use crate::model::MAX_DIM;
use crate::rng::mix;

/// What facts exist and which slots they fill.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Schema {
    namespaces: Vec<Namespace>,
    #[serde(skip)]
    starts: Vec<usize>,
    #[serde(skip)]
    dim: usize,
}

/// A group of facts that share a way of being encoded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Namespace {
    /// Unique within the schema.
    pub name: String,
    /// How its facts become numbers.
    pub kind: Kind,
}

impl Namespace {
    /// A namespace.
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self { name: name.into(), kind }
    }
}

/// How the facts of a namespace become numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Named numbers, each scaled from its range to [0, 1] into a slot of its own.
    Numbers(Vec<Field>),
    /// One of these values: a slot for each and one for any other value.
    Category(Vec<String>),
    /// Any number of facts with any names and values: each adds +1 or −1 (or its number, for
    /// number facts) to the slot its hash names. The sign makes collisions cancel on average.
    Hashed {
        /// Slots, at least 1. Collisions halve with each doubling.
        slots: usize,
    },
}

/// A number with its range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Unique within the namespace.
    pub name: String,
    /// Value that becomes 0.
    pub low: f64,
    /// Value that becomes 1, above `low`. Values outside the range are clamped and counted.
    pub high: f64,
    /// Whether the fact may be absent; then a second slot says that it is, and the first is 0.
    #[serde(default)]
    pub optional: bool,
}

impl Field {
    /// A number that is always there.
    pub fn new(name: impl Into<String>, low: f64, high: f64) -> Self {
        Self { name: name.into(), low, high, optional: false }
    }

    /// A number that may be absent.
    pub fn optional(name: impl Into<String>, low: f64, high: f64) -> Self {
        Self { optional: true, ..Self::new(name, low, high) }
    }

    const fn slots(&self) -> usize {
        1 + self.optional as usize
    }
}

/// One named fact about the request at hand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fact<'a> {
    /// Namespace it belongs to.
    pub namespace: &'a str,
    /// Its name there; for a category only informative.
    pub name: &'a str,
    /// Its value.
    pub value: Value<'a>,
}

/// The value of a fact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// A quantity.
    Number(f64),
    /// A word.
    Text(&'a str),
}

impl<'a> Fact<'a> {
    /// A quantity.
    pub const fn number(namespace: &'a str, name: &'a str, value: f64) -> Self {
        Self { namespace, name, value: Value::Number(value) }
    }

    /// A word.
    pub const fn text(namespace: &'a str, name: &'a str, value: &'a str) -> Self {
        Self { namespace, name, value: Value::Text(value) }
    }
}

/// Why facts do not fit the schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// A fact of a namespace the schema does not have.
    #[error("namespace `{0}` is not in the schema")]
    Namespace(String),
    /// A number the namespace does not have.
    #[error("`{namespace}.{name}` is not in the schema")]
    Field {
        /// Namespace of the fact.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Text where a number is declared, or a number where text is.
    #[error("`{namespace}.{name}` has the wrong type of value")]
    Type {
        /// Namespace of the fact.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A number that is not finite.
    #[error("`{namespace}.{name}` is not finite")]
    NotFinite {
        /// Namespace of the fact.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A required number that no fact gives.
    #[error("`{namespace}.{name}` is missing")]
    Missing {
        /// Namespace of the number.
        namespace: String,
        /// Its name.
        name: String,
    },
}

/// What encoding had to bend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bent {
    /// Numbers outside their range, clamped to it.
    pub clamped: usize,
    /// Category values outside the declared ones, counted as "any other".
    pub other: usize,
    /// Optional numbers that were absent.
    pub absent: usize,
}

impl Schema {
    /// Checks the declarations and lays out the slots in their order.
    ///
    /// # Errors
    ///
    /// Names that repeat, empty ranges, no slots, or more than [`MAX_DIM`] of them.
    pub fn new(namespaces: Vec<Namespace>) -> Result<Self, InvalidConfig> {
        let invalid = InvalidConfig::new;
        let mut starts = Vec::with_capacity(namespaces.len());
        let mut dim = 0_usize;
        for (i, namespace) in namespaces.iter().enumerate() {
            if namespaces[..i].iter().any(|other| other.name == namespace.name) {
                return Err(invalid("name", "must be unique among namespaces"));
            }
            starts.push(dim);
            dim = dim.saturating_add(namespace.kind.validate()?);
        }
        if dim == 0 || dim > MAX_DIM {
            return Err(invalid("namespaces", "must have 1 to 4096 slots together"));
        }
        Ok(Self { namespaces, starts, dim })
    }

    /// Slots of all namespaces together: the dimension of the model.
    pub const fn dim(&self) -> usize {
        self.dim
    }

    /// The namespaces in the order of their slots.
    pub fn namespaces(&self) -> &[Namespace] {
        &self.namespaces
    }

    /// A number that changes whenever the meaning of any slot does.
    pub fn fingerprint(&self) -> u64 {
        let mut hash = Hash::default();
        for namespace in &self.namespaces {
            hash.text(&namespace.name);
            match &namespace.kind {
                Kind::Numbers(fields) => {
                    for field in fields {
                        hash.text(&field.name);
                        hash.bytes(&field.low.to_le_bytes());
                        hash.bytes(&field.high.to_le_bytes());
                        hash.bytes(&[u8::from(field.optional)]);
                    }
                }
                Kind::Category(values) => values.iter().for_each(|value| hash.text(value)),
                Kind::Hashed { slots } => hash.bytes(&(*slots as u64).to_le_bytes()),
            }
            hash.bytes(&[namespace.kind.tag(), 0xFF]);
        }
        mix(hash.0)
    }

    /// Writes the context vector of `facts` into `x`, replacing what was there.
    ///
    /// # Errors
    ///
    /// [`Mismatch`] names the first fact that does not fit; `x` is then not usable.
    pub fn encode(&self, facts: &[Fact<'_>], x: &mut Vec<f64>) -> Result<Bent, Mismatch> {
        x.clear();
        x.resize(self.dim, 0.0);
        let mut bent = Bent::default();
        for (namespace, &start) in self.namespaces.iter().zip(&self.starts) {
            if let Kind::Numbers(fields) = &namespace.kind {
                encode_numbers(&namespace.name, fields, facts, &mut x[start..], &mut bent)?;
            }
        }
        for fact in facts {
            let index = self
                .position(fact.namespace)
                .ok_or_else(|| Mismatch::Namespace(fact.namespace.into()))?;
            let slots = &mut x[self.starts[index]..];
            match &self.namespaces[index].kind {
                Kind::Numbers(fields) if fields.iter().any(|f| f.name == fact.name) => {}
                Kind::Numbers(_) => return Err(fact.mismatch(MismatchKind::Field)),
                Kind::Category(values) => {
                    let Value::Text(text) = fact.value else {
                        return Err(fact.mismatch(MismatchKind::Type));
                    };
                    let slot = values.iter().position(|value| value == text);
                    bent.other += usize::from(slot.is_none());
                    slots[slot.unwrap_or(values.len())] = 1.0;
                }
                Kind::Hashed { slots: count } => {
                    let (slot, sign) = place(fact, *count);
                    let size = match fact.value {
                        Value::Text(_) => 1.0,
                        Value::Number(value) if value.is_finite() => value,
                        Value::Number(_) => return Err(fact.mismatch(MismatchKind::NotFinite)),
                    };
                    slots[slot] += sign * size;
                }
            }
        }
        Ok(bent)
    }

    /// The slot a fact would fill in a hashed namespace and the sign it gets there.
    pub fn place(&self, fact: &Fact<'_>) -> Option<(usize, f64)> {
        let index = self.position(fact.namespace)?;
        let Kind::Hashed { slots } = self.namespaces[index].kind else { return None };
        let (slot, sign) = place(fact, slots);
        Some((self.starts[index] + slot, sign))
    }

    /// What a slot stands for, such as `request.tokens`, `task=code` or `words#3`.
    pub fn label(&self, slot: usize) -> Option<String> {
        if slot >= self.dim {
            return None;
        }
        let index = self.starts.partition_point(|&start| start <= slot) - 1;
        let (namespace, mut local) = (&self.namespaces[index], slot - self.starts[index]);
        let name = &namespace.name;
        match &namespace.kind {
            Kind::Numbers(fields) => {
                for field in fields {
                    if local < field.slots() {
                        let absent = if local == 1 { " absent" } else { "" };
                        return Some(format!("{name}.{}{absent}", field.name));
                    }
                    local -= field.slots();
                }
                None
            }
            Kind::Category(values) => {
                Some(format!("{name}={}", values.get(local).map_or("(other)", String::as_str)))
            }
            Kind::Hashed { .. } => Some(format!("{name}#{local}")),
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.namespaces.iter().position(|namespace| namespace.name == name)
    }
}

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Vec::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Kind {
    /// Slots used, when the declaration makes sense.
    fn validate(&self) -> Result<usize, InvalidConfig> {
        let repeats = |names: &[&str]| (1..names.len()).any(|i| names[..i].contains(&names[i]));
        match self {
            Self::Numbers(fields) => {
                let names: Vec<&str> = fields.iter().map(|f| f.name.as_str()).collect();
                if repeats(&names) {
                    return Err(InvalidConfig::new("name", "must be unique among fields"));
                }
                if fields.iter().any(|f| !(f.low < f.high && (f.high - f.low).is_finite())) {
                    return Err(InvalidConfig::new("low", "must be a number below `high`"));
                }
                Ok(fields.iter().map(Field::slots).sum())
            }
            Self::Category(values) => {
                let names: Vec<&str> = values.iter().map(String::as_str).collect();
                if repeats(&names) {
                    return Err(InvalidConfig::new("category", "must not repeat a value"));
                }
                Ok(values.len() + 1)
            }
            Self::Hashed { slots: 0 } => Err(InvalidConfig::new("slots", "must be at least 1")),
            Self::Hashed { slots } => Ok(*slots),
        }
    }

    const fn tag(&self) -> u8 {
        match self {
            Self::Numbers(_) => 0,
            Self::Category(_) => 1,
            Self::Hashed { .. } => 2,
        }
    }
}

fn encode_numbers(
    namespace: &str,
    fields: &[Field],
    facts: &[Fact<'_>],
    slots: &mut [f64],
    bent: &mut Bent,
) -> Result<(), Mismatch> {
    let mut slot = 0;
    for field in fields {
        let fact = facts.iter().find(|f| f.namespace == namespace && f.name == field.name);
        match fact {
            Some(fact) => match fact.value {
                Value::Number(value) if value.is_finite() => {
                    let scaled = (value - field.low) / (field.high - field.low);
                    bent.clamped += usize::from(!(0.0..=1.0).contains(&scaled));
                    slots[slot] = scaled.clamp(0.0, 1.0);
                }
                Value::Number(_) => return Err(fact.mismatch(MismatchKind::NotFinite)),
                Value::Text(_) => return Err(fact.mismatch(MismatchKind::Type)),
            },
            None if field.optional => {
                slots[slot + 1] = 1.0;
                bent.absent += 1;
            }
            None => {
                let (namespace, name) = (namespace.to_owned(), field.name.clone());
                return Err(Mismatch::Missing { namespace, name });
            }
        }
        slot += field.slots();
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum MismatchKind {
    Field,
    Type,
    NotFinite,
}

impl Fact<'_> {
    fn mismatch(&self, kind: MismatchKind) -> Mismatch {
        let (namespace, name) = (self.namespace.to_owned(), self.name.to_owned());
        match kind {
            MismatchKind::Field => Mismatch::Field { namespace, name },
            MismatchKind::Type => Mismatch::Type { namespace, name },
            MismatchKind::NotFinite => Mismatch::NotFinite { namespace, name },
        }
    }
}

/// Slot and sign of a fact among `slots`.
fn place(fact: &Fact<'_>, slots: usize) -> (usize, f64) {
    let mut hash = Hash::default();
    hash.text(fact.namespace);
    hash.text(fact.name);
    if let Value::Text(text) = fact.value {
        hash.text(text);
    }
    let bits = mix(hash.0);
    // The high half picks the slot by multiplication, the lowest bit the sign.
    let slot = ((bits >> 32) * slots as u64) >> 32;
    (slot as usize, if bits & 1 == 0 { 1.0 } else { -1.0 })
}

/// FNV-1a, 64 bits.
struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
}

impl Hash {
    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }

    /// 0xFF never occurs in UTF-8, so no two sequences of texts run together.
    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
        self.bytes(&[0xFF]);
    }
}

#[cfg(test)]
mod tests;
