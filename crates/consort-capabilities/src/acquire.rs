//! `acquire`: brings content into the store.

use std::path::Path;

use consort_core::{
    Capability, CapabilityDescriptor, Category, Effect, Name, Outcome, Request, StepContext,
    StepError, StepResult, Version,
    guard::Reach,
    port::{Acquire, Acquired, Source},
};
use tokio::io::AsyncReadExt;

/// Limits of acquisition.
#[derive(Clone, Debug)]
pub struct Config {
    /// Largest content, in bytes. Default 64 MiB.
    pub max_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_bytes: 64 * 1024 * 1024 }
    }
}

/// The capability.
#[derive(Clone, Debug)]
pub struct Acquirer {
    config: Config,
}

impl Acquirer {
    /// With these limits.
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    async fn file(&self, cx: &StepContext, path: &str) -> Result<Acquired, StepError> {
        let bytes = self.read(path).await?;
        let name = Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(Acquired {
            body: cx.put(bytes, "application/octet-stream").await?,
            name,
            media_type: None,
            url: None,
            losses: Vec::new(),
        })
    }

    async fn read(&self, path: &str) -> Result<Vec<u8>, StepError> {
        let cannot = |error: std::io::Error| {
            let category = match error.kind() {
                std::io::ErrorKind::NotFound => Category::NotFound,
                std::io::ErrorKind::PermissionDenied => Category::PermissionDenied,
                _ => Category::ProcessingFailed,
            };
            StepError::new(category, format!("cannot read `{path}`")).because(&error)
        };
        let file = tokio::fs::File::open(path).await.map_err(cannot)?;
        if file.metadata().await.map_err(cannot)?.is_dir() {
            let message = format!("`{path}` is a directory");
            return Err(StepError::new(Category::InvalidRequest, message).hint("name a file"));
        }
        let mut bytes = Vec::new();
        let limit = self.config.max_bytes;
        file.take(limit + 1).read_to_end(&mut bytes).await.map_err(cannot)?;
        if bytes.len() as u64 > limit {
            let message = format!("`{path}` is larger than {limit} bytes");
            return Err(StepError::new(Category::PayloadTooLarge, message));
        }
        Ok(bytes)
    }
}

impl Capability for Acquirer {
    type Request = Acquire;

    fn descriptor(&self) -> CapabilityDescriptor {
        CapabilityDescriptor {
            name: Name::new(Acquire::CALLEE).expect("a valid name"),
            version: Version::new(1, 0, 0),
            effect: Effect::Read,
            recompute: false,
            purpose: "Brings a file or stored content into the run".into(),
        }
    }

    fn reach(&self, request: &Acquire) -> Reach {
        match &request.source {
            Source::File(_) | Source::Stored { .. } => Reach::Here,
            Source::Url(url) => Reach::Endpoint(host(url)),
        }
    }

    async fn invoke(&self, cx: &StepContext, request: Acquire) -> StepResult<Acquired> {
        match request.source {
            Source::File(path) => Ok(Outcome::succeeded(self.file(cx, &path).await?)),
            Source::Url(url) => {
                let message = format!("cannot fetch `{url}`: this build has no network client");
                Err(StepError::new(Category::NotConfigured, message)
                    .hint("save the page to a file first"))
            }
            Source::Stored { blob, name } => Ok(Outcome::succeeded(Acquired {
                body: blob,
                name: Some(name),
                media_type: None,
                url: None,
                losses: Vec::new(),
            })),
        }
    }
}

/// Host and port of an address, whatever is left of it when it is none: failures of one host say
/// nothing about another.
fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    host.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guards_are_kept_by_host() {
        for (url, expected) in [
            ("https://Example.org/a?b", "example.org"),
            ("http://user:pass@example.org:8080#x", "example.org:8080"),
            ("example.org/a", "example.org"),
        ] {
            assert_eq!(host(url), expected);
        }
    }
}
