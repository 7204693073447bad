//! Failures as the reader sees them: `error:`, `caused by:`, `hint:`, and an exit code.

use std::{
    fmt::Write,
    io::{self, ErrorKind},
    path::Path,
};

use consort::core::{Category, Status, StepError};
use serde_json::json;

/// The exit code after Ctrl-C, as shells count it: 128 and the number of the signal.
pub(crate) const INTERRUPTED: u8 = 130;

/// Why a command has no result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The engine, or the world around this command, refused or failed.
    Step(Box<StepError>),
    /// What was typed makes no sense together.
    Usage(String),
    /// Whoever reads our output has seen enough.
    ClosedPipe,
    /// A signal came; what happens next has been told. The exit code.
    Interrupted(u8),
}

impl From<StepError> for Failure {
    fn from(error: StepError) -> Self {
        Self::Step(Box::new(error))
    }
}

/// The exit code of a result.
pub(crate) fn exit_code(status: Status, category: Option<Category>) -> u8 {
    match status {
        Status::Succeeded | Status::Degraded => 0,
        Status::Skipped => 3,
        Status::Uncertain => 4,
        Status::Failed => category.unwrap_or(Category::Internal).facts().exit,
    }
}

/// A failure of the system at `doing`, e.g. "read `a.txt`".
pub(crate) fn io(doing: &str, error: &io::Error) -> StepError {
    let category = match error.kind() {
        ErrorKind::NotFound => Category::NotFound,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Category::PermissionDenied,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Category::StorageFull,
        ErrorKind::AlreadyExists => Category::Conflict,
        ErrorKind::IsADirectory | ErrorKind::NotADirectory | ErrorKind::InvalidInput => {
            Category::InvalidRequest
        }
        _ => Category::ProcessingFailed,
    };
    let failure = StepError::new(category, format!("cannot {doing}")).because(error);
    match error.kind() {
        ErrorKind::NotFound => failure.hint("check the path"),
        ErrorKind::IsADirectory => failure.hint("name a file"),
        _ => failure,
    }
}

/// The same for a file.
pub(crate) fn file(doing: &str, path: &Path, error: &io::Error) -> StepError {
    io(&format!("{doing} `{}`", path.display()), error)
}

/// The lines that tell an error, about `subject` where there are several.
pub(crate) fn lines(error: &StepError, subject: Option<&str>) -> String {
    let mut text = match subject {
        Some(subject) => format!("error: {subject}: {error}\n"),
        None => format!("error: {error}\n"),
    };
    for cause in error.causes() {
        let _ = writeln!(text, "  caused by: {}", cause.trim().replace('\n', "\n    "));
    }
    for violation in error.violations() {
        let place = if violation.pointer.is_empty() { "/" } else { &violation.pointer };
        let _ = writeln!(text, "  at `{place}`: {}", violation.message);
    }
    let _ = writeln!(text, "hint: {}", error.suggested_actions().join("; "));
    text
}

/// An error as the answer of a command under `--json`.
pub(crate) fn json(error: &StepError) -> serde_json::Value {
    json!({ "error": error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_with_its_causes_places_and_a_remedy() {
        let error = StepError::new(Category::InvalidRequest, "does not fit")
            .cause("first\nsecond line")
            .violation("", "must be an object")
            .violation("/a", "is missing");
        let expected = "error: x: does not fit\n  caused by: first\n    second line\n  \
                        at `/`: must be an object\n  at `/a`: is missing\n\
                        hint: correct the fields that are named\n";
        assert_eq!(lines(&error, Some("x")), expected);
    }

    #[test]
    fn exit_codes_follow_the_result() {
        assert_eq!(exit_code(Status::Degraded, None), 0);
        assert_eq!(exit_code(Status::Skipped, None), 3);
        assert_eq!(exit_code(Status::Uncertain, None), 4);
        assert_eq!(exit_code(Status::Failed, Some(Category::NotFound)), 11);
    }
}
