//! What `--evidence` names: read and judged before anything runs, so that a mistake is told at once.

use std::ffi::OsString;

use consort::{
    Consort,
    content::analyse::verify,
    core::{Category, Hash, StepError, TenantId, port::Source},
    domain::fallback_autonomous::evidence::{EvidenceSource, QUERY},
};
use serde_json::{Value, json};

use super::input::{Content, Input};
use crate::fail::Failure;

/// A source of evidence, as far as it is known without the engine.
#[derive(Clone, Debug)]
pub(super) enum Evidence {
    /// A file with its content.
    File { name: String, bytes: Vec<u8> },
    /// An address to read as a whole.
    Address(String),
    /// A search endpoint.
    Search(String),
}

impl Evidence {
    /// Reads files. Blocks.
    pub(super) fn understand(typed: OsString, limit: u64) -> Result<Self, Failure> {
        let name = typed.to_string_lossy().into_owned();
        if let Some((scheme, _)) = name.split_once("://") {
            if !["http", "https"].contains(&scheme) {
                let text =
                    format!("`--evidence {name}`: an address begins with http:// or https://");
                return Err(Failure::Usage(text));
            }
            let search = name.contains(QUERY);
            return Ok(if search { Self::Search(name) } else { Self::Address(name) });
        }
        if name == "-" {
            let text = "`--evidence -`: standard input is for what is analysed; name a file";
            return Err(Failure::Usage(text.into()));
        }
        let Content::Bytes(bytes) = Input::understand(typed).read(limit)? else {
            return Err(Failure::Usage(format!("`--evidence {name}` is no file")));
        };
        match verify::evidence(&bytes) {
            Err(error) => {
                let message = format!("`{name}` holds no evidence");
                Err(StepError::new(Category::ParseFailed, message)
                    .because(&error)
                    .hint("`consort analyze --help` names the forms that evidence may have")
                    .into())
            }
            Ok(found) if found.is_empty() => {
                let message = format!("`{name}` holds no evidence");
                Err(StepError::new(Category::ParseFailed, message)
                    .cause("it has no ClaimReview that names a claim")
                    .into())
            }
            Ok(_) => Ok(Self::File { name, bytes }),
        }
    }

    /// What tells it from others. A file under another name is the same evidence.
    pub(super) fn key(&self) -> Value {
        match self {
            Self::File { bytes, .. } => json!(Hash::of(bytes)),
            Self::Address(address) | Self::Search(address) => json!(address),
        }
    }

    /// As the engine wants it: files go into the store.
    pub(super) fn source(&self, consort: &Consort) -> Result<EvidenceSource, StepError> {
        Ok(match self {
            Self::Address(address) => EvidenceSource::Whole(Source::Url(address.clone())),
            Self::Search(template) => EvidenceSource::Search(template.clone()),
            Self::File { name, bytes } => {
                let context = consort.facade().context(TenantId::default());
                let blob = context.put(bytes.clone(), "application/octet-stream")?;
                EvidenceSource::Whole(Source::Stored { blob, name: name.clone() })
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_addresses_and_endpoints_are_told_apart() {
        let understood = |typed: &str| Evidence::understand(typed.into(), 1024);
        assert!(matches!(understood("https://a.example/feed.json"), Ok(Evidence::Address(_))));
        assert!(matches!(understood("https://a.example/?q={query}"), Ok(Evidence::Search(_))));
        assert!(matches!(understood("ftp://a.example/feed"), Err(Failure::Usage(_))));
        assert!(matches!(understood("-"), Err(Failure::Usage(_))));
        assert!(matches!(understood("no/such/file.json"), Err(Failure::Step(_))));
    }
}
