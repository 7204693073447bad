//! What can be typed after `consort analyze`.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::ValueEnum;

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  consort analyze interview.vtt
  consort analyze story.html --out story-report.html
  consort analyze https://site.example/story paper.pdf
  consort analyze *.txt feed.xml --out reports/
  cat speech.txt | consort analyze - --json | jq .claims
  consort analyze story.html --evidence reviews.json

Evidence for --evidence: schema.org ClaimReviews as JSON, in a list, @graph or
data feed, or embedded in a page; or {results: [{source, statement, quote,
published, url?, stance: supports|refutes|mixed|unclear}]}. An address with
{query} in it is asked about each of the top claims. Evidence in earlier reports
of the store is used without being named. A verdict rests on evidence alone;
without any, a claim is \"not checked\".

An input with the same content, options and rules as in an earlier run is not
analysed again: its report comes from the store. A page is fetched to see that.
After Ctrl-C, or a crash, the same command goes on where it was.

With --json: the report of each input, one JSON document after the other; for an
input without a report {input, skipped}, {input, uncertain} or {input, error}.
With --out as well: {inputs: [{input, status, run, reused, out, reason, error}]}.
With several inputs the exit code is the highest.")]
pub(crate) struct Analyze {
    /// Files or addresses to report on; `-` for standard input.
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<OsString>,
    /// Form of the report. Default: by the ending of --out, else `md`.
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Write to this file; to a directory, which is made, when it ends in `/`.
    #[arg(long, value_name = "DIR/|FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Check claims against this file or address; may be given several times.
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) evidence: Vec<OsString>,
    /// How deep to go.
    #[arg(long, value_enum, default_value_t = Depth::Standard)]
    pub(crate) depth: Depth,
    /// Each report must be ready by then, e.g. `30s` or `5m`.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Option<Duration>,
    /// Inputs at once. Default: the processors.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: Option<u16>,
    /// Of a feed, report on so many of the pages that it announces too. Default: 20 of a feed at
    /// an address, none of a file.
    #[arg(long, value_name = "N")]
    pub(crate) items: Option<usize>,
    /// Analyse again what the store has a report of.
    #[arg(long)]
    pub(crate) again: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Markdown, for people and terminals.
    #[value(alias = "markdown")]
    Md,
    /// A page to look at, in one file that needs no other.
    Html,
    /// For programs.
    Json,
    /// Claims and verdicts for search engines: schema.org ClaimReview.
    JsonLd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Depth {
    /// Enough for a first look.
    Quick,
    /// A full report without a model.
    Standard,
    /// As standard, with longer lists.
    Deep,
}
