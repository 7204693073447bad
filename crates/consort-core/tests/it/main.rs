//! Tests of the contract, the facade and durable runs from outside.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod budgets;
mod defects;
mod facade_table;
mod fixtures;
mod random;
mod replay;
mod visible;
