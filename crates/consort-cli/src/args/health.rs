//! What can be typed about callees.

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Tells what the process that owns the store saw last. Health is of the last minute;
without enough calls there is no data.

With --json: {store, no_data, as_of, process, live, overall, callees: [{callee, local,
health, why, calls, failures, success_rate, latency_ms, breaker: {state,
failures_in_row, rest_left_ms, moves}, bulkhead: {limit, taken, waiting},
retries_left, tokens}], isolations: [{callee, reason, run, since}]}. `health` is one of
no_data, healthy, degraded, unhealthy, isolated. `no_data` tells why nothing is known;
what is not known or does not apply is absent.")]
pub(crate) struct Health {
    /// Only this callee with its endpoints, or this endpoint.
    pub(crate) callee: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
With --json: {store, no_data, as_of, process, live, breakers: [{callee, health, state,
failures_in_row, rest_left_ms, moves}], isolations: [{callee, reason, run, since}]};
`state` is one of closed, open, half_open, isolated. With --watch one such document
for each change.")]
pub(crate) struct Breakers {
    /// Only this callee with its endpoints, or this endpoint.
    pub(crate) callee: Option<String>,
    /// Go on, and tell again whenever something has changed.
    #[arg(long)]
    pub(crate) watch: bool,
}

const STEERED: &str = "\
With --json: {callee, done}; `done` is `isolated`, `released` or `reset`, `nothing`
when there was nothing to do, `taken` or `queued` when another process owns the store
and it is not known yet what became of it. `reason` tells why there was nothing to do.";

#[derive(Debug, clap::Args)]
#[command(after_long_help = STEERED)]
pub(crate) struct Isolate {
    /// A capability or orchestrator, or `capability/endpoint`.
    pub(crate) callee: String,
    /// Why; for whoever finds it held off.
    #[arg(long, default_value = "from the command line", value_name = "TEXT")]
    pub(crate) reason: String,
}

#[derive(Debug, clap::Args)]
#[command(after_long_help = STEERED)]
pub(crate) struct Steer {
    /// A capability or orchestrator, or `capability/endpoint`.
    pub(crate) callee: String,
}
