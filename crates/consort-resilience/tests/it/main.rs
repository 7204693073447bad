//! The crate from outside: defects of older systems as claims, dropped futures, seeded scenarios.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests fail the test, and tell its seed"
)]

mod defects;
mod docs;
mod dropped;
mod scenarios;
mod sim;
