//! What can be typed about runs.

use std::{path::PathBuf, time::Duration};

use clap::ValueEnum;

const RESULT: &str = "\
With --json: {run, status, value, losses: [{what, why}], doubt, reason, error}.
`run` is null for what keeps no record; what does not apply is absent. An error is
{category, message, causes, violations: [{pointer, message}], actions, …}. Of a run
that nobody waits for: {run, status: \"detached\"}. Without a run `resume` answers
as `runs` does.";

#[derive(Debug, clap::Args)]
#[command(after_long_help = RESULT)]
pub(crate) struct Run {
    /// Orchestrator or capability; see `consort list`.
    pub(crate) name: String,
    /// The request as JSON; `-` for standard input. Default: an empty object.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) input: Option<PathBuf>,
    /// Wait for the end and print the answer. The default.
    #[arg(long, conflicts_with = "detach")]
    pub(crate) wait: bool,
    /// Record the run, print its id and leave.
    #[arg(long)]
    pub(crate) detach: bool,
    /// The run must have answered by then, e.g. `30s` or `5m`.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Option<Duration>,
    /// Run at most once under this key; the second time gives the first answer.
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
With --json: {\"runs\": [{run, orchestrator, version, tenant, state, status, category,
started, ended, took_ms, due, steps, spend: {money, tokens, calls}}]}. Times are UTC.")]
pub(crate) struct Runs {
    /// Only runs of this orchestrator.
    #[arg(long, value_name = "NAME")]
    pub(crate) orchestrator: Option<String>,
    /// Only runs in this state.
    #[arg(long, value_enum)]
    pub(crate) state: Option<State>,
    /// Child runs too.
    #[arg(long)]
    pub(crate) all: bool,
    /// At most this many.
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum State {
    /// Neither ended nor waiting.
    Open,
    /// Waits for time or an event.
    Waiting,
    /// Over.
    Ended,
}

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
With --json: what `runs` tells of a run, and {request, request_id, trace, deadline,
forked_from: {run, step}, caused_by, entries, result}. Entries are the lines of the
drawing: {position, entry, …}; `entry` is one of step {kind, callee, began, ended,
took_ms, attempts, spend, guards, request, result, run}, child {run}, pending
{waiting}, decision, signal, local, event and cancel. The `run` of an entry is a
child run in the same form; a result is {status, value, losses, doubt, reason, error}.")]
pub(crate) struct Show {
    /// The run.
    pub(crate) run: String,
}

#[derive(Debug, clap::Args)]
#[command(after_long_help = RESULT)]
pub(crate) struct Resume {
    /// The run; without one, all unfinished runs.
    pub(crate) run: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
With --json: {run, done}; `done` is `cancelled`, or `recorded` for a run that is blocked;
`taken` or `queued` when another process owns the store.")]
pub(crate) struct Cancel {
    /// The run.
    pub(crate) run: String,
    /// Why; kept in the record.
    #[arg(long, default_value = "cancelled from the command line", value_name = "TEXT")]
    pub(crate) reason: String,
}

#[derive(Debug, clap::Args)]
#[command(after_long_help = RESULT)]
pub(crate) struct Fork {
    /// The run to take over from.
    pub(crate) run: String,
    /// The first step to do again, as `consort show` numbers it.
    #[arg(long, value_name = "STEP")]
    pub(crate) from: u32,
    /// Go on with this version of the orchestrator.
    #[arg(long, value_name = "VERSION")]
    pub(crate) onto: Option<String>,
    /// Record the run, print its id and leave.
    #[arg(long)]
    pub(crate) detach: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
With --json: {run, done}; `done` is `recorded`; `taken` or `queued` when another
process owns the store.")]
pub(crate) struct Signal {
    /// The run.
    pub(crate) run: String,
    /// The event that it waits for.
    pub(crate) event: String,
    /// What the event carries.
    #[arg(long, default_value = "null", value_name = "JSON")]
    pub(crate) data: String,
}

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
What was learned lies beside the store in STORE.learning and is copied to TO.learning.
With --json: {store, backup, bytes, learning: {backup, bytes}}; `learning` is null when
nothing was learned yet.")]
pub(crate) struct Backup {
    /// The new file; must not exist.
    pub(crate) to: PathBuf,
}
