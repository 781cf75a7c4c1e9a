//! A fresh, migrated database for each test, on either system.
//!
//! Migrating takes longer than most tests do, so it happens once: into a template that each test
//! gets a copy of. The application's own start makes the template, as it does in an installation.

use super::product::{Clock, Config};
use super::{WAIT_TIMEOUT, node::Node};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use std::{
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};
use tokio::sync::OnceCell;
use url::Url;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// One database that is gone when this value is.
pub struct TestDatabase {
    pub backend: Backend,
    /// As `BAILIWICK_DATABASE_URL` takes it.
    pub url: String,
    /// The name of the PostgreSQL database, to drop it.
    name: Option<String>,
}

impl TestDatabase {
    /// Migrated, with no rows. `dir` is where a SQLite file goes; the caller removes it.
    pub async fn migrated(backend: Backend, dir: &Path) -> Self {
        match backend {
            Backend::Sqlite => {
                let database = Self::sqlite_in(dir);
                fs::write(dir.join("bailiwick.db"), sqlite_template().await).unwrap();
                database
            }
            Backend::Postgres => create(Some(postgres_template().await)).await,
        }
    }

    /// With nothing in it, for tests of the migrations and of the first start.
    pub async fn empty(backend: Backend, dir: &Path) -> Self {
        match backend {
            Backend::Sqlite => Self::sqlite_in(dir),
            Backend::Postgres => create(None).await,
        }
    }

    /// One that goes with its server, or that somebody else drops.
    pub fn of_others(backend: Backend, url: String) -> Self {
        Self { backend, url, name: None }
    }

    fn sqlite_in(dir: &Path) -> Self {
        Self {
            backend: Backend::Sqlite,
            url: format!("sqlite://{}", dir.join("bailiwick.db").display()),
            name: None,
        }
    }

    /// A connection of the test's own.
    pub async fn connect(&self) -> DatabaseConnection {
        connect(&self.url).await
    }
}

impl Drop for TestDatabase {
    /// Best effort: a database that stays behind goes with the cluster that `bin/test` made.
    fn drop(&mut self) {
        let Some(name) = self.name.take() else { return };
        // A runtime of its own: this one may be the one that is being shut down.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let admin = connect(postgres_admin_url()).await;
                let dropped =
                    admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
                admin.close().await.ok();
                dropped.map(|_| ()).map_err(std::io::Error::other)
            })
        });
        if !matches!(dropping.join(), Ok(Ok(()))) {
            eprintln!("a test database was left behind");
        }
    }
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .sqlx_logging(false)
        .test_before_acquire(false)
        .acquire_timeout(WAIT_TIMEOUT)
        .connect_timeout(WAIT_TIMEOUT)
        .map_sqlx_sqlite_opts(|sqlite| sqlite.busy_timeout(WAIT_TIMEOUT));
    Database::connect(options).await.unwrap_or_else(|error| panic!("{url}: {error}"))
}

/// The PostgreSQL server to make databases on. Absent, the test fails: skipping it would say that
/// something works on PostgreSQL which nobody tried there.
fn postgres_admin_url() -> &'static str {
    static URL: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    URL.get_or_init(|| {
        env::var("BAILIWICK_TEST_POSTGRES").unwrap_or_else(|_| {
            panic!("BAILIWICK_TEST_POSTGRES is not set: run bin/test, which starts a PostgreSQL of its own")
        })
    })
}

fn postgres_url(name: &str) -> String {
    let mut url = Url::parse(postgres_admin_url()).unwrap();
    url.set_path(name);
    url.into()
}

async fn create(template: Option<&str>) -> TestDatabase {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (process, n) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let name = format!("t_{}_{process}_{n}", Clock::system().now().as_millis());
    let template = template.map(|template| format!(" TEMPLATE {template}")).unwrap_or_default();
    let admin = connect(postgres_admin_url()).await;
    admin.execute_unprepared(&format!("CREATE DATABASE {name}{template}")).await.unwrap();
    admin.close().await.unwrap();
    TestDatabase { backend: Backend::Postgres, url: postgres_url(&name), name: Some(name) }
}

/// The bytes of a migrated SQLite file.
async fn sqlite_template() -> &'static [u8] {
    static TEMPLATE: OnceCell<Vec<u8>> = OnceCell::const_new();
    TEMPLATE
        .get_or_init(|| async {
            let dir = tempfile::tempdir().unwrap();
            let database = TestDatabase::sqlite_in(dir.path());
            migrate(&database.url, dir.path()).await;
            // VACUUM INTO gathers what is still in the write-ahead log into one file.
            let copy = dir.path().join("template.db");
            let connection = database.connect().await;
            connection.execute_unprepared(&format!("VACUUM INTO '{}'", copy.display())).await.unwrap();
            connection.close().await.unwrap();
            fs::read(copy).unwrap()
        })
        .await
}

/// The name of a migrated PostgreSQL database that nobody is connected to.
///
/// It is keyed by this executable, so a rebuilt one, whose migrations may differ, makes its own.
/// The advisory lock lets several runs share a server.
async fn postgres_template() -> &'static str {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    TEMPLATE
        .get_or_init(|| async {
            let name = format!("template_{:016x}", executable_key());
            let admin = connect(postgres_admin_url()).await;
            admin.execute_unprepared("SELECT pg_advisory_lock(4212026)").await.unwrap();
            if !exists(&admin, &name).await {
                build_postgres_template(&admin, &name).await;
            }
            // The lock goes with the connection.
            admin.close().await.unwrap();
            name
        })
        .await
}

/// Built under another name and renamed, so that a half-built one is never taken for whole.
async fn build_postgres_template(admin: &DatabaseConnection, name: &str) {
    let building = format!("{name}_building");
    admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {building} WITH (FORCE)")).await.unwrap();
    admin.execute_unprepared(&format!("CREATE DATABASE {building}")).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    migrate(&postgres_url(&building), dir.path()).await;
    // The server takes a moment to see that the application has hung up.
    let started = Instant::now();
    while let Err(error) =
        admin.execute_unprepared(&format!("ALTER DATABASE {building} RENAME TO {name}")).await
    {
        assert!(started.elapsed() < WAIT_TIMEOUT, "{error}");
        let hang_up =
            format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{building}'");
        admin.execute_unprepared(&hang_up).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Starts the application once, which migrates, and stops it.
async fn migrate(url: &str, dir: &Path) {
    let config = Config::for_tests(url.to_owned(), dir);
    Node::start(config, Clock::system()).await.stop().await;
}

async fn exists(admin: &DatabaseConnection, name: &str) -> bool {
    let sql = format!("SELECT 1 FROM pg_database WHERE datname = '{name}'");
    admin.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap().is_some()
}

fn executable_key() -> u64 {
    let path: PathBuf = env::current_exe().unwrap();
    let about = fs::metadata(&path).unwrap();
    let mut hasher = DefaultHasher::new();
    (path, about.modified().unwrap(), about.len()).hash(&mut hasher);
    hasher.finish()
}
