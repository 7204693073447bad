//! TLS over connections that the gate made.

use std::{path::PathBuf, sync::Arc};

use consort_core::{Category, StepError};
use tokio::{net::TcpStream, sync::OnceCell};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, IpAddr, ServerName, pem::PemObject},
    },
};
use url::Host;

use super::Target;

/// The settings of TLS, made when they are first needed: reading the authorities takes time.
#[derive(Debug)]
pub(super) struct Lazy {
    authorities: Option<PathBuf>,
    config: OnceCell<Arc<ClientConfig>>,
}

impl Lazy {
    pub(super) fn new(authorities: Option<PathBuf>) -> Self {
        Self { authorities, config: OnceCell::new() }
    }

    /// Proves that the other side is who `target` says.
    pub(super) async fn secure(
        &self,
        target: &Target,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, StepError> {
        let config = self.config.get_or_try_init(|| self.load()).await?.clone();
        TlsConnector::from(config).connect(name(target)?, stream).await.map_err(|error| {
            let message = format!("no secure connection to `{target}`");
            StepError::new(Category::Network, message).because(&error)
        })
    }

    async fn load(&self) -> Result<Arc<ClientConfig>, StepError> {
        let own = self.authorities.clone();
        let roots = tokio::task::spawn_blocking(move || roots(own));
        let roots = roots.await.map_err(|error| broken(&error))??;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| broken(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }
}

fn broken(error: &(dyn std::error::Error + 'static)) -> StepError {
    StepError::new(Category::Internal, "TLS cannot be set up").because(error)
}

fn roots(own: Option<PathBuf>) -> Result<RootCertStore, StepError> {
    let mut store = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    // Systems carry a few certificates that cannot be parsed; the rest must do.
    store.add_parsable_certificates(system.certs);
    if let Some(path) = own {
        let cannot = || {
            let message = format!("cannot read the authorities in `{}`", path.display());
            StepError::new(Category::Configuration, message)
        };
        let certificates = CertificateDer::pem_file_iter(&path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| cannot().because(&error))?;
        for certificate in certificates {
            store.add(certificate).map_err(|error| cannot().because(&error))?;
        }
    }
    if store.is_empty() {
        let errors = system.errors.iter().map(ToString::to_string);
        let none =
            StepError::new(Category::Configuration, "this system has no certificate authorities")
                .hint("install `ca-certificates`, or name a PEM file in `egress.authorities`");
        return Err(errors.fold(none, StepError::cause));
    }
    Ok(store)
}

fn name(target: &Target) -> Result<ServerName<'static>, StepError> {
    match &target.host {
        Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|error| {
            StepError::new(Category::InvalidRequest, format!("`{name}` is no host")).because(&error)
        }),
        Host::Ipv4(address) => {
            Ok(ServerName::IpAddress(IpAddr::from(std::net::IpAddr::V4(*address))))
        }
        Host::Ipv6(address) => {
            Ok(ServerName::IpAddress(IpAddr::from(std::net::IpAddr::V6(*address))))
        }
    }
}
