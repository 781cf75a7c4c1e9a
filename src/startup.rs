//! Puts the parts together and listens.

pub use crate::domain::base::statements::{Counter, Transcript};
use crate::{
    clock::Clock,
    config::Config,
    connection::Connections,
    domain::{Db, OpenError, Refused, base::outbox, enforce::checkpoint, housekeeping},
    listen::{bind, listen},
    mail::{Mailer, MailerError},
    note::Signer,
    private,
    secret::{InstallationSecret, SecretError},
    web::{self, app, routes::index::index},
};
use actix_web::{
    cookie::Key,
    dev::{Server, ServerHandle},
    web::Data,
};
use secrecy::{ExposeSecret, SecretString};
use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::task::JoinHandle;
use url::Url;
use zeroize::Zeroizing;

/// Why the server did not start. The sentence is for whoever starts it.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("can't listen on {bind}: {error}. Choose another address with BAILIWICK_BIND.")]
    Bind { bind: SocketAddr, error: io::Error },
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("BAILIWICK_AUDIT_KEY must be 64 hex digits. Create one with: openssl rand -hex 32")]
    AuditKeyShape,
    #[error(
        "BAILIWICK_PUBLIC_URL must be an http or https address without a path, such as https://access.example.com"
    )]
    PublicUrl,
    #[error(transparent)]
    Mail(#[from] MailerError),
    #[error("the server failed: {0}")]
    Io(#[from] io::Error),
}

/// A server that listens and is ready to run.
pub struct Application {
    server: Server,
    address: SocketAddr,
    public_url: String,
    db: Db,
    checkpoints: Checkpoints,
    workers: Vec<JoinHandle<()>>,
}

impl Application {
    /// Opens the database, brings its schema up to date, and listens.
    ///
    /// # Errors
    /// What is wrong with the settings or the machine, as a sentence.
    pub async fn build(config: Config, clock: Clock) -> Result<Self, StartupError> {
        let listener = bind(config.bind).map_err(|error| StartupError::Bind { bind: config.bind, error })?;
        let address = listener.local_addr()?;
        let public_url = public_url(&config, address)?;
        let shown_url = public_url.as_str().trim_end_matches('/').to_owned();
        let secret = InstallationSecret::find_or_create(&config)?;
        let db = Db::open(&config, shown_url.clone(), clock).await?;
        let mailer = Mailer::new(&config, &public_url)?;
        let settings = app::Settings::new(&config, &public_url, Key::from(&*secret.derive("cookies")));
        let calls = web::Calls::new(config.calls_per_minute);
        let app = Data::new(app::App { db: db.with_counter(), settings, calls, routes: index() });
        let exempt = config.trusted_proxies.iter().map(|network| network.0).collect();
        let connections = Connections::new(config.connections_per_network, exempt);
        let server = listen(listener, app, connections, config.workers)?;
        let checkpoints = Checkpoints { signer: audit_signer(&config)?, copies: config.checkpoint_copies() };
        let workers = vec![
            tokio::spawn(send_mail(db.clone(), mailer)),
            tokio::spawn(run_housekeeping(db.clone(), checkpoints.clone())),
        ];
        Ok(Self { server, address, public_url: shown_url, db, checkpoints, workers })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The public URL, without a trailing slash.
    pub fn public_url(&self) -> &str {
        &self.public_url
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
        let served = self.server.await;
        for worker in &self.workers {
            worker.abort();
        }
        // Whoever was seen last is written down before the connections go.
        if let Err(error) = housekeeping::last_housekeeping(&self.db).await {
            tracing::warn!(%error, "could not save the last activity times");
        }
        self.checkpoints.sign_if_due(&self.db).await;
        self.db.close().await;
        served
    }
}

/// The public URL of a server with these settings, without a trailing slash.
///
/// # Errors
/// [`StartupError::PublicUrl`].
pub fn shown_url(config: &Config) -> Result<String, StartupError> {
    Ok(public_url(config, config.bind)?.as_str().trim_end_matches('/').to_owned())
}

fn public_url(config: &Config, address: SocketAddr) -> Result<Url, StartupError> {
    let url = match &config.public_url {
        Some(url) => url.clone(),
        None => Url::parse(&format!("http://{address}")).map_err(|_| StartupError::PublicUrl)?,
    };
    let is_plain = matches!(url.scheme(), "http" | "https")
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty();
    if is_plain { Ok(url) } else { Err(StartupError::PublicUrl) }
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
/// Sends what waits in the outbox, one message at a time.
async fn send_mail(db: Db, mailer: Mailer) {
    loop {
        match outbox::lease_next(&db).await {
            Ok(Some(message)) => deliver(&db, &mailer, message).await,
            Ok(None) => outbox::wait(&db).await,
            Err(error) => {
                tracing::warn!(%error, "can't read the outbox");
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        }
    }
}

async fn deliver(db: &Db, mailer: &Mailer, message: outbox::OutgoingMail) {
    let noted = match mailer.send(&message).await {
        Ok(()) => outbox::mark_sent(db, message.id).await,
        Err(error) => {
            tracing::warn!(message = %message.id, attempts = message.attempts, %error, "could not send e-mail");
            outbox::mark_failed(db, &message, &error).await
        }
    };
    if let Err(error) = noted {
        tracing::error!(message = %message.id, %error, "can't update the outbox");
    }
}

/// Signs audit checkpoints, and keeps a copy of each outside the database.
#[derive(Clone)]
struct Checkpoints {
    signer: Signer,
    copies: PathBuf,
}

impl Checkpoints {
    /// Signs a checkpoint if anything was recorded since the one before, or as many as it takes. What goes wrong is
    /// logged.
    async fn sign_if_due(&self, db: &Db) {
        if let Err(error) = self.sign_due(db).await {
            tracing::warn!(%error, "could not sign an audit checkpoint");
        }
    }

    async fn sign_due(&self, db: &Db) -> Result<(), Refused> {
        for _ in 0..checkpoint::due(db).await? {
            keep_copy(&self.copies, &checkpoint::sign(db, &self.signer).await?);
        }
        Ok(())
    }
}

/// Adds a signed checkpoint to the copies outside the database. What goes wrong is logged: the database has it.
pub fn keep_copy(copies: &Path, note: &str) {
    let folder = copies.parent().map_or(Ok(()), private::make_folder);
    if let Err(error) = folder.and_then(|()| private::append(copies, note)) {
        tracing::warn!(path = %copies.display(), %error, "could not keep a copy of an audit checkpoint");
    }
}

/// How often presence is written.
const HOUSEKEEPING: Duration = Duration::from_secs(5);

/// The number of rounds after which expired data is deleted: ten minutes.
const SWEEP_INTERVAL: u64 = 120;

/// The number of rounds after which a checkpoint is signed: an hour.
const CHECKPOINT_INTERVAL: u64 = 720;

/// One round of housekeeping, by its number from 1.
#[derive(Clone, Copy)]
struct Round(u64);

impl Round {
    /// It deletes what has expired.
    const fn sweeps(self) -> bool {
        self.0.is_multiple_of(SWEEP_INTERVAL)
    }

    /// It signs a checkpoint, if one is due.
    const fn signs(self) -> bool {
        self.0.is_multiple_of(CHECKPOINT_INTERVAL)
    }
}

async fn run_housekeeping(db: Db, checkpoints: Checkpoints) {
    for round in (1..).map(Round) {
        tokio::time::sleep(HOUSEKEEPING).await;
        let mut done = housekeeping::housekeeping(&db).await;
        if done.is_ok() && round.sweeps() {
            done = housekeeping::sweep(&db).await;
        }
        if round.signs() {
            checkpoints.sign_if_due(&db).await;
        }
        if let Err(error) = done {
            tracing::warn!(%error, "housekeeping failed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The moments of a day, in seconds, at which a round does what it is asked for.
    fn moments(is_due: impl Fn(Round) -> bool) -> Vec<u64> {
        let pause = HOUSEKEEPING.as_secs();
        (1..=24 * 3_600 / pause).filter(|round| is_due(Round(*round))).map(|round| round * pause).collect()
    }

    #[test]
    fn a_checkpoint_is_signed_every_hour_and_expired_data_deleted_every_ten_minutes() {
        assert_eq!(moments(Round::signs), (1..=24).map(|hour| hour * 3_600).collect::<Vec<_>>());
        assert_eq!(moments(Round::sweeps), (1..=144).map(|part| part * 600).collect::<Vec<_>>());
    }
}
