//! What a serialised record reveals without parsing it: how deep it is, and which content it names.

use consort_core::Hash;

/// Deepest nesting of arrays and objects that a journal keeps.
///
/// Reading back is recursive, so what could not be read must not be written.
pub(crate) const MAX_DEPTH: usize = 500;

/// What [`scan`] found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    /// Deepest nesting.
    pub(crate) depth: usize,
    /// Every hash that is mentioned, once. Text of exactly 64 hex digits counts, wherever it is:
    /// taking too many for references only keeps content longer.
    pub(crate) hashes: Vec<Hash>,
}

/// Looks through valid JSON.
pub(crate) fn scan(json: &[u8]) -> Scan {
    let mut found = Scan::default();
    let (mut depth, mut hex, mut in_text, mut escaped) = (0usize, 0usize, false, false);
    for (at, &byte) in json.iter().enumerate() {
        if byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte) {
            hex += 1;
        } else {
            if hex == 64 {
                note(&json[at - 64..at], &mut found.hashes);
            }
            hex = 0;
        }
        if escaped {
            escaped = false;
        } else if in_text {
            match byte {
                b'"' => in_text = false,
                b'\\' => escaped = true,
                _ => {}
            }
        } else {
            match byte {
                b'"' => in_text = true,
                b'{' | b'[' => {
                    depth += 1;
                    found.depth = found.depth.max(depth);
                }
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
    }
    found
}

fn note(digits: &[u8], hashes: &mut Vec<Hash>) {
    if let Some(hash) = parse_hash(digits)
        && !hashes.contains(&hash)
    {
        hashes.push(hash);
    }
}

/// A hash from its 64 lower-case hex digits.
pub(crate) fn parse_hash(digits: &[u8]) -> Option<Hash> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let pairs = digits.as_chunks::<2>();
    let (bytes, []) = pairs else { return None };
    let mut hash = [0; 32];
    if bytes.len() != hash.len() {
        return None;
    }
    for (to, [high, low]) in hash.iter_mut().zip(bytes) {
        *to = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(Hash::from_bytes(hash))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn hashes_are_found_wherever_they_stand() {
        let (a, b) = (Hash::of(b"a"), Hash::of(b"b"));
        let body = json!({"x": {"hash": a}, "y": [b, a], "z": format!("see {b}, or ask")});
        let found = scan(body.to_string().as_bytes());
        assert_eq!(found.hashes, [a, b]);
        assert_eq!(found.depth, 2);
    }

    #[test]
    fn longer_and_shorter_digits_are_no_hashes() {
        let hash = Hash::of(b"a").to_string();
        let body = json!([format!("{hash}0"), hash[1..], hash.to_uppercase()]);
        assert_eq!(scan(body.to_string().as_bytes()).hashes, []);
    }

    #[test]
    fn brackets_inside_text_are_not_depth() {
        assert_eq!(scan(br#"{"a":"[[\"[[\\","b":[[]]}"#).depth, 3);
    }
}
