//! The egress gate: the one way out of this process. Whoever wants a connection asks the gate, and
//! gets one to an address that was checked, or an error.
//!
//! A name is resolved here, every address that it has is judged, and the connection is made to a
//! judged address, so that a second answer of the name server changes nothing. Addresses written
//! as numbers in any form are judged the same way. Proxies from the environment are not used.

mod address;
mod allow;
pub(crate) mod http;
pub(crate) mod proxy;
mod resolve;
mod tls;

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use allow::Rule;
use consort_core::{Category, StepError};
pub use resolve::Resolve;
use tokio::{net::TcpStream, time::timeout};
use url::{Host, Url};

/// Settings of the gate.
#[derive(Clone, Debug)]
pub struct Config {
    /// Hosts that may be reached although they are not public, e.g. `localhost:8000`, `10.0.0.7`,
    /// `10.0.0.0/8`. Default: none.
    pub allow: Vec<String>,
    /// How long resolving and connecting may take together. Default 10 s.
    pub connect: Duration,
    /// A PEM file with certificate authorities besides those of the operating system.
    pub authorities: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self { allow: Vec::new(), connect: Duration::from_secs(10), authorities: None }
    }
}

/// The gate. Cloning gives another handle to the same one.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    allow: Vec<Rule>,
    connect: Duration,
    resolver: Arc<dyn Resolve>,
    tls: tls::Lazy,
}

/// Where a connection may be asked for. Only [`Gate`] makes one; it is judged when it is dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    host: Host<String>,
    port: u16,
}

/// An address of the web that the gate may be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WebAddress {
    url: Url,
    target: Target,
}

impl Gate {
    /// With the resolver of the operating system.
    ///
    /// # Errors
    ///
    /// `configuration` naming the entry of `allow` that cannot be read.
    pub fn new(config: Config) -> Result<Self, StepError> {
        Self::with_resolver(config, Arc::new(resolve::System))
    }

    /// With another resolver.
    ///
    /// # Errors
    ///
    /// As [`Gate::new`].
    pub fn with_resolver(config: Config, resolver: Arc<dyn Resolve>) -> Result<Self, StepError> {
        let allow = config.allow.iter().map(|rule| Rule::parse(rule));
        Ok(Self(Arc::new(Inner {
            allow: allow.collect::<Result<_, _>>()?,
            connect: config.connect,
            resolver,
            tls: tls::Lazy::new(config.authorities),
        })))
    }

    /// Reads an address of the web. Checks everything that can be checked without resolving names.
    pub(crate) fn address(&self, text: &str) -> Result<WebAddress, StepError> {
        let url = Url::parse(text).map_err(|error| {
            StepError::new(Category::InvalidRequest, format!("`{text}` is not an address"))
                .because(&error)
        })?;
        self.web(url)
    }

    /// The address that `reference` means on the page at `base`.
    pub(crate) fn join(&self, base: &WebAddress, reference: &str) -> Result<WebAddress, StepError> {
        let url = base.url.join(reference).map_err(|error| {
            let message = format!("`{}` points to something that is not an address", base.url);
            StepError::new(Category::ProcessingFailed, message).because(&error)
        })?;
        self.web(url)
    }

    fn web(&self, mut url: Url) -> Result<WebAddress, StepError> {
        if !matches!(url.scheme(), "http" | "https") {
            let message = format!("`{}` addresses are not fetched", url.scheme());
            return Err(StepError::new(Category::EgressDenied, message)
                .hint("use an `http` or `https` address; for a local file give its path"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            let message = "addresses with a user name or password are not fetched";
            return Err(StepError::new(Category::EgressDenied, message)
                .hint("remove what stands before the `@`"));
        }
        url.set_fragment(None);
        let unfit = || StepError::new(Category::InvalidRequest, "the address has no host");
        let host = url.host().ok_or_else(unfit)?.to_owned();
        let port = url.port_or_known_default().ok_or_else(unfit)?;
        let target = Target { host, port };
        self.judge_literal(&target)?;
        Ok(WebAddress { url, target })
    }

    /// Reads `host:port` of a proxy's client.
    pub(crate) fn target(&self, authority: &str) -> Result<Target, StepError> {
        let unfit = || {
            StepError::new(Category::InvalidRequest, format!("`{authority}` is no host and port"))
        };
        let (host, port) = authority.rsplit_once(':').ok_or_else(unfit)?;
        let target = Target {
            host: Host::parse(host).map_err(|_| unfit())?,
            port: port.parse().map_err(|_| unfit())?,
        };
        self.judge_literal(&target)?;
        Ok(target)
    }

    fn judge_literal(&self, target: &Target) -> Result<(), StepError> {
        match target.literal() {
            Some(address) => self.judge(target, &[address]).map(drop),
            None => Ok(()),
        }
    }

    /// The addresses among `found` that may be connected to. One that may not be spoils all: an
    /// honest name does not mix public and private addresses.
    fn judge(&self, target: &Target, found: &[IpAddr]) -> Result<Vec<SocketAddr>, StepError> {
        let mut fit = Vec::new();
        for address in found.iter().copied() {
            let allowed =
                |rule: &Rule| rule.allows(target.name(), address::canonical(address), target.port);
            if !address::is_public(address) && !self.0.allow.iter().any(allowed) {
                return Err(denied(target, address));
            }
            fit.push(SocketAddr::new(address, target.port));
        }
        Ok(fit)
    }

    /// Opens a connection to a judged address of `target`.
    pub(crate) async fn dial(&self, target: &Target) -> Result<TcpStream, StepError> {
        let dialled = timeout(self.0.connect, async {
            let found = match (target.literal(), target.name()) {
                (None, Some(name)) => self.resolve(name).await?,
                (literal, _) => literal.into_iter().collect(),
            };
            let fit = self.judge(target, &found)?;
            connect(&fit).await.map_err(|error| {
                let message = format!("cannot connect to `{target}`");
                StepError::new(Category::Network, message).because(&error)
            })
        });
        dialled.await.unwrap_or_else(|_| {
            let message = format!("no connection to `{target}` within {:?}", self.0.connect);
            Err(StepError::new(Category::Timeout, message))
        })
    }

    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, StepError> {
        let cannot = || StepError::new(Category::Network, format!("cannot find the host `{name}`"));
        let found =
            self.0.resolver.resolve(name).await.map_err(|error| cannot().because(&error))?;
        if found.is_empty() { Err(cannot().cause("it has no address")) } else { Ok(found) }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the gate; the addresses were judged")]
async fn connect(judged: &[SocketAddr]) -> std::io::Result<TcpStream> {
    TcpStream::connect(judged).await
}

fn denied(target: &Target, address: IpAddr) -> StepError {
    let message = match target.name() {
        Some(name) => format!("`{name}` is at {address}, which is not a public address"),
        None => format!("{address} is not a public address"),
    };
    StepError::new(Category::EgressDenied, message).hint(format!(
        "if it is meant, allow it: `{target}` in `egress.allow`, or `--allow {target}`"
    ))
}

impl Target {
    fn literal(&self) -> Option<IpAddr> {
        match self.host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
        }
    }

    pub(crate) fn name(&self) -> Option<&str> {
        match &self.host {
            Host::Domain(name) => Some(name),
            Host::Ipv4(_) | Host::Ipv6(_) => None,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl WebAddress {
    /// As text, without a fragment.
    pub(crate) fn as_str(&self) -> &str {
        self.url.as_str()
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Scheme, host and port: what robots rules are about.
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", self.url.scheme(), self.target)
    }

    fn is_secure(&self) -> bool {
        self.url.scheme() == "https"
    }
}

#[cfg(test)]
mod tests;
