//! What the global options and the environment mean. The only place that reads the environment.

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use consort::{
    capabilities::{
        self,
        media::transcribe::{Key, Transcriber},
    },
    core::{Category, StepError},
    infrastructure,
};

use crate::{args::Global, config};

/// The global options, understood.
#[derive(Debug)]
pub(crate) struct Settings {
    store: Option<Place>,
    /// Answer with one JSON document.
    pub(crate) json: bool,
    /// What may touch the world, and how.
    pub(crate) capabilities: capabilities::Config,
    /// What stands around calls.
    pub(crate) resilience: infrastructure::Config,
    /// Take up unfinished runs.
    pub(crate) resume: bool,
    /// How much to tell on standard error.
    pub(crate) talk: Talk,
    /// Columns of the terminal that standard output is, if it is one.
    pub(crate) columns: Option<usize>,
    /// True when somebody watches standard error.
    pub(crate) watched: bool,
    /// True when standard output may be styled.
    pub(crate) ansi: bool,
    /// True when standard output must do with ASCII.
    pub(crate) ascii: bool,
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
            None => data_home(path("XDG_DATA_HOME"), path("HOME"))
                .map(|home| Place { path: home.join("consort/consort.db"), named: false }),
        };
        let talk = match (typed.quiet, typed.verbose) {
            (true, _) => Talk::Quiet,
            (false, 0) => Talk::Normal,
            (false, 1) => Talk::Verbose,
            (false, _) => Talk::Everything,
        };
        let terminal = io::stdout().is_terminal();
        Self {
            ansi: terminal && is_styled(variable("NO_COLOR"), variable("TERM")),
            ascii: terminal && is_ascii(["LC_ALL", "LC_CTYPE", "LANG"].map(variable)),
            store,
            json: typed.json,
            capabilities: capabilities(typed),
            resilience: infrastructure::Config::default(),
            resume: !typed.no_resume,
            talk,
            columns: columns(),
            watched: io::stderr().is_terminal(),
        }
    }

    /// Takes over what the configuration file says.
    pub(crate) fn configure(&mut self, file: Option<&Path>) -> Result<(), StepError> {
        if let Some(file) = file.filter(|file| !file.as_os_str().is_empty()) {
            let config::Config { resilience } = config::read(file)?;
            self.resilience = resilience;
        }
        Ok(())
    }

    /// Where the store is.
    pub(crate) fn store(&self) -> Result<&Place, StepError> {
        self.store.as_ref().ok_or_else(|| {
            let message = "there is no place for the store: `HOME` is not set";
            StepError::new(Category::Configuration, message).hint("name a file with `--store`")
        })
    }
}

fn capabilities(typed: &Global) -> capabilities::Config {
    let mut config = capabilities::Config::default();
    config.egress.allow.clone_from(&typed.allow);
    config.fetch.robots = !typed.ignore_robots;
    if let Some(program) = &typed.yt_dlp {
        config.media.command = vec![program.clone()];
    }
    if let Some(path) = std::env::var_os("PATH") {
        config.media.search_path = path;
    }
    config.media.transcriber = typed.transcriber.as_deref().map(transcriber);
    config.pdf.worker = std::env::current_exe().ok().and_then(|program| {
        let program = program.into_os_string().into_string().ok()?;
        Some(vec![program, "worker".to_owned(), "pdf".to_owned()])
    });
    config
}

fn transcriber(typed: &str) -> Transcriber {
    if typed.starts_with("http://") || typed.starts_with("https://") {
        let key =
            std::env::var_os("CONSORT_TRANSCRIBER_KEY").and_then(|key| key.into_string().ok());
        let model = std::env::var_os("CONSORT_TRANSCRIBER_MODEL");
        let model = model.and_then(|model| model.into_string().ok());
        return Transcriber::Endpoint {
            url: typed.to_owned(),
            model: model.unwrap_or_else(|| "whisper-1".to_owned()),
            key: key.map(Key::new),
        };
    }
    Transcriber::Command(typed.split_whitespace().map(str::to_owned).collect())
}

/// The base directory for data of the XDG specification, version 0.8: a relative one counts as
/// unset.
fn data_home(data: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    data.filter(absolute).or_else(|| Some(home.filter(absolute)?.join(".local/share")))
}

/// Styles are wanted unless <https://no-color.org> or a terminal without them says otherwise.
fn is_styled(no_color: Option<OsString>, terminal: Option<OsString>) -> bool {
    no_color.is_none() && terminal.is_none_or(|name| name != "dumb")
}

/// The first variable that is set decides, as POSIX says; without any, UTF-8 is what people have.
fn is_ascii(locale: [Option<OsString>; 3]) -> bool {
    let Some(locale) = locale.into_iter().flatten().next() else { return false };
    let locale = locale.to_string_lossy().to_ascii_lowercase();
    !locale.contains("utf-8") && !locale.contains("utf8")
}

/// A variable that is set and not empty.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn path(name: &str) -> Option<PathBuf> {
    variable(name).map(PathBuf::from)
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
    fn styles_are_for_terminals_that_want_them() {
        assert!(is_styled(None, Some("xterm".into())) && is_styled(None, None));
        assert!(!is_styled(Some("1".into()), Some("xterm".into())));
        assert!(!is_styled(None, Some("dumb".into())));
    }

    #[test]
    fn the_first_locale_variable_decides_about_ascii() {
        let locale = |all: Option<&str>, lang: Option<&str>| {
            is_ascii([all.map(OsString::from), None, lang.map(OsString::from)])
        };
        assert!(!locale(None, None) && !locale(None, Some("de_DE.UTF-8")));
        assert!(locale(Some("C"), Some("de_DE.UTF-8")) && !locale(Some("C.utf8"), Some("C")));
    }

    #[test]
    fn data_goes_where_the_user_keeps_data() {
        assert_eq!(home(Some("/d"), Some("/h")).as_deref(), Some("/d"));
        assert_eq!(home(None, Some("/h")).as_deref(), Some("/h/.local/share"));
        assert_eq!(home(Some("relative"), Some("/h")).as_deref(), Some("/h/.local/share"));
        assert_eq!(home(Some(""), None), None);
    }
}
