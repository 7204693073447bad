//! What can be typed about decisions and what came of them.

use std::time::Duration;

use clap::{Subcommand, ValueEnum};

const SUBJECT: &str = "\
The subject is a decision (`RUN/POSITION`, as `consort show` numbers it), a run
(`run:RUN`: credit flows to every decision in it and below it), or a component
(`KIND:NAME`, where KIND is model, tool, agent, prompt, threshold or memory).

With --json: {id, stage, fate}. `stage` is `accepted` (on disk) or, when another
process owns the store, `queued` or `taken`; `fate` says what it did: learned,
observed, early, duplicate, closed, excused, unconsumed or refused.";

#[derive(Debug, Subcommand)]
pub(crate) enum Feedback {
    /// Say how a decision, run or component turned out.
    Submit(Submit),
    /// Tell what became of all feedback, and the health of components.
    #[command(after_long_help = "\
With --json: {position, totals: {signals, learned, …}, sources: [[source, count]],
components: [{component, id, health, average, samples, standing, refused}]}.")]
    Stats,
}

#[derive(Debug, clap::Args)]
#[command(after_long_help = SUBJECT)]
pub(crate) struct Submit {
    /// Decision, `run:RUN`, or `KIND:NAME`.
    pub(crate) subject: String,
    /// From 0 (bad) to 1 (good).
    #[arg(allow_negative_numbers = true)]
    pub(crate) reward: f64,
    /// Where it comes from.
    #[arg(long, value_enum, default_value_t = Origin::UserExplicit)]
    pub(crate) source: Origin,
    /// How much it counts, above 0 and at most 1.
    #[arg(long, default_value_t = 1.0, value_name = "SHARE", allow_negative_numbers = true)]
    pub(crate) confidence: f64,
    /// Repeats under the same id count once. Default: a new one.
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    /// The category of failure, if it failed, e.g. `network` or `circuit_open`.
    #[arg(long, value_name = "CATEGORY")]
    pub(crate) category: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Origin {
    /// The evaluation of a whole run.
    Trajectory,
    /// What a retrieval brought.
    RagRetrieval,
    /// How a tool did.
    ToolExecution,
    /// How an agent did.
    AgentTask,
    /// A rule of governance.
    Governance,
    /// What something cost.
    CostBudget,
    /// A person said so.
    UserExplicit,
}

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
COMPONENT is a point of choice, as `consort policies` lists them, or a candidate of one.

With --json: {domains: [{domain, component, version, decisions, rewards, open, mean,
arms: [{name, chosen, pulls, mean, interval, share, health, standing}], …}]}. What has
no data is absent. The interval holds at all times at once with 95 % confidence.")]
pub(crate) struct Arms {
    /// Point of choice, or candidate.
    pub(crate) component: String,
}

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
With --json: {decision, tenant, at, candidates: [{name, chosen, probability,
score, skipped, now, parts: [{feature, value, effect}], rest}], rewards: [{id,
source, reward, confidence, category, at}]}. Probability and score are those of
the decision; `now`, `parts` and `rest` are what the policy makes of the same
situation today. A reward that came twice is told once.")]
pub(crate) struct Explain {
    /// The decision: `RUN/POSITION`; the run may be shortened.
    pub(crate) decision: String,
}

const POLICY: &str = "\
A policy is `always:CANDIDATE`, `automatic` (a portfolio that chooses for itself), a rule
with its number (`squarecb:10`, `linucb:0.5`, `thompson:0.2`, `epsilon_greedy:0.1`,
`regcb:0.003`, `greedy`) over the features that the point of choice has now, or `@FILE`
with a whole spec in TOML or JSON.";

#[derive(Debug, clap::Args)]
#[command(after_help = POLICY, after_long_help = "\
A policy is `always:CANDIDATE`, `automatic` (a portfolio that chooses for itself), a rule
with its number (`squarecb:10`, `linucb:0.5`, `thompson:0.2`, `epsilon_greedy:0.1`,
`regcb:0.003`, `greedy`) over the features that the point of choice has now, or `@FILE`
with a whole spec in TOML or JSON.

The log is gone through once: the policy learns from rewards as they came, and is asked
at each decision what it would have done. Nothing is served and nothing is changed. A log
that cannot answer is refused with its reason (exit code 3).

With --json: {policy, evaluations: [{domain, component, decisions, rows, logged,
logged_interval, estimate: {estimator, value, standard_error}, interval, others, effective,
max_weight, mean_weight, unsupported, refused}]}. Intervals hold at all times at once with
95 % confidence; what the log cannot tell is absent.")]
pub(crate) struct Evaluate {
    /// Point of choice, as `consort policies` lists them. Default: all of them.
    pub(crate) domain: Option<String>,
    /// The policy to judge.
    #[arg(long, value_name = "POLICY")]
    pub(crate) policy: String,
    /// Only decisions of this last while, e.g. `7days` or `12h`.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(crate) since: Option<Duration>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Experiment {
    /// Try other policies on a share of the requests.
    Start(StartExperiment),
    /// Tell of experiments: those that run, and the last hundred that ended.
    #[command(after_long_help = "\
With --json: {experiments: [{domain, component, started, why, share, promoted_at,
withdrawn_at, control: {rewards, mean}, candidates: [{name, phase, shadowed, agreed, failed,
rewards, mean, better, worse, clipped}], ended}]}.")]
    Status,
    /// End an experiment; the policy in use stays.
    Stop(StopExperiment),
}

#[derive(Debug, clap::Args)]
#[command(after_help = POLICY)]
pub(crate) struct StartExperiment {
    /// Point of choice, as `consort policies` lists them.
    pub(crate) domain: String,
    /// Who contends with the policy in use; may be repeated.
    #[arg(long = "candidate", value_name = "NAME=POLICY", required = true)]
    pub(crate) candidates: Vec<String>,
    /// Share of the requests that all candidates together serve, above 0 and below 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub(crate) share: f64,
    /// Decisions that each is only watched at before it serves.
    #[arg(long, value_name = "COUNT", default_value_t = 500)]
    pub(crate) shadow: u64,
    /// Why; for whoever reads the history.
    #[arg(long, default_value = "from the command line", value_name = "TEXT")]
    pub(crate) why: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct StopExperiment {
    /// Point of choice.
    pub(crate) domain: String,
    /// Why; for whoever reads the history.
    #[arg(long, default_value = "from the command line", value_name = "TEXT")]
    pub(crate) why: String,
}
