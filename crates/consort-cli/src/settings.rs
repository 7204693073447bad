//! What the global options and the environment mean. The only place that reads the environment.

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
};

use consort::core::{Category, StepError};

use crate::args::Global;

/// The global options, understood.
#[derive(Debug)]
pub(crate) struct Settings {
    store: Option<Place>,
    /// Answer with one JSON document.
    pub(crate) json: bool,
    /// Take up unfinished runs.
    pub(crate) resume: bool,
    /// How much to tell on standard error.
    pub(crate) talk: Talk,
    /// Columns of the terminal that standard output is, if it is one.
    pub(crate) columns: Option<usize>,
    /// True when somebody watches standard error.
    pub(crate) watched: bool,
}

/// Where the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file.
    pub(crate) path: PathBuf,
    /// True when the user named it: then it must be used, or the command fails.
    pub(crate) named: bool,
}

/// How much to tell on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Talk {
    /// Errors.
    Quiet,
    /// Errors, warnings and notes.
    Normal,
    /// Also runs and progress.
    Verbose,
    /// Also steps.
    Everything,
}

impl Settings {
    pub(crate) fn new(typed: &Global) -> Self {
        let named = typed.store.clone().filter(|path| !path.as_os_str().is_empty());
        let store = match named {
            Some(path) => Some(Place { path, named: true }),
            None => data_home(variable("XDG_DATA_HOME"), variable("HOME"))
                .map(|home| Place { path: home.join("consort/consort.db"), named: false }),
        };
        let talk = match (typed.quiet, typed.verbose) {
            (true, _) => Talk::Quiet,
            (false, 0) => Talk::Normal,
            (false, 1) => Talk::Verbose,
            (false, _) => Talk::Everything,
        };
        Self {
            store,
            json: typed.json,
            resume: !typed.no_resume,
            talk,
            columns: columns(),
            watched: io::stderr().is_terminal(),
        }
    }

    /// Where the store is.
    pub(crate) fn store(&self) -> Result<&Place, StepError> {
        self.store.as_ref().ok_or_else(|| {
            let message = "there is no place for the store: `HOME` is not set";
            StepError::new(Category::Configuration, message).hint("name a file with `--store`")
        })
    }
}

/// The base directory for data of the XDG specification, version 0.8: a relative one counts as
/// unset.
fn data_home(data: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    data.filter(absolute).or_else(|| Some(home.filter(absolute)?.join(".local/share")))
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

fn columns() -> Option<usize> {
    let (terminal_size::Width(columns), _) = terminal_size::terminal_size_of(io::stdout())?;
    Some(usize::from(columns).max(20))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(data: Option<&str>, home: Option<&str>) -> Option<String> {
        let found = data_home(data.map(PathBuf::from), home.map(PathBuf::from));
        found.map(|path| path.to_string_lossy().into_owned())
    }

    #[test]
    fn data_goes_where_the_user_keeps_data() {
        assert_eq!(home(Some("/d"), Some("/h")).as_deref(), Some("/d"));
        assert_eq!(home(None, Some("/h")).as_deref(), Some("/h/.local/share"));
        assert_eq!(home(Some("relative"), Some("/h")).as_deref(), Some("/h/.local/share"));
        assert_eq!(home(Some(""), None), None);
    }
}
