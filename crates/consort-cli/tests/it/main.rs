//! The `consort` command as its users meet it: the real binary, on stores of its own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

mod analyze;
mod basics;
mod batch;
mod harm;
mod health;
mod hostile;
mod learn;
mod owner;
mod runs;
mod server;
mod web;
mod world;
