//! `acquire`: brings content into the store.

use std::path::Path;

use consort_core::{
    Blob, Capability, CapabilityDescriptor, Effect, Name, Outcome, Request, StepContext, StepError,
    StepResult, Version,
    guard::Reach,
    port::{Acquire, Acquired, Source},
};

use crate::{
    fetch::{Fetcher, decompress},
    file,
    media::Media,
};

/// What the bytes of a source count as until somebody has looked at them.
const UNKNOWN: &str = "application/octet-stream";

/// The capability.
#[derive(Debug)]
pub(crate) struct Acquirer {
    fetcher: Fetcher,
    media: Media,
    max_bytes: u64,
}

impl Acquirer {
    pub(crate) fn new(fetcher: Fetcher, media: Media, max_bytes: u64) -> Self {
        Self { fetcher, media, max_bytes }
    }

    async fn file(&self, cx: &StepContext, path: &str) -> Result<Acquired, StepError> {
        let bytes = file::read(path, self.max_bytes).await?;
        let name = Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(acquired(cx.put(bytes, UNKNOWN).await?, name))
    }

    async fn page(&self, cx: &StepContext, url: &str) -> Result<Acquired, StepError> {
        let page = self.fetcher.gate().address(url)?;
        if self.media.covers(&page) {
            let words = self.media.words(&page).await?;
            return Ok(Acquired {
                url: Some(page.as_str().to_owned()),
                losses: words.losses,
                ..acquired(cx.put(words.bytes, UNKNOWN).await?, Some(words.name))
            });
        }
        let fetched = self.fetcher.fetch(url, self.max_bytes).await?;
        let (encoding, limit) = (fetched.encoding, self.max_bytes);
        let bytes = cx.blocking(move || decompress(fetched.bytes, encoding, limit)).await??;
        Ok(Acquired {
            media_type: fetched.media_type,
            url: Some(fetched.url),
            ..acquired(cx.put(bytes, UNKNOWN).await?, None)
        })
    }
}

fn acquired(body: Blob, name: Option<String>) -> Acquired {
    Acquired { body, name, media_type: None, url: None, losses: Vec::new() }
}

impl Capability for Acquirer {
    type Request = Acquire;

    fn descriptor(&self) -> CapabilityDescriptor {
        CapabilityDescriptor {
            name: Name::new(Acquire::CALLEE).expect("a valid name"),
            version: Version::new(1, 0, 0),
            effect: Effect::Read,
            recompute: false,
            purpose: "Brings a page, a file or stored content into the run".into(),
        }
    }

    fn reach(&self, request: &Acquire) -> Reach {
        match &request.source {
            Source::File(_) | Source::Stored { .. } => Reach::Here,
            Source::Url(url) => Reach::Endpoint(host(url)),
        }
    }

    async fn invoke(&self, cx: &StepContext, request: Acquire) -> StepResult<Acquired> {
        let acquired = match request.source {
            Source::File(path) => self.file(cx, &path).await?,
            Source::Url(url) => self.page(cx, &url).await?,
            Source::Stored { blob, name } => acquired(blob, Some(name)),
        };
        Ok(Outcome::succeeded(acquired))
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
