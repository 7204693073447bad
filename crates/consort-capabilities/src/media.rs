//! Media pages: captions through `yt-dlp`, or else a recording and its transcript.
//!
//! `yt-dlp` fetches by itself, so it is given nothing but our proxy to fetch through, a folder of
//! its own, and no settings of the user's.

mod recording;
pub mod transcribe;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use consort_core::{Category, StepError};
use serde::Deserialize;

pub(crate) use recording::HEAD;
pub use recording::is_recording;

use crate::{
    child,
    egress::{Gate, WebAddress, proxy::Proxy},
    file,
};

/// Settings of media pages.
#[derive(Clone, Debug)]
pub struct Config {
    /// Program and first arguments of `yt-dlp`. Default `yt-dlp`, looked up in `search_path`.
    pub command: Vec<String>,
    /// `PATH` of child processes. Default `/usr/local/bin:/usr/bin:/bin`.
    pub search_path: OsString,
    /// Hosts whose pages are media pages; those below them count too.
    pub hosts: Vec<String>,
    /// Languages of captions, as patterns of `yt-dlp`, best first. Default English, then the
    /// original language of automatic captions.
    pub languages: Vec<String>,
    /// How long one call of `yt-dlp` may take. Default 2 min; for a recording ten times that.
    pub wall: Duration,
    /// Largest recording, in bytes. Default 512 MiB.
    pub max_recording: u64,
    /// What turns recordings into text. Default: none.
    pub transcriber: Option<transcribe::Transcriber>,
}

impl Default for Config {
    fn default() -> Self {
        let hosts = [
            "youtube.com",
            "youtu.be",
            "youtube-nocookie.com",
            "vimeo.com",
            "dailymotion.com",
            "twitch.tv",
            "tiktok.com",
            "rumble.com",
            "odysee.com",
            "soundcloud.com",
            "ted.com",
        ];
        Self {
            command: vec!["yt-dlp".to_owned()],
            search_path: "/usr/local/bin:/usr/bin:/bin".into(),
            hosts: hosts.map(str::to_owned).to_vec(),
            languages: vec!["en".to_owned(), "en-.*".to_owned(), ".*-orig".to_owned()],
            wall: Duration::from_secs(120),
            max_recording: 512 * 1024 * 1024,
            transcriber: None,
        }
    }
}

/// Gets the words out of media pages.
#[derive(Clone, Debug)]
pub(crate) struct Media {
    gate: Gate,
    config: Config,
    max_bytes: u64,
}

/// Captions or a transcript.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) bytes: Vec<u8>,
    /// Title with the ending of the format.
    pub(crate) name: String,
    pub(crate) losses: Vec<String>,
}

/// The part of `yt-dlp`'s account of a page that is used here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Account {
    title: Option<String>,
    /// Captions that people made, by language.
    subtitles: Option<serde_json::Map<String, serde_json::Value>>,
}

impl Media {
    pub(crate) fn new(gate: Gate, config: Config, max_bytes: u64) -> Self {
        Self { gate, config, max_bytes }
    }

    /// True when pages of this host are media pages.
    pub(crate) fn covers(&self, page: &WebAddress) -> bool {
        let Some(host) = page.target().name() else { return false };
        self.config.hosts.iter().any(|known| {
            let below = host.strip_suffix(known.as_str());
            below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
        })
    }

    /// What is said on a media page: captions, or else the transcript of its recording.
    pub(crate) async fn words(&self, page: &WebAddress) -> Result<Words, StepError> {
        let folder =
            tempfile::Builder::new().prefix("consort-media-").tempdir().map_err(|error| {
                StepError::new(Category::ResourceExhausted, "no place for a recording")
                    .because(&error)
            })?;
        let account = self.run(page, folder.path(), self.captions(), self.config.wall).await?;
        let title = account.title.clone().unwrap_or_else(|| page.as_str().to_owned());
        if let Some((path, automatic)) = self.choose(folder.path(), &account)? {
            let bytes = file::read(&path.to_string_lossy(), self.max_bytes).await?;
            let ending = path.extension().unwrap_or_default().to_string_lossy();
            let losses = if automatic {
                vec!["the captions were made by a machine, so words may be wrong".to_owned()]
            } else {
                Vec::new()
            };
            return Ok(Words { bytes, name: format!("{title}.{ending}"), losses });
        }
        let no_captions = || format!("`{}` has no captions", page.as_str());
        let transcriber = self.transcriber(no_captions)?;
        let wall = self.config.wall * 10;
        self.run(page, folder.path(), self.recording(), wall).await?;
        let recording = first_with(folder.path(), |name| name.starts_with("recording."))?
            .ok_or_else(|| {
                let message = format!("`{}` gave neither captions nor a recording", page.as_str());
                StepError::new(Category::NotFound, message)
            })?;
        self.transcript(transcriber, &recording, title).await
    }

    fn captions(&self) -> Vec<String> {
        let languages = self.config.languages.join(",");
        [
            "--skip-download",
            "--write-subs",
            "--write-auto-subs",
            "--sub-format",
            "vtt/srt/best",
            "--sub-langs",
            &languages,
        ]
        .map(str::to_owned)
        .to_vec()
    }

    fn recording(&self) -> Vec<String> {
        let most = self.config.max_recording.to_string();
        ["--format", "bestaudio/best", "--max-filesize", &most].map(str::to_owned).to_vec()
    }

    async fn run(
        &self,
        page: &WebAddress,
        folder: &Path,
        what: Vec<String>,
        wall: Duration,
    ) -> Result<Account, StepError> {
        let proxy = Proxy::bind(self.gate.clone()).await?;
        let common = [
            "--ignore-config",
            "--no-plugin-dirs",
            "--no-playlist",
            "--no-cache-dir",
            "--no-part",
            "--no-progress",
            "--no-warnings",
            "--restrict-filenames",
            "--socket-timeout",
            "20",
            "--retries",
            "2",
            "--use-extractors",
            "all,-generic",
            "--dump-single-json",
            "--no-simulate",
            "--output",
            "recording.%(ext)s",
            "--proxy",
            &proxy.url(),
        ];
        let args = common.map(str::to_owned).into_iter().chain(what);
        let args = args.chain(["--".to_owned(), page.as_str().to_owned()]).map(OsString::from);
        let limits = child::Limits {
            wall,
            output: 32 * 1024 * 1024,
            // Its script engine maps far more than it uses.
            memory: None,
            cpu: Some(wall),
            file: Some(self.config.max_recording),
        };
        let env = vec![
            ("PATH", self.config.search_path.clone()),
            ("HOME", folder.as_os_str().to_owned()),
            ("LC_ALL", "C.UTF-8".into()),
        ];
        let job = child::Job {
            command: &self.config.command,
            args: args.collect(),
            env,
            folder: Some(folder),
            input: Vec::new(),
            limits,
        };
        let ended = proxy.during(child::run(job)).await.map_err(|error| match error.category() {
            Category::NotConfigured => {
                let message = "`yt-dlp` is needed for media pages and is not installed";
                StepError::new(Category::NotConfigured, message)
                    .caused_by(error)
                    .hint("install it, e.g. `pipx install yt-dlp`, or name it in `media.command` or `--yt-dlp`")
            }
            _ => error,
        })?;
        if !ended.status.success() {
            return Err(failed(page, &ended.complaint));
        }
        serde_json::from_slice(&ended.output).map_err(|error| {
            StepError::new(Category::ParseFailed, "`yt-dlp` gave no account of the page")
                .because(&error)
        })
    }

    /// The best captions in the folder, and whether a machine made them.
    fn choose(
        &self,
        folder: &Path,
        account: &Account,
    ) -> Result<Option<(PathBuf, bool)>, StepError> {
        let by_people = |language: &str| {
            account.subtitles.as_ref().is_some_and(|all| all.contains_key(language))
        };
        let mut found: Vec<(bool, String, PathBuf)> = files(folder)?
            .into_iter()
            .filter_map(|path| {
                let name = path.file_name()?.to_str()?;
                let middle = name.strip_prefix("recording.")?;
                let (language, ending) = middle.rsplit_once('.')?;
                let fit = matches!(ending, "vtt" | "srt" | "json3");
                fit.then(|| (!by_people(language), language.to_owned(), path.clone()))
            })
            .collect();
        found.sort();
        Ok(found.into_iter().next().map(|(automatic, _, path)| (path, automatic)))
    }
}

fn failed(page: &WebAddress, complaint: &str) -> StepError {
    let last = complaint.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason");
    let message = format!("`yt-dlp` cannot read `{}`", page.as_str());
    StepError::new(Category::ProcessingFailed, message)
        .cause(last.trim_start_matches("ERROR: "))
        .hint("an old `yt-dlp` is the usual reason: update it and try again")
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, StepError> {
    let cannot = |error: &std::io::Error| {
        StepError::new(Category::ResourceExhausted, "cannot look at what came").because(error)
    };
    let entries = std::fs::read_dir(folder).map_err(|error| cannot(&error))?;
    let mut files = Vec::new();
    for entry in entries {
        files.push(entry.map_err(|error| cannot(&error))?.path());
    }
    files.sort();
    Ok(files)
}

fn first_with(folder: &Path, fits: impl Fn(&str) -> bool) -> Result<Option<PathBuf>, StepError> {
    let named = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()).is_some_and(&fits);
    Ok(files(folder)?.into_iter().find(named))
}

#[cfg(test)]
mod tests;
