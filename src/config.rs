//! Settings: from the environment or the command line, checked before anything starts.

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

/// Everything that an installation can set.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Address to listen on.
    #[arg(long, env = "BAILIWICK_BIND", default_value = "127.0.0.1:8000")]
    pub bind: SocketAddr,

    /// Public URL of this installation. Links in e-mail use this, never the Host header. [default: http:// and the bind address]
    #[arg(long, env = "BAILIWICK_PUBLIC_URL")]
    pub public_url: Option<Url>,

    /// Database: `sqlite://path` or `postgres://…`
    #[arg(
        long,
        env = "BAILIWICK_DATABASE_URL",
        default_value = "sqlite://data/bailiwick.db",
        hide_env_values = true
    )]
    pub database_url: String,

    /// Secret key: 64 hex digits. Created at first start and stored in data/secret.key. Required with PostgreSQL.
    #[arg(long, env = "BAILIWICK_SECRET_KEY", hide_env_values = true)]
    pub secret_key: Option<SecretString>,

    /// Folder for the copies of audit checkpoints, and for the secret key if BAILIWICK_SECRET_KEY is not set.
    #[arg(long, env = "BAILIWICK_DATA_DIR", default_value = "data")]
    pub data_dir: PathBuf,

    /// Key that signs audit checkpoints: 64 hex digits. [default: derived from the secret key]
    #[arg(long, env = "BAILIWICK_AUDIT_KEY", hide_env_values = true)]
    pub audit_key: Option<SecretString>,

    /// How to send e-mail: `file:DIR` (one .eml file per message) or `smtp://[user:password@]host[:port]`
    #[arg(long, env = "BAILIWICK_MAIL", default_value = "file:data/mail", hide_env_values = true)]
    pub mail: Mail,

    /// Sender of e-mail. [default: Bailiwick at the host of the public URL]
    #[arg(long, env = "BAILIWICK_MAIL_FROM")]
    pub mail_from: Option<String>,

    /// Who can sign up: anyone, or only people with an invitation.
    #[arg(long, env = "BAILIWICK_SIGN_UP", default_value = "open")]
    pub sign_up: SignUp,

    /// Proxies whose X-Forwarded-For header is trusted: addresses or networks, separated by commas. [default: none]
    #[arg(long, env = "BAILIWICK_TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxies: Vec<Network>,

    /// API calls per minute for each API key on each node, and ten times as many decisions. 0 means no limit.
    #[arg(long, env = "BAILIWICK_CALLS_PER_MINUTE", default_value = "600")]
    pub calls_per_minute: u32,

    /// Requests of one account and its workspaces that each worker thread handles at a time; more wait for their turn. 0 means no limit.
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

/// Who may sign up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SignUp {
    Open,
    Invited,
}

impl Config {
    /// The settings of a test: a free port, everything under `dir`, and time enough on a busy machine.
    pub fn for_tests(database_url: String, dir: &Path) -> Self {
        Self {
            bind: SocketAddr::from(([127, 0, 0, 1], 0)),
            public_url: None,
            database_url,
            secret_key: Some("07".repeat(32).into()),
            audit_key: None,
            data_dir: dir.to_owned(),
            mail: Mail::File(dir.join("mail")),
            mail_from: None,
            sign_up: SignUp::Open,
            trusted_proxies: Vec::new(),
            calls_per_minute: 0,
            connections_per_network: 0,
            requests_per_account: 0,
            acquire_timeout: Duration::from_secs(60),
            session_idle_days: 14,
            workers: Some(2),
        }
    }

    /// The file with a copy of each audit checkpoint that this node signed.
    pub fn checkpoint_copies(&self) -> PathBuf {
        self.data_dir.join("audit.checkpoints")
    }

    pub fn is_postgres(&self) -> bool {
        self.database_url.starts_with("postgres://") || self.database_url.starts_with("postgresql://")
    }
}
