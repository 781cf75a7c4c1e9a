//! Encryption: certificates are trusted as this machine does.

use crate::outbound::failure::{Failure, TlsFault};
use rustls::{
    CertificateError, ClientConfig,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use rustls_platform_verifier::Verifier;
use std::{
    io,
    path::Path,
    sync::{Arc, OnceLock},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Encrypts connections.
#[derive(Clone)]
pub(in crate::outbound) struct Tls {
    extra_roots: Vec<CertificateDer<'static>>,
    /// Made for the first connection: reading the certificates of a machine takes a while, and not every
    /// installation connects to anything.
    connector: Arc<OnceLock<Option<TlsConnector>>>,
}

/// The certificates of authorities in a PEM file.
///
/// # Errors
/// What is wrong with the file, as a part of a sentence.
pub(in crate::outbound) fn roots(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let roots = read.map_err(|error| error.to_string())?;
    match roots.is_empty() {
        false => Ok(roots),
        true => Err("it has no certificate".to_owned()),
    }
}

impl Tls {
    pub fn new(extra_roots: Vec<CertificateDer<'static>>) -> Self {
        Self { extra_roots, connector: Arc::default() }
    }

    /// Encrypts a connection to this host, a name or an address.
    ///
    /// # Errors
    /// [`Failure::Tls`].
    pub async fn encrypt(&self, host: &str, tcp: TcpStream) -> Result<TlsStream<TcpStream>, Failure> {
        let connector = self.connector.get_or_init(|| connector(&self.extra_roots));
        let connector = connector.as_ref().ok_or(Failure::Tls(TlsFault::NoRoots))?;
        let name = ServerName::try_from(host.to_owned()).map_err(|_| Failure::Tls(TlsFault::WrongName))?;
        connector.connect(name, tcp).await.map_err(|error| Failure::Tls(fault(&error)))
    }
}

fn connector(extra_roots: &[CertificateDer<'static>]) -> Option<TlsConnector> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new_with_extra_roots(extra_roots.iter().cloned(), Arc::clone(&provider));
    let config = verifier.and_then(|verifier| {
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        Ok(builder.with_no_client_auth())
    });
    let config = config.inspect_err(|error| tracing::error!(%error, "no host can be trusted")).ok();
    config.map(|mut config| {
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        TlsConnector::from(Arc::new(config))
    })
}

fn fault(error: &io::Error) -> TlsFault {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(error)) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFault::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                TlsFault::NotYetValid
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TlsFault::WrongName
            }
            CertificateError::UnknownIssuer => TlsFault::UnknownIssuer,
            _ => TlsFault::Certificate,
        },
        _ => TlsFault::Protocol,
    }
}
