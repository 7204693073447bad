//! Validated identifiers: who asks, what runs, and which trace it belongs to.

use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a text is not a valid identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not a valid {what}: {rule}")]
pub struct InvalidId {
    /// Which identifier was meant, e.g. `tenant`.
    pub what: &'static str,
    /// The text that was refused, cut at 80 characters.
    pub value: String,
    /// The rule that it breaks.
    pub rule: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $max:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text` and wraps it.
            ///
            /// # Errors
            ///
            /// [`InvalidId`] naming the rule that `text` breaks.
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
                let text = text.as_ref();
                let valid: fn(&str) -> bool = $valid;
                if text.is_empty() || text.len() > $max || !valid(text) {
                    let value = text.chars().take(80).collect();
                    return Err(InvalidId { what: $what, value, rule: $rule });
                }
                Ok(Self(text.into()))
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "maxLength": $max, "description": $rule })
            }
        }
    };
}

id!(
    /// The name of an orchestrator or capability: unique per registry, stable across versions.
    Name, "name", "1 to 64 of a-z, 0-9 and _, starting with a letter", 64,
    |t| t.as_bytes()[0].is_ascii_lowercase()
        && t.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
);

id!(
    /// Whose work this is. Data, budget, decisions and blame never cross tenants.
    TenantId, "tenant", "1 to 64 of a-z, A-Z, 0-9, `-`, `_` and `.`, not starting with `.`", 64,
    |t| !t.starts_with('.')
        && t.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
);

id!(
    /// The caller's own name for a request, carried through the whole run tree.
    RequestId, "request id", "1 to 128 visible ASCII characters", 128,
    |t| t.bytes().all(|b| b.is_ascii_graphic())
);

id!(
    /// One run: 26 characters for a root, then `/position` for each child below it.
    RunId, "run id", "26 of 0-9 and A-Z, then `/` and a number for each level below", 320,
    |t| {
        let mut parts = t.split('/');
        parts.next().is_some_and(|root| {
            root.len() == 26 && root.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
        }) && parts.all(|p| !p.is_empty() && p.len() <= 10 && p.bytes().all(|b| b.is_ascii_digit()))
    }
);

id!(
    /// A client's promise that two requests with the same key are the same request.
    IdempotencyKey, "idempotency key", "1 to 200 visible ASCII characters", 200,
    |t| t.bytes().all(|b| b.is_ascii_graphic())
);

id!(
    /// The name of an external event that a run waits for.
    EventName, "event name", "1 to 128 of a-z, A-Z, 0-9, `-`, `_`, `.`, `:` and `/`", 128,
    |t| t.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'/'))
);

// Equal names are equal texts, and hash alike: both derive it from the text alone.
impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Default for TenantId {
    /// The tenant of a single-user installation.
    fn default() -> Self {
        Self("default".into())
    }
}

impl RunId {
    /// A new root id: 48 bits of milliseconds, so that ids sort by age, and 80 random bits.
    pub fn root(millis: u64, random: u128) -> Self {
        let mut buffer = [0; ulid::ULID_LEN];
        Self(Arc::from(&*ulid::Ulid::from_parts(millis, random).array_to_str(&mut buffer)))
    }

    /// The id of the child run started by the step at `position`.
    pub fn child(&self, position: u32) -> Self {
        Self(format!("{self}/{position}").into())
    }

    /// The run that started this one, or `None` for a root.
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.into()))
    }

    /// The step position in the parent that started this run, or `None` for a root.
    pub fn position(&self) -> Option<u32> {
        self.0.rsplit_once('/').and_then(|(_, position)| position.parse().ok())
    }

    /// The root of this run's tree; itself for a root.
    pub fn tree(&self) -> Self {
        Self(self.0.split('/').next().unwrap_or(&self.0).into())
    }
}

impl RequestId {
    /// The name of a request whose caller gave it none: that of its root run, 26 characters.
    pub(crate) fn of_root(run: &RunId) -> Self {
        Self(run.0.clone())
    }

    /// Stands for a name that is not made yet.
    pub(crate) fn unnamed() -> Self {
        Self("-".into())
    }
}

/// A W3C trace id: 32 lower-case hex digits, never all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(u128);

impl TraceId {
    /// From random bits; zero, which the standard forbids, becomes one.
    pub fn from_random(bits: u128) -> Self {
        Self(bits.max(1))
    }

    /// From 32 hex digits.
    ///
    /// # Errors
    ///
    /// [`InvalidId`] when the text is not 32 hex digits or all of them are zero.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let rule = "32 hex digits, not all zero";
        let refused =
            || InvalidId { what: "trace id", value: text.chars().take(80).collect(), rule };
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(refused());
        }
        match u128::from_str_radix(text, 16) {
            Ok(bits) if bits != 0 => Ok(Self(bits)),
            _ => Err(refused()),
        }
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for TraceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TraceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
