//! What is reported on: a file, standard input or an address.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use consort::{
    capabilities::media,
    core::{Category, Hash, StepError},
};

use crate::fail;

/// Bytes by which a recording is told from other content.
const HEAD: u64 = 12;
/// Bytes of a recording that are hashed at once.
const PIECE: u64 = 1 << 20;

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
    /// Sound or video, which the engine has transcribed; too much to keep.
    Recording {
        path: PathBuf,
        hash: Hash,
    },
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

    /// True for an address.
    pub(super) fn is_url(&self) -> bool {
        matches!(self.from, From::Url)
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
                let mut file = File::open(path).map_err(failed)?;
                let facts = file.metadata().map_err(failed)?;
                if facts.is_dir() {
                    let message = format!("`{}` is a directory", self.name);
                    return Err(StepError::new(Category::InvalidRequest, message)
                        .hint("name the files in it"));
                }
                let head = bounded(&mut file, HEAD - 1).map_err(failed)?;
                if media::is_recording(&head) && facts.is_file() {
                    let hash = hash(&head, file).map_err(failed)?;
                    let path = std::path::absolute(path).map_err(failed)?;
                    return Ok(Content::Recording { path, hash });
                }
                if facts.is_file() && facts.len() > limit {
                    return Err(self.too_large(limit));
                }
                self.judge(bounded(head.chain(file), limit), limit, failed)
            }
        }
    }

    fn too_large(&self, limit: u64) -> StepError {
        let message = format!("`{}` is larger than {} MiB", self.name, limit >> 20);
        StepError::new(Category::PayloadTooLarge, message).hint("split it into smaller files")
    }

    fn judge(
        &self,
        read: io::Result<Vec<u8>>,
        limit: u64,
        failed: impl Fn(io::Error) -> StepError,
    ) -> Result<Content, StepError> {
        let bytes = read.map_err(failed)?;
        if bytes.len() as u64 > limit {
            return Err(self.too_large(limit));
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

/// A hash of a file of any size: of the hashes of its pieces.
fn hash(head: &[u8], rest: File) -> io::Result<Hash> {
    let mut reader = head.chain(rest);
    let (mut hashes, mut piece) = (Vec::new(), Vec::new());
    while Read::take(&mut reader, PIECE).read_to_end(&mut piece)? > 0 {
        hashes.extend(Hash::of(&piece).as_bytes());
        piece.clear();
    }
    Ok(Hash::of(&hashes))
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
