//! Reads the labelled sets for the quality tests, and says which half of each may be tuned on.

use std::fs;
use std::path::PathBuf;

use super::fingerprint::fnv1a;
use crate::document::{Document, Span};

/// A document with a summary and a label per sentence.
pub(crate) struct Labelled {
    pub(crate) name: String,
    pub(crate) summary: String,
    pub(crate) doc: Document,
    /// Every sentence, and whether it is check-worthy.
    pub(crate) sentences: Vec<(Span, bool)>,
}

/// True for the half that may be looked at while tuning.
pub(crate) fn is_tuned_on(name: &str) -> bool {
    fnv1a(name.as_bytes()).is_multiple_of(2)
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("labelled").join(name)
}

fn files(name: &str) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder(name)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let stem = |path: &PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    paths.iter().map(|path| (stem(path), fs::read_to_string(path).unwrap())).collect()
}

/// The labelled documents, by name.
pub(crate) fn documents() -> Vec<Labelled> {
    files("documents").into_iter().map(|(name, content)| document(name, &content)).collect()
}

fn document(name: String, content: &str) -> Labelled {
    let (header, body) = content.split_once("\n\n").unwrap();
    let field = |key: &str| {
        header.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().to_owned()
    };
    let mut doc = Document { title: Some(field("title: ")), ..Document::default() };
    let mut sentences = Vec::new();
    for paragraph in body.split("\n\n") {
        let start = doc.text.len();
        for line in paragraph.lines() {
            let label = line.starts_with('+');
            if doc.text.len() > start {
                doc.text.push(' ');
            }
            let from = doc.text.len();
            doc.text.push_str(line[1..].trim());
            sentences.push((Span::new(from, doc.text.len()), label));
        }
        doc.paragraphs.push(Span::new(start, doc.text.len()));
        doc.text.push_str("\n\n");
    }
    Labelled { name, summary: field("summary: "), doc, sentences }
}

/// The labelled sentences of each rhetoric rule.
pub(crate) fn rhetoric() -> Vec<(String, Vec<(String, bool)>)> {
    let labels = |content: &str| -> Vec<(String, bool)> {
        content.lines().map(|line| (line[1..].trim().to_owned(), line.starts_with('+'))).collect()
    };
    files("rhetoric").into_iter().map(|(name, content)| (name, labels(&content))).collect()
}
