//! `acquire`: brings content into the store.

use std::path::Path;

use consort_core::{
    Blob, Capability, CapabilityDescriptor, Effect, Name, Outcome, Request, StepContext, StepError,
    StepResult, Version,
    guard::Reach,
    port::{Acquire, Acquired, Source},
};

use crate::{
    fetch::{Encoding, Fetched, Fetcher, decompress},
    file,
    media::{HEAD, Media, Words, is_recording},
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
        if is_recording(&file::head(path, HEAD).await?) {
            return self.words(cx, self.media.of_file(Path::new(path)).await?, None).await;
        }
        let bytes = file::read(path, self.max_bytes).await?;
        let name = Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(acquired(cx.put(bytes, UNKNOWN).await?, name))
    }

    async fn page(&self, cx: &StepContext, url: &str) -> Result<Acquired, StepError> {
        let page = self.fetcher.gate().address(url)?;
        if self.media.covers(&page) {
            let words = self.media.words(&page).await?;
            return self.words(cx, words, Some(page.as_str().to_owned())).await;
        }
        let fetched = self.fetcher.fetch(url, self.max_bytes).await?;
        if is_sound(&fetched) {
            let words = self.media.of_bytes(&fetched.bytes, &fetched.url).await?;
            return self.words(cx, words, Some(fetched.url)).await;
        }
        self.unpacked(cx, fetched).await
    }

    /// What an endpoint answers.
    async fn answer(&self, cx: &StepContext, url: &str) -> Result<Acquired, StepError> {
        let fetched = self.fetcher.ask(url, self.max_bytes).await?;
        self.unpacked(cx, fetched).await
    }

    async fn words(
        &self,
        cx: &StepContext,
        words: Words,
        url: Option<String>,
    ) -> Result<Acquired, StepError> {
        let body = cx.put(words.bytes, UNKNOWN).await?;
        Ok(Acquired { url, losses: words.losses, ..acquired(body, Some(words.name)) })
    }

    async fn unpacked(&self, cx: &StepContext, fetched: Fetched) -> Result<Acquired, StepError> {
        let (encoding, limit) = (fetched.encoding, self.max_bytes);
        let bytes = cx.blocking(move || decompress(fetched.bytes, encoding, limit)).await??;
        Ok(Acquired {
            media_type: fetched.media_type,
            url: Some(fetched.url),
            ..acquired(cx.put(bytes, UNKNOWN).await?, None)
        })
    }
}

/// Sound and video, by what the sender says and what the content shows.
fn is_sound(fetched: &Fetched) -> bool {
    let told = fetched.media_type.as_deref().unwrap_or_default().to_ascii_lowercase();
    let plain = matches!(fetched.encoding, Encoding::Plain);
    plain
        && (told.starts_with("audio/")
            || told.starts_with("video/")
            || is_recording(&fetched.bytes))
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
            Source::Url(url) | Source::Endpoint(url) => Reach::Endpoint(host(url)),
        }
    }

    async fn invoke(&self, cx: &StepContext, request: Acquire) -> StepResult<Acquired> {
        let acquired = match request.source {
            Source::File(path) => self.file(cx, &path).await?,
            Source::Url(url) => self.page(cx, &url).await?,
            Source::Endpoint(url) => self.answer(cx, &url).await?,
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
