//! A PostgreSQL of a test's own, for what would disturb others: it is stopped, started, and configured in other ways.

use super::{Backend, TestDatabase, free_port};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

pub struct Cluster {
    dir: TempDir,
    programs: PathBuf,
    pub port: u16,
}

impl Cluster {
    /// Makes and starts one that listens on 127.0.0.1 and on a socket in [`Cluster::folder`]. Whoever comes through the
    /// socket is trusted; `access` are the lines of `pg_hba.conf` for everybody else.
    pub fn start(access: &str) -> Self {
        let cluster = Self { dir: tempfile::tempdir().unwrap(), programs: programs(), port: free_port() };
        own(cluster.folder());
        let data = cluster.data();
        let initdb =
            ["-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
        cluster.run("initdb", &initdb);
        fs::write(cluster.folder().join("data/pg_hba.conf"), format!("local all all trust\n{access}\n"))
            .unwrap();
        let settings = [
            format!("port = {}", cluster.port),
            "listen_addresses = '127.0.0.1'".to_owned(),
            format!("unix_socket_directories = '{}'", cluster.folder().display()),
            "fsync = off".to_owned(),
            "autovacuum = off".to_owned(),
        ];
        cluster.configure(&settings.map(|line| line + "\n").concat());
        cluster.start_again();
        cluster
    }

    /// Where its socket is.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    fn data(&self) -> String {
        self.folder().join("data").display().to_string()
    }

    /// Adds lines to `postgresql.conf`, for the next start or [`Cluster::reload`].
    pub fn configure(&self, lines: &str) {
        let path = self.folder().join("data/postgresql.conf");
        let text = fs::read_to_string(&path).unwrap() + lines;
        fs::write(path, text).unwrap();
    }

    /// Puts a file beside its data, readable by the server alone. Returns its name.
    pub fn add_file(&self, from: &Path) -> String {
        let name = from.file_name().unwrap().to_string_lossy().into_owned();
        fs::copy(from, self.folder().join("data").join(&name)).unwrap();
        own(self.folder());
        name
    }

    pub fn start_again(&self) {
        let log = self.folder().join("log").display().to_string();
        self.run("pg_ctl", &["-D", &self.data(), "-l", &log, "-w", "-t", "120", "start"]);
    }

    /// Stops it: `fast` as a restart does, `immediate` as a crash.
    pub fn stop(&self, mode: &str) {
        self.run("pg_ctl", &["-D", &self.data(), "-w", "-t", "120", "-m", mode, "stop"]);
    }

    pub fn reload(&self) {
        self.run("pg_ctl", &["-D", &self.data(), "reload"]);
    }

    /// Runs SQL as the superuser.
    pub fn sql(&self, sql: &str) {
        let folder = self.folder().display().to_string();
        let port = self.port.to_string();
        self.run(
            "psql",
            &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", &folder, "-p", &port, "-U", "postgres", "-c", sql],
        );
    }

    /// An empty database for the program, as the superuser sees it by the socket.
    pub fn database(&self, name: &str) -> TestDatabase {
        self.sql(&format!("CREATE DATABASE {name}"));
        let url =
            format!("postgres:///{name}?host={}&port={}&user=postgres", self.folder().display(), self.port);
        TestDatabase::of_others(Backend::Postgres, url)
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let path = self.programs.join(program);
        let mut command = match is_root() {
            true => {
                let mut command = Command::new("runuser");
                command.args(["-u", "postgres", "--"]).arg(path);
                command
            }
            false => Command::new(path),
        };
        // A server that starts keeps what it inherits, and whoever waits for the end of its output would wait for ever.
        let out = self.folder().join("out");
        let file = fs::File::create(&out).unwrap();
        let done = command
            .args(arguments)
            .current_dir("/tmp")
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .status();
        let said = fs::read_to_string(out).unwrap_or_default();
        assert!(done.unwrap().success(), "{program} {arguments:?}: {said}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.folder().join("data/postmaster.pid").exists() && !std::thread::panicking() {
            self.stop("immediate");
        } else if let Ok(pid) = fs::read_to_string(self.folder().join("data/postmaster.pid")) {
            let pid = pid.lines().next().unwrap_or_default();
            Command::new("kill").args(["-QUIT", pid]).status().ok();
        }
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// PostgreSQL refuses to run as root; its package made a user.
fn own(folder: &Path) {
    if is_root() {
        let done = Command::new("chown").args(["-R", "postgres"]).arg(folder).status();
        assert!(done.unwrap().success(), "there is no user postgres");
    }
}

/// Where `initdb` and the others are: Debian keeps them out of the PATH, which may have links to some of them.
fn programs() -> PathBuf {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let installed = installed.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    let mut installed: Vec<PathBuf> = installed.filter(|path| path.join("initdb").exists()).collect();
    installed.sort();
    let in_path = || {
        let path = std::env::var_os("PATH")?;
        let initdb =
            std::env::split_paths(&path).find_map(|dir| fs::canonicalize(dir.join("initdb")).ok())?;
        initdb.parent().map(Path::to_owned)
    };
    installed.pop().or_else(in_path).expect("initdb: install PostgreSQL's server on this machine")
}
