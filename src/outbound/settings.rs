//! What the client is built from.

use crate::{
    config::{Config, outbound::AllowedHost},
    outbound::{limits::Limits, loops::LoopToken, rules::OwnAddresses, tls},
    secret::InstallationSecret,
};
use std::{net::SocketAddr, path::PathBuf};
use url::Url;

/// What the client is built from.
#[derive(Clone, Debug)]
pub struct OutboundSettings {
    /// Hosts that may be in a private network, or on another port than 443.
    pub allowed: Vec<AllowedHost>,
    /// The port of every other host: 443, but for tests, which can't listen there.
    pub port: u16,
    /// The DNS server to ask, instead of the system's.
    pub resolver: Option<SocketAddr>,
    /// A PEM file with authorities to trust beside the system's.
    pub root_certificates: Option<PathBuf>,
    pub own: OwnAddresses,
    pub loop_token: LoopToken,
    pub limits: Limits,
}

/// Why the client can't be built. The sentence is for whoever starts the server.
#[derive(Debug, thiserror::Error)]
#[error(
    "can't use the certificates in {path}: {reason}. Set BAILIWICK_OUTBOUND_ROOT_CERTIFICATES to a PEM file."
)]
pub struct RootCertificatesError {
    path: PathBuf,
    reason: String,
}

impl OutboundSettings {
    /// The settings of this installation; it listens at these addresses.
    pub fn new(
        config: &Config,
        public_url: &Url,
        listening: Vec<SocketAddr>,
        secret: &InstallationSecret,
    ) -> Self {
        let host = public_url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned());
        let public = host.zip(public_url.port_or_known_default());
        let mut token = [0; 8];
        token.copy_from_slice(&secret.derive("outbound loops")[..8]);
        Self {
            allowed: config.outbound_allow.clone(),
            port: 443,
            resolver: config.outbound_resolver,
            root_certificates: config.outbound_root_certificates.clone(),
            own: OwnAddresses { public, listening },
            loop_token: LoopToken::new(token),
            limits: Limits::default(),
        }
    }
}

/// Reads the file of root certificates, if one is set.
///
/// # Errors
/// What is wrong with it.
pub fn check_root_certificates(config: &Config) -> Result<(), RootCertificatesError> {
    roots(config.outbound_root_certificates.as_ref()).map(drop)
}

pub(in crate::outbound) fn roots(
    file: Option<&PathBuf>,
) -> Result<Vec<rustls::pki_types::CertificateDer<'static>>, RootCertificatesError> {
    let Some(path) = file else { return Ok(Vec::new()) };
    tls::roots(path).map_err(|reason| RootCertificatesError { path: path.clone(), reason })
}
