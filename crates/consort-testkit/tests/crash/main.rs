//! The crash test: a process that runs mixed workflows on a real store is killed with SIGKILL at
//! random moments and started again, under a witness outside the engine that counts what happens.
//! `docs/crash-testing.md` says what is proven and how.
//!
//! `cargo test -p consort-testkit --test crash` kills 300 times. For more, or another course:
//! `cargo test --release -p consort-testkit --test crash -- --kills 1000 --seed 7`. With `--lie`
//! the journal acknowledges too early, and the test fails.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a test without a harness reports")]

mod args;
mod campaign;
mod capabilities;
mod evidence;
mod judge;
mod noted;
mod planted;
mod results;
mod witness;
mod worker;
mod workflows;

use std::process::ExitCode;

use args::Role;
use results::Results;

fn main() -> ExitCode {
    match args::parse(std::env::args().skip(1)) {
        Role::List => {
            println!("crash: test");
            ExitCode::SUCCESS
        }
        Role::Nothing => Results::begin().close(),
        Role::Worker(life) => worker::live(&life),
        Role::Campaign(plan) => campaign::run(&plan),
        Role::Confused(why) => {
            eprintln!("crash test: {why}");
            ExitCode::FAILURE
        }
    }
}
