//! Durations in files: `"250ms"`, `"2s"`. Never a bare number.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de};

pub(crate) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&humantime::format_duration(*value))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
    humantime::parse_duration(&text).map_err(|_| {
        let expected = &"a duration with its unit, such as \"250ms\" or \"2s\"";
        de::Error::invalid_value(de::Unexpected::Str(&text), expected)
    })
}

/// How a duration is told.
pub(crate) fn told(value: Duration) -> String {
    humantime::format_duration(value).to_string()
}
