//! `read_pdf`: the text of a PDF, read by a worker process that may hang or die over it.
//!
//! The worker takes the PDF on its standard input and answers with one JSON document, an
//! [`Answer`]. It is a command, so that a library's user decides which program it is; the program
//! calls [`work`].

use std::time::Duration;

use consort_content::document::Document;
use consort_core::{
    Capability, CapabilityDescriptor, Category, Effect, Name, Outcome, Request, StepContext,
    StepError, StepResult, Version,
    port::{PdfText, ReadPdf},
};
use serde::{Deserialize, Serialize};

use crate::child;

/// Settings of reading PDFs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Program and arguments of the worker. Default: none, and PDFs are refused.
    pub worker: Option<Vec<String>>,
    /// Memory that the worker may use, in bytes; only on Linux. Default 512 MiB.
    pub memory: u64,
    /// How long a worker may take. Default 60 s.
    pub wall: Duration,
    /// Largest document that it may answer with, in bytes. Default 128 MiB.
    pub max_output: u64,
    /// Workers at once. Default 2.
    pub at_once: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            worker: None,
            memory: 512 * 1024 * 1024,
            wall: Duration::from_secs(60),
            max_output: 128 * 1024 * 1024,
            at_once: 2,
        }
    }
}

/// What a worker says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The text.
    Document(Box<Document>),
    /// There is more than its limits allow; the sentence says of what.
    TooLarge(String),
    /// It cannot be read; the sentence says why.
    Refused(String),
}

/// Largest PDF that is read: its reader holds several copies.
#[cfg(feature = "pdf-worker")]
const MAX_BYTES: usize = 32 << 20;

/// The worker: reads a PDF and writes the answer. To be called by a process of its own.
///
/// # Errors
///
/// When reading or writing fails.
#[cfg(feature = "pdf-worker")]
pub fn work(from: impl std::io::Read, to: impl std::io::Write) -> std::io::Result<()> {
    use std::io::Read;

    use consort_content::extract::{self, ExtractError};
    let limits = extract::Limits { max_bytes: MAX_BYTES, ..extract::Limits::default() };
    let mut bytes = Vec::new();
    from.take(limits.max_bytes as u64 + 1).read_to_end(&mut bytes)?;
    let answer = match extract::pdf(&bytes, &limits) {
        Ok(document) if document.text.trim().is_empty() => {
            Answer::Refused(format!("none of its pages has text. {}", document.losses.join(" ")))
        }
        Ok(document) => Answer::Document(Box::new(document)),
        Err(error @ ExtractError::TooLarge { .. }) => Answer::TooLarge(error.to_string()),
        Err(error) => Answer::Refused(error.to_string()),
    };
    serde_json::to_writer(to, &answer).map_err(Into::into)
}

/// The capability.
#[derive(Debug)]
pub(crate) struct Reader {
    config: Config,
    places: tokio::sync::Semaphore,
}

impl Reader {
    pub(crate) fn new(config: Config) -> Self {
        let places = tokio::sync::Semaphore::new(config.at_once.max(1));
        Self { config, places }
    }

    async fn read(&self, input: Vec<u8>) -> Result<Document, StepError> {
        let Some(command) = &self.config.worker else {
            let message = "PDFs are read by a worker process, and none is configured";
            return Err(StepError::new(Category::NotConfigured, message)
                .hint("name its command in `pdf.worker`; `consort worker pdf` is one"));
        };
        let limits = child::Limits {
            wall: self.config.wall,
            output: self.config.max_output,
            memory: Some(self.config.memory),
            cpu: Some(self.config.wall),
            file: Some(0),
        };
        let (args, env) = (Vec::new(), Vec::new());
        let job = child::Job { command, args, env, folder: None, input, limits };
        let ended = child::run(job).await.map_err(|error| match error.category() {
            Category::Timeout => {
                let message = format!("the PDF could not be read within {:?}", self.config.wall);
                StepError::new(Category::ParseFailed, message)
            }
            _ => error,
        })?;
        if !ended.status.success() {
            let message = "the PDF's reader died over it: it is damaged or asks for too much";
            let error = StepError::new(Category::ParseFailed, message);
            let last = ended.complaint.lines().last().unwrap_or_default();
            return Err(error.cause(format!("{}: {last}", ended.status)));
        }
        match serde_json::from_slice(&ended.output) {
            Ok(Answer::Document(document)) => Ok(*document),
            Ok(Answer::TooLarge(why)) => {
                let message = "the PDF is too large";
                Err(StepError::new(Category::PayloadTooLarge, message).cause(why))
            }
            Ok(Answer::Refused(why)) => {
                let message = "no text can be had from the PDF";
                Err(StepError::new(Category::ParseFailed, message).cause(why))
            }
            Err(error) => {
                let message = "the PDF worker's answer makes no sense";
                Err(StepError::new(Category::Configuration, message).because(&error))
            }
        }
    }
}

impl Capability for Reader {
    type Request = ReadPdf;

    fn descriptor(&self) -> CapabilityDescriptor {
        CapabilityDescriptor {
            name: Name::new(ReadPdf::CALLEE).expect("a valid name"),
            version: Version::new(1, 0, 0),
            effect: Effect::Pure,
            recompute: false,
            purpose: "Reads the text of a PDF in a process of its own".into(),
        }
    }

    async fn invoke(&self, cx: &StepContext, request: ReadPdf) -> StepResult<PdfText> {
        let place = self.places.acquire().await.map_err(|error| {
            StepError::new(Category::ShuttingDown, "the process stops").because(&error)
        })?;
        let bytes = cx.read(&request.body).await?;
        let document = self.read(bytes.to_vec()).await?;
        drop(place);
        let title = document.title.clone();
        let json = cx.blocking(move || serde_json::to_vec(&document)).await?.map_err(|error| {
            StepError::new(Category::Internal, "a document is not JSON").because(&error)
        })?;
        Ok(Outcome::succeeded(PdfText { document: cx.put(json, "application/json").await?, title }))
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    async fn refusal_within(wall: Duration, script: &str) -> StepError {
        let worker = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        let config = Config { worker: Some(worker), wall, ..Config::default() };
        Reader::new(config).read(b"%PDF-".to_vec()).await.unwrap_err()
    }

    async fn refusal(script: &str) -> StepError {
        refusal_within(Duration::from_secs(60), script).await
    }

    #[tokio::test]
    async fn without_a_worker_the_remedy_is_told() {
        let error = Reader::new(Config::default()).read(Vec::new()).await.unwrap_err();
        assert_eq!(error.category(), Category::NotConfigured);
        assert!(error.suggested_actions()[0].contains("pdf.worker"), "{error:?}");
    }

    #[tokio::test]
    async fn a_worker_that_hangs_dies_or_talks_nonsense_is_one_failure_each() {
        let hung = refusal_within(Duration::from_millis(300), "while :; do :; done").await;
        assert_eq!(hung.category(), Category::ParseFailed);
        let dead = refusal("echo out of memory >&2; kill -ABRT $$").await;
        assert_eq!(dead.category(), Category::ParseFailed);
        assert!(dead.causes()[0].ends_with("out of memory"), "{dead:?}");
        assert_eq!(refusal("echo '<html>'").await.category(), Category::Configuration);
        let refused = refusal(r#"echo '{"refused":"it needs a password"}'"#).await;
        assert_eq!(refused.causes(), ["it needs a password"]);
        let large = refusal(r#"echo '{"too_large":"9 pages"}'"#).await;
        assert_eq!(large.category(), Category::PayloadTooLarge);
    }
}
