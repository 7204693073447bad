//! PDF, with the feature `pdf`, which `cargo test --workspace` has from the command line's crate.

use consort_content::extract::{ExtractError, Limits, pdf};

use crate::corpus::files;

fn file(name: &str) -> Vec<u8> {
    files("pdf").into_iter().find(|(file, _)| file == name).expect("there").1
}

#[test]
fn columns_are_read_one_after_another() {
    let document = pdf(&file("two-column.pdf"), &Limits::default()).expect("reads");
    assert_eq!(document.title.as_deref(), Some("The last ferry"));
    assert_eq!(document.byline.as_deref(), Some("E. Marsh"));
    assert_eq!(document.published.as_deref(), Some("2031-06-11"));
    let order = [
        "The old ferry across the Tern will make its last journey on Sunday",
        "From Monday the new bridge carries all traffic between",
        "crown, a price that had not changed since 1978.",
        "The ferryman, Otto Lindqvist, is the fourth of his family",
        "will be allowed in summer, for the first time since the war.",
        "Shops in Ferry Street expect",
        "A band will play on the eastern bank",
        "child of the town school, who is five.",
    ];
    let mut from = 0;
    for words in order {
        let at = document.text[from..].find(words);
        assert!(at.is_some(), "`{words}` stands in its place in\n{}", document.text);
        from += at.unwrap_or(0);
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_its_reason() {
    let refused = |bytes: &[u8]| match pdf(bytes, &Limits::default()) {
        Err(ExtractError::Malformed { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&file("encrypted.pdf")), "it needs a password");
    assert!(!refused(b"this is no PDF").is_empty());
    assert!(!refused(b"%PDF-1.7\n").is_empty());
    assert!(!refused(b"").is_empty());
}

#[test]
fn a_truncated_file_is_refused_or_read_in_part() {
    let whole = file("two-column.pdf");
    for keep in (0..whole.len()).step_by(97) {
        let _ = pdf(&whole[..keep], &Limits::default());
    }
}

#[test]
fn pages_beyond_the_limit_are_told() {
    let limits = Limits { max_pages: 1, ..Limits::default() };
    let document = pdf(&file("two-column.pdf"), &limits).expect("reads");
    assert!(
        document.losses.contains(&"1 page beyond the first 1 not read.".to_owned()),
        "{:?}",
        document.losses
    );
}
