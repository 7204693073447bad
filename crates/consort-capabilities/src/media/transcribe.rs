//! Recordings to text: a command, or an endpoint that speaks OpenAI's `audio/transcriptions`. Both
//! answer with whisper-style JSON: segments with their times.

use std::{fmt, path::Path};

use consort_core::{Category, StepError};
use hyper::{
    Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};

use super::Config;
use crate::{
    child,
    egress::{Gate, http::Sent},
    fetch, file,
};

/// What turns recordings into text.
#[derive(Clone, Debug)]
pub enum Transcriber {
    /// Program and first arguments; gets the path of the recording as its last argument, and
    /// writes JSON with `segments` to standard output.
    Command(Vec<String>),
    /// An endpoint that takes `multipart/form-data` with `file`, `model` and
    /// `response_format=verbose_json`.
    Endpoint {
        /// Its whole address, e.g. `https://host.example/v1/audio/transcriptions`.
        url: String,
        /// The model.
        model: String,
        /// Sent as a bearer token.
        key: Option<Key>,
    },
}

/// A secret, which is never shown.
#[derive(Clone)]
pub struct Key(String);

impl Key {
    /// Keeps it.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Transcriber {
    pub(super) async fn transcribe(
        &self,
        gate: &Gate,
        recording: &Path,
        config: &Config,
        limit: u64,
    ) -> Result<Vec<u8>, StepError> {
        match self {
            Self::Command(command) => by_command(command, recording, config, limit).await,
            Self::Endpoint { url, model, key } => {
                let bytes = file::read(&recording.to_string_lossy(), config.max_recording).await?;
                let name = recording.file_name().unwrap_or_default().to_string_lossy();
                let sent = form(&bytes, &name, model, key.as_ref())?;
                let to = gate.address(url)?;
                // It thinks for as long as it needs before it says a word.
                let response = gate.send(&to, sent, config.wall * 10).await?;
                if response.status != StatusCode::OK {
                    return Err(fetch::status_error(url, response.status, &response.headers));
                }
                fetch::collect(url, response, limit).await
            }
        }
    }
}

async fn by_command(
    command: &[String],
    recording: &Path,
    config: &Config,
    limit: u64,
) -> Result<Vec<u8>, StepError> {
    let wall = config.wall * 10;
    let job = child::Job {
        command,
        args: vec![recording.as_os_str().to_owned()],
        env: vec![("PATH", config.search_path.clone()), ("LC_ALL", "C.UTF-8".into())],
        folder: recording.parent(),
        input: Vec::new(),
        limits: child::Limits { wall, output: limit, memory: None, cpu: None, file: None },
    };
    let ended = child::run(job).await?;
    if ended.status.success() {
        return Ok(ended.output);
    }
    let last = ended.complaint.lines().last().unwrap_or("no reason").to_owned();
    let message = format!("the transcriber failed with {}", ended.status);
    Err(StepError::new(Category::ProcessingFailed, message).cause(last))
}

fn form(bytes: &[u8], name: &str, model: &str, key: Option<&Key>) -> Result<Sent, StepError> {
    // A hash of the content cannot be in the content.
    let boundary = consort_core::Hash::of(bytes).to_string();
    let mut body = Vec::with_capacity(bytes.len() + 1024);
    for (field, value) in [("model", model), ("response_format", "verbose_json")] {
        body.extend_from_slice(
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n")
                .as_bytes(),
        );
    }
    body.extend_from_slice(
        format!("--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n")
            .as_bytes(),
    );
    body.extend_from_slice(bytes);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    let unfit = |error: hyper::header::InvalidHeaderValue| {
        StepError::new(Category::Configuration, "the transcriber's key is no header")
            .because(&error)
    };
    let kind = format!("multipart/form-data; boundary={boundary}");
    let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_str(&kind).map_err(unfit)?)];
    if let Some(Key(secret)) = key {
        let mut value = HeaderValue::from_str(&format!("Bearer {secret}")).map_err(unfit)?;
        value.set_sensitive(true);
        headers.push((AUTHORIZATION, value));
    }
    Ok(Sent { method: Method::POST, headers, body: body.into() })
}
