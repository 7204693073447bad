//! What can be typed, exactly as it was typed. One definition feeds parser, help and completions;
//! what it means is decided in `settings` and in each command.

mod analyze;
mod health;
mod learn;
mod runs;

use std::path::PathBuf;

pub(crate) use analyze::{Analyze, Depth, Format};
use clap::{Parser, Subcommand};
pub(crate) use health::{Breakers, Configure, Health, Isolate, Steer};
pub(crate) use learn::{
    Arms, Evaluate, Experiment, Explain, Feedback, Origin, StartExperiment, StopExperiment, Submit,
};
pub(crate) use runs::{Backup, Cancel, Fork, Resume, Run, Runs, Show, Signal, State};

const AFTER: &str = "\
Exit codes: 0 done (also when degraded), 2 wrong usage, 3 skipped, 4 uncertain,
130 interrupted; every other code is a category of failure, named in the error.
Run ids may be shortened to the first or last characters, four at least, as long
as only one run matches.";

/// One engine for every orchestrator of an AI product.
#[derive(Debug, Parser)]
#[command(name = "consort", version, max_term_width = 80, after_help = AFTER)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Keep runs in this file. Default: `consort/consort.db` in the user's data directory.
    #[arg(long, global = true, value_name = "PATH", env = "CONSORT_STORE")]
    pub(crate) store: Option<PathBuf>,
    /// Read settings from this TOML file.
    #[arg(long, global = true, value_name = "FILE", env = "CONSORT_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Answer with one JSON document on standard output.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Leave the unfinished runs of the store alone.
    #[arg(long, global = true)]
    pub(crate) no_resume: bool,
    /// Let pages be fetched from this host although it is not public, e.g. `localhost:8000` or
    /// `10.0.0.0/8`. May be repeated.
    #[arg(long, global = true, value_name = "HOST", env = "CONSORT_ALLOW", value_delimiter = ',')]
    pub(crate) allow: Vec<String>,
    /// Fetch pages that the host's robots.txt closes to programs.
    #[arg(long, global = true)]
    pub(crate) ignore_robots: bool,
    /// What reads media pages. Default: `yt-dlp` in PATH.
    #[arg(long, global = true, value_name = "PROGRAM", env = "CONSORT_YT_DLP")]
    pub(crate) yt_dlp: Option<String>,
    /// What turns recordings into text: a command that gets the file's path as its last word, or
    /// the address of an endpoint like OpenAI's `audio/transcriptions`. Both answer with JSON
    /// that has `segments`.
    #[arg(long, global = true, value_name = "COMMAND|URL", env = "CONSORT_TRANSCRIBER")]
    pub(crate) transcriber: Option<String>,
    /// Say nothing but errors on standard error.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Tell what happens on standard error: runs and progress; twice: steps too.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Turn pages, files and transcripts into evidence-backed reports.
    Analyze(Analyze),
    /// List the orchestrators and capabilities of this build.
    #[command(after_long_help = "\
With --json: {\"orchestrators\": [{name, version, layer, kind, durability, purpose}],
\"capabilities\": [{name, version, effect, recompute, purpose}]}")]
    List,
    /// Show one of them: purpose, guards, request and response.
    #[command(after_long_help = "\
With --json: {name, version, …, request, response, guards: [{name, settings}]};
`request` and `response` are JSON Schemas.")]
    Describe {
        /// Orchestrator or capability.
        name: String,
    },
    /// Run an orchestrator or capability.
    Run(Run),
    /// List runs, newest first.
    Runs(Runs),
    /// Draw a run with its steps, decisions, costs and failures.
    Show(Show),
    /// Go on with unfinished runs and wait for them.
    Resume(Resume),
    /// End a run and everything below it.
    Cancel(Cancel),
    /// Start a new run from a step of an earlier one.
    Fork(Fork),
    /// Send an event to a run that waits for it.
    Signal(Signal),
    /// Tell how well those are who were called lately.
    Health(Health),
    /// Tell which breakers are open.
    Breakers(Breakers),
    /// Refuse all calls to somebody until further notice.
    Isolate(Isolate),
    /// End an isolation.
    Release(Steer),
    /// End an isolation, close the breakers and forget what was seen.
    Reset(Steer),
    /// Give somebody other guards while the owner of the store runs.
    Configure(Configure),
    /// Say how things turned out, and see what became of that.
    #[command(subcommand)]
    Feedback(Feedback),
    /// List the points of choice and their policies.
    #[command(after_long_help = "With --json as `arms`, for all points of choice.")]
    Policies,
    /// Show how the candidates of a point of choice do.
    Arms(Arms),
    /// Take a decision apart: odds, features, and what came of it.
    Explain(Explain),
    /// Tell what another policy would have earned, from what is on record.
    Evaluate(Evaluate),
    /// Try other policies on a share of the requests, and promote or withdraw them by evidence.
    #[command(subcommand)]
    Experiment(Experiment),
    /// Look after the store.
    #[command(subcommand)]
    Store(Store),
    /// Print the completions of a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Does dangerous work for another process: takes it on standard input.
    #[command(subcommand, hide = true)]
    Worker(Worker),
}

/// Work that may hang or die, and is watched over by whoever started it.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Worker {
    /// Read the text of a PDF.
    Pdf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Store {
    /// Read everything and report what is damaged.
    #[command(after_long_help = "\
With --json: {store, sound, runs, records, payloads, messages, damage: [{place, what}]}.
Ends with 50 when something is damaged.")]
    Check,
    /// Copy the store to a new file, also while it is in use.
    Backup(Backup),
}
