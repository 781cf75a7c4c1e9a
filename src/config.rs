//! Settings: from the environment or the command line, checked before anything starts.

pub mod advice;
pub mod bind;
pub mod database;
pub mod environment;
pub mod gateway;
pub mod outbound;
pub mod plans;
pub mod stripe;

use crate::config::{
    bind::Bind, database::PostgresUrl, gateway::GatewaySettings, outbound::AllowedHost, plans::Plans,
    stripe::StripeSettings,
};
use clap::{Args, builder::TypedValueParser, value_parser};
use ipnet::IpNet;
use secrecy::SecretString;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};
use url::Url;

/// Everything that an installation can set. It can't be printed: passwords are in it.
#[derive(Args, Clone)]
pub struct Config {
    /// Where to listen: `host:port`, or `unix:/path` for a proxy on this machine.
    #[arg(long, env = "BAILIWICK_BIND", default_value = "127.0.0.1:8000")]
    pub bind: Bind,

    /// Public URL of this installation. Links in e-mail use this, never the Host header. [default: http:// and the bind address]
    #[arg(long, env = "BAILIWICK_PUBLIC_URL", value_parser = public_url)]
    pub public_url: Option<Url>,

    /// Database: `sqlite://path`, or `postgres://user:password@host:port/database` with libpq's parameters, such as
    /// `?sslmode=verify-full&sslrootcert=FILE`; `postgres:///database?host=/run/postgresql` for a socket
    #[arg(
        long,
        env = "BAILIWICK_DATABASE_URL",
        default_value = "sqlite://data/bailiwick.db",
        hide_env_values = true,
        value_parser = database_url
    )]
    pub database_url: String,

    /// Whether to update the database schema at the start. With off, run `bailiwick migrate` with a role that owns the
    /// tables; then `serve` needs none that does.
    #[arg(long, env = "BAILIWICK_MIGRATE", default_value = "on", ignore_case = true)]
    pub migrate: Migrate,

    /// Secret key: 64 hex digits. Created at first start and stored in data/secret.key. Required with PostgreSQL.
    #[arg(long, env = "BAILIWICK_SECRET_KEY", hide_env_values = true)]
    pub secret_key: Option<SecretString>,

    /// Folder for the copies of audit checkpoints, and for the secret key if BAILIWICK_SECRET_KEY is not set.
    #[arg(long, env = "BAILIWICK_DATA_DIR", default_value = "data")]
    pub data_dir: PathBuf,

    /// Key that signs audit checkpoints: 64 hex digits. [default: derived from the secret key]
    #[arg(long, env = "BAILIWICK_AUDIT_KEY", hide_env_values = true)]
    pub audit_key: Option<SecretString>,

    /// Passphrase that seals the secret key in a backup.
    #[arg(long, env = "BAILIWICK_BACKUP_PASSPHRASE", hide_env_values = true)]
    pub backup_passphrase: Option<SecretString>,

    /// File with that passphrase. [default: asked for, at a terminal]
    #[arg(long, env = "BAILIWICK_BACKUP_PASSPHRASE_FILE")]
    pub backup_passphrase_file: Option<PathBuf>,

    /// How to send e-mail: `file:DIR` (one .eml file per message) or `smtp://[user:password@]host[:port]`
    #[arg(long, env = "BAILIWICK_MAIL", default_value = "file:data/mail", hide_env_values = true)]
    pub mail: Mail,

    /// Sender of e-mail. [default: Bailiwick at the host of the public URL]
    #[arg(long, env = "BAILIWICK_MAIL_FROM")]
    pub mail_from: Option<String>,

    /// Address that requests for support are sent to. Without one they are kept, and `bailiwick support list` shows them.
    #[arg(long, env = "BAILIWICK_SUPPORT_EMAIL", value_parser = email_address)]
    pub support_email: Option<String>,

    /// JSON file with plans and packs of credits, their prices, and what stands on invoices. [default: Free, Team and Business]
    #[arg(long, env = "BAILIWICK_PLANS", value_parser = plans::read, default_value = "", hide_default_value = true)]
    pub plans: Plans,

    #[command(flatten)]
    pub stripe: StripeSettings,

    /// Who can sign up: anyone, or only people with an invitation.
    #[arg(long, env = "BAILIWICK_SIGN_UP", default_value = "open", ignore_case = true)]
    pub sign_up: SignUp,

    /// Proxies that are trusted to say who sent a request: addresses or networks, separated by commas or
    /// spaces. Whoever connects to a Unix socket is trusted. [default: none]
    #[arg(long, env = "BAILIWICK_TRUSTED_PROXIES", value_parser = networks)]
    #[arg(default_value = "", hide_default_value = true)]
    // The whole path: clap would take a `Vec` for an option that can be repeated.
    pub trusted_proxies: std::vec::Vec<Network>,

    /// The header in which these proxies say who sent a request.
    #[arg(long, env = "BAILIWICK_PROXY_HEADER", default_value = "x-forwarded-for", ignore_case = true)]
    pub proxy_header: ProxyHeader,

    /// API calls per minute for each API key on each node, and ten times as many decisions. 0 means no limit.
    #[arg(long, env = "BAILIWICK_CALLS_PER_MINUTE", default_value = "600")]
    pub calls_per_minute: u32,

    /// Requests of one account and its workspaces that each worker thread handles at a time; more wait for their turn.
    /// While other accounts are active, half of the threads handle one each. 0 means no limit.
    #[arg(long, env = "BAILIWICK_REQUESTS_PER_ACCOUNT", default_value = "2")]
    pub requests_per_account: usize,

    /// Connections at once from one network: an IPv4 address or a /64 of IPv6; a /48 has four times as many. Trusted proxies have no limit. 0 means no limit.
    #[arg(long, env = "BAILIWICK_CONNECTIONS_PER_NETWORK", default_value = "256")]
    pub connections_per_network: usize,

    /// Seconds that a request waits for a database connection before it gets a 503. It waits one second
    /// longer to hash a password.
    #[arg(long, env = "BAILIWICK_ACQUIRE_TIMEOUT", default_value = "5")]
    #[arg(value_parser = value_parser!(u32).range(1..=3600).map(|seconds| Duration::from_secs(seconds.into())))]
    pub acquire_timeout: Duration,

    /// Days without use after which a session ends. Every session ends 30 days after signing in.
    #[arg(long, env = "BAILIWICK_SESSION_IDLE_DAYS", default_value = "14")]
    #[arg(value_parser = value_parser!(u32).range(1..=30))]
    pub session_idle_days: u32,

    /// Seconds that a connection stays open between two requests: longer than load balancers keep theirs.
    #[arg(long, env = "BAILIWICK_KEEP_ALIVE", default_value = "75")]
    #[arg(value_parser = value_parser!(u32).range(1..=3600).map(|seconds| Duration::from_secs(seconds.into())))]
    pub keep_alive: Duration,

    #[command(flatten)]
    pub gateway: GatewaySettings,

    /// Where to serve metrics for Prometheus, without a sign-in: an address that only your monitoring can reach, such as
    /// 127.0.0.1:9464 or `unix:/path`. [default: nowhere]
    #[arg(long, env = "BAILIWICK_METRICS_BIND")]
    pub metrics_bind: Option<Bind>,

    /// OpenTelemetry collector that traces are sent to (OTLP over http), such as http://127.0.0.1:4318. The OTEL_… variables
    /// of its SDK set the rest. [default: none]
    #[arg(long, env = "BAILIWICK_TRACES", value_parser = collector_url)]
    pub traces: Option<Url>,

    /// Hosts that requests to destinations may reach although they are in a private network, or on another port than 443:
    /// `host` or `host:port`, separated by commas or spaces. [default: none]
    #[arg(long, env = "BAILIWICK_OUTBOUND_ALLOW", value_parser = outbound::hosts)]
    #[arg(default_value = "", hide_default_value = true)]
    pub outbound_allow: std::vec::Vec<AllowedHost>,

    /// DNS server that looks up destinations: `address:port`. [default: those of the system]
    #[arg(long, env = "BAILIWICK_OUTBOUND_RESOLVER")]
    pub outbound_resolver: Option<SocketAddr>,

    /// PEM file with certificates of authorities that destinations are trusted by, beside those of the system. [default: none]
    #[arg(long, env = "BAILIWICK_OUTBOUND_ROOT_CERTIFICATES")]
    pub outbound_root_certificates: Option<PathBuf>,

    /// Number of worker threads. [default: one per core]
    #[arg(long, env = "BAILIWICK_WORKERS")]
    pub workers: Option<usize>,
}

/// One address (`10.0.0.1`) or network (`10.0.0.0/8`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(pub IpNet);

impl FromStr for Network {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        text.parse::<IpNet>()
            .or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from))
            .map(Self)
            .map_err(|_| format!("{text} is not an address or a network such as 10.0.0.0/8"))
    }
}

/// The header in which a proxy says who sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ProxyHeader {
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

impl ProxyHeader {
    pub fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }
}

/// Networks, separated by commas or blanks.
fn networks(text: &str) -> Result<Vec<Network>, String> {
    let parts = text.split(|c: char| c == ',' || c.is_whitespace());
    parts.filter(|part| !part.is_empty()).map(str::parse).collect()
}

/// # Errors
/// What is wrong with a connection string of PostgreSQL. Any other text is judged when the database is opened.
fn database_url(text: &str) -> Result<String, String> {
    if is_postgres(text) {
        PostgresUrl::parse(text)?;
    }
    Ok(text.to_owned())
}

fn is_postgres(database_url: &str) -> bool {
    database_url.starts_with("postgres://") || database_url.starts_with("postgresql://")
}

/// An address of e-mail.
fn email_address(text: &str) -> Result<String, String> {
    match text.parse::<lettre::Address>() {
        Ok(address) => Ok(address.to_string()),
        Err(_) => Err("write it as in support@example.com".into()),
    }
}

/// A public URL: scheme, host and perhaps a port.
fn public_url(text: &str) -> Result<Url, String> {
    let is_url = text.contains("://");
    let url = Url::parse(text).ok().filter(|_| is_url);
    let url = url.ok_or("write it with http:// or https://, as in https://access.example.com")?;
    check_public_url(&url).map(|()| url)
}

/// The address of a collector of traces.
fn collector_url(text: &str) -> Result<Url, String> {
    let is_url = text.contains("://");
    let url = Url::parse(text).ok().filter(|url| is_url && url.has_host());
    let url = url.ok_or("write it with http://, as in http://127.0.0.1:4318")?;
    match url.scheme() {
        _ if !url.username().is_empty() || url.password().is_some() => {
            Err("leave out the user and password, and set OTEL_EXPORTER_OTLP_HEADERS".into())
        }
        "http" => Ok(url),
        "https" => {
            Err("use http to an OpenTelemetry collector on this machine or network, which passes traces on \
             over TLS"
                .into())
        }
        _ => Err("it must begin with http://".into()),
    }
}

/// # Errors
/// What is wrong with it, and what to do, as a part of a sentence.
pub(crate) fn check_public_url(url: &Url) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err("it must begin with http:// or https://".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("leave out the user and password".into());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("leave out everything after the host and port".into());
    }
    if url.path() != "/" {
        return Err(format!(
            "it can't have a path ({}): Bailiwick uses a whole host name. Give it a name of its own, such as \
             https://access.example.com, and have the proxy pass on all of that name",
            url.path()
        ));
    }
    Ok(())
}

/// Where mail goes.
#[derive(Clone, Debug)]
pub enum Mail {
    /// One `.eml` file a message, in this folder.
    File(PathBuf),
    /// An `smtp://` or `smtps://` URL, as lettre reads it. It may hold a password.
    Smtp(SecretString),
}

impl FromStr for Mail {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("file:") {
            if path.is_empty() {
                return Err("add a folder, such as file:data/mail".into());
            }
            Ok(Self::File(PathBuf::from(path)))
        } else if text.starts_with("smtp://") || text.starts_with("smtps://") {
            Ok(Self::Smtp(text.to_owned().into()))
        } else {
            Err("use file:DIR or smtp://host:port".into())
        }
    }
}

/// Who updates the database schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Migrate {
    /// This program, at its start.
    On,
    /// Somebody else, before.
    Off,
}

/// Who may sign up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SignUp {
    Open,
    Invited,
}

impl Config {
    /// The number of worker threads.
    pub fn worker_count(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(2, usize::from);
        self.workers.unwrap_or_else(cores).clamp(1, 512)
    }

    /// The settings of a test: a free port, everything under `dir`, and time enough on a busy machine.
    pub fn for_tests(database_url: String, dir: &Path) -> Self {
        Self {
            bind: SocketAddr::from(([127, 0, 0, 1], 0)).into(),
            public_url: None,
            database_url,
            migrate: Migrate::On,
            secret_key: Some("07".repeat(32).into()),
            audit_key: None,
            backup_passphrase: None,
            backup_passphrase_file: None,
            data_dir: dir.to_owned(),
            mail: Mail::File(dir.join("mail")),
            mail_from: None,
            support_email: None,
            plans: Plans::default(),
            stripe: StripeSettings::default(),
            sign_up: SignUp::Open,
            trusted_proxies: Vec::new(),
            proxy_header: ProxyHeader::XForwardedFor,
            calls_per_minute: 0,
            connections_per_network: 0,
            requests_per_account: 0,
            acquire_timeout: Duration::from_secs(60),
            session_idle_days: 14,
            keep_alive: Duration::from_secs(30),
            gateway: GatewaySettings::default(),
            metrics_bind: None,
            traces: None,
            outbound_allow: Vec::new(),
            // Nothing answers there: a test asks nobody outside.
            outbound_resolver: Some(SocketAddr::from(([127, 0, 0, 1], 9))),
            outbound_root_certificates: None,
            workers: Some(2),
        }
    }

    /// The file with a copy of each audit checkpoint that this node signed.
    pub fn checkpoint_copies(&self) -> PathBuf {
        self.data_dir.join("audit.checkpoints")
    }

    pub fn is_postgres(&self) -> bool {
        is_postgres(&self.database_url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_with_blanks_and_trailing_commas() {
        let count = |text: &str| networks(text).map(|networks| networks.len());
        for (text, expected) in
            [("", 0), (" , ", 0), ("10.0.0.1", 1), ("10.0.0.1, 10.0.0.0/8,", 2), ("::1 fd00::/8\n", 2)]
        {
            assert_eq!(count(text), Ok(expected), "{text:?}");
        }
        assert!(count("10.0.0.1, proxy").is_err());
    }

    #[test]
    fn a_collector_is_reached_by_http() {
        for url in ["http://127.0.0.1:4318", "http://collector.lan/v1/traces"] {
            assert!(collector_url(url).is_ok(), "{url}");
        }
        for (url, said) in [
            ("127.0.0.1:4318", "http://"),
            ("https://collector.example.com", "over TLS"),
            ("grpc://collector.example.com", "http://"),
            ("http://me:secret@collector.lan", "OTEL_EXPORTER_OTLP_HEADERS"),
        ] {
            let refusal = collector_url(url).expect_err(url);
            assert!(refusal.contains(said) && !refusal.contains("secret"), "{url}: {refusal}");
        }
    }

    #[test]
    fn a_public_url_is_a_host_and_the_refusal_says_what_to_do() {
        for url in ["http://box.lan:8000", "https://access.example.com/"] {
            assert!(public_url(url).is_ok(), "{url}");
        }
        for (url, said) in [
            ("access.example.com", "http://"),
            ("localhost:8000", "http://"),
            ("ftp://access.example.com", "http://"),
            ("https://me:secret@access.example.com", "leave out the user"),
            ("https://access.example.com?x", "leave out everything"),
            ("https://example.com/access", "a name of its own"),
        ] {
            let refusal = public_url(url).expect_err(url);
            assert!(refusal.contains(said) && !refusal.contains("secret"), "{url}: {refusal}");
        }
    }
}
