//! What all settings share: the error that names a bad one, range checks, and how they look in a file.

use std::fmt;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A setting outside its range, or two that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` {rule}")]
pub struct InvalidConfig {
    /// The setting as it is written in a file, `breaker.rest` for example.
    pub key: &'static str,
    /// What it must be, and what it was.
    pub rule: String,
}

/// `Ok` when `value` is inside `range`; otherwise an error that states the range and the value.
pub(crate) fn within<T: PartialOrd + Shown>(
    key: &'static str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<T, InvalidConfig> {
    if range.contains(&value) {
        return Ok(value);
    }
    let rule = format!(
        "must be {} to {}, not {}",
        range.start().shown(),
        range.end().shown(),
        value.shown()
    );
    Err(InvalidConfig { key, rule })
}

/// The error for two settings that contradict each other.
pub(crate) fn contradiction(key: &'static str, rule: impl Into<String>) -> InvalidConfig {
    InvalidConfig { key, rule: rule.into() }
}

/// How a value is printed in an error and by `describe`.
pub(crate) trait Shown {
    fn shown(&self) -> String;
}

impl Shown for Duration {
    fn shown(&self) -> String {
        humantime::format_duration(*self).to_string()
    }
}

impl Shown for u32 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for f64 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

/// Durations in files: `"250ms"`, `"2s"`, `"1m 30s"`. Never a bare number.
pub(crate) mod human {
    use super::{Duration, fmt};
    use serde::{Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&humantime::format_duration(*value))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        from.deserialize_str(Text)
    }

    struct Text;

    impl de::Visitor<'_> for Text {
        type Value = Duration;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a duration with its unit, such as \"250ms\" or \"2s\"")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
            humantime::parse_duration(text)
                .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }
}

/// Optional settings in files: the word `"off"`, or the setting itself.
///
/// A missing key keeps its default, so "none" needs a word of its own.
pub(crate) mod off {
    use super::{PhantomData, fmt};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        value: &Option<T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => value.serialize(to),
            None => to.serialize_str("off"),
        }
    }

    pub(crate) fn deserialize<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
    where
        T: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        from.deserialize_any(OrOff(PhantomData))
    }

    struct OrOff<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> de::Visitor<'de> for OrOff<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the setting, or \"off\"")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Option<T>, E> {
            if text == "off" {
                return Ok(None);
            }
            T::deserialize(de::value::StrDeserializer::new(text))
                .map(Some)
                .map_err(|error: E| E::custom(format_args!("{error}, or \"off\"")))
        }

        fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Option<T>, A::Error> {
            T::deserialize(de::value::MapAccessDeserializer::new(map)).map(Some)
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Option<T>, E> {
            T::deserialize(de::value::U64Deserializer::new(number)).map(Some)
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<Option<T>, E> {
            T::deserialize(de::value::I64Deserializer::new(number)).map(Some)
        }

        fn visit_f64<E: de::Error>(self, number: f64) -> Result<Option<T>, E> {
            T::deserialize(de::value::F64Deserializer::new(number)).map(Some)
        }
    }
}

/// An optional duration in a file: `"off"` or a duration with its unit.
pub(crate) mod human_or_off {
    use super::{Duration, human};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Human(#[serde(with = "human")] Duration);

    pub(crate) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        super::off::serialize(&value.map(Human), to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        let value: Option<Human> = super::off::deserialize(from)?;
        Ok(value.map(|human| human.0))
    }
}
