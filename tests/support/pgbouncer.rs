//! A real PgBouncer before the PostgreSQL of the tests.

use super::{TestDatabase, free_port, until};
use std::{
    fs,
    net::TcpStream,
    os::unix::fs::{MetadataExt, PermissionsExt},
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;
use url::Url;

pub struct PgBouncer {
    process: Child,
    pub port: u16,
    _dir: TempDir,
}

impl PgBouncer {
    /// `mode` is `session`, `transaction` or `statement`; `settings` are more lines of its configuration.
    pub async fn start(database: &TestDatabase, mode: &str, settings: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (server, port) = (Url::parse(&database.url).unwrap(), free_port());
        let config = dir.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host={} port={} user={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\npool_mode = {mode}\ndefault_pool_size = 40\n{settings}\n",
            server.host_str().unwrap(),
            server.port().unwrap_or(5432),
            server.username(),
        );
        fs::write(&config, text).unwrap();
        // Debian keeps it where only root looks.
        let program =
            ["/usr/sbin/pgbouncer", "pgbouncer"].into_iter().find(|path| fs::exists(path).unwrap_or(false));
        let program = program.unwrap_or("pgbouncer");
        let mut command = match fs::metadata("/proc/self").unwrap().uid() {
            // It refuses to run as root.
            0 => {
                fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
                let mut command = Command::new("setpriv");
                command.args(["--reuid=65534", "--regid=65534", "--clear-groups", program]);
                command
            }
            _ => Command::new(program),
        };
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let process = command.arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let mut bouncer = Self { process: process.expect("pgbouncer is there"), port, _dir: dir };
        until("PgBouncer does not listen", async || {
            let log = || fs::read_to_string(bouncer._dir.path().join("log")).unwrap_or_default();
            let ended = bouncer.process.try_wait().unwrap();
            assert!(ended.is_none(), "PgBouncer ended at once: {}", log());
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        })
        .await;
        bouncer
    }

    /// This database, by way of it.
    pub fn url(&self, database: &TestDatabase) -> String {
        let mut url = Url::parse(&database.url).unwrap();
        url.set_port(Some(self.port)).unwrap();
        url.into()
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
