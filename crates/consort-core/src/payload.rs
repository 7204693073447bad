//! Large fields inside JSON: how they leave a record for the blob store and come back.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::{Category, Hash, StepError};

/// Text longer than this many bytes is stored as a blob of its own.
pub const FIELD_LIMIT: usize = 64 * 1024;

/// The JSON that is left after that must not be longer than this many bytes.
pub const INLINE_LIMIT: usize = 1024 * 1024;

/// JSON that is nested deeper than this is refused: not every reader can read it back.
pub const DEPTH_LIMIT: usize = 100;

/// Marks a field whose text was moved to the blob store.
const MARK: &str = "$consort:text";

/// Replaces every text over [`FIELD_LIMIT`] by a reference and hands out the texts.
pub fn split(value: &mut Value, blobs: &mut Vec<(Hash, Arc<[u8]>)>) {
    match value {
        Value::String(text) if text.len() > FIELD_LIMIT => {
            let bytes: Arc<[u8]> = text.as_bytes().into();
            let hash = Hash::of(&bytes);
            blobs.push((hash, bytes));
            *value = Value::Object(Map::from_iter([(MARK.into(), hash.to_string().into())]));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| split(item, blobs)),
        Value::Object(fields) => {
            if fields.keys().any(|key| key.ends_with(MARK)) {
                // A caller's own field that looks like our mark: one more `$` tells them apart.
                *fields = std::mem::take(fields)
                    .into_iter()
                    .map(|(k, v)| if k.ends_with(MARK) { (format!("${k}"), v) } else { (k, v) })
                    .collect();
            }
            fields.values_mut().for_each(|field| split(field, blobs));
        }
        _ => {}
    }
}

/// True when [`split`] would change the value: spares a copy of all the others.
pub fn needs_split(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() > FIELD_LIMIT,
        Value::Array(items) => items.iter().any(needs_split),
        Value::Object(fields) => fields.iter().any(|(k, v)| k.ends_with(MARK) || needs_split(v)),
        _ => false,
    }
}

/// Undoes [`split`]. `fetch` returns the text of a hash.
///
/// # Errors
///
/// Whatever `fetch` returns for a text that is missing.
pub fn join<E>(
    value: &mut Value,
    fetch: &mut impl FnMut(&str) -> Result<String, E>,
) -> Result<(), E> {
    match value {
        Value::Object(fields) => {
            if let (1, Some(Value::String(hash))) = (fields.len(), fields.get(MARK)) {
                *value = Value::String(fetch(hash)?);
                return Ok(());
            }
            if fields.keys().any(|key| key.ends_with(MARK)) {
                *fields = std::mem::take(fields)
                    .into_iter()
                    .map(|(k, v)| match k.strip_prefix('$') {
                        Some(own) if own.ends_with(MARK) => (own.to_owned(), v),
                        _ => (k, v),
                    })
                    .collect();
            }
            fields.values_mut().try_for_each(|field| join(field, fetch))
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| join(item, fetch)),
        _ => Ok(()),
    }
}

/// Refuses JSON that would stay too large inside a record.
///
/// # Errors
///
/// `payload_too_large`, naming the largest field.
pub fn check_size(value: &Value) -> Result<(), StepError> {
    if nested_deeper(value, DEPTH_LIMIT) {
        let message = format!("JSON nested deeper than {DEPTH_LIMIT} levels");
        return Err(StepError::new(Category::PayloadTooLarge, message));
    }
    let size = inline_size(value);
    if size <= INLINE_LIMIT {
        return Ok(());
    }
    let (pointer, largest) = largest_field(value);
    let message = format!("{size} bytes of JSON, more than {INLINE_LIMIT}");
    Err(StepError::new(Category::PayloadTooLarge, message)
        .violation(pointer, format!("{largest} bytes; put it into a blob")))
}

/// Stops descending at the limit, so that no input can exhaust the stack.
fn nested_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(|i| nested_deeper(i, levels - 1)),
        Value::Object(fields) => {
            levels == 0 || fields.values().any(|field| nested_deeper(field, levels - 1))
        }
        _ => false,
    }
}

/// Bytes of JSON that stay inline: an estimate within a few per cent, escapes not counted.
fn inline_size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 8,
        Value::String(text) if text.len() > FIELD_LIMIT => 96,
        Value::String(text) => text.len() + 3,
        Value::Array(items) => 2 + items.iter().map(|item| inline_size(item) + 1).sum::<usize>(),
        Value::Object(fields) => {
            2 + fields.iter().map(|(k, v)| k.len() + 4 + inline_size(v)).sum::<usize>()
        }
    }
}

/// The first level at which the size is spread over several fields, as a JSON pointer.
fn largest_field(value: &Value) -> (String, usize) {
    let largest = match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(k, v)| (k.replace('~', "~0").replace('/', "~1"), v))
            .max_by_key(|(_, v)| inline_size(v)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(i, v)| (i.to_string(), v))
            .max_by_key(|(_, v)| inline_size(v)),
        _ => None,
    };
    let total = inline_size(value);
    match largest {
        Some((key, field)) if inline_size(field) * 2 > total => {
            let (rest, size) = largest_field(field);
            (format!("/{key}{rest}"), size)
        }
        _ => (String::new(), total),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::json;

    use super::*;

    fn round_trip(original: &Value) -> usize {
        let (mut value, mut blobs) = (original.clone(), Vec::new());
        split(&mut value, &mut blobs);
        assert!(serde_json::to_string(&value).unwrap().len() < INLINE_LIMIT);
        let texts: HashMap<String, String> = blobs
            .iter()
            .map(|(h, b)| (h.to_string(), String::from_utf8(b.to_vec()).unwrap()))
            .collect();
        join::<()>(&mut value, &mut |hash| texts.get(hash).cloned().ok_or(())).unwrap();
        assert_eq!(&value, original);
        texts.len()
    }

    #[test]
    fn the_same_large_text_is_handed_out_under_one_hash() {
        let text = "x".repeat(FIELD_LIMIT + 1);
        assert_eq!(round_trip(&json!({"a": text, "b": [text, {"c": text}], "d": 1})), 1);
    }

    #[test]
    fn fields_that_look_like_our_mark_come_back_as_they_were() {
        let large = "y".repeat(FIELD_LIMIT + 1);
        round_trip(&json!({ MARK: "0".repeat(64) }));
        round_trip(&json!({ MARK: large, format!("${MARK}"): {MARK: [1]} }));
    }

    #[test]
    fn too_much_inline_json_names_the_field() {
        let many: Vec<String> = (0..40).map(|_| "z".repeat(60_000)).collect();
        let error = check_size(&json!({"ok": 1, "pages": {"all": many}})).unwrap_err();
        assert_eq!(error.category(), Category::PayloadTooLarge);
        assert_eq!(error.violations()[0].pointer, "/pages/all");
    }

    #[test]
    fn one_large_text_is_not_too_large() {
        assert!(check_size(&json!({"text": "w".repeat(5 * INLINE_LIMIT)})).is_ok());
    }
}
