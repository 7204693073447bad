//! Claims about the composition root: every example runs, and the published pictures are fresh.

mod examples;
mod registry;
