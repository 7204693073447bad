//! Failures as the reader sees them: `error:`, `caused by:`, `hint:`, and an exit code.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use consort::core::StepError;

/// What can go wrong between the command line and the engine.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The process could not start its threads.
    Start(io::Error),
    /// The engine refused or failed.
    Engine(StepError),
    /// Standard input could not be read.
    Input(io::Error),
    /// A result could not be written; `None` for standard output.
    Output(Option<PathBuf>, io::Error),
}

impl From<StepError> for Failure {
    fn from(error: StepError) -> Self {
        Self::Engine(error)
    }
}

/// Prints the failure and says how the process ends.
pub(crate) fn report(failure: &Failure) -> ExitCode {
    let mut text = String::new();
    let code = match failure {
        Failure::Start(error) => {
            text += &format!("error: cannot start\n  caused by: {error}\n");
            70
        }
        Failure::Input(error) => {
            text += &format!("error: cannot read standard input\n  caused by: {error}\n");
            22
        }
        // Whoever reads our output has seen enough.
        Failure::Output(None, error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Failure::Output(path, error) => {
            let target =
                path.as_ref().map_or("standard output".into(), |p| format!("`{}`", p.display()));
            text += &format!("error: cannot write {target}\n  caused by: {error}\n");
            25
        }
        Failure::Engine(error) => {
            text += &format!("error: {error}\n");
            for cause in error.causes() {
                text += &format!("  caused by: {cause}\n");
            }
            for violation in error.violations() {
                text += &format!("  at `{}`: {}\n", violation.pointer, violation.message);
            }
            text += &format!("hint: {}\n", error.suggested_actions().join("; "));
            error.category().facts().exit
        }
    };
    // Nowhere is left to report a failure of stderr.
    let _ = io::stderr().write_all(text.as_bytes());
    ExitCode::from(code)
}
