//! What splitting promises.

use super::*;

#[test]
fn spans_cover_every_visible_character_in_order() {
    let text = "One. Two!  Three? \n four... Five";
    let parts: Vec<&str> = split(text).iter().map(|span| span.of(text)).collect();
    assert_eq!(parts, ["One.", "Two!", "Three? \n four...", "Five"]);
}
