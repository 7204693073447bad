//! What is reported on: a file, standard input or an address.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use consort::core::{Category, StepError};

use crate::fail;

/// One input.
#[derive(Clone, Debug)]
pub(super) struct Input {
    name: String,
    from: From,
}

#[derive(Clone, Debug)]
enum From {
    File(PathBuf),
    Stdin,
    Url,
}

/// Content, or the address where the engine gets it from.
#[derive(Debug)]
pub(super) enum Content {
    Bytes(Vec<u8>),
    Url(String),
}

impl Input {
    pub(super) fn understand(typed: OsString) -> Self {
        let name = typed.to_string_lossy().into_owned();
        if name == "-" {
            return Self { name: "stdin".into(), from: From::Stdin };
        }
        let from = if is_url(&name) { From::Url } else { From::File(typed.into()) };
        Self { name, from }
    }

    /// As the user wrote it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The ending of its name, by which formats are told apart.
    pub(super) fn ending(&self) -> String {
        let ending = Path::new(&self.name).extension().unwrap_or_default();
        ending.to_string_lossy().to_ascii_lowercase()
    }

    /// A good beginning for the name of its report.
    pub(super) fn stem(&self) -> String {
        match &self.from {
            From::File(path) => {
                let name = path.file_name().unwrap_or(path.as_os_str());
                name.to_string_lossy().into_owned()
            }
            From::Stdin => self.name.clone(),
            From::Url => {
                let address = self.name.split_once("://").map_or(&*self.name, |(_, rest)| rest);
                let plain = |c: char| if c.is_alphanumeric() || c == '.' { c } else { '-' };
                let plain: String = address.chars().map(plain).take(80).collect();
                plain.trim_matches('-').to_owned()
            }
        }
    }

    /// Gets the content. Blocks.
    pub(super) fn read(&self, limit: u64) -> Result<Content, StepError> {
        match &self.from {
            From::Url => Ok(Content::Url(self.name.clone())),
            From::Stdin => {
                let read = bounded(io::stdin().lock(), limit);
                self.judge(read, limit, |error| fail::io("read standard input", &error))
            }
            From::File(path) => {
                let failed = |error: io::Error| fail::file("read", path, &error);
                let file = File::open(path).map_err(failed)?;
                if file.metadata().is_ok_and(|facts| facts.is_dir()) {
                    let message = format!("`{}` is a directory", self.name);
                    return Err(StepError::new(Category::InvalidRequest, message)
                        .hint("name the files in it"));
                }
                self.judge(bounded(file, limit), limit, failed)
            }
        }
    }

    fn judge(
        &self,
        read: io::Result<Vec<u8>>,
        limit: u64,
        failed: impl Fn(io::Error) -> StepError,
    ) -> Result<Content, StepError> {
        let bytes = read.map_err(failed)?;
        if bytes.len() as u64 > limit {
            let message = format!("`{}` is larger than {} MiB", self.name, limit >> 20);
            return Err(StepError::new(Category::PayloadTooLarge, message)
                .hint("split it into smaller files"));
        }
        Ok(Content::Bytes(bytes))
    }
}

/// An address has a scheme; `C:\` and `notes: today.txt` have none.
fn is_url(name: &str) -> bool {
    name.split_once("://").is_some_and(|(scheme, _)| {
        !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+')
    })
}

/// One byte more than the limit shows that there is more.
fn bounded(from: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(name: &str) -> Input {
        Input::understand(name.into())
    }

    #[test]
    fn addresses_and_files_are_told_apart() {
        assert!(is_url("https://site.example/story"));
        assert!(is_url("file:///etc/passwd"));
        assert!(!is_url("notes: a://b.txt"));
        assert!(!is_url("a/b.txt"));
    }

    #[test]
    fn reports_are_named_after_their_inputs() {
        assert_eq!(input("a/b/talk.vtt").stem(), "talk.vtt");
        assert_eq!(input("https://site.example/a?b=c/").stem(), "site.example-a-b-c");
        assert_eq!(input("-").stem(), "stdin");
        assert_eq!(input("talk.VTT").ending(), "vtt");
    }
}
