//! Listeners are guests: what they do must not change the call they watch.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `listener` and swallows its panic. Only called where something happened, never on the
/// happy path.
pub(crate) fn shielded(listener: impl FnOnce()) {
    // Unwind safety: nothing the listener can reach is in the middle of a change here.
    let _ = catch_unwind(AssertUnwindSafe(listener));
}
