//! How PostgreSQL is opened: TLS as libpq has it, the first connection, which says what is wrong, and the pools.

use crate::{
    config::{Config, database::PostgresUrl},
    domain::base::connect::{OpenError, POSTGRES_PLANS},
    random,
};
use sea_orm::sqlx::{
    self, ConnectOptions, Connection, Executor, PgConnection, PgPool,
    error::DatabaseError,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};
use secrecy::ExposeSecret;
use std::{
    io,
    path::Path,
    time::{Duration, Instant},
};
use url::Url;

/// The number of connections for reads, and of those for writes.
pub(in crate::domain) const CONNECTIONS: u32 = 8;

/// How long the start waits before it tries again, while PostgreSQL is starting too.
const PAUSE: Duration = Duration::from_millis(200);

/// Connections for reads, and those for writes. They belong to the runtime that this is called on.
pub(in crate::domain) struct Pools {
    pub read: PgPool,
    pub write: PgPool,
}

/// Connects, and checks that nothing is between Bailiwick and PostgreSQL that shares connections.
///
/// # Errors
/// What is wrong with the settings, the server or the network, as a sentence.
pub(in crate::domain) async fn open(config: &Config) -> Result<Pools, OpenError> {
    let url = PostgresUrl::parse(&config.database_url).map_err(OpenError::PostgresUrl)?;
    let mut options = connect_options(&url)?;
    let mut one = first_connection(&options, config.acquire_timeout).await;
    if let (Err(error), PgSslMode::Prefer) = (&one, options.get_ssl_mode())
        && was_refused(error)
    {
        // As libpq does: the server may allow this role without TLS alone.
        let plain = options.clone().ssl_mode(PgSslMode::Disable);
        if let Ok(connection) = plain.connect().await {
            (one, options) = (Ok(connection), plain);
        }
    }
    let explained = |error| explain(error, &options);
    let mut one = one.map_err(explained)?;
    let mut other = options.connect().await.map_err(explained)?;
    let is_shared = shares_connections(&mut one, &mut other).await.map_err(explained)?;
    for connection in [one, other] {
        // It is closed either way.
        let _ = connection.close().await;
    }
    if is_shared {
        return Err(OpenError::Pooler);
    }
    let pool = || {
        PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(config.acquire_timeout)
            .test_before_acquire(false)
            .after_connect(|connection, _| Box::pin(prepare(connection)))
            .connect_lazy_with(options.clone())
    };
    Ok(Pools { read: pool(), write: pool() })
}

/// How long a transaction may be open without a statement: PostgreSQL ends that of a node that hangs, whose locks hold up
/// the others. Between two statements of ours there are moments.
const MAX_PAUSE: (&str, &str) = ("idle_in_transaction_session_timeout", "5s");

/// Sets what [`POSTGRES_PLANS`] says, and [`MAX_PAUSE`]. In statements, because poolers refuse most parameters of the start
/// of a connection.
async fn prepare(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let settings = POSTGRES_PLANS.into_iter().chain([MAX_PAUSE]);
    let sql: String = settings.map(|(name, value)| format!("SET {name} = '{value}';")).collect();
    connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await.map(drop)
}

/// The options of the driver, with which each `sslmode` means what it means to libpq.
fn connect_options(url: &PostgresUrl) -> Result<PgConnectOptions, OpenError> {
    let is_system = url.sslrootcert.as_deref() == Some("system");
    let root = url.sslrootcert.as_deref().filter(|_| !is_system);
    for (name, path) in
        [("sslrootcert", root), ("sslcert", url.sslcert.as_deref()), ("sslkey", url.sslkey.as_deref())]
    {
        let Some(path) = path else { continue };
        if let Err(error) = std::fs::read(Path::new(path)) {
            return Err(OpenError::PostgresUrl(format!("can't read {path}, which {name} names: {error}")));
        }
    }
    let port = url.port.map(|port| port.to_string());
    let pairs = [
        ("host", url.host.as_deref()),
        ("port", port.as_deref()),
        ("user", url.user.as_deref()),
        ("password", url.password.as_ref().map(|password| password.expose_secret())),
        ("dbname", url.database.as_deref()),
        ("sslmode", url.sslmode.as_deref()),
        ("sslrootcert", root),
        ("sslcert", url.sslcert.as_deref()),
        ("sslkey", url.sslkey.as_deref()),
        ("options", url.options.as_deref()),
        ("application_name", Some(url.application_name.as_deref().unwrap_or("bailiwick"))),
    ];
    let pairs = pairs.into_iter().filter_map(|(name, value)| Some((name, value?)));
    // The driver's own text may have a part of the string.
    let unusable = || OpenError::PostgresUrl("the driver can't read it".to_owned());
    let driver_url = Url::parse_with_params("postgres:///", pairs).map_err(|_| unusable())?;
    let options = PgConnectOptions::from_url(&driver_url).map_err(|_| unusable())?;
    let has_root = root.is_some() || std::env::var_os("PGSSLROOTCERT").is_some();
    let mode = ssl_mode(&options, has_root);
    // Poolers refuse what they don't know, and nothing here is a number with a fraction.
    Ok(options.ssl_mode(mode).extra_float_digits(None::<i8>).disable_statement_logging())
}

/// What the driver must do for a mode to mean what it means to libpq.
fn ssl_mode(options: &PgConnectOptions, has_root: bool) -> PgSslMode {
    if options.get_socket().is_some() || options.get_host().starts_with('/') {
        return PgSslMode::Disable;
    }
    match options.get_ssl_mode() {
        // The driver would never try TLS.
        PgSslMode::Allow => PgSslMode::Prefer,
        // Who names a root wants it to count. The driver would accept every certificate.
        PgSslMode::Require if has_root => PgSslMode::VerifyCa,
        mode => mode,
    }
}

/// Waits for a server that is starting, as long as a request would.
async fn first_connection(
    options: &PgConnectOptions,
    timeout: Duration,
) -> Result<PgConnection, sqlx::Error> {
    let started = Instant::now();
    loop {
        let remaining = timeout.saturating_sub(started.elapsed());
        let connected = tokio::time::timeout(remaining.max(PAUSE), options.connect()).await;
        match connected.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
            Err(error) if is_starting(&error) && remaining > PAUSE => tokio::time::sleep(PAUSE).await,
            done => return done,
        }
    }
}

fn is_starting(error: &sqlx::Error) -> bool {
    match error {
        // A socket is there once the server listens.
        sqlx::Error::Io(error) => matches!(
            error.kind(),
            io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset | io::ErrorKind::NotFound
        ),
        sqlx::Error::Database(error) => error.is_transient_in_connect_phase(),
        _ => false,
    }
}

fn was_refused(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()),
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code == "28000"),
        _ => false,
    }
}

/// Whether something between here and PostgreSQL gives a connection to others between two transactions, which would use
/// settings and prepared statements that are not theirs.
async fn shares_connections(one: &mut PgConnection, other: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let mark = hex::encode(random::bytes::<8>());
    let set = format!("SET bailiwick.connection = '{mark}'");
    one.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(set))).await?;
    let mut is_shared = read_mark(other).await? == mark;
    // While this one holds a connection, the first would get others.
    other.execute(sqlx::raw_sql("BEGIN")).await?;
    for _ in 0..3 {
        is_shared = is_shared || read_mark(one).await? != mark;
    }
    other.execute(sqlx::raw_sql("ROLLBACK")).await?;
    Ok(is_shared)
}

async fn read_mark(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    use sqlx::Row;
    let sql = "SELECT COALESCE(current_setting('bailiwick.connection', true), '')";
    let row = connection.fetch_one(sqlx::raw_sql(sql)).await?;
    row.try_get_unchecked(0)
}

/// What is wrong, and what to set.
fn explain(error: sqlx::Error, options: &PgConnectOptions) -> OpenError {
    let host = options.get_host();
    let sentence = match &error {
        sqlx::Error::Database(error) if error.message().contains("startup parameter: options") => {
            "there is a pooler in between that refuses options. Remove them from BAILIWICK_DATABASE_URL, and set them for \
             the role on the server"
                .to_owned()
        }
        sqlx::Error::Database(error) if is_pooler(&**error) => return OpenError::Pooler,
        sqlx::Error::Database(error) => refusal(&**error),
        sqlx::Error::Tls(error) if error.to_string().contains("does not support TLS") => {
            "it offers no TLS, which sslmode demands. Turn TLS on there, or choose sslmode=prefer in \
             BAILIWICK_DATABASE_URL"
                .to_owned()
        }
        sqlx::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(error) => distrust(error, host),
            None => unreachable(error, options),
        },
        sqlx::Error::PoolTimedOut => format!("there is no answer from {}", place(options)),
        sqlx::Error::Configuration(_) | sqlx::Error::Tls(_) => format!(
            "{error}. Check sslrootcert, sslcert and sslkey in BAILIWICK_DATABASE_URL: each is a file in PEM format, \
             and the key has no passphrase"
        ),
        _ => error.to_string(),
    };
    OpenError::Postgres(sentence)
}

/// PgBouncer refuses parameters of the start, and transactions in statement mode.
fn is_pooler(error: &dyn DatabaseError) -> bool {
    let message = error.message();
    [
        "unsupported startup parameter",
        "transaction blocks not allowed in statement pooling",
        "prepared statement",
    ]
    .iter()
    .any(|part| message.contains(part))
}

/// Why the server refused the connection.
fn refusal(error: &dyn DatabaseError) -> String {
    let message = error.message();
    let advice = match error.code().as_deref() {
        Some("28P01") => "Check the user and password in BAILIWICK_DATABASE_URL",
        Some("28000") if message.contains("no encryption") || message.contains("SSL off") => {
            "It demands TLS: set sslmode=require or more in BAILIWICK_DATABASE_URL"
        }
        Some("28000") if message.contains("certificate") => {
            "Set sslcert and sslkey in BAILIWICK_DATABASE_URL to the files with the client's certificate and key"
        }
        Some("28000") => "Check the user in BAILIWICK_DATABASE_URL, and pg_hba.conf on the server",
        Some("3D000") => "Create the database, or name another one in BAILIWICK_DATABASE_URL",
        Some("53300") => "Raise max_connections there: each node uses up to 16",
        _ => return message.to_owned(),
    };
    format!("{message}. {advice}")
}

/// Why the server's certificate is not trusted, or ours was refused.
fn distrust(error: &rustls::Error, host: &str) -> String {
    use rustls::{AlertDescription, CertificateError as Certificate, Error};
    match error {
        Error::InvalidCertificate(Certificate::UnknownIssuer | Certificate::BadSignature) => {
            "its certificate is from an authority that is not trusted here. Set sslrootcert in BAILIWICK_DATABASE_URL to \
             the file with the certificate of that authority"
                .to_owned()
        }
        Error::InvalidCertificate(Certificate::NotValidForName | Certificate::NotValidForNameContext { .. }) => format!(
            "its certificate is for another name than {host}. Use the name in the certificate as the host in \
             BAILIWICK_DATABASE_URL"
        ),
        Error::InvalidCertificate(Certificate::Expired | Certificate::ExpiredContext { .. }) => {
            "its certificate has expired. Renew it there".to_owned()
        }
        Error::InvalidCertificate(Certificate::Other(other)) if other.to_string().contains("CaUsedAsEndEntity") => {
            "its certificate is that of an authority. Have that authority issue one for the server, and set sslrootcert \
             to the certificate of the authority"
                .to_owned()
        }
        Error::AlertReceived(AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure) => {
            "it demands a certificate of the client. Set sslcert and sslkey in BAILIWICK_DATABASE_URL".to_owned()
        }
        Error::AlertReceived(
            AlertDescription::UnknownCA | AlertDescription::BadCertificate | AlertDescription::DecryptError,
        ) => {
            "it does not trust the client's certificate. Set sslcert and sslkey in BAILIWICK_DATABASE_URL to a \
             certificate from an authority that it knows"
                .to_owned()
        }
        error => format!("TLS failed: {error}. Check sslmode and the files in BAILIWICK_DATABASE_URL"),
    }
}

fn unreachable(error: &io::Error, options: &PgConnectOptions) -> String {
    let place = place(options);
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("nobody listens at {place}. Start it, or check host and port in BAILIWICK_DATABASE_URL")
        }
        io::ErrorKind::NotFound => {
            format!("there is no socket at {place}. Check host in BAILIWICK_DATABASE_URL")
        }
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => format!(
            "{place} closed the connection at once. If it demands a certificate of the client, set sslcert and sslkey in \
             BAILIWICK_DATABASE_URL to one that it trusts"
        ),
        _ => format!("{place}: {error}. Check host and port in BAILIWICK_DATABASE_URL"),
    }
}

/// Where the server is.
fn place(options: &PgConnectOptions) -> String {
    let port = options.get_port();
    match options.get_socket().map(|folder| folder.display().to_string()) {
        Some(folder) => format!("{folder}/.s.PGSQL.{port}"),
        None if options.get_host().starts_with('/') => format!("{}/.s.PGSQL.{port}", options.get_host()),
        None => format!("{} port {port}", options.get_host()),
    }
}
