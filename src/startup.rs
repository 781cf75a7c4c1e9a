//! Puts the parts together and listens.

use crate::{
    clock::Clock,
    config::{
        Config, SignUp,
        bind::{Bind, Listener},
        check_public_url,
        database::PostgresUrl,
        gateway::GatewayPlace,
        stripe::{StripeAccount, StripeSettingsError},
    },
    connection::registry::Connections,
    domain::{
        Db, OpenError, Refused,
        enforce::checkpoint,
        gateway::{Gate, GateLimits},
        nouns::identity,
    },
    listen::{Served, listen},
    mail::{Mailer, error::MailerError},
    monitoring::{self, Monitor},
    note::Signer,
    outbound::{
        client::Outbound,
        limits::Limits,
        settings::{OutboundSettings, RootCertificatesError, check_root_certificates},
    },
    private,
    secret::{InstallationSecret, SecretError},
    stripe::client::Stripe,
    web::{self, app, downloads::Downloads, metrics::RequestMetrics, routes::index::index},
    workers::{Checkpoints, Workers},
};
pub use crate::{
    domain::base::statements::{Counter, Transcript},
    workers::keep_copy,
};
use actix_web::{
    dev::{Server, ServerHandle},
    web::Data,
};
use secrecy::{ExposeSecret, SecretString};
use std::{io, net::SocketAddr};
use url::Url;
use zeroize::Zeroizing;

/// Why the server did not start. The sentence is for whoever starts it.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("can't listen on {bind}: {error}. Choose another address with BAILIWICK_BIND.")]
    Bind { bind: Bind, error: io::Error },
    #[error("can't listen on {bind}: {error}. Choose another address with BAILIWICK_METRICS_BIND.")]
    MetricsBind { bind: Bind, error: io::Error },
    #[error("can't listen on {bind}: {error}. Choose another address with BAILIWICK_GATEWAY.")]
    GatewayBind { bind: Bind, error: io::Error },
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("BAILIWICK_AUDIT_KEY must be 64 hex digits. Create one with: openssl rand -hex 32")]
    AuditKeyShape,
    #[error("BAILIWICK_PUBLIC_URL is not valid: {0}.")]
    PublicUrl(String),
    #[error(
        "a Unix socket has no address to open: set BAILIWICK_PUBLIC_URL to the one that people use, such as https://access.example.com"
    )]
    NoPublicUrl,
    #[error("the database failed: {0}")]
    Database(#[from] Refused),
    #[error(transparent)]
    Mail(#[from] MailerError),
    #[error(transparent)]
    RootCertificates(#[from] RootCertificatesError),
    #[error("Stripe can't be used: {0}.")]
    Stripe(#[from] StripeSettingsError),
    #[error("the server failed: {0}")]
    Io(#[from] io::Error),
}

impl StartupError {
    /// Whether trying again changes nothing before somebody has changed a setting, or what it names.
    pub fn needs_mending(&self) -> bool {
        match self {
            Self::Open(error) => error.needs_mending(),
            Self::Bind { error, .. } | Self::MetricsBind { error, .. } | Self::GatewayBind { error, .. } => {
                private::needs_mending(error)
            }
            Self::Mail(MailerError::Folder(error)) => private::needs_mending(error),
            Self::Database(_) | Self::Io(_) => false,
            Self::Secret(_)
            | Self::AuditKeyShape
            | Self::PublicUrl(_)
            | Self::NoPublicUrl
            | Self::RootCertificates(_)
            | Self::Stripe(_)
            | Self::Mail(_) => true,
        }
    }
}

/// A server that listens and is ready to run.
pub struct Application {
    server: Server,
    bind: Bind,
    address: Option<SocketAddr>,
    public_url: String,
    first_sign_up: Option<String>,
    db: Db,
    workers: Workers,
    metrics: Option<Beside>,
    gateway: Option<Beside>,
}

/// What is served at an address of its own: metrics, or the gateway.
struct Beside {
    server: Server,
    bind: Bind,
    address: Option<SocketAddr>,
}

impl Application {
    /// Opens the database, brings its schema up to date, and listens.
    ///
    /// # Errors
    /// What is wrong with the settings or the machine, as a sentence.
    pub async fn build(config: Config, clock: Clock) -> Result<Self, StartupError> {
        let bind = config.bind.clone();
        let listener = bind.listen().map_err(|error| StartupError::Bind { bind: bind.clone(), error })?;
        let mut listening = listener.addresses()?;
        let address = listening.first().copied();
        let gateway_listener = listen_for_gateway(&config)?;
        if let Some((_, listener)) = &gateway_listener {
            listening.extend(listener.addresses()?);
        }
        let public_url = public_url(&config, address.map(|address| address.port()))?;
        let shown_url = public_url.as_str().trim_end_matches('/').to_owned();
        let secret = InstallationSecret::find_or_create(&config)?;
        let db = Db::open(&config, shown_url.clone(), clock).await?;
        let mailer = Mailer::new(&config, &public_url)?;
        let outbound = Outbound::new(OutboundSettings::new(&config, &public_url, listening, &secret))?;
        let stripe = stripe_account(&config)?.map(|account| Stripe::new(&outbound, account));
        let settings = app::Settings::new(&config, &public_url, &secret);
        let is_waiting = config.sign_up == SignUp::Invited && identity::first::is_empty(&db).await?;
        let first_sign_up =
            is_waiting.then(|| format!("{shown_url}/first-sign-up/{}", settings.first_sign_up.expose()));
        let calls = web::Calls::new(config.calls_per_minute);
        let turns = web::Turns::new(config.requests_per_account, config.worker_count());
        let metrics = RequestMetrics::default();
        let gateway = outbound.with_limits(Limits::from(&config.gateway));
        let gate = Gate::new(&db, GateLimits::from(&config.gateway));
        let app = Data::new(app::App {
            db: db.with_counter(),
            settings,
            outbound: outbound.clone(),
            stripe: stripe.clone(),
            gateway,
            gate: gate.clone(),
            calls,
            turns,
            downloads: Downloads::default(),
            metrics,
            routes: index(),
        });
        let exempt = config.trusted_proxies.iter().map(|network| network.0).collect();
        let connections = Connections::new(config.connections_per_network, exempt, config.keep_alive);
        let monitor = Monitor::new(app.clone(), db.clone(), connections.clone());
        let metrics = config.metrics_bind.clone().map(|bind| serve_metrics(bind, monitor)).transpose()?;
        let served = if config.gateway.place == GatewayPlace::On { Served::All } else { Served::Pages };
        let gateway = gateway_listener.map(|(bind, listener)| {
            let address = listener.addresses()?.first().copied();
            let server = listen(listener, Served::Gateway, app.clone(), connections.clone(), &config)?;
            Ok::<_, StartupError>(Beside { server, bind, address })
        });
        let gateway = gateway.transpose()?;
        let server = listen(listener, served, app, connections, &config)?;
        let checkpoints = Checkpoints { signer: audit_signer(&config)?, copies: config.checkpoint_copies() };
        let workers = Workers::start(&db, mailer, outbound, stripe, checkpoints, gate, &config);
        Ok(Self {
            server,
            bind,
            address,
            public_url: shown_url,
            first_sign_up,
            db,
            workers,
            metrics,
            gateway,
        })
    }

    /// Where it listens; `None` for a Unix socket.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// As it was set.
    pub fn bind(&self) -> &Bind {
        &self.bind
    }

    /// Where it serves metrics; `None` if it does not, or on a Unix socket.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref()?.address
    }

    /// Where the gateway is, if it has an address of its own; `None` on a Unix socket too.
    pub fn gateway_address(&self) -> Option<SocketAddr> {
        self.gateway.as_ref()?.address
    }

    /// The public URL, without a trailing slash.
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// The link for the first person, where only invited people may sign up and nobody has yet. It is a secret.
    pub fn first_sign_up(&self) -> Option<&str> {
        self.first_sign_up.as_deref()
    }

    /// Counts passwords that were hashed.
    pub fn hashes(&self) -> Counter {
        self.db.hashes()
    }

    /// Counts SQL statements.
    pub fn statements(&self) -> Counter {
        self.db.statements()
    }

    /// The SQL statements that were sent.
    pub fn transcript(&self) -> Transcript {
        self.db.transcript()
    }

    /// Stops the server from elsewhere.
    pub fn handle(&self) -> ServerHandle {
        self.server.handle()
    }

    /// Serves until it is stopped by a signal or its handle; then lets running requests end.
    ///
    /// # Errors
    /// What the system says about its sockets.
    pub async fn run(self) -> io::Result<()> {
        let start = |beside: Option<Beside>| {
            beside.map(|Beside { server, bind, .. }| {
                let handle = server.handle();
                actix_web::rt::spawn(server);
                (handle, bind)
            })
        };
        let (metrics, gateway) = (start(self.metrics), start(self.gateway));
        let served = self.server.await;
        self.bind.clean_up();
        for (beside, lets_end) in [(gateway, true), (metrics, false)] {
            if let Some((handle, bind)) = beside {
                handle.stop(lets_end).await;
                bind.clean_up();
            }
        }
        self.workers.stop(&self.db).await;
        self.db.close().await;
        served
    }
}

/// Listens for the gateway, if it has an address of its own.
fn listen_for_gateway(config: &Config) -> Result<Option<(Bind, Listener)>, StartupError> {
    let GatewayPlace::At(bind) = &config.gateway.place else { return Ok(None) };
    let listener = bind.listen().map_err(|error| StartupError::GatewayBind { bind: bind.clone(), error })?;
    Ok(Some((bind.clone(), listener)))
}

fn serve_metrics(bind: Bind, monitor: Monitor) -> Result<Beside, StartupError> {
    let listener = bind.listen().map_err(|error| StartupError::MetricsBind { bind: bind.clone(), error })?;
    let address = listener.address()?;
    Ok(Beside { server: monitoring::serve(listener, monitor)?, bind, address })
}

/// Checks settings without opening or creating anything. Returns the public URL.
///
/// # Errors
/// What is wrong with the settings, as a sentence.
pub fn check(config: &Config) -> Result<Url, StartupError> {
    let public_url = public_url(config, None)?;
    known_audit_signer(config)?;
    if config.is_postgres() {
        PostgresUrl::parse(&config.database_url).map_err(OpenError::PostgresUrl)?;
    } else if !config.database_url.starts_with("sqlite://") {
        return Err(OpenError::Url.into());
    }
    if InstallationSecret::find(config)?.is_none() && config.is_postgres() {
        return Err(SecretError::Missing.into());
    }
    Mailer::check(config, &public_url)?;
    check_root_certificates(config)?;
    stripe_account(config)?;
    Ok(public_url)
}

/// The account that collects what invoices amount to, if there is one.
///
/// # Errors
/// What is wrong with its settings.
pub fn stripe_account(config: &Config) -> Result<Option<StripeAccount>, StripeSettingsError> {
    config.stripe.account(&config.outbound_allow, &config.plans.currency)
}

/// The public URL of a server with these settings, without a trailing slash.
///
/// # Errors
/// [`StartupError::PublicUrl`], [`StartupError::NoPublicUrl`].
pub fn shown_url(config: &Config) -> Result<String, StartupError> {
    Ok(public_url(config, None)?.as_str().trim_end_matches('/').to_owned())
}

/// The public URL; `port` is the one that the server listens on, if it does.
///
/// # Errors
/// As [`shown_url`].
pub fn public_url(config: &Config, port: Option<u16>) -> Result<Url, StartupError> {
    if let Some(url) = &config.public_url {
        return check_public_url(url).map(|()| url.clone()).map_err(StartupError::PublicUrl);
    }
    let Bind::Tcp { host, port: chosen } = &config.bind else { return Err(StartupError::NoPublicUrl) };
    let bind = Bind::Tcp { host: host.clone(), port: port.unwrap_or(*chosen) };
    Url::parse(&format!("http://{bind}")).map_err(|error| StartupError::PublicUrl(error.to_string()))
}

/// The key that signs audit checkpoints: one of its own, or one derived from the installation's secret. Neither is
/// in the database.
///
/// # Errors
/// [`StartupError::AuditKeyShape`], or what is wrong with the secret.
pub fn audit_signer(config: &Config) -> Result<Signer, StartupError> {
    match &config.audit_key {
        Some(key) => own_audit_signer(key),
        None => Ok(derived_signer(&InstallationSecret::find_or_create(config)?)),
    }
}

/// [`audit_signer`], if its key is known here: nothing is created.
///
/// # Errors
/// As [`audit_signer`].
pub fn known_audit_signer(config: &Config) -> Result<Option<Signer>, StartupError> {
    match &config.audit_key {
        Some(key) => own_audit_signer(key).map(Some),
        None => Ok(InstallationSecret::find(config)?.as_ref().map(derived_signer)),
    }
}

/// [`audit_signer`], with a secret that is not stored here yet.
///
/// # Errors
/// [`StartupError::AuditKeyShape`].
pub fn audit_signer_of(config: &Config, secret: &InstallationSecret) -> Result<Signer, StartupError> {
    config.audit_key.as_ref().map_or_else(|| Ok(derived_signer(secret)), own_audit_signer)
}

fn own_audit_signer(key: &SecretString) -> Result<Signer, StartupError> {
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(key.expose_secret().trim(), &mut *seed).map_err(|_| StartupError::AuditKeyShape)?;
    Ok(Signer::new(checkpoint::ORIGIN, &seed))
}

fn derived_signer(secret: &InstallationSecret) -> Signer {
    let mut seed = Zeroizing::new([0; 32]);
    seed.copy_from_slice(&secret.derive("audit")[..32]);
    Signer::new(checkpoint::ORIGIN, &seed)
}
