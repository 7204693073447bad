//! Shapes of capabilities that several layers share: a domain orchestrator asks, an adapter at the
//! edge answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Blob, Request};

/// Where content comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A file on this machine, by absolute path.
    File(String),
    /// The `http` or `https` address of a page.
    Url(String),
    /// The same of a service that was named to be asked, which robots rules do not concern.
    Endpoint(String),
    /// Content that is in the store already, such as standard input.
    Stored {
        /// The content.
        blob: Blob,
        /// What to call it, e.g. `stdin` or a file name whose ending tells the format.
        name: String,
    },
}

impl Source {
    /// The source as a reader would write it.
    pub fn locator(&self) -> &str {
        match self {
            Self::File(path) => path,
            Self::Url(url) | Self::Endpoint(url) => url,
            Self::Stored { name, .. } => name,
        }
    }
}

/// Brings content into the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Acquire {
    /// From where.
    pub source: Source,
}

/// Content that was brought into the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Acquired {
    /// The bytes as they came.
    pub body: Blob,
    /// File name, where there is one; its ending tells the format.
    pub name: Option<String>,
    /// Media type as the sender declared it.
    pub media_type: Option<String>,
    /// Address after all redirects.
    pub url: Option<String>,
    /// What could not be had, one sentence each.
    #[serde(default)]
    pub losses: Vec<String>,
}

impl Request for Acquire {
    const CALLEE: &'static str = "acquire";
    type Response = Acquired;
}

/// Reads the text of a PDF away from this process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadPdf {
    /// The PDF.
    pub body: Blob,
}

/// What a PDF says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PdfText {
    /// The extracted document as JSON, in the form of `consort_content::document::Document`.
    pub document: Blob,
    /// Title as the file states it.
    pub title: Option<String>,
}

impl Request for ReadPdf {
    const CALLEE: &'static str = "read_pdf";
    type Response = PdfText;
}
