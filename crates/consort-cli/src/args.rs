//! What can be typed. One definition feeds parser, help and completions.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// One engine for every orchestrator of an AI product.
#[derive(Debug, Parser)]
#[command(name = "consort", version, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Turn a page, file or transcript into an evidence-backed report.
    Analyze(Analyze),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Analyze {
    /// File to report on; `-` for standard input.
    pub(crate) input: String,
    /// Form of the report.
    #[arg(long, value_enum, default_value_t = Format::Markdown)]
    pub(crate) format: Format,
    /// The report as JSON; the same as `--format json`.
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// Write the report to this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people and terminals.
    Markdown,
    /// For programs.
    Json,
}
