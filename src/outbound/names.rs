//! Looks up where names lead.

use crate::outbound::failure::{Failure, Phase};
use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::RData,
};
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::time::timeout;

/// Answers that are kept.
const CACHED: u64 = 1_024;

/// The longest that an answer is kept, whatever it says: a host that moves is found soon.
const MAX_TTL: Duration = Duration::from_secs(5 * 60);

/// Looks up where names lead.
#[derive(Clone, Debug)]
pub(in crate::outbound) struct Names(Option<TokioResolver>);

impl Names {
    /// Asks this server alone, or else those of the system.
    pub fn new(server: Option<SocketAddr>) -> Self {
        let resolver = match server {
            Some(server) => Ok(of_server(server)),
            None => TokioResolver::builder_tokio(),
        };
        let resolver = resolver.and_then(|mut builder| {
            let options = builder.options_mut();
            options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
            options.cache_size = CACHED;
            options.positive_max_ttl = Some(MAX_TTL);
            options.negative_max_ttl = Some(Duration::from_secs(10));
            // The operator's server is the only one to say where a name leads.
            options.use_hosts_file =
                if server.is_some() { ResolveHosts::Never } else { ResolveHosts::Always };
            builder.build()
        });
        Self(resolver.inspect_err(|error| tracing::warn!(%error, "names can't be looked up")).ok())
    }

    /// Every address of a host.
    ///
    /// # Errors
    /// [`Failure::Resolve`], [`Failure::Timeout`].
    pub async fn addresses(&self, host: &str, within: Duration) -> Result<Vec<IpAddr>, Failure> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let Some(resolver) = &self.0 else {
            return Err(Failure::Resolve("This machine has no DNS server to look names up.".into()));
        };
        // With the dot at its end it is looked up as it is, and not below the domain of this machine.
        match timeout(within, resolver.lookup_ip(format!("{host}."))).await {
            Ok(Ok(found)) => Ok(found.iter().collect()),
            Ok(Err(error)) => Err(failure(&error)),
            Err(_) => Err(Failure::Timeout(Phase::Resolve)),
        }
    }
}

impl Names {
    /// The texts (TXT) of a name, each in one piece; none for a name without any.
    ///
    /// # Errors
    /// [`Failure::Resolve`], [`Failure::Timeout`]: whether there are some is not known.
    pub async fn texts(&self, name: &str, within: Duration) -> Result<Vec<String>, Failure> {
        let Some(resolver) = &self.0 else {
            return Err(Failure::Resolve("This machine has no DNS server to look names up.".into()));
        };
        match timeout(within, resolver.txt_lookup(format!("{name}."))).await {
            Ok(Ok(found)) => {
                let texts = found.answers().iter().filter_map(|record| match &record.data {
                    RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
                    _ => None,
                });
                Ok(texts.collect())
            }
            Ok(Err(error)) if error.is_nx_domain() || error.is_no_records_found() => Ok(Vec::new()),
            Ok(Err(error)) => Err(failure(&error)),
            Err(_) => Err(Failure::Timeout(Phase::Resolve)),
        }
    }
}

fn of_server(server: SocketAddr) -> hickory_resolver::ResolverBuilder<TokioRuntimeProvider> {
    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    connections.iter_mut().for_each(|connection| connection.port = server.port());
    let server = NameServerConfig::new(server.ip(), true, connections);
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
}

fn failure(error: &NetError) -> Failure {
    match error {
        NetError::Timeout => Failure::Timeout(Phase::Resolve),
        error if error.is_nx_domain() || error.is_no_records_found() => {
            Failure::Resolve("The host's name has no address.".into())
        }
        error => {
            tracing::debug!(%error, "a name was not looked up");
            Failure::Resolve("The host's name can't be looked up at the moment.".into())
        }
    }
}
