//! The configuration file: what operators decide once and not with every command.

use std::{fs, path::Path};

use consort::{
    core::{Category, StepError},
    infrastructure,
};
use serde::Deserialize;

/// The file as it was written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Guards of callees, and how health is judged.
    pub(crate) resilience: infrastructure::Config,
}

/// Reads and checks the file.
pub(crate) fn read(path: &Path) -> Result<Config, StepError> {
    let text = fs::read_to_string(path).map_err(|error| {
        let message = format!("the configuration `{}` cannot be read", path.display());
        StepError::new(Category::Configuration, message).because(&error)
    })?;
    let config: Config = toml::from_str(&text).map_err(|error| {
        let line = error.span().map(|span| 1 + newlines(&text, span.start));
        let place = line.map(|line| format!(", line {line}")).unwrap_or_default();
        let message = format!("`{}`{place}: {}", path.display(), error.message());
        StepError::new(Category::Configuration, message)
    })?;
    // Now, and not when somebody is called for the first time.
    infrastructure::Guards::new(config.resilience.clone())?;
    Ok(config)
}

/// Ends of lines before a place.
fn newlines(text: &str, place: usize) -> usize {
    text.bytes().take(place).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        let error = read(file.path()).unwrap_err();
        assert_eq!(error.category(), Category::Configuration);
        error.message().replace(&file.path().display().to_string(), "FILE")
    }

    #[test]
    fn what_is_written_is_what_calls_get() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "
            [resilience]
            capacity = 500
            [resilience.callees.\"acquire/example.org\"]
            guards.rate = { tokens = 1, per = \"2s\" }
            [resilience.callees.translate]
            preset = \"model_provider\"
            guards.hedge = \"off\"
            guards.breaker.window = { time = \"1m\" }
        ";
        fs::write(file.path(), text).unwrap();
        let guards = infrastructure::Guards::new(read(file.path()).unwrap().resilience).unwrap();
        let (site, others) = (guards.config("acquire/example.org"), guards.config("acquire"));
        assert_eq!((site.rate.unwrap().tokens, others.rate.unwrap().tokens), (1, 4));
        assert_eq!(site.bulkhead, others.bulkhead, "what was not named is what the callee has");
        assert_eq!(guards.config("translate").bulkhead.unwrap().limit, 16);
    }

    #[test]
    fn what_is_not_known_is_refused_by_name_and_line() {
        let known = "unknown field `colour`, expected";
        assert!(refusal("\ncolour = 1").starts_with(&format!("`FILE`, line 2: {known}")));
        let told = refusal("[resilience]\ncolour = 1");
        assert!(told.starts_with(&format!("`FILE`, line 2: {known}")), "{told}");
        let told = refusal("[resilience.callees.a]\npreset = \"none\"");
        assert!(told.contains("line 2: unknown variant `none`"), "{told}");
        let told = refusal("[resilience.callees.a]\nguards.breaker.colour = 1");
        let start = format!("`resilience.callees.a`: `breaker.colour`: {known}");
        assert!(told.starts_with(&start), "{told}");
        assert_eq!(
            refusal("[resilience.callees.a.guards.bulkhead]\nlimit = 0"),
            "`resilience.callees.a`: `bulkhead.limit` must be 1 to 100000, not 0"
        );
        assert!(refusal("[resilience]\ncapacity = 1").contains("`resilience.capacity`"));
    }
}
