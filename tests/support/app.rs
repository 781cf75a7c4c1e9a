//! An application with a database, a mail directory and a clock of its own.

use super::product::{Clock, Config, InstallationSecret, first_sign_up};
use super::{
    Backend, Balancer, Client, Mailbox, Snapshot, TestDatabase, TlsFront, WAIT_TIMEOUT, eventually,
    free_port, node::Node,
};
use sea_orm::{DatabaseConnection, Statement};
use std::{
    future::Future,
    net::SocketAddr,
    sync::{Arc, Mutex, atomic::AtomicUsize},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::OnceCell,
};

type Configure = Arc<dyn Fn(&mut Config) + Send + Sync>;

pub struct TestApp {
    // Dropped in this order: the server, the test's own connection, the database, the files.
    node: Node,
    pub(super) connection: OnceCell<DatabaseConnection>,
    /// The rows of tenants as they were last read, with the number of changes until then.
    pub(super) tenants: Mutex<Option<(i64, Snapshot)>>,
    /// Set once changes are counted.
    pub(super) counting: OnceCell<()>,
    /// How often `world::restore` put the rows back.
    pub restores: AtomicUsize,
    pub database: Arc<TestDatabase>,
    dir: Arc<TempDir>,
    configure: Configure,
    /// The public address, if it is not the app's own.
    front: Option<String>,
    pub backend: Backend,
    /// Stands still, but that each request of a [`Client`] moves it on by a millisecond: so what
    /// came later is later, and nothing expires unless the test says so with `clock.advance(…)`.
    pub clock: Clock,
    pub mail: Mailbox,
}

/// How to start an app that is not the usual one. See [`TestApp::on`].
pub struct Builder {
    backend: Backend,
    configure: Configure,
    front: Option<String>,
    migrated: bool,
}

/// What `both!` can hand to a test.
pub trait FromBackend {
    fn from_backend(backend: Backend) -> impl Future<Output = Self> + Send;
}

impl FromBackend for TestApp {
    async fn from_backend(backend: Backend) -> Self {
        Self::spawn(backend).await
    }
}

impl FromBackend for Backend {
    async fn from_backend(backend: Backend) -> Self {
        backend
    }
}

impl TestApp {
    /// The usual app: migrated and empty.
    pub async fn spawn(backend: Backend) -> Self {
        Self::on(backend).spawn().await
    }

    /// `TestApp::on(backend).with(|config| config.sign_up = SignUp::Invited).spawn().await`
    pub fn on(backend: Backend) -> Builder {
        Builder { backend, configure: Arc::new(|_| {}), front: None, migrated: true }
    }

    /// Another stateless node on the same database, clock and secret, as behind a load balancer.
    pub async fn another_node(&self) -> Self {
        let config = configured(&self.database, &self.dir, &self.configure);
        Self {
            node: Node::start(config, self.clock.clone()).await,
            connection: OnceCell::new(),
            tenants: Mutex::default(),
            counting: OnceCell::new(),
            restores: AtomicUsize::default(),
            database: Arc::clone(&self.database),
            dir: Arc::clone(&self.dir),
            configure: Arc::clone(&self.configure),
            front: self.front.clone(),
            backend: self.backend,
            clock: self.clock.clone(),
            mail: self.mail.clone(),
        }
    }

    /// Stops the application and starts it again on the same data. It listens on another port, so
    /// clients created before must be moved: [`Client::moved_to`].
    pub async fn restart(self) -> Self {
        let next = self.another_node().await;
        self.node.stop().await;
        next
    }

    /// [`TestApp::restart`] with other settings.
    pub async fn restart_with(mut self, change: impl Fn(&mut Config) + Send + Sync + 'static) -> Self {
        let before = Arc::clone(&self.configure);
        self.configure = Arc::new(move |config| {
            before(config);
            change(config);
        });
        self.restart().await
    }

    pub fn address(&self) -> SocketAddr {
        self.node.address
    }

    /// Where it serves metrics; see [`Builder::with`].
    pub fn metrics_address(&self) -> SocketAddr {
        self.node.metrics.expect("config.metrics_bind is not set")
    }

    /// The address of the app, without a trailing slash.
    pub fn url(&self) -> String {
        self.front.clone().unwrap_or_else(|| format!("http://{}", self.address()))
    }

    /// The path of the link for the first person.
    pub fn first_sign_up(&self) -> String {
        let config = configured(&self.database, &self.dir, &self.configure);
        let secret = InstallationSecret::find(&config).unwrap().expect("a secret");
        format!("/first-sign-up/{}", first_sign_up(&secret).expose())
    }

    /// A browser that nobody has used yet, on a computer of its own.
    pub fn client(&self) -> Client {
        Client::new(self)
    }

    /// How many SQL statements the application has sent so far.
    pub fn statements(&self) -> u64 {
        self.node.statements.count()
    }

    /// The SQL statements that the application has sent since the last call.
    pub fn take_statements(&self) -> Vec<Statement> {
        self.node.transcript.take()
    }

    /// The result of `work`, and how many passwords it hashed.
    pub async fn hashes_of<T>(&self, work: impl Future<Output = T>) -> (T, u64) {
        let before = self.node.hashes.count();
        let result = work.await;
        (result, self.node.hashes.count() - before)
    }

    /// The result of `work`, and the number of SQL statements it sent. Nothing else may use the app
    /// meanwhile.
    pub async fn statements_of<T>(&self, work: impl Future<Output = T>) -> (T, u64) {
        let before = self.statements();
        let result = work.await;
        (result, self.statements() - before)
    }

    /// Waits until all queued mail is sent, so that a test can then check that none came.
    pub async fn mail_is_out(&self) {
        eventually(async || match self.rows("SELECT * FROM outbox").await.as_slice() {
            [] => Ok(()),
            waiting => Err(format!("mail is still waiting in the outbox: {waiting:?}")),
        })
        .await;
    }

    /// Sends these bytes as they are and reads until the server hangs up: for requests that no HTTP
    /// client would send.
    pub async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        stream.write_all(bytes).await.ok();
        let mut answer = Vec::new();
        let mut buffer = [0; 8192];
        let reading = async {
            while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                answer.extend_from_slice(&buffer[..n]);
            }
        };
        tokio::time::timeout(WAIT_TIMEOUT, reading).await.ok();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Builder {
    /// May be called more than once; each sees what the one before it did.
    #[must_use]
    pub fn with(mut self, change: impl Fn(&mut Config) + Send + Sync + 'static) -> Self {
        let before = self.configure;
        self.configure = Arc::new(move |config| {
            before(config);
            change(config);
        });
        self
    }

    /// People reach it through this; its own address is for [`Client::moved_to`] alone.
    #[must_use]
    pub fn behind(self, balancer: &Balancer) -> Self {
        self.reached_at(&balancer.url())
    }

    /// People reach it at this address, at which a proxy on 127.0.0.1 listens.
    #[must_use]
    pub fn reached_at(mut self, url: &str) -> Self {
        let url = url.to_owned();
        self.front = Some(url.clone());
        self.with(move |config| {
            config.public_url = Some(url.parse().unwrap());
            config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
        })
    }

    /// People reach it under this name, which only a [`super::Browser`] can look up.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        let port = free_port();
        let front = Some(format!("http://{name}:{port}"));
        let url: url::Url = front.as_deref().unwrap().parse().unwrap();
        let builder = self.with(move |config| {
            config.bind = SocketAddr::from(([127, 0, 0, 1], port)).into();
            config.public_url = Some(url.clone());
        });
        Self { front, ..builder }
    }

    /// People reach it by https, through this.
    #[must_use]
    pub fn behind_tls(self, tls: &TlsFront) -> Self {
        let port = tls.app_port;
        let bound = self.with(move |config| config.bind = SocketAddr::from(([127, 0, 0, 1], port)).into());
        bound.reached_at(&tls.url())
    }

    /// Starts on a database with no tables, as an installation does the first time.
    #[must_use]
    pub fn unmigrated(mut self) -> Self {
        self.migrated = false;
        self
    }

    pub async fn spawn(self) -> TestApp {
        let dir = tempfile::tempdir().unwrap();
        let database = if self.migrated {
            TestDatabase::migrated(self.backend, dir.path()).await
        } else {
            TestDatabase::empty(self.backend, dir.path()).await
        };
        self.spawn_on(database, dir).await
    }

    /// Starts on a database that the test has prepared.
    pub async fn spawn_on(self, database: TestDatabase, dir: TempDir) -> TestApp {
        let clock = Clock::manual(Clock::system().now());
        TestApp {
            node: Node::start(configured(&database, &dir, &self.configure), clock.clone()).await,
            connection: OnceCell::new(),
            tenants: Mutex::default(),
            counting: OnceCell::new(),
            restores: AtomicUsize::default(),
            database: Arc::new(database),
            mail: Mailbox::in_dir(dir.path().join("mail")),
            dir: Arc::new(dir),
            configure: self.configure,
            front: self.front,
            backend: self.backend,
            clock,
        }
    }
}

fn configured(database: &TestDatabase, dir: &TempDir, configure: &Configure) -> Config {
    let mut config = Config::for_tests(database.url.clone(), dir.path());
    configure(&mut config);
    config
}
