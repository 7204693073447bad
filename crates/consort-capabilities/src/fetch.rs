//! Fetching pages: redirects, robots rules, limits and what the status of an answer means.

mod body;
mod robots;
mod status;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use consort_core::{Category, StepError};
use hyper::{
    HeaderMap, StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderValue, LOCATION, USER_AGENT},
};
use tokio::time::timeout;

pub(crate) use body::{Encoding, collect, decompress, size};
pub(crate) use status::error as status_error;

use crate::egress::{
    Gate, WebAddress,
    http::{Response, Sent},
};

/// How we introduce ourselves. Robots rules are looked up by the part before the slash.
pub(crate) const AGENT: &str =
    concat!("consort/", env!("CARGO_PKG_VERSION"), " (+", env!("CARGO_PKG_REPOSITORY"), ")");

/// Settings of fetching.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long a fetch may take with all its redirects. Default 60 s.
    pub total: Duration,
    /// How long the other side may be silent. Default 15 s.
    pub idle: Duration,
    /// Redirects followed. Default 10.
    pub redirects: u32,
    /// Whether `robots.txt` is asked for and kept to. Default yes.
    pub robots: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            total: Duration::from_secs(60),
            idle: Duration::from_secs(15),
            redirects: 10,
            robots: true,
        }
    }
}

/// Fetches pages through the gate. Cloning gives another handle to the same one.
#[derive(Clone, Debug)]
pub(crate) struct Fetcher {
    gate: Gate,
    config: Config,
    robots: Arc<robots::Known>,
}

/// What came, still as it was encoded for the way.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) bytes: Vec<u8>,
    pub(crate) encoding: Encoding,
    pub(crate) media_type: Option<String>,
    /// Address after all redirects.
    pub(crate) url: String,
}

/// What a `robots.txt` says of a page.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn allowed(robots: &str, page: &url::Url) -> bool {
    robots::Rules::parse(robots).allow(page)
}

impl Fetcher {
    pub(crate) fn new(gate: Gate, config: Config) -> Self {
        Self { gate, config, robots: Arc::default() }
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Fetches the page at `url`, at most `max_bytes` as they are on the way.
    pub(crate) async fn fetch(&self, url: &str, max_bytes: u64) -> Result<Fetched, StepError> {
        self.within_limits(url, max_bytes, self.config.robots).await
    }

    /// The same from an endpoint that somebody named to be asked. Robots rules, which say what
    /// crawlers may visit, do not concern it.
    pub(crate) async fn ask(&self, url: &str, max_bytes: u64) -> Result<Fetched, StepError> {
        self.within_limits(url, max_bytes, false).await
    }

    async fn within_limits(
        &self,
        url: &str,
        max_bytes: u64,
        robots: bool,
    ) -> Result<Fetched, StepError> {
        let to = self.gate.address(url)?;
        timeout(self.config.total, self.follow(to, max_bytes, robots)).await.unwrap_or_else(|_| {
            let message = format!("`{url}` did not come within {:?}", self.config.total);
            Err(StepError::new(Category::Timeout, message))
        })
    }

    async fn follow(
        &self,
        mut to: WebAddress,
        max_bytes: u64,
        robots: bool,
    ) -> Result<Fetched, StepError> {
        let mut been = Vec::new();
        loop {
            if robots {
                self.permitted(&to).await?;
            }
            let response = self.gate.send(&to, asking(), self.config.idle).await?;
            let Some(next) = redirect(&response) else {
                return self.take(&to, response, max_bytes).await;
            };
            let next = self.gate.join(&to, next)?;
            been.push(to);
            if been.contains(&next) {
                let message = format!("`{}` redirects in a circle", next.as_str());
                return Err(StepError::new(Category::ProcessingFailed, message));
            }
            if been.len() > self.config.redirects as usize {
                let first = been[0].as_str();
                let message =
                    format!("`{first}` redirects more than {} times", self.config.redirects);
                return Err(StepError::new(Category::ProcessingFailed, message));
            }
            to = next;
        }
    }

    async fn take(
        &self,
        from: &WebAddress,
        response: Response,
        max_bytes: u64,
    ) -> Result<Fetched, StepError> {
        if response.status != StatusCode::OK {
            return Err(status::error(from.as_str(), response.status, &response.headers));
        }
        let encoding = Encoding::of(&response.headers)?;
        let media_type = text(&response.headers, CONTENT_TYPE);
        let bytes = body::collect(from.as_str(), response, max_bytes).await?;
        Ok(Fetched { bytes, encoding, media_type, url: from.as_str().to_owned() })
    }

    /// Refuses what the host's robots rules forbid us.
    async fn permitted(&self, to: &WebAddress) -> Result<(), StepError> {
        let rules = self.robots.get(&to.origin(), || self.robots_of(to)).await?;
        if rules.allow(to.url()) {
            return Ok(());
        }
        let message = format!("`{}` is closed to programs by the host's robots.txt", to.as_str());
        Err(StepError::new(Category::PolicyViolation, message).hint(
            "save the page to a file and give that, or, where you may, use `--ignore-robots`",
        ))
    }

    /// Asks for a host's rules as RFC 9309 says: no file means no rules, no answer means hands off.
    async fn robots_of(&self, site: &WebAddress) -> Result<robots::Rules, StepError> {
        let mut to = self.gate.join(site, "/robots.txt")?;
        for _ in 0..=5 {
            let response = self.gate.send(&to, asking(), self.config.idle).await?;
            if let Some(next) = redirect(&response) {
                to = self.gate.join(&to, next)?;
                continue;
            }
            let status = response.status;
            if status.is_success() {
                let encoding = Encoding::of(&response.headers)?;
                let bytes = body::beginning(response, robots::MAX_BYTES).await?;
                // What is cut off in the middle is still good up to there.
                let bytes = body::lossy(bytes, encoding, robots::MAX_BYTES);
                return Ok(robots::Rules::parse(&String::from_utf8_lossy(&bytes)));
            }
            if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
                return Ok(robots::Rules::default());
            }
            return Err(status::error(to.as_str(), status, &response.headers));
        }
        Ok(robots::Rules::default())
    }
}

fn asking() -> Sent {
    Sent::get(vec![
        (USER_AGENT, HeaderValue::from_static(AGENT)),
        (
            ACCEPT,
            HeaderValue::from_static(
                "text/html,application/xhtml+xml,application/rss+xml,application/atom+xml,application/pdf,text/*;q=0.9,*/*;q=0.5",
            ),
        ),
        (ACCEPT_ENCODING, HeaderValue::from_static("gzip, br, zstd")),
    ])
}

fn redirect(response: &Response) -> Option<&str> {
    matches!(response.status.as_u16(), 301 | 302 | 303 | 307 | 308)
        .then(|| response.headers.get(LOCATION))
        .flatten()
        .and_then(|location| std::str::from_utf8(location.as_bytes()).ok())
}

fn text(headers: &HeaderMap, name: hyper::header::HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
