//! The program itself, as a process that a test can kill.

use super::product::Clock;
use super::{Client, Mailbox, TestDatabase, until};
use std::{
    fs::File,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

/// `bailiwick serve`, in a directory of its own. Killed when dropped.
pub struct Program {
    process: Child,
    pub port: u16,
    pub mail: Mailbox,
    log: PathBuf,
}

/// A port of 127.0.0.1 that nobody listens at. It is given out once, and is below those that the kernel gives out: some
/// programs listen at a port that another one listens at too.
pub fn free_port() -> u16 {
    const FIRST: u32 = 10_000;
    const PORTS: u32 = 10_000;
    static GIVEN_OUT: AtomicU32 = AtomicU32::new(0);
    loop {
        let next = std::process::id().wrapping_add(GIVEN_OUT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(FIRST + next % PORTS).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The program with nothing of the surrounding `BAILIWICK_…` settings.
pub fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bailiwick"));
    let settings = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BAILIWICK_"));
    settings.for_each(|(name, _)| {
        command.env_remove(name);
    });
    command.current_dir(dir).stdin(Stdio::null());
    command
}

/// Runs a command of the program to its end: `run(dir, &["migrate"], &[("BAILIWICK_DATABASE_URL", url)])`.
pub fn run(dir: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    command(dir).args(arguments).envs(settings.iter().copied()).output().unwrap()
}

impl Program {
    /// Serves this database and waits until it listens. `dir` gets its mail, its data and its log.
    pub async fn serve(database: &TestDatabase, dir: &Path, settings: &[(&str, &str)]) -> Self {
        let port = free_port();
        let log = dir.join("program.log");
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let process = command(dir)
            .arg("serve")
            .env("BAILIWICK_BIND", format!("127.0.0.1:{port}"))
            .env("BAILIWICK_DATABASE_URL", &database.url)
            // As `Config::for_tests` has it: both may be nodes of one installation.
            .env("BAILIWICK_SECRET_KEY", "07".repeat(32))
            .env("BAILIWICK_MAIL", format!("file:{}", dir.join("mail").display()))
            .env("BAILIWICK_ACQUIRE_TIMEOUT", "60")
            .envs(settings.iter().copied())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        let mut program = Self { process, port, mail: Mailbox::in_dir(dir.join("mail")), log };
        until("the program does not listen", async || {
            let ended = program.process.try_wait().unwrap();
            assert!(ended.is_none(), "the program ended at once:\n{}", program.log());
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        })
        .await;
        program
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it has written, over all its starts in this directory.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn client(&self) -> Client {
        Client::of(&self.url(), Clock::system())
    }

    /// Its resident memory now, in KiB.
    pub fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// How many connections it has open.
    pub fn connections(&self) -> usize {
        let table = std::fs::read_to_string(format!("/proc/{}/net/tcp", self.process.id())).unwrap();
        let port = format!(":{:04X}", self.port);
        // Local address, remote address, state: 01 is established, 08 was ended by the client alone.
        let is_open = |line: &&str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            fields.get(1).is_some_and(|local| local.ends_with(&port))
                && matches!(fields.get(3), Some(&"01" | &"08"))
        };
        table.lines().filter(is_open).count()
    }

    /// Sends SIGTERM, as a service manager does.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends this signal, such as `HUP`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.process.id().to_string()]).status();
        assert!(sent.unwrap().success(), "it could not be sent");
    }

    /// Waits until it has ended by itself, and panics after `timeout`.
    pub async fn ended(mut self, timeout: Duration) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < timeout, "still running after {timeout:?}:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// `kill -9`.
    pub fn kill(mut self) -> ExitStatus {
        self.process.kill().unwrap();
        self.process.wait().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
