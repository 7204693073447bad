//! The `consort` command: data to stdout, everything else to stderr, exit codes by category.

mod analyze;
mod args;
mod fail;

use std::process::ExitCode;

use args::{Args, Command};
use clap::Parser;

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail::report(&fail::Failure::Start(error)),
    };
    match runtime.block_on(run(args)) {
        Ok(code) => code,
        Err(failure) => fail::report(&failure),
    }
}

async fn run(args: Args) -> Result<ExitCode, fail::Failure> {
    match args.command {
        Command::Analyze(analyze) => analyze::run(analyze).await,
    }
}
