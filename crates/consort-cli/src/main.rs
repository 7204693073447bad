//! The `consort` command: data to stdout, everything else to stderr, exit codes by category.

mod analyze;
mod answer;
mod args;
mod change;
mod completions;
mod config;
mod console;
mod discover;
mod draw;
mod engine;
mod events;
mod fail;
mod health;
mod inspect;
mod interrupt;
mod learn;
mod reading;
mod run;
mod run_ref;
mod settings;
mod steer;
mod store_file;
mod text;
mod view;

use std::process::ExitCode;

use args::{Args, Command, Store, Worker};
use clap::{CommandFactory, Parser, error::ErrorKind};
use console::Console;
use fail::Failure;
use settings::Settings;

fn main() -> ExitCode {
    let args = Args::parse();
    if let Command::Worker(Worker::Pdf) = args.command {
        // Before anything else is set up: it must need as little as it can.
        return worker();
    }
    let mut settings = Settings::new(&args.global);
    let console = Console::new(&settings);
    let done = settings.configure(args.global.config.as_deref()).map_err(Failure::from);
    let done = done.and_then(|()| work(&settings, &console, args.command));
    console.end();
    ExitCode::from(match done {
        Ok(code) | Err(Failure::Interrupted(code)) => code,
        Err(Failure::ClosedPipe) => 0,
        Err(Failure::Usage(message)) => {
            Args::command().error(ErrorKind::ArgumentConflict, message).exit()
        }
        Err(Failure::Step(error)) => {
            console.fail(&error);
            error.category().facts().exit
        }
    })
}

fn work(settings: &Settings, console: &Console, command: Command) -> Result<u8, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| fail::io("start", &error).into())
        .and_then(|runtime| {
            let done = runtime.block_on(run(settings, console, command));
            // Work that has begun in the background must not hold up the end.
            runtime.shutdown_background();
            done
        })
}

fn worker() -> ExitCode {
    match consort::capabilities::pdf::work(std::io::stdin().lock(), std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

async fn run(settings: &Settings, console: &Console, command: Command) -> Result<u8, Failure> {
    match command {
        Command::Analyze(typed) => analyze::run(settings, console, typed).await,
        Command::List => discover::list(settings, console).await,
        Command::Describe { name } => discover::describe(settings, console, &name).await,
        Command::Run(typed) => run::run(settings, console, typed).await,
        Command::Runs(typed) => inspect::runs(settings, console, typed).await,
        Command::Show(typed) => inspect::show(settings, console, &typed.run).await,
        Command::Resume(typed) => run::resume(settings, console, typed).await,
        Command::Cancel(typed) => change::cancel(settings, console, typed).await,
        Command::Fork(typed) => run::fork(settings, console, typed).await,
        Command::Signal(typed) => change::signal(settings, console, typed).await,
        Command::Health(typed) => health::health(settings, console, typed).await,
        Command::Breakers(typed) => health::breakers(settings, console, typed).await,
        Command::Isolate(typed) => steer::isolate(settings, console, typed).await,
        Command::Release(typed) => steer::release(settings, console, typed).await,
        Command::Reset(typed) => steer::reset(settings, console, typed).await,
        Command::Configure(typed) => steer::configure(settings, console, typed).await,
        Command::Feedback(typed) => learn::feedback(settings, console, typed).await,
        Command::Policies => learn::policies(settings, console).await,
        Command::Arms(typed) => learn::arms(settings, console, typed).await,
        Command::Explain(typed) => learn::explain(settings, console, typed).await,
        Command::Evaluate(typed) => learn::evaluate(settings, console, typed).await,
        Command::Experiment(typed) => learn::experiment(settings, console, typed).await,
        Command::Store(Store::Check) => store_file::check(settings, console).await,
        Command::Store(Store::Backup(typed)) => store_file::backup(settings, console, typed).await,
        // Was done before there was a runtime.
        Command::Worker(_) => Ok(0),
        Command::Completions { shell } => completions::print(console, shell),
    }
}
