//! Every target of `consort_content::fuzzing` and `consort_capabilities::fuzzing` in one binary: the first byte chooses.
//!
//! `CONSORT_FUZZ_TARGET` names a single one.
#![no_main]

use std::sync::LazyLock;

use consort_capabilities::fuzzing::TARGETS as WEB;
use consort_content::fuzzing::{TARGETS as CONTENT, Target};
use libfuzzer_sys::fuzz_target;

fn targets() -> impl Iterator<Item = &'static Target> {
    CONTENT.iter().chain(WEB)
}

static CHOSEN: LazyLock<Option<&'static Target>> = LazyLock::new(|| {
    let name = std::env::var("CONSORT_FUZZ_TARGET").ok()?;
    let known = targets().find(|(target, _)| *target == name);
    Some(known.unwrap_or_else(|| panic!("no target `{name}`")))
});

fuzz_target!(|data: &[u8]| {
    match (*CHOSEN, data.split_first()) {
        (Some((_, target)), _) => target(data),
        (None, Some((first, rest))) => {
            let count = CONTENT.len() + WEB.len();
            if let Some((_, target)) = targets().nth(usize::from(*first) % count) {
                target(rest);
            }
        }
        (None, None) => {}
    }
});
