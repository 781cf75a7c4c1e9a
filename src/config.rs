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
    /// The address to listen on.
    #[arg(long, env = "BAILIWICK_BIND", default_value = "127.0.0.1:8000")]
    pub bind: SocketAddr,

    /// Where people reach it. Links in mail use this, and never the Host header. [default: http:// and the bind address]
    #[arg(long, env = "BAILIWICK_PUBLIC_URL")]
    pub public_url: Option<Url>,

    /// `sqlite://path` or `postgres://…`
    #[arg(
        long,
        env = "BAILIWICK_DATABASE_URL",
        default_value = "sqlite://data/bailiwick.db",
        hide_env_values = true
    )]
    pub database_url: String,

    /// 64 hex digits. Made at first start and kept in data/secret.key; with PostgreSQL it must be given.
    #[arg(long, env = "BAILIWICK_SECRET_KEY", hide_env_values = true)]
    pub secret_key: Option<SecretString>,

    /// Where the secret key is kept when it is not given.
    #[arg(long, env = "BAILIWICK_DATA_DIR", default_value = "data")]
    pub data_dir: PathBuf,

    /// `file:DIR` (one .eml a message) or `smtp://[user:password@]host[:port]`
    #[arg(long, env = "BAILIWICK_MAIL", default_value = "file:data/mail", hide_env_values = true)]
    pub mail: Mail,

    /// The sender of mail. [default: Bailiwick at the host of the public URL]
    #[arg(long, env = "BAILIWICK_MAIL_FROM")]
    pub mail_from: Option<String>,

    /// Who may sign up: anyone, or only who was invited.
    #[arg(long, env = "BAILIWICK_SIGN_UP", default_value = "open")]
    pub sign_up: SignUp,

    /// Proxies whose X-Forwarded-For is believed: addresses or networks, split by comma. [default: none]
    #[arg(long, env = "BAILIWICK_TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxies: Vec<Network>,

    /// Calls that one API key may make in a minute, at each node; ten times as many decisions. 0 for any number.
    #[arg(long, env = "BAILIWICK_CALLS_PER_MINUTE", default_value = "600")]
    pub calls_per_minute: u32,

    /// Seconds that a request waits for a database connection, and one more for its turn to hash a password,
    /// before it is answered 503.
    #[arg(long, env = "BAILIWICK_ACQUIRE_TIMEOUT", default_value = "5")]
    #[arg(value_parser = value_parser!(u32).range(1..=3600).map(|seconds| Duration::from_secs(seconds.into())))]
    pub acquire_timeout: Duration,

    /// Threads that answer requests. [default: one a core]
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
            .map_err(|_| format!("{text} is neither an address nor a network such as 10.0.0.0/8"))
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
                return Err("name a folder, such as file:data/mail".into());
            }
            Ok(Self::File(PathBuf::from(path)))
        } else if text.starts_with("smtp://") || text.starts_with("smtps://") {
            Ok(Self::Smtp(text.to_owned().into()))
        } else {
            Err("write file:DIR or smtp://host:port".into())
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
            data_dir: dir.to_owned(),
            mail: Mail::File(dir.join("mail")),
            mail_from: None,
            sign_up: SignUp::Open,
            trusted_proxies: Vec::new(),
            calls_per_minute: 0,
            acquire_timeout: Duration::from_secs(60),
            workers: Some(2),
        }
    }

    pub fn is_postgres(&self) -> bool {
        self.database_url.starts_with("postgres://") || self.database_url.starts_with("postgresql://")
    }
}
