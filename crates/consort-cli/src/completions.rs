//! `consort completions`: for a shell, from the definition of the arguments.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{args::Args, console::Console, fail::Failure};

pub(crate) fn print(console: &Console, shell: Shell) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "consort", &mut script);
    console.print(&String::from_utf8_lossy(&script))?;
    Ok(0)
}
