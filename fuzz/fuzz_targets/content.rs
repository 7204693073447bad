//! Every target of `consort_content::fuzzing` in one binary: the first byte chooses.
//!
//! `CONSORT_FUZZ_TARGET` names a single one.
#![no_main]

use std::sync::LazyLock;

use consort_content::fuzzing::{TARGETS, Target};
use libfuzzer_sys::fuzz_target;

static CHOSEN: LazyLock<Option<&'static Target>> = LazyLock::new(|| {
    let name = std::env::var("CONSORT_FUZZ_TARGET").ok()?;
    let known = TARGETS.iter().find(|(target, _)| *target == name);
    Some(known.unwrap_or_else(|| panic!("no target `{name}`")))
});

fuzz_target!(|data: &[u8]| {
    match (*CHOSEN, data.split_first()) {
        (Some((_, target)), _) => target(data),
        (None, Some((first, rest))) => TARGETS[usize::from(*first) % TARGETS.len()].1(rest),
        (None, None) => {}
    }
});
