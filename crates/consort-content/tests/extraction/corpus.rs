//! Reads the corpus beside these tests.

use std::path::{Path, PathBuf};

/// The corpus directory.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// Every file of a corpus directory, by name.
pub(crate) fn files(directory: &str) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(root().join(directory)).expect("the corpus is there");
    let mut files: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("readable").path();
            let name = path.file_name().expect("named").to_string_lossy().into_owned();
            (name, std::fs::read(&path).expect("readable"))
        })
        .collect();
    files.sort();
    files
}

/// True for the half of a labelled set that was never looked at while tuning: FNV-1a of the name.
pub(crate) fn held_out(name: &str) -> bool {
    let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    (hash ^ (hash >> 32)) & 1 == 1
}
