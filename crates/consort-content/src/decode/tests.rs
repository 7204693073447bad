//! What decoding promises.

use super::*;

#[track_caller]
fn check(bytes: &[u8], declared: Option<&str>, encoding: &str, basis: Basis, text: &str) {
    let decoded = decode(bytes, declared);
    assert_eq!((decoded.encoding, decoded.basis), (encoding, basis));
    assert_eq!(decoded.text, text);
}

#[test]
fn valid_utf8_wins_over_a_wrong_declaration() {
    check("naïve café".as_bytes(), Some("iso-8859-1"), "UTF-8", Basis::Valid, "naïve café");
}

#[test]
fn a_mark_wins_and_is_removed() {
    check(b"\xEF\xBB\xBFabc", Some("koi8-r"), "UTF-8", Basis::Mark, "abc");
    check(b"\xFF\xFEa\0b\0", None, "UTF-16LE", Basis::Mark, "ab");
    check(b"\xFE\xFF\0a\0b", None, "UTF-16BE", Basis::Mark, "ab");
}

#[test]
fn utf16_without_a_mark_is_seen() {
    let text = "Minutes of the meeting held in March.";
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    check(&little, None, "UTF-16LE", Basis::Guessed, text);
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    check(&big, None, "UTF-16BE", Basis::Guessed, text);
}

#[test]
fn a_declaration_is_believed_when_the_bytes_allow_it() {
    check(b"gar\xE7on", Some("latin1"), "windows-1252", Basis::Declared, "garçon");
    check(b"caf\x8E", Some("macintosh"), "macintosh", Basis::Declared, "café");
}

#[test]
fn undeclared_text_is_guessed_from_its_bytes() {
    let russian = "Совет принял решение построить новую школу на окраине города. \
                   Строительство начнётся весной, сообщили в мэрии.";
    let (bytes, _, _) = encoding_rs::WINDOWS_1251.encode(russian);
    check(&bytes, None, "windows-1251", Basis::Guessed, russian);
    let japanese = "市議会は火曜日に新しい学校の建設を承認した。工事は来年の春に始まる予定である。";
    let (bytes, _, _) = encoding_rs::SHIFT_JIS.encode(japanese);
    check(&bytes, None, "Shift_JIS", Basis::Guessed, japanese);
}

#[test]
fn a_declaration_that_does_not_fit_is_dropped() {
    let russian = "Совет принял решение построить новую школу на окраине города.";
    let (bytes, _, _) = encoding_rs::WINDOWS_1251.encode(russian);
    let decoded = decode(&bytes, Some("utf-8"));
    assert_eq!((decoded.encoding, decoded.basis), ("windows-1251", Basis::Guessed));
}

#[test]
fn nearly_valid_utf8_stays_utf8_and_counts_its_damage() {
    let mut bytes = "Größe, Straße, Mädchen, Übung, Äpfel, schön. ".repeat(20).into_bytes();
    bytes.push(0xFF);
    let decoded = decode(&bytes, None);
    assert_eq!((decoded.encoding, decoded.replaced), ("UTF-8", 1));
}

#[test]
fn a_long_ascii_head_does_not_hide_the_evidence() {
    let mut bytes = "plain words ".repeat(40_000).into_bytes();
    let russian = "Совет принял решение построить новую школу на окраине города.";
    bytes.extend_from_slice(&encoding_rs::KOI8_R.encode(russian).0);
    assert_eq!(decode(&bytes, None).encoding, "KOI8-U");
}

#[test]
fn charset_is_read_from_a_media_type() {
    assert_eq!(charset("text/html; charset=\"UTF-8\""), Some("UTF-8"));
    assert_eq!(charset("text/plain;Charset=koi8-r; x=1"), Some("koi8-r"));
    assert_eq!(charset("text/plain"), None);
}

#[test]
fn nothing_decodes_to_nothing() {
    check(b"", None, "UTF-8", Basis::Valid, "");
}
