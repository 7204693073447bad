//! How much memory JSON would take as a tree of values, told before it is parsed.

use super::{ExtractError, Limits};

/// Values that an object takes the room of, whatever it holds.
const OBJECT: usize = 20;

/// Refuses JSON with more than `limits.max_values` values, an object counted as 20.
///
/// # Errors
///
/// [`ExtractError::TooLarge`].
pub(crate) fn check(json: &str, limits: &Limits) -> Result<(), ExtractError> {
    let (mut values, mut quoted, mut escaped) = (1, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'{' if !quoted => values += OBJECT,
            b'[' | b',' if !quoted => values += 1,
            _ => {}
        }
        if values > limits.max_values {
            let (size, limit) = (values, limits.max_values);
            return Err(ExtractError::TooLarge { size, limit, unit: "JSON values" });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_outside_of_strings() {
        let limits = Limits { max_values: 30, ..Limits::default() };
        let refused = |json: &str| check(json, &limits).is_err();
        assert!(!refused(r#"{"a": "{,\"{,[[[", "b": [1, 2, 3]}"#));
        assert!(refused("{}{}"));
        assert!(refused(&"[".repeat(40)) && refused(&format!("[{}", "1,".repeat(40))));
    }
}
