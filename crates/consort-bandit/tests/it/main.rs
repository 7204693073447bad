//! The crate as its users see it: golden traces, statistics of choices, hostile inputs.
#![expect(clippy::unwrap_used, reason = "tests")]

mod allocation;
mod data;
mod golden;
mod hostile;
mod numerics;
mod statistics;
